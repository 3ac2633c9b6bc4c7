//! What makes the service look at its host, and how a burst of it becomes one look.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

/// Where a wake-up comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// The service started.
    Boot,
    /// It was time.
    Timer,
    /// A watched file changed.
    File,
    /// Docker's engine reloaded, ended or came back.
    Docker,
    /// SIGHUP.
    Signal,
    /// `tollgate trigger`.
    Trigger,
    /// A signed hook.
    Hook,
}

impl Source {
    /// The word used in files and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Boot => "boot",
            Self::Timer => "timer",
            Self::File => "file",
            Self::Docker => "docker",
            Self::Signal => "signal",
            Self::Trigger => "trigger",
            Self::Hook => "hook",
        }
    }

    /// Whether it comes in bursts, of which only the end matters: a package manager writes its database many times.
    pub fn comes_in_bursts(self) -> bool {
        matches!(self, Self::File | Self::Docker)
    }
}

/// A reason to take a fingerprint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WakeUp {
    /// Where it comes from.
    pub source: Source,
    /// Whether to measure also when nothing changed.
    pub force: bool,
    /// Of which profile; the configured one when absent.
    pub profile: Option<String>,
    /// What tells a hook's delivery from others: GitHub's `X-GitHub-Delivery`. None of other sources.
    pub delivery: Option<String>,
}

impl WakeUp {
    /// One that only leads to a look.
    pub fn look(source: Source) -> Self {
        Self { source, force: false, profile: None, delivery: None }
    }

    /// A hook's, which only leads to a look, too.
    pub fn hook(delivery: &str) -> Self {
        Self { delivery: Some(delivery.to_owned()), ..Self::look(Source::Hook) }
    }
}

/// Waits until a burst is over, but not for ever.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Debounce {
    quiet: TimeDelta,
    longest: TimeDelta,
    burst: Option<(DateTime<Utc>, DateTime<Utc>)>,
}

impl Debounce {
    /// A burst is over when nothing was heard for `quiet`, and at the latest after ten times that.
    pub fn new(quiet: TimeDelta) -> Self {
        Self { quiet, longest: quiet * 10, burst: None }
    }

    /// Something was heard.
    pub fn heard(&mut self, now: DateTime<Utc>) {
        self.burst = Some(self.burst.map_or((now, now), |(first, _)| (first, now)));
    }

    /// When the burst will be over; none when there is none.
    pub fn due(&self) -> Option<DateTime<Utc>> {
        let (first, last) = self.burst?;
        Some((last + self.quiet).min(first + self.longest))
    }

    /// Whether a burst is over, which is then forgotten. A clock that was set back ends it, too.
    pub fn take(&mut self, now: DateTime<Utc>) -> bool {
        let over = self.due().is_some_and(|due| now >= due)
            || self.burst.is_some_and(|(first, last)| now < first.min(last));
        if over {
            self.burst = None;
        }
        over
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000 + second, 0).expect("a time")
    }

    #[test]
    fn a_burst_is_one_look_and_an_endless_one_is_not_waited_for() {
        let mut debounce = Debounce::new(TimeDelta::seconds(5));
        assert!(!debounce.take(at(0)) && debounce.due().is_none());
        for second in 0..4 {
            debounce.heard(at(second));
            assert!(!debounce.take(at(second)));
        }
        assert_eq!(debounce.due(), Some(at(8)));
        assert!(!debounce.take(at(7)) && debounce.take(at(8)) && !debounce.take(at(9)));
        let mut looks = 0;
        for second in 100..160 {
            debounce.heard(at(second));
            looks += u32::from(debounce.take(at(second)));
        }
        assert_eq!(looks, 1, "after fifty seconds of noise");
    }

    #[test]
    fn a_clock_that_is_set_back_does_not_silence_it() {
        let mut debounce = Debounce::new(TimeDelta::seconds(5));
        debounce.heard(at(0));
        assert!(debounce.take(at(-3600)));
    }
}
