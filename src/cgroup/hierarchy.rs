//! Where controllers are, and what a group needs before processes can be in it.

use super::{super::files, CgroupError, text, write};
use crate::model::CpuList;
use std::path::{Path, PathBuf};

/// Which interface a hierarchy has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    One,
    Two,
}

/// A mounted hierarchy with those of the wanted controllers that it has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Hierarchy {
    pub path: PathBuf,
    pub version: Version,
    pub controllers: Vec<&'static str>,
}

/// The hierarchies that have the wanted controllers, that of the first controller first.
pub(super) fn of(root: &Path, controllers: &[&'static str]) -> Result<Vec<Hierarchy>, CgroupError> {
    let mut found: Vec<Hierarchy> = Vec::new();
    for controller in controllers {
        let (path, version) = place(root, controller).ok_or_else(|| CgroupError::NoController {
            controller,
            at: files::under(root, "/sys/fs/cgroup"),
        })?;
        match found.iter_mut().find(|h| h.path == path) {
            Some(same) => same.controllers.push(controller),
            None => found.push(Hierarchy { path, version, controllers: vec![controller] }),
        }
    }
    Ok(found)
}

/// The mount point of the hierarchy that has a controller.
pub(super) fn place(root: &Path, controller: &str) -> Option<(PathBuf, Version)> {
    let top = files::under(root, "/sys/fs/cgroup");
    let one = top.join(controller);
    if one.join("cgroup.procs").is_file() {
        // Controllers that share a hierarchy have symbolic links to it.
        return Some((one.canonicalize().ok()?, Version::One));
    }
    let unified = [top.clone(), top.join("unified")].into_iter().find(|path| {
        text(&path.join("cgroup.controllers")).is_ok_and(|list| list.split(' ').any(|c| c == controller))
    })?;
    Some((unified, Version::Two))
}

impl Hierarchy {
    /// Version 2: lets the groups in `directory` have the controllers.
    pub(super) fn hand_down(&self, directory: &Path) -> Result<(), CgroupError> {
        if self.version == Version::One {
            return Ok(());
        }
        let path = directory.join("cgroup.subtree_control");
        let enabled = text(&path).unwrap_or_default();
        let missing: Vec<String> = self
            .controllers
            .iter()
            .filter(|controller| !enabled.split(' ').any(|e| e == **controller))
            .map(|controller| format!("+{controller}"))
            .collect();
        if missing.is_empty() {
            return Ok(());
        }
        let controllers = missing.join(" ");
        std::fs::write(&path, &controllers).map_err(|source| CgroupError::Enable {
            controllers,
            path,
            source,
        })
    }

    /// Makes the sweep's directory such that groups can be in it.
    pub(super) fn prepare_parent(&self, parent: &Path) -> Result<(), CgroupError> {
        self.hand_down(parent)?;
        // Version 1: a cpuset begins empty, and no group below may have more than those above.
        if self.version == Version::One && self.controllers.contains(&"cpuset") {
            for name in ["cpuset.cpus", "cpuset.mems"] {
                write(&parent.join(name), &text(&self.path.join(name))?)?;
            }
        }
        Ok(())
    }

    /// Sets the processors of a group, and with version 1 all memory nodes, without which it takes no process.
    pub(super) fn limit_cpus(&self, group: &Path, cpus: &CpuList) -> Result<(), CgroupError> {
        let path = group.join("cpuset.cpus");
        let wanted = cpus.to_string();
        write(&path, &wanted)?;
        if self.version == Version::One {
            write(&group.join("cpuset.mems"), &text(&self.path.join("cpuset.mems"))?)?;
        }
        // Version 2 keeps any wish; what the groups above leave of it is in another file.
        let effective = group.join("cpuset.cpus.effective");
        let path = if effective.is_file() { effective } else { path };
        let found = text(&path)?;
        if found.parse().as_ref() == Ok(cpus) {
            return Ok(());
        }
        Err(CgroupError::NotTaken { path, wanted, found })
    }
}
