//! What is installed but does not run yet.

use super::status::Pending;
use crate::model::Component;
use debversion::Version;

/// The newest installed kernel, when it is newer than the running one: it waits for a boot. `installed` are releases
/// as in `/boot/vmlinuz-<release>`. Flavours (`-amd64`, `-generic`) have no order and are left out of the comparison.
pub fn kernel(running: Option<&str>, installed: &[String]) -> Option<Pending> {
    let running = running?;
    let now = order(running)?;
    let newest = installed.iter().filter_map(|release| Some((order(release)?, release))).max()?;
    (newest.0 > now).then(|| Pending {
        component: Component::Kernel,
        running: Some(running.to_owned()),
        installed: newest.1.clone(),
    })
}

/// `6.1.0-25` of `6.1.0-25-cloud-amd64`, in the order of Debian's packages (deb-version(7)).
fn order(release: &str) -> Option<Version> {
    let flavour = release
        .match_indices('-')
        .find(|(at, _)| release[at + 1..].starts_with(|c: char| c.is_ascii_alphabetic()));
    let version = flavour.map_or(release, |(at, _)| &release[..at]);
    version.starts_with(|c: char| c.is_ascii_digit()).then(|| version.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn newest(running: &str, installed: &[&str]) -> Option<String> {
        let installed: Vec<String> = installed.iter().map(|&r| r.to_owned()).collect();
        kernel(Some(running), &installed).map(|p| p.installed)
    }

    #[test]
    fn only_a_newer_kernel_is_pending() {
        let newer = newest("6.1.0-9-amd64", &["6.1.0-9-amd64", "6.1.0-25-amd64", "6.1.0-10-amd64"]);
        assert_eq!(newer.as_deref(), Some("6.1.0-25-amd64"), "by number, not by letters");
        assert_eq!(newest("6.1.0-25-amd64", &["6.1.0-9-amd64", "6.1.0-25-amd64"]), None);
        assert_eq!(
            newest("6.1.0-25-amd64", &["6.1.0-25-cloud-amd64"]),
            None,
            "another flavour is no upgrade"
        );
        assert_eq!(newest("5.15.0-100-generic", &["6.8.0-45-generic"]).as_deref(), Some("6.8.0-45-generic"));
        assert_eq!(newest("6.1.0-25-amd64", &[]), None);
        assert_eq!(newest("6.1.0-25-amd64", &["memtest86+", "README"]), None);
        assert_eq!(kernel(None, &["6.1.0-25-amd64".to_owned()]), None);
    }

    proptest! {
        #[test]
        fn no_name_makes_it_panic(running in "\\PC{0,30}", installed in proptest::collection::vec("\\PC{0,30}", 0..5)) {
            kernel(Some(&running), &installed);
        }
    }
}
