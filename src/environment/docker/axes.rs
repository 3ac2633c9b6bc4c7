//! What the name of a docker environment asks for, as data.

use super::Unavailable;
use crate::model::EnvironmentName;

/// A storage driver with the filesystem below it: the value of the axis `driver`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Driver {
    /// `overlay2-ext4`: the usual case.
    Overlay2Ext4,
    /// `overlay2-xfs`.
    Overlay2Xfs,
    /// `btrfs`: subvolumes.
    Btrfs,
    /// `vfs`: whole copies.
    Vfs,
    /// `fuse-overlayfs`: overlay in user space.
    FuseOverlayfs,
    /// `containerd`: containerd's overlayfs snapshotter in place of Docker's own drivers.
    Containerd,
    /// `zfs`.
    Zfs,
    /// `devicemapper`.
    Devicemapper,
    /// `aufs`: what the study of 2014 measured.
    Aufs,
}

impl Driver {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Overlay2Ext4,
        Self::Overlay2Xfs,
        Self::Btrfs,
        Self::Vfs,
        Self::FuseOverlayfs,
        Self::Containerd,
        Self::Zfs,
        Self::Devicemapper,
        Self::Aufs,
    ];

    /// The word in an environment's name.
    pub fn word(self) -> &'static str {
        match self {
            Self::Overlay2Ext4 => "overlay2-ext4",
            Self::Overlay2Xfs => "overlay2-xfs",
            Self::Containerd => "containerd",
            other => other.engine_name(),
        }
    }

    /// What the engine calls it, in its configuration and in `docker info`.
    pub fn engine_name(self) -> &'static str {
        match self {
            Self::Overlay2Ext4 | Self::Overlay2Xfs => "overlay2",
            Self::Btrfs => "btrfs",
            Self::Vfs => "vfs",
            Self::FuseOverlayfs => "fuse-overlayfs",
            Self::Containerd => "overlayfs",
            Self::Zfs => "zfs",
            Self::Devicemapper => "devicemapper",
            Self::Aufs => "aufs",
        }
    }

    /// The filesystem that must be below it; none where that of the scratch directory serves.
    pub fn backing(self) -> Option<Filesystem> {
        match self {
            Self::Overlay2Ext4 => Some(Filesystem::Ext4),
            Self::Overlay2Xfs => Some(Filesystem::Xfs),
            Self::Btrfs => Some(Filesystem::Btrfs),
            _ => None,
        }
    }

    /// The type of `/` as a container sees it (proc(5), mountinfo), `backing` being the filesystem below.
    pub fn root_fstype(self, backing: &str) -> String {
        match self {
            Self::Overlay2Ext4 | Self::Overlay2Xfs | Self::Containerd => "overlay".to_owned(),
            Self::FuseOverlayfs => "fuse.fuse-overlayfs".to_owned(),
            Self::Btrfs | Self::Vfs | Self::Devicemapper => backing.to_owned(),
            Self::Zfs | Self::Aufs => self.engine_name().to_owned(),
        }
    }
}

/// A filesystem that can be made in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Filesystem {
    /// ext4.
    Ext4,
    /// XFS.
    Xfs,
    /// Btrfs.
    Btrfs,
}

impl Filesystem {
    /// Its name in /proc/filesystems and /proc/self/mountinfo.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ext4 => "ext4",
            Self::Xfs => "xfs",
            Self::Btrfs => "btrfs",
        }
    }

    /// The command that makes it, without the file: program first.
    pub fn mkfs(self) -> &'static [&'static str] {
        match self {
            Self::Ext4 => &["mke2fs", "-q", "-t", "ext4", "-F"],
            Self::Xfs => &["mkfs.xfs", "-q", "-f"],
            Self::Btrfs => &["mkfs.btrfs", "-q", "-f"],
        }
    }

    /// Debian's package of that program.
    pub fn package(self) -> &'static str {
        match self {
            Self::Ext4 => "e2fsprogs",
            Self::Xfs => "xfsprogs",
            Self::Btrfs => "btrfs-progs",
        }
    }
}

/// What distinguishes one docker environment from the cheapest.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Axes {
    /// A bridge with a published port is on the path.
    pub nat: bool,
    /// The published port is served by docker-proxy instead of a DNAT rule.
    pub proxy: bool,
    /// The data directory is in the container's layer.
    pub layer: bool,
    /// Layers above the files of copy-up, the container's own included; the bench image's one layer when absent.
    pub layers: Option<u32>,
    /// No seccomp filter.
    pub unconfined: bool,
    /// The storage driver; the host engine's own when absent.
    pub driver: Option<Driver>,
    /// The OCI runtime; the engine's default when absent.
    pub runtime: Option<String>,
}

impl Axes {
    /// Reads a name. A word that is not understood makes the environment unavailable: measured as if the word
    /// were not there, it would be a lie.
    pub fn of(name: &EnvironmentName) -> Result<Self, Unavailable> {
        let mut axes = Self::default();
        for word in name.to_string().split('+').skip(1) {
            match word.split_once('=') {
                None if word == "nat" => axes.nat = true,
                None if word == "proxy" => axes.proxy = true,
                None if word == "layer" => axes.layer = true,
                None if word == "unconfined" => axes.unconfined = true,
                Some(("driver", value)) => {
                    let driver = Driver::ALL.into_iter().find(|d| d.word() == value);
                    let known = Driver::ALL.map(Driver::word).join(", ");
                    axes.driver = Some(driver.ok_or_else(|| Unavailable {
                        reason: format!("{value} is no storage driver that tollgate knows"),
                        remedy: format!("choose one of {known}"),
                    })?);
                }
                Some(("layers", value)) => axes.layers = Some(layers(value)?),
                Some(("runtime", value)) if !value.is_empty() => axes.runtime = Some(value.to_owned()),
                _ => {
                    return Err(Unavailable {
                        reason: format!("docker has no axis {word}"),
                        remedy:
                            "choose among nat, proxy, layer, unconfined, driver=..., layers=..., runtime=..."
                                .to_owned(),
                    });
                }
            }
        }
        if axes.proxy && !axes.nat {
            return Err(Unavailable {
                reason: "docker-proxy serves published ports, and without nat none is published".to_owned(),
                remedy: "say docker+nat+proxy".to_owned(),
            });
        }
        if axes.layers.is_some() && !axes.layer {
            return Err(Unavailable {
                reason: "how deep files lie matters to data in the container's layer only".to_owned(),
                remedy: "say docker+layer+layers=20".to_owned(),
            });
        }
        if axes.layers.is_some() && axes.driver == Some(Driver::Vfs) {
            return Err(Unavailable {
                reason: "vfs copies the whole image for each of its layers".to_owned(),
                remedy: "choose another driver".to_owned(),
            });
        }
        Ok(axes)
    }

    /// Whether the runtime is gVisor, which has a kernel of its own.
    pub fn gvisor(&self) -> bool {
        self.runtime.as_deref() == Some("runsc")
    }
}

/// Most layers above a file. overlay2 takes 128 in all.
const MOST_LAYERS: u32 = 100;

fn layers(value: &str) -> Result<u32, Unavailable> {
    let number = value.parse().ok().filter(|n| (1..=MOST_LAYERS).contains(n));
    number.ok_or_else(|| Unavailable {
        reason: format!("{value} is no number of layers that tollgate makes"),
        remedy: format!("choose one from 1 to {MOST_LAYERS}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn axes(name: &str) -> Result<Axes, Unavailable> {
        Axes::of(&name.parse().expect("a name"))
    }

    #[test]
    fn names_are_read() {
        assert_eq!(axes("docker").expect("plain"), Axes::default());
        let found = axes("docker+layer+driver=overlay2-xfs").expect("layer");
        assert!(found.layer && !found.nat);
        assert_eq!(found.driver, Some(Driver::Overlay2Xfs));
        assert_eq!(axes("docker+layer+layers=100").expect("deep").layers, Some(100));
        let found = axes("docker+nat+proxy+runtime=crun").expect("proxy");
        assert!(found.nat && found.proxy && found.runtime.as_deref() == Some("crun") && !found.gvisor());
        assert!(axes("docker+unconfined+runtime=runsc").expect("both").gvisor());
    }

    #[test]
    fn every_driver_has_a_word_of_its_own() {
        for driver in Driver::ALL {
            let name = format!("docker+layer+driver={}", driver.word());
            assert_eq!(axes(&name).expect("known").driver, Some(driver));
        }
    }

    #[test]
    fn what_is_not_understood_is_never_measured_as_something_else() {
        assert!(axes("docker+nta").expect_err("typing").reason.contains("nta"));
        assert!(axes("docker+driver=overlay3").expect_err("typing").remedy.contains("overlay2-ext4"));
        assert!(axes("docker+proxy").expect_err("no port").remedy.contains("docker+nat+proxy"));
        assert!(axes("docker+layers=20").expect_err("no layer").remedy.contains("docker+layer+layers=20"));
        for wrong in ["0", "101", "many", "-1", ""] {
            assert!(
                axes(&format!("docker+layer+layers={wrong}")).expect_err(wrong).remedy.contains("1 to 100")
            );
        }
        assert!(axes("docker+layer+driver=vfs+layers=2").is_err());
        assert!(axes("docker+runtime=").is_err() && axes("docker+nat=1").is_err());
    }

    #[test]
    fn the_root_filesystem_follows_from_driver_and_backing() {
        assert_eq!(Driver::Vfs.root_fstype("ext4"), "ext4");
        assert_eq!(Driver::Overlay2Xfs.root_fstype("xfs"), "overlay");
        assert_eq!(Driver::FuseOverlayfs.root_fstype("ext4"), "fuse.fuse-overlayfs");
    }
}
