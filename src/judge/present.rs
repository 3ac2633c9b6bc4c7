//! The baselines that describe the host as it is now: what the self-test and the power are about.

use super::{baseline::definition, comparable::difference, in_order, policy::Policy};
use crate::model::{EnvironmentName, SeriesKey, SweepSamples};
use std::collections::{BTreeMap, BTreeSet};

/// Accepted sweeps of the present state.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Present {
    /// Oldest first, each once. A series is in a sweep only where it is comparable with the newest one (an accelerator
    /// matters to virtual machines only) and of its present regime; a sweep that has none left is left out.
    pub sweeps: Vec<SweepSamples>,
    /// How many sweeps were left out, and what differs in the last of them, when some were.
    pub left_out: Option<String>,
}

impl Present {
    /// Takes the newest `max_baseline_sweeps` of `baselines` that are comparable with the newest of all. Regimes are
    /// applied, and then cleared, so that the sweeps may be put in any order.
    pub fn of(baselines: &[SweepSamples], policy: &Policy) -> Self {
        let mut seen = BTreeSet::new();
        let ordered = in_order(baselines).into_iter().filter(|s| seen.insert(s.sweep.clone()));
        let ordered: Vec<&SweepSamples> = ordered.collect();
        // A sweep of chosen cells may be without a guest, and then says no accelerator.
        let full = ordered.iter().rev().find(|s| s.comparability.accelerator.is_some());
        let Some(newest) = full.or(ordered.last()) else {
            return Self { sweeps: Vec::new(), left_out: None };
        };
        let (mut sweeps, mut left_out, mut why) = (Vec::new(), 0_usize, None);
        for sweep in &ordered {
            let kept = comparable_part(sweep, newest);
            match difference(sweep, newest, &EnvironmentName::NATIVE) {
                None if has_tolls(&kept) => sweeps.push(kept),
                differs => {
                    left_out += 1;
                    why =
                        Some(differs.unwrap_or_else(|| "it holds nothing that the newest holds".to_owned()));
                }
            }
        }
        sweeps.drain(..sweeps.len().saturating_sub(policy.max_baseline_sweeps.max(1)));
        begin_regimes(&mut sweeps);
        sweeps.retain(has_tolls);
        let verb = if left_out == 1 { "is" } else { "are" };
        let of = ordered.len();
        let left_out = why.map(|why| {
            format!("{left_out} of {of} accepted sweeps {verb} not comparable with the newest: {why}")
        });
        Self { sweeps, left_out }
    }
}

fn comparable_part(sweep: &SweepSamples, newest: &SweepSamples) -> SweepSamples {
    let mut kept = sweep.clone();
    kept.series.retain(|key, _| {
        let infos = sweep.metrics.get(&key.metric).zip(newest.metrics.get(&key.metric));
        difference(sweep, newest, &key.environment).is_none()
            && infos.and_then(|(then, now)| definition(then, now)).is_none()
    });
    kept
}

/// Whether anything but native is left.
fn has_tolls(sweep: &SweepSamples) -> bool {
    sweep.series.keys().any(|key| !key.environment.is_native())
}

/// Takes each series out of the sweeps before its newest regime. `sweeps` are oldest first.
fn begin_regimes(sweeps: &mut [SweepSamples]) {
    let mut starts: BTreeMap<SeriesKey, usize> = BTreeMap::new();
    for (at, sweep) in sweeps.iter_mut().enumerate() {
        starts.extend(std::mem::take(&mut sweep.regimes).into_iter().map(|key| (key, at)));
    }
    for (key, start) in starts {
        for sweep in &mut sweeps[..start] {
            sweep.series.remove(&key);
        }
    }
}
