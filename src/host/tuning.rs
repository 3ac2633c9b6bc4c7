//! Tuning of the host for the time of a sweep, under a guard.
//!
//! Order of things: the old values are written durably to `<state>/tuning.json`, each knob is set and read back, the
//! guard restores at the end. After a crash or `kill -9` the record is still there, and `clean` or the next
//! sweep restores from it ([`Record::restore`]). A knob is restored only while it still has the value that was set
//! here: what somebody else changed meanwhile is theirs, and is told. After a reboot there is nothing to restore.

mod knob;
mod record;

use super::processes;
use crate::model::SweepId;
use knob::Knob;
use std::{
    io,
    path::{Path, PathBuf},
};

pub use record::{Record, Restored};

/// Which knobs are wanted at which value; one that is absent is left alone, and so is one that the host does not have.
/// `kernel.randomize_va_space` is never touched: it is a part of what production pays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// The frequency governor of all policies, `performance`.
    pub governor: Option<String>,
    /// Whether processors may exceed their nominal frequency.
    pub turbo: Option<bool>,
    /// Transparent huge pages: `always`, `madvise` or `never`.
    pub thp: Option<String>,
    /// `vm.swappiness`, 0 to 200.
    pub swappiness: Option<u32>,
    /// `kernel.numa_balancing`.
    pub numa_balancing: Option<bool>,
    /// Huge pages of the default size that are reserved in addition to those that are there; none or 0 leaves them.
    pub more_hugepages: Option<u64>,
}

/// The host cannot be tuned, or not be restored.
#[derive(Debug, thiserror::Error)]
pub enum TuningError {
    /// A knob cannot be set; what was set before it is restored.
    #[error(
        "{knob} cannot be set to {wanted:?} ({path}: {source}); run as root, or leave it out under [tuning]"
    )]
    Set {
        /// `swappiness`.
        knob: String,
        /// The value.
        wanted: String,
        /// Its file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A knob was written and holds something else; what was set before it is restored.
    #[error(
        "{knob} does not take {wanted:?}: {path} holds {found:?} afterwards; leave it out under [tuning]"
    )]
    NotTaken {
        /// `hugepages`.
        knob: String,
        /// The value.
        wanted: String,
        /// Its file.
        path: PathBuf,
        /// What it holds; `nothing` when it cannot be read.
        found: String,
    },
    /// Without it nobody could tell after a crash whether the values are still those of this boot.
    #[error(
        "this host does not tell its boot id; /proc/sys/kernel/random/boot_id must be readable to tune it"
    )]
    BootId,
    /// Another record is there.
    #[error("{path} is of sweep {sweep}, which was not restored; `tollgate clean` restores it")]
    Pending {
        /// The record.
        path: PathBuf,
        /// Whose it is.
        sweep: SweepId,
    },
    /// The record is not one of ours.
    #[error("{path} is damaged ({why}); it holds the values before tuning: set them by hand, then remove it")]
    Damaged {
        /// The record.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// The record cannot be read, written or removed.
    #[error("{path}: {source}; the state directory must be writable and not full")]
    Io {
        /// The record.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// What [`Wanted`] means on one host, before anything is changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tuning {
    root: PathBuf,
    knobs: Vec<Knob>,
}

impl Tuning {
    /// The knobs that the host at `root` has, of those that are wanted. A knob that holds the wanted value
    /// already is among them, so that it is watched too.
    pub fn of_host(root: &Path, wanted: &Wanted) -> Self {
        Self { root: root.to_owned(), knobs: knob::of_host(root, wanted) }
    }

    /// What is set, for the fingerprint: `governor performance, swappiness 10`, or `nothing to tune`. The same
    /// before, during and after tuning.
    pub fn describe(&self, wanted: &Wanted) -> String {
        let mut words: Vec<String> = self.knobs.iter().map(|knob| knob.describe(wanted)).collect();
        // Policies of one governor say the same.
        words.dedup();
        if words.is_empty() { "nothing to tune".to_owned() } else { words.join(", ") }
    }

    /// Writes the record to the state directory, sets the knobs and reads them back. On an error everything is
    /// restored. A record that is there must have been restored before ([`Record::read`]).
    pub fn apply(self, state: &Path, sweep: &SweepId) -> Result<Guard, TuningError> {
        let boot_id = processes::boot_id(&self.root).ok_or(TuningError::BootId)?;
        let path = record::path(state);
        if let Some(pending) = Record::read(state)? {
            return Err(TuningError::Pending { path, sweep: pending.sweep });
        }
        let record = Record { version: 1, sweep: sweep.clone(), boot_id, knobs: self.knobs };
        record.write(&path)?;
        for (number, knob) in record.knobs.iter().enumerate() {
            if let Err(error) = knob.set(&self.root) {
                // This one may hold neither the old nor the new value, so it is written whatever it holds.
                let mut restored = knob.write(&self.root, &knob.before).is_ok();
                for earlier in record.knobs[..number].iter().rev() {
                    restored &= earlier.restore(&self.root).is_ok();
                }
                // What could not be taken back stays on record for `clean`.
                if restored {
                    record::remove(&path)?;
                }
                return Err(error);
            }
        }
        Ok(Guard { root: self.root, state: state.to_owned(), record, restored: false })
    }
}

/// A tuned host. Restores when it is dropped; [`Guard::restore`] also says what came of it.
#[derive(Debug)]
#[must_use = "the host is restored when the guard is dropped"]
pub struct Guard {
    root: PathBuf,
    state: PathBuf,
    record: Record,
    restored: bool,
}

impl Guard {
    /// The knobs that somebody else changed since they were set, one line each; empty when all hold.
    pub fn verify(&self) -> Vec<String> {
        let changed = self.record.knobs.iter().filter_map(|knob| {
            let now = knob.read(&self.root);
            (now.as_deref() != Some(knob.set.as_str())).then(|| {
                let now = now.unwrap_or_else(|| "nothing".to_owned());
                format!("{} was set to {} and is {now} now: somebody else changed it", knob.name, knob.set)
            })
        });
        changed.collect()
    }

    /// Gives each knob its old value, unless somebody else changed it meanwhile.
    pub fn restore(mut self) -> Result<Restored, TuningError> {
        self.restored = true;
        self.record.restore(&self.root, &self.state)
    }

    /// Leaves everything as a killed process would.
    #[cfg(test)]
    fn crash(mut self) {
        self.restored = true;
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if self.restored {
            return;
        }
        match self.record.restore(&self.root, &self.state) {
            Ok(restored) => {
                for line in restored.foreign.iter().chain(&restored.failed) {
                    tracing::warn!("tuning: {line}");
                }
            }
            Err(error) => tracing::error!(%error, "the host's tuning is not restored"),
        }
    }
}

#[cfg(test)]
mod tests;
