//! What the judge says of sweeps in which nothing changed: the measured rate of false alarms.

use super::{Family, HostClass};
use serde::{Deserialize, Serialize};

/// A rate of false alarms and how well it is known.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct FalseAlarms {
    /// How many false alarms there were.
    pub alarms: u32,
    /// Of how many judgements. They overlap (a sweep takes part in many), so the interval counts fewer.
    pub of: u32,
    /// The rate, percent.
    pub rate_pct: f64,
    /// Its 95 % interval (Clopper and Pearson 1934) over the judgements that do not overlap, percent.
    pub ci95_pct: [f64; 2],
    /// How many judgements do not overlap.
    pub independent: u32,
}

/// The rate of one family, by metric and environment.
///
/// The intervals take the metrics of one sweep as independent. Where they move together (one boot, one disk) they are
/// too narrow; the rates of whole suites do not assume it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FamilyAlarms {
    /// Which family.
    pub family: Family,
    /// Metrics and environments of it that were judged.
    pub metrics: u32,
    /// Verdicts `regressed` among those of resampled triples; none where no triple was judged.
    pub confirmed: Option<FalseAlarms>,
    /// Candidates of the screen among the verdicts of leave-one-out: what costs fresh sweeps, but no issue.
    pub screened: Option<FalseAlarms>,
}

/// The self-test of the stored baselines of one host class and profile.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SelfTest {
    /// Version of this format; see [`super::format::SELF_TEST_FORMAT`].
    pub version: u32,
    /// Whose baselines; none without any.
    pub host_class: Option<HostClass>,
    /// Profile; none of a samples CSV.
    pub profile: Option<String>,
    /// Accepted sweeps that are comparable with the newest one.
    pub sweeps: u32,
    /// Suites with any `regressed` verdict among resampled triples (one screens, two confirm, the others are the
    /// baseline); none with fewer than six sweeps.
    pub suites: Option<FalseAlarms>,
    /// Suites with any candidate of the screen when each sweep is judged as if it were new (leave one out); none with
    /// fewer than four sweeps.
    pub screened_suites: Option<FalseAlarms>,
    /// By family; families without metrics are left out.
    pub families: Vec<FamilyAlarms>,
    /// What it could not do, and how many sweeps that needs.
    pub reason: Option<String>,
}

impl SelfTest {
    /// Whether there is any rate.
    pub fn is_tested(&self) -> bool {
        self.suites.is_some() || self.screened_suites.is_some()
    }
}
