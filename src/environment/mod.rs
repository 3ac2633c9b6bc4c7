//! Floor 3: where trials run.
//!
//! An environment is checked, started, proven, used and stopped. What differs between environments is in the
//! small files `native.rs`, `docker/`, `kvm/`; what is the same (the agent, the bench image) is beside them.

pub mod agent;
pub mod docker;
pub mod fleet;
pub mod image;
pub mod kvm;
pub mod native;
pub mod proof;

use crate::model::{CpuList, EnvironmentName, Proof};
use agent::{AgentClient, AgentError};
use async_trait::async_trait;
use fleet::Fleet;
use image::{BenchImage, ImageError};
use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::Arc;
use tollgate_agent::protocol::Description;

/// An environment that this host cannot run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unavailable {
    /// What is missing.
    pub reason: String,
    /// What would help.
    pub remedy: String,
}

impl std::fmt::Display for Unavailable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}; {}", self.reason, self.remedy)
    }
}

/// Why an environment did not start, or ended.
#[derive(Debug, thiserror::Error)]
pub enum EnvironmentError {
    /// The agent inside.
    #[error("{0}")]
    Agent(#[from] AgentError),
    /// Docker's engine.
    #[error("docker: {0}")]
    Docker(#[from] bollard::errors::Error),
    /// A private engine of Docker's.
    #[error("private engine: {0}")]
    Engine(#[from] docker::private::EngineError),
    /// The bench image.
    #[error("{0}")]
    Image(#[from] ImageError),
    /// A control group.
    #[error("{0}")]
    Cgroup(#[from] crate::cgroup::CgroupError),
    /// A host command.
    #[error("{0}")]
    Command(#[from] crate::command::CommandFailure),
    /// A file of the environment.
    #[error("{path}: {source}")]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The guest.
    #[error("guest: {0}")]
    Guest(String),
}

impl EnvironmentError {
    /// For `map_err` on a file operation.
    pub fn io(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        |source| Self::Io { path, source }
    }
}

/// The bridge and tap that wait for a guest, in a network namespace of their own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GuestLink {
    /// Path of the namespace.
    pub netns: PathBuf,
    /// Name of the tap in it.
    pub tap: String,
    /// MAC address of the guest's card.
    pub mac: String,
    /// The guest's address.
    pub address: Ipv4Addr,
    /// Length of its network's prefix.
    pub prefix: u8,
}

/// What every environment of a sweep may use, all alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Memory with page cache, MiB: the limit of native and of containers, the size of a guest.
    pub memory_mib: u32,
    /// Processors.
    pub cpus: CpuList,
}

impl Limits {
    /// The memory, bytes.
    pub fn memory_bytes(&self) -> i64 {
        i64::from(self.memory_mib) << 20
    }
}

/// Everything that the environments of one sweep share.
#[derive(Debug, Clone)]
pub struct Context {
    /// The sweep's id: label and mark of everything that is created.
    pub sweep: String,
    /// The bench image.
    pub image: BenchImage,
    /// The agent's program on the host.
    pub agent: PathBuf,
    /// Scratch directory of the sweep; each environment makes a directory of its own in it.
    pub scratch: PathBuf,
    /// What each of them may use.
    pub limits: Limits,
    /// The host's address towards the clients.
    pub host_address: Ipv4Addr,
    /// Where the guest is attached.
    pub guest: GuestLink,
    /// Docker engines of the sweep's own; clones of one pool, so that environments share them.
    pub engines: docker::private::EnginePool,
    /// Ports of the servers in this environment, by the server's name. Unique on the host over all
    /// environments, because some of them share its network.
    pub ports: BTreeMap<String, u16>,
}

/// Where a server listens, and where its clients find it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServerAddress {
    /// What the server binds to, inside the environment. Never more than the sweep's own networks.
    pub listen: Ipv4Addr,
    /// Where a connection from inside reaches it.
    pub inside: Ipv4Addr,
    /// Where the client in its namespace reaches it.
    pub client: Ipv4Addr,
}

/// A kind of place for trials.
#[async_trait]
pub trait Environment: Send + Sync {
    /// Its name.
    fn name(&self) -> &EnvironmentName;
    /// Whether this host can run it, without starting anything.
    async fn check(&self) -> Result<(), Unavailable>;
    /// Starts it.
    async fn start(&self, context: &Context) -> Result<Box<dyn Session>, EnvironmentError>;
}

/// A started environment.
#[async_trait]
pub trait Session: Send {
    /// The agent inside.
    fn agent(&mut self) -> &mut AgentClient;
    /// Addresses for servers.
    fn server_address(&self) -> ServerAddress;
    /// Lets it run (a guest's CPUs are stopped while others are measured).
    async fn wake(&mut self) -> Result<(), EnvironmentError> {
        Ok(())
    }
    /// Stops its CPUs, where that can be done, so that it does not disturb the others.
    async fn rest(&mut self) -> Result<(), EnvironmentError> {
        Ok(())
    }
    /// Checks the claims of its label against counters and state. `network_trials` is how many trials with a
    /// client have run in this session: their bytes must show in its counters.
    async fn prove(&mut self, network_trials: u32) -> Result<Vec<Proof>, EnvironmentError>;
    /// What it is, for the fingerprint's context: `accelerator` -> `tcg`.
    fn facts(&self) -> BTreeMap<String, String> {
        BTreeMap::new()
    }
    /// Starts fresh instances of it.
    fn fleet(&self) -> Arc<dyn Fleet>;
    /// Ends it and removes what it made.
    async fn stop(self: Box<Self>) -> Result<(), EnvironmentError>;
}

/// The host's own description, to compare an environment's with: namespaces of this very process.
pub fn host_namespace(kind: &str) -> Option<String> {
    Some(std::fs::read_link(format!("/proc/self/ns/{kind}")).ok()?.to_string_lossy().into_owned())
}

/// Bytes that an interface of the description has moved, both directions.
pub fn moved_bytes(description: &Description, interface: &str) -> Option<u64> {
    description.interfaces.iter().find(|i| i.name == interface).map(|i| i.rx_bytes + i.tx_bytes)
}
