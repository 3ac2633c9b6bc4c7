//! Everything the judge has on one metric in one environment.

use super::{
    baseline::{Baseline, FEWEST, Fit, floor},
    comparable::difference,
    pair::{Measured, Observed, observe},
    policy::{Policy, Threshold},
};
use crate::model::{CellState, MetricInfo, SeriesKey, SweepId, SweepSamples};
use std::collections::BTreeSet;

/// One metric in one environment other than native.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Subject {
    pub key: SeriesKey,
    pub info: MetricInfo,
    /// How it is compared, and the smallest change worth a person's time.
    pub threshold: Threshold,
    pub baseline: Baseline,
    /// The smallest standard deviation that is believed.
    pub floor: f64,
    /// The tolls of the baseline, its variance moderated by the family; none without baseline.
    pub fit: Option<Fit>,
    /// Candidate sweeps that measured it, in order: the first screens, the others are fresh and confirm.
    pub candidates: Vec<Measured>,
    /// Which sweeps these are.
    pub sweeps: Vec<SweepId>,
    /// Why it failed in a candidate sweep, when it did in one.
    pub failed: Option<String>,
    /// Why no candidate sweep has it, as far as one says.
    pub unavailable: Option<String>,
    /// Why candidate sweeps were left out, when some were.
    pub left_out: Option<String>,
    /// Fresh sweeps that were set aside because they moved as a whole and the other fresh ones did not.
    pub bad_boots: Vec<SweepId>,
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
        let threshold = policy.threshold(key, &info);
        let baseline = Baseline::collect(baseline, first, key, threshold.scale, policy);
        let tolls: Vec<&[f64]> = baseline.sweeps.iter().map(|m| m.toll.as_slice()).collect();
        let floor = floor(&info, &threshold, &baseline);
        let mut subject = Self {
            key: key.clone(),
            info,
            threshold,
            floor,
            fit: Fit::of(&tolls, floor),
            baseline,
            candidates: Vec::new(),
            sweeps: Vec::new(),
            failed: None,
            unavailable: None,
            left_out: None,
            bad_boots: Vec::new(),
        };
        for sweep in candidates {
            if let Some(what) = difference(first, sweep, &key.environment) {
                subject.left_out = Some(what);
                continue;
            }
            match observe(sweep, key, threshold.scale, policy.min_rounds_share) {
                Observed::Measured(measured) => {
                    subject.candidates.push(measured);
                    subject.sweeps.push(sweep.sweep.clone());
                }
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

    /// Takes the fresh sweeps in `bad` out of the candidates, as long as another fresh one remains.
    pub fn set_aside(&mut self, bad: &BTreeSet<SweepId>) {
        let is_bad = |i: usize, sweep: &SweepId| i > 0 && bad.contains(sweep);
        let remaining = self.sweeps.iter().enumerate().filter(|(i, s)| *i > 0 && !is_bad(*i, s)).count();
        if remaining == 0 {
            return;
        }
        for i in (1..self.sweeps.len()).rev() {
            if is_bad(i, &self.sweeps[i]) {
                self.bad_boots.push(self.sweeps.remove(i));
                self.candidates.remove(i);
            }
        }
    }

    /// Fresh sweeps.
    pub fn fresh(&self) -> usize {
        self.candidates.len().saturating_sub(1)
    }

    /// The fit, where the baseline is large enough for a p-value.
    pub fn testable(&self) -> Option<Fit> {
        self.fit.filter(|fit| fit.sweeps >= FEWEST)
    }
}

/// The names of all subjects: every metric and environment that any sweep has, and the metrics of the candidates' failed
/// cells, of which there may be no series.
pub(super) fn keys(baseline: &[&SweepSamples], candidates: &[&SweepSamples]) -> BTreeSet<SeriesKey> {
    let all = || baseline.iter().chain(candidates);
    let mut keys: BTreeSet<SeriesKey> = BTreeSet::new();
    for key in all().flat_map(|s| s.series.keys()).filter(|key| !key.environment.is_native()) {
        if !keys.contains(key) {
            keys.insert(key.clone());
        }
    }
    let failed = candidates.iter().flat_map(|s| &s.failed);
    for ((workload, case, environment), (state, _)) in failed {
        if *state != CellState::MeasurementFailed || environment.is_native() {
            continue;
        }
        let metrics = all().flat_map(|s| s.metrics.keys());
        for metric in metrics.filter(|m| m.workload == *workload && m.case == *case) {
            keys.insert(SeriesKey { metric: metric.clone(), environment: environment.clone() });
        }
    }
    keys
}
