//! The memory of a group: its use, its peak, its limit.

use super::{
    super::files,
    CgroupError,
    hierarchy::{self, Version},
    text, write,
};
use serde::{Deserialize, Serialize};
use std::{
    fs::{File, OpenOptions},
    os::unix::fs::FileExt as _,
    path::{Component, Path, PathBuf},
};

/// From here on a limit of version 1 means none: the kernel shows the largest number of whole pages.
const UNLIMITED: u64 = 1 << 62;
/// The largest page of a kernel: a limit is rounded down by less than this.
const LARGEST_PAGE: u64 = 64 << 10;

/// Memory of a control group with its page cache, bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemoryUse {
    /// Used now (`memory.usage_in_bytes`, `memory.current`).
    pub usage_bytes: u64,
    /// Most that was used since the group was made or the peak was reset (`memory.max_usage_in_bytes`,
    /// `memory.peak`); none before Linux 5.19 with version 2.
    pub peak_bytes: Option<u64>,
    /// Limit; none without one. Groups above may have lower ones.
    pub limit_bytes: Option<u64>,
}

/// The memory of the group in which a process is, on the host at `root`: of a container, by the pid that its first
/// process has on the host.
pub fn memory_of(root: &Path, pid: u32) -> Result<MemoryUse, CgroupError> {
    let error = |why: String| CgroupError::Process { pid, why };
    let lines = files::read(root, format!("/proc/{pid}/cgroup"))
        .filter(|text| !text.is_empty())
        .ok_or_else(|| error("it has ended, or /proc is not the host's".to_owned()))?;
    let (mount, version) = hierarchy::place(root, "memory").ok_or_else(|| {
        error("the host has no memory controller; mount cgroup2 at /sys/fs/cgroup".to_owned())
    })?;
    let path = path_in(&lines, version)
        .ok_or_else(|| error("its /proc/PID/cgroup names no group of the memory controller".to_owned()))?;
    let below = Path::new(path).strip_prefix("/").unwrap_or(Path::new(path));
    if below.components().any(|part| !matches!(part, Component::Normal(_))) {
        let why = format!("its group {path} is outside of our cgroup namespace; run in that of the host");
        return Err(error(why));
    }
    read(&mount.join(below), version)
}

/// The path of the memory controller's group in `/proc/<pid>/cgroup` (cgroups(7)): `4:memory:/docker/3f2a` with
/// version 1, `0::/system.slice/docker-3f2a.scope` with version 2.
fn path_in(text: &str, version: Version) -> Option<&str> {
    text.lines().find_map(|line| {
        let (number, rest) = line.split_once(':')?;
        let (controllers, path) = rest.split_once(':')?;
        let found = match version {
            Version::One => controllers.split(',').any(|controller| controller == "memory"),
            Version::Two => number == "0" && controllers.is_empty(),
        };
        found.then_some(path)
    })
}

/// Reads the memory of the group at a directory.
pub(super) fn read(group: &Path, version: Version) -> Result<MemoryUse, CgroupError> {
    match version {
        Version::One => Ok(MemoryUse {
            usage_bytes: bytes(&group.join("memory.usage_in_bytes"))?,
            peak_bytes: Some(bytes(&group.join("memory.max_usage_in_bytes"))?),
            limit_bytes: Some(bytes(&group.join("memory.limit_in_bytes"))?)
                .filter(|limit| *limit < UNLIMITED),
        }),
        Version::Two => {
            let peak = group.join("memory.peak");
            let limit = group.join("memory.max");
            Ok(MemoryUse {
                usage_bytes: bytes(&group.join("memory.current"))?,
                peak_bytes: if peak.is_file() { Some(bytes(&peak)?) } else { None },
                limit_bytes: if text(&limit)? == "max" { None } else { Some(bytes(&limit)?) },
            })
        }
    }
}

/// Sets the limit of a group and reads it back.
pub(super) fn limit(group: &Path, version: Version, wanted: u64) -> Result<(), CgroupError> {
    let path = group.join(match version {
        Version::One => "memory.limit_in_bytes",
        Version::Two => "memory.max",
    });
    write(&path, &wanted.to_string())?;
    without_swap(group, version, wanted)?;
    let found = text(&path)?;
    let taken = found.parse().is_ok_and(|found: u64| found <= wanted && wanted - found < LARGEST_PAGE);
    if taken { Ok(()) } else { Err(CgroupError::NotTaken { path, wanted: wanted.to_string(), found }) }
}

/// No swap on top of the memory, as containers have it: where the kernel counts swap at all.
fn without_swap(group: &Path, version: Version, wanted: u64) -> Result<(), CgroupError> {
    let (name, value) = match version {
        // Memory and swap together.
        Version::One => ("memory.memsw.limit_in_bytes", wanted.to_string()),
        Version::Two => ("memory.swap.max", "0".to_owned()),
    };
    let path = group.join(name);
    if path.is_file() { write(&path, &value) } else { Ok(()) }
}

/// Version 2: begins the peak anew for whoever reads it through the file that is returned (`memory.peak` in the kernel's
/// cgroup-v2.rst); none when this kernel cannot.
pub(super) fn reset_peak(group: &Path) -> Option<File> {
    let file = OpenOptions::new().read(true).write(true).open(group.join("memory.peak")).ok()?;
    file.write_at(b"reset\n", 0).ok()?;
    Some(file)
}

/// The peak that an open file shows.
pub(super) fn peak_of(file: &File, group: &Path) -> Result<u64, CgroupError> {
    let path = group.join("memory.peak");
    let mut buffer = [0; 32];
    let length =
        file.read_at(&mut buffer, 0).map_err(|source| CgroupError::Io { path: path.clone(), source })?;
    number(path, &String::from_utf8_lossy(&buffer[..length]))
}

fn bytes(path: &Path) -> Result<u64, CgroupError> {
    number(path.to_owned(), &text(path)?)
}

fn number(path: PathBuf, text: &str) -> Result<u64, CgroupError> {
    text.trim().parse().map_err(|_| CgroupError::Text { path, text: text.trim().to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_of_the_memory_controller_is_found() {
        let one = "9:name=systemd:/\n5:cpu,memory:/docker/a:b\n4:memory_not:/x\n0::/\n";
        assert_eq!(path_in(one, Version::One), Some("/docker/a:b"));
        assert_eq!(path_in("0::/system.slice/x.scope\n", Version::Two), Some("/system.slice/x.scope"));
        assert_eq!(path_in("0::/\n", Version::One), None);
        assert_eq!(path_in("", Version::Two), None);
    }
}
