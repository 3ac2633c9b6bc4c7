//! The service's files: the queue, and the lock that there is one service a state directory.

use crate::durable;
use crate::host::open_lock_file;
use crate::watch::Queue;
use crate::watch::queue::QUEUE_FORMAT;
use chrono::{DateTime, Utc};
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The state directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeepError {
    /// Another service has it.
    #[error("another `tollgate watch` uses {path}; stop it, or give this one another --state")]
    Taken {
        /// The state directory.
        path: PathBuf,
    },
    /// A newer version wrote the queue.
    #[error(
        "{path} has format {found:?}, this tollgate knows {QUEUE_FORMAT:?}; use the version that wrote it, or remove it"
    )]
    Format {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: String,
    },
    /// A file.
    #[error("cannot use {path}: {source}; it must be on a local filesystem that this user may write")]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// The queue's file, as long as this process is the service.
#[derive(Debug)]
pub struct Keep {
    path: PathBuf,
    _lock: File,
}

/// How old a file must be that others, too, may be writing.
const STALE: Duration = Duration::from_secs(3600);

impl Keep {
    /// Becomes the service of a state directory, which is made when it is not there.
    pub fn open(state: &Path) -> Result<Self, KeepError> {
        let io = |path: &Path| {
            let path = path.to_owned();
            move |source| KeepError::Io { path, source }
        };
        fs::create_dir_all(state).map_err(io(state))?;
        let path = state.join("service.lock");
        let lock = open_lock_file(&path).map_err(io(&path))?;
        match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => return Err(KeepError::Taken { path: state.to_owned() }),
            Err(errno) => return Err(io(&path)(errno.into())),
        }
        let path = state.join("queue.json");
        durable::remove_half_written(&path);
        for directory in [state.to_owned(), state.join("sweeps")] {
            durable::remove_stale(&directory, STALE);
        }
        Ok(Self { path, _lock: lock })
    }

    /// The queue as it was left; an empty one with this seed when there is none. A damaged one is set aside: what it held is
    /// found again by looking at the host.
    pub fn load(&self, seed: u64, now: DateTime<Utc>) -> Result<Queue, KeepError> {
        let io = |source| KeepError::Io { path: self.path.clone(), source };
        let bytes = match fs::read(&self.path) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Queue::new(seed)),
            Err(e) => return Err(io(e)),
        };
        let value: serde_json::Value = serde_json::from_slice(&bytes).unwrap_or_default();
        match value["format"].as_str() {
            Some(found) if found != QUEUE_FORMAT => {
                Err(KeepError::Format { path: self.path.clone(), found: found.chars().take(100).collect() })
            }
            _ => match serde_json::from_slice(&bytes) {
                Ok(queue) => Ok(queue),
                Err(error) => {
                    let aside = self.path.with_extension(format!("damaged-{}", now.timestamp()));
                    tracing::error!(%error, "the queue is damaged; it is set aside as {}", aside.display());
                    fs::rename(&self.path, aside).map_err(io)?;
                    Ok(Queue::new(seed))
                }
            },
        }
    }

    /// Writes the queue down. When this returns, a crash does not lose it.
    pub fn save(&self, queue: &Queue) -> Result<(), KeepError> {
        let io = |source| KeepError::Io { path: self.path.clone(), source };
        let mut text = serde_json::to_vec_pretty(queue).map_err(|e| io(e.into()))?;
        text.push(b'\n');
        durable::write(&self.path, &text, 0o600).map_err(io)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watch::Reason;
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt as _;

    fn now() -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000, 0).expect("a time")
    }

    #[test]
    fn a_queue_is_kept_and_a_second_service_is_refused() {
        let dir = tempfile::tempdir().expect("a directory");
        let state = dir.path().join("state");
        let keep = Keep::open(&state).expect("free");
        let mut queue = keep.load(7, now()).expect("empty");
        queue.ask("smoke", Reason::NoBaseline, now());
        keep.save(&queue).expect("saved");
        let refused = Keep::open(&state).expect_err("taken").to_string();
        assert!(refused.contains("another `tollgate watch`"), "{refused}");
        drop(keep);
        assert_eq!(Keep::open(&state).expect("free").load(8, now()).expect("read"), queue);
    }

    #[test]
    fn nobody_else_may_hold_the_lock() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("service.lock");
        // As an earlier version made it.
        fs::write(&path, "").expect("written");
        fs::set_permissions(&path, Permissions::from_mode(0o644)).expect("mode");
        let _keep = Keep::open(dir.path()).expect("free");
        assert_eq!(fs::metadata(&path).expect("there").permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn what_a_killed_service_left_half_written_is_removed() {
        let dir = tempfile::tempdir().expect("a directory");
        let half = dir.path().join(format!(".queue.json.{}.new", std::process::id()));
        fs::write(&half, "{").expect("written");
        let keep = Keep::open(dir.path()).expect("free");
        assert!(!half.exists());
        keep.save(&Queue::new(7)).expect("saved");
    }

    #[test]
    fn a_damaged_queue_is_set_aside_and_one_of_a_newer_version_is_refused() {
        let dir = tempfile::tempdir().expect("a directory");
        let keep = Keep::open(dir.path()).expect("free");
        let path = dir.path().join("queue.json");
        for damaged in ["", "{\"format\":\"tollgate/queue/1\",\"seed\":", "[]", "{\"seed\":1}"] {
            fs::write(&path, damaged).expect("written");
            assert_eq!(keep.load(7, now()).expect("set aside"), Queue::new(7), "{damaged}");
            assert!(!path.exists());
        }
        fs::write(&path, "{\"format\":\"tollgate/queue/9\"}").expect("written");
        let error = keep.load(7, now()).expect_err("newer").to_string();
        assert!(error.contains("tollgate/queue/9") && path.exists(), "{error}");
    }
}
