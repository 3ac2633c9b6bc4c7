//! Whether a component is older than it was.

use crate::model::Component;
use debversion::Version;
use std::collections::BTreeMap;

/// Versions of all components of a sweep.
pub type Components = BTreeMap<Component, String>;

/// Whether any component of `now` is older than in `then`, in the order of Debian's packages (deb-version(7)). What has
/// no order (a digest, a storage driver) or is on one side only is never older.
pub fn is_older(now: &Components, then: &Components) -> bool {
    let ordered = |c: &Component| !matches!(c, Component::BenchImage | Component::StorageDriver);
    then.iter().filter(|(c, _)| ordered(c)).any(|(component, before)| {
        let parse = |text: &str| text.parse::<Version>().ok();
        match (now.get(component).and_then(|v| parse(v)), parse(before)) {
            (Some(now), Some(before)) => now < before,
            _ => false,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(component: Component, version: &str) -> Components {
        [(component, version.to_owned())].into()
    }

    #[test]
    fn versions_have_the_order_of_packages() {
        let engine = |v: &str| of(Component::DockerEngine, v);
        for (older, newer) in [
            ("20.10.24+dfsg1", "26.1.5+dfsg1"),
            ("26.1.5", "26.1.10"),
            ("9.0", "10.0"),
            ("28.0.0~rc1", "28.0.0"),
        ] {
            assert!(is_older(&engine(older), &engine(newer)), "{older} {newer}");
            assert!(!is_older(&engine(newer), &engine(older)), "{newer} {older}");
        }
        assert!(!is_older(&engine("26.1.5"), &engine("26.1.5")));
        let kernel = |v: &str| of(Component::Kernel, v);
        assert!(is_older(&kernel("6.1.0-13-cloud-amd64"), &kernel("6.12.9-cloud-amd64")));
    }

    #[test]
    fn what_has_no_order_is_never_older() {
        let image = |v: &str| of(Component::BenchImage, v);
        assert!(!is_older(&image("1a"), &image("2b")) && !is_older(&image("2b"), &image("1a")));
        let driver = |v: &str| of(Component::StorageDriver, v);
        assert!(!is_older(&driver("btrfs"), &driver("overlay2 on extfs")));
        assert!(!is_older(&Components::new(), &of(Component::Runc, "1.1")));
    }
}
