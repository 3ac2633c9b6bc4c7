//! One sweep at a time.
//!
//! `<state>/host.lock` is held with flock(2), which the kernel releases when its holder dies, however it dies;
//! so what a dead holder wrote there is harmless. The text in the file only tells others who holds it.
//! A second file, `/run/tollgate/<sweep id>`, held alike, tells every state directory of the host
//! which sweeps are alive: what carries the name of one of them is not left over.

use super::{files, processes};
use crate::model::SweepId;
use chrono::{DateTime, Utc};
use rustix::{
    fs::{FlockOperation, flock},
    io::Errno,
};
use serde::{Deserialize, Serialize};
use std::{
    fmt,
    fs::{self, File, OpenOptions, Permissions},
    io::{self, Read as _, Seek as _, Write as _},
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

/// Directory of the markers of living sweeps, below the root path.
const LIVE: &str = "/run/tollgate";

/// The lock was not taken.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process has it.
    #[error("another sweep ({holder}) holds the lock {path}; wait for it or stop it")]
    Held {
        /// The lock file.
        path: PathBuf,
        /// What it says about who holds it.
        holder: Box<HolderText>,
    },
    /// A file cannot be made, read or locked.
    #[error("cannot lock {path}: {source}; it must be on a local filesystem that this user may write")]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Who holds the lock, if the lock file tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HolderText(pub Option<Holder>);

impl fmt::Display for HolderText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(holder) => holder.fmt(f),
            None => f.write_str("of a process that has not said its name"),
        }
    }
}

/// Who holds the lock. Its text is `<sweep id>, pid 123, since 12:03 UTC`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The sweep.
    pub sweep: SweepId,
    /// Its process.
    pub pid: u32,
    /// When that process started, clock ticks since the boot: tells it from a later one with the same pid.
    pub start_ticks: Option<u64>,
    /// The boot in which it started.
    pub boot_id: Option<String>,
    /// When it took the lock.
    pub since: DateTime<Utc>,
}

impl Holder {
    /// Whether the process that wrote this still runs.
    pub fn is_alive(&self, root: &Path) -> bool {
        self.boot_id == processes::boot_id(root)
            && self.start_ticks.is_some()
            && self.start_ticks == processes::start_ticks(root, self.pid)
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, pid {}, since {} UTC", self.sweep, self.pid, self.since.format("%Y-%m-%d %H:%M"))
    }
}

/// The lock of a host. Dropping it, or the death of the process, releases it.
#[derive(Debug)]
pub struct HostLock {
    file: File,
    path: PathBuf,
    live: File,
    live_path: PathBuf,
}

impl HostLock {
    /// Takes the lock of `state` for a sweep that starts at `now`, or says at once who has it.
    /// Makes the state directory when there is none.
    pub fn acquire(
        state: &Path,
        root: &Path,
        sweep: &SweepId,
        now: DateTime<Utc>,
    ) -> Result<Self, LockError> {
        let pid = std::process::id();
        let holder = Holder {
            sweep: sweep.clone(),
            pid,
            start_ticks: processes::start_ticks(root, pid),
            boot_id: processes::boot_id(root),
            since: now,
        };
        let path = state.join("host.lock");
        let file = take(&path)?;
        say(&file, &holder).map_err(|source| LockError::Io { path: path.clone(), source })?;
        let live_path = live_directory(root).join(sweep.as_str());
        let live = take(&live_path)?;
        say(&live, &holder).map_err(|source| LockError::Io { path: live_path.clone(), source })?;
        Ok(Self { file, path, live, live_path })
    }

    /// The lock file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Who holds the lock of `state` now; none when it is free. A holder whose file says nothing, or may not be read, is
    /// `Some(HolderText(None))`.
    pub fn holder(state: &Path) -> Result<Option<HolderText>, LockError> {
        let path = state.join("host.lock");
        match is_held(&path) {
            // Another user's, who may be sweeping.
            Err(LockError::Io { source, .. }) if source.kind() == io::ErrorKind::PermissionDenied => {
                Ok(Some(HolderText(None)))
            }
            held => held.map(|held| held.then(|| HolderText(read(&path)))),
        }
    }

    /// The sweeps that run on this host now, whatever their state directory: this process' own too.
    pub fn living(root: &Path) -> Vec<LivingSweep> {
        let names = files::names(root, LIVE).into_iter();
        names
            .filter_map(|name| {
                let path = live_directory(root).join(&name);
                let sweep = name.parse().ok()?;
                // One that cannot be looked at counts as alive: better something left than a sweep destroyed.
                is_held(&path).unwrap_or(true).then(|| LivingSweep { sweep, holder: HolderText(read(&path)) })
            })
            .collect()
    }
}

/// A sweep that runs on this host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LivingSweep {
    /// Its id.
    pub sweep: SweepId,
    /// Who runs it.
    pub holder: HolderText,
}

impl LivingSweep {
    /// Whether it is this process that runs it.
    pub fn is_ours(&self) -> bool {
        self.holder.0.as_ref().is_some_and(|holder| holder.pid == std::process::id())
    }
}

impl Drop for HostLock {
    fn drop(&mut self) {
        // Errors leave stale text behind, which is harmless. The marker's name is never used again but by a
        // resumed sweep, which needs the lock first; the lock file itself stays, since another may wait on it.
        let _ = fs::remove_file(&self.live_path);
        let _ = flock(&self.live, FlockOperation::Unlock);
        let _ = self.file.set_len(0);
        let _ = flock(&self.file, FlockOperation::Unlock);
    }
}

fn live_directory(root: &Path) -> PathBuf {
    files::under(root, LIVE)
}

/// Opens a file that will be locked, making it when it is missing. Nobody else may open it: flock(2) asks for no right to write, so
/// that whoever could read it could hold the lock, and keep every sweep or the service away.
pub fn open_lock_file(path: &Path) -> io::Result<File> {
    // Not truncated: until it is ours, the text is another's.
    let file =
        OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?;
    // One that an earlier version made may be open to all. One of another user stays as it is.
    let _ = file.set_permissions(Permissions::from_mode(0o600));
    Ok(file)
}

/// Opens and locks a file, making it and its directory when they are missing.
fn take(path: &Path) -> Result<File, LockError> {
    let io = |source| LockError::Io { path: path.to_owned(), source };
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory).map_err(io)?;
    }
    let file = open_lock_file(path).map_err(io)?;
    // `is_held` holds a lock for an instant; only one that lasts is another sweep's.
    for attempt in 0..10 {
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(file),
            Err(Errno::WOULDBLOCK | Errno::INTR) if attempt < 9 => thread::sleep(Duration::from_millis(20)),
            Err(Errno::WOULDBLOCK) => break,
            Err(e) => return Err(io(e.into())),
        }
    }
    Err(LockError::Held { path: path.to_owned(), holder: Box::new(HolderText(read(path))) })
}

/// Whether another process holds a lock file; a missing one is free.
fn is_held(path: &Path) -> Result<bool, LockError> {
    let io = |source| LockError::Io { path: path.to_owned(), source };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(e) => return Err(io(e)),
    };
    match flock(&file, FlockOperation::NonBlockingLockShared) {
        Ok(()) => Ok(false),
        Err(Errno::WOULDBLOCK) => Ok(true),
        Err(e) => Err(io(e.into())),
    }
}

/// Writes who holds it in place: a new file under the same name would not be locked.
fn say(mut file: &File, holder: &Holder) -> io::Result<()> {
    let text = serde_json::to_string(holder)?;
    file.set_len(0)?;
    file.rewind()?;
    file.write_all(text.as_bytes())?;
    file.write_all(b"\n")
}

fn read(path: &Path) -> Option<Holder> {
    let mut text = String::new();
    File::open(path).ok()?.take(4096).read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sweep(tail: u32) -> SweepId {
        SweepId::new(DateTime::UNIX_EPOCH, tail)
    }

    fn acquire(dir: &Path, tail: u32) -> Result<HostLock, LockError> {
        HostLock::acquire(&dir.join("state"), &dir.join("root"), &sweep(tail), DateTime::UNIX_EPOCH)
    }

    #[test]
    fn the_second_is_told_who_is_first() {
        let dir = tempfile::tempdir().expect("tempdir");
        let first = acquire(dir.path(), 1).expect("free");
        let second = acquire(dir.path(), 2).expect_err("held").to_string();
        let pid = std::process::id();
        let who =
            format!("another sweep (19700101T000000Z-000001, pid {pid}, since 1970-01-01 00:00 UTC) holds");
        assert!(second.starts_with(&who) && second.ends_with("wait for it or stop it"), "{second}");
        assert!(second.contains("host.lock"), "{second}");
        assert_eq!(HostLock::living(&dir.path().join("root")).len(), 1);
        drop(first);
        assert!(HostLock::holder(&dir.path().join("state")).expect("readable").is_none());
        assert!(HostLock::living(&dir.path().join("root")).is_empty());
        acquire(dir.path(), 2).expect("free again");
    }

    #[test]
    fn nobody_else_may_open_what_is_locked() {
        let dir = tempfile::tempdir().expect("tempdir");
        let state = dir.path().join("state");
        fs::create_dir_all(&state).expect("mkdir");
        // As an earlier version made it.
        fs::write(state.join("host.lock"), "").expect("write");
        fs::set_permissions(state.join("host.lock"), Permissions::from_mode(0o644)).expect("mode");
        let lock = acquire(dir.path(), 7).expect("free");
        let marker = live_directory(&dir.path().join("root")).join(sweep(7).as_str());
        for path in [lock.path(), &marker] {
            let mode = fs::metadata(path).expect("there").permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{}", path.display());
        }
    }

    #[test]
    fn of_many_threads_one_wins() {
        let dir = tempfile::tempdir().expect("tempdir");
        let barrier = std::sync::Barrier::new(8);
        let won = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8)
                .map(|tail| {
                    let (dir, barrier) = (dir.path(), &barrier);
                    scope.spawn(move || {
                        barrier.wait();
                        let lock = acquire(dir, tail);
                        barrier.wait();
                        lock.is_ok()
                    })
                })
                .collect();
            threads.into_iter().map(|t| usize::from(t.join().expect("thread"))).sum::<usize>()
        });
        assert_eq!(won, 1);
    }

    #[test]
    fn what_the_dead_and_the_mad_wrote_is_harmless() {
        let dir = tempfile::tempdir().expect("tempdir");
        let state = dir.path().join("state");
        fs::create_dir_all(&state).expect("mkdir");
        for text in ["", "garbage \u{0}", "{\"pid\":1}", "{\"sweep\":\"../x\"}"] {
            fs::write(state.join("host.lock"), text).expect("write");
            let lock = acquire(dir.path(), 3).expect("stale text does not lock");
            assert_eq!(read(lock.path()).expect("holder").sweep, sweep(3));
        }
    }

    #[test]
    fn a_process_that_is_killed_frees_it() {
        let dir = tempfile::tempdir().expect("tempdir");
        let path = dir.path().join("state/host.lock");
        fs::create_dir_all(dir.path().join("state")).expect("mkdir");
        // exec: otherwise killing flock would leave a sleeping child with the lock.
        let mut other = std::process::Command::new("flock")
            .args(["--no-fork", path.to_str().expect("utf-8"), "sleep", "60"])
            .spawn()
            .expect("flock of util-linux");
        while !is_held(&path).expect("readable") {
            thread::sleep(Duration::from_millis(5));
        }
        let refused = acquire(dir.path(), 4).expect_err("held").to_string();
        assert!(refused.contains("has not said its name"), "{refused}");
        other.kill().expect("kill");
        other.wait().expect("wait");
        acquire(dir.path(), 4).expect("free");
    }

    #[test]
    fn a_reused_pid_is_not_the_holder() {
        let dir = tempfile::tempdir().expect("tempdir");
        let root = Path::new("/");
        let _lock = acquire(dir.path(), 5).expect("free");
        let mut holder = read(&dir.path().join("state/host.lock")).expect("holder");
        // The lock was taken below a fake root without /proc.
        assert!(!holder.is_alive(root));
        holder.boot_id = processes::boot_id(root);
        holder.start_ticks = processes::start_ticks(root, holder.pid);
        assert!(holder.is_alive(root));
        holder.start_ticks = holder.start_ticks.map(|ticks| ticks + 1);
        assert!(!holder.is_alive(root));
    }

    #[test]
    fn a_state_directory_that_is_a_file_is_an_error_with_its_path() {
        let dir = tempfile::tempdir().expect("tempdir");
        fs::write(dir.path().join("state"), "").expect("write");
        let error = acquire(dir.path(), 6).expect_err("no directory").to_string();
        assert!(error.starts_with("cannot lock") && error.contains("host.lock"), "{error}");
    }
}
