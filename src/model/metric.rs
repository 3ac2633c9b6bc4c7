//! Metrics: what is measured, in which unit, and which direction is better.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Which direction of a metric is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Better {
    /// Rates: operations per second, MB/s.
    Higher,
    /// Times and costs: microseconds, CPU-seconds per GiB.
    Lower,
}

impl Better {
    /// `d` of the toll's definition: +1 where lower is better, -1 where higher is, so that
    /// `d * ln(environment / native)` is positive where the environment is worse.
    pub fn sign(self) -> f64 {
        match self {
            Self::Lower => 1.0,
            Self::Higher => -1.0,
        }
    }

    /// `higher` or `lower`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Higher => "higher",
            Self::Lower => "lower",
        }
    }
}

/// Metrics that share thresholds and variances.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Family {
    /// Compute bound.
    Cpu,
    /// Memory bandwidth, latency, accounting.
    Memory,
    /// Block devices and filesystems.
    Disk,
    /// Packets and connections.
    Network,
    /// Whole databases.
    Database,
    /// Creating, starting and removing environments.
    Lifecycle,
}

impl Family {
    /// The word used in files and policies.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Memory => "memory",
            Self::Disk => "disk",
            Self::Network => "network",
            Self::Database => "database",
            Self::Lifecycle => "lifecycle",
        }
    }
}

/// How two values of a metric are compared.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scale {
    /// By their ratio: values are above zero. Nearly all metrics.
    #[default]
    Ratio,
    /// By their difference, against a threshold in the metric's unit: metrics that may be zero, such as errors.
    Difference,
    /// Exactly: counts that do not vary.
    Count,
}

impl Scale {
    /// Whether it is [`Self::Ratio`], which files leave out.
    pub fn is_ratio(&self) -> bool {
        *self == Self::Ratio
    }

    /// Whether `value` is a measurement; everything else is a failed round. Ratios need values above zero, counts cannot
    /// be negative; what is compared by differences may be (a slope, a margin).
    pub fn accepts(self, value: f64) -> bool {
        let enough = match self {
            Self::Ratio => value > 0.0,
            Self::Count => value >= 0.0,
            Self::Difference => true,
        };
        value.is_finite() && enough
    }
}

/// Names one metric: `fio` / `randread-qd16` / `iops`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct MetricKey {
    /// The program or study part: `xz`, `fio`, `redis`.
    pub workload: String,
    /// One way of running it: `randread-qd16`.
    pub case: String,
    /// One quantity of it: `iops`.
    pub metric: String,
}

impl MetricKey {
    /// The three names, in order.
    pub fn new(workload: impl Into<String>, case: impl Into<String>, metric: impl Into<String>) -> Self {
        Self { workload: workload.into(), case: case.into(), metric: metric.into() }
    }
}

impl fmt::Display for MetricKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.workload, self.case, self.metric)
    }
}

/// A metric as its workload declares it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MetricSpec {
    /// Name within the case: `iops`.
    pub metric: &'static str,
    /// Unit: `MB/s`, `1/s`, `us`, `ms`, `CPU-s/GiB`.
    pub unit: &'static str,
    /// Which direction is better.
    pub better: Better,
    /// Which thresholds hold.
    pub family: Family,
    /// Step in which the tool reports it, in `unit`; 0 where it is finer than anything that matters.
    pub resolution: f64,
    /// How its values are compared.
    pub scale: Scale,
    /// Whether it is a tail latency (p95 and above): tails have a wider threshold.
    pub tail: bool,
    /// What it is and why it is in the suite, with its source, in one sentence.
    pub about: &'static str,
}
