//! Texts for people, from the templates in `alerts/templates/`.
//!
//! Every value that a template prints is cleaned and escaped for Markdown by the formatter itself, so that a template
//! cannot forget it. What does not fit a body is rendered in a shorter form; nothing is cut.

use super::decide::{Action, Transition};
use super::finding::{Finding, Subject};
use super::{AlertPolicy, Kind, Marker, Record, Scope};
use crate::model::{Change, GateResult, SweepId};
use crate::report::{clean, number, view};
use minijinja::value::{Serde, Value};
use minijinja::{AutoEscape, Environment, Error, ErrorKind, UndefinedBehavior};
use serde::Serialize;
use std::fmt::Write as _;

/// Longest body, characters: GitHub refuses more than 65,536.
pub const BODY_MAX: usize = 65_000;
/// Longest title, characters: GitHub refuses more than 256.
const TITLE_MAX: usize = 240;
/// Rows above the fold.
const ROWS: usize = 10;

/// The built-in templates, by name.
const BUILT_IN: [(&str, &str); 2] = [
    ("issue.md.j2", include_str!("../../alerts/templates/issue.md.j2")),
    ("comment.md.j2", include_str!("../../alerts/templates/comment.md.j2")),
];

/// A template of the user's that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TemplateError {
    /// Its syntax, or what it does with a value.
    #[error("template {name}: {source}; mend it, or remove it to use the built-in one")]
    Template {
        /// Which.
        name: String,
        /// What is wrong, with its line.
        source: Box<Error>,
    },
    /// Even its shortest form is too long.
    #[error(
        "template {name}: its shortest form has {length} characters, GitHub takes {BODY_MAX}; make it shorter when `folded` is false"
    )]
    TooLong {
        /// Which.
        name: &'static str,
        /// How long.
        length: usize,
    },
}

/// The templates: the built-in ones, with those of the user in their place.
pub struct Templates {
    environment: Environment<'static>,
}

impl std::fmt::Debug for Templates {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Templates").finish_non_exhaustive()
    }
}

/// The text of an issue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issue {
    /// One line of plain text.
    pub title: String,
    /// With its marker.
    pub body: String,
}

/// What is said of a result besides the result itself.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// What the gate found.
    pub result: &'a GateResult,
    /// Whom to tell.
    pub policy: &'a AlertPolicy,
    /// Where the run can be seen; only an address of the tracker itself.
    pub run_url: Option<&'a str>,
}

impl Templates {
    /// The built-in ones, with `own` (name and text) in their place.
    pub fn new(own: Vec<(String, String)>) -> Result<Self, TemplateError> {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_auto_escape_callback(|_| AutoEscape::Custom("markdown".into()));
        environment.set_formatter(|out, _state, value| {
            let text = value.to_string();
            let text = if value.is_safe() { text } else { markdown(&text) };
            out.write_str(&text).map_err(|e| Error::new(ErrorKind::WriteFailure, e.to_string()))
        });
        environment.add_filter("code", |value: Value| {
            Value::from_safe_string(clean::markdown_code(&clean::text(&value.to_string())))
        });
        let built_in = BUILT_IN.map(|(name, text)| (name.to_owned(), text.to_owned()));
        for (name, text) in built_in.into_iter().chain(own) {
            let added = environment.add_template_owned(name.clone(), text);
            added.map_err(|source| TemplateError::Template { name, source: Box::new(source) })?;
        }
        Ok(Self { environment })
    }

    /// The names of the templates that a user may replace.
    pub fn names() -> impl Iterator<Item = &'static str> {
        BUILT_IN.into_iter().map(|(name, _)| name)
    }

    /// Title and body of an issue that failed.
    pub fn issue(&self, action: &Action, context: &Context) -> Result<Issue, TemplateError> {
        const NAME: &str = "issue.md.j2";
        let marker = Marker::of(&action.record).line();
        let mut length = 0;
        for (most, folded) in [(ROWS, true), (ROWS, false), (3, false)] {
            let form = Form { most, folded };
            let body = format!("{marker}\n{}\n", self.render(NAME, action, context, form)?);
            length = body.chars().count();
            if length <= BODY_MAX {
                return Ok(Issue { title: title(action, context.result), body });
            }
        }
        Err(TemplateError::TooLong { name: NAME, length })
    }

    /// The comment on what happened to an issue; `None` for a new one, whose body says it.
    pub fn comment(&self, action: &Action, context: &Context) -> Result<Option<String>, TemplateError> {
        const NAME: &str = "comment.md.j2";
        if action.transition == Transition::Opened {
            return Ok(None);
        }
        let record = &action.record;
        let marker = Marker::new(Kind::Event, &record.key.to_string(), &event_state(action)).line();
        let text = self.render(NAME, action, context, Form { most: ROWS, folded: false })?;
        let body = format!("{marker}\n{text}\n");
        let length = body.chars().count();
        if length > BODY_MAX {
            return Err(TemplateError::TooLong { name: NAME, length });
        }
        Ok(Some(body))
    }

    fn render(
        &self,
        name: &str,
        action: &Action,
        context: &Context,
        form: Form,
    ) -> Result<String, TemplateError> {
        let view = View::of(action, context, form);
        let template = self.environment.get_template(name).and_then(|t| t.render(Value::from(Serde(&view))));
        let rendered = template
            .map_err(|source| TemplateError::Template { name: name.to_owned(), source: Box::new(source) })?;
        Ok(rendered.trim().to_owned())
    }
}

/// What tells the comments on one issue apart: the state that it came to, the transition, and the sweep.
pub fn event_state(action: &Action) -> String {
    let sweep = action.record.sweep.as_ref().map_or("none", |s| s.as_str());
    format!("{}:{}:{sweep}", action.transition.as_str(), action.record.state())
}

/// A body with another marker in its first line, and the rest as it is.
pub fn with_marker(body: &str, record: &Record) -> String {
    let rest =
        if Marker::read(body).is_some() { body.split_once('\n').map_or("", |(_, rest)| rest) } else { body };
    format!("{}\n{rest}", Marker::of(record).line())
}

fn markdown(text: &str) -> String {
    clean::markdown(&clean::text(text))
}

#[derive(Debug, Clone, Copy)]
struct Form {
    most: usize,
    folded: bool,
}

/// Plain text: GitHub shows no markup in titles.
fn title(action: &Action, result: &GateResult) -> String {
    let class = &result.host_class;
    let largest = action.group.first().map(|f| change(f, false)).unwrap_or_default();
    let what = match &action.record.key.scope {
        Scope::Host => format!("{class} cannot be judged"),
        Scope::Drift { environment, .. } => format!("{environment} drifts: {largest} on {class}"),
        Scope::Whole { environment } => {
            format!("{environment} as a whole: tolls rose by up to {largest} on {class}")
        }
        Scope::Rest => format!("{} more tolls rose on {class}", action.group.len()),
        Scope::Family { environment, family } => {
            let family = family.map_or("other", |f| f.as_str());
            format!("{environment}: the {family} toll rose by up to {largest} on {class}")
        }
    };
    let mut changed = String::new();
    for c in &result.changed {
        let version = |v: &Option<String>| v.as_deref().map_or_else(|| "absent".to_owned(), clean::name);
        let joint = if changed.is_empty() { " with " } else { ", " };
        // Writing to a String cannot fail.
        let _ = write!(changed, "{joint}{} {} → {}", c.component, version(&c.before), version(&c.after));
    }
    let changed = if action.record.key.scope == Scope::Host { String::new() } else { changed };
    // A mention in a title would reach people, too.
    clean::one_line(&format!("{what}{changed}").replace('@', "(at)"), TITLE_MAX)
}

fn change(finding: &Finding, with_interval: bool) -> String {
    match finding.subject {
        Subject::Drift(d) => number::change(d.change_pct),
        Subject::Regression(v) => match (v.absolute, v.change_pct) {
            (Some(a), _) => format!("+{}", number::value(a.change, &clean::name(&v.unit))),
            (None, Some(pct)) if !with_interval => number::change(pct),
            (None, pct) => number::change_with_interval(pct, v.ci95_pct),
        },
    }
}

/// What a template sees.
#[derive(Debug, Serialize)]
struct View<'a> {
    transition: &'static str,
    scope: &'static str,
    host_class: &'a str,
    profile: &'a str,
    environment: Option<String>,
    family: &'static str,
    trouble: &'a str,
    changed: Vec<ChangeView>,
    rows: Vec<Row>,
    count: String,
    largest: String,
    sweep: Option<&'a str>,
    emulated: bool,
    reproduce: String,
    recovered_sweeps: usize,
    run_url: Option<Value>,
    owners: Option<Value>,
    joined: &'a [String],
    sweeps: usize,
    of: usize,
    duplicate_of: u64,
    most: usize,
    folded: bool,
}

#[derive(Debug, Serialize)]
struct ChangeView {
    component: &'static str,
    before: String,
    after: String,
}

#[derive(Debug, Serialize)]
struct Row {
    metric: String,
    environment: String,
    native: String,
    before: String,
    after: String,
    change: String,
    verdict: String,
    reason: String,
}

impl<'a> View<'a> {
    fn of(action: &'a Action, context: &Context<'a>, form: Form) -> Self {
        let Context { result, policy, run_url } = *context;
        let emulated = result.is_emulated();
        let scope = &action.record.key.scope;
        let (sweeps, of) = match action.transition {
            Transition::Recovering { sweeps, of } => (sweeps, of),
            _ => (0, 0),
        };
        let joined: &[String] = match &action.transition {
            Transition::Worse { joined } => joined,
            _ => &[],
        };
        // Mentions come from the policy, whose form was checked: they are to work.
        let owners = policy.owners(scope).join(" ");
        let owners = (!owners.is_empty() && action.transition == Transition::Opened).then_some(owners);
        Self {
            transition: action.transition.as_str(),
            scope: match scope {
                Scope::Family { .. } => "family",
                Scope::Whole { .. } => "whole",
                Scope::Drift { .. } => "drift",
                Scope::Rest => "rest",
                Scope::Host => "host",
            },
            host_class: result.host_class.as_str(),
            profile: &result.profile,
            environment: scope.environment().map(|e| view::label(e, emulated)),
            family: scope.family().map_or("other", |f| f.as_str()),
            trouble: action.trouble.as_deref().unwrap_or_default(),
            changed: result.changed.iter().map(ChangeView::of).collect(),
            rows: action.group.iter().map(|f| Row::of(f, emulated)).collect(),
            count: number::count(action.group.len(), "metric"),
            largest: action.group.first().map(|f| change(f, true)).unwrap_or_default(),
            sweep: action.record.sweep.as_ref().map(SweepId::as_str),
            emulated,
            reproduce: view::reproduce(result),
            recovered_sweeps: policy.recovered_sweeps,
            run_url: run_url
                .filter(|url| is_plain_url(url))
                .map(|url| Value::from_safe_string(url.to_owned())),
            owners: owners.map(Value::from_safe_string),
            joined,
            sweeps,
            of,
            duplicate_of: match action.transition {
                Transition::Duplicate { of } => of,
                _ => 0,
            },
            most: form.most,
            folded: form.folded,
        }
    }
}

impl ChangeView {
    fn of(change: &Change) -> Self {
        let version = |v: &Option<String>| v.clone().unwrap_or_else(|| "absent".to_owned());
        Self {
            component: change.component.as_str(),
            before: version(&change.before),
            after: version(&change.after),
        }
    }
}

impl Row {
    fn of(finding: &Finding, emulated: bool) -> Self {
        let environment = view::label(finding.environment(), emulated);
        let (metric, change) = (finding.metric().to_owned(), change(finding, true));
        match finding.subject {
            Subject::Drift(d) => Self {
                metric,
                environment,
                native: String::new(),
                before: String::new(),
                after: String::new(),
                change,
                verdict: "drift".to_owned(),
                reason: d.reason.clone(),
            },
            Subject::Regression(v) => {
                let unit = clean::name(&v.unit);
                let side = |pct: Option<f64>, absolute: Option<f64>| match (absolute, pct) {
                    (Some(x), _) => number::value(x, &unit),
                    (None, Some(pct)) => number::toll(pct),
                    (None, None) => number::NONE.to_owned(),
                };
                let origin =
                    v.attribution.map(|a| format!(" ({})", view::attribution(a))).unwrap_or_default();
                Self {
                    metric,
                    environment,
                    native: v.native.map_or_else(|| number::NONE.to_owned(), |x| number::value(x, &unit)),
                    before: side(v.toll_before_pct, v.absolute.map(|a| a.before)),
                    after: side(v.toll_now_pct, v.absolute.map(|a| a.now)),
                    change,
                    verdict: format!("{}{origin}", view::words(v.verdict)),
                    reason: v.reason.clone(),
                }
            }
        }
    }
}

/// Whether an address can stand in a link: `https://host/path` of characters without a meaning.
fn is_plain_url(url: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'/' | b'.' | b'-' | b'_' | b':');
    ["https://", "http://"].iter().any(|scheme| url.starts_with(scheme))
        && url.bytes().all(plain)
        && url.len() < 300
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::fixtures::{at, judged, record, result, shown, unmeasured, upgraded};
    use crate::alert::{Situation, decide};
    use crate::model::Family::{Disk, Network};
    use crate::model::{Change, Component, Drift, DriftKind, Verdict, VerdictKind};

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
        let accepted = GateResult { baseline: Some("accepted".into()), ..again.clone() };
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
            text.contains("more: the reports of the run have them")
                && text.contains("sweeps prove every metric")
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
        let new = with_marker(&body, &record);
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
}
