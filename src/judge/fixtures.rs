//! Sweeps made by hand, for tests: one case, native 100, the environment 100 times a ratio.

use crate::model::{
    Better, Comparability, EnvironmentName, Family, MetricInfo, MetricKey, Scale, SeriesKey, SweepSamples,
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
    let environment: EnvironmentName = environment.parse().expect("environment");
    SeriesKey { metric: MetricKey::new("rr", "1b", metric), environment }
}

/// Adds the rounds of one metric of the family network (threshold 5 %), lower is better.
pub fn add(sweep: &mut SweepSamples, metric: &str, environment: &str, ratios: &[f64]) {
    let info = MetricInfo {
        unit: "us".into(),
        better: Better::Lower,
        family: Family::Network,
        tail: false,
        resolution: None,
        scale: Scale::Ratio,
    };
    for (environment, factor) in [("native", None), (environment, Some(ratios))] {
        let key = key(metric, environment);
        sweep.metrics.insert(key.metric.clone(), info.clone());
        let value = |at: usize| 100.0 * factor.map_or(1.0, |ratios| ratios[at]);
        sweep.series.insert(key, (1..).zip((0..ratios.len()).map(value)).collect());
    }
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
