//! Groups that sweeps left: found by their names in every hierarchy, and removed.

use super::{super::files, PREFIX};
use crate::model::SweepId;
use rustix::io::Errno;
use std::{
    fs, io,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// How long a group may be busy: its processes have ended, but the kernel still takes them out.
const PATIENCE: Duration = Duration::from_secs(1);

/// The directories of sweeps in all hierarchies of the host at `root`.
pub(crate) fn find(root: &Path) -> Vec<(SweepId, PathBuf)> {
    let top = files::under(root, "/sys/fs/cgroup");
    // With version 2 the directory itself is a hierarchy; with version 1 those in it are.
    let hierarchies = std::iter::once(top.clone()).chain(directories(&top));
    let mut found = Vec::new();
    for directory in hierarchies.flat_map(|hierarchy| directories(&hierarchy)) {
        let name = directory.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let sweep = name.strip_prefix(PREFIX).and_then(|id| id.parse::<SweepId>().ok());
        found.extend(sweep.map(|sweep| (sweep, directory)));
    }
    found
}

/// The sweep in whose group a process is.
pub(crate) fn sweep_of(root: &Path, pid: u32) -> Option<SweepId> {
    let text = files::read(root, format!("/proc/{pid}/cgroup"))?;
    text.lines().find_map(|line| {
        // hierarchy:controllers:/tollgate-<sweep id>/<name>
        let first = line.splitn(3, ':').nth(2)?.split('/').find(|part| !part.is_empty())?;
        first.strip_prefix(PREFIX)?.parse().ok()
    })
}

/// Removes a sweep's directory with the groups in it, the deepest first.
pub(crate) async fn remove_tree(top: &Path) -> io::Result<()> {
    let mut all = vec![top.to_owned()];
    let mut next = 0;
    while let Some(directory) = all.get(next).cloned() {
        all.extend(directories(&directory));
        next += 1;
    }
    for directory in all.iter().rev() {
        remove_directory(directory).await?;
    }
    Ok(())
}

/// Removes a group; nothing happens when it is gone meanwhile. Tries again for a second while it is busy.
pub(super) async fn remove_directory(path: &Path) -> io::Result<()> {
    let start = Instant::now();
    loop {
        match fs::remove_dir(path) {
            Err(e) if Errno::from_io_error(&e) == Some(Errno::BUSY) && start.elapsed() < PATIENCE => {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
            other => return other,
        }
    }
}

/// The real directories in a directory, sorted; symbolic links are not among them.
fn directories(parent: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(parent).into_iter().flatten().flatten();
    let real = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    let mut found: Vec<PathBuf> = real.map(|entry| entry.path()).collect();
    found.sort();
    found
}
