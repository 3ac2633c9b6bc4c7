//! Floor 3: the machine that sweeps. Reads what it is made of and how quiet it is, takes the one lock,
//! makes and removes the network of a sweep, installs what is missing.
//!
//! Of this crate it imports the model, the command runner and whole files only. Everything that reads takes the root path, so tests read a fake tree.

pub mod cpu_clock;
pub mod leftovers;
pub mod lock;
pub mod memory;
mod mountinfo;
pub mod netns;
pub mod noise;
pub mod preflight;
pub mod probe;
mod processes;
pub mod processors;
pub mod provision;
pub mod tuning;

// Below this floor; here so that the submodules have one name for it.
use crate::{cgroup, files};

pub use cpu_clock::{ClockError, HostClock, HostSample};
pub use leftovers::{Leftover, LeftoverError, LeftoverKind};
pub use lock::{Holder, HolderText, HostLock, LivingSweep, LockError, open_lock_file};
pub use netns::{NetworkError, NetworkPlan};
pub use noise::Noise;
pub use preflight::{Finding, FindingState, Preflight};
pub use probe::Probe;
pub use provision::{Need, Provision, ProvisionError};
pub use tuning::{Tuning, TuningError, Wanted};
