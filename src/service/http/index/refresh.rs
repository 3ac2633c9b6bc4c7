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
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{Duration, SystemTime};
use tokio::sync::Mutex;
use tokio::time::Instant;

/// How old what a page shows may be.
const STALE: Duration = Duration::from_secs(1);

/// The catalogue and how it follows the store.
#[derive(Debug)]
pub(in crate::service::http) struct Index {
    config: Arc<Config>,
    store: DirectoryStore,
    catalogue: Arc<RwLock<Catalogue>>,
    turn: Arc<Mutex<Turn>>,
    ready: AtomicBool,
}

/// What only the one who refreshes knows.
#[derive(Debug, Default)]
struct Turn {
    at: Option<Instant>,
    known: BTreeMap<SweepId, Known>,
    /// Files that could not be read, as they were then.
    broken: BTreeMap<PathBuf, (u64, Option<SystemTime>)>,
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
        let (catalogue, turn) = (Arc::default(), Arc::default());
        Self { config, store, catalogue, turn, ready: AtomicBool::new(false) }
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
        let done = tokio::task::spawn_blocking(move || {
            let done = work.refresh(&mut turn);
            turn.at = Some(Instant::now());
            done
        });
        match done.await {
            Ok(Ok(())) => self.ready.store(true, Ordering::Release),
            Ok(Err(error)) => tracing::warn!(%error, "the stored sweeps cannot be listed"),
            Err(error) => tracing::error!(%error, "reading the stored sweeps failed"),
        }
    }
}

/// What one refreshing judges.
struct Judging {
    /// Accepted sweeps and all sweeps of the store: with others the verdicts may be others.
    of: (usize, usize),
    /// Sweeps that could not be judged.
    failed: BTreeSet<SweepId>,
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
        let mut judging = Judging { of: (accepted, listing.len()), failed: BTreeSet::new() };
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
            self.judge(&mut judging);
        }
        self.write().unread = 0;
        self.judge(&mut judging);
        Ok(())
    }

    /// Drops what is not there any more.
    fn forget(&self, turn: &mut Turn, listing: &BTreeMap<SweepId, Places>) {
        let gone: Vec<SweepId> = turn.known.keys().filter(|id| !listing.contains_key(*id)).cloned().collect();
        for id in gone {
            turn.known.remove(&id);
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

    /// Judges the newest whole sweep of each group that was not judged as the store is now.
    fn judge(&self, judging: &mut Judging) {
        for (key, sweep) in self.unjudged(judging) {
            let policy = policy::load(&self.config);
            match policy.and_then(|policy| judged(&self.store, &policy, &sweep)) {
                Ok(result) => {
                    let judged = Arc::new(Judged::new(&result, sweep, judging.of));
                    if let Some(group) = self.write().groups.get_mut(&key) {
                        group.judged = Some(judged);
                    }
                }
                // It is tried again with the next refreshing, and the page says that there are no verdicts.
                Err(error) => {
                    tracing::warn!(%error, %sweep, "a stored sweep cannot be judged");
                    judging.failed.insert(sweep);
                }
            }
        }
    }

    fn unjudged(&self, judging: &Judging) -> Vec<(GroupKey, SweepId)> {
        let catalogue = self.catalogue.read().unwrap_or_else(PoisonError::into_inner);
        let stale = |(key, group): (&GroupKey, &super::Group)| {
            let (_, newest) = group.newest()?;
            let same = |j: &Arc<Judged>| j.sweep == newest.sweep && j.of == judging.of;
            let done = group.judged.as_ref().is_some_and(same) || judging.failed.contains(&newest.sweep);
            (!done).then(|| (key.clone(), newest.sweep.clone()))
        };
        catalogue.groups.iter().filter_map(stale).collect()
    }
}
