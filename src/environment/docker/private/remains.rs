//! What an engine leaves beside its directory: processes, loop devices, cgroups.

use super::ENGINE_VARIABLE;
use rustix::process::{Pid, Signal, kill_process};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

/// Kills every process of the engine in `dir` whose containers are below `cgroup` and says which there were:
/// those whose environment names the directory (dockerd, containerd, shims), and those in the cgroup
/// (containers; gVisor's sandboxes, which start with an empty environment).
pub fn kill(dir: &Path, cgroup: &str) -> Vec<u32> {
    let mark = [ENGINE_VARIABLE.as_bytes(), b"=", dir.as_os_str().as_bytes()].concat();
    let below = format!(":{cgroup}/");
    let mut found = Vec::new();
    for pid in pids() {
        let read = |name: &str| std::fs::read(format!("/proc/{pid}/{name}")).unwrap_or_default();
        let ours = read("environ").split(|b| *b == 0).any(|entry| entry == mark)
            || String::from_utf8_lossy(&read("cgroup")).contains(&below);
        if ours && !is_zombie(pid) {
            found.push(pid);
            if let Some(number) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
                let _ = kill_process(number, Signal::KILL);
            }
        }
    }
    found
}

/// Whether a file in `dir` is still behind a loop device: the kernel lets go of it a little after the last process.
pub fn is_looped(dir: &Path) -> bool {
    let devices = std::fs::read_dir("/sys/block").into_iter().flatten().flatten();
    devices.map(|d| d.path().join("loop/backing_file")).any(|file| {
        std::fs::read(file).is_ok_and(|text| text.starts_with(dir.join("disk.img").as_os_str().as_bytes()))
    })
}

/// Removes a cgroup with all below it, and its parents as far as they are empty, in every hierarchy. What is
/// not empty stays.
pub fn remove_cgroups(cgroup: &str) {
    let cgroup = cgroup.trim_start_matches('/');
    let Some(first) = cgroup.split('/').next().filter(|first| first.starts_with("tollgate-")) else { return };
    for hierarchy in hierarchies() {
        remove_below(&hierarchy.join(cgroup));
        let mut parent = PathBuf::from(cgroup);
        while parent.pop()
            && parent.starts_with(first)
            && std::fs::remove_dir(hierarchy.join(&parent)).is_ok()
        {}
    }
}

/// Mount points of all cgroup hierarchies, of version 1 and 2.
fn hierarchies() -> Vec<PathBuf> {
    let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    mounts
        .lines()
        .filter_map(|line| {
            let mut words = line.split(' ');
            let (point, kind) = (words.nth(1)?, words.next()?);
            matches!(kind, "cgroup" | "cgroup2").then(|| PathBuf::from(point))
        })
        .collect()
}

fn remove_below(directory: &Path) {
    for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|t| t.is_dir()) {
            remove_below(&entry.path());
        }
    }
    let _ = std::fs::remove_dir(directory);
}

/// Pids of all processes.
pub(in crate::environment::docker) fn pids() -> Vec<u32> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

fn is_zombie(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(')').is_none_or(|(_, rest)| rest.trim_start().starts_with(['Z', 'X']))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn a_process_with_the_mark_is_killed_and_no_other() {
        let dir = tempfile::tempdir().expect("a directory");
        let sleep =
            |mark: &Path| Command::new("sleep").arg("60").env(ENGINE_VARIABLE, mark).spawn().expect("sleeps");
        let (mut ours, mut other) = (sleep(dir.path()), sleep(&dir.path().join("other")));
        // A process has its name some time before its environment.
        let is_marked = |pid: u32| {
            let environ = std::fs::read(format!("/proc/{pid}/environ")).expect("environ");
            environ.split(|b| *b == 0).any(|entry| entry.starts_with(ENGINE_VARIABLE.as_bytes()))
        };
        while !is_marked(other.id()) || !is_marked(ours.id()) {
            std::thread::yield_now();
        }
        assert_eq!(kill(dir.path(), "/tollgate-none/engines/e0"), [ours.id()]);
        assert!(!ours.wait().expect("ended").success());
        assert_eq!(kill(dir.path(), "/tollgate-none/engines/e0"), [0u32; 0]);
        assert!(other.try_wait().expect("asked").is_none());
        other.kill().expect("killed");
        other.wait().expect("ended");
    }

    #[test]
    fn only_cgroups_of_ours_are_removed() {
        // Nothing happens, above all not to the host's own hierarchy.
        remove_cgroups("/docker");
        remove_cgroups("/");
        remove_cgroups("/tollgate-no-such-sweep/engines/e0");
        assert!(!hierarchies().is_empty());
    }
}
