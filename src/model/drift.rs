//! Slow changes over many accepted sweeps.

use super::{EnvironmentName, SweepId};
use serde::{Deserialize, Serialize};

/// Which look at the history shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DriftKind {
    /// The newest sweeps lie above the pinned first ones.
    Anchor,
    /// The values rise steadily (Mann-Kendall).
    Trend,
}

/// A toll that rose slowly, each sweep too little to be noticed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Drift {
    /// Workload.
    pub workload: String,
    /// Case.
    pub case: String,
    /// Metric.
    pub metric: String,
    /// Where.
    pub environment: EnvironmentName,
    /// How it shows.
    pub kind: DriftKind,
    /// The change over the sweeps that were looked at, percent of the ratio, positive = worse.
    pub change_pct: f64,
    /// One-sided p-value of "it rose".
    pub p: f64,
    /// Accepted sweeps that were looked at.
    pub sweeps: u32,
    /// The first sweep after the most probable change points, oldest first: where to look.
    pub since: Vec<SweepId>,
    /// In a sentence.
    pub reason: String,
}
