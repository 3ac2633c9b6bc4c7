//! Where the agent runs, read from the kernel rather than from what was asked for.

use crate::sys;
use std::collections::BTreeMap;
use std::fs;
use tollgate_agent::protocol::{Description, Interface, MountPoint};

/// Describes this environment; `data` is the data directory.
pub fn describe(data: &str) -> Result<Description, String> {
    let read = |path: &str| fs::read_to_string(path).map_err(|e| format!("read {path}: {e}"));
    let mounts = read("/proc/self/mountinfo")?;
    let cpuinfo = read("/proc/cpuinfo")?;
    let data = fs::canonicalize(data).map_err(|e| format!("data directory {data}: {e}"))?;
    let namespaces = ["net", "pid", "mnt", "cgroup", "ipc", "uts"]
        .into_iter()
        .filter_map(|kind| {
            let target = fs::read_link(format!("/proc/self/ns/{kind}")).ok()?;
            Some((kind.to_owned(), target.to_string_lossy().into_owned()))
        })
        .collect::<BTreeMap<_, _>>();
    Ok(Description {
        kernel_release: sys::kernel_release(),
        pid: std::process::id(),
        namespaces,
        cgroup: fs::read_to_string("/proc/self/cgroup").unwrap_or_default(),
        root: mount_of(&mounts, "/"),
        data: mount_of(&mounts, &data.to_string_lossy()),
        cpus: sys::cpus(),
        hypervisor: field(&cpuinfo, "flags").is_some_and(|f| f.split_whitespace().any(|w| w == "hypervisor")),
        cpu_model: field(&cpuinfo, "model name").unwrap_or_default().to_owned(),
        memory_kib: field(&read("/proc/meminfo")?, "MemTotal")
            .and_then(|v| v.split_whitespace().next()?.parse().ok())
            .unwrap_or(0),
        interfaces: interfaces(&fs::read_to_string("/proc/net/dev").unwrap_or_default()),
        block_devices: names("/sys/class/block"),
        conntrack: fs::read_to_string("/proc/sys/net/netfilter/nf_conntrack_count")
            .ok()
            .and_then(|t| t.trim().parse().ok()),
    })
}

/// The first `name : value` line.
fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        (key.trim() == name).then(|| value.trim())
    })
}

fn names(dir: &str) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(dir)
        .into_iter()
        .flatten()
        .filter_map(|e| Some(e.ok()?.file_name().to_string_lossy().into_owned()))
        .collect();
    names.sort();
    names
}

/// The mount that holds `path`: the longest mount point that is a prefix of it, of equals the last.
fn mount_of(mountinfo: &str, path: &str) -> MountPoint {
    let mut best = MountPoint::default();
    for line in mountinfo.lines() {
        // 36 35 98:0 /root /mount/point opts [optional...] - fstype source superopts (proc(5))
        let Some((left, right)) = line.split_once(" - ") else { continue };
        let left: Vec<&str> = left.split(' ').collect();
        let mut right = right.split(' ');
        let (Some(root), Some(point), Some(fstype), Some(source)) =
            (left.get(3), left.get(4), right.next(), right.next())
        else {
            continue;
        };
        let point = unescape(point);
        let holds =
            path == point || point == "/" || path.strip_prefix(&point).is_some_and(|r| r.starts_with('/'));
        if holds && point.len() >= best.path.len() {
            best = MountPoint {
                path: point,
                fstype: fstype.to_owned(),
                source: unescape(source),
                root: unescape(root),
            };
        }
    }
    best
}

/// Spaces and the like stand as three octal digits.
fn unescape(text: &str) -> String {
    text.replace("\\040", " ").replace("\\011", "\t").replace("\\012", "\n").replace("\\134", "\\")
}

fn interfaces(net_dev: &str) -> Vec<Interface> {
    net_dev
        .lines()
        .filter_map(|line| {
            let (name, counters) = line.split_once(':')?;
            let mut counters = counters.split_whitespace();
            let rx_bytes = counters.next()?.parse().ok()?;
            let tx_bytes = counters.nth(7)?.parse().ok()?;
            Some(Interface { name: name.trim().to_owned(), rx_bytes, tx_bytes })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &str = "\
22 1 254:0 / / rw,relatime - overlay overlay rw,lowerdir=/a
23 22 0:20 / /proc rw - proc proc rw
30 22 254:0 /scratch/x /data rw,relatime shared:1 - ext4 /dev/vda rw
31 22 254:0 /a\\040b /data2 rw - ext4 /dev/vdb rw";

    #[test]
    fn the_longest_mount_point_holds_the_path() {
        assert_eq!(mount_of(MOUNTS, "/data/f").root, "/scratch/x");
        assert_eq!(mount_of(MOUNTS, "/data2").root, "/a b");
        assert_eq!(mount_of(MOUNTS, "/database").fstype, "overlay");
        assert_eq!(mount_of("garbage\n- -", "/x"), MountPoint::default());
    }

    #[test]
    fn interface_counters_are_read() {
        let text = "Inter-|   Receive\n face |bytes\n  eth0: 100 1 0 0 0 0 0 0 200 2 0 0 0 0 0 0\n";
        assert_eq!(interfaces(text), [Interface { name: "eth0".into(), rx_bytes: 100, tx_bytes: 200 }]);
    }

    #[test]
    fn this_environment_can_be_described() {
        let here = describe("/tmp").expect("describes");
        assert!(here.cpus > 0 && here.memory_kib > 0 && !here.root.fstype.is_empty());
        assert!(here.namespaces.contains_key("net"));
        assert!(describe("/no/such/dir").expect_err("missing").contains("/no/such/dir"));
    }
}
