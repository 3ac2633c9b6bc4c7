//! What an issue remembers, and what a tracker shows of it.

use super::decide::Transition;
use super::version::Components;
use super::{Key, digest};
use crate::model::SweepId;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Why we closed an issue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Closing {
    /// Its metrics are proven to be back.
    Recovered,
    /// A person accepted the new regime.
    Accepted,
    /// An older issue has the same key.
    Duplicate,
}

/// Where the life of an issue stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// It stands.
    Open,
    /// We closed it.
    Closed(Closing),
}

/// The memory of an issue. It is in the marker of its body, so that any runner may go on with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// What it is about.
    pub key: Key,
    /// Open, or why we closed it.
    pub phase: Phase,
    /// Every metric that it has been about since it was opened, `workload/case/metric@environment`: all of them must
    /// recover. It only grows, so that a metric at the edge of its threshold does not make news each day.
    #[serde(with = "nested")]
    pub metrics: BTreeSet<String>,
    /// The largest class that the rise has had: 1 below twice the threshold, 2 below four times, and so on.
    pub magnitude: u8,
    /// The sweeps that proved its recovery, since it last failed.
    pub recovered: BTreeSet<SweepId>,
    /// The sweep with which it came to this state; none when there was no sweep.
    pub sweep: Option<SweepId>,
    /// When that began. What is older says nothing new.
    pub at: DateTime<Utc>,
    /// Versions of the components in the newest sweep that failed or, once it is closed, of that which resolved it.
    pub components: Components,
    /// What kind of reason makes the host untrusted, as a digest; none for everything else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
    /// How it came to this state; the metrics that joined are left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transition: Option<Transition>,
}

/// Names by environment and case: a third of the length, and a body has a limit.
mod nested {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use std::collections::{BTreeMap, BTreeSet};

    type Tree = BTreeMap<String, BTreeMap<String, Vec<String>>>;

    pub fn serialize<S: Serializer>(names: &BTreeSet<String>, to: S) -> Result<S::Ok, S::Error> {
        let mut tree = Tree::new();
        for name in names {
            let (metric, environment) = name.rsplit_once('@').unwrap_or((name, ""));
            let (case, metric) = metric.rsplit_once('/').unwrap_or(("", metric));
            let cases = tree.entry(environment.to_owned()).or_default();
            cases.entry(case.to_owned()).or_default().push(metric.to_owned());
        }
        tree.serialize(to)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<BTreeSet<String>, D::Error> {
        let tree = Tree::deserialize(from)?;
        let of = |(environment, cases): (String, BTreeMap<String, Vec<String>>)| {
            cases.into_iter().flat_map(move |(case, metrics)| {
                let environment = environment.clone();
                metrics.into_iter().map(move |metric| format!("{case}/{metric}@{environment}"))
            })
        };
        Ok(tree.into_iter().flat_map(of).collect())
    }
}

impl Record {
    /// Digest of what a reader would see differently; the sweep and its exact numbers are not news.
    pub fn state(&self) -> String {
        let seen = (
            &self.key.to_string(),
            &self.phase,
            &self.metrics,
            self.magnitude,
            &self.recovered,
            &self.trouble,
        );
        // These types always serialise.
        let text = serde_json::to_vec(&seen).unwrap_or_default();
        digest(text, 8)
    }

    /// What it came to this state with: a sweep, or the time of an outage. Two outages are two reasons to speak.
    pub fn reached_with(&self) -> String {
        self.sweep
            .as_ref()
            .map_or_else(|| self.at.format("none-%Y%m%dT%H%M%SZ").to_string(), ToString::to_string)
    }
}

/// Why an issue is closed, as the tracker says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StateReason {
    /// Done.
    Completed,
    /// Will not be done.
    NotPlanned,
    /// Another issue has it.
    Duplicate,
}

/// An issue of ours as the tracker shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShownIssue {
    /// Its number.
    pub number: u64,
    /// Whether it is open.
    pub open: bool,
    /// Why it is closed; none where the tracker does not say.
    pub reason: Option<StateReason>,
    /// When it was closed.
    pub closed_at: Option<DateTime<Utc>>,
    /// Whether a person asks to accept what it is about (the label `tollgate:accept`).
    pub accept: bool,
    /// The digest that its marker carries; see [`Record::state`].
    pub state: String,
    /// What it remembers.
    pub record: Record,
}
