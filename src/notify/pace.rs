//! Waiting: the clock, which tests replace, and the growing, scattered waits between attempts.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use std::{
    fmt::Debug,
    sync::{Mutex, PoisonError},
    time::Duration,
};

/// Time, as the notifiers see it.
#[async_trait]
pub trait Clock: Debug + Send + Sync {
    /// The time of day.
    fn now(&self) -> DateTime<Utc>;
    /// Waits.
    async fn sleep(&self, time: Duration);
}

/// The host's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

#[async_trait]
impl Clock for SystemClock {
    fn now(&self) -> DateTime<Utc> {
        Utc::now()
    }

    async fn sleep(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }
}

/// Waits that double from `first` to `longest`, each scattered over its upper half, so that runners which failed
/// together do not come back together.
#[derive(Debug)]
pub struct Backoff {
    first: Duration,
    longest: Duration,
    random: Mutex<ChaCha8Rng>,
}

impl Backoff {
    /// The same seed gives the same waits.
    pub fn new(first: Duration, longest: Duration, seed: u64) -> Self {
        Self { first, longest, random: Mutex::new(ChaCha8Rng::seed_from_u64(seed)) }
    }

    /// The wait after the failed attempt number `attempt`, from 1.
    pub fn after(&self, attempt: u32) -> Duration {
        let factor = 1_u32 << attempt.saturating_sub(1).min(20);
        let whole = self.first.saturating_mul(factor).min(self.longest);
        let share = self.random.lock().unwrap_or_else(PoisonError::into_inner).random_range(0.5..=1.0);
        whole.mul_f64(share)
    }
}

/// Seconds between two times; none when they run backwards.
pub(crate) fn since(from: DateTime<Utc>, to: DateTime<Utc>) -> Duration {
    (to - from).to_std().unwrap_or_default()
}

/// A time span that chrono can add; the longest it can when it is longer.
pub(crate) fn later(from: DateTime<Utc>, by: Duration) -> DateTime<Utc> {
    chrono::Duration::from_std(by).ok().and_then(|by| from.checked_add_signed(by)).unwrap_or(from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn waits_grow_within_their_bounds(seed: u64, attempt in 1_u32..80) {
            let (first, longest) = (Duration::from_secs(1), Duration::from_secs(30));
            let wait = Backoff::new(first, longest, seed).after(attempt);
            let whole = first.saturating_mul(1 << attempt.saturating_sub(1).min(20)).min(longest);
            prop_assert!(wait >= whole.mul_f64(0.5) && wait <= whole);
        }
    }

    #[test]
    fn two_seeds_scatter() {
        let waits = |seed| Backoff::new(Duration::from_secs(1), Duration::from_secs(30), seed).after(3);
        assert_eq!(waits(1), waits(1));
        assert_ne!(waits(1), waits(2));
    }
}
