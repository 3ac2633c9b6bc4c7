//! Texts about candidates, from their templates. What is offered comes from strangers: every value is escaped as in the
//! texts of alerts.

use super::decide::{Action, Left, Transition};
use super::{Statement, key};
use crate::alert::render::{Issue, TemplateError, Templates, within};
use crate::alert::view::is_plain_url;
use crate::alert::{Kind, Marker};
use crate::model::{HostClass, VerdictKind};
use crate::report::{clean, number, view};
use crate::watch::Candidate;
use minijinja::value::Value;
use serde::Serialize;

/// The templates: the body, and the comment.
pub const NAMES: [&str; 2] = ["candidates.md.j2", "candidates-comment.md.j2"];

/// What the templates see.
#[derive(Debug, Serialize)]
struct View<'a> {
    transition: &'static str,
    host_class: &'a str,
    candidates: Vec<Row>,
    joined: Vec<Row>,
    left: Vec<Gone>,
    standing: Option<Standing<'a>>,
    duplicate_of: u64,
}

#[derive(Debug, Serialize)]
struct Row {
    component: &'static str,
    installed: String,
    offered: String,
    source: String,
    since: String,
    url: Option<Value>,
}

#[derive(Debug, Serialize)]
struct Gone {
    component: &'static str,
    offered: String,
    now: Option<String>,
}

#[derive(Debug, Serialize)]
struct Standing<'a> {
    sweep: &'a str,
    profile: &'a str,
    date: String,
    emulated: bool,
    verdicts: String,
    tolls: Vec<Toll>,
}

#[derive(Debug, Serialize)]
struct Toll {
    environment: String,
    median: String,
    metrics: usize,
    families: String,
}

impl Row {
    fn of(candidate: &Candidate) -> Self {
        Self {
            component: candidate.component.as_str(),
            installed: candidate.installed.as_deref().map_or_else(|| "absent".to_owned(), clean::name),
            offered: clean::name(&candidate.offered),
            source: clean::name(&candidate.source),
            since: candidate.seen_at.format("%Y-%m-%d").to_string(),
            url: candidate.url.clone().filter(|url| is_plain_url(url)).map(Value::from_safe_string),
        }
    }

    fn all(candidates: &[Candidate]) -> Vec<Self> {
        candidates.iter().map(Self::of).collect()
    }
}

impl Gone {
    fn of(left: &Left) -> Self {
        Self {
            component: left.candidate.component.as_str(),
            offered: clean::name(&left.candidate.offered),
            now: left.now.as_deref().map(clean::name),
        }
    }
}

impl<'a> Standing<'a> {
    fn of(standing: &'a super::Standing) -> Self {
        let toll = |toll: &super::Toll| Toll {
            environment: view::label(&toll.environment, standing.emulated),
            median: number::toll(toll.median_pct),
            metrics: toll.metrics,
            families: toll
                .families
                .iter()
                .map(|(family, pct)| format!("{} {}", family.as_str(), number::toll(*pct)))
                .collect::<Vec<_>>()
                .join(", "),
        };
        Self {
            sweep: standing.sweep.as_str(),
            profile: &standing.profile,
            date: standing.started_at.format("%Y-%m-%d").to_string(),
            emulated: standing.emulated,
            verdicts: verdicts(standing),
            tolls: standing.tolls.iter().map(toll).collect(),
        }
    }
}

/// `14 metrics proven unchanged, 1 proven slower, 3 not sure`. No word that an alert would use: nothing of it is about what is
/// offered.
fn verdicts(standing: &super::Standing) -> String {
    use VerdictKind as K;
    let unchanged = standing.count(&[K::Unchanged]) as usize;
    let mut parts = vec![format!("{} proven unchanged", number::count(unchanged, "metric"))];
    for (kinds, word) in [
        (&[K::Regressed][..], "proven slower"),
        (&[K::Improved], "proven faster"),
        (&[K::Inconclusive, K::Suspected], "not sure"),
        (&[K::MeasurementFailed, K::Missing], "not measured"),
        (&[K::NoBaseline], "with nothing to compare with"),
    ] {
        let count = standing.count(kinds);
        if count > 0 {
            parts.push(format!("{count} {word}"));
        }
    }
    parts.join(", ")
}

fn view<'a>(action: &'a Action, statement: &'a Statement) -> View<'a> {
    View {
        transition: action.transition.as_str(),
        host_class: statement.host_class.as_str(),
        candidates: Row::all(&action.memory.candidates),
        joined: Row::all(&action.joined),
        left: action.left.iter().map(Gone::of).collect(),
        standing: statement.standing.as_ref().map(Standing::of),
        duplicate_of: match action.transition {
            Transition::Duplicate { of } => of,
            _ => 0,
        },
    }
}

/// Title of the issue of a host class.
pub fn title(host_class: &HostClass) -> String {
    format!("Candidate upgrades on {host_class}")
}

/// Title and body of an open issue.
pub fn issue(templates: &Templates, action: &Action, statement: &Statement) -> Result<Issue, TemplateError> {
    let text = templates.fill(NAMES[0], &view(action, statement))?;
    let body = format!("{}\n{text}\n", action.memory.marker().line());
    Ok(Issue { title: title(&statement.host_class), body: within(NAMES[0], body)? })
}

/// The comment on what happened; none where nothing is to be said beyond the body.
pub fn comment(
    templates: &Templates,
    action: &Action,
    statement: &Statement,
) -> Result<Option<String>, TemplateError> {
    if !action.transition.is_news() || action.transition == Transition::Opened {
        return Ok(None);
    }
    let marker = Marker::new(Kind::Event, &key(&statement.host_class), &event(action)).line();
    let text = templates.fill(NAMES[1], &view(action, statement))?;
    within(NAMES[1], format!("{marker}\n{text}\n")).map(Some)
}

/// What tells the comments on one issue apart: what happened, the state that it came to, and when.
pub fn event(action: &Action) -> String {
    let at = action.memory.at.format("%Y%m%dT%H%M%S%.3fZ");
    format!("{}:{}:{at}", action.transition.as_str(), action.memory.state())
}
