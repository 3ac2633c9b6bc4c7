//! Candidate upgrades: what is offered, not installed and not measured. One issue a host class says it, beside the alerts
//! and apart from them: nothing is known of a candidate's toll, so that nothing here is an alarm.
//!
//! Pure, as the rest of [`crate::alert`]: a [`Statement`] and the issues that the tracker shows go in, [`Action`]s and texts
//! come out. The issue carries its own [`Memory`] in its hidden first line.

mod decide;
mod payload;
mod standing;
#[cfg(test)]
mod tests;
mod text;

pub use decide::{Action, Decided, Transition, decide};
pub use payload::{body, delivery};
pub use standing::{Standing, Toll};
pub use text::{NAMES, comment, event, issue, title};

use super::{Kind, Marker, StateReason, digest};
use crate::model::{Component, HostClass};
use crate::watch::Candidate;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Everything that a service has to say of candidate upgrades. It is a state, not an event: of two the newer counts, and
/// the older need not be told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Statement {
    /// Whose host.
    pub host_class: HostClass,
    /// When it was made.
    pub at: DateTime<Utc>,
    /// What is offered and neither installed nor measured.
    pub candidates: Vec<Candidate>,
    /// Sources that gave no answer yet: what they offered before is taken to be offered still.
    pub unheard: BTreeSet<String>,
    /// What the host is made of.
    pub components: BTreeMap<Component, String>,
    /// What the newest judged sweep says of the host; none when there is none.
    pub standing: Option<Standing>,
}

/// Where the life of the issue stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Something is offered.
    Open,
    /// Nothing was left, and we closed it.
    Closed,
    /// An older issue says the same.
    Duplicate,
}

/// What an issue about candidates remembers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memory {
    /// Whose host.
    pub host_class: HostClass,
    /// Open, or that we closed it.
    pub phase: Phase,
    /// What is offered or, once it is closed, what was offered last.
    pub candidates: Vec<Candidate>,
    /// What the host was made of.
    pub components: BTreeMap<Component, String>,
    /// When it came to this state.
    pub at: DateTime<Utc>,
    /// How.
    pub transition: Transition,
}

/// An issue about candidates as the tracker shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// Its number.
    pub number: u64,
    /// Whether it is open.
    pub open: bool,
    /// Why it is closed; none where the tracker does not say.
    pub reason: Option<StateReason>,
    /// What it remembers.
    pub memory: Memory,
}

/// What at most one open issue has: `v1/farm-a/candidates`.
pub fn key(host_class: &HostClass) -> String {
    format!("v1/{host_class}/candidates")
}

impl Memory {
    /// Digest of what a reader would see differently. What the sweeps say is no news of an upgrade.
    pub fn state(&self) -> String {
        let seen: BTreeSet<_> =
            self.candidates.iter().map(|c| (c.component, &c.offered, &c.installed, &c.source)).collect();
        // These types always serialise.
        let text = serde_json::to_vec(&(key(&self.host_class), self.phase, seen)).unwrap_or_default();
        digest(text, 8)
    }

    /// The hidden first line.
    pub fn marker(&self) -> Marker {
        Marker::with(Kind::Candidates, &key(&self.host_class), &self.state(), self)
    }

    /// The versions that are offered, whoever offers them.
    fn offered(&self) -> BTreeSet<(Component, &str)> {
        offered(&self.candidates)
    }
}

fn offered(candidates: &[Candidate]) -> BTreeSet<(Component, &str)> {
    candidates.iter().map(|c| (c.component, c.offered.as_str())).collect()
}
