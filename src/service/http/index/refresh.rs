//! Keeps the catalogue as the store is. Nothing happens while nobody asks: a request looks at the names of the files, at most
//! once in a while, and reads those that are new.

use super::catalogue::Catalogue;
use super::judged::Judged;
use crate::config::Config;
use crate::history::GroupKey;
use crate::model::SweepId;
use crate::pipeline::stored::judged;
use crate::pipeline::{PipelineError, policy};
use crate::store::{self, DirectoryStore, Places};
use crate::wiring;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{Duration, SystemTime};
use tokio::sync::Mutex;
use tokio::time::Instant;

/// How old what a page shows may be.
const STALE: Duration = Duration::from_secs(1);
/// When a sweep that could not be judged is tried again though the store has no other sweeps: a file may have been repaired.
const AGAIN: Duration = Duration::from_secs(60);

/// The catalogue and how it follows the store.
#[derive(Debug)]
pub(in crate::service::http) struct Index {
    config: Arc<Config>,
    store: DirectoryStore,
    catalogue: Arc<RwLock<Catalogue>>,
    turn: Arc<Mutex<Turn>>,
    ready: Arc<AtomicBool>,
}

/// What only the one who refreshes knows.
#[derive(Debug, Default)]
struct Turn {
    at: Option<Instant>,
    known: BTreeMap<SweepId, Known>,
    /// Files that could not be read, as they were then.
    broken: BTreeMap<PathBuf, (u64, Option<SystemTime>)>,
    /// Sweeps that could not be judged.
    failed: BTreeMap<SweepId, Failure>,
}

/// What the store was when a sweep could not be judged, and when that was.
#[derive(Debug)]
struct Failure {
    of: (usize, usize),
    at: Instant,
}

impl Failure {
    /// Whether to try again would, at `now`, lead to the same.
    fn stands(&self, of: (usize, usize), now: Instant) -> bool {
        self.of == of && now < self.at + AGAIN
    }
}

/// Of which file a sweep was read, and whether it is accepted.
#[derive(Debug, PartialEq, Eq)]
struct Known {
    accepted: bool,
}

impl Index {
    /// Knows nothing yet.
    pub fn new(config: Arc<Config>) -> Self {
        let store = wiring::store(&config);
        let (catalogue, turn, ready) = (Arc::default(), Arc::default(), Arc::default());
        Self { config, store, catalogue, turn, ready }
    }

    /// Where the sweeps are.
    pub fn store(&self) -> &DirectoryStore {
        &self.store
    }

    /// What is known.
    pub fn read(&self) -> RwLockReadGuard<'_, Catalogue> {
        // A reader that panicked changed nothing; a writer does nothing that can fail half-way.
        self.catalogue.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether all files were read once.
    pub fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Acquire)
    }

    /// Reads what is new, unless that was done just now. While somebody else does, what there is must do.
    pub async fn refresh(&self) {
        let Ok(mut turn) = Arc::clone(&self.turn).try_lock_owned() else { return };
        if turn.at.is_some_and(|at| at.elapsed() < STALE) {
            return;
        }
        let work = Work {
            config: Arc::clone(&self.config),
            store: self.store.clone(),
            catalogue: Arc::clone(&self.catalogue),
        };
        let ready = Arc::clone(&self.ready);
        // Who asked may go before the end, which counts all the same.
        let done = tokio::task::spawn_blocking(move || {
            match work.refresh(&mut turn) {
                Ok(()) => ready.store(true, Ordering::Release),
                Err(error) => tracing::warn!(%error, "the stored sweeps cannot be listed"),
            }
            turn.at = Some(Instant::now());
        });
        if let Err(error) = done.await {
            tracing::error!(%error, "reading the stored sweeps failed");
        }
    }
}

/// One refreshing, on a thread that may block.
struct Work {
    config: Arc<Config>,
    store: DirectoryStore,
    catalogue: Arc<RwLock<Catalogue>>,
}

impl Work {
    fn write(&self) -> RwLockWriteGuard<'_, Catalogue> {
        self.catalogue.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn refresh(&self, turn: &mut Turn) -> Result<(), PipelineError> {
        let listing = self.store.listing()?;
        self.forget(turn, &listing);
        let accepted = listing.values().filter(|p| p.accepted.is_some()).count();
        // With others the verdicts may be others.
        let of = (accepted, listing.len());
        // The newest first: what people want to see is there soon, and judging, which takes the most memory, comes before the
        // catalogue has grown.
        let new: Vec<(&SweepId, &Places)> = listing
            .iter()
            .rev()
            .filter(|(id, places)| {
                turn.known.get(*id) != Some(&Known { accepted: places.accepted.is_some() })
            })
            .collect();
        for (left, (id, places)) in (1..=new.len()).rev().zip(&new) {
            self.write().unread = left;
            self.take(turn, id, places);
            self.judge(turn, of);
        }
        self.write().unread = 0;
        self.judge(turn, of);
        Ok(())
    }

    /// Drops what is not there any more.
    fn forget(&self, turn: &mut Turn, listing: &BTreeMap<SweepId, Places>) {
        let gone: Vec<SweepId> = turn.known.keys().filter(|id| !listing.contains_key(*id)).cloned().collect();
        for id in gone {
            turn.known.remove(&id);
            turn.failed.remove(&id);
            self.write().remove(&id);
        }
        let listed = |path: &PathBuf| listing.values().any(|p| p.best() == Some(path.as_path()));
        let repaired: Vec<PathBuf> = turn.broken.keys().filter(|p| !listed(p)).cloned().collect();
        for path in repaired {
            turn.broken.remove(&path);
            self.write().damaged.remove(&path.display().to_string());
        }
    }

    /// Reads one sweep. One that was rejected is not read again: only its acceptance goes.
    fn take(&self, turn: &mut Turn, id: &SweepId, places: &Places) {
        let accepted = places.accepted.is_some();
        if turn.known.contains_key(id) && !accepted {
            self.reject(id);
            turn.known.insert(id.clone(), Known { accepted });
            return;
        }
        let Some(path) = places.best() else { return };
        let stamp = std::fs::metadata(path).map_or((0, None), |m| (m.len(), m.modified().ok()));
        if turn.broken.get(path) == Some(&stamp) {
            return;
        }
        match store::read(path) {
            Ok(sweep) if sweep.sweep == *id => {
                let mut catalogue = self.write();
                catalogue.remove(id);
                catalogue.insert(&sweep);
                catalogue.damaged.remove(&path.display().to_string());
                drop(catalogue);
                turn.broken.remove(path);
                turn.known.insert(id.clone(), Known { accepted });
            }
            Ok(sweep) => self.broken(turn, path, stamp, format!("it holds sweep {}", sweep.sweep)),
            Err(error) => self.broken(turn, path, stamp, error.to_string()),
        }
    }

    fn broken(&self, turn: &mut Turn, path: &std::path::Path, stamp: (u64, Option<SystemTime>), why: String) {
        turn.broken.insert(path.to_owned(), stamp);
        self.write().damaged.insert(path.display().to_string(), why);
    }

    fn reject(&self, id: &SweepId) {
        for group in self.write().groups.values_mut() {
            group.reject(id);
        }
    }

    /// Judges the newest whole sweep of each group that was not judged as the store is now: `of` are the numbers of its accepted
    /// and of all sweeps.
    fn judge(&self, turn: &mut Turn, of: (usize, usize)) {
        for (key, sweep) in self.unjudged(turn, of) {
            let policy = policy::load(&self.config);
            match policy.and_then(|policy| judged(&self.store, &policy, &sweep)) {
                Ok(result) => {
                    turn.failed.remove(&sweep);
                    let judged = Arc::new(Judged::new(&result, sweep, of));
                    if let Some(group) = self.write().groups.get_mut(&key) {
                        group.judged = Some(judged);
                    }
                }
                // The page says that there are no verdicts.
                Err(error) => {
                    tracing::warn!(%error, %sweep, "a stored sweep cannot be judged");
                    turn.failed.insert(sweep, Failure { of, at: Instant::now() });
                }
            }
        }
    }

    fn unjudged(&self, turn: &Turn, of: (usize, usize)) -> Vec<(GroupKey, SweepId)> {
        let catalogue = self.catalogue.read().unwrap_or_else(PoisonError::into_inner);
        let stale = |(key, group): (&GroupKey, &super::Group)| {
            let (_, newest) = group.newest()?;
            let same = |j: &Arc<Judged>| j.sweep == newest.sweep && j.of == of;
            let failed =
                turn.failed.get(&newest.sweep).is_some_and(|failure| failure.stands(of, Instant::now()));
            let done = group.judged.as_ref().is_some_and(same) || failed;
            (!done).then(|| (key.clone(), newest.sweep.clone()))
        };
        catalogue.groups.iter().filter_map(stale).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    /// The examples of the repository, with a policy of our own that can be broken.
    fn work(policy: &Path) -> Work {
        let mut config = Config::resolve(None).expect("the defaults");
        config.state = policy.with_file_name("state");
        config.baselines = Path::new(env!("CARGO_MANIFEST_DIR")).join("baselines");
        config.policy = policy.to_owned();
        let store = wiring::store(&config);
        Work { config: Arc::new(config), store, catalogue: Arc::default() }
    }

    fn is_judged(work: &Work) -> bool {
        work.write().groups.values().all(|group| group.judged.is_some())
    }

    #[test]
    fn what_cannot_be_judged_is_tried_again_only_with_another_store() {
        let dir = tempfile::tempdir().expect("a directory");
        let policy = dir.path().join("policy.toml");
        std::fs::write(&policy, "[judge]\nalpha = 2.0\n").expect("written");
        let (work, mut turn) = (work(&policy), Turn::default());
        work.refresh(&mut turn).expect("listed");
        assert!(!turn.failed.is_empty() && !is_judged(&work));
        let times = |turn: &Turn| turn.failed.values().map(|failure| failure.at).collect::<Vec<_>>();
        let failed_at = times(&turn);
        // Were it tried at once, it would succeed.
        std::fs::write(&policy, "").expect("written");
        work.refresh(&mut turn).expect("listed");
        assert!(!is_judged(&work) && times(&turn) == failed_at);

        turn.failed.values_mut().for_each(|failure| failure.of.0 += 1);
        work.refresh(&mut turn).expect("listed");
        assert!(is_judged(&work), "another store");
    }

    #[test]
    fn a_failure_does_not_stand_for_ever() {
        let at = Instant::now();
        let failure = Failure { of: (5, 6), at };
        assert!(failure.stands((5, 6), at) && !failure.stands((6, 6), at) && !failure.stands((5, 7), at));
        assert!(!failure.stands((5, 6), at + AGAIN));
    }
}
