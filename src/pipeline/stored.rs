//! A stored sweep judged again, reading no more of the store than the judge looks at.

use super::PipelineError;
use crate::judge::{self, Policy, cells};
use crate::model::format::GATE_FORMAT;
use crate::model::{Fingerprint, GateResult, Judgement, Sweep, SweepId, SweepSamples};
use crate::pipeline::gate::within;
use crate::store::{self, DirectoryStore};

/// Accepted sweeps that are read beyond those that count, for the ones that turn out not to be comparable.
const SPARE: usize = 10;

/// The sweeps of chosen cells that were made directly after `first`: they confirm it.
pub fn fresh_of(store: &DirectoryStore, first: &Sweep) -> Result<Vec<Sweep>, PipelineError> {
    let mut fresh = Vec::new();
    let later = store.listing()?.into_iter().filter(|(id, _)| *id > first.sweep);
    for path in later.filter_map(|(_, places)| places.measured) {
        let sweep = store::read(&path)?;
        if !sweep.partial || sweep.host_class != first.host_class || sweep.profile != first.profile {
            break;
        }
        fresh.push(sweep);
    }
    Ok(fresh)
}

/// A stored sweep with the fresh ones that confirmed it, judged against the newest accepted ones that began before it.
/// Drifts and the self-test need the whole history and are left out; `tollgate report` has them.
pub fn judged(store: &DirectoryStore, policy: &Policy, id: &SweepId) -> Result<GateResult, PipelineError> {
    let first = store.load(id)?;
    let files = store.accepted_files(&first.host_class, &first.profile)?;
    let accepted = files.iter().any(|p| p.file_stem().is_some_and(|n| n == id.as_str()));
    let (mut before, mut newest) = (Vec::new(), None);
    for path in files.iter().rev() {
        if before.len() >= policy.max_baseline_sweeps + SPARE {
            break;
        }
        let sweep = store::read(path)?;
        if sweep.started_at < first.started_at {
            newest = newest.max(Some((sweep.started_at, before.len())));
            let samples = within(SweepSamples::from(&sweep), &first);
            before.push((samples, sweep.fingerprint));
        }
    }
    let fingerprint: Option<Fingerprint> = newest.map(|(_, at)| before[at].1.clone());
    let before: Vec<SweepSamples> = before.into_iter().map(|(samples, _)| samples).collect();
    let mut candidates = vec![SweepSamples::from(&first)];
    if !first.partial {
        candidates.extend(fresh_of(store, &first)?.iter().map(SweepSamples::from));
    }
    let judgement = Judgement { version: GATE_FORMAT, ..judge::judge(&before, &candidates, policy) };
    let changed = fingerprint.map(|f| first.fingerprint.changes_since(&f)).unwrap_or_default();
    let baseline = accepted.then(|| "accepted as baseline".to_owned());
    Ok(GateResult::of_sweep(&first, judgement, changed, cells(&first), baseline))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::AcceptedBy;
    use crate::pipeline::gate::judge_sweeps;
    use chrono::Duration;
    use std::path::Path;

    /// What reads a part of the store says the same as what reads all of it.
    #[test]
    fn the_verdicts_are_those_of_the_whole_store() {
        let dir = tempfile::tempdir().expect("a directory");
        let store = DirectoryStore::new(&dir.path().join("state"), &dir.path().join("baselines"));
        let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("baselines");
        let example = DirectoryStore::new(dir.path(), &examples);
        let class = "amd-epyc-2c-24g".parse().expect("a name");
        let recorded = example.baselines(&class, "smoke").expect("the example");
        let (newest, earlier) = recorded.split_last().expect("five");
        for sweep in earlier {
            let by = AcceptedBy {
                at: sweep.finished_at,
                by: "gate".into(),
                reason: String::new(),
                regimes: Vec::new(),
            };
            store.accept(sweep.clone(), by).expect("accepted");
        }
        store.save(newest).expect("saved");
        let mut fresh = newest.clone();
        fresh.partial = true;
        fresh.started_at = newest.started_at + Duration::hours(1);
        fresh.sweep = "20261123T230000Z-000001".parse().expect("an id");
        store.save(&fresh).expect("saved");

        let policy = Policy::default();
        let found = judged(&store, &policy, &newest.sweep).expect("judged");
        let all = store.baselines(&class, "smoke").expect("read");
        let whole = judge_sweeps(&all, &[newest.clone(), fresh.clone()], &policy);
        assert_eq!(found.judgement, whole);
        assert_eq!(found.changed, newest.fingerprint.changes_since(&all[3].fingerprint));
        assert_eq!(fresh_of(&store, newest).expect("read"), [fresh]);
        assert!(!found.is_accepted());
    }
}
