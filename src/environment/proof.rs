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
        let host = host_namespace(kind).unwrap_or_else(|| "unknown".to_owned());
        self.namespace_of(description, kind, shared, "the host", &host);
    }

    /// The same for the namespace `reference` (`net:[4026531840]`) of `owner`.
    pub fn namespace_of(
        &mut self,
        description: &Description,
        kind: &str,
        shared: bool,
        owner: &str,
        reference: &str,
    ) {
        let inside = description.namespaces.get(kind).map_or("unknown", String::as_str);
        let claim = if shared {
            format!("shares {owner}'s {kind} namespace")
        } else {
            format!("has a {kind} namespace of its own")
        };
        let holds = inside != "unknown" && (inside == reference) == shared;
        let owner = owner.trim_start_matches("the ");
        self.claim(&claim, holds, format!("inside {inside}, {owner} {reference}"));
    }

    /// That the data directory is the scratch directory: `seen` is what the agent reads at [`MARKER`] of its data
    /// directory, `marker` what was written there on the host.
    pub fn data_is_scratch(&mut self, description: &Description, marker: &str, seen: Option<&str>) {
        let data = &description.data;
        let holds = data.path == super::image::DATA && seen == Some(marker);
        let found = if seen == Some(marker) { "holds" } else { "does not hold" };
        self.claim(
            "the data directory is a directory of the scratch filesystem",
            holds,
            format!("{} ({}) on {}, {found} what the host wrote", data.root, data.fstype, data.path),
        );
    }
}

/// Name of the file in a data directory by which it is recognised.
pub const MARKER: &str = ".tollgate";

/// Writes the marker of a sweep into a data directory on the host.
pub fn mark(data: &std::path::Path, sweep: &str) -> std::io::Result<()> {
    std::fs::write(data.join(MARKER), sweep)
}

/// What the agent reads as marker.
pub async fn marker_inside(agent: &mut super::AgentClient) -> Option<String> {
    agent.read(&format!("{}/{MARKER}", super::image::DATA), 200).await.ok()
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
    fn a_layer_and_another_directory_are_no_scratch_directory() {
        let mount = |path: &str| MountPoint {
            path: path.into(),
            fstype: "ext4".into(),
            root: "/s".into(),
            source: "x".into(),
        };
        let mut proofs = Proofs::of(&EnvironmentName::NATIVE);
        proofs.data_is_scratch(&description("", mount("/data")), "sweep-1", Some("sweep-1"));
        proofs.data_is_scratch(&description("", mount("/")), "sweep-1", Some("sweep-1"));
        proofs.data_is_scratch(&description("", mount("/data")), "sweep-1", Some("sweep-0"));
        proofs.data_is_scratch(&description("", mount("/data")), "sweep-1", None);
        assert_eq!(proofs.all.iter().map(|p| p.holds).collect::<Vec<_>>(), [true, false, false, false]);
    }
}
