//! In which environments a case makes sense.

use super::Profile;
use crate::model::EnvironmentName;

/// Storage drivers beside that of the host's engine, each with a private engine: those of today, and those of 2014
/// that an old engine and kernel may still have.
const DRIVERS: [&str; 8] =
    ["overlay2-xfs", "btrfs", "vfs", "fuse-overlayfs", "containerd", "zfs", "devicemapper", "aufs"];

/// OCI runtimes beside the engine's default.
const RUNTIMES: [&str; 2] = ["crun", "runsc"];

/// Layers above a file, the container's own included.
const LAYERS: [&str; 3] = ["1", "20", "100"];

/// The environments of a case. They differ from `docker` (or `kvm`) in one axis at a time, and a case names only
/// those whose axis is on its path. The axes are not part of the smoke profile, where they would cost more time
/// than the rest.
#[derive(Debug, Clone)]
pub(super) struct Places {
    profile: Profile,
    names: Vec<EnvironmentName>,
}

impl Places {
    /// `native` and these. Only for names that are written in this module; a wrong one is left out, which a test
    /// notices.
    pub(super) fn of(profile: Profile, names: &[&str]) -> Self {
        let mut places = Self { profile, names: vec![EnvironmentName::NATIVE] };
        places.add(names);
        places
    }

    fn add(&mut self, names: &[impl AsRef<str>]) {
        self.names.extend(names.iter().filter_map(|n| n.as_ref().parse().ok()));
    }

    fn axis<T: AsRef<str>>(mut self, names: &[T]) -> Self {
        if self.profile != Profile::Smoke {
            self.add(names);
        }
        self
    }

    /// And `docker+layer` with every other storage driver.
    pub(super) fn drivers(self) -> Self {
        self.drivers_but(&[])
    }

    /// The same without some of them.
    pub(super) fn drivers_but(self, but: &[&str]) -> Self {
        let names: Vec<String> = DRIVERS
            .iter()
            .filter(|driver| !but.contains(driver))
            .map(|driver| format!("docker+layer+driver={driver}"))
            .collect();
        self.axis(&names)
    }

    /// For cases that start containers in each trial: vfs copies the whole bench image for each, which takes 5 s and
    /// the image's size.
    pub(super) fn drivers_of_fresh(self) -> Self {
        self.drivers_but(&["vfs"])
    }

    /// And `docker+layer` with a file that lies below so many layers. In the full profile only: an image of 1.8 GB is
    /// loaded for each.
    pub(super) fn layers(mut self) -> Self {
        if self.profile == Profile::Full {
            self.add(&LAYERS.map(|layers| format!("docker+layer+layers={layers}")));
        }
        self
    }

    /// And `docker` with every other OCI runtime.
    pub(super) fn runtimes(self) -> Self {
        self.runtimes_but(&[])
    }

    /// The same without some of them.
    pub(super) fn runtimes_but(self, but: &[&str]) -> Self {
        let names: Vec<String> = RUNTIMES
            .iter()
            .filter(|runtime| !but.contains(runtime))
            .map(|runtime| format!("docker+runtime={runtime}"))
            .collect();
        self.axis(&names)
    }

    /// And `docker` without seccomp and without `AppArmor`.
    pub(super) fn unconfined(self) -> Self {
        self.axis(&["docker+unconfined"])
    }

    /// And a port published by the userland proxy.
    pub(super) fn proxy(self) -> Self {
        self.axis(&["docker+nat+proxy"])
    }

    /// And the tuned guest.
    pub(super) fn tuned(self) -> Self {
        self.axis(&["kvm+tuned"])
    }

    /// The names.
    pub(super) fn all(self) -> Vec<EnvironmentName> {
        self.names
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_axes_are_left_out_of_smoke_and_native_comes_first() {
        let of = |profile| {
            Places::of(profile, &["docker", "kvm"]).runtimes().drivers().layers().unconfined().tuned().all()
        };
        assert_eq!(of(Profile::Smoke).len(), 3);
        let standard = of(Profile::Standard);
        assert_eq!(standard.len(), 3 + RUNTIMES.len() + DRIVERS.len() + 2, "every name is valid");
        assert!(standard[0].is_native());
        assert_eq!(of(Profile::Full).len(), standard.len() + LAYERS.len(), "layers are of the full profile");
    }
}
