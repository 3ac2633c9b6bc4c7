//! From verdicts to what a gate does.

use crate::model::{Decision, EnvironmentName, Verdict, VerdictKind};
use std::collections::BTreeMap;

/// How many of each verdict; every kind is named, also with 0.
pub fn count(verdicts: &[Verdict]) -> BTreeMap<VerdictKind, u32> {
    let mut summary: BTreeMap<VerdictKind, u32> = VerdictKind::ALL.map(|kind| (kind, 0)).into();
    for verdict in verdicts {
        *summary.entry(verdict.verdict).or_default() += 1;
    }
    summary
}

/// What a gate does, the first line that holds:
///
/// 1. any regressed: `regressed`;
/// 2. nothing measured at all (no verdict, or only failed and missing ones), or nothing of some environment
///    although it should have been: `not-measured`, because a broken engine is no healthy one;
/// 3. any suspected: `inconclusive`;
/// 4. some inconclusive and none proven (no unchanged, no improved): `inconclusive`;
/// 5. else `pass`; so also when there is no baseline for anything: the sweep is recorded.
///
/// A few failed or missing metrics among proven ones of their environment do not stop a gate; they are alerts of
/// their own.
pub fn decide(verdicts: &[Verdict]) -> Decision {
    use VerdictKind::{Improved, Inconclusive, Regressed, Suspected, Unchanged};
    let has = |kinds: &[VerdictKind]| verdicts.iter().any(|v| kinds.contains(&v.verdict));
    if has(&[Regressed]) {
        Decision::Regressed
    } else if verdicts.is_empty() || loses_an_environment(verdicts) {
        Decision::NotMeasured
    } else if has(&[Suspected]) || (has(&[Inconclusive]) && !has(&[Unchanged, Improved])) {
        Decision::Inconclusive
    } else {
        Decision::Pass
    }
}

/// Whether some environment has only failed and missing metrics.
fn loses_an_environment(verdicts: &[Verdict]) -> bool {
    let mut measured: BTreeMap<&EnvironmentName, bool> = BTreeMap::new();
    for verdict in verdicts {
        let failed = matches!(verdict.verdict, VerdictKind::MeasurementFailed | VerdictKind::Missing);
        *measured.entry(&verdict.environment).or_default() |= !failed;
    }
    measured.values().any(|measured| !measured)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::fixtures::{self, env};
    use VerdictKind::{
        Improved, Inconclusive, MeasurementFailed, Missing, NoBaseline, Regressed, Suspected, Unchanged,
    };

    fn verdict(environment: &str, kind: VerdictKind) -> Verdict {
        Verdict { environment: env(environment), ..fixtures::verdict(kind) }
    }

    fn decision(kinds: &[VerdictKind]) -> Decision {
        decide(&kinds.iter().map(|k| verdict("docker", *k)).collect::<Vec<_>>())
    }

    #[test]
    fn an_environment_that_is_lost_as_a_whole_never_passes() {
        let verdicts =
            [verdict("kvm", Unchanged), verdict("docker", MeasurementFailed), verdict("docker", Missing)];
        assert_eq!(decide(&verdicts), Decision::NotMeasured);
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
