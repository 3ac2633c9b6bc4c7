//! Counts: they do not vary, so they are compared exactly.

use super::{pair::Measured, subject::Subject};
use crate::{model::VerdictKind, stats::robust};

/// The verdict on a count from its baseline's range of sweep values, one sweep or more: beyond it in every judged sweep is a
/// change (a suspicion while no fresh sweep has confirmed it), within it in every one is unchanged.
pub(super) fn exact(subject: &Subject) -> VerdictKind {
    let baseline: Vec<f64> = subject.baseline.sweeps.iter().filter_map(Measured::value).collect();
    let judged: Vec<f64> = subject.judged().iter().filter_map(Measured::value).collect();
    let Some((low, high)) = robust::range(&baseline) else { return VerdictKind::NoBaseline };
    let fresh = subject.fresh() > 0;
    if judged.iter().all(|y| *y > high) {
        if fresh { VerdictKind::Regressed } else { VerdictKind::Suspected }
    } else if judged.iter().all(|y| *y < low) {
        if fresh { VerdictKind::Improved } else { VerdictKind::Inconclusive }
    } else if judged.iter().all(|y| (low..=high).contains(y)) {
        VerdictKind::Unchanged
    } else {
        VerdictKind::Inconclusive
    }
}
