//! The table of mounts, `/proc/self/mountinfo` (proc(5)).

use super::files;
use std::path::{Path, PathBuf};

/// One mount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mount {
    /// Where.
    pub point: PathBuf,
    /// `major:minor` of the filesystem's device.
    pub device: String,
    /// `ext4`.
    pub kind: String,
    /// What is mounted: a device or a word.
    pub source: String,
    /// Options of the mount, then those of the filesystem, duplicates left out.
    pub options: String,
}

/// All mounts in the order in which they were made; empty when the table cannot be read.
pub(super) fn read(root: &Path) -> Vec<Mount> {
    files::read(root, "/proc/self/mountinfo").map(|text| parse(&text)).unwrap_or_default()
}

/// Lines that are not understood are left out.
pub(super) fn parse(text: &str) -> Vec<Mount> {
    text.lines().filter_map(parse_line).collect()
}

fn parse_line(line: &str) -> Option<Mount> {
    // 36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue
    let (left, right) = line.split_once(" - ")?;
    let mut left = left.split(' ').skip(2);
    let device = left.next()?.to_owned();
    let point = PathBuf::from(unescape(left.nth(1)?));
    let mount_options = left.next()?;
    let mut right = right.split(' ');
    let kind = right.next()?.to_owned();
    let source = unescape(right.next()?);
    let mut options: Vec<&str> = Vec::new();
    for option in mount_options.split(',').chain(right.next().unwrap_or_default().split(',')) {
        if !option.is_empty() && !options.contains(&option) {
            options.push(option);
        }
    }
    Some(Mount { point, device, kind, source, options: options.join(",") })
}

/// Space, tab, newline and backslash are written as three octal digits.
fn unescape(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        let octal = match tail {
            [a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', ..] if byte == b'\\' => {
                Some((a - b'0') * 64 + (b - b'0') * 8 + (c - b'0'))
            }
            _ => None,
        };
        out.push(octal.unwrap_or(byte));
        rest = if octal.is_some() { &tail[3..] } else { tail };
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// The mount that a path is on: the last made of those with the longest mount point.
pub(super) fn mount_of<'a>(mounts: &'a [Mount], path: &Path) -> Option<&'a Mount> {
    mounts
        .iter()
        .filter(|mount| path.starts_with(&mount.point))
        .max_by_key(|mount| mount.point.components().count())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HOST: &str = "\
27 1 254:0 / / rw,relatime - ext4 /dev/vda rw,discard
31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
98 27 7:0 / /var/lib/tollgate rw,relatime shared:1 - xfs /dev/loop0 rw,attr2
99 27 0:50 / /mnt/with\\040space rw - tmpfs none rw
";

    #[test]
    fn the_longest_and_last_mount_point_wins() {
        let mounts = parse(HOST);
        assert_eq!(mounts.len(), 4);
        assert_eq!(mount_of(&mounts, Path::new("/var/lib/tollgate/scratch")).expect("mount").kind, "xfs");
        assert_eq!(mount_of(&mounts, Path::new("/var/lib/tollgate2")).expect("mount").kind, "ext4");
        assert_eq!(mounts[0].options, "rw,relatime,discard");
        assert_eq!(mounts[3].point, Path::new("/mnt/with space"));
    }

    #[test]
    fn the_last_of_two_on_one_point_is_seen() {
        let mounts = parse("1 1 0:1 / / rw - rootfs a rw\n2 1 0:2 / / rw - ext4 b rw\n");
        assert_eq!(mount_of(&mounts, Path::new("/x")).expect("mount").kind, "ext4");
    }

    proptest! {
        #[test]
        fn garbage_is_never_a_panic(text in "\\PC*", cut in 0usize..300) {
            parse(&text);
            parse(&HOST[..cut.min(HOST.len())]);
            unescape(&text);
        }

        #[test]
        fn lines_round_trip(point in "/[a-z /\\\\]{0,20}", kind in "[a-z0-9]{1,8}") {
            let escaped = point.replace('\\', "\\134").replace(' ', "\\040");
            let line = format!("5 1 8:1 / {escaped} rw,noatime master:3 shared:4 - {kind} /dev/sda1 rw\n");
            let mounts = parse(&line);
            prop_assert_eq!(mounts.len(), 1);
            prop_assert_eq!(mounts[0].point.to_str().expect("utf-8"), point.as_str());
            prop_assert_eq!(&mounts[0].kind, &kind);
        }
    }
}
