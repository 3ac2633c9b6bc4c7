//! What a trial cost besides what its own processes used.

use serde::{Deserialize, Serialize};

/// What the whole host did during a trial, microseconds over all CPUs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HostCost {
    /// Busy with anything.
    pub busy_us: u64,
    /// Stolen by the hypervisor below.
    pub steal_us: u64,
    /// Some task waited for a CPU.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub psi_cpu_us: Option<u64>,
}

/// Points of a distribution of latencies: percentile (0 to 100) and microseconds, both rising.
pub type Latencies = Vec<(f64, f64)>;

/// What the cgroup of a fresh instance accounted during a trial, read on the host, bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CgroupMemory {
    /// Its limit; none where it has none.
    pub limit: Option<u64>,
    /// In use just before the command ran.
    pub before: u64,
    /// Most that was in use from then on; none where the kernel does not tell.
    pub peak: Option<u64>,
}
