//! Which processors the host has online, and which of them share a core.

use super::files;
use crate::model::CpuList;
use std::path::Path;

/// The processors that are online; none when the host does not tell
/// (`/sys/devices/system/cpu/online`, `Documentation/admin-guide/cputopology.rst`).
pub fn online(root: &Path) -> Option<CpuList> {
    files::value(root, "/sys/devices/system/cpu/online")?.parse().ok()
}

/// Sets of processors that share a core, each once, for the processors of `cpus`; those of which the host tells
/// nothing are left out.
pub fn siblings(root: &Path, cpus: &CpuList) -> Vec<CpuList> {
    let of = |cpu: u32| {
        let topology = format!("/sys/devices/system/cpu/cpu{cpu}/topology");
        // The second is the older name of the first.
        ["core_cpus_list", "thread_siblings_list"]
            .into_iter()
            .find_map(|name| files::value(root, format!("{topology}/{name}"))?.parse::<CpuList>().ok())
    };
    let mut cores: Vec<CpuList> = cpus.iter().filter_map(of).collect();
    cores.sort();
    cores.dedup();
    cores
}

/// The processors for the system under test and for the client of network workloads, in this order: see
/// [`CpuList::split_for_client`].
pub fn split_for_client(root: &Path, cpus: &CpuList) -> (CpuList, CpuList) {
    cpus.split_for_client(&siblings(root, cpus))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn write(root: &Path, path: &str, text: &str) {
        let path = files::under(root, path);
        fs::create_dir_all(path.parent().expect("parent")).expect("mkdir");
        fs::write(path, text).expect("write");
    }

    #[test]
    fn siblings_are_read_where_the_host_tells_them() {
        let dir = tempfile::tempdir().expect("tempdir");
        assert_eq!(online(dir.path()), None);
        write(dir.path(), "/sys/devices/system/cpu/online", "0-7\n");
        let cpus = online(dir.path()).expect("processors");
        assert_eq!(split_for_client(dir.path(), &cpus).1.to_string(), "6-7");
        for cpu in 0..8 {
            // Odd ones tell it under the older name.
            let name = if cpu % 2 == 0 { "core_cpus_list" } else { "thread_siblings_list" };
            let core = format!("{},{}\n", cpu % 4, cpu % 4 + 4);
            write(dir.path(), &format!("/sys/devices/system/cpu/cpu{cpu}/topology/{name}"), &core);
        }
        assert_eq!(siblings(dir.path(), &cpus).len(), 4);
        assert_eq!(split_for_client(dir.path(), &cpus).1.to_string(), "3,7");
    }

    #[test]
    fn this_host_has_processors() {
        let cpus = online(Path::new("/")).expect("processors");
        let (system, client) = split_for_client(Path::new("/"), &cpus);
        assert!(cpus.contains_all(&system) && cpus.contains_all(&client));
    }
}
