//! Memory as the kernel of the host counts it.

use super::files;
use std::path::Path;

/// Proportional set size of a process (`Pss` of `/proc/PID/smaps_rollup`, proc(5)), KiB: its own pages, and its share
/// of those that it shares. None when it is gone.
pub fn pss_kib(root: &Path, pid: u32) -> Option<u64> {
    field(&files::read(root, format!("/proc/{pid}/smaps_rollup"))?, "Pss:")
}

/// The page cache of the whole host (`Cached` of /proc/meminfo), KiB.
pub fn cached_kib(root: &Path) -> Option<u64> {
    field(&files::read(root, "/proc/meminfo")?, "Cached:")
}

/// All memory of the host (`MemTotal`), KiB.
pub fn total_kib(root: &Path) -> Option<u64> {
    field(&files::read(root, "/proc/meminfo")?, "MemTotal:")
}

fn field(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_a_share_of_memory_and_a_missing_one_has_none() {
        let root = Path::new("/");
        assert!(pss_kib(root, std::process::id()).is_some_and(|kib| kib > 100));
        assert_eq!(pss_kib(root, u32::MAX), None);
        assert!(cached_kib(root).is_some());
        assert_eq!(field("Cached:   12 kB\nSwapCached: 3 kB\n", "Cached:"), Some(12));
    }
}
