//! The outbox's files: names, numbers, locks, and every change of the directory.

use super::OutboxError;
use crate::durable;
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use serde::Serialize;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

/// Larger than any job: twice the largest result that is read, with room for what is kept beside it; a larger file is
/// damaged.
const LARGEST: u64 = 72 << 20;
/// How long one change of another process is waited for.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often it is tried meanwhile.
const TRIES: u32 = 500;

/// A held flock(2); the kernel releases it when the file is closed, however the process dies.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

/// The directory.
#[derive(Debug)]
pub struct Files {
    root: PathBuf,
    /// Changes before a pretended crash.
    #[cfg(test)]
    pub left: std::sync::atomic::AtomicU32,
}

fn io_error(path: &Path) -> impl FnOnce(io::Error) -> OutboxError {
    let path = path.to_owned();
    |source| OutboxError::Io { path, source }
}

impl Files {
    pub fn new(root: PathBuf) -> Self {
        Self {
            root,
            #[cfg(test)]
            left: u32::MAX.into(),
        }
    }

    /// The file of a job.
    pub fn job(&self, id: u64, route: &str) -> PathBuf {
        self.root.join(format!("{id:012}-{route}.json"))
    }

    /// The lock of one change. Removes what a process that was killed left half-written, since whoever writes
    /// holds this lock.
    pub fn lock(&self) -> Result<Lock, OutboxError> {
        let path = self.root.join("files.lock");
        let file = self.open_lock(&path)?;
        for attempt in 1..=TRIES {
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => break,
                Err(Errno::WOULDBLOCK | Errno::INTR) if attempt < TRIES => thread::sleep(PATIENCE / TRIES),
                Err(Errno::WOULDBLOCK | Errno::INTR) => {
                    return Err(OutboxError::Busy { path: self.root.clone() });
                }
                Err(e) => return Err(io_error(&path)(e.into())),
            }
        }
        for directory in [self.root.clone(), self.root.join("dead")] {
            for name in names(&directory)? {
                if is_half(&name) {
                    let half = directory.join(name);
                    fs::remove_file(&half).map_err(io_error(&half))?;
                }
            }
        }
        Ok(Lock { _file: file })
    }

    /// The lock of the one who sends.
    pub fn turn(&self) -> Result<Lock, OutboxError> {
        let path = self.root.join("turn.lock");
        let file = self.open_lock(&path)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Lock { _file: file }),
            Err(Errno::WOULDBLOCK) => Err(OutboxError::Busy { path: self.root.clone() }),
            Err(e) => Err(io_error(&path)(e.into())),
        }
    }

    fn open_lock(&self, path: &Path) -> Result<File, OutboxError> {
        make(&self.root)?;
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        options.open(path).map_err(io_error(path))
    }

    /// The next number, never given before: the counter is written first, and files of higher numbers count too.
    pub fn take_number(&self) -> Result<u64, OutboxError> {
        let counter = self.root.join("next");
        let said = fs::read_to_string(&counter).ok().and_then(|text| text.trim().parse::<u64>().ok());
        let mut next = said.unwrap_or(1);
        for directory in [self.root.clone(), self.root.join("dead"), self.root.join("damaged")] {
            let ids = names(&directory)?.into_iter().filter_map(|name| number(&name));
            next = ids.fold(next, |next, id| next.max(id.saturating_add(1)));
        }
        self.change(&counter, || durable::write(&counter, format!("{}\n", next + 1).as_bytes(), 0o600))?;
        Ok(next)
    }

    /// Jobs that wait, by number.
    pub fn jobs(&self) -> Result<Vec<(u64, PathBuf)>, OutboxError> {
        let names = names(&self.root)?.into_iter();
        let mut jobs: Vec<_> =
            names.filter_map(|name| Some((number(&name)?, self.root.join(&name)))).collect();
        jobs.sort();
        Ok(jobs)
    }

    pub fn write(&self, path: &Path, entry: &impl Serialize) -> Result<(), OutboxError> {
        let text = serde_json::to_string_pretty(entry).map_err(|e| io_error(path)(e.into()))?;
        self.change(path, || durable::write(path, text.as_bytes(), 0o600))
    }

    pub fn remove(&self, path: &Path) -> Result<(), OutboxError> {
        self.change(path, || {
            fs::remove_file(path)?;
            File::open(&self.root)?.sync_all()
        })
    }

    /// Where a job's file is when it is dead.
    pub fn dead(&self, path: &Path) -> Result<PathBuf, OutboxError> {
        let directory = self.root.join("dead");
        make(&directory)?;
        Ok(directory.join(path.file_name().unwrap_or_default()))
    }

    pub fn is_dead(&self, path: &Path) -> Result<bool, OutboxError> {
        let dead = self.root.join("dead").join(path.file_name().unwrap_or_default());
        dead.try_exists().map_err(io_error(&dead))
    }

    /// Moves a damaged file out of the way; one of the same name that is there already stays.
    pub fn set_aside(&self, path: &Path) -> Result<PathBuf, OutboxError> {
        let directory = self.root.join("damaged");
        make(&directory)?;
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let mut target = directory.join(&name);
        let mut copy = 1;
        while target.try_exists().map_err(io_error(&target))? {
            target = directory.join(format!("{name}.{copy}"));
            copy += 1;
        }
        self.change(path, || {
            fs::rename(path, &target)?;
            File::open(&directory)?.sync_all()?;
            File::open(&self.root)?.sync_all()
        })?;
        Ok(target)
    }

    fn change(&self, path: &Path, change: impl FnOnce() -> io::Result<()>) -> Result<(), OutboxError> {
        self.crash(path, true)
            .and_then(|()| change())
            .and_then(|()| self.crash(path, false))
            .map_err(io_error(path))
    }

    #[cfg(not(test))]
    #[expect(clippy::unused_self, clippy::unnecessary_wraps, reason = "a test crashes here")]
    fn crash(&self, _: &Path, _: bool) -> io::Result<()> {
        Ok(())
    }

    /// Before or after a change; a crash before one leaves what a half-done write leaves.
    #[cfg(test)]
    fn crash(&self, path: &Path, before: bool) -> io::Result<()> {
        use std::sync::atomic::Ordering::Relaxed;
        let left = self.left.load(Relaxed);
        if left > 0 {
            self.left.store(left - 1, Relaxed);
            return Ok(());
        }
        if before {
            let name = path.file_name().expect("a name").to_string_lossy();
            fs::write(path.with_file_name(format!(".{name}.00ff00ff00ff00ff.new")), "{\"half")?;
        }
        Err(io::Error::other("crash"))
    }
}

/// Makes a directory that only this user reads.
fn make(directory: &Path) -> Result<(), OutboxError> {
    DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(io_error(directory))
}

/// The bytes of a job's file, or what is wrong with it.
pub fn read(path: &Path) -> Result<Vec<u8>, String> {
    let file =
        OpenOptions::new().read(true).custom_flags(nonblocking()).open(path).map_err(|e| e.to_string())?;
    let metadata = file.metadata().map_err(|e| e.to_string())?;
    if !metadata.is_file() || metadata.len() > LARGEST {
        return Err("it is no file of a job's size".to_owned());
    }
    let mut bytes = Vec::new();
    file.take(LARGEST).read_to_end(&mut bytes).map_err(|e| e.to_string())?;
    Ok(bytes)
}

/// A named pipe in place of a file must not block.
fn nonblocking() -> i32 {
    i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).unwrap_or(0)
}

/// Whether `durable` had begun this file and not renamed it.
fn is_half(name: &str) -> bool {
    name.starts_with('.') && name.rsplit_once('.').is_some_and(|(_, last)| last == "new")
}

/// The number in a job's name.
fn number(name: &str) -> Option<u64> {
    let (digits, _) = name.split_once('-')?;
    let is_job = name.contains(".json") && digits.len() >= 12 && digits.bytes().all(|b| b.is_ascii_digit());
    is_job.then(|| digits.parse().ok()).flatten()
}

/// Names in a directory; none when it is not there.
fn names(directory: &Path) -> Result<Vec<String>, OutboxError> {
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(io_error(directory)(e)),
    };
    let mut names = Vec::new();
    for entry in entries {
        let name = entry.map_err(io_error(directory))?.file_name();
        names.extend(name.into_string().ok());
    }
    Ok(names)
}
