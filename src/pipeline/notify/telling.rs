//! A job of the outbox while it is told: what was found out and done is kept with it.

use super::{NotifyError, Place, place::Origin};
use crate::model::GateResult;
use crate::notify::github::Client;
use crate::notify::outbox::{Entry, Turn};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// A result that is to be told.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Job {
    /// What the gate found.
    pub result: GateResult,
    /// What started the job.
    pub origin: Origin,
    /// Where the run can be seen.
    pub run_url: Option<String>,
    /// Where it belongs, once that was found out.
    #[serde(default)]
    place: Option<Place>,
    /// The notices that webhooks have, or that wait for them.
    #[serde(default)]
    announced: BTreeSet<String>,
}

impl Job {
    /// The fields by which two jobs are the same.
    pub(super) const IDENTITY: [&'static str; 3] = ["result", "origin", "run_url"];

    /// A result that nobody has heard of.
    pub fn new(result: GateResult, origin: Origin, run_url: Option<String>) -> Self {
        Self { result, origin, run_url, place: None, announced: BTreeSet::new() }
    }
}

/// A job that is being told.
pub(super) struct Telling<'a> {
    pub(super) turn: &'a Turn<'a>,
    pub(super) job: Job,
    /// Whether an earlier run may have said a part of it.
    pub(super) begun: bool,
    id: u64,
}

impl<'a> Telling<'a> {
    /// `fresh`: this very run put it into the outbox.
    pub(super) fn new(turn: &'a Turn<'a>, entry: &Entry, fresh: bool) -> Result<Self, NotifyError> {
        let job: Job = serde_json::from_value(entry.job.clone()).map_err(NotifyError::Job)?;
        let begun = !fresh || job.origin.is_rerun;
        Ok(Self { turn, job, begun, id: entry.id })
    }

    /// Where it belongs; asked once.
    pub(super) async fn place(&mut self, client: Option<&Client>) -> Result<Place, NotifyError> {
        if let Some(place) = &self.job.place {
            return Ok(place.clone());
        }
        let place = self.job.origin.place(client).await?;
        self.job.place = Some(place.clone());
        self.keep()?;
        Ok(place)
    }

    /// Whether a notice has not been announced yet. From now on it has: call [`Telling::keep`] when it waits in the outbox.
    pub(super) fn is_news(&mut self, delivery: &str) -> bool {
        self.job.announced.insert(delivery.to_owned())
    }

    /// Writes down what is known and done by now.
    pub(super) fn keep(&self) -> Result<(), NotifyError> {
        let value = serde_json::to_value(&self.job).map_err(NotifyError::Job)?;
        Ok(self.turn.update(self.id, value)?)
    }
}
