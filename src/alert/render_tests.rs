//! What people read: every text, its limits, and hostile values in it.

use super::fixtures::{at, judged, record, result, shown, unmeasured, upgraded};
use super::render::*;
use super::view::is_plain_url;
use super::{Action, AlertPolicy, Marker, Situation, decide};
use crate::model::Family::{Disk, Network};
use crate::model::{Change, Component, Drift, DriftKind, GateResult, Verdict, VerdictKind};

fn templates() -> Templates {
    Templates::new(Vec::new()).expect("the built-in templates")
}

fn texts(result: &GateResult, issues: &[crate::alert::ShownIssue], policy: &AlertPolicy) -> Vec<String> {
    let decided = decide(&Situation { result, issues, policy, now: at(100) });
    let context = Context { result, policy, run_url: Some("https://github.example/o/r/actions/runs/1") };
    let text = |action: &Action| {
        let comment = templates().comment(action, &context).expect("rendered").unwrap_or_default();
        if action.group.is_empty() && action.trouble.is_none() {
            return comment;
        }
        let issue = templates().issue(action, &context).expect("rendered");
        format!("TITLE {}\n{}\n{comment}", issue.title, issue.body)
    };
    decided.actions.iter().map(text).collect()
}

fn many(n: usize) -> GateResult {
    let verdicts =
        (0..n).map(|i| judged(&format!("case-{i}"), "docker+nat", Network, VerdictKind::Regressed, 7.5));
    result(5, "26.1.5", upgraded("26.1.5+dfsg1"), verdicts.collect())
}

/// Markers hold digests of what the text already shows.
fn redacted(text: &str) -> String {
    let line = |l: &str| {
        if l.starts_with("<!-- tollgate:v1") { "<!-- marker -->".to_owned() } else { l.to_owned() }
    };
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn snapshots() {
    let policy = AlertPolicy {
        route: vec![crate::alert::Route { owners: vec!["@org/net".into()], ..Default::default() }],
        ..AlertPolicy::default()
    };
    let mut drifting = result(5, "26.1.5", Vec::new(), Vec::new());
    drifting.judgement.drifts = vec![Drift {
        workload: "fio".into(),
        case: "randread-qd16".into(),
        metric: "iops".into(),
        environment: "docker+layer".parse().expect("a name"),
        kind: DriftKind::Anchor,
        change_pct: 6.3,
        p: 1e-7,
        sweeps: 41,
        since: vec![],
        reason: "rose from 2.0 to 8.4 % over 41 accepted sweeps".into(),
    }];
    let common = |case: &str, family| Verdict {
        common: true,
        ..judged(case, "kvm", family, VerdictKind::Regressed, 12.0)
    };
    let mut whole = result(5, "26.1.5", Vec::new(), vec![common("get", Network), common("set", Disk)]);
    whole.accelerator = Some("tcg".into());
    let all = [
        ("few", many(2)),
        ("many", many(13)),
        ("drift", drifting),
        ("whole", whole),
        ("host", unmeasured(5, "cannot measure: no Docker engine answers; start it")),
    ];
    for (name, result) in all {
        insta::assert_snapshot!(name, redacted(&texts(&result, &[], &policy).join("\n----\n")));
    }
}

#[test]
fn comments_tell_each_change() {
    let policy = AlertPolicy::default();
    let open = shown(7, record("docker+nat", 3));
    let twin = crate::alert::ShownIssue { number: 9, ..open.clone() };
    let nat = |kind, change| vec![judged("get", "docker+nat", Network, kind, change)];
    let back = result(6, "26.1.6", Vec::new(), nat(VerdictKind::Unchanged, 0.2));
    let mut once = open.clone();
    once.record.recovered = [crate::alert::fixtures::sweep_id(4)].into();
    once.state = once.record.state();
    let worse = result(6, "26.1.5", upgraded("26.1.5"), nat(VerdictKind::Regressed, 31.0));
    let again = result(6, "26.1.5", upgraded("26.1.5"), nat(VerdictKind::Regressed, 7.0));
    let mut asked = open.clone();
    asked.accept = true;
    let accepted = GateResult {
        baseline: Some("accepted".into()),
        accepted_issues: vec![asked.number],
        ..again.clone()
    };
    let closed = crate::alert::ShownIssue { open: false, ..once.clone() };
    let mut comments = Vec::new();
    for (result, issues) in [
        (&worse, vec![open.clone()]),
        (&again, vec![once.clone()]),
        (&back, vec![open.clone()]),
        (&back, vec![once]),
        (&accepted, vec![asked]),
        (&again, vec![closed]),
        (&again, vec![open, twin]),
    ] {
        let decided = decide(&Situation { result, issues: &issues, policy: &policy, now: at(100) });
        let context = Context { result, policy: &policy, run_url: None };
        let action = decided.actions.first().expect("an action");
        comments.push(templates().comment(action, &context).expect("rendered").expect("a comment"));
    }
    insta::assert_snapshot!(redacted(&comments.join("\n----\n")));
}

#[test]
fn what_does_not_fit_takes_a_shorter_form_and_is_never_cut() {
    let [text] = &texts(&many(1200), &[], &AlertPolicy::default())[..] else { panic!("one issue") };
    assert!(text.chars().count() <= BODY_MAX + 300, "{}", text.chars().count());
    assert!(
        text.contains("more: the reports of the run have them") && text.contains("sweeps prove every metric")
    );
    let record = Marker::read(text.split_once('\n').expect("a title").1).and_then(|m| m.record());
    assert_eq!(record.expect("a record").metrics.len(), 1200);
}

#[test]
fn hostile_text_stays_text() {
    let mut hostile = many(1);
    let evil = "1 <!-- x --> @everyone `a` |b| [c](http://d) \n# e #12 <script>";
    hostile.changed =
        vec![Change { component: Component::Kernel, before: Some(evil.into()), after: Some("6".into()) }];
    hostile.judgement.verdicts[0].case = evil.into();
    hostile.judgement.verdicts[0].unit = evil.into();
    hostile.profile = evil.into();
    let [text] = &texts(&hostile, &[], &AlertPolicy::default())[..] else { panic!("one issue") };
    let body = text.split_once("-->\n").expect("a marker").1;
    for bad in ["<!--", "@everyone", "<script", "](http://d", "\n# e", "|b|", "`a`"] {
        assert!(!body.contains(bad), "{bad} in {body}");
    }
    assert!(!text.lines().next().expect("a title").contains('@'));
    let row = body.lines().find(|l| l.starts_with("| <code>redis")).expect("a row");
    assert_eq!(row.matches('|').count(), 7);
}

#[test]
fn a_template_of_the_user_is_used_and_a_bad_one_is_named_with_its_line() {
    let own = |text: &str| Templates::new(vec![("comment.md.j2".into(), text.into())]);
    let result = result(
        6,
        "26.1.6",
        Vec::new(),
        vec![judged("get", "docker+nat", Network, VerdictKind::Unchanged, 0.1)],
    );
    let policy = AlertPolicy::default();
    let issues = [shown(7, record("docker+nat", 3))];
    let decided = decide(&Situation { result: &result, issues: &issues, policy: &policy, now: at(100) });
    let context = Context { result: &result, policy: &policy, run_url: None };
    let said = |t: Templates| t.comment(&decided.actions[0], &context);
    let mine = said(own("Hello {{ host_class }}").expect("sound")).expect("rendered").expect("a comment");
    assert!(mine.ends_with("Hello farm-a\n"), "{mine}");
    let syntax = own("one\n{% if %}").expect_err("broken").to_string();
    assert!(syntax.contains("comment.md.j2:2"), "{syntax}");
    let unknown = said(own("{{ hots_class }}").expect("sound")).expect_err("unknown").to_string();
    assert!(unknown.contains("comment.md.j2"), "{unknown}");
}

#[test]
fn a_marker_is_exchanged_and_the_rest_stays() {
    let mut record = record("docker", 3);
    let body = format!("{}\r\nText\nmore\n", Marker::of(&record).line());
    record.magnitude = 4;
    let new = Marker::of(&record).over(&body);
    assert!(new.ends_with("-->\nText\nmore\n"), "{new}");
    assert_eq!(Marker::read(&new).and_then(|m| m.record()), Some(record));
}

#[test]
fn only_plain_addresses_become_links() {
    assert!(is_plain_url("https://github.com/o/r/actions/runs/12"));
    for bad in ["javascript:x", "https://a/b)c", "https://a/ b", "https://a/<b>"] {
        assert!(!is_plain_url(bad), "{bad}");
    }
}
