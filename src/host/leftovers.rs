//! What crashed sweeps left on the host: found by their names and removed. Docker's part is elsewhere.
//!
//! Everything that a sweep creates carries its id; what carries the id of a living sweep is not touched, and
//! nothing without an id is. A process takes the lock first, then looks: what carries the id of its
//! own sweep was left by an earlier attempt, since it has started nothing yet.

use super::{
    cgroup, files,
    lock::{HostLock, LockError},
    mountinfo, netns,
    netns::NetworkError,
    processes,
};
use crate::command::{self, CommandFailure};
use crate::model::SweepId;
use rustix::{
    io::Errno,
    mount::{UnmountFlags, unmount},
    process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal},
};
use serde::Serialize;
use std::{
    collections::BTreeSet,
    fmt, fs, io,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// The variable that names the sweep in the environment of all processes that it starts.
pub const SWEEP_VARIABLE: &str = "TOLLGATE_SWEEP";
/// How long a process may take to end after SIGTERM, and again after SIGKILL.
const PATIENCE: Duration = Duration::from_secs(3);

/// Something cannot be removed.
#[derive(Debug, thiserror::Error)]
pub enum LeftoverError {
    /// Who runs a sweep now cannot be told.
    #[error("cannot tell what is left over from what is in use")]
    Lock(#[from] LockError),
    /// A process does not end.
    #[error(
        "process {pid} ({command}) does not end, not even after SIGKILL; look at /proc/{pid}/stack, its disk may hang"
    )]
    Process {
        /// Its pid.
        pid: u32,
        /// Its program.
        command: String,
    },
    /// A namespace or link cannot be removed.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// A loop device cannot be detached.
    #[error("{0}; see with `fuser -vm` who uses it, then detach it with `losetup -d`")]
    Loop(CommandFailure),
    /// A mount, directory or process is refused by the kernel.
    #[error(
        "cannot remove the left over {what}: {source}; run as root, and see with `fuser -vm` who uses it"
    )]
    Io {
        /// What.
        what: String,
        /// Why.
        source: io::Error,
    },
}

/// Kinds of leftovers, in the order in which they are removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LeftoverKind {
    /// A process.
    Process,
    /// A control group with those in it.
    Cgroup,
    /// A named network namespace.
    Namespace,
    /// A network link.
    Link,
    /// A mount.
    Mount,
    /// A loop device.
    Loop,
    /// A directory.
    Directory,
}

/// One thing that a crashed sweep left. Only [`find`] makes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leftover(What);

#[derive(Debug, Clone, PartialEq, Eq)]
enum What {
    Process { pid: u32, start_ticks: u64, command: String },
    Cgroup(PathBuf),
    Namespace(String),
    Link(String),
    Mount(PathBuf),
    Loop { device: PathBuf, file: PathBuf },
    Directory(PathBuf),
}

impl Leftover {
    /// What it is.
    pub fn kind(&self) -> LeftoverKind {
        match self.0 {
            What::Process { .. } => LeftoverKind::Process,
            What::Cgroup(_) => LeftoverKind::Cgroup,
            What::Namespace(_) => LeftoverKind::Namespace,
            What::Link(_) => LeftoverKind::Link,
            What::Mount(_) => LeftoverKind::Mount,
            What::Loop { .. } => LeftoverKind::Loop,
            What::Directory(_) => LeftoverKind::Directory,
        }
    }
}

impl fmt::Display for Leftover {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            What::Process { pid, command, .. } => write!(f, "process {pid} ({command})"),
            What::Cgroup(path) => write!(f, "control group {}", path.display()),
            What::Namespace(name) => write!(f, "network namespace {name}"),
            What::Link(name) => write!(f, "network link {name}"),
            What::Mount(path) => write!(f, "mount {}", path.display()),
            What::Loop { device, file } => {
                write!(f, "loop device {} of {}", device.display(), file.display())
            }
            What::Directory(path) => write!(f, "directory {}", path.display()),
        }
    }
}

/// What must not be touched.
struct Living {
    sweeps: BTreeSet<SweepId>,
    /// Another process holds the lock of this state directory, so what is built there is not left over.
    state_in_use: bool,
}

impl Living {
    fn read(state: &Path, root: &Path) -> Result<Self, LeftoverError> {
        let living = HostLock::living(root).into_iter().filter(|sweep| !sweep.is_ours());
        let mut sweeps: BTreeSet<SweepId> = living.map(|living| living.sweep).collect();
        let holder = HostLock::holder(state)?;
        let ours = |pid: u32| pid == std::process::id();
        let state_in_use = holder.as_ref().is_some_and(|h| !h.0.as_ref().is_some_and(|h| ours(h.pid)));
        sweeps.extend(holder.and_then(|h| h.0).filter(|h| !ours(h.pid)).map(|h| h.sweep));
        Ok(Self { sweeps, state_in_use })
    }

    fn has_tail(&self, tail: &str) -> bool {
        self.sweeps.iter().any(|sweep| sweep.tail() == tail)
    }

    /// Whether a path belongs to a living sweep, or not to the state directory at all.
    fn spares(&self, state: &Path, path: &Path) -> bool {
        let Ok(below) = path.strip_prefix(state) else { return true };
        let mut parts = below.iter().map(|part| part.to_string_lossy());
        match (parts.next().as_deref(), parts.next().and_then(|name| name.parse::<SweepId>().ok())) {
            (Some("scratch"), Some(sweep)) => self.sweeps.contains(&sweep),
            _ => self.state_in_use,
        }
    }
}

/// What crashed sweeps left in the state directory `state` and on the host at `root`, in the order in which it
/// must be removed.
pub fn find(state: &Path, root: &Path) -> Result<Vec<Leftover>, LeftoverError> {
    let living = Living::read(state, root)?;
    // Mounts and loop devices are known by their real paths.
    let state = state.canonicalize().unwrap_or_else(|_| state.to_owned());
    let names = files::names(root, "/run/netns").into_iter();
    let namespaces: Vec<String> = names.filter(|name| is_left_over(name, "cge", &living)).collect();
    let mut found = processes_of(root, &living, &namespaces);
    let groups = cgroup::find(root).into_iter().filter(|(sweep, _)| !living.sweeps.contains(sweep));
    found.extend(groups.map(|(_, path)| What::Cgroup(path)));
    found.extend(namespaces.into_iter().map(What::Namespace));
    let links = files::names(root, "/sys/class/net").into_iter();
    found.extend(links.filter(|name| is_left_over(name, "hvpk", &living)).map(What::Link));
    // The last mounted is the first to go.
    let mounts = mountinfo::read(root).into_iter().rev().map(|mount| mount.point);
    found.extend(
        mounts
            .filter(|point| is_scratch_mount(&state, point) && !living.spares(&state, point))
            .map(What::Mount),
    );
    found.extend(
        loops(root)
            .filter(|(_, file)| file.starts_with(&state) && !living.spares(&state, file))
            .map(|(device, file)| What::Loop { device, file }),
    );
    let scratch = state.join("scratch");
    found.extend(
        directories(&scratch)
            .filter(|name| name.parse::<SweepId>().is_ok())
            .map(|name| scratch.join(name))
            .filter(|path| !living.spares(&state, path))
            .map(What::Directory),
    );
    Ok(found.into_iter().map(Leftover).collect())
}

/// `tg`, one of `kinds`, and the tail of a sweep that does not live.
fn is_left_over(name: &str, kinds: &str, living: &Living) -> bool {
    let Some(rest) = name.strip_prefix("tg") else { return false };
    let mut chars = rest.chars();
    let kind = chars.next().is_some_and(|kind| kinds.contains(kind));
    let tail = chars.as_str();
    kind && tail.len() == 6
        && tail.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
        && !living.has_tail(tail)
}

/// The processes whose environment or control group names a sweep, and those in one of the `namespaces`.
/// We and our ancestors (the shell in which someone exported the variable) are not among them.
fn processes_of(root: &Path, living: &Living, namespaces: &[String]) -> Vec<What> {
    let inode = |path: PathBuf| fs::metadata(path).ok().map(|m| (m.dev(), m.ino()));
    let namespaces: Vec<_> =
        namespaces.iter().filter_map(|name| inode(files::under(root, "/run/netns").join(name))).collect();
    let mut ours = BTreeSet::new();
    let mut next = Some(std::process::id());
    while let Some(pid) = next.filter(|pid| *pid != 0 && ours.insert(*pid)) {
        next = processes::parent(root, pid);
    }
    processes::pids(root)
        .into_iter()
        .filter(|pid| !ours.contains(pid) && !processes::is_zombie(root, *pid))
        .filter(|pid| match sweep_of(root, *pid).or_else(|| cgroup::sweep_of(root, *pid)) {
            Some(sweep) => !living.sweeps.contains(&sweep),
            None => inode(files::under(root, format!("/proc/{pid}/ns/net")))
                .is_some_and(|i| namespaces.contains(&i)),
        })
        .filter_map(|pid| {
            let start_ticks = processes::start_ticks(root, pid)?;
            let command = files::value(root, format!("/proc/{pid}/comm")).unwrap_or_else(|| "?".to_owned());
            Some(What::Process { pid, start_ticks, command })
        })
        .collect()
}

fn sweep_of(root: &Path, pid: u32) -> Option<SweepId> {
    let environ = fs::read(files::under(root, format!("/proc/{pid}/environ"))).ok()?;
    environ.split(|byte| *byte == 0).find_map(|entry| {
        let value = entry.strip_prefix(SWEEP_VARIABLE.as_bytes())?.strip_prefix(b"=")?;
        std::str::from_utf8(value).ok()?.parse().ok()
    })
}

/// Mounts below `scratch`, and below a half-built image.
fn is_scratch_mount(state: &Path, point: &Path) -> bool {
    let Ok(below) = point.strip_prefix(state) else { return false };
    let parts: Vec<_> = below.iter().map(|part| part.to_string_lossy()).collect();
    match parts.first().map(AsRef::as_ref) {
        Some("scratch") => parts.len() > 1,
        Some("images") => parts.get(1).is_some_and(|part| part.starts_with("building-")),
        _ => false,
    }
}

/// Loop devices with the files behind them.
fn loops(root: &Path) -> impl Iterator<Item = (PathBuf, PathBuf)> {
    files::names(root, "/sys/block").into_iter().filter(|name| name.starts_with("loop")).filter_map(
        move |name| {
            let text = files::read(root, format!("/sys/block/{name}/loop/backing_file"))?;
            let file = text.trim_end_matches('\n');
            // The kernel marks a file that was deleted meanwhile.
            let file = file.strip_suffix(" (deleted)").unwrap_or(file);
            Some((Path::new("/dev").join(name), PathBuf::from(file)))
        },
    )
}

/// Names of real directories in a directory: a symbolic link to one is not.
fn directories(parent: &Path) -> impl Iterator<Item = String> {
    let real = fs::symlink_metadata(parent).is_ok_and(|m| m.is_dir());
    let entries = real.then(|| fs::read_dir(parent).ok()).flatten().into_iter().flatten();
    entries.filter_map(|entry| {
        let entry = entry.ok()?;
        entry.file_type().ok()?.is_dir().then(|| entry.file_name().into_string().ok())?
    })
}

/// Removes everything, processes first and all at once, and says what could not be removed.
pub async fn remove_all(leftovers: &[Leftover]) -> Vec<(Leftover, LeftoverError)> {
    // So that one slow process does not make the others wait.
    for leftover in leftovers {
        if let What::Process { pid, start_ticks, .. } = leftover.0 {
            let _ = signal(pid, start_ticks, Signal::TERM);
        }
    }
    let mut failed = Vec::new();
    for leftover in leftovers {
        if let Err(error) = remove(leftover).await {
            failed.push((leftover.clone(), error));
        }
    }
    failed
}

/// Removes one; nothing happens when it is gone meanwhile. A process gets SIGTERM, and SIGKILL after three seconds.
pub async fn remove(leftover: &Leftover) -> Result<(), LeftoverError> {
    let io = |source| LeftoverError::Io { what: leftover.to_string(), source };
    match &leftover.0 {
        What::Process { pid, start_ticks, command } => {
            for kind in [Signal::TERM, Signal::KILL] {
                let sent = signal(*pid, *start_ticks, kind).map_err(io)?;
                if !sent || ended(*pid, *start_ticks).await {
                    return Ok(());
                }
            }
            Err(LeftoverError::Process { pid: *pid, command: command.clone() })
        }
        What::Cgroup(path) => cgroup::remove_tree(path).await.map_err(io),
        What::Namespace(name) => Ok(netns::remove_namespace(name).await?),
        What::Link(name) => Ok(netns::remove_link(name).await?),
        What::Mount(path) => remove_mount(path).map_err(io),
        What::Loop { device, file } => remove_loop(device, file).await,
        What::Directory(path) => remove_directory(path).map_err(io),
    }
}

/// Signals a process and returns true, or false when it has ended; another that has its pid now is spared.
fn signal(pid: u32, start_ticks: u64, kind: Signal) -> io::Result<bool> {
    let Some(number) = i32::try_from(pid).ok().and_then(Pid::from_raw) else { return Ok(false) };
    let send = || {
        let process = pidfd_open(number, PidfdFlags::empty())?;
        // From here on the descriptor names one process, whatever happens to the number.
        if processes::start_ticks(Path::new("/"), pid) != Some(start_ticks) {
            return Err(Errno::SRCH);
        }
        pidfd_send_signal(&process, kind)
    };
    match send() {
        Ok(()) => Ok(true),
        Err(Errno::SRCH) => Ok(false),
        Err(e) => Err(e.into()),
    }
}

/// Waits until a process has ended; one that its parent does not reap has ended too.
async fn ended(pid: u32, start_ticks: u64) -> bool {
    let (start, root) = (Instant::now(), Path::new("/"));
    while start.elapsed() < PATIENCE {
        if processes::start_ticks(root, pid) != Some(start_ticks) || processes::is_zombie(root, pid) {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    false
}

/// Unmounts; what is busy is detached and goes when its last user does.
fn remove_mount(path: &Path) -> io::Result<()> {
    let result = match unmount(path, UnmountFlags::NOFOLLOW) {
        Err(Errno::BUSY) => unmount(path, UnmountFlags::NOFOLLOW | UnmountFlags::DETACH),
        other => other,
    };
    match result {
        // Not a mount any more.
        Ok(()) | Err(Errno::INVAL | Errno::NOENT) => Ok(()),
        Err(e) => Err(e.into()),
    }
}

async fn remove_loop(device: &Path, file: &Path) -> Result<(), LeftoverError> {
    // It may have been given to another file since it was found.
    let same = || loops(Path::new("/")).any(|(d, f)| d == device && f == file);
    if !same() {
        return Ok(());
    }
    match command::run(&[Path::new("losetup"), Path::new("-d"), device]).await {
        Err(failure) if same() => Err(LeftoverError::Loop(failure)),
        _ => Ok(()),
    }
}

/// Removes a directory and what is in it, unless something is mounted below.
fn remove_directory(path: &Path) -> io::Result<()> {
    // A parent that became a symbolic link would lead out of the state directory.
    if path.parent().is_some_and(|parent| parent.canonicalize().is_ok_and(|real| real != parent)) {
        return Err(io::Error::other("a part of its path is a symbolic link"));
    }
    if let Some(mount) = mountinfo::read(Path::new("/")).iter().find(|mount| mount.point.starts_with(path)) {
        return Err(io::Error::other(format!("{} is mounted in it", mount.point.display())));
    }
    match fs::remove_dir_all(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
