//! The tolls of a judgement's sweeps and of the accepted ones before them, for a report's history.

use super::PipelineError;
use crate::config::Config;
use crate::judge;
use crate::model::{GateResult, Sweep, SweepSamples};
use crate::report::past::Past;
use crate::store::{self, DirectoryStore};
use crate::wiring;

/// Accepted sweeps that are read for a history, the newest.
const MOST: usize = 30;

/// Of samples: `baseline` is what `candidates` were compared with.
pub fn of_samples(baseline: &[SweepSamples], candidates: &[SweepSamples]) -> Past {
    Past::new(judge::history(baseline, candidates))
}

/// Of stored sweeps and the accepted ones that began before the first of them.
pub fn of_sweeps(store: &DirectoryStore, sweeps: &[Sweep]) -> Result<Past, PipelineError> {
    let Some(first) = sweeps.iter().min_by_key(|s| s.started_at) else { return Ok(Past::default()) };
    let mut before = Vec::new();
    for path in store.accepted_files(&first.host_class, &first.profile)?.iter().rev() {
        if before.len() >= MOST {
            break;
        }
        let accepted = store::read(path)?;
        if accepted.started_at < first.started_at {
            before.push(SweepSamples::from(&accepted));
        }
    }
    let judged: Vec<SweepSamples> = sweeps.iter().map(SweepSamples::from).collect();
    Ok(of_samples(&before, &judged))
}

/// Of a gate's sweep and the fresh ones that confirmed it; nothing where it swept nothing.
pub fn of_gate(config: &Config, result: &GateResult) -> Result<Past, PipelineError> {
    let store = wiring::store(config);
    let fresh = result.confirmation.iter().flat_map(|c| &c.sweeps).map(|s| &s.sweep);
    let sweeps = result.sweep.iter().chain(fresh).map(|id| store.load(id)).collect::<Result<Vec<_>, _>>()?;
    of_sweeps(&store, &sweeps)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Decision, Judgement, Verdict, VerdictKind};
    use crate::pipeline::gate::judge_sweeps;
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
        let nothing = Judgement::nothing(1, Decision::Pass);
        let result = GateResult::of_sweep(newest, nothing, Vec::new(), Vec::new(), None);
        let past = of_gate(&config, &result).expect("read");
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
        let config = Config::resolve(None).expect("the defaults");
        let class = "lab".parse().expect("a name");
        let result = GateResult::unchanged(class, "smoke", crate::model::Fingerprint::default());
        assert_eq!(of_gate(&config, &result).expect("nothing to read"), Past::default());
    }
}
