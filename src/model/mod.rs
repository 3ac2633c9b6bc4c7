//! Floor 0: the data that everything else speaks about. No I/O, no clock, no policy.
//!
//! Every name follows the glossary in `docs/architecture.md`.

pub mod cost;
pub mod cpu_list;
pub mod drift;
pub mod environment;
pub mod fingerprint;
pub mod format;
pub mod gate;
pub mod hex;
pub mod id;
pub mod metric;
pub mod power;
pub mod proof;
pub mod samples;
pub mod self_test;
pub mod sweep;
pub mod variable;
pub mod verdict;

pub use cost::{CgroupMemory, HostCost, Latencies};
pub use cpu_list::{CpuList, CpuListError};
pub use drift::{Drift, DriftKind};
pub use environment::{Base, EnvironmentName};
pub use fingerprint::{Change, Component, Fingerprint};
pub use gate::{CellSummary, Confirmation, ConfirmingSweep, GateResult, TimingSummary};
pub use hex::hex;
pub use id::{HostClass, NameError, SweepId};
pub use metric::{Better, Family, MetricKey, MetricSpec, Scale};
pub use power::{CommonPlan, MetricPower, Power, PowerSummary};
pub use proof::Proof;
pub use samples::{Comparability, MetricInfo, SeriesKey, SweepSamples};
pub use self_test::{FalseAlarms, FamilyAlarms, SelfTest};
pub use sweep::{AcceptedBy, Cell, CellState, CellTrials, Harness, Series, Sweep, Timing};
pub use variable::is_private;
pub use verdict::{Absolute, Attribution, CommonMode, Decision, Effort, Judgement, Verdict, VerdictKind};
