//! How jobs come into the queue, and out of it unmeasured.

use super::{Components, Queue, Settled, Waiting};
use crate::model::{Change, Component, Fingerprint};
use crate::watch::job::{Job, Priority, Reason};
use crate::watch::status::FinishedAs;
use chrono::{DateTime, Utc};

/// What the service saw of its host.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'a> {
    /// Which profile the changes are measured with.
    pub profile: &'a str,
    /// What the host is made of now.
    pub components: &'a Components,
    /// The newest accepted sweep of that profile: others may have measured, too.
    pub baseline: Option<&'a Settled>,
}

/// What it led to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Observed {
    /// A job that now waits for these changes.
    pub queued: Option<u64>,
    /// A job that waited for changes which were taken back.
    pub withdrawn: Option<u64>,
    /// The job that runs measures a host that is no more.
    pub invalidated: Option<u64>,
}

/// Components that differ so that measuring makes sense. One that vanished cannot be measured: its engine is stopped, or it is
/// being upgraded at this very moment. And a sweep itself builds the bench image, so that its first appearance is no change.
pub fn differences(before: &Components, now: &Components) -> Vec<Change> {
    let of =
        |components: &Components| Fingerprint { components: components.clone(), ..Fingerprint::default() };
    let made_by_a_sweep = |c: &Change| {
        c.before.is_none() && matches!(c.component, Component::BenchImage | Component::GuestKernel)
    };
    let mut changes = of(now).changes_since(&of(before));
    changes.retain(|c| c.after.is_some() && !made_by_a_sweep(c));
    changes
}

impl Queue {
    /// Compares the host with what was settled last, and with what the running job began with.
    pub fn observe(&mut self, seen: &Seen<'_>, now: DateTime<Utc>) -> Observed {
        let mut observed = Observed::default();
        if let Some(running) = self.running.as_mut().filter(|r| !r.invalid)
            && !differences(&running.components, seen.components).is_empty()
        {
            running.invalid = true;
            observed.invalidated = Some(running.job.id);
        }
        let own = self.settled.get(seen.profile);
        // A time that is still to come is that of a clock which was wrong: such a baseline would be the newest until then,
        // and what was measured here since would be measured for ever.
        let baseline = seen.baseline.filter(|baseline| own.is_none() || baseline.at <= now);
        // Of the two, what was dealt with last.
        let reference = own.into_iter().chain(baseline).max_by_key(|settled| settled.at);
        let Some(reference) = reference else { return observed };
        let changed = differences(&reference.components, seen.components);
        let covered = self.running.as_ref().is_some_and(|r| !r.invalid && r.job.profile == seen.profile);
        if changed.is_empty() || covered {
            observed.withdrawn = self.withdraw(seen.profile);
        } else {
            observed.queued = self.want(seen.profile, changed, now);
        }
        observed
    }

    /// Asks for a sweep for another reason than a change. Returns the job that will do it.
    pub fn ask(&mut self, profile: &str, reason: Reason, now: DateTime<Utc>) -> u64 {
        let priority = reason.priority();
        if let Some(running) = self.running.as_mut().filter(|r| !r.invalid && r.job.profile == profile) {
            // It is being done. Should it fail, it is done again for this reason.
            if reason.is_unconditional() && !running.job.reason.is_unconditional() {
                running.otherwise.get_or_insert(reason);
            }
            return running.job.id;
        }
        if let Some(waiting) = self.waiting_for(profile) {
            waiting.join(reason);
            return waiting.job.id;
        }
        let job = Job {
            id: self.take_id(),
            profile: profile.to_owned(),
            reason,
            priority,
            queued_at: now,
            not_before: None,
            attempts: 0,
            last_error: None,
        };
        let id = job.id;
        self.waiting.push(Waiting { job, otherwise: None, sweep: None, put_off: 0, waits_since: None });
        id
    }

    /// Whether a sweep of a profile may be asked for because its baseline is too small: nothing of it waits or runs, and it
    /// was not tried in vain twice as often as the baseline needs.
    pub fn may_fill_baseline(&self, profile: &str, needed: u32) -> bool {
        let of_profile = |job: &Job| job.profile == profile;
        let idle = !self.waiting.iter().any(|w| of_profile(&w.job))
            && !self.running.as_ref().is_some_and(|r| of_profile(&r.job));
        let tried = self
            .finished
            .iter()
            .filter(|f| of_profile(&f.job) && f.job.reason == Reason::NoBaseline)
            .filter(|f| f.outcome != FinishedAs::Invalidated)
            .count();
        idle && tried < 2 * needed as usize
    }

    /// The job for a change, new or brought up to date; none when it waits already, as it is.
    fn want(&mut self, profile: &str, changed: Vec<Change>, now: DateTime<Utc>) -> Option<u64> {
        let reason = Reason::Change { changed };
        let Some(waiting) = self.waiting_for(profile) else {
            return Some(self.ask(profile, reason, now));
        };
        if waiting.job.reason == reason {
            return None;
        }
        if waiting.job.reason.is_unconditional() {
            waiting.otherwise = Some(waiting.job.reason.clone());
        }
        // Another host is another attempt, and what was begun is no longer of use.
        (waiting.job.attempts, waiting.job.not_before, waiting.job.last_error) = (0, None, None);
        (waiting.sweep, waiting.put_off) = (None, 0);
        waiting.job.priority = waiting.job.priority.max(reason.priority());
        waiting.job.reason = reason;
        Some(waiting.job.id)
    }

    /// Takes back the job for a change that is no more. What else it is for stays.
    fn withdraw(&mut self, profile: &str) -> Option<u64> {
        let at = self
            .waiting
            .iter()
            .position(|w| w.job.profile == profile && matches!(w.job.reason, Reason::Change { .. }))?;
        let waiting = &mut self.waiting[at];
        let id = waiting.job.id;
        match waiting.otherwise.take() {
            Some(reason) => {
                waiting.job.priority = reason.priority();
                waiting.job.reason = reason;
                waiting.sweep = None;
            }
            None => drop(self.waiting.remove(at)),
        }
        Some(id)
    }
}

impl Waiting {
    /// One more reason for what waits already.
    fn join(&mut self, reason: Reason) {
        let job = &mut self.job;
        let priority = reason.priority();
        if priority == Priority::High {
            // A person waits for it now, whatever happened before.
            (job.not_before, job.attempts, self.put_off) = (None, 0, 0);
        }
        match &job.reason {
            _ if !reason.is_unconditional() => {}
            Reason::NoBaseline => job.reason = reason,
            Reason::Change { .. } if self.otherwise.as_ref().is_none_or(|o| o.priority() < priority) => {
                self.otherwise = Some(reason);
            }
            Reason::Change { .. } => {}
            _ if job.priority < priority => job.reason = reason,
            _ => {}
        }
        job.priority = job.priority.max(priority);
    }
}
