//! What was not measured or not judged, and why, gathered so that one cause is told once.

use super::clean;
use super::view::{cell_key, label, verdict_key};
use crate::model::{CellState, EnvironmentName, GateResult, Judgement, Verdict, VerdictKind};
use std::collections::{BTreeMap, BTreeSet};

/// Something that was not measured or not judged, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// `unavailable`, `measurement failed`, `some rounds failed`, `missing`, `no baseline`.
    pub what: &'static str,
    /// Where; the environments that share the reason and the scope.
    pub environments: Vec<EnvironmentName>,
    /// Why, with the remedy.
    pub reason: String,
    /// Which cases: `fio/randread-qd16`, or `everything`.
    pub scope: String,
}

impl Trouble {
    /// The environments' names: `docker, docker+nat`.
    pub fn places(&self, emulated: bool) -> String {
        self.environments.iter().map(|e| label(e, emulated)).collect::<Vec<_>>().join(", ")
    }
}

/// All troubles of a gate: failures first, then what is missing, then what this host cannot run.
pub fn of_gate(result: &GateResult) -> Vec<Trouble> {
    let mut list = Collector::default();
    for c in &result.cells {
        list.planned(&c.environment, &c.workload, &c.case);
        let what = match (c.state, &c.reason) {
            (CellState::Ok, None) => continue,
            (CellState::Ok, Some(_)) => "some rounds failed",
            (CellState::Unavailable, _) => "unavailable",
            (CellState::MeasurementFailed, _) => "measurement failed",
        };
        list.add(what, &c.environment, c.reason.as_deref().unwrap_or_default(), &c.workload, &c.case);
    }
    let failed: BTreeSet<_> = result
        .cells
        .iter()
        .filter(|c| c.state != CellState::Ok)
        .map(|c| (cell_key(c), &c.environment))
        .collect();
    let first = result.judgement.verdicts.iter().all(|v| v.verdict == VerdictKind::NoBaseline);
    for v in &result.judgement.verdicts {
        if !first && !failed.contains(&(verdict_key(v), &v.environment)) {
            list.add_verdict(v);
        }
    }
    list.finish()
}

/// All troubles of a judgement alone.
pub fn of_judgement(judgement: &Judgement) -> Vec<Trouble> {
    let mut list = Collector::default();
    for v in &judgement.verdicts {
        list.planned(&v.environment, &v.workload, &v.case);
        list.add_verdict(v);
    }
    list.finish()
}

#[derive(Default)]
struct Collector {
    planned: BTreeMap<EnvironmentName, BTreeSet<String>>,
    found: BTreeMap<(usize, EnvironmentName, String), BTreeSet<String>>,
}

/// What can be wrong, in the order in which it is shown.
const TROUBLES: [&str; 5] =
    ["measurement failed", "missing", "some rounds failed", "unavailable", "no baseline"];

impl Collector {
    fn planned(&mut self, environment: &EnvironmentName, workload: &str, case: &str) {
        self.planned.entry(environment.clone()).or_default().insert(format!("{workload}/{case}"));
    }

    fn add(&mut self, what: &str, environment: &EnvironmentName, reason: &str, workload: &str, case: &str) {
        let rank = TROUBLES.iter().position(|t| *t == what).unwrap_or(TROUBLES.len() - 1);
        let reason = if reason.trim().is_empty() { "no reason was recorded" } else { reason };
        let key = (rank, environment.clone(), clean::text(reason));
        self.found.entry(key).or_default().insert(format!("{workload}/{case}"));
    }

    fn add_verdict(&mut self, v: &Verdict) {
        let what = match v.verdict {
            VerdictKind::MeasurementFailed => "measurement failed",
            VerdictKind::Missing => "missing",
            VerdictKind::NoBaseline => "no baseline",
            _ => return,
        };
        self.add(what, &v.environment, &v.reason, &v.workload, &v.case);
    }

    fn finish(self) -> Vec<Trouble> {
        let Self { planned, found } = self;
        let mut troubles: Vec<Trouble> = Vec::new();
        for ((rank, environment, reason), cases) in found {
            let everything = planned.get(&environment).is_some_and(|all| all.len() > 1 && *all == cases);
            let scope = if everything { "everything".to_owned() } else { shortened(&cases) };
            let what = TROUBLES[rank];
            match troubles.iter_mut().find(|t| t.what == what && t.reason == reason && t.scope == scope) {
                Some(same) => same.environments.push(environment),
                None => troubles.push(Trouble { what, environments: vec![environment], reason, scope }),
            }
        }
        troubles
    }
}

fn shortened(cases: &BTreeSet<String>) -> String {
    const SHOWN: usize = 4;
    let mut text = cases.iter().take(SHOWN).map(|c| clean::name(c)).collect::<Vec<_>>().join(", ");
    if cases.len() > SHOWN {
        text = format!("{text} and {} more", cases.len() - SHOWN);
    }
    text
}
