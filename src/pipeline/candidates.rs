//! What is to be said of candidate upgrades: which of them the stored sweeps measured, and what these say of the host.

use super::{PipelineError, policy, stored};
use crate::alert::candidates::{Standing, Statement};
use crate::config::Config;
use crate::judge::Policy;
use crate::model::HostClass;
use crate::store::{self, DirectoryStore, Head};
use crate::watch::queue::Components;
use crate::watch::upstream::is_measured;
use crate::wiring;

/// The newest whole sweeps of a host class in which it is looked for what was measured.
const LOOKED_AT: usize = 20;
/// The files that are read for that at most: others' sweeps, and those of chosen cells, lie between them.
const READ: usize = 100;

/// What the stored sweeps say.
#[derive(Debug, Default, PartialEq)]
struct Stored {
    /// What the host was made of in them, the newest first.
    measured: Vec<Components>,
    standing: Option<Standing>,
}

/// Completes what is offered by what the stored sweeps say: without the candidates that they measured, and with how the
/// host stands. Sweeps that cannot be read say nothing, and are named in the log.
pub async fn complete(config: &Config, mut offered: Statement) -> Statement {
    let (store, class) = (wiring::store(config), offered.host_class.clone());
    let (rules, profile) = (policy::load(config), config.watch.profile.as_str());
    let read = tokio::task::spawn_blocking(move || read(&store, &class, profile, &rules?));
    let stored = match read.await {
        Ok(Ok(stored)) => stored,
        Ok(Err(error)) => {
            tracing::warn!(%error, "what the sweeps say of this host cannot be found out");
            Stored::default()
        }
        // It panicked, which has been told.
        Err(_) => Stored::default(),
    };
    offered.candidates.retain(|c| !stored.measured.iter().any(|then| is_measured(c, then)));
    offered.standing = stored.standing;
    offered
}

/// Of a host class, with how it stands in the newest sweep of the profile, or of any other where it has none of that.
fn read(
    store: &DirectoryStore,
    class: &HostClass,
    profile: &str,
    policy: &Policy,
) -> Result<Stored, PipelineError> {
    let listing = store.listing()?;
    let paths = listing.values().rev().filter_map(|places| places.best()).take(READ);
    let heads = paths.filter_map(|path| match store::head(path) {
        Ok(head) => Some(head).filter(|head| head.host_class == *class && !head.partial),
        Err(error) => {
            tracing::debug!(%error, "passed over");
            None
        }
    });
    let heads: Vec<Head> = heads.take(LOOKED_AT).collect();
    let newest = heads.iter().find(|head| head.profile == profile).or_else(|| heads.first());
    let judged = newest.map(|head| stored::judged(store, policy, &head.sweep)).transpose()?;
    Ok(Stored {
        standing: judged.as_ref().and_then(Standing::of),
        measured: heads.into_iter().map(|head| head.fingerprint.components).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn the_example_sweeps_say_how_their_host_stands() {
        let dir = tempfile::tempdir().expect("a directory");
        let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("baselines");
        let store = DirectoryStore::new(dir.path(), &examples);
        let class = "amd-epyc-2c-24g".parse().expect("a name");
        let found = read(&store, &class, "smoke", &Policy::default()).expect("read");
        let all = store.baselines(&class, "smoke").expect("the example");
        let newest = all.last().expect("five");
        let standing = found.standing.expect("one was judged");
        assert_eq!((standing.sweep, standing.started_at), (newest.sweep.clone(), newest.started_at));
        assert!(standing.tolls.iter().all(|t| t.metrics > 0 && t.median_pct.is_finite()));
        assert!(standing.tolls.iter().any(|t| t.environment.to_string() == "docker+nat"));
        let of_class = store.all_baselines().expect("read");
        let of_class: Vec<_> = of_class.iter().filter(|s| s.host_class == class && !s.partial).collect();
        let whole: Vec<_> =
            of_class.iter().rev().map(|s| s.fingerprint.components.clone()).take(LOOKED_AT).collect();
        assert_eq!(found.measured, whole, "of every profile, the newest first");
        // A profile that nobody measured: what there is says more than nothing.
        let other = read(&store, &class, "full", &Policy::default()).expect("read");
        let profile = other.standing.expect("judged").profile;
        assert_eq!(Some(profile), of_class.last().map(|s| s.profile.clone()));
        let nobody = "nobody".parse().expect("a name");
        assert_eq!(read(&store, &nobody, "smoke", &Policy::default()).expect("read"), Stored::default());
    }
}
