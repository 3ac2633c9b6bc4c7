//! What a template sees of an action, as text and numbers.

use super::Scope;
use super::decide::{Action, Transition};
use super::finding::{Finding, Subject};
use super::render::{Context, Form};
use crate::model::{Change, SweepId};
use crate::report::{clean, number, view};
use minijinja::value::Value;
use serde::Serialize;

pub(super) fn change(finding: &Finding, with_interval: bool) -> String {
    match finding.subject {
        Subject::Drift(d) => number::change(d.change_pct),
        Subject::Regression(v) => match (v.absolute, v.change_pct) {
            (None, Some(pct)) if !with_interval => number::change(pct),
            _ => view::change_of(v),
        },
    }
}

/// What a template sees.
#[derive(Debug, Serialize)]
pub(super) struct View<'a> {
    transition: &'static str,
    labelled: bool,
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
    pub(super) fn of(action: &'a Action, context: &Context<'a>, form: Form) -> Self {
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
            labelled: action.labelled,
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
                let [before, after] = view::sides(v);
                let origin =
                    v.attribution.map(|a| format!(" ({})", view::attribution(a))).unwrap_or_default();
                Self {
                    metric,
                    environment,
                    native: v.native.map_or_else(|| number::NONE.to_owned(), |x| number::value(x, &unit)),
                    before,
                    after,
                    change,
                    verdict: format!("{}{origin}", view::words(v.verdict)),
                    reason: v.reason.clone(),
                }
            }
        }
    }
}

/// Whether an address can stand in a link: `https://host/path` of characters without a meaning.
pub(super) fn is_plain_url(url: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'/' | b'.' | b'-' | b'_' | b':');
    ["https://", "http://"].iter().any(|scheme| url.starts_with(scheme))
        && url.bytes().all(plain)
        && url.len() < 300
}
