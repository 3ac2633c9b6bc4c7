//! The verdicts on the newest whole sweep of a group, without what only a sweep's own page shows.

use crate::model::{Change, Decision, GateResult, SeriesKey, SweepId, Verdict, VerdictKind};
use crate::report::answer::{self, Answer};
use crate::report::view;
use std::collections::BTreeMap;

/// What the overview and the list of metrics need.
#[derive(Debug, Clone)]
pub struct Judged {
    /// Which sweep.
    pub sweep: SweepId,
    /// Accepted sweeps and all sweeps that the store had when it was judged.
    pub of: (usize, usize),
    /// The answer in a sentence.
    pub answer: Answer,
    /// What a gate does with it.
    pub decision: Decision,
    /// How many of each verdict.
    pub summary: BTreeMap<VerdictKind, u32>,
    /// The verdict on each series.
    pub kinds: BTreeMap<SeriesKey, VerdictKind>,
    /// The regressed and the suspected.
    pub worst: Vec<Verdict>,
    /// Components that changed since the newest accepted sweep before it.
    pub changed: Vec<Change>,
    /// The sentence that stands beside tolls of an emulated machine.
    pub emulation: Option<String>,
}

impl Judged {
    /// Of a result; `of` as the field.
    pub fn new(result: &GateResult, sweep: SweepId, of: (usize, usize)) -> Self {
        let judgement = &result.judgement;
        let bad = |v: &&Verdict| matches!(v.verdict, VerdictKind::Regressed | VerdictKind::Suspected);
        Self {
            sweep,
            of,
            answer: answer::of_gate(result),
            decision: judgement.decision,
            summary: judgement.summary.clone(),
            kinds: judgement.verdicts.iter().map(|v| (view::series_key(v), v.verdict)).collect(),
            worst: judgement.verdicts.iter().filter(bad).cloned().collect(),
            changed: result.changed.clone(),
            emulation: crate::report::view::emulation(result),
        }
    }
}
