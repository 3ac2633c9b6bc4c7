//! From verdicts to what a gate does.

use crate::model::{Decision, Verdict, VerdictKind};
use std::collections::BTreeMap;

/// How many of each verdict; every kind is named, also with 0.
pub fn count(verdicts: &[Verdict]) -> BTreeMap<VerdictKind, u32> {
    let mut summary: BTreeMap<VerdictKind, u32> = [
        VerdictKind::Regressed,
        VerdictKind::Suspected,
        VerdictKind::MeasurementFailed,
        VerdictKind::Missing,
        VerdictKind::Inconclusive,
        VerdictKind::Improved,
        VerdictKind::NoBaseline,
        VerdictKind::Unchanged,
    ]
    .into_iter()
    .map(|kind| (kind, 0))
    .collect();
    for verdict in verdicts {
        *summary.entry(verdict.verdict).or_default() += 1;
    }
    summary
}

/// What a gate does, the first line that holds:
///
/// 1. any regressed: `regressed`;
/// 2. nothing measured at all (no verdict, or only failed and missing ones): `not-measured`;
/// 3. any suspected: `inconclusive`;
/// 4. some inconclusive and none proven (no unchanged, no improved): `inconclusive`;
/// 5. else `pass`; so also when there is no baseline for anything: the sweep is recorded.
///
/// A few failed or missing metrics among proven ones do not stop a gate; they are alerts of their own.
pub fn decide(summary: &BTreeMap<VerdictKind, u32>) -> Decision {
    use VerdictKind::{Improved, Inconclusive, NoBaseline, Regressed, Suspected, Unchanged};
    let has = |kinds: &[VerdictKind]| kinds.iter().any(|k| summary.get(k).is_some_and(|n| *n > 0));
    if has(&[Regressed]) {
        Decision::Regressed
    } else if !has(&[Suspected, Inconclusive, Improved, NoBaseline, Unchanged]) {
        Decision::NotMeasured
    } else if has(&[Suspected]) || (has(&[Inconclusive]) && !has(&[Unchanged, Improved])) {
        Decision::Inconclusive
    } else {
        Decision::Pass
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use VerdictKind::{
        Improved, Inconclusive, MeasurementFailed, Missing, NoBaseline, Regressed, Suspected, Unchanged,
    };

    fn decision(kinds: &[VerdictKind]) -> Decision {
        let mut summary = count(&[]);
        for kind in kinds {
            *summary.entry(*kind).or_default() += 1;
        }
        decide(&summary)
    }

    #[test]
    fn the_mapping() {
        assert_eq!(decision(&[Unchanged, Suspected, Regressed]), Decision::Regressed);
        assert_eq!(decision(&[]), Decision::NotMeasured);
        assert_eq!(decision(&[MeasurementFailed, Missing]), Decision::NotMeasured);
        assert_eq!(decision(&[Unchanged, Suspected]), Decision::Inconclusive);
        assert_eq!(
            decision(&[Inconclusive, Inconclusive, MeasurementFailed, NoBaseline]),
            Decision::Inconclusive
        );
        assert_eq!(decision(&[Inconclusive, Unchanged]), Decision::Pass);
        assert_eq!(decision(&[Inconclusive, Improved]), Decision::Pass);
        assert_eq!(decision(&[NoBaseline, NoBaseline]), Decision::Pass);
        assert_eq!(decision(&[Unchanged, Missing]), Decision::Pass);
    }

    #[test]
    fn every_kind_is_counted_also_with_zero() {
        assert_eq!(count(&[]).len(), 8);
    }
}
