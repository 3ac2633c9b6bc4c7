//! Versions of installed packages from dpkg's status database, without starting dpkg.

use super::files;
use std::path::Path;

/// Version of a package that is installed (not merely known or half configured).
pub(super) fn installed_version(root: &Path, package: &str) -> Option<String> {
    find(&files::read(root, "/var/lib/dpkg/status")?, package)
}

fn find(status: &str, package: &str) -> Option<String> {
    // Some hosts have the same package in two architectures: the first that is installed.
    status.split("\n\n").find_map(|paragraph| {
        let field = |name: &str| {
            paragraph.lines().find_map(|line| Some(line.strip_prefix(name)?.strip_prefix(':')?.trim()))
        };
        // The name comes first in each paragraph: the cheap look before the others.
        if paragraph.trim_start().lines().next()?.strip_prefix("Package:")?.trim() != package {
            return None;
        }
        let installed = field("Status")?.split(' ').nth(2) == Some("installed");
        let version = field("Version").filter(|version| !version.is_empty());
        version.filter(|_| installed).map(str::to_owned)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const STATUS: &str = "\
Package: qemu-system-x86-doc
Status: install ok installed
Version: 9

Package: qemu-system-x86
Status: deinstall ok config-files
Version: 1:5.2

Package: qemu-system-x86
Status: install ok installed
Architecture: amd64
Source: qemu (1:7.2+dfsg-7+deb12u18)
Version: 1:7.2+dfsg-7+deb12u18+b3
Description: QEMU
 Package: not a field
";

    #[test]
    fn only_an_installed_package_counts() {
        assert_eq!(find(STATUS, "qemu-system-x86").as_deref(), Some("1:7.2+dfsg-7+deb12u18+b3"));
        assert_eq!(find(STATUS, "qemu-system"), None);
        assert_eq!(find("", "qemu-system-x86"), None);
    }

    proptest! {
        #[test]
        fn garbage_is_never_a_panic(text in "(\\PC|\n)*", cut in 0usize..400) {
            find(&text, "qemu-system-x86");
            find(&STATUS[..cut.min(STATUS.len())], "qemu-system-x86");
        }

        #[test]
        fn paragraphs_are_told_apart(name in "[a-z][a-z0-9+.-]{1,12}", version in "[0-9][0-9a-z.:~+-]{0,12}") {
            let text = format!("Package: a\nStatus: install ok installed\nVersion: 0\n\nPackage: {name}\n\
                Status: hold ok installed\nVersion: {version}\n\n");
            prop_assert_eq!(find(&text, &name), Some(version));
        }
    }
}
