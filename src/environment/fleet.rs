//! Fresh instances of an environment, beside the one that stays up for the sweep.

use super::EnvironmentError;
use super::agent::AgentClient;
use crate::model::CgroupMemory;
use async_trait::async_trait;
use std::path::Path;

/// What an instance is to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InstanceOptions {
    /// Tells it from the others that are up at the same time.
    pub number: u32,
    /// Its memory limit, MiB; the environment's own when absent.
    pub memory_mib: Option<u32>,
}

/// Starts instances. Several may be started at the same time.
#[async_trait]
pub trait Fleet: Send + Sync {
    /// Starts one: the same bytes and the same kind of place as the environment, with an agent, but without ports. An
    /// instance that does not come up leaves nothing behind.
    async fn launch(&self, options: InstanceOptions) -> Result<Box<dyn Instance>, EnvironmentError>;

    /// Removes what a launch that was given up in the middle may have left under this number.
    async fn discard(&self, number: u32);

    /// Processes of the engine that serves all instances; none where there is no engine.
    async fn daemons(&self) -> Vec<u32>;

    /// Loads the image in `tar` under a name that is made of `number`; natively, unpacks it.
    async fn load(&self, tar: &Path, number: u32) -> Result<(), EnvironmentError>;

    /// Removes what [`Self::load`] made; what is not there is fine.
    async fn unload(&self, number: u32) -> Result<(), EnvironmentError>;
}

/// A running instance.
#[async_trait]
pub trait Instance: Send {
    /// The agent inside.
    fn agent(&mut self) -> &mut AgentClient;

    /// How long it took.
    fn begun(&self) -> Begun;

    /// Processes on the host that exist for it: its own, its shim, its QEMU.
    fn processes(&self) -> Vec<u32>;

    /// What its cgroup accounts now, read on the host: usage as `before`, and the peak so far. None without a
    /// cgroup, and where the limit is a machine's memory.
    fn memory(&self) -> Option<CgroupMemory>;

    /// Ends it and removes what it left.
    async fn stop(self: Box<Self>) -> Result<Ended, EnvironmentError>;
}

/// How long the steps up took, milliseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Begun {
    /// Until it existed, not running yet.
    pub create_ms: f64,
    /// From then until the agent inside had said hello.
    pub start_ms: f64,
}

/// How long the steps down took, milliseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Ended {
    /// Until it had ended.
    pub stop_ms: f64,
    /// From then until nothing of it was left.
    pub remove_ms: f64,
}

/// Milliseconds since `begun`.
pub fn ms_since(begun: std::time::Instant) -> f64 {
    begun.elapsed().as_secs_f64() * 1e3
}
