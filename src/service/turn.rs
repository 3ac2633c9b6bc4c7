//! One turn of the loop: what is due is done, what changed is written down, and what there is to see is shown.

use super::runner::{Order, Ran};
use super::{Asked, Parts, Service};
use crate::config::WatchMode;
use crate::model::SweepId;
use crate::service::host::Look;
use crate::watch::queue::Seen;
use crate::watch::schedule::Calendar;
use crate::watch::upstream;
use crate::watch::{Candidate, Mode, Next, Reason, Retry, Running, Source, Status, WakeUp};
use crate::workload::Profile;
use chrono::{DateTime, TimeDelta, Utc};
use clap::ValueEnum as _;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

/// The longest rest. A clock that was set or a host that slept is noticed within it.
const LONGEST_REST: Duration = Duration::from_secs(60);
/// How long a job waits for a host that somebody else sweeps on.
const BUSY: TimeDelta = TimeDelta::seconds(60);

/// What is shown before the first turn.
pub(super) fn first_status(parts: &Parts<'_>, now: DateTime<Utc>) -> Status {
    let mode = match parts.config.watch.mode {
        WatchMode::Local => Mode::Local,
        WatchMode::Dispatch => Mode::Dispatch,
    };
    Status::new(env!("CARGO_PKG_VERSION"), parts.host.class(), mode, now)
}

impl Service<'_> {
    /// A wake-up: what it leads to, in words.
    pub(super) fn heard(&mut self, wake: &WakeUp) -> Result<String, String> {
        let now = self.parts.clock.now();
        *self.wakeups.entry(wake.source.as_str().to_owned()).or_default() += 1;
        let delivery = wake.delivery.as_deref();
        tracing::debug!(source = wake.source.as_str(), force = wake.force, delivery, "woken");
        let profile = match wake.profile.as_deref().map(|name| Profile::from_str(name, false)) {
            None => self.parts.config.watch.profile,
            Some(Ok(profile)) => profile,
            Some(Err(_)) => {
                return Err("there is no such profile; there are smoke, standard and full".to_owned());
            }
        };
        if wake.source.comes_in_bursts() {
            self.debounce.heard(now);
        } else {
            self.look_wanted = true;
        }
        if !wake.force {
            return Ok("the service looks at its host".to_owned());
        }
        let by = match wake.source {
            Source::Trigger => "tollgate trigger",
            source => source.as_str(),
        };
        let reason = Reason::Trigger { by: by.to_owned() };
        let id = self.queue.ask(profile.as_str(), reason, now);
        self.unsaved = true;
        tracing::info!(job = id, profile = profile.as_str(), source = wake.source.as_str(), "asked for");
        let runs = self.queue.running().is_some_and(|running| running.job.id == id);
        let place = if runs { "runs already, and does for this" } else { "is in the queue" };
        Ok(format!("job {id} ({}) {place}", profile.as_str()))
    }

    /// As [`Service::heard`]; the answer is given when it is written down.
    pub(super) fn answer(&mut self, asked: Asked) {
        let mut answer = self.heard(&asked.wake);
        if self.unsaved
            && let Err(error) = self.save()
        {
            answer = Err(error);
        }
        // Who asked may be gone.
        let _ = asked.answer.send(answer);
    }

    /// Does what is due. Returns how long the loop may rest.
    pub(super) fn turn(&mut self, cancel: &CancellationToken) -> Duration {
        let now = self.parts.clock.now();
        self.schedules(now);
        self.look(now);
        if self.queue.running().is_some_and(|running| running.invalid) {
            self.flight.cancel.cancel();
        }
        if !self.unsaved || self.save().is_ok() {
            self.tell_given_up(now);
            self.begin(now, cancel);
        }
        self.tell_again(now);
        self.publish(now);
        self.tell_offered(now);
        self.manager.alive();
        self.rest(now)
    }

    fn calendar(&self) -> Calendar<'_> {
        let watch = &self.parts.config.watch;
        Calendar {
            schedules: &watch.schedules,
            zone: watch.time_zone,
            jitter: watch.jitter,
            seed: self.queue.seed,
        }
    }

    fn schedules(&mut self, now: DateTime<Utc>) {
        let mut handled = self.queue.schedules.clone();
        let due: Vec<(String, Option<Profile>)> =
            self.calendar().due(&mut handled, now).iter().map(|s| (s.name.clone(), s.profile)).collect();
        if handled != self.queue.schedules {
            self.queue.schedules = handled;
            self.unsaved = true;
        }
        for (name, profile) in due {
            let profile = profile.unwrap_or(self.parts.config.watch.profile);
            let id = self.queue.ask(profile.as_str(), Reason::Schedule { name: name.clone() }, now);
            tracing::info!(job = id, schedule = name, profile = profile.as_str(), "it is time");
        }
    }

    /// Begins a look where one is due.
    fn look(&mut self, now: DateTime<Utc>) {
        self.look_wanted |= self.debounce.take(now);
        // Also when the clock was set back: then nothing is known of how long ago the last look was.
        if now < self.last_look || now >= self.next_look() {
            *self.wakeups.entry(Source::Timer.as_str().to_owned()).or_default() += 1;
            self.look_wanted = true;
        }
        if self.look_wanted && self.looking.is_none() {
            self.look_wanted = false;
            self.last_look = now;
            let (host, profile) = (self.parts.host, self.parts.config.watch.profile);
            self.looking = Some(Box::pin(async move { host.look(profile).await }));
        }
    }

    fn next_look(&self) -> DateTime<Utc> {
        let every = TimeDelta::from_std(self.parts.config.watch.look_every).unwrap_or(TimeDelta::minutes(15));
        self.last_look + every
    }

    /// A look is over: what does it mean?
    pub(super) fn looked(&mut self, look: Look) {
        let now = self.parts.clock.now();
        let watch = &self.parts.config.watch;
        let profile = watch.profile.as_str();
        let before = self.queue.clone();
        let components = &look.fingerprint.components;
        let seen = Seen { profile, components, baseline: look.baseline.as_ref() };
        let observed = self.queue.observe(&seen, now);
        if let Some(id) = observed.invalidated {
            tracing::warn!(job = id, "the host changed while it was measured; the sweep is stopped");
        }
        if let Some(id) = observed.withdrawn {
            tracing::info!(
                job = id,
                "nothing is left to measure: the change was taken back, or its component stopped"
            );
        }
        if let Some(job) =
            observed.queued.and_then(|id| self.queue.waiting().into_iter().find(|j| j.id == id))
        {
            tracing::info!(job = job.id, profile, "{}", job.reason.sentence());
        }
        let nothing_known = look.baseline.is_none() && self.queue.settled(profile).is_none();
        let needed = self.parts.config.gate.min_baseline;
        // GitHub's job has baselines of its own, of which this service need not know.
        let small = watch.mode == WatchMode::Local && look.accepted < needed as usize;
        if (nothing_known || small) && self.queue.may_fill_baseline(profile, needed) {
            let id = self.queue.ask(profile, Reason::NoBaseline, now);
            tracing::info!(job = id, profile, accepted = look.accepted, needed, "the baseline is too small");
        }
        self.unsaved |= self.queue != before;
        for pending in
            look.pending.iter().filter(|p| self.seen.as_ref().is_none_or(|s| !s.pending.contains(p)))
        {
            tracing::info!(component = %pending.component, installed = pending.installed, "waits for a boot");
        }
        self.seen = Some(look);
    }

    pub(super) fn save(&mut self) -> Result<(), String> {
        match self.keep.save(&self.queue) {
            Ok(()) => {
                self.unsaved = false;
                Ok(())
            }
            Err(error) => {
                tracing::error!(%error, "the queue cannot be written down; no job begins before it can");
                Err(error.to_string())
            }
        }
    }

    /// Begins the next job, if one is to begin now.
    fn begin(&mut self, now: DateTime<Utc>, cancel: &CancellationToken) {
        let stale = self.look_wanted || self.looking.is_some() || self.debounce.due().is_some();
        let Some(look) = self.seen.as_ref().filter(|_| !stale) else { return };
        if self.flight.task.is_some() || self.errand.is_some() || cancel.is_cancelled() {
            return;
        }
        let Next::Start(id) = self.queue.next(now, self.parts.config.watch.quiet_until(now)) else { return };
        let is_local = self.parts.config.watch.mode == WatchMode::Local;
        if let Some(why) = self.parts.host.busy().filter(|_| is_local) {
            tracing::info!(job = id, why, "waits");
            self.queue.postpone(id, &why, now + BUSY, now);
            self.unsaved = true;
            return;
        }
        let sweep = SweepId::new(now, rand::random());
        let Some(started) = self.queue.start(id, sweep, &look.fingerprint.components, now) else { return };
        let order = Order { job: started.job.clone(), sweep: started.sweep.clone() };
        if self.save().is_err() {
            self.queue.recover(now);
            return;
        }
        tracing::info!(job = id, sweep = %order.sweep, profile = order.job.profile, "begins");
        self.board.clear();
        let (runner, board, token) = (self.parts.runner, Arc::clone(&self.board), cancel.child_token());
        self.flight.cancel = token.clone();
        let span = tracing::info_span!("job", id);
        let task = async move { runner.run(&order, &board, &token).await };
        self.flight.task = Some(Box::pin(task.instrument(span)));
    }

    /// The running job is over.
    pub(super) fn ended(&mut self, ran: Ran, cancel: &CancellationToken) {
        let now = self.parts.clock.now();
        self.unsaved = true;
        let id = self.queue.running().map(|r| r.job.id);
        if matches!(ran, Ran::Failed { .. } | Ran::PutOff(_)) {
            tracing::warn!(job = id, "{ran}");
        } else {
            tracing::info!(job = id, "{ran}");
        }
        match ran {
            Ran::Judged { decision, sweep, components, detail } => {
                self.queue.judged(decision, sweep, components, detail, now);
                // The baseline may have grown.
                self.look_wanted = true;
            }
            Ran::Dispatched(detail) => self.queue.dispatched(Some(detail), now),
            Ran::Busy(why) => self.queue.busy(&why, now + BUSY, now),
            Ran::Stale(why) => {
                self.queue.stale(&why, now);
                // It may have seen a change for which nobody looked yet; the job begins with what the host is made of now.
                self.look_wanted = true;
            }
            Ran::Stopped => {
                // With the service, the job stays as it is: the next one goes on with it.
                if !cancel.is_cancelled() {
                    self.queue.recover(now);
                }
            }
            // What is torn down around it makes it fail.
            Ran::Failed { .. } | Ran::PutOff(_) if cancel.is_cancelled() => {}
            Ran::PutOff(why) => self.queue.put_off(&why, self.parts.config.watch.retry_wait, now),
            Ran::Failed { why, for_good } => self.failed(&why, for_good, now),
        }
        // Nobody waits for the next turn when the service stops.
        let _ = self.save();
    }

    fn failed(&mut self, why: &str, for_good: bool, now: DateTime<Utc>) {
        let watch = &self.parts.config.watch;
        let retry = Retry { attempts: watch.attempts, first_wait: watch.retry_wait };
        if self.queue.failed(why, for_good, retry, now) {
            // This one is told as soon as it is written down, however it went with another.
            self.untold_until = None;
        }
    }

    fn publish(&mut self, now: DateTime<Utc>) {
        let shown = self.board.shown();
        let is_local = self.parts.config.watch.mode == WatchMode::Local;
        let running = self.queue.running().map(|running| Running {
            job: running.job.clone(),
            since: running.since,
            sweep: is_local.then(|| running.sweep.clone()),
            step: shown.step,
            done: shown.done,
            total: shown.total,
            left_s: shown.left_s,
        });
        let queue: Vec<_> = self.queue.waiting().into_iter().cloned().collect();
        self.manager.status(match (&running, queue.len()) {
            (Some(running), waiting) => format!("measures job {} ({waiting} wait)", running.job.id),
            (None, 0) => "watches".to_owned(),
            (None, waiting) => format!("{waiting} jobs wait"),
        });
        let candidates = self.candidates();
        let status = Status {
            started_at: self.started_at,
            candidates,
            fingerprint: self.seen.as_ref().map(|s| s.fingerprint.clone()),
            pending: self.seen.as_ref().map(|s| s.pending.clone()).unwrap_or_default(),
            queue,
            running,
            finished: self.queue.finished().to_vec(),
            outbox: self.parts.host.outbox(),
            wakeups: self.wakeups.clone(),
            ..first_status(&self.parts, now)
        };
        self.status.send_replace(Arc::new(status));
    }

    /// What is offered and newer than what the host has. Something new is told to the log, once.
    fn candidates(&self) -> Vec<Candidate> {
        let Some(seen) = &self.seen else { return Vec::new() };
        let offers = self.offers.borrow();
        let components = &seen.fingerprint.components;
        let all: Vec<Candidate> = offers
            .iter()
            .flat_map(|(feed, known)| upstream::candidates(feed.as_str(), &known.offers, components))
            .collect();
        let before = self.status.borrow();
        for new in all.iter().filter(|c| !before.candidates.contains(c)) {
            let installed = new.installed.as_deref().unwrap_or_default();
            tracing::info!(component = %new.component, installed, offered = new.offered, source = new.source, "an upgrade is offered");
        }
        all
    }

    /// How long nothing is due.
    fn rest(&self, now: DateTime<Utc>) -> Duration {
        let quiet = self.parts.config.watch.quiet_until(now);
        let next = match self.queue.next(now, quiet) {
            Next::Wait(at) => Some(at),
            Next::Start(_) | Next::Nothing => None,
        };
        let scheduled = self.calendar().next(&self.queue.schedules, now);
        let times = [next, scheduled, self.debounce.due(), Some(self.next_look())];
        let first = times.into_iter().flatten().min().unwrap_or(now);
        let limit = self.manager.interval().unwrap_or(LONGEST_REST).min(LONGEST_REST);
        (first - now).to_std().unwrap_or_default().min(limit).max(Duration::from_millis(50))
    }
}
