//! The queue: what waits, what runs, and what became of the rest. A state machine without time, randomness or files of
//! its own, which the service writes down after every change.
//!
//! One job runs at a time. A profile has at most one waiting job: whoever asks for the same again is put to it. A change
//! is what differs between the host and what was *settled* last: measured, handed over, or given up.

mod ask;
mod end;
#[cfg(test)]
mod tests;

use super::job::{Job, Reason};
use super::schedule::Handled;
use super::status::Finished;
use crate::model::{Component, SweepId};
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::time::Duration;

pub use ask::{Observed, Seen, differences};

/// First field of the file.
pub const QUEUE_FORMAT: &str = "tollgate/queue/1";
/// How many jobs that ended are remembered.
const FINISHED: usize = 50;
/// No job waits longer than this for its time.
const LONGEST_WAIT: TimeDelta = TimeDelta::hours(24);

/// Versions of all components.
pub type Components = BTreeMap<Component, String>;

/// How patiently a job is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    /// How often, at least 1.
    pub attempts: u32,
    /// Wait after the first failure; it doubles, up to a day.
    pub first_wait: Duration,
}

/// A job that waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Waiting {
    job: Job,
    /// Why it is to be measured even when the change that it is for is taken back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    otherwise: Option<Reason>,
    /// The sweep that was begun for it and stopped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sweep: Option<SweepId>,
    /// How often it was put off in a row.
    #[serde(default, skip_serializing_if = "is_zero")]
    put_off: u32,
    /// When its wait began: before that it is ended by a clock that was set back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    waits_since: Option<DateTime<Utc>>,
}

impl Waiting {
    /// When it may begin, as far as it is concerned.
    fn ready(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        let set_back = self.waits_since.is_some_and(|since| now < since);
        self.job.not_before.filter(|at| !set_back && *at <= now + LONGEST_WAIT).unwrap_or(now)
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
fn is_zero(n: &u32) -> bool {
    *n == 0
}

/// The job that runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Started {
    /// Which.
    pub job: Job,
    /// When it began.
    pub since: DateTime<Utc>,
    /// Its first sweep, which was named before it began, so that it can be found again after a crash.
    pub sweep: SweepId,
    /// What the host was made of when it began.
    pub components: Components,
    /// Whether something changed since then.
    pub invalid: bool,
    /// As for a job that waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    otherwise: Option<Reason>,
    /// As for a job that waits.
    #[serde(default, skip_serializing_if = "is_zero")]
    put_off: u32,
}

/// What was dealt with last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settled {
    /// When.
    pub at: DateTime<Utc>,
    /// What the host was made of.
    pub components: Components,
}

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Start this job.
    Start(u64),
    /// Nothing before then.
    Wait(DateTime<Utc>),
    /// Nothing waits, or something runs.
    Nothing,
}

/// The queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Queue {
    format: String,
    /// Seed of the jitter, so that times stay the same after a restart.
    pub seed: u64,
    next_id: u64,
    waiting: Vec<Waiting>,
    running: Option<Started>,
    finished: Vec<Finished>,
    settled: BTreeMap<String, Settled>,
    /// Up to when each schedule was dealt with.
    pub schedules: Handled,
}

impl Queue {
    /// An empty one.
    pub fn new(seed: u64) -> Self {
        Self {
            format: QUEUE_FORMAT.to_owned(),
            seed,
            next_id: 1,
            waiting: Vec::new(),
            running: None,
            finished: Vec::new(),
            settled: BTreeMap::new(),
            schedules: Handled::new(),
        }
    }

    /// The jobs that wait, in the order in which they run.
    pub fn waiting(&self) -> Vec<&Job> {
        self.in_order().into_iter().map(|w| &w.job).collect()
    }

    fn in_order(&self) -> Vec<&Waiting> {
        let mut waiting: Vec<&Waiting> = self.waiting.iter().collect();
        waiting.sort_by_key(|w| order(&w.job));
        waiting
    }

    /// The job that runs.
    pub fn running(&self) -> Option<&Started> {
        self.running.as_ref()
    }

    /// The jobs that ended, the newest first.
    pub fn finished(&self) -> &[Finished] {
        &self.finished
    }

    /// What was dealt with last, of a profile.
    pub fn settled(&self, profile: &str) -> Option<&Settled> {
        self.settled.get(profile)
    }

    /// What to do at `now`, when no sweep may begin before `quiet_until` unless a person asked.
    pub fn next(&self, now: DateTime<Utc>, quiet_until: Option<DateTime<Utc>>) -> Next {
        if self.running.is_some() {
            return Next::Nothing;
        }
        let ready = |waiting: &Waiting| {
            let quiet = quiet_until.filter(|_| waiting.job.priority < super::Priority::High);
            waiting.ready(now).max(quiet.unwrap_or(now))
        };
        let waiting = self.in_order();
        match waiting.iter().find(|w| ready(w) <= now) {
            Some(first) => Next::Start(first.job.id),
            None => waiting.iter().map(|w| ready(w)).min().map_or(Next::Nothing, Next::Wait),
        }
    }

    /// Starts a waiting job, with a sweep called `sweep` unless one was begun for it; none when there is no such job or
    /// something runs.
    pub fn start(
        &mut self,
        id: u64,
        sweep: SweepId,
        components: &Components,
        now: DateTime<Utc>,
    ) -> Option<&Started> {
        if self.running.is_some() {
            return None;
        }
        let at = self.waiting.iter().position(|w| w.job.id == id)?;
        let Waiting { job, otherwise, sweep: begun, put_off, .. } = self.waiting.remove(at);
        let sweep = begun.unwrap_or(sweep);
        let components = components.clone();
        self.running =
            Some(Started { job, since: now, sweep, components, invalid: false, otherwise, put_off });
        self.running.as_ref()
    }

    fn take_id(&mut self) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        id
    }

    fn waiting_for(&mut self, profile: &str) -> Option<&mut Waiting> {
        self.waiting.iter_mut().find(|w| w.job.profile == profile)
    }
}

fn order(job: &Job) -> (Reverse<super::Priority>, DateTime<Utc>, u64) {
    (Reverse(job.priority), job.queued_at, job.id)
}
