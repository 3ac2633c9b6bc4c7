//! Telling beside the loop what else would be lost: that a job was given up, and what waits in the outbox. One such errand at a
//! time. No job begins meanwhile, so that no trial runs beside it.

use super::{Service, arrived};
use chrono::{DateTime, TimeDelta, Utc};
use std::time::Duration;

/// How often it is tried to tell what could not be told.
pub(super) const AGAIN: TimeDelta = TimeDelta::minutes(30);
/// How long one that is under way is waited for when the service stops.
const STOP: Duration = Duration::from_secs(5);

/// Whether what failed is left alone until then. A time too far ahead is one of a clock that was wrong.
pub(super) fn rests(until: Option<DateTime<Utc>>, now: DateTime<Utc>) -> bool {
    until.is_some_and(|until| now < until && until <= now + AGAIN)
}

/// An errand that is over.
pub(super) enum Errand {
    /// What waits in the outbox was told, or waits on.
    Outbox,
    /// That a job was given up.
    GaveUp {
        /// Which.
        job: u64,
        /// Told or kept to be told, or why not even that worked.
        kept: Result<(), String>,
    },
}

impl Service<'_> {
    /// Whether something is told or measured at this moment.
    pub(super) fn is_occupied(&self) -> bool {
        self.errand.is_some() || self.notice.is_some() || self.flight.task.is_some()
    }

    /// Begins to tell that a job was given up, where that is written down and neither told nor kept.
    pub(super) fn tell_given_up(&mut self, now: DateTime<Utc>) {
        if self.unsaved || self.is_occupied() {
            return;
        }
        let rests = rests(self.untold_until, now);
        if let Some(over) = self.queue.untold().filter(|_| !rests).cloned() {
            let runner = self.parts.runner;
            let told = async move { Errand::GaveUp { job: over.job.id, kept: runner.gave_up(&over).await } };
            self.errand = Some(Box::pin(told));
        }
    }

    /// From time to time, what waits in the outbox.
    pub(super) fn tell_again(&mut self, now: DateTime<Utc>) {
        let due = now >= self.last_errand + AGAIN || now < self.last_errand;
        if !due || self.is_occupied() {
            return;
        }
        self.last_errand = now;
        if self.parts.host.outbox().waiting > 0 {
            let runner = self.parts.runner;
            self.errand = Some(Box::pin(async move {
                runner.tell_waiting().await;
                Errand::Outbox
            }));
        }
    }

    /// An errand is over.
    pub(super) fn back_from(&mut self, errand: Errand) {
        let Errand::GaveUp { job, kept } = errand else { return };
        match kept {
            Ok(()) => {
                self.queue.told(job);
                self.unsaved = true;
            }
            Err(error) => {
                tracing::error!(job, error, "nobody could be told that it is given up; it is tried again");
                self.untold_until = Some(self.parts.clock.now() + AGAIN);
            }
        }
    }

    /// Waits a little for the errand that is under way when the service stops. What it leaves untold, the next service tells.
    pub(super) async fn finish_errand(&mut self) {
        if self.errand.is_none() {
            return;
        }
        if let Ok(errand) = tokio::time::timeout(STOP, arrived(&mut self.errand)).await {
            self.back_from(errand);
        } else {
            tracing::warn!("telling is broken off; the next service goes on with it");
        }
    }
}
