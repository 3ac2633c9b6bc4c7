//! What the service shows of itself. Data only.

pub use super::job::Job;
use crate::model::{Component, Decision, Fingerprint, HostClass, SweepId};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The whole service at one moment.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Status {
    /// Version of tollgate.
    pub version: &'static str,
    /// When the service started.
    pub started_at: DateTime<Utc>,
    /// When this was true.
    pub at: DateTime<Utc>,
    /// Of this host.
    pub host_class: HostClass,
    /// Who sweeps.
    pub mode: Mode,
    /// The last that was taken; none before the first.
    pub fingerprint: Option<Fingerprint>,
    /// What is installed but does not run yet.
    pub pending: Vec<Pending>,
    /// Jobs that wait, in the order in which they run.
    pub queue: Vec<Job>,
    /// The job that runs.
    pub running: Option<Running>,
    /// Jobs that ended, the newest first, at most 50.
    pub finished: Vec<Finished>,
    /// Upgrades that are offered: newer than what is installed.
    pub candidates: Vec<Candidate>,
    /// What waits to be told.
    pub outbox: Outbox,
    /// Wake-ups since the start, by source.
    pub wakeups: BTreeMap<String, u64>,
}

impl Status {
    /// Of a service that starts `now` and has done nothing yet.
    pub fn new(version: &'static str, host_class: HostClass, mode: Mode, now: DateTime<Utc>) -> Self {
        Self {
            version,
            started_at: now,
            at: now,
            host_class,
            mode,
            fingerprint: None,
            pending: Vec::new(),
            queue: Vec::new(),
            running: None,
            finished: Vec::new(),
            candidates: Vec::new(),
            outbox: Outbox::default(),
            wakeups: BTreeMap::new(),
        }
    }
}

/// Who sweeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// This service.
    Local,
    /// A job of GitHub Actions, which this service wakes.
    Dispatch,
}

/// A component that is installed but does not run yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Pending {
    /// Which.
    pub component: Component,
    /// What runs.
    pub running: Option<String>,
    /// What is installed.
    pub installed: String,
}

/// The job that runs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Running {
    /// Which.
    pub job: Job,
    /// Since when.
    pub since: DateTime<Utc>,
    /// Its first sweep; none in mode `dispatch`.
    pub sweep: Option<SweepId>,
    /// What it does now, in words.
    pub step: String,
    /// Rounds that are done, of this sweep.
    pub done: usize,
    /// All rounds of this sweep; 0 before they are known.
    pub total: usize,
    /// Seconds that the rest of this sweep will take, where it can be said.
    pub left_s: Option<f64>,
}

/// A job that ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finished {
    /// Which.
    pub job: Job,
    /// When it began.
    pub began: DateTime<Utc>,
    /// When it ended.
    pub ended: DateTime<Utc>,
    /// How.
    pub outcome: FinishedAs,
    /// What was measured.
    pub sweep: Option<SweepId>,
    /// More of it, in words.
    pub detail: Option<String>,
    /// Whether it was given up, and that is neither told nor kept to be told yet.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub untold: bool,
}

/// How a job ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FinishedAs {
    /// Measured and judged.
    Judged(Decision),
    /// GitHub was asked to measure.
    Dispatched,
    /// Something changed while it was measured.
    Invalidated,
    /// It fails until a person mends something.
    Failed,
    /// It failed too often.
    GaveUp,
}

/// An upgrade that is offered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Candidate {
    /// Of what.
    pub component: Component,
    /// What is installed.
    pub installed: Option<String>,
    /// What is offered.
    pub offered: String,
    /// By whom.
    pub source: String,
    /// Where it is described.
    pub url: Option<String>,
    /// When it was first seen.
    pub seen_at: DateTime<Utc>,
}

/// What waits to be told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Outbox {
    /// Results and notices that could not be sent yet.
    pub waiting: usize,
    /// Those that were refused for good.
    pub refused: usize,
}
