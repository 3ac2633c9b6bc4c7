//! What the rule must reach (`docs/statistics.md`): suites of 200 metrics, `sigma_w` and `sigma_b` lognormal about 2 % and 1 %
//! (log-sd 0.5), .3 of `sigma_b`'s variance common to all, 10 rounds, one screen and two fresh sweeps, threshold 3 %,
//! 3, 5 and 10 baseline sweeps. Few suites with fixed seeds, so the limits are wide: it notices a broken rule, not a
//! slightly worse one.

use chrono::DateTime;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::{BTreeMap, BTreeSet};
use tollgate::{
    judge::{Policy, judge},
    model::{
        Better, Comparability, Family, MetricInfo, MetricKey, Scale, SeriesKey, SweepSamples, VerdictKind,
    },
};

const METRICS: usize = 200;
const ROUNDS: u32 = 10;
const SHIFTED: usize = 20;

fn normal(rng: &mut ChaCha8Rng) -> f64 {
    let (u, v): (f64, f64) = (rng.random_range(1e-12..1.0), rng.random());
    (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()
}

/// Standard deviations of one metric within and between sweeps.
fn deviations(rng: &mut ChaCha8Rng) -> Vec<(f64, f64)> {
    (0..METRICS).map(|_| (0.02 * (0.5 * normal(rng)).exp(), 0.01 * (0.5 * normal(rng)).exp())).collect()
}

fn sweep(rng: &mut ChaCha8Rng, i: i64, deviations: &[(f64, f64)], shift: f64) -> SweepSamples {
    let (mut metrics, mut series) = (BTreeMap::new(), BTreeMap::new());
    let common = normal(rng);
    for (m, (within, between)) in deviations.iter().enumerate() {
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
        let boot = between * (0.3_f64.sqrt() * common + 0.7_f64.sqrt() * normal(rng));
        let level = 0.1 + boot + if m < SHIFTED { (1.0 + shift).ln() } else { 0.0 };
        let native = (1..=ROUNDS).map(|r| (r, 100.0)).collect();
        let docker = (1..=ROUNDS).map(|r| (r, 100.0 * (level + within * normal(rng)).exp())).collect();
        let key = |e: &str| SeriesKey { metric: metric.clone(), environment: e.parse().expect("name") };
        series.insert(key("native"), native);
        series.insert(key("docker"), docker);
    }
    SweepSamples {
        host_class: "lab".parse().expect("class"),
        sweep: format!("s{i}").parse().expect("id"),
        started_at: DateTime::from_timestamp(i * 86_400, 0).expect("time"),
        comparability: Comparability::default(),
        metrics,
        series,
        failed: BTreeMap::new(),
        regimes: BTreeSet::new(),
    }
}

/// Share of the shifted metrics found, share of suites with a false alarm, share of false ones among all found.
fn run(suites: u64, sweeps: i64, shift: f64) -> (f64, f64, f64) {
    let (mut found, mut wrong, mut alarmed) = (0_u32, 0_u32, 0_u32);
    for seed in 0..suites {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let deviations = deviations(&mut rng);
        let baseline: Vec<_> = (0..sweeps).map(|i| sweep(&mut rng, i, &deviations, 0.0)).collect();
        let candidates: Vec<_> = (50..53).map(|i| sweep(&mut rng, i, &deviations, shift)).collect();
        let judgement = judge(&baseline, &candidates, &Policy::default());
        let shifted = format!("m{SHIFTED:03}");
        let is_real = |metric: &str| shift > 0.0 && metric < shifted.as_str();
        let regressed = judgement.verdicts.iter().filter(|v| v.verdict == VerdictKind::Regressed);
        let (real, false_ones): (Vec<_>, Vec<_>) = regressed.partition(|v| is_real(&v.metric));
        found += u32::try_from(real.len()).expect("few");
        wrong += u32::try_from(false_ones.len()).expect("few");
        alarmed += u32::from(!false_ones.is_empty());
    }
    let suites = suites as f64;
    let power = f64::from(found) / (suites * SHIFTED as f64);
    (power, f64::from(alarmed) / suites, f64::from(wrong) / f64::from((found + wrong).max(1)))
}

#[test]
fn the_rule_reaches_what_it_must() {
    for (sweeps, most_alarms, least_power) in [(3, 0.2, 0.45), (5, 0.2, 0.6), (10, 0.14, 0.7)] {
        let (_, alarms, _) = run(15, sweeps, 0.0);
        let (power_5, _, fdr) = run(6, sweeps, 0.05);
        let (power_10, ..) = run(4, sweeps, 0.10);
        println!("{sweeps} sweeps: alarms {alarms:.3}, power {power_5:.3} {power_10:.3}, fdr {fdr:.3}");
        assert!(alarms <= most_alarms && power_5 >= least_power && power_10 >= 0.95 && fdr <= 0.12);
    }
}
