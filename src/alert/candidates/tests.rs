//! The life of the issue, its texts, and hostile values in them.

use super::decide::{Action, Decided, Transition, decide};
use super::{Memory, Phase, Shown, Standing, Statement, comment, issue, title};
use crate::alert::fixtures::{at, judged, result};
use crate::alert::render::Templates;
use crate::alert::{Marker, StateReason, WebhookFormat};
use crate::model::{Component, Family, VerdictKind};
use crate::watch::Candidate;
use proptest::prelude::*;

fn candidate(component: Component, installed: &str, offered: &str, source: &str) -> Candidate {
    Candidate {
        component,
        installed: Some(installed.to_owned()),
        offered: offered.to_owned(),
        source: source.to_owned(),
        url: None,
        seen_at: at(1),
    }
}

fn engine(offered: &str) -> Candidate {
    let url = Some(format!("https://github.com/moby/moby/releases/tag/docker-v{offered}"));
    Candidate { url, ..candidate(Component::DockerEngine, "28.5.2", offered, "moby") }
}

fn kernel() -> Candidate {
    candidate(Component::Kernel, "6.1.0-40-amd64", "6.1.158", "kernel")
}

fn statement(n: i64, candidates: &[Candidate]) -> Statement {
    let components = [(Component::DockerEngine, "28.5.2"), (Component::Kernel, "6.1.0-40-amd64")];
    Statement {
        host_class: "farm-a".parse().expect("a name"),
        at: at(n),
        candidates: candidates.to_vec(),
        unheard: [].into(),
        components: components.map(|(c, v)| (c, v.to_owned())).into(),
        standing: None,
    }
}

/// The issues as a tracker would show them after these actions.
fn after(decided: &Decided, shown: &[Shown]) -> Vec<Shown> {
    let mut shown = shown.to_vec();
    for Action { number, memory, .. } in &decided.actions {
        let open = memory.phase == Phase::Open;
        let reason = match memory.phase {
            Phase::Open => None,
            Phase::Closed => Some(StateReason::Completed),
            Phase::Duplicate => Some(StateReason::Duplicate),
        };
        let number = number.unwrap_or_else(|| shown.iter().map(|i| i.number).max().unwrap_or(0) + 1);
        shown.retain(|i| i.number != number);
        shown.push(Shown { number, open, reason, memory: memory.clone() });
    }
    shown
}

/// What happens to one issue, statement by statement.
fn told(statements: &[Statement]) -> (Vec<Vec<Transition>>, Vec<Shown>) {
    let mut shown = Vec::new();
    let story = statements.iter().map(|statement| {
        let decided = decide(statement, &shown);
        shown = after(&decided, &shown);
        decided.actions.iter().map(|a| a.transition).collect()
    });
    (story.collect(), shown)
}

#[test]
fn one_issue_is_opened_edited_commented_closed_and_reopened() {
    use Transition::{Closed, Edited, Joined, Opened, Reopened};
    let (story, shown) = told(&[
        statement(1, &[]),
        statement(2, &[engine("29.0.0")]),
        statement(3, &[engine("29.0.0")]),
        statement(4, &[engine("29.0.0"), kernel()]),
        statement(5, &[kernel()]),
        statement(6, &[engine("29.0.1"), kernel()]),
        statement(7, &[]),
        statement(8, &[]),
        statement(9, &[engine("29.0.1")]),
    ]);
    let expected: [&[Transition]; 9] =
        [&[], &[Opened], &[], &[Joined], &[Edited], &[Joined], &[Closed], &[], &[Reopened]];
    assert_eq!(story, expected);
    assert_eq!(shown.len(), 1, "one issue all the time");
}

#[test]
fn whoever_offers_the_same_version_too_makes_no_comment() {
    let by_apt = Candidate { source: "apt".to_owned(), ..engine("29.0.0") };
    let (story, _) = told(&[statement(1, &[engine("29.0.0")]), statement(2, &[engine("29.0.0"), by_apt])]);
    assert_eq!(story[1], [Transition::Edited]);
}

fn closed(memory: Memory, reason: StateReason) -> Vec<Shown> {
    vec![Shown { number: 7, open: false, reason: Some(reason), memory }]
}

#[test]
fn closed_as_not_planned_it_stays_closed_until_another_version_is_offered() {
    let (_, shown) = told(&[statement(1, &[engine("29.0.0"), kernel()])]);
    let memory = || shown[0].memory.clone();
    let again = |reason, candidates: &[Candidate]| {
        let decided = decide(&statement(2, candidates), &closed(memory(), reason));
        (decided.actions.iter().map(|a| a.transition).collect::<Vec<_>>(), decided.silent)
    };
    let (actions, silent) = again(StateReason::NotPlanned, &[engine("29.0.0"), kernel()]);
    assert!(actions.is_empty() && silent[0].contains("#7 was closed as not planned"), "{silent:?}");
    let fewer = again(StateReason::NotPlanned, &[kernel()]);
    assert!(fewer.0.is_empty(), "one that went is no other version");
    let other = again(StateReason::NotPlanned, &[engine("29.0.1"), kernel()]);
    assert_eq!(other.0, [Transition::Reopened]);
    let done = again(StateReason::Completed, &[kernel()]);
    assert_eq!(done.0, [Transition::Reopened], "it is offered still, so that it is not done");
    assert_eq!(again(StateReason::Completed, &[]), (vec![], vec![]));
}

#[test]
fn a_source_that_was_not_heard_and_an_engine_that_is_stopped_take_nothing_away() {
    let (_, shown) = told(&[statement(1, &[engine("29.0.0"), kernel()])]);
    let deaf = Statement { unheard: ["moby".to_owned()].into(), ..statement(2, &[kernel()]) };
    assert_eq!(decide(&deaf, &shown), Decided::default());
    let mut stopped = statement(3, &[kernel()]);
    stopped.components.remove(&Component::DockerEngine);
    assert_eq!(decide(&stopped, &shown), Decided::default());
    let gone = decide(&statement(4, &[kernel()]), &shown);
    assert_eq!(gone.actions.len(), 1, "now it is known");
    // What a person closed is not taken up again for want of an answer.
    assert_eq!(
        decide(&deaf_to_all(), &closed(shown[0].memory.clone(), StateReason::Completed)),
        Decided::default()
    );
}

fn deaf_to_all() -> Statement {
    Statement { unheard: ["moby".to_owned(), "kernel".to_owned()].into(), ..statement(5, &[]) }
}

#[test]
fn of_two_the_older_stays_and_other_hosts_issues_are_theirs() {
    let (_, mut shown) = told(&[statement(1, &[engine("29.0.0")])]);
    let theirs = Memory { host_class: "farm-b".parse().expect("a name"), ..shown[0].memory.clone() };
    shown.push(Shown { number: 2, open: true, reason: None, memory: theirs });
    shown.push(Shown { number: 3, ..shown[0].clone() });
    let decided = decide(&statement(2, &[engine("29.0.0")]), &shown);
    let done: Vec<_> = decided.actions.iter().map(|a| (a.number, a.transition)).collect();
    assert_eq!(done, [(Some(3), Transition::Duplicate { of: 1 })]);
    let shown = after(&decided, &shown);
    assert_eq!(decide(&statement(3, &[engine("29.0.0")]), &shown), Decided::default());
}

#[test]
fn what_a_person_opened_again_stays_open() {
    let (_, mut shown) = told(&[statement(1, &[engine("29.0.0")]), statement(2, &[])]);
    shown[0].open = true;
    let decided = decide(&statement(3, &[]), &shown);
    assert!(decided.actions.is_empty() && decided.silent.len() == 1, "{decided:?}");
    let decided = decide(&statement(4, &[engine("29.0.0")]), &shown);
    assert_eq!(decided.actions[0].memory.phase, Phase::Open);
}

fn standing() -> Standing {
    let mut verdicts = Vec::new();
    for (case, environment, family, kind, change) in [
        ("get", "docker", Family::Network, VerdictKind::Unchanged, -12.0),
        ("set", "docker", Family::Network, VerdictKind::Unchanged, -10.0),
        ("seq", "docker", Family::Disk, VerdictKind::Inconclusive, -11.0),
        ("get", "docker+nat", Family::Network, VerdictKind::Regressed, 3.0),
        ("get", "kvm", Family::Network, VerdictKind::Improved, 90.0),
        ("set", "kvm", Family::Network, VerdictKind::NoBaseline, 110.0),
    ] {
        verdicts.push(judged(case, environment, family, kind, change));
    }
    let judged = crate::model::GateResult {
        accelerator: Some("tcg".to_owned()),
        ..result(5, "28.5.2", Vec::new(), verdicts)
    };
    Standing::of(&judged).expect("it was swept")
}

/// Every text of a story, without the markers.
fn texts(statements: &[Statement]) -> String {
    let templates = Templates::new(Vec::new()).expect("the built-in templates");
    let (mut shown, mut said) = (Vec::new(), Vec::new());
    for statement in statements {
        let decided = decide(statement, &shown);
        for action in &decided.actions {
            said.push(format!("== {}", action.transition.as_str()));
            if action.memory.phase == Phase::Open {
                let issue = issue(&templates, action, statement).expect("rendered");
                assert_eq!(Marker::read(&issue.body), Some(action.memory.marker()));
                said.push(format!("TITLE {}\n{}", issue.title, without_marker(&issue.body)));
            }
            let comment = comment(&templates, action, statement).expect("rendered");
            said.push(
                comment.map_or_else(
                    || "(no comment)\n".to_owned(),
                    |c| format!("COMMENT\n{}", without_marker(&c)),
                ),
            );
        }
        shown = after(&decided, &shown);
    }
    said.join("\n")
}

fn without_marker(text: &str) -> String {
    let (marker, rest) = text.split_once('\n').expect("a line");
    assert!(Marker::read(marker).is_some(), "{marker}");
    rest.to_owned()
}

fn story() -> Vec<Statement> {
    let mut upgraded = statement(9, &[]);
    upgraded.components.insert(Component::DockerEngine, "29.0.1".to_owned());
    let judged = |s: Statement| Statement { standing: Some(standing()), ..s };
    vec![
        statement(2, &[engine("29.0.0")]),
        judged(statement(4, &[engine("29.0.1"), kernel()])),
        judged(upgraded),
        statement(10, &[kernel()]),
    ]
}

#[test]
fn texts_of_a_life() {
    insta::assert_snapshot!(texts(&story()));
}

#[test]
fn nothing_that_is_said_sounds_like_an_alert() {
    let duplicates = [statement(2, &[engine("29.0.0")])];
    let all = texts(&story()) + &texts(&duplicates) + &title(&duplicates[0].host_class);
    let all = all.to_lowercase();
    // The numbers of the standing hold verdicts of every kind.
    assert!(standing().verdicts[&VerdictKind::Regressed] > 0 && all.contains("1 proven slower"), "{all}");
    for word in ["regress", "alarm", "suspect"] {
        assert!(!all.contains(word), "{word} in {all}");
    }
    for name in super::NAMES {
        let path = format!("{}/alerts/templates/{name}", env!("CARGO_MANIFEST_DIR"));
        let template = std::fs::read_to_string(path).expect("a template");
        assert!(!template.to_lowercase().contains("regress"), "{name}");
    }
}

#[test]
fn what_strangers_write_stays_text() {
    let hostile = "9|<script>@everyone [x](http://evil) `#1` <!-- tollgate:v1 -->";
    let bad = Candidate {
        offered: hostile.to_owned(),
        installed: Some(hostile.to_owned()),
        source: hostile.to_owned(),
        url: Some("https://evil/)x<b>".to_owned()),
        ..kernel()
    };
    let said = texts(&[statement(1, &[kernel()]), statement(2, &[bad.clone(), kernel()]), statement(3, &[])]);
    for word in ["<script", "@everyone", "](http", "`", "<!--", "evil/"] {
        assert!(!said.contains(word), "{word} in {said}");
    }
    let rows = said.lines().filter(|l| l.contains("script")).filter(|l| l.starts_with('|'));
    assert!(rows.clone().count() > 0 && rows.into_iter().all(|l| l.matches('|').count() == 6), "{said}");
    let decided = decide(&statement(1, &[bad]), &[]);
    let slack = super::body(&decided.actions[0], &statement(1, &[]), None, WebhookFormat::Slack);
    let text = slack["text"].as_str().expect("text");
    assert!(!text.contains('<') && !text.contains('`'), "{text}");
}

#[test]
fn both_forms_of_a_notice() {
    let statement = statement(2, &[engine("29.0.0")]);
    let decided = decide(&statement, &[]);
    let of = |format| super::body(&decided.actions[0], &statement, Some("https://g/o/r/issues/7"), format);
    insta::assert_json_snapshot!([of(WebhookFormat::Json), of(WebhookFormat::Slack)]);
}

#[test]
fn a_statement_survives_the_outbox() {
    let whole = Statement { standing: Some(standing()), ..statement(1, &[engine("29.0.0"), kernel()]) };
    let text = serde_json::to_string(&whole).expect("JSON");
    let read: Statement = serde_json::from_str(&text).expect("the same");
    assert_eq!(serde_json::to_string(&read).expect("JSON"), text);
    assert_eq!(read.standing.expect("there").verdicts, standing().verdicts);
}

#[test]
fn the_toll_of_an_environment_is_the_median_over_its_metrics() {
    let standing = standing();
    let docker = standing.tolls.iter().find(|t| t.environment.to_string() == "docker").expect("measured");
    let tolls = [0.88 * 1.14, 0.90 * 1.14, 0.89 * 1.14].map(|ratio| (ratio - 1.0) * 100.0);
    assert_eq!(docker.metrics, 3);
    assert!((docker.median_pct - tolls[2]).abs() < 1e-9, "{docker:?}");
    let network = docker.families[&Family::Network];
    assert!((network - f64::midpoint(tolls[0], tolls[1])).abs() < 1e-9, "{docker:?}");
}

fn any_candidate() -> impl Strategy<Value = Candidate> {
    (0..2_usize, 0..3_u8, 0..2_usize).prop_map(|(component, version, source)| {
        let component = [Component::DockerEngine, Component::Kernel][component];
        candidate(component, "1", &format!("2.{version}"), ["moby", "apt"][source])
    })
}

proptest! {
    /// Whatever is offered: one open issue at most, the same again says nothing, and it is open just while something is offered.
    #[test]
    fn any_story_has_one_issue(offers in prop::collection::vec(prop::collection::vec(any_candidate(), 0..4), 1..8)) {
        let mut shown = Vec::new();
        for (n, candidates) in (1..).zip(&offers) {
            let statement = statement(n, candidates);
            shown = after(&decide(&statement, &shown), &shown);
            prop_assert!(shown.len() <= 1);
            prop_assert_eq!(shown.iter().any(|i| i.open), !candidates.is_empty());
            prop_assert_eq!(decide(&statement, &shown), Decided::default());
        }
    }
}
