//! How a claim is put into a [`Proof`].

use super::host_namespace;
use crate::model::{EnvironmentName, Proof};
use tollgate_agent::protocol::Description;

/// Collects proofs of one environment.
#[derive(Debug)]
pub struct Proofs {
    environment: EnvironmentName,
    /// What was collected.
    pub all: Vec<Proof>,
}

impl Proofs {
    /// None yet.
    pub fn of(environment: &EnvironmentName) -> Self {
        Self { environment: environment.clone(), all: Vec::new() }
    }

    /// Adds a claim with what was observed.
    pub fn claim(&mut self, claim: &str, holds: bool, observed: impl Into<String>) {
        self.all.push(Proof {
            environment: self.environment.clone(),
            claim: claim.to_owned(),
            observed: observed.into(),
            holds,
        });
    }

    /// That the environment shares the host's namespace of this kind, or that it does not.
    pub fn namespace(&mut self, description: &Description, kind: &str, shared: bool) {
        let inside = description.namespaces.get(kind).cloned().unwrap_or_else(|| "unknown".to_owned());
        let host = host_namespace(kind).unwrap_or_else(|| "unknown".to_owned());
        let claim = if shared {
            format!("shares the host's {kind} namespace")
        } else {
            format!("has a {kind} namespace of its own")
        };
        self.claim(&claim, (inside == host) == shared, format!("inside {inside}, host {host}"));
    }

    /// That the data directory is a mount of the scratch filesystem.
    pub fn data_is_scratch(&mut self, description: &Description, scratch_dir: &str) {
        let data = &description.data;
        let holds =
            data.path == super::image::DATA && data.fstype != "overlay" && scratch_dir.ends_with(&data.root);
        self.claim(
            "the data directory is a directory of the scratch filesystem",
            holds && data.root.len() > 1,
            format!("{} on {} ({})", data.root, data.path, data.fstype),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tollgate_agent::protocol::MountPoint;

    fn description(net: &str, data: MountPoint) -> Description {
        Description {
            namespaces: [("net".to_owned(), net.to_owned())].into(),
            data,
            ..Description::default()
        }
    }

    #[test]
    fn a_shared_namespace_is_told_from_an_own_one() {
        let host = host_namespace("net").expect("on Linux");
        let mut proofs = Proofs::of(&EnvironmentName::NATIVE);
        proofs.namespace(&description(&host, MountPoint::default()), "net", true);
        proofs.namespace(&description("net:[1]", MountPoint::default()), "net", true);
        proofs.namespace(&description("net:[1]", MountPoint::default()), "net", false);
        proofs.namespace(&Description::default(), "net", true);
        assert_eq!(proofs.all.iter().map(|p| p.holds).collect::<Vec<_>>(), [true, false, true, false]);
    }

    #[test]
    fn a_layer_is_no_scratch_directory() {
        let mount = |path: &str, fstype: &str, root: &str| MountPoint {
            path: path.into(),
            fstype: fstype.into(),
            root: root.into(),
            source: "x".into(),
        };
        let mut proofs = Proofs::of(&EnvironmentName::NATIVE);
        proofs.data_is_scratch(&description("", mount("/data", "ext4", "/s/a")), "/var/s/a");
        proofs.data_is_scratch(&description("", mount("/", "overlay", "/")), "/var/s/a");
        proofs.data_is_scratch(&description("", mount("/data", "ext4", "/s/b")), "/var/s/a");
        assert_eq!(proofs.all.iter().map(|p| p.holds).collect::<Vec<_>>(), [true, false, false]);
    }
}
