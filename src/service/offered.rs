//! Tells what is offered: after the start, and when it has changed. In a task of its own, which holds up neither the loop nor a
//! job: it does not begin while a sweep runs, but a sweep begins while it goes on, since GitHub may let it wait for long.

use super::Service;
use super::errand::{AGAIN, rests};
use crate::alert::candidates::Statement;
use crate::watch::Reason;
use chrono::{DateTime, Utc};
use std::collections::BTreeSet;

/// What came of it.
pub(super) type Told = Result<Statement, String>;

/// What was told last.
#[derive(Debug, Default)]
pub(super) struct Telling {
    last: Option<Statement>,
    not_before: Option<DateTime<Utc>>,
}

impl Telling {
    /// Whether there is something to tell.
    fn is_due(&self, statement: &Statement, now: DateTime<Utc>) -> bool {
        let known = self.last.as_ref().is_some_and(|last| {
            (&last.candidates, &last.unheard) == (&statement.candidates, &statement.unheard)
        });
        !rests(self.not_before, now) && !known
    }
}

impl Service<'_> {
    /// Begins to tell what the published status shows, when it is due.
    pub(super) fn tell_offered(&mut self, now: DateTime<Utc>) {
        if !self.parts.config.watch.notices || self.is_occupied() {
            return;
        }
        let Some(statement) = self.statement(now).filter(|s| self.telling.is_due(s, now)) else { return };
        let runner = self.parts.runner;
        self.notice = Some(Box::pin(async move {
            let told = statement.clone();
            runner.tell_offered(statement).await.map(|()| told)
        }));
    }

    /// What is to be said; none while nothing is known. What was installed stays a candidate until it is measured: the job
    /// that does it waits or runs.
    fn statement(&self, now: DateTime<Utc>) -> Option<Statement> {
        let seen = self.seen.as_ref()?;
        let change_waits = self.queue.waiting().iter().any(|job| matches!(job.reason, Reason::Change { .. }));
        if change_waits || self.queue.running().is_some() {
            return None;
        }
        let followed = &self.parts.config.watch.follow;
        let offers = self.offers.borrow();
        let heard = |feed| offers.get(feed).is_some_and(|known| known.heard);
        let unheard: BTreeSet<String> =
            followed.iter().filter(|feed| !heard(feed)).map(|feed| feed.as_str().to_owned()).collect();
        if unheard.len() == followed.len() {
            return None;
        }
        Some(Statement {
            host_class: self.parts.host.class(),
            at: now,
            candidates: self.status.borrow().candidates.clone(),
            unheard,
            components: seen.fingerprint.components.clone(),
            standing: None,
        })
    }

    /// It was told or kept, or could not be.
    pub(super) fn told_offered(&mut self, told: Told) {
        match told {
            Ok(statement) => self.telling = Telling { last: Some(statement), not_before: None },
            Err(error) => {
                tracing::warn!(error, "what is offered could not be told; it is tried again");
                self.telling.not_before = Some(self.parts.clock.now() + AGAIN);
            }
        }
    }
}
