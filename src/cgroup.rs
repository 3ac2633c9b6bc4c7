//! Floor 2: a control group for a sweep's native processes, so that the memory limit and the set of processors are the
//! same in all environments; and the memory of any process' group.
//!
//! Version 1 has a hierarchy for each controller (`/sys/fs/cgroup/memory`), version 2 one for all
//! (`/sys/fs/cgroup`); a hybrid host has both. A group is the directory `tollgate-<sweep id>/<name>` in each hierarchy that
//! it needs: that of `memory` always, so that its use can be read, that of `cpuset` when the processors are limited.
//! The `cpu` controller is left alone: no environment has a quota or a weight. See cgroups(7), cpuset(7), and
//! `Documentation/admin-guide/cgroup-v2.rst` and `cgroup-v1/memory.rst` of the kernel.

mod hierarchy;
mod memory;
mod remains;

use crate::model::{CpuList, SweepId};
use hierarchy::{Hierarchy, Version};
use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

pub use memory::{MemoryUse, memory_of};
pub(super) use remains::{find, remove_tree, sweep_of};

/// Begins the name of a sweep's directory in a hierarchy.
const PREFIX: &str = "tollgate-";

/// A control group cannot be made, used or removed.
#[derive(Debug, thiserror::Error)]
pub enum CgroupError {
    /// The name would not be one directory.
    #[error("{0:?} cannot name a control group: use letters, digits and any of '+', '=', '.', '_', '-'")]
    Name(String),
    /// A controller is not there.
    #[error(
        "this host has no {controller} controller below {at}: mount it (`mount -t cgroup -o {controller} cgroup \
         /sys/fs/cgroup/{controller}`), or boot with systemd and without cgroup_disable={controller}"
    )]
    NoController {
        /// `memory` or `cpuset`.
        controller: &'static str,
        /// Where it was looked for.
        at: PathBuf,
    },
    /// Version 2: the controller cannot be handed down.
    #[error(
        "cannot enable {controllers} in {path}: {source}; a group that has processes of its own cannot hand a controller \
         down: run where /sys/fs/cgroup is the host's own, not inside a container"
    )]
    Enable {
        /// `+memory +cpuset`.
        controllers: String,
        /// The file `cgroup.subtree_control`.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The kernel took another value.
    #[error("{path} holds {found:?} after {wanted:?} was written: another group above may allow no more")]
    NotTaken {
        /// The file.
        path: PathBuf,
        /// What was written.
        wanted: String,
        /// What it holds.
        found: String,
    },
    /// A process cannot be moved.
    #[error(
        "cannot move process {pid} into {path}: {source}; it may have ended, or {path} is of another user"
    )]
    Move {
        /// The process.
        pid: u32,
        /// The file `cgroup.procs`.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The group of a process is not to be seen.
    #[error("cannot tell the memory of process {pid}: {why}")]
    Process {
        /// The process.
        pid: u32,
        /// What is missing, and what to do.
        why: String,
    },
    /// A file does not hold a number.
    #[error("{path} does not hold a number of bytes but {text:?}")]
    Text {
        /// The file.
        path: PathBuf,
        /// What it holds.
        text: String,
    },
    /// A file or directory.
    #[error("{path}: {source}; control groups need root and a writable /sys/fs/cgroup")]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// The controllers that a sweep's groups need and the host lacks; none where there are no control groups at all.
pub(super) fn lacking(root: &Path) -> Option<Vec<&'static str>> {
    let top = super::files::under(root, "/sys/fs/cgroup");
    top.is_dir().then(|| {
        ["memory", "cpuset"].into_iter().filter(|name| hierarchy::place(root, name).is_none()).collect()
    })
}

/// What a group may use. What is absent is not limited.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Limits {
    /// Memory with page cache, bytes; the kernel rounds down to whole pages.
    pub memory_bytes: Option<u64>,
    /// Processors.
    pub cpus: Option<CpuList>,
}

/// A control group of a sweep. It stays until [`Cgroup::remove`]; what a crash leaves, `clean` removes.
#[derive(Debug)]
pub struct Cgroup {
    /// Its directories, that of the memory controller first.
    directories: Vec<PathBuf>,
    version: Version,
    /// Version 2: the open file whose peak was reset.
    peak: Option<File>,
}

impl Cgroup {
    /// Makes the group `name` of a sweep on the host at `root`, with its limits set and read back. One that is there
    /// already (of an interrupted attempt) is used. On an error nothing is left.
    pub fn create(root: &Path, sweep: &SweepId, name: &str, limits: &Limits) -> Result<Self, CgroupError> {
        let letters = |b: u8| b.is_ascii_alphanumeric() || b"+=._-".contains(&b);
        if name.is_empty() || name.len() > 100 || !name.bytes().all(letters) || name.starts_with(['.', '-']) {
            return Err(CgroupError::Name(name.to_owned()));
        }
        let controllers: &[&'static str] =
            if limits.cpus.is_some() { &["memory", "cpuset"] } else { &["memory"] };
        let hierarchies = hierarchy::of(root, controllers)?;
        let version = hierarchies[0].version;
        let mut made = Vec::new();
        let done = hierarchies.iter().try_for_each(|hierarchy| {
            populate(hierarchy, &format!("{PREFIX}{sweep}"), name, limits, &mut made)
        });
        if let Err(error) = done {
            // Deepest last, so that each is empty when it is removed.
            for directory in made.iter().rev() {
                let _ = fs::remove_dir(directory);
            }
            return Err(error);
        }
        let directory = |h: &Hierarchy| h.path.join(format!("{PREFIX}{sweep}")).join(name);
        Ok(Self { directories: hierarchies.iter().map(directory).collect(), version, peak: None })
    }

    /// The files into which a process that moves itself writes its pid, all of them.
    pub fn procs_files(&self) -> Vec<PathBuf> {
        self.directories.iter().map(|directory| directory.join("cgroup.procs")).collect()
    }

    /// Moves a process here, with all its threads; children that it has already stay where they are.
    pub fn add(&self, pid: u32) -> Result<(), CgroupError> {
        for path in self.procs_files() {
            fs::write(&path, pid.to_string()).map_err(|source| CgroupError::Move { pid, path, source })?;
        }
        Ok(())
    }

    /// The memory that its processes use now and used at most.
    pub fn memory(&self) -> Result<MemoryUse, CgroupError> {
        let mut memory = memory::read(&self.directories[0], self.version)?;
        if let Some(file) = &self.peak {
            memory.peak_bytes = Some(memory::peak_of(file, &self.directories[0])?);
        }
        Ok(memory)
    }

    /// Begins the peak anew, and says whether the kernel can: version 2 can from Linux 6.12 on.
    pub fn reset_peak(&mut self) -> Result<bool, CgroupError> {
        match self.version {
            Version::One => {
                write(&self.directories[0].join("memory.max_usage_in_bytes"), "0")?;
                Ok(true)
            }
            Version::Two => {
                self.peak = memory::reset_peak(&self.directories[0]);
                Ok(self.peak.is_some())
            }
        }
    }

    /// Removes it, and the sweep's directory when it was the last. Kills nothing: processes that are
    /// still ending are waited for, for a second; what is used for longer is an error.
    pub async fn remove(self) -> Result<(), CgroupError> {
        for directory in &self.directories {
            remains::remove_directory(directory)
                .await
                .map_err(|source| CgroupError::Io { path: directory.clone(), source })?;
            // Fails while another group of the sweep is in it.
            let _ = directory.parent().map(fs::remove_dir);
        }
        Ok(())
    }
}

/// Makes the directories of a group in one hierarchy and sets its limits there; what is new is added to `made`.
fn populate(
    hierarchy: &Hierarchy,
    sweep: &str,
    name: &str,
    limits: &Limits,
    made: &mut Vec<PathBuf>,
) -> Result<(), CgroupError> {
    let parent = hierarchy.path.join(sweep);
    let group = parent.join(name);
    hierarchy.hand_down(&hierarchy.path)?;
    make(&parent, made)?;
    hierarchy.prepare_parent(&parent)?;
    make(&group, made)?;
    for controller in &hierarchy.controllers {
        match (*controller, limits.memory_bytes, &limits.cpus) {
            ("memory", Some(bytes), _) => memory::limit(&group, hierarchy.version, bytes)?,
            ("cpuset", _, Some(cpus)) => hierarchy.limit_cpus(&group, cpus)?,
            _ => {}
        }
    }
    Ok(())
}

fn make(path: &Path, made: &mut Vec<PathBuf>) -> Result<(), CgroupError> {
    match fs::create_dir(path) {
        Ok(()) => made.push(path.to_owned()),
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
        Err(source) => return Err(CgroupError::Io { path: path.to_owned(), source }),
    }
    Ok(())
}

/// Writes a value in one call, as the kernel's files want it.
fn write(path: &Path, text: &str) -> Result<(), CgroupError> {
    fs::write(path, text).map_err(|source| CgroupError::Io { path: path.to_owned(), source })
}

/// The text of a file without space around it.
fn text(path: &Path) -> Result<String, CgroupError> {
    let text =
        fs::read_to_string(path).map_err(|source| CgroupError::Io { path: path.to_owned(), source })?;
    Ok(text.trim().to_owned())
}

#[cfg(test)]
mod tests;
