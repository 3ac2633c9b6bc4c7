//! Sweeps and verdicts made by hand, for tests: one case, native 100, the environment 100 times a ratio.

use crate::model::{
    Better, Comparability, EnvironmentName, Family, MetricInfo, MetricKey, Scale, SeriesKey, SweepSamples,
    Verdict, VerdictKind,
};
use chrono::DateTime;
use std::collections::{BTreeMap, BTreeSet};

/// Sweep `i` without samples.
pub fn empty(i: i64) -> SweepSamples {
    SweepSamples {
        host_class: "lab".parse().expect("class"),
        sweep: format!("s{i}").parse().expect("id"),
        started_at: DateTime::from_timestamp(i * 86_400, 0).expect("time"),
        comparability: Comparability::default(),
        metrics: BTreeMap::new(),
        series: BTreeMap::new(),
        failed: BTreeMap::new(),
        regimes: BTreeSet::new(),
    }
}

/// The series of a metric of the one case.
pub fn key(metric: &str, environment: &str) -> SeriesKey {
    SeriesKey { metric: MetricKey::new("rr", "1b", metric), environment: env(environment) }
}

/// An environment by its name.
pub fn env(name: &str) -> EnvironmentName {
    name.parse().expect("environment")
}

/// Adds the values of one metric of the family network (threshold 5 %) in one environment.
pub fn values(sweep: &mut SweepSamples, metric: &str, environment: &str, better: Better, values: &[f64]) {
    let info = MetricInfo {
        unit: "us".into(),
        better,
        family: Family::Network,
        tail: false,
        resolution: None,
        scale: Scale::Ratio,
    };
    let key = key(metric, environment);
    sweep.metrics.insert(key.metric.clone(), info);
    sweep.series.insert(key, (1..).zip(values.iter().copied()).collect());
}

/// Adds one metric, lower is better: native 100, the environment 100 times the ratios.
pub fn add(sweep: &mut SweepSamples, metric: &str, environment: &str, ratios: &[f64]) {
    values(sweep, metric, "native", Better::Lower, &vec![100.0; ratios.len()]);
    let scaled: Vec<f64> = ratios.iter().map(|r| 100.0 * r).collect();
    values(sweep, metric, environment, Better::Lower, &scaled);
}

/// Sweep `i` of the metric `mean` in docker.
pub fn one(i: i64, ratios: &[f64]) -> SweepSamples {
    let mut sweep = empty(i);
    add(&mut sweep, "mean", "docker", ratios);
    sweep
}

/// Five sweeps whose sweep values are ln 1.10 plus -0.02, -0.01, 0, .01, .02: S² = 0.00025, df 4.
pub fn five() -> Vec<SweepSamples> {
    (0..5).map(|i| one(i, &[1.10 * ((i as f64 - 2.0) / 100.0).exp(); 3])).collect()
}

/// A verdict on the metric `m` of `w/c` in docker, of one sweep without baseline, that says nothing else.
pub fn verdict(kind: VerdictKind) -> Verdict {
    Verdict {
        workload: "w".into(),
        case: "c".into(),
        metric: "m".into(),
        unit: "s".into(),
        better: Better::Lower,
        family: None,
        environment: env("docker"),
        verdict: kind,
        native: None,
        toll_before_pct: None,
        toll_now_pct: None,
        change_pct: None,
        ci95_pct: None,
        p: None,
        q: None,
        mde80_pct: None,
        threshold_pct: None,
        attribution: None,
        sweeps_baseline: 0,
        sweeps_candidate: 1,
        common: false,
        absolute: None,
        would_help: None,
        reason: String::new(),
    }
}
