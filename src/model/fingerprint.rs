//! What a host is made of: watched components, and the context that explains a number.

use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fmt};

/// Software whose change makes a sweep worth its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Component {
    /// dockerd.
    DockerEngine,
    /// containerd.
    Containerd,
    /// The OCI runtime, usually runc.
    Runc,
    /// The running kernel of the host.
    Kernel,
    /// Storage driver with its backing filesystem: `overlay2 on extfs`.
    StorageDriver,
    /// QEMU.
    Qemu,
    /// The kernel that the guest boots.
    GuestKernel,
    /// Digest of the bench image.
    BenchImage,
}

impl Component {
    /// All of them, in the order in which they are shown.
    pub const ALL: [Self; 8] = [
        Self::DockerEngine,
        Self::Containerd,
        Self::Runc,
        Self::Kernel,
        Self::StorageDriver,
        Self::Qemu,
        Self::GuestKernel,
        Self::BenchImage,
    ];

    /// The glossary's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::DockerEngine => "docker-engine",
            Self::Containerd => "containerd",
            Self::Runc => "runc",
            Self::Kernel => "kernel",
            Self::StorageDriver => "storage-driver",
            Self::Qemu => "qemu",
            Self::GuestKernel => "guest-kernel",
            Self::BenchImage => "bench-image",
        }
    }
}

impl fmt::Display for Component {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// All components with versions, plus context. A component that is not installed, or cannot be asked
/// (engine stopped), is absent from the map; absence and a version differ.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fingerprint {
    /// Versions of the watched software.
    pub components: BTreeMap<Component, String>,
    /// CPU, microcode, mitigations, governor, THP, cgroup version, filesystems, daemon.json options,
    /// accelerator: what is recorded to explain a number but does not start a sweep.
    pub context: BTreeMap<String, String>,
}

/// A component whose version differs between two fingerprints.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// Which.
    pub component: Component,
    /// Version then; none when it was absent.
    pub before: Option<String>,
    /// Version now; none when it is absent.
    pub after: Option<String>,
}

impl Fingerprint {
    /// The components that differ from those of `before`, in the order of [`Component::ALL`].
    pub fn changes_since(&self, before: &Self) -> Vec<Change> {
        Component::ALL
            .into_iter()
            .filter_map(|component| {
                let (old, new) = (before.components.get(&component), self.components.get(&component));
                (old != new).then(|| Change { component, before: old.cloned(), after: new.cloned() })
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_component_that_appears_is_a_change() {
        let before = Fingerprint::default();
        let mut now = Fingerprint::default();
        now.components.insert(Component::Runc, "1.1.5".into());
        now.context.insert("governor".into(), "performance".into());
        let change = Change { component: Component::Runc, before: None, after: Some("1.1.5".into()) };
        assert_eq!(now.changes_since(&before), [change]);
        assert!(now.changes_since(&now).is_empty());
    }
}
