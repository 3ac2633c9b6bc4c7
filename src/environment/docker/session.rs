//! A running container and the proofs of its label.

use super::axes::Axes;
use super::container::Names;
use super::fleet::DockerFleet;
use super::ports::{self, Rules};
use super::private::{EnginePool, Lease};
use super::{clean, layered, shim};
use crate::environment::agent::AgentClient;
use crate::environment::fleet::Fleet;
use crate::environment::image::DATA;
use crate::environment::proof::{Proofs, marker_inside};
use crate::environment::{EnvironmentError, ServerAddress, Session, moved_bytes};
use crate::model::{EnvironmentName, Proof};
use async_trait::async_trait;
use bollard::Docker;
use bollard::models::ContainerInspectResponse;
use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use tollgate_agent::protocol::Description;

/// A container that runs, in the host's engine or in a private one.
pub(super) struct DockerSession {
    pub(super) name: EnvironmentName,
    pub(super) axes: Axes,
    pub(super) docker: Docker,
    pub(super) id: String,
    pub(super) client: AgentClient,
    pub(super) address: Ipv4Addr,
    pub(super) sweep: String,
    pub(super) names: Names,
    pub(super) ports: BTreeSet<u16>,
    pub(super) engines: EnginePool,
    /// The right to the private engine it runs in.
    pub(super) lease: Option<Lease>,
    /// Version, storage driver and filesystem of that private engine.
    pub(super) engine: Option<String>,
    /// The image that was loaded for it alone.
    pub(super) image: Option<String>,
    pub(super) moved_at_start: u64,
    pub(super) rules_at_start: Option<Rules>,
    pub(super) fleet: Arc<DockerFleet>,
}

impl DockerSession {
    /// Notes the counters from which the proofs count.
    pub(super) async fn note_counters(&mut self) -> Result<(), EnvironmentError> {
        self.moved_at_start = moved_bytes(&self.client.describe(DATA).await?, "eth0").unwrap_or(0);
        self.rules_at_start = self.rules().await;
        Ok(())
    }

    /// The namespace of its private engine.
    fn netns(&self) -> Option<PathBuf> {
        self.lease.as_ref().map(|_| self.engines.place().netns.clone())
    }

    async fn rules(&mut self) -> Option<Rules> {
        if !self.axes.nat {
            return None;
        }
        ports::rules(self.netns().as_deref(), &self.ports).await
    }

    /// Which network it has: the host's, the engines', or one of its own.
    fn prove_network(&self, proofs: &mut Proofs, here: &Description) {
        let Some(netns) = self.netns() else {
            return proofs.namespace(here, "net", !self.axes.nat);
        };
        let id = std::fs::metadata(netns).map_or(0, |m| m.ino());
        proofs.namespace_of(here, "net", !self.axes.nat, "the private engine", &format!("net:[{id}]"));
    }

    async fn prove_nat(&mut self, proofs: &mut Proofs, here: &Description, network_trials: u32) {
        let moved = moved_bytes(here, "eth0").unwrap_or(0).saturating_sub(self.moved_at_start);
        // Each network trial sends thousands of requests; far less than this would be another path.
        let expected = u64::from(network_trials) * 10_000;
        proofs.claim(
            "traffic crosses the bridge's veth",
            here.interfaces.iter().any(|i| i.name == "eth0") && moved >= expected,
            format!("{moved} bytes over eth0 in {network_trials} network trials"),
        );
        let rules = self.rules().await;
        if self.axes.proxy {
            self.prove_proxy(proofs, rules);
        } else if let Some(now) = rules.filter(|r| r.chain) {
            let before = self.rules_at_start.map_or(0, |r| r.packets);
            let caught = now.packets.saturating_sub(before);
            proofs.claim(
                "connections to the published ports are translated by DNAT rules",
                now.ports == self.ports.len() && caught >= u64::from(network_trials),
                format!(
                    "rules for {} of {} ports caught {caught} connections in {network_trials} network trials",
                    now.ports,
                    self.ports.len()
                ),
            );
        }
    }

    fn prove_proxy(&self, proofs: &mut Proofs, rules: Option<Rules>) {
        let netns = self.netns().unwrap_or_else(|| PathBuf::from("/proc/1/ns/net"));
        let owners: Vec<String> = self
            .ports
            .iter()
            .map(|port| match ports::proxy_of(&netns, self.address, *port) {
                Some(pid) => format!("port {port}: pid {pid}"),
                None => format!("port {port}: none"),
            })
            .collect();
        let holds = !owners.is_empty() && owners.iter().all(|o| !o.ends_with("none"));
        proofs.claim("docker-proxy listens on the published ports", holds, owners.join(", "));
        if let Some(rules) = rules {
            let observed = format!("{} rules", rules.ports);
            proofs.claim("no DNAT rule takes the published ports", rules.ports == 0, observed);
        }
    }

    /// That layers are kept by the driver of the label, on the filesystem of the label.
    async fn prove_driver(
        &mut self,
        proofs: &mut Proofs,
        here: &Description,
        container_driver: &str,
    ) -> Result<(), EnvironmentError> {
        let Some(driver) = self.axes.driver else { return Ok(()) };
        let Some(lease) = &self.lease else {
            proofs.claim("it runs in an engine with the driver of its label", false, "the host's engine");
            return Ok(());
        };
        let info = self.docker.info().await?;
        let engine_driver = info.driver.unwrap_or_default();
        let status = info.driver_status.unwrap_or_default();
        let kind = status.iter().find(|pair| pair.first().is_some_and(|k| k == "driver-type"));
        let kind = kind.and_then(|pair| pair.get(1)).cloned().unwrap_or_default();
        let snapshotter = kind == "io.containerd.snapshotter.v1";
        let wanted = driver.engine_name();
        let observed = format!("engine {engine_driver} {kind}, container {container_driver}");
        proofs.claim(
            "the engine that runs it keeps layers with the driver of its label",
            engine_driver == wanted
                && (container_driver == wanted || container_driver.is_empty() && snapshotter)
                && snapshotter == (driver == super::axes::Driver::Containerd),
            observed.replace(" ,", ","),
        );
        let backing = self.engines.backing(lease).await?;
        if let Some(filesystem) = driver.backing() {
            let claim = format!("the engine's data is on {}", filesystem.as_str());
            proofs.claim(&claim, backing == filesystem.as_str(), backing.clone());
        }
        // gVisor shows a filesystem of its own inside.
        if !self.axes.gvisor() {
            let wanted = driver.root_fstype(&backing);
            let claim = format!("its root filesystem is {wanted}");
            proofs.claim(&claim, here.root.fstype == wanted, here.root.fstype.clone());
        }
        Ok(())
    }

    async fn prove_runtime(&mut self, proofs: &mut Proofs, inspected: &ContainerInspectResponse) {
        let runtime = inspected.host_config.as_ref().and_then(|h| h.runtime.clone()).unwrap_or_default();
        let driver = inspected.driver.clone().unwrap_or_default();
        let observed = format!("runtime {runtime}, storage driver {driver}");
        let Some(wanted) = self.axes.runtime.clone() else {
            return proofs.claim("the engine names its runtime", !runtime.is_empty(), observed);
        };
        proofs.claim("runs under the runtime of its label", runtime == wanted, observed);
        let program = shim::runtime(init_pid(inspected));
        proofs.claim(
            "the container's shim was given the runtime of its label",
            program.as_ref().is_ok_and(|p| p.file_name().is_some_and(|name| *name == *wanted)),
            program.map_or_else(|why| why, |p| p.display().to_string()),
        );
        if self.axes.gvisor() {
            let version = self.client.read("/proc/version", 1000).await.unwrap_or_else(|e| e.to_string());
            let host = std::fs::read_to_string("/proc/version").unwrap_or_default();
            // gVisor says this version whatever the host's is (pkg/sentry/syscalls/linux in its source).
            let holds = version.trim() != host.trim() && version.starts_with("Linux version 4.4.0 ");
            proofs.claim("runs on gVisor's kernel", holds, version.trim());
        }
    }

    /// That a seccomp filter is there, or not there, as the label says. Left out where the engine knows none.
    async fn prove_confinement(&mut self, proofs: &mut Proofs) -> Result<(), EnvironmentError> {
        // gVisor answers this question for its own kernel.
        if self.axes.gvisor() {
            return Ok(());
        }
        let options = self.docker.info().await?.security_options.unwrap_or_default();
        let filters = options.iter().any(|o| o.contains("seccomp") && !o.contains("unconfined"));
        let status = self.client.read("/proc/self/status", 16_384).await?;
        let line = status.lines().find(|line| line.starts_with("Seccomp:")).unwrap_or("no line Seccomp");
        let mode = line.split_whitespace().nth(1);
        let observed = line.split_whitespace().collect::<Vec<_>>().join(" ");
        if self.axes.unconfined {
            proofs.claim("runs without a seccomp filter", mode == Some("0"), observed);
        } else if filters {
            proofs.claim("runs under a seccomp filter", mode == Some("2"), observed);
        }
        Ok(())
    }
}

fn init_pid(inspected: &ContainerInspectResponse) -> u32 {
    let pid = inspected.state.as_ref().and_then(|s| s.pid).unwrap_or(0);
    u32::try_from(pid).unwrap_or(0)
}

/// The namespaces of a process as the host sees them.
fn namespaces(pid: u32) -> BTreeMap<String, String> {
    let kinds = ["net", "pid", "mnt", "cgroup", "ipc", "uts"];
    let found = kinds.into_iter().filter_map(|kind| {
        let target = std::fs::read_link(format!("/proc/{pid}/ns/{kind}")).ok()?;
        Some((kind.to_owned(), target.to_string_lossy().into_owned()))
    });
    found.collect()
}

#[async_trait]
impl Session for DockerSession {
    fn agent(&mut self) -> &mut AgentClient {
        &mut self.client
    }

    fn server_address(&self) -> ServerAddress {
        let host = self.address;
        if self.axes.nat {
            return ServerAddress {
                listen: Ipv4Addr::UNSPECIFIED,
                inside: Ipv4Addr::LOCALHOST,
                client: host,
            };
        }
        ServerAddress { listen: host, inside: host, client: host }
    }

    async fn prove(&mut self, network_trials: u32) -> Result<Vec<Proof>, EnvironmentError> {
        let mut here = self.client.describe(DATA).await?;
        let inspected = self.docker.inspect_container(&self.id, None).await?;
        if self.axes.gvisor() {
            // What gVisor's kernel calls its namespaces says nothing about the host's. Its sandbox shares the host's
            // pid namespace: the processes inside have pids of its own kernel only, which is claimed below.
            here.namespaces = namespaces(init_pid(&inspected));
        }
        let mut proofs = Proofs::of(&self.name);
        if !self.axes.gvisor() {
            proofs.namespace(&here, "pid", false);
        }
        self.prove_network(&mut proofs, &here);
        if self.axes.layer {
            let holds = here.data.path == "/" && here.data == here.root;
            let observed = format!("{} holds {DATA} ({})", here.data.path, here.data.fstype);
            proofs.claim("the data directory is in the container's layer", holds, observed);
        } else {
            let seen = marker_inside(&mut self.client).await;
            proofs.data_is_scratch(&here, &self.sweep, seen.as_deref());
        }
        if self.axes.nat {
            self.prove_nat(&mut proofs, &here, network_trials).await;
        }
        self.prove_runtime(&mut proofs, &inspected).await;
        self.prove_driver(&mut proofs, &here, &inspected.driver.clone().unwrap_or_default()).await?;
        if let Some(layers) = self.axes.layers {
            let root = match &self.lease {
                Some(lease) => self.engines.root(lease).await?,
                None => PathBuf::from("/"),
            };
            layered::prove(&mut proofs, &self.docker, &inspected, layers, &root).await?;
        }
        self.prove_confinement(&mut proofs).await?;
        Ok(proofs.all)
    }

    fn fleet(&self) -> Arc<dyn Fleet> {
        self.fleet.clone()
    }

    fn facts(&self) -> BTreeMap<String, String> {
        self.engine.iter().map(|engine| (format!("engine of {}", self.name), engine.clone())).collect()
    }

    async fn stop(mut self: Box<Self>) -> Result<(), EnvironmentError> {
        let _ = self.client.shutdown().await;
        let removed = self.remove().await;
        let released = match self.lease.take() {
            Some(lease) => self.engines.release(lease).await.map_err(EnvironmentError::from),
            None => Ok(()),
        };
        removed.and(released)
    }
}

impl DockerSession {
    /// Removes what it created in the engine.
    async fn remove(&mut self) -> Result<(), EnvironmentError> {
        let mut first_error = None;
        let wanted = self.sweep.clone();
        for leftover in clean::find(&self.docker, |sweep| sweep == wanted).await? {
            let ours = match &leftover {
                clean::Leftover::Container(id) => *id == self.id,
                clean::Leftover::Volume(name) => *name == self.names.volume,
                clean::Leftover::Image(_) => false,
                clean::Leftover::Network(id) => self.is_network(id).await,
            };
            if ours && let Err(error) = clean::remove(&self.docker, &leftover).await {
                first_error.get_or_insert(error);
            }
        }
        if let Some(image) = self.image.take()
            && let Err(error) = clean::remove(&self.docker, &clean::Leftover::Image(image)).await
        {
            first_error.get_or_insert(error);
        }
        first_error.map_or(Ok(()), Err)
    }

    /// Whether a network is this environment's: others of the sweep have some in the same engine.
    async fn is_network(&mut self, id: &str) -> bool {
        let found = self.docker.inspect_network(id, None).await;
        found.is_ok_and(|n| n.name.is_some_and(|name| name == self.names.network))
    }
}
