//! What `/proc/<pid>` tells about processes.

use super::files;
use std::path::Path;

/// The boot's random id; none when it cannot be read.
pub(super) fn boot_id(root: &Path) -> Option<String> {
    files::value(root, "/proc/sys/kernel/random/boot_id")
}

/// When a process started, in clock ticks since the boot: with its pid it names one process.
pub(super) fn start_ticks(root: &Path, pid: u32) -> Option<u64> {
    parse_stat(&files::read(root, format!("/proc/{pid}/stat"))?).map(|stat| stat.start_ticks)
}

/// A process' parent.
pub(super) fn parent(root: &Path, pid: u32) -> Option<u32> {
    parse_stat(&files::read(root, format!("/proc/{pid}/stat"))?).map(|stat| stat.parent)
}

/// Whether it has ended and only waits to be reaped.
pub(super) fn is_zombie(root: &Path, pid: u32) -> bool {
    files::read(root, format!("/proc/{pid}/stat"))
        .and_then(|text| parse_stat(&text))
        .is_some_and(|stat| matches!(stat.state, 'Z' | 'X'))
}

/// The pids of all processes, in ascending order.
pub(super) fn pids(root: &Path) -> Vec<u32> {
    let mut pids: Vec<u32> =
        files::names(root, "/proc").iter().filter_map(|name| name.parse().ok()).collect();
    pids.sort_unstable();
    pids
}

struct Stat {
    state: char,
    parent: u32,
    start_ticks: u64,
}

/// Fields 3, 4 and 22 of `/proc/<pid>/stat`; field 2 is a name that may hold anything, `)` too.
fn parse_stat(text: &str) -> Option<Stat> {
    let mut fields = text.rsplit_once(')')?.1.split_ascii_whitespace();
    Some(Stat {
        state: fields.next()?.chars().next()?,
        parent: fields.next()?.parse().ok()?,
        start_ticks: fields.nth(17)?.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_does_not_shift_the_fields() {
        let text = "7 (a) R 9 (x) S 3 7 7 0 -1 4 1 2 3 4 5 6 7 8 20 0 1 0 4711 1 2 3";
        let stat = parse_stat(text).expect("stat");
        assert_eq!((stat.state, stat.parent, stat.start_ticks), ('S', 3, 4711));
        assert!(parse_stat("7 (a) S").is_none() && parse_stat("").is_none());
    }

    #[test]
    fn our_own_process_has_a_parent_and_a_start() {
        let root = Path::new("/");
        let pid = std::process::id();
        assert!(start_ticks(root, pid).is_some_and(|ticks| ticks > 0));
        assert!(parent(root, pid).is_some() && !is_zombie(root, pid));
        assert!(pids(root).contains(&pid));
    }
}
