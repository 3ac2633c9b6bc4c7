//! When schedules are due. What was dealt with is remembered by the caller; a time that was missed counts once.

use crate::config::Schedule;
use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::time::Duration;

/// A clock that was set back by more than this was wrong before: what was remembered from then is forgotten.
const TRUST: TimeDelta = TimeDelta::hours(24);

/// The schedules of a host, with what their times depend on.
#[derive(Debug, Clone, Copy)]
pub struct Calendar<'a> {
    /// The schedules.
    pub schedules: &'a [Schedule],
    /// Where their hours are meant.
    pub zone: Tz,
    /// They begin up to so much later, so that hosts with one configuration do not all sweep (and tell) at once.
    pub jitter: Duration,
    /// Seed of the jitter: the same seed gives the same times.
    pub seed: u64,
}

/// Up to when each schedule was dealt with, by name.
pub type Handled = BTreeMap<String, DateTime<Utc>>;

impl Calendar<'_> {
    /// The schedules whose time has come since they were last dealt with, which is noted. One that was never seen before
    /// begins now, and does not make up for the past.
    pub fn due(&self, handled: &mut Handled, now: DateTime<Utc>) -> Vec<&Schedule> {
        handled.retain(|name, _| self.schedules.iter().any(|s| s.name == *name));
        let mut due = Vec::new();
        for schedule in self.schedules {
            let since = handled.entry(schedule.name.clone()).or_insert(now);
            if *since > now + TRUST {
                *since = now;
            }
            if self.after(schedule, *since).is_some_and(|at| at <= now) {
                *since = now;
                due.push(schedule);
            }
        }
        due
    }

    /// The next time of any schedule.
    pub fn next(&self, handled: &Handled, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let since = |s: &Schedule| handled.get(&s.name).copied().unwrap_or(now);
        self.schedules.iter().filter_map(|s| self.after(s, since(s))).min()
    }

    /// When a schedule that was dealt with at `since` begins next, jitter included.
    pub fn after(&self, schedule: &Schedule, since: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let at = schedule.cron.after(since, self.zone)?;
        at.checked_add_signed(self.delay(&schedule.name, at))
    }

    /// The jitter of one time of one schedule.
    fn delay(&self, name: &str, at: DateTime<Utc>) -> TimeDelta {
        let jitter = u64::try_from(self.jitter.as_millis()).unwrap_or(u64::MAX);
        if jitter == 0 {
            return TimeDelta::zero();
        }
        let mut hash = Sha256::new();
        hash.update(self.seed.to_le_bytes());
        hash.update(at.timestamp().to_le_bytes());
        hash.update(name.as_bytes());
        let millis = ChaCha8Rng::from_seed(hash.finalize().into()).random_range(0..jitter);
        TimeDelta::milliseconds(i64::try_from(millis).unwrap_or(i64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use proptest::prelude::*;

    fn schedules(text: &str) -> Vec<Schedule> {
        let text = format!("[watch.schedules]\n{text}\n");
        Config::resolve(Some(("t.toml", &text))).expect("valid").watch.schedules
    }

    fn nightly() -> Vec<Schedule> {
        schedules("nightly = { cron = \"30 2 * * *\" }")
    }

    fn calendar(schedules: &[Schedule]) -> Calendar<'_> {
        Calendar { schedules, zone: chrono_tz::Europe::Berlin, jitter: Duration::ZERO, seed: 1 }
    }

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().expect("a time")
    }

    #[test]
    fn hours_are_those_of_the_time_zone_also_when_the_clocks_change() {
        let nightly = nightly();
        let calendar = calendar(&nightly);
        let next = |from: &str| calendar.after(&nightly[0], at(from)).expect("a time").to_rfc3339();
        assert_eq!(next("2026-11-25T12:00:00Z"), "2026-11-26T01:30:00+00:00");
        assert_eq!(next("2026-07-01T12:00:00Z"), "2026-07-02T00:30:00+00:00");
        // On 29 March 2026 there is no 2:30 in Berlin: the night is not left out.
        let spring = calendar.after(&nightly[0], at("2026-03-28T12:00:00Z")).expect("a time");
        assert!(spring < at("2026-03-29T03:00:00Z"), "{spring}");
        // On 25 October 2026 there are two: it begins once.
        let mut handled = Handled::new();
        calendar.due(&mut handled, at("2026-10-24T12:00:00Z"));
        let quarters = (0..96).map(|q| at("2026-10-24T12:00:00Z") + TimeDelta::minutes(15 * q));
        let began = quarters.filter(|now| !calendar.due(&mut handled, *now).is_empty()).count();
        assert_eq!(began, 1);
    }

    #[test]
    fn what_was_missed_counts_once_and_the_past_is_not_made_up_for() {
        let nightly = nightly();
        let calendar = calendar(&nightly);
        let mut handled = Handled::new();
        assert!(calendar.due(&mut handled, at("2026-11-25T12:00:00Z")).is_empty());
        assert!(calendar.due(&mut handled, at("2026-11-26T01:29:59Z")).is_empty());
        assert_eq!(calendar.next(&handled, at("2026-11-26T01:29:59Z")), Some(at("2026-11-26T01:30:00Z")));
        // The host slept for a week.
        assert_eq!(calendar.due(&mut handled, at("2026-12-03T09:00:00Z")).len(), 1);
        assert!(calendar.due(&mut handled, at("2026-12-03T09:00:01Z")).is_empty());
    }

    #[test]
    fn clocks_that_jump_repeat_nothing_and_silence_nothing_for_long() {
        let nightly = nightly();
        let calendar = calendar(&nightly);
        let mut handled = Handled::new();
        calendar.due(&mut handled, at("2026-11-25T12:00:00Z"));
        assert_eq!(calendar.due(&mut handled, at("2026-11-26T01:30:00Z")).len(), 1);
        // An hour back: the same half past two again.
        for minute in 0..90 {
            let now = at("2026-11-26T00:30:00Z") + TimeDelta::minutes(minute);
            assert!(calendar.due(&mut handled, now).is_empty(), "{now}");
        }
        // It was in the year 2099 for a moment.
        calendar.due(&mut handled, at("2099-01-01T00:00:00Z"));
        assert!(calendar.due(&mut handled, at("2026-11-26T12:00:00Z")).is_empty());
        assert_eq!(calendar.due(&mut handled, at("2026-11-27T01:30:00Z")).len(), 1);
    }

    #[test]
    fn a_schedule_that_is_gone_is_forgotten() {
        let both = schedules("a = { cron = \"0 2 * * *\" }\nb = { cron = \"0 3 * * *\" }");
        let mut handled = Handled::new();
        calendar(&both).due(&mut handled, at("2026-11-25T12:00:00Z"));
        calendar(&both[..1]).due(&mut handled, at("2026-11-25T12:00:00Z"));
        assert_eq!(handled.keys().collect::<Vec<_>>(), ["a"]);
    }

    proptest! {
        #[test]
        fn jitter_only_delays_and_less_than_it_may(seed: u64, minutes in 1_u64..600) {
            let nightly = nightly();
            let since = at("2026-11-25T12:00:00Z");
            let jitter = Duration::from_secs(minutes * 60);
            let own = Calendar { jitter, seed, ..calendar(&nightly) };
            let plain = calendar(&nightly).after(&nightly[0], since).expect("a time");
            let late = own.after(&nightly[0], since).expect("a time") - plain;
            prop_assert!(late >= TimeDelta::zero() && late < TimeDelta::from_std(jitter).expect("short"));
            prop_assert_eq!(own.after(&nightly[0], since), own.after(&nightly[0], since));
        }
    }
}
