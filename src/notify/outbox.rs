//! What could not be sent yet: `<state>/outbox/`, a file a job, sent by the next run, in order, once.
//!
//! `push` is safe beside everything. Who sends takes the [`Turn`], so that two processes do not send the same. A
//! job is there until it is `done`: when a process dies between sending and `done`, the job is sent again, with
//! the same `delivery`, and receivers drop it (webhooks) or it is looked up first (GitHub). Jobs that will never be taken
//! go to `outbox/dead/` with the reason, files that cannot be read to `outbox/damaged/`; nothing is deleted unsent.

mod files;
#[cfg(test)]
mod tests;

use super::secret::Secret;
use chrono::{DateTime, Utc};
use files::{Files, Lock};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::io;
use std::path::{Path, PathBuf};

/// First field of each file.
const FORMAT: &str = "tollgate/outbox/1";
/// Longest error that is kept, characters.
const REASON: usize = 500;

/// The outbox cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OutboxError {
    /// Another process is sending.
    #[error("another process sends what {path} holds; it or the next run sends the rest")]
    Busy {
        /// The outbox.
        path: PathBuf,
    },
    /// A file cannot be read or written.
    #[error("cannot use {path}: {source}; the outbox must be on a local filesystem that this user may write")]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// No such route name.
    #[error("{route:?} is no name of a route; use lower-case letters, digits, `-` and `_`")]
    Route {
        /// What was given.
        route: String,
    },
    /// The job is not there (any more).
    #[error("the outbox has no job {id}")]
    Gone {
        /// Its number.
        id: u64,
    },
}

/// A job that waits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    format: String,
    /// Its number: higher than that of every job before it.
    pub id: u64,
    /// Its route; the jobs of one route are sent in order.
    pub route: String,
    /// Identity of the delivery, unique in the world, the same for each attempt.
    pub delivery: String,
    /// When it was pushed.
    pub pushed: DateTime<Utc>,
    /// Failed attempts.
    pub attempts: u32,
    /// When the last of them was.
    pub last_attempt: Option<DateTime<Utc>>,
    /// Why it failed; in `dead/`, why the job was refused.
    pub last_error: Option<String>,
    /// What to send.
    pub job: Value,
}

/// A file that was set aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damaged {
    /// Where it is now.
    pub path: PathBuf,
    /// What is wrong with it.
    pub reason: String,
}

/// What waits.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Pending {
    /// The jobs, oldest first.
    pub jobs: Vec<Entry>,
    /// Files that were set aside just now.
    pub damaged: Vec<Damaged>,
}

/// The outbox of a state directory.
#[derive(Debug)]
pub struct Outbox {
    files: Files,
    secrets: Vec<Secret>,
}

impl Outbox {
    /// Below `state`. Touches nothing yet.
    pub fn new(state: &Path) -> Self {
        Self { files: Files::new(state.join("outbox")), secrets: Vec::new() }
    }

    /// With secrets that no kept error may hold.
    #[must_use]
    pub fn hiding(mut self, secrets: impl IntoIterator<Item = Secret>) -> Self {
        self.secrets.extend(secrets);
        self
    }

    /// Adds a job at the end of a route; when this returns, it survives a crash. Returns its number.
    pub fn push(&self, route: &str, job: Value, at: DateTime<Utc>) -> Result<u64, OutboxError> {
        let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_');
        if route.is_empty() || route.len() > 64 || !route.chars().all(good) {
            return Err(OutboxError::Route { route: route.to_owned() });
        }
        let _lock = self.files.lock()?;
        let id = self.files.take_number()?;
        let entry = Entry {
            format: FORMAT.to_owned(),
            id,
            route: route.to_owned(),
            delivery: format!("{:032x}", rand::random::<u128>()),
            pushed: at,
            attempts: 0,
            last_attempt: None,
            last_error: None,
            job,
        };
        self.files.write(&self.files.job(id, route), &entry)?;
        Ok(id)
    }

    /// Whether a job of a route waits that is meant; what cannot be read is not.
    pub fn has(&self, route: &str, meant: impl Fn(&Value) -> bool) -> Result<bool, OutboxError> {
        let _lock = self.files.lock()?;
        let waiting =
            self.files.jobs()?.into_iter().filter_map(|(id, path)| read(&self.files, &path, id).ok());
        Ok(waiting.into_iter().any(|entry| entry.route == route && meant(&entry.job)))
    }

    /// Takes the turn to send; [`OutboxError::Busy`] when another process has it.
    pub fn turn(&self) -> Result<Turn<'_>, OutboxError> {
        Ok(Turn { outbox: self, _lock: self.files.turn()? })
    }
}

/// The right to send, until it is dropped or the process dies.
#[derive(Debug)]
pub struct Turn<'a> {
    outbox: &'a Outbox,
    _lock: Lock,
}

impl Turn<'_> {
    /// The jobs of one route, oldest first.
    pub fn pending(&self, route: &str) -> Result<Pending, OutboxError> {
        let mut all = self.all()?;
        all.jobs.retain(|entry| entry.route == route);
        Ok(all)
    }

    /// The jobs of all routes, oldest first. Sets damaged files aside.
    pub fn all(&self) -> Result<Pending, OutboxError> {
        let files = &self.outbox.files;
        let _lock = files.lock()?;
        let mut pending = Pending::default();
        for (id, path) in files.jobs()? {
            if files.is_dead(&path)? {
                // A crash between writing it there and removing it here.
                files.remove(&path)?;
                continue;
            }
            match read(files, &path, id) {
                Ok(entry) => pending.jobs.push(entry),
                Err(reason) => pending.damaged.push(Damaged { path: files.set_aside(&path)?, reason }),
            }
        }
        Ok(pending)
    }

    /// The job goes on with what was found out or done by now, so that whoever does it again knows.
    pub fn update(&self, id: u64, job: Value) -> Result<(), OutboxError> {
        let files = &self.outbox.files;
        let _lock = files.lock()?;
        let path = self.path(id)?;
        let entry = Entry { job, ..entry(files, &path, id)? };
        files.write(&path, &entry)
    }

    /// The job was sent.
    pub fn done(&self, id: u64) -> Result<(), OutboxError> {
        let files = &self.outbox.files;
        let _lock = files.lock()?;
        files.remove(&self.path(id)?)
    }

    /// An attempt failed; the job waits for the next run, and those behind it with it.
    pub fn failed(&self, id: u64, reason: &str, at: DateTime<Utc>) -> Result<(), OutboxError> {
        let files = &self.outbox.files;
        let _lock = files.lock()?;
        let path = self.path(id)?;
        files.write(&path, &self.after_failure(&path, id, reason, at)?)
    }

    /// The job will never be taken: it goes to `dead/`, out of the way of those behind it. Returns where it is.
    pub fn refused(&self, id: u64, reason: &str, at: DateTime<Utc>) -> Result<PathBuf, OutboxError> {
        let files = &self.outbox.files;
        let _lock = files.lock()?;
        let path = self.path(id)?;
        let dead = files.dead(&path)?;
        files.write(&dead, &self.after_failure(&path, id, reason, at)?)?;
        files.remove(&path)?;
        Ok(dead)
    }

    fn path(&self, id: u64) -> Result<PathBuf, OutboxError> {
        let found = self.outbox.files.jobs()?.into_iter().find(|(at, _)| *at == id);
        found.map(|(_, path)| path).ok_or(OutboxError::Gone { id })
    }

    fn after_failure(
        &self,
        path: &Path,
        id: u64,
        reason: &str,
        at: DateTime<Utc>,
    ) -> Result<Entry, OutboxError> {
        let mut entry = entry(&self.outbox.files, path, id)?;
        let hidden = self.outbox.secrets.iter().fold(reason.to_owned(), |text, secret| secret.hide(&text));
        entry.attempts = entry.attempts.saturating_add(1);
        entry.last_attempt = Some(at);
        entry.last_error = Some(hidden.chars().take(REASON).collect());
        Ok(entry)
    }
}

/// A job that was read before.
fn entry(files: &Files, path: &Path, id: u64) -> Result<Entry, OutboxError> {
    read(files, path, id)
        .map_err(|reason| OutboxError::Io { path: path.to_owned(), source: io::Error::other(reason) })
}

/// A job, or what is wrong with its file.
fn read(files: &Files, path: &Path, id: u64) -> Result<Entry, String> {
    let bytes = files::read(path)?;
    let entry: Entry = serde_json::from_slice(&bytes).map_err(|e| e.to_string())?;
    if entry.format != FORMAT {
        return Err(format!("its format is {:?}, not {FORMAT}", entry.format));
    }
    let named = files.job(entry.id, &entry.route);
    if entry.id != id || named != path {
        Err("it does not say what its name says".to_owned())
    } else {
        Ok(entry)
    }
}
