//! Which changes the baselines of a host let the judge see, and what it would take to see more.

use super::{Effort, EnvironmentName, Family, HostClass};
use serde::{Deserialize, Serialize};

/// The power of the judge on one host class and profile: the JSON of `power --format json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Power {
    /// Version of this format; see [`super::format::POWER_FORMAT`].
    pub version: u32,
    /// Whose baselines; none without any.
    pub host_class: Option<HostClass>,
    /// Profile; none of a samples CSV.
    pub profile: Option<String>,
    /// `kvm` or `tcg`; none without a virtual machine.
    pub accelerator: Option<String>,
    /// Accepted sweeps that are comparable with the newest one.
    pub sweeps: u32,
    /// Fresh sweeps that confirm, as asked.
    pub fresh_sweeps: u32,
    /// Whether plans are priced by the measured times; else by beginning a sweep = three rounds.
    pub timed: bool,
    /// All metrics together.
    pub summary: PowerSummary,
    /// Every metric and environment, the one farthest from its threshold first; those that nothing can be said of last.
    pub metrics: Vec<MetricPower>,
    /// Which accepted sweeps were left out, and why.
    pub reason: Option<String>,
}

/// All metrics together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PowerSummary {
    /// Metrics and environments with enough sweeps to say anything.
    pub metrics: u32,
    /// Those of them whose threshold is seen now.
    pub reach: u32,
    /// Those of them whose threshold some plan within the limits sees.
    pub reachable: u32,
    /// The cheapest plan, the same for all, with which four fifths of them see their threshold, with the fresh sweeps
    /// asked for, or with four where these do not do; none within the limits.
    pub common: Option<CommonPlan>,
}

/// A plan for a whole suite.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CommonPlan {
    /// How much is measured.
    #[serde(flatten)]
    pub effort: Effort,
    /// Time of one whole sweep, seconds; none where times are not known.
    pub sweep_s: Option<f64>,
    /// Time of a gate that screens once and confirms everything, seconds: the most that it takes.
    pub gate_s: Option<f64>,
}

/// The power for one metric in one environment. Percentages are of the ratio (100 (e^x - 1) of the log).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MetricPower {
    /// Workload.
    pub workload: String,
    /// Case.
    pub case: String,
    /// Metric.
    pub metric: String,
    /// Where.
    pub environment: EnvironmentName,
    /// Whose variance it shares.
    pub family: Family,
    /// n, sweeps of its baseline.
    pub sweeps: u32,
    /// R, rounds that a sweep gave (median), or those that were asked about.
    pub rounds: Option<u32>,
    /// `sigma_w`, standard deviation of the rounds within a sweep, percent.
    pub sigma_within_pct: Option<f64>,
    /// `sigma_b`, standard deviation between sweeps that no number of rounds reduces, percent; moderated by the family.
    pub sigma_between_pct: Option<f64>,
    /// The smallest rise worth a person's time, percent.
    pub threshold_pct: f64,
    /// The smallest rise that n, k and R see four times in five, percent; none with too few sweeps.
    pub mde80_pct: Option<f64>,
    /// Whether that is at most the threshold.
    pub reaches: Option<bool>,
    /// The cheapest plan that sees the threshold; none within the limits.
    pub plan: Option<Effort>,
    /// What the plan takes for this case alone, its missing baseline sweeps included, seconds; none where times are not known.
    pub plan_s: Option<f64>,
    /// What the largest plan within the limits would see, percent; only where no plan sees the threshold.
    pub best_pct: Option<f64>,
    /// Rounds of a sweep that cost least for what many sweeps together know:
    /// `ceil sqrt((c_sweep / c_round) 1.57 sigma_w² / sigma_b²)`. None where sweeps do not differ beyond their rounds.
    pub best_rounds: Option<u32>,
    /// All this in a sentence.
    pub reason: String,
}
