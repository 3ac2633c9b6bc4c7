//! Faults on purpose: chosen ones, or a random sequence from a seed.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::time::Duration;

/// What goes wrong.
#[derive(Debug, Clone, PartialEq)]
pub enum Fault {
    /// Answers so without doing anything: 401, 404, 410, 422, 500, 502, ...
    Before(u16),
    /// Does what was asked and answers so: the 502 that leaves an issue behind.
    After(u16),
    /// Closes the connection without doing anything.
    DropBefore,
    /// Does what was asked and closes the connection without a word.
    DropAfter,
    /// 403 or 429 with `retry-after` in seconds.
    RetryAfter(u16, i64),
    /// Does what was asked and answers late.
    Slow(Duration),
}

/// When it goes wrong.
#[derive(Debug, Clone)]
pub struct When {
    method: String,
    pattern: String,
    first: u64,
    times: u64,
}

impl When {
    /// Every request of a method to a path. In the path `*` stands for one part and `**` for any number of them; it
    /// is the path without the API's base: `/repos/*/*/issues`. `*` as the method is any.
    pub fn every(method: &str, pattern: &str) -> Self {
        Self { method: method.into(), pattern: pattern.into(), first: 1, times: u64::MAX }
    }

    /// Only the nth such request after the fault was injected, beginning with 1.
    pub fn nth(n: u64, method: &str, pattern: &str) -> Self {
        Self { first: n, times: 1, ..Self::every(method, pattern) }
    }

    /// The first `times` such requests.
    pub fn first(times: u64, method: &str, pattern: &str) -> Self {
        Self { times, ..Self::every(method, pattern) }
    }

    fn fits(&self, method: &str, path: &str) -> bool {
        let pattern: Vec<_> = self.pattern.split('/').collect();
        let parts: Vec<_> = path.split('/').collect();
        (self.method == "*" || self.method == method) && glob(&pattern, &parts)
    }
}

fn glob(pattern: &[&str], parts: &[&str]) -> bool {
    match (pattern.split_first(), parts.split_first()) {
        (None, None) => true,
        (Some((&"**", rest)), _) => (0..=parts.len()).any(|n| glob(rest, &parts[n..])),
        (Some((word, rest)), Some((part, others))) => (*word == "*" || word == part) && glob(rest, others),
        _ => false,
    }
}

/// A random sequence: each request fails with this chance, in one of these ways.
#[derive(Debug, Clone)]
pub struct Storm {
    pub seed: u64,
    /// 0 to 1.
    pub chance: f64,
    pub menu: Vec<Fault>,
    /// It is over after so many faults.
    pub most: u64,
}

impl Storm {
    /// Everything that may pass when a client tries again: half of all requests fail, 20 of them at most.
    pub fn passing(seed: u64) -> Self {
        let menu = vec![
            Fault::Before(500),
            Fault::Before(502),
            Fault::After(500),
            Fault::After(502),
            Fault::DropBefore,
            Fault::DropAfter,
            Fault::RetryAfter(403, 1),
            Fault::RetryAfter(429, 1),
            Fault::Slow(Duration::from_millis(20)),
        ];
        Self { seed, chance: 0.5, menu, most: 20 }
    }
}

/// All that is injected.
#[derive(Default)]
pub struct Faults {
    rules: Vec<(When, Fault, u64)>,
    storm: Option<(Storm, ChaCha8Rng)>,
}

impl Faults {
    pub fn inject(&mut self, when: When, fault: Fault) {
        self.rules.push((when, fault, 0));
    }

    pub fn storm(&mut self, storm: Storm) {
        assert!(!storm.menu.is_empty(), "a storm needs faults");
        let random = ChaCha8Rng::seed_from_u64(storm.seed);
        self.storm = Some((storm, random));
    }

    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// The fault of this request. Each rule counts the requests that fit it; the earliest rule that is due wins.
    pub fn next(&mut self, method: &str, path: &str) -> Option<Fault> {
        let mut due = None;
        for (when, fault, seen) in &mut self.rules {
            if when.fits(method, path) {
                *seen += 1;
                let within = *seen >= when.first && *seen - when.first < when.times;
                due = due.or(within.then(|| fault.clone()));
            }
        }
        due.or_else(|| {
            let (storm, random) = self.storm.as_mut()?;
            if storm.most == 0 || !random.random_bool(storm.chance) {
                return None;
            }
            storm.most -= 1;
            let chosen = random.random_range(0..storm.menu.len());
            Some(storm.menu[chosen].clone())
        })
    }
}
