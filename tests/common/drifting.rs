//! Histories of accepted sweeps that drift, or do not: suites of 200 metrics, `sigma_w` and `sigma_b` lognormal about 2 %
//! and 1 % (log-sd 0.5), .3 of `sigma_b`'s variance common to all, 10 rounds, threshold 3 %, looked at after each of 50
//! accepted sweeps. Shared by `tests/drift_simulation.rs` and `examples/calibrate`.
#![allow(dead_code, reason = "each of its users uses a part of it")]

use super::simulate::{LEVEL, METRICS, NATIVE, blank, numbered, tolled};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeMap;
use tollgate::{
    judge::{Policy, drifts},
    model::SweepSamples,
};

const DRIFTING: usize = 20;
const SWEEPS: usize = 50;

/// What happens to an otherwise unchanged host.
#[derive(Debug, Clone, Copy)]
pub enum Story {
    /// Nothing changes.
    Nothing,
    /// The first 20 metrics rise by so many percent with each sweep.
    Drift(f64),
    /// All metrics are so many percent worse in one sweep.
    BadBoot(f64),
}

impl Story {
    /// What it adds to metric `m` in sweep `i`, logs.
    fn shift(self, i: usize, m: usize) -> f64 {
        match self {
            Self::Drift(percent) if m < DRIFTING => i as f64 * (percent / 100.0).ln_1p(),
            Self::BadBoot(percent) if i == 30 => (percent / 100.0).ln_1p(),
            _ => 0.0,
        }
    }
}

fn normal(rng: &mut ChaCha8Rng) -> f64 {
    let (u, v): (f64, f64) = (rng.random_range(1e-12..1.0), rng.random());
    (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()
}

/// Standard deviations of one metric within and between sweeps.
fn deviations(rng: &mut ChaCha8Rng) -> Vec<(f64, f64)> {
    (0..METRICS).map(|_| (0.02 * (0.5 * normal(rng)).exp(), 0.01 * (0.5 * normal(rng)).exp())).collect()
}

fn sweep(
    blank: &SweepSamples,
    rng: &mut ChaCha8Rng,
    i: usize,
    deviations: &[(f64, f64)],
    story: Story,
) -> SweepSamples {
    let mut sweep = numbered(blank, i);
    let common = normal(rng);
    for (m, ((within, between), rounds)) in deviations.iter().zip(tolled(&mut sweep)).enumerate() {
        let boot = between * (0.3_f64.sqrt() * common + 0.7_f64.sqrt() * normal(rng));
        let level = LEVEL + boot + story.shift(i, m);
        for value in rounds.values_mut() {
            *value = NATIVE * (level + within * normal(rng)).exp();
        }
    }
    sweep
}

/// What was found in one suite over all looks.
#[derive(Debug, Default)]
struct Seen {
    /// The look (sweeps so far) at which each drifting metric was first found.
    found: Vec<usize>,
    /// Metrics that do not drift and were called so at any look.
    wrong: usize,
}

/// Looks at the suite of `seed` after each sweep.
fn look_at_each_sweep(seed: u64, story: Story) -> Seen {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let (blank, deviations) = (blank(), deviations(&mut rng));
    let (mut history, mut first) = (Vec::new(), BTreeMap::<String, usize>::new());
    for i in 0..SWEEPS {
        history.push(sweep(&blank, &mut rng, i, &deviations, story));
        for drift in drifts(&history, &Policy::default()) {
            first.entry(drift.metric).or_insert(i + 1);
        }
    }
    let beyond = format!("m{DRIFTING:03}");
    let real = |metric: &str| matches!(story, Story::Drift(_)) && metric < beyond.as_str();
    let (found, wrong): (BTreeMap<_, _>, BTreeMap<_, _>) = first.into_iter().partition(|(m, _)| real(m));
    Seen { found: found.into_values().collect(), wrong: wrong.len() }
}

/// What became of a story.
pub struct Told {
    /// Suites with a false alarm.
    pub alarmed: usize,
    /// Share of the drifting metrics that were found.
    pub power: f64,
    /// Both as a line of text.
    pub line: String,
}

/// Tells a story in `suites` suites.
pub fn run(suites: u64, story: Story) -> Told {
    let seen: Vec<Seen> = std::thread::scope(|scope| {
        let half = |k| move || (k..suites).step_by(2).map(|seed| look_at_each_sweep(seed, story)).collect();
        let halves: Vec<_> = (0..2).map(|k| scope.spawn(half(k))).collect();
        halves.into_iter().flat_map(|h| -> Vec<Seen> { h.join().expect("no panic") }).collect()
    });
    let alarmed = seen.iter().filter(|s| s.wrong > 0).count();
    let wrong: usize = seen.iter().map(|s| s.wrong).sum();
    let mut found: Vec<usize> = seen.iter().flat_map(|s| s.found.iter().copied()).collect();
    found.sort_unstable();
    let power = found.len() as f64 / (suites as f64 * DRIFTING as f64);
    let when = found.get(found.len() / 2).map_or(String::new(), |at| format!(", half of them by sweep {at}"));
    let line = format!(
        "{story:?}, {suites} suites: {alarmed} with a false alarm ({wrong} metrics); {:.1} % of the drifts found{when}",
        100.0 * power
    );
    Told { alarmed, power, line }
}
