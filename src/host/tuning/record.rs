//! The record of what was tuned, `<state>/tuning.json`: written before anything is changed, removed when all is restored.

use super::{
    super::processes,
    TuningError,
    knob::{Fate, Knob},
};
use crate::{durable, model::SweepId};
use serde::{Deserialize, Serialize};
use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// Values before and during tuning, whose sweep it is, and the boot for which they hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    pub(super) version: u32,
    /// The sweep that tuned.
    pub sweep: SweepId,
    pub(super) boot_id: String,
    pub(super) knobs: Vec<Knob>,
}

/// What became of the knobs, one line each.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Restored {
    /// Restored: `swappiness restored to 60`.
    pub restored: Vec<String>,
    /// Left as they are, because somebody else changed them meanwhile. Told once: the record goes.
    pub foreign: Vec<String>,
    /// Could not be restored: the record stays, so that it can be tried again.
    pub failed: Vec<String>,
}

/// Where the record of a state directory is.
pub(super) fn path(state: &Path) -> PathBuf {
    state.join("tuning.json")
}

/// Removes a record; nothing happens when there is none.
pub(super) fn remove(path: &Path) -> Result<(), TuningError> {
    match fs::remove_file(path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(TuningError::Io { path: path.to_owned(), source })
        }
        _ => Ok(()),
    }
}

impl Record {
    /// The record in a state directory: of a sweep that tunes now, or that did not restore. None when there is none.
    pub fn read(state: &Path) -> Result<Option<Self>, TuningError> {
        let path = path(state);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(TuningError::Io { path, source }),
        };
        let record: Self = serde_json::from_str(&text)
            .map_err(|e| TuningError::Damaged { path: path.clone(), why: e.to_string() })?;
        if record.version != 1 {
            let why = format!("it has version {}, of a newer tollgate", record.version);
            return Err(TuningError::Damaged { path, why });
        }
        Ok(Some(record))
    }

    pub(super) fn write(&self, path: &Path) -> Result<(), TuningError> {
        let io = |source| TuningError::Io { path: path.to_owned(), source };
        let text = serde_json::to_vec_pretty(self).map_err(|e| io(e.into()))?;
        path.parent().map_or(Ok(()), fs::create_dir_all).map_err(io)?;
        durable::write(path, &text, 0o600).map_err(io)
    }

    /// What restoring would change on the host at `root`, one line each, without changing anything.
    pub fn pending(&self, root: &Path) -> Vec<String> {
        if !self.is_of_this_boot(root) {
            return Vec::new();
        }
        self.knobs
            .iter()
            .filter(|knob| knob.read(root).is_some_and(|now| now != knob.before && knob.is_ours(&now)))
            .map(|knob| format!("tuning: {} from {} to {}", knob.label(), knob.set, knob.before))
            .collect()
    }

    /// Restores the host at `root`, the last knob first, and removes the record from the state directory unless something
    /// failed. What another boot tuned is gone with it, so then only the record is removed.
    pub fn restore(&self, root: &Path, state: &Path) -> Result<Restored, TuningError> {
        let mut done = Restored::default();
        let knobs: &[Knob] = if self.is_of_this_boot(root) { &self.knobs } else { &[] };
        for knob in knobs.iter().rev() {
            match knob.restore(root) {
                Ok(Fate::AsBefore) => {}
                Ok(Fate::Restored) => done.restored.push(format!(
                    "tuning: {} from {} to {}",
                    knob.label(),
                    knob.set,
                    knob.before
                )),
                Ok(Fate::Foreign(now)) => done.foreign.push(format!(
                    "{} is {now} and stays so: it was {} before it was tuned to {}, and somebody else changed it since",
                    knob.label(),
                    knob.before,
                    knob.set
                )),
                Err(error) => done.failed.push(error.to_string()),
            }
        }
        if done.failed.is_empty() {
            remove(&path(state))?;
        }
        Ok(done)
    }

    fn is_of_this_boot(&self, root: &Path) -> bool {
        processes::boot_id(root).as_ref() == Some(&self.boot_id)
    }
}

impl Knob {
    /// Its name, with the policy where there are several.
    fn label(&self) -> String {
        let policy = self.path.iter().map(|part| part.to_string_lossy()).find(|part| {
            part.strip_prefix("policy")
                .is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
        });
        policy.map_or_else(|| self.name.clone(), |policy| format!("{} of {policy}", self.name))
    }
}
