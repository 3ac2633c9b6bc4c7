//! Simulated suites with the two kinds of variance of `docs/statistics.md`, and the protocol of screen and fresh sweeps with
//! the real judge. Shared by `tests/judge_simulation.rs` and `examples/calibrate`.
#![allow(dead_code, reason = "each of its users uses a part of it")]

use chrono::DateTime;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::{BTreeMap, BTreeSet};
use tollgate::{
    judge::{Policy, judge},
    model::{
        Better, Comparability, EnvironmentName, Family, Judgement, MetricInfo, MetricKey, Scale, SeriesKey,
        SweepSamples, VerdictKind,
    },
    stats::robust,
};

/// Metrics of a suite.
pub const METRICS: usize = 200;
/// Rounds of a sweep.
pub const ROUNDS: usize = 10;
/// One screen and two fresh sweeps.
pub const CANDIDATES: usize = 3;
/// The level of every toll, logs; it must not matter.
pub const LEVEL: f64 = 0.1;

/// The tolls of one sweep: for each metric those of its rounds, logs.
pub type Tolls = Vec<[f64; ROUNDS]>;

/// How the noise is drawn. The medians of `sigma_w` and `sigma_b` are 2 % and 1 %, log-sd 0.5, and .3 of `sigma_b`'s variance
/// is common to all metrics of a sweep.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scenario {
    /// n, sweeps of the baseline.
    pub baseline: usize,
    /// Rounds and sweeps draw from Student's t with 3 degrees of freedom, scaled to the same standard deviation.
    pub heavy_tails: bool,
    /// Share of the rounds that are 30 % slower.
    pub slow_rounds: f64,
    /// One sweep in which everything is 5 % slower.
    pub bad_boot: Option<Boot>,
    /// How many metrics shift where there is a shift.
    pub shifted: usize,
}

/// Which sweep boots badly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Boot {
    /// The middle one of the baseline.
    Baseline,
    /// The first candidate.
    Screen,
    /// The first of the fresh ones.
    Fresh,
}

impl Scenario {
    /// Normal noise, nothing bad, 20 metrics shifted.
    pub const fn of(baseline: usize) -> Self {
        Self { baseline, heavy_tails: false, slow_rounds: 0.0, bad_boot: None, shifted: 20 }
    }
}

/// The random numbers of one suite.
struct Noise {
    rng: ChaCha8Rng,
    heavy: bool,
    spare: Option<f64>,
}

impl Noise {
    /// A standard normal number (Box and Muller, 1958); of each pair the second is kept for the next call.
    fn normal(&mut self) -> f64 {
        if let Some(spare) = self.spare.take() {
            return spare;
        }
        let (u, v): (f64, f64) = (self.rng.random_range(1e-300..1.0), self.rng.random());
        let (radius, (sin, cos)) = ((-2.0 * u.ln()).sqrt(), (std::f64::consts::TAU * v).sin_cos());
        self.spare = Some(radius * sin);
        radius * cos
    }

    /// Mean 0, standard deviation 1: normal, or t with 3 degrees of freedom, whose variance is 3.
    fn unit(&mut self) -> f64 {
        let z = self.normal();
        if !self.heavy {
            return z;
        }
        let chi2: f64 = (0..3).map(|_| self.normal().powi(2)).sum();
        z / chi2.sqrt()
    }
}

/// One simulated suite without any shift.
#[derive(Debug, Clone)]
pub struct Suite {
    /// True `sigma_w` and `sigma_b` of each metric, logs.
    pub deviations: Vec<(f64, f64)>,
    /// Oldest first.
    pub baseline: Vec<Tolls>,
    /// The screen, then the fresh sweeps.
    pub candidates: Vec<Tolls>,
}

impl Suite {
    /// Draws the suite that belongs to `seed`; nothing else decides it.
    pub fn draw(seed: u64, scenario: &Scenario) -> Self {
        let rng = ChaCha8Rng::seed_from_u64(seed);
        let mut noise = Noise { rng, heavy: scenario.heavy_tails, spare: None };
        let mut lognormal = |median: f64| median * (0.5 * noise.normal()).exp();
        let deviations: Vec<(f64, f64)> = (0..METRICS).map(|_| (lognormal(0.02), lognormal(0.01))).collect();
        let mut sweep = |bad: bool| tolls(&mut noise, &deviations, scenario.slow_rounds, bad);
        let boot = scenario.bad_boot;
        let middle = scenario.baseline / 2;
        let baseline =
            (0..scenario.baseline).map(|s| sweep(boot == Some(Boot::Baseline) && s == middle)).collect();
        let mut candidate =
            |s: usize| sweep((boot, s) == (Some(Boot::Screen), 0) || (boot, s) == (Some(Boot::Fresh), 1));
        let candidates = (0..CANDIDATES).map(&mut candidate).collect();
        Self { deviations, baseline, candidates }
    }

    /// The same noise with the first `shifted` metrics of every candidate sweep shifted by `shift` (0.05 = 5 %).
    pub fn shifted(&self, shifted: usize, shift: f64) -> Self {
        let mut suite = self.clone();
        for toll in suite.candidates.iter_mut().flat_map(|sweep| sweep.iter_mut().take(shifted)).flatten() {
            *toll += shift.ln_1p();
        }
        suite
    }
}

fn tolls(noise: &mut Noise, deviations: &[(f64, f64)], slow_rounds: f64, bad_boot: bool) -> Tolls {
    const COMMON: f64 = 0.3;
    let common = COMMON.sqrt() * noise.unit();
    let boot = if bad_boot { 0.05_f64.ln_1p() } else { 0.0 };
    let mut metric = |&(within, between): &(f64, f64)| {
        let level = LEVEL + boot + between * (common + (1.0 - COMMON).sqrt() * noise.unit());
        std::array::from_fn(|_| {
            let slow = slow_rounds > 0.0 && noise.rng.random::<f64>() < slow_rounds;
            level + within * noise.unit() + if slow { 0.3_f64.ln_1p() } else { 0.0 }
        })
    };
    deviations.iter().map(&mut metric).collect()
}

/// Sweep values: the median over the rounds of each metric, logs.
pub fn medians(sweep: &Tolls) -> Vec<f64> {
    sweep.iter().filter_map(|rounds| robust::median(rounds)).collect()
}

/// Which metrics the fresh sweeps measure, by the verdict on the first sweep alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Confirm {
    /// The suspected.
    Candidates,
    /// The suspected and the inconclusive.
    Open,
}

impl Confirm {
    fn takes(self, verdict: VerdictKind) -> bool {
        verdict == VerdictKind::Suspected || (self == Self::Open && verdict == VerdictKind::Inconclusive)
    }
}

/// The sweeps of a suite as the judge reads them, made once and filled again for each suite. Native values are constant, so
/// that the environment's carry the whole toll.
#[derive(Debug)]
pub struct Sweeps {
    baseline: Vec<SweepSamples>,
    candidates: Vec<SweepSamples>,
    policy: Policy,
}

impl Sweeps {
    /// Sweeps with `baseline` accepted ones.
    pub fn new(baseline: usize) -> Self {
        let blank = blank();
        let sweeps = |count: usize, first: usize| (0..count).map(|i| numbered(&blank, first + i)).collect();
        Self {
            baseline: sweeps(baseline, 0),
            candidates: sweeps(CANDIDATES, baseline),
            policy: Policy::default(),
        }
    }

    /// The accepted sweeps.
    pub fn baseline(&self) -> &[SweepSamples] {
        &self.baseline
    }

    /// The screen and the fresh sweeps, of the whole suite.
    pub fn candidates(&self) -> &[SweepSamples] {
        &self.candidates
    }

    /// Takes the values of `suite`, which must have as many sweeps.
    pub fn fill(&mut self, suite: &Suite) {
        let sweeps = self.baseline.iter_mut().chain(&mut self.candidates);
        for (sweep, tolls) in sweeps.zip(suite.baseline.iter().chain(&suite.candidates)) {
            for (rounds, tolls) in tolled(sweep).zip(tolls) {
                for (value, toll) in rounds.values_mut().zip(tolls) {
                    *value = NATIVE * toll.exp();
                }
            }
        }
    }

    /// The verdicts on the first candidate sweep alone, by metric.
    pub fn screen(&self) -> Vec<VerdictKind> {
        by_metric(&judge(&self.baseline, &self.candidates[..1], &self.policy))
    }

    /// The verdicts when the fresh sweeps measure the whole suite again.
    pub fn whole(&self) -> Vec<VerdictKind> {
        by_metric(&judge(&self.baseline, &self.candidates, &self.policy))
    }

    /// The verdicts once fresh sweeps measured what `confirm` takes of what the screen left; `screen` is of
    /// [`Self::screen`]. Without anything to confirm there are no fresh sweeps.
    pub fn confirm(&self, screen: &[VerdictKind], confirm: Confirm) -> Vec<VerdictKind> {
        if !screen.iter().any(|v| confirm.takes(*v)) {
            return screen.to_vec();
        }
        let taken = |key: &MetricKey| confirm.takes(screen[index(&key.metric)]);
        let candidates: Vec<SweepSamples> = (self.candidates.iter().enumerate())
            .map(|(s, sweep)| {
                let mut sweep = sweep.clone();
                sweep.metrics.retain(|key, _| s == 0 || taken(key));
                sweep.series.retain(|key, _| s == 0 || taken(&key.metric));
                sweep
            })
            .collect();
        by_metric(&judge(&self.baseline, &candidates, &self.policy))
    }
}

/// Every native value.
pub const NATIVE: f64 = 100.0;

/// A sweep of [`METRICS`] metrics in native and docker; metric `m007` is the one of index 7.
pub fn blank() -> SweepSamples {
    let (mut metrics, mut series) = (BTreeMap::new(), BTreeMap::new());
    for m in 0..METRICS {
        let metric = MetricKey::new("xz", "compress", format!("m{m:03}"));
        let info = MetricInfo {
            unit: "s".into(),
            better: Better::Lower,
            family: Family::Cpu,
            tail: false,
            resolution: None,
            scale: Scale::Ratio,
        };
        metrics.insert(metric.clone(), info);
        for environment in [EnvironmentName::NATIVE, "docker".parse().expect("name")] {
            let rounds: BTreeMap<u32, f64> = (1..).zip([NATIVE; ROUNDS]).collect();
            series.insert(SeriesKey { metric: metric.clone(), environment }, rounds);
        }
    }
    SweepSamples {
        host_class: "lab".parse().expect("class"),
        sweep: "s000".parse().expect("id"),
        started_at: DateTime::UNIX_EPOCH,
        comparability: Comparability::default(),
        metrics,
        series,
        failed: BTreeMap::new(),
        regimes: BTreeSet::new(),
    }
}

/// The same as sweep `i`, of day `i`.
pub fn numbered(blank: &SweepSamples, i: usize) -> SweepSamples {
    let day = i64::try_from(i).expect("small");
    SweepSamples {
        sweep: format!("s{i:03}").parse().expect("id"),
        started_at: DateTime::from_timestamp(86_400 * day, 0).expect("time"),
        ..blank.clone()
    }
}

/// The rounds of each metric in docker, in order of metrics.
pub fn tolled(sweep: &mut SweepSamples) -> impl Iterator<Item = &mut BTreeMap<u32, f64>> {
    let series = sweep.series.iter_mut().filter(|(key, _)| !key.environment.is_native());
    series.map(|(_, rounds)| rounds)
}

fn index(metric: &str) -> usize {
    metric.trim_start_matches('m').parse().expect("m and its index")
}

fn by_metric(judgement: &Judgement) -> Vec<VerdictKind> {
    let mut verdicts = vec![VerdictKind::Missing; METRICS];
    for verdict in &judgement.verdicts {
        verdicts[index(&verdict.metric)] = verdict.verdict;
    }
    verdicts
}

/// What one detector found in one suite.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Found {
    /// Shifted metrics that alarmed.
    pub right: usize,
    /// Metrics that alarmed and had not shifted.
    pub wrong: usize,
    /// Metrics said to have improved, which none has.
    pub improved: usize,
}

impl Found {
    /// Counts alarms, by metric, of which the first `shifted` are right.
    pub fn of(alarms: impl IntoIterator<Item = bool>, shifted: usize) -> Self {
        let mut found = Self::default();
        for (m, _) in alarms.into_iter().enumerate().filter(|(_, alarm)| *alarm) {
            *(if m < shifted { &mut found.right } else { &mut found.wrong }) += 1;
        }
        found
    }

    /// Counts verdicts: the regressed are alarms.
    pub fn verdicts(verdicts: &[VerdictKind], shifted: usize) -> Self {
        let improved = verdicts.iter().filter(|v| **v == VerdictKind::Improved).count();
        Self { improved, ..Self::of(verdicts.iter().map(|v| *v == VerdictKind::Regressed), shifted) }
    }

    /// Share of the alarms that are wrong; 0 without alarms.
    pub fn false_share(self) -> f64 {
        self.wrong as f64 / (self.wrong + self.right).max(1) as f64
    }
}
