//! How jobs leave the queue, or come back into it.

use super::{Components, FINISHED, LONGEST_WAIT, Queue, Retry, Settled, Started, Waiting};
use crate::model::{Decision, SweepId};
use crate::watch::job::Reason;
use crate::watch::status::{Finished, FinishedAs};
use chrono::{DateTime, TimeDelta, Utc};
use std::time::Duration;

/// Longest reason that is kept, characters.
const REASON: usize = 1000;
/// Longest wait of a job that is put off: an hour or two after GitHub is back, or has a new token, it is asked again.
const LONGEST_PUT_OFF: TimeDelta = TimeDelta::hours(2);

impl Queue {
    /// The running job was measured and judged. Its sweep says what the host was made of.
    pub fn judged(
        &mut self,
        decision: Decision,
        sweep: Option<SweepId>,
        components: Components,
        detail: Option<String>,
        now: DateTime<Utc>,
    ) {
        let Some(running) = self.running.take() else { return };
        self.settle(&running.job.profile, components, now);
        self.finish(running, FinishedAs::Judged(decision), sweep, detail, now);
    }

    /// GitHub was asked to measure.
    pub fn dispatched(&mut self, detail: Option<String>, now: DateTime<Utc>) {
        let Some(running) = self.running.take() else { return };
        self.settle(&running.job.profile, running.components.clone(), now);
        self.finish(running, FinishedAs::Dispatched, None, detail, now);
    }

    /// The running job failed. It is tried again unless it is `for_good` or failed too often; a job that something invalidated
    /// meanwhile is over. Returns whether it is given up.
    pub fn failed(&mut self, why: &str, for_good: bool, retry: Retry, now: DateTime<Utc>) -> bool {
        let Some(mut running) = self.take_valid(now) else { return false };
        let why: String = why.chars().take(REASON).collect();
        running.job.attempts += 1;
        if for_good || running.job.attempts >= retry.attempts {
            // Else the same change would be found again at once.
            self.settle(&running.job.profile, running.components.clone(), now);
            let outcome = if for_good { FinishedAs::Failed } else { FinishedAs::GaveUp };
            self.finish(running, outcome, None, Some(why), now);
            return true;
        }
        running.job.not_before = Some(now + wait(retry.first_wait, running.job.attempts, LONGEST_WAIT));
        running.job.last_error = Some(why);
        self.back(running, None, now);
        false
    }

    /// Who should measure could not be asked. That is no attempt: nothing is settled, and the job waits for as long as it
    /// takes.
    pub fn put_off(&mut self, why: &str, first_wait: Duration, now: DateTime<Utc>) {
        let Some(mut running) = self.take_valid(now) else { return };
        running.put_off = running.put_off.saturating_add(1);
        running.job.not_before = Some(now + wait(first_wait, running.put_off, LONGEST_PUT_OFF));
        running.job.last_error = Some(why.chars().take(REASON).collect());
        self.back(running, None, now);
    }

    /// The host was not free. That is no failure.
    pub fn busy(&mut self, why: &str, until: DateTime<Utc>, now: DateTime<Utc>) {
        let Some(mut running) = self.take_valid(now) else { return };
        running.job.not_before = Some(until);
        running.job.last_error = Some(why.chars().take(REASON).collect());
        let sweep = running.sweep.clone();
        self.back(running, Some(sweep), now);
    }

    /// The host is not free for a job that was to begin.
    pub fn postpone(&mut self, id: u64, why: &str, until: DateTime<Utc>, now: DateTime<Utc>) {
        if let Some(waiting) = self.waiting.iter_mut().find(|w| w.job.id == id) {
            waiting.waits_since = Some(now);
            waiting.job.not_before = Some(until);
            waiting.job.last_error = Some(why.chars().take(REASON).collect());
        }
    }

    /// The sweep that was begun for the running job cannot be gone on with: the job begins anew.
    pub fn stale(&mut self, why: &str, now: DateTime<Utc>) {
        let Some(mut running) = self.take_valid(now) else { return };
        running.job.last_error = Some(why.chars().take(REASON).collect());
        self.back(running, None, now);
    }

    /// The running job was stopped because the host changed. Its change has a job of its own by now; what else it was for
    /// is asked for again.
    pub fn invalidated(&mut self, now: DateTime<Utc>) {
        let Some(running) = self.running.take() else { return };
        let again = [running.otherwise.clone(), Some(running.job.reason.clone())];
        let again = again.into_iter().flatten().find(Reason::is_unconditional);
        let profile = running.job.profile.clone();
        let sweep = Some(running.sweep.clone());
        let detail = "the host changed while it was measured".to_owned();
        self.finish(running, FinishedAs::Invalidated, sweep, Some(detail), now);
        if let Some(reason) = again {
            self.ask(&profile, reason, now);
        }
    }

    /// The service starts, or the running job was stopped with it: the job waits again, and its sweep is gone on with.
    pub fn recover(&mut self, now: DateTime<Utc>) {
        let Some(running) = self.take_valid(now) else { return };
        let sweep = running.sweep.clone();
        self.back(running, Some(sweep), now);
    }

    /// The oldest job that was given up of which nobody was told yet.
    pub fn untold(&self) -> Option<&Finished> {
        self.finished.iter().rev().find(|f| f.untold)
    }

    /// That a job was given up is told, or kept to be told.
    pub fn told(&mut self, id: u64) {
        for finished in self.finished.iter_mut().filter(|f| f.job.id == id) {
            finished.untold = false;
        }
    }

    /// The running job; one that was invalidated is over instead.
    fn take_valid(&mut self, now: DateTime<Utc>) -> Option<Started> {
        if self.running.as_ref().is_some_and(|r| r.invalid) {
            self.invalidated(now);
        }
        self.running.take()
    }

    fn settle(&mut self, profile: &str, components: Components, now: DateTime<Utc>) {
        self.settled.insert(profile.to_owned(), Settled { at: now, components });
    }

    /// Back to those that wait. Whoever asked for the same meanwhile was put to the running job.
    fn back(&mut self, running: Started, sweep: Option<SweepId>, now: DateTime<Utc>) {
        let Started { job, otherwise, put_off, .. } = running;
        let waits_since = job.not_before.map(|_| now);
        self.waiting.push(Waiting { job, otherwise, sweep, put_off, waits_since });
    }

    fn finish(
        &mut self,
        running: Started,
        outcome: FinishedAs,
        sweep: Option<SweepId>,
        detail: Option<String>,
        now: DateTime<Utc>,
    ) {
        let Started { job, since, .. } = running;
        let untold = matches!(outcome, FinishedAs::Failed | FinishedAs::GaveUp);
        self.finished.insert(0, Finished { job, began: since, ended: now, outcome, sweep, detail, untold });
        self.finished.truncate(FINISHED);
    }
}

/// The wait after the `nth` time in a row: it doubles, up to `longest`.
fn wait(first: Duration, nth: u32, longest: TimeDelta) -> TimeDelta {
    let doublings = nth.saturating_sub(1).min(20);
    let wait = first.saturating_mul(1 << doublings);
    TimeDelta::from_std(wait).map_or(longest, |wait| wait.min(longest))
}
