//! Everything the judge has on one metric in one environment.

use super::{
    baseline::{Baseline, FEWEST, Fit, definition, floor},
    comparable::difference,
    pair::{Measured, Observed, Row, observe},
    policy::{Policy, Threshold},
};
use crate::model::{CellState, MetricInfo, Scale, SeriesKey, SweepId, SweepSamples};
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
    /// Every subject of sweeps in order of their start.
    pub fn all(baseline: &[&SweepSamples], candidates: &[&SweepSamples], policy: &Policy) -> Vec<Self> {
        let keys: Vec<SeriesKey> = keys(baseline, candidates).into_iter().collect();
        let (before, now) = (by_key(baseline, &keys), by_key(candidates, &keys));
        let rows = keys.iter().zip(before.iter().zip(&now));
        rows.filter_map(|(key, (before, now))| Self::collect(key, before, now, policy)).collect()
    }

    /// Collects it. None when there is nothing to say: it is not in the candidate, and the baseline never had it either.
    fn collect(key: &SeriesKey, baseline: &[Row], candidates: &[Row], policy: &Policy) -> Option<Self> {
        let first = candidates.first()?.sweep;
        let info = candidates.iter().chain(baseline.iter().rev()).find_map(|row| row.info)?.clone();
        let threshold = policy.threshold(key, &info);
        let baseline = Baseline::collect(baseline, first, key, &info, &threshold, policy);
        let tolls: Vec<&[f64]> = baseline.sweeps.iter().map(|m| m.toll.as_slice()).collect();
        let floor = floor(&info, &threshold, &baseline);
        let mut subject = Self {
            key: key.clone(),
            threshold,
            floor,
            fit: Fit::of(&tolls, floor),
            baseline,
            info,
            candidates: Vec::new(),
            sweeps: Vec::new(),
            failed: None,
            unavailable: None,
            left_out: None,
            bad_boots: Vec::new(),
        };
        for row in candidates {
            let differs = difference(first, row.sweep, &key.environment);
            if let Some(what) = differs.or_else(|| definition(row.info?, &subject.info)) {
                subject.left_out = Some(what);
                continue;
            }
            match observe(row, key, threshold.scale, policy.min_rounds_share) {
                // Without the first sweep there was no screen, and nothing to confirm.
                Observed::Measured(_) if subject.candidates.is_empty() && row.sweep.sweep != first.sweep => {}
                Observed::Measured(measured) => {
                    subject.candidates.push(measured);
                    subject.sweeps.push(row.sweep.sweep.clone());
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

    /// The fit, where the baseline is large enough for a p-value. Counts have none.
    pub fn testable(&self) -> Option<Fit> {
        self.fit.filter(|fit| fit.sweeps >= FEWEST && self.threshold.scale != Scale::Count)
    }
}

/// The rows of each key, in order of sweeps.
fn by_key<'a>(sweeps: &[&'a SweepSamples], keys: &[SeriesKey]) -> Vec<Vec<Row<'a>>> {
    let walked: Vec<Vec<Row>> = sweeps.iter().map(|sweep| Row::of_all(sweep, keys)).collect();
    (0..keys.len()).map(|i| walked.iter().map(|rows| rows[i]).collect()).collect()
}

/// The names of all subjects: every metric and environment that any sweep has, and the metrics of the candidates' failed
/// cells, of which there may be no series.
fn keys(baseline: &[&SweepSamples], candidates: &[&SweepSamples]) -> BTreeSet<SeriesKey> {
    let all = || baseline.iter().chain(candidates);
    let mut keys: BTreeSet<SeriesKey> = BTreeSet::new();
    let mut last: Option<&SweepSamples> = None;
    for sweep in all() {
        // As a rule every sweep has the same ones.
        if last.is_some_and(|last| last.series.keys().eq(sweep.series.keys())) {
            continue;
        }
        let known = sweep.series.keys().filter(|key| !key.environment.is_native());
        keys.extend(known.cloned());
        last = Some(sweep);
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
