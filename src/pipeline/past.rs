//! The tolls of a judgement's sweeps and of the accepted ones before them, for a report's history.

use super::PipelineError;
use crate::judge;
use crate::model::{Sweep, SweepSamples};
use crate::report::past::Past;
use crate::store::{self, DirectoryStore};
use std::cmp::Reverse;

/// Accepted sweeps that are read for a history, the newest.
const MOST: usize = 30;

/// Of samples: `baseline` is what `candidates` were compared with.
pub fn of_samples(baseline: &[SweepSamples], candidates: &[SweepSamples]) -> Past {
    Past::new(judge::history(baseline, candidates))
}

/// Of sweeps and the newest of `accepted` that began before the first of them.
pub fn of_sweeps(accepted: &[Sweep], sweeps: &[Sweep]) -> Past {
    let Some(first) = sweeps.iter().map(|s| s.started_at).min() else { return Past::default() };
    let mut before: Vec<&Sweep> = accepted.iter().filter(|a| a.started_at < first).collect();
    before.sort_by_key(|a| Reverse(a.started_at));
    let before: Vec<SweepSamples> = before.into_iter().take(MOST).map(SweepSamples::from).collect();
    let judged: Vec<SweepSamples> = sweeps.iter().map(SweepSamples::from).collect();
    of_samples(&before, &judged)
}

/// The same with the accepted ones of the store.
pub fn of_stored(store: &DirectoryStore, sweeps: &[Sweep]) -> Result<Past, PipelineError> {
    let Some(first) = sweeps.iter().min_by_key(|s| s.started_at) else { return Ok(Past::default()) };
    let mut accepted = Vec::new();
    for path in store.accepted_files(&first.host_class, &first.profile)?.iter().rev() {
        if accepted.len() >= MOST {
            break;
        }
        accepted.extend(Some(store::read(path)?).filter(|a| a.started_at < first.started_at));
    }
    Ok(of_sweeps(&accepted, sweeps))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::model::{Verdict, VerdictKind};
    use crate::pipeline::gate::judge_sweeps;
    use crate::wiring;
    use std::path::Path;

    /// The recorded example: what a history shows as its newest and its earlier values are the verdicts' own numbers.
    #[test]
    fn the_history_ends_with_the_toll_of_the_verdict() {
        let dir = tempfile::tempdir().expect("a directory");
        let mut config = Config::resolve(None).expect("the defaults");
        config.state = dir.path().join("state");
        config.baselines = Path::new(env!("CARGO_MANIFEST_DIR")).join("baselines");
        let store = wiring::store(&config);
        let class = "amd-epyc-2c-24g".parse().expect("a name");
        let recorded = store.baselines(&class, "smoke").expect("the example");
        // The fifth is of another bench image.
        let newest = &recorded[3];
        store.save(newest).expect("saved");

        let judgement = judge_sweeps(&recorded, std::slice::from_ref(newest), &judge::Policy::default());
        let past = of_stored(&store, std::slice::from_ref(newest)).expect("read");
        assert_eq!(past, of_sweeps(&recorded, std::slice::from_ref(newest)), "whoever has read them");
        let judged = |v: &&Verdict| {
            !matches!(
                v.verdict,
                VerdictKind::NoBaseline | VerdictKind::Missing | VerdictKind::MeasurementFailed
            )
        };
        let mut seen = 0;
        for verdict in judgement.verdicts.iter().filter(judged).filter(|v| v.absolute.is_none()) {
            let tolls = past.of(verdict);
            let now = verdict.toll_now_pct.expect("judged");
            assert!((tolls.last().expect("a toll") - now).abs() < 1e-6, "{verdict:?}: {tolls:?}");
            let earlier = tolls[..tolls.len() - 1].iter().filter(|t| t.is_finite()).count();
            assert_eq!(
                u32::try_from(earlier).expect("few"),
                verdict.sweeps_baseline,
                "{verdict:?}: {tolls:?}"
            );
            seen += 1;
        }
        assert!(seen > 50, "{seen}");
    }

    #[test]
    fn a_gate_without_a_sweep_has_no_history() {
        let store = wiring::store(&Config::resolve(None).expect("the defaults"));
        assert_eq!(of_stored(&store, &[]).expect("nothing to read"), Past::default());
    }
}
