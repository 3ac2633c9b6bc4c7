//! The host's tuning as a part of a sweep: what the configuration asks for, a guard around the measuring, and
//! what crashed sweeps left tuned.

use super::clean::Cleaned;
use crate::config::Config;
use crate::host::tuning::{Guard, Record, Restored};
use crate::host::{HostLock, Tuning, TuningError, Wanted};
use crate::model::SweepId;
use crate::sweep::{Progress, Step};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

/// What the configuration asks for; none when nothing is to be tuned.
pub fn wanted(config: &Config) -> Option<Wanted> {
    let tuning = &config.tuning;
    tuning.apply.then(|| Wanted {
        governor: tuning.governor.clone(),
        turbo: tuning.turbo,
        thp: tuning.thp.map(str::to_owned),
        swappiness: tuning.swappiness,
        numa_balancing: tuning.numa_balancing,
        more_hugepages: tuning.more_hugepages,
    })
}

/// What a sweep sets on this host, for the fingerprint's context: `none`, or `thp madvise, swappiness 10`.
pub fn describe(config: &Config) -> String {
    wanted(config).map_or_else(
        || "none".to_owned(),
        |wanted| Tuning::of_host(Path::new("/"), &wanted).describe(&wanted),
    )
}

/// Tunes the host when the configuration says so. It is restored by [`Tuned::end`], and when this is dropped.
pub fn begin(config: &Config, sweep: &SweepId) -> Result<Tuned, TuningError> {
    let guard = match wanted(config) {
        Some(wanted) => Some(Tuning::of_host(Path::new("/"), &wanted).apply(&config.state, sweep)?),
        None => None,
    };
    Ok(Tuned { guard, told: Mutex::default() })
}

/// A host for the time of a measurement, tuned or not.
#[derive(Debug)]
pub struct Tuned {
    guard: Option<Guard>,
    /// Changes that were told already.
    told: Mutex<BTreeSet<String>>,
}

impl Tuned {
    /// A progress that also looks after the knobs when half of the blocks are done.
    pub fn watch<'a>(&'a self, inner: &'a dyn Progress) -> Watch<'a> {
        Watch { tuned: self, inner, looked: AtomicBool::new(false) }
    }

    fn tell_changes(&self, progress: &dyn Progress) {
        self.tell(self.guard.iter().flat_map(Guard::verify), progress);
    }

    fn tell(&self, lines: impl Iterator<Item = String>, progress: &dyn Progress) {
        // Nothing panics while it is held; a set that another thread left is as good.
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        for line in lines {
            if told.insert(line.clone()) {
                progress.step(Step::Note(format!("tuning: {line}")));
            }
        }
    }

    /// Looks after the knobs once more, restores them, and tells what came of it.
    pub fn end(self, progress: &dyn Progress) {
        self.tell_changes(progress);
        let Some(guard) = self.guard else { return };
        match guard.restore() {
            // What was restored as it should be is no news.
            Ok(Restored { failed, .. }) => {
                for line in failed {
                    progress.step(Step::Note(format!(
                        "tuning is not restored: {line}; `tollgate clean` tries again"
                    )));
                }
            }
            Err(error) => progress.step(Step::Note(format!("tuning is not restored: {error}"))),
        }
    }
}

/// Passes all steps on, and verifies the tuning once, halfway. That reads a few small files between two blocks.
pub struct Watch<'a> {
    tuned: &'a Tuned,
    inner: &'a dyn Progress,
    looked: AtomicBool,
}

impl Progress for Watch<'_> {
    fn step(&self, step: Step) {
        let halfway = matches!(step, Step::Blocks { done, of, .. } if done * 2 >= of);
        self.inner.step(step);
        if halfway && !self.looked.swap(true, Ordering::Relaxed) {
            self.tuned.tell_changes(self.inner);
        }
    }
}

/// Restores what a sweep that is not alive left tuned, as far as this state directory knows. Nothing is touched while
/// another sweep measures on this host.
pub(super) fn clean(config: &Config, dry_run: bool, cleaned: &mut Cleaned) {
    let root = Path::new("/");
    let record = match Record::read(&config.state) {
        Ok(Some(record)) => record,
        Ok(None) => return,
        Err(error) => return cleaned.failed.push(error.to_string()),
    };
    if let Some(other) = HostLock::living(root).iter().find(|living| !living.is_ours()) {
        if other.sweep != record.sweep {
            let why = format!(
                "tuning of {}: sweep {} measures now; clean when it has ended",
                record.sweep, other.sweep
            );
            cleaned.failed.push(why);
        }
        return;
    }
    if dry_run {
        return cleaned.removed.extend(record.pending(root));
    }
    match record.restore(root, &config.state) {
        Ok(Restored { restored, foreign, failed }) => {
            cleaned.removed.extend(restored);
            cleaned.told.extend(foreign.into_iter().map(|line| format!("tuning: {line}")));
            cleaned.failed.extend(failed);
        }
        Err(error) => cleaned.failed.push(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Kept(Mutex<Vec<Step>>);

    impl Progress for Kept {
        fn step(&self, step: Step) {
            self.0.lock().expect("not poisoned").push(step);
        }
    }

    #[test]
    fn halfway_is_seen_once_and_all_steps_pass() {
        let kept = Kept(Mutex::new(Vec::new()));
        let tuned = Tuned { guard: None, told: Mutex::default() };
        let watch = tuned.watch(&kept);
        for done in 1..=4 {
            watch.step(Step::Blocks { done, of: 4, failed: 0 });
            assert_eq!(watch.looked.load(Ordering::Relaxed), done >= 2);
        }
        assert_eq!(kept.0.lock().expect("not poisoned").len(), 4);
    }

    #[test]
    fn a_change_is_told_once() {
        let kept = Kept(Mutex::new(Vec::new()));
        let tuned = Tuned { guard: None, told: Mutex::default() };
        for lines in [vec!["a"], vec!["a", "b"]] {
            tuned.tell(lines.into_iter().map(str::to_owned), &kept);
        }
        let notes = ["tuning: a", "tuning: b"].map(|text| Step::Note(text.to_owned()));
        assert_eq!(*kept.0.lock().expect("not poisoned"), notes);
    }

    #[test]
    fn nothing_is_wanted_by_default() {
        let mut config = Config::resolve(None).expect("valid");
        assert_eq!((wanted(&config), describe(&config)), (None, "none".to_owned()));
        config.tuning.apply = true;
        let wanted = wanted(&config).expect("wanted");
        assert_eq!((wanted.swappiness, wanted.thp.as_deref()), (Some(10), Some("madvise")));
    }
}
