//! Everything the judge has on one metric in one environment.

use super::{
    baseline::{Baseline, Fit, floor},
    comparable::difference,
    pair::{Measured, Observed, observe},
    policy::Policy,
};
use crate::model::{CellState, MetricInfo, SeriesKey, SweepSamples};
use std::collections::BTreeSet;

/// One metric in one environment other than native.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Subject {
    pub key: SeriesKey,
    pub info: MetricInfo,
    /// The smallest change worth a person's time, percent.
    pub delta_pct: f64,
    /// The same as a log.
    pub delta: f64,
    pub baseline: Baseline,
    /// The tolls of the baseline, its variance moderated by the family; none without baseline.
    pub fit: Option<Fit>,
    /// Candidate sweeps that measured it, in order: the first screens, the others are fresh and confirm.
    pub candidates: Vec<Measured>,
    /// Why it failed in a candidate sweep, when it did in one.
    pub failed: Option<String>,
    /// Why no candidate sweep has it, as far as one says.
    pub unavailable: Option<String>,
    /// Why candidate sweeps were left out, when some were.
    pub left_out: Option<String>,
}

impl Subject {
    /// Collects it from sweeps in order of their start. None when there is nothing to say: it is not in the candidate, and
    /// the baseline never had it either.
    pub fn collect(
        key: &SeriesKey,
        baseline: &[&SweepSamples],
        candidates: &[&SweepSamples],
        policy: &Policy,
    ) -> Option<Self> {
        let first = candidates.first()?;
        let mut infos = candidates.iter().chain(baseline.iter().rev());
        let info = infos.find_map(|s| s.metrics.get(&key.metric))?.clone();
        let delta_pct = policy.delta_pct(key, &info);
        let baseline = Baseline::collect(baseline, first, key, policy);
        let tolls: Vec<&[f64]> = baseline.sweeps.iter().map(|m| m.toll.as_slice()).collect();
        let floor = floor(&info, &baseline);
        let mut subject = Self {
            key: key.clone(),
            info,
            delta_pct,
            delta: (delta_pct / 100.0).ln_1p(),
            fit: Fit::of(&tolls, floor),
            baseline,
            candidates: Vec::new(),
            failed: None,
            unavailable: None,
            left_out: None,
        };
        for sweep in candidates {
            if let Some(what) = difference(first, sweep, &key.environment) {
                subject.left_out = Some(what);
                continue;
            }
            match observe(sweep, key, policy.min_rounds_share) {
                Observed::Measured(measured) => subject.candidates.push(measured),
                Observed::Failed(why) => subject.failed = Some(why),
                Observed::Unavailable(why) => subject.unavailable = Some(why),
                Observed::Absent => {}
            }
        }
        let nothing = subject.candidates.is_empty() && subject.failed.is_none() && subject.fit.is_none();
        (!nothing).then_some(subject)
    }

    /// The candidate sweeps that the verdict's numbers come from: the fresh ones, or the first while there are none.
    pub fn judged(&self) -> &[Measured] {
        self.candidates.get(1..).filter(|fresh| !fresh.is_empty()).unwrap_or(&self.candidates)
    }

    /// Fresh sweeps.
    pub fn fresh(&self) -> usize {
        self.candidates.len().saturating_sub(1)
    }
}

/// The names of all subjects: every metric and environment that any sweep has, and the metrics of the candidates' failed
/// cells, of which there may be no series.
pub(super) fn keys(baseline: &[&SweepSamples], candidates: &[&SweepSamples]) -> BTreeSet<SeriesKey> {
    let all = || baseline.iter().chain(candidates);
    let mut keys: BTreeSet<SeriesKey> = all().flat_map(|s| s.series.keys().cloned()).collect();
    let failed = candidates.iter().flat_map(|s| &s.failed);
    for ((workload, case, environment), (state, _)) in failed {
        if *state != CellState::MeasurementFailed {
            continue;
        }
        let metrics = all().flat_map(|s| s.metrics.keys());
        for metric in metrics.filter(|m| m.workload == *workload && m.case == *case) {
            keys.insert(SeriesKey { metric: metric.clone(), environment: environment.clone() });
        }
    }
    keys.retain(|key| !key.environment.is_native());
    keys
}
