//! What stands behind a result, read from the store: the judged sweep and those before it.

use super::PipelineError;
use crate::judge::Policy;
use crate::model::Sweep;
use crate::report::Evidence;
use crate::store::{self, DirectoryStore};

/// Earlier sweeps that are shown at most, and files that are read to find them: those of other profiles lie among them.
const SHOWN: usize = 100;
const READ: usize = 400;

/// Of a sweep, the ones that confirmed it, and the newest ones of its host class and profile that are older. One file after
/// another is read, so that memory holds a few numbers of each. A file that cannot be read leaves a gap, and a warning in the log.
pub fn evidence(
    store: &DirectoryStore,
    sweep: &Sweep,
    fresh: Vec<Sweep>,
    policy: Policy,
) -> Result<Evidence, PipelineError> {
    let mut evidence = Evidence::alone(sweep, policy);
    let listing = store.listing()?;
    let earlier = listing.range(..&sweep.sweep).rev();
    for path in earlier.filter_map(|(_, places)| places.best()).take(READ) {
        if evidence.history.heads.len() > SHOWN {
            break;
        }
        match store::read(path) {
            Ok(before) => evidence.add(&before),
            Err(error) => tracing::warn!(%error, "a stored sweep is missing in the histories"),
        }
    }
    Ok(evidence.confirmed_by(fresh))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Verdict;
    use crate::pipeline::gate::judge_sweeps;
    use crate::report::view;
    use std::path::Path;

    #[test]
    fn the_sweeps_before_it_of_its_profile_are_its_history() {
        let dir = tempfile::tempdir().expect("a directory");
        let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("baselines");
        let store = DirectoryStore::new(dir.path(), &examples);
        let class = "amd-epyc-2c-24g".parse().expect("a name");
        let recorded = store.baselines(&class, "smoke").expect("the example");
        std::fs::create_dir_all(dir.path().join("sweeps")).expect("made");
        std::fs::write(dir.path().join("sweeps/20261123T150000Z-000001.json"), "{").expect("written");
        let found = evidence(&store, &recorded[3], Vec::new(), Policy::default()).expect("found");
        let ids: Vec<_> = found.history.heads.iter().map(|h| h.sweep.clone()).collect();
        assert_eq!(ids, recorded[..4].iter().map(|s| s.sweep.clone()).collect::<Vec<_>>());
        assert!(found.history.tracks.values().any(crate::history::Track::is_tolled));
    }

    /// The recorded example: what a line of history shows as its newest and its earlier values are the verdicts' own numbers.
    #[test]
    fn the_past_ends_with_the_toll_of_the_verdict() {
        let dir = tempfile::tempdir().expect("a directory");
        let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("baselines");
        let store = DirectoryStore::new(dir.path(), &examples);
        let recorded =
            store.baselines(&"amd-epyc-2c-24g".parse().expect("a name"), "smoke").expect("the example");
        // The fifth is of another bench image.
        let newest = &recorded[3];
        let judgement = judge_sweeps(&recorded, std::slice::from_ref(newest), &Policy::default());
        let past = evidence(&store, newest, Vec::new(), Policy::default()).expect("read").past();
        assert_eq!(past, Evidence::of(newest, &recorded, Policy::default()).past(), "whoever has read them");
        let judged = |v: &&Verdict| v.verdict.is_compared() && v.absolute.is_none();
        let mut seen = 0;
        for verdict in judgement.verdicts.iter().filter(judged) {
            let line = past.of(&view::series_key(verdict)).expect("a line");
            let (newest, earlier) = line.tolls.split_last().expect("a toll");
            let now = verdict.toll_now_pct.expect("judged");
            // A history keeps seven digits.
            assert!((newest - now).abs() < 1e-6 * (100.0 + now.abs()), "{verdict:?}: {line:?}");
            let known = earlier.iter().filter(|t| t.is_finite()).count();
            assert_eq!(u32::try_from(known).expect("few"), verdict.sweeps_baseline, "{verdict:?}: {line:?}");
            assert_eq!(line.threshold_pct, verdict.threshold_pct, "{verdict:?}");
            seen += 1;
        }
        assert!(seen > 50, "{seen}");
    }
}
