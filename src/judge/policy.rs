//! What counts as a change worth a person's time, as data: the `judge` part of `alerts/policy.toml`.

use crate::model::{EnvironmentName, Family, MetricInfo, MetricKey, Scale, SeriesKey};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The thresholds and levels of the judge. The default is what `docs/statistics.md` gives reasons for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Policy {
    /// Level of the screen and of "unchanged": .05.
    pub alpha: f64,
    /// False discovery rate of the confirmed changes of a suite: .05.
    pub q: f64,
    /// The newest baseline sweeps that count: 30. Older ones describe another host.
    pub max_baseline_sweeps: usize,
    /// Share of the rounds that must have given a value: .8. With fewer the measurement failed.
    pub min_rounds_share: f64,
    /// Blocks of two fresh sweeps that may confirm: 1, or 2 with q split between two looks. More than two fresh
    /// sweeps are always two looks.
    pub blocks: u32,
    /// The smallest change worth a person's time, percent.
    pub delta_pct: Deltas,
    /// Thresholds by family for one environment, where they differ.
    pub environments: BTreeMap<String, EnvironmentDeltas>,
    /// Exceptions: `workload/case/metric` or, stronger, `workload/case/metric@environment`.
    pub metrics: BTreeMap<String, Override>,
}

/// Thresholds of one environment; what is absent is as everywhere.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EnvironmentDeltas {
    /// By family, percent of the ratio.
    pub delta_pct: SomeDeltas,
}

/// [`Deltas`] of which any may be absent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(missing_docs, reason = "as in Deltas")]
pub struct SomeDeltas {
    pub cpu: Option<f64>,
    pub memory: Option<f64>,
    pub disk: Option<f64>,
    pub network: Option<f64>,
    pub database: Option<f64>,
    pub lifecycle: Option<f64>,
    pub tail: Option<f64>,
}

/// Thresholds by family, percent of the ratio.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Deltas {
    /// Compute bound.
    pub cpu: f64,
    /// Memory.
    pub memory: f64,
    /// Block devices and filesystems.
    pub disk: f64,
    /// Packets and connections.
    pub network: f64,
    /// Databases.
    pub database: f64,
    /// Creating, starting and removing environments.
    pub lifecycle: f64,
    /// Tail latencies of any family; the family's own threshold where that is wider.
    pub tail: f64,
}

/// What holds for one metric instead.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Override {
    /// Its smallest change worth a person's time, percent.
    pub delta_pct: Option<f64>,
    /// The same in the metric's unit: it is compared by differences then, so that its values may be zero.
    pub delta_abs: Option<f64>,
}

/// How a metric is compared, and the smallest change worth a person's time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Threshold {
    /// How values are compared.
    pub scale: Scale,
    /// On that scale: a natural log of a ratio, or a difference in the metric's unit. A count has 0: any change matters.
    pub delta: f64,
    /// As it is written in the policy: percent, or the metric's unit.
    pub shown: f64,
}

/// A policy that cannot be meant.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{key}: found {found}, expected {expected}")]
pub struct PolicyError {
    /// Which value.
    pub key: String,
    /// What it is.
    pub found: String,
    /// What it may be.
    pub expected: &'static str,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            alpha: 0.05,
            q: 0.05,
            max_baseline_sweeps: 30,
            min_rounds_share: 0.8,
            blocks: 1,
            delta_pct: Deltas::default(),
            environments: BTreeMap::new(),
            metrics: BTreeMap::new(),
        }
    }
}

impl Default for Deltas {
    fn default() -> Self {
        Self { cpu: 3.0, memory: 3.0, disk: 5.0, network: 5.0, database: 5.0, lifecycle: 10.0, tail: 10.0 }
    }
}

impl Deltas {
    /// The threshold of a family.
    pub fn of(&self, family: Family) -> f64 {
        match family {
            Family::Cpu => self.cpu,
            Family::Memory => self.memory,
            Family::Disk => self.disk,
            Family::Network => self.network,
            Family::Database => self.database,
            Family::Lifecycle => self.lifecycle,
        }
    }

    /// These with `others` laid over them.
    fn with(self, others: &SomeDeltas) -> Self {
        Self {
            cpu: others.cpu.unwrap_or(self.cpu),
            memory: others.memory.unwrap_or(self.memory),
            disk: others.disk.unwrap_or(self.disk),
            network: others.network.unwrap_or(self.network),
            database: others.database.unwrap_or(self.database),
            lifecycle: others.lifecycle.unwrap_or(self.lifecycle),
            tail: others.tail.unwrap_or(self.tail),
        }
    }

    /// Each with its name.
    fn named(&self) -> [(&'static str, f64); 7] {
        [
            ("cpu", self.cpu),
            ("memory", self.memory),
            ("disk", self.disk),
            ("network", self.network),
            ("database", self.database),
            ("lifecycle", self.lifecycle),
            ("tail", self.tail),
        ]
    }
}

impl Policy {
    /// The smallest change of this metric in this environment that is worth a person's time.
    pub fn threshold(&self, key: &SeriesKey, info: &MetricInfo) -> Threshold {
        const UNIT: f64 = 1.0;
        let exception = self.exception(&key.metric, &key.environment);
        let absolute = exception.and_then(|o| o.delta_abs);
        match (info.scale, absolute) {
            (Scale::Count, None) => Threshold { scale: Scale::Count, delta: 0.0, shown: 0.0 },
            (Scale::Difference, None) => Threshold { scale: Scale::Difference, delta: UNIT, shown: UNIT },
            (_, Some(delta)) => Threshold { scale: Scale::Difference, delta, shown: delta },
            (Scale::Ratio, None) => {
                let pct = exception.and_then(|o| o.delta_pct).unwrap_or_else(|| self.of_family(key, info));
                Threshold { scale: Scale::Ratio, delta: (pct / 100.0).ln_1p(), shown: pct }
            }
        }
    }

    fn of_family(&self, key: &SeriesKey, info: &MetricInfo) -> f64 {
        let mut deltas = self.delta_pct;
        if !self.environments.is_empty()
            && let Some(others) = self.environments.get(&key.environment.to_string())
        {
            deltas = deltas.with(&others.delta_pct);
        }
        let family = deltas.of(info.family);
        if info.tail { deltas.tail.max(family) } else { family }
    }

    fn exception(&self, metric: &MetricKey, environment: &EnvironmentName) -> Option<&Override> {
        if self.metrics.is_empty() {
            return None;
        }
        self.metrics.get(&format!("{metric}@{environment}")).or_else(|| self.metrics.get(&metric.to_string()))
    }

    /// Refuses values that cannot be meant: levels outside (0, .5], thresholds that are not above zero, names that
    /// name no metric. Whoever loads a policy from a file calls it; [`super::judge`] takes any policy.
    pub fn check(&self) -> Result<(), PolicyError> {
        let bad = |key: &str, found: String, expected| PolicyError { key: key.to_owned(), found, expected };
        for (key, level) in [("alpha", self.alpha), ("q", self.q)] {
            if !(level > 0.0 && level <= 0.5) {
                return Err(bad(key, level.to_string(), "a level above 0 and at most 0.5"));
            }
        }
        if self.max_baseline_sweeps == 0 {
            return Err(bad("max_baseline_sweeps", "0".to_owned(), "at least 1"));
        }
        if !(self.min_rounds_share > 0.0 && self.min_rounds_share <= 1.0) {
            return Err(bad(
                "min_rounds_share",
                self.min_rounds_share.to_string(),
                "a share above 0, at most 1",
            ));
        }
        if !(1..=2).contains(&self.blocks) {
            return Err(bad("blocks", self.blocks.to_string(), "1 or 2"));
        }
        let families = self.delta_pct.named().map(|(name, pct)| (format!("delta_pct.{name}"), pct));
        let environments = self.environments.iter().flat_map(|(environment, others)| {
            let named = self.delta_pct.with(&others.delta_pct).named();
            named.map(|(name, pct)| (format!("environments.{environment:?}.delta_pct.{name}"), pct))
        });
        let metrics = self
            .metrics
            .iter()
            .filter_map(|(name, o)| Some((format!("metrics.{name:?}.delta_pct"), o.delta_pct?)));
        for (key, pct) in families.into_iter().chain(environments).chain(metrics) {
            if !(pct > 0.0 && pct <= 1000.0) {
                return Err(bad(&key, pct.to_string(), "percent above 0, at most 1000"));
            }
        }
        self.check_names()
    }

    fn check_names(&self) -> Result<(), PolicyError> {
        let bad = |key: &str, found: String, expected| PolicyError { key: key.to_owned(), found, expected };
        for name in self.environments.keys() {
            if name.parse::<EnvironmentName>().is_err() {
                return Err(bad("environments", format!("{name:?}"), "the name of an environment"));
            }
        }
        for (name, o) in &self.metrics {
            let key = format!("metrics.{name:?}");
            match (o.delta_pct, o.delta_abs) {
                (None, None) | (Some(_), Some(_)) => {
                    let found = if o.delta_pct.is_some() { "both" } else { "neither" };
                    return Err(bad(&key, found.to_owned(), "either delta_pct or delta_abs"));
                }
                (None, Some(abs)) if !(abs > 0.0 && abs.is_finite()) => {
                    let expected = "a number above 0, in the metric's unit";
                    return Err(bad(&format!("{key}.delta_abs"), abs.to_string(), expected));
                }
                _ => {}
            }
        }
        for name in self.metrics.keys() {
            let (metric, environment) =
                name.split_once('@').map_or((name.as_str(), None), |(m, e)| (m, Some(e)));
            let usable = metric.split('/').filter(|part| !part.is_empty()).count() >= 3
                && environment.is_none_or(|e| e.parse::<EnvironmentName>().is_ok());
            if !usable {
                let expected = "workload/case/metric or workload/case/metric@environment";
                return Err(bad("metrics", format!("{name:?}"), expected));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Better, Scale};

    fn key(environment: &str) -> SeriesKey {
        let environment = environment.parse().expect("environment");
        SeriesKey { metric: MetricKey::new("redis", "get", "p99"), environment }
    }

    fn info(family: Family, tail: bool) -> MetricInfo {
        MetricInfo {
            unit: "us".into(),
            better: Better::Lower,
            family,
            tail,
            resolution: None,
            scale: Scale::Ratio,
        }
    }

    #[test]
    fn thresholds_are_those_of_the_statistics() {
        let policy = Policy::default();
        let pct = |family, tail| policy.threshold(&key("docker"), &info(family, tail)).shown.to_string();
        assert_eq!([pct(Family::Cpu, false), pct(Family::Memory, false)], ["3", "3"]);
        assert_eq!([pct(Family::Disk, false), pct(Family::Network, false)], ["5", "5"]);
        assert_eq!([pct(Family::Database, false), pct(Family::Database, true)], ["5", "10"]);
        assert_eq!([pct(Family::Lifecycle, false), pct(Family::Lifecycle, true)], ["10", "10"]);
        assert_eq!(policy.check(), Ok(()));
    }

    #[test]
    fn the_more_exact_exception_wins() {
        let text = "[metrics.\"redis/get/p99\"]\ndelta_pct = 20\n[metrics.\"redis/get/p99@docker+nat\"]\ndelta_pct = 40\n";
        let policy: Policy = toml::from_str(text).expect("valid");
        let tail = info(Family::Database, true);
        let pct = |environment| policy.threshold(&key(environment), &tail).shown.to_string();
        assert_eq!([pct("docker"), pct("docker+nat")], ["20", "40"]);
    }

    #[test]
    fn an_environment_may_have_thresholds_of_its_own() {
        let text = "[environments.\"docker+nat\".delta_pct]\ndatabase = 8\n";
        let policy: Policy = toml::from_str(text).expect("valid");
        assert_eq!(policy.check(), Ok(()));
        let pct = |environment, tail| {
            policy.threshold(&key(environment), &info(Family::Database, tail)).shown.to_string()
        };
        assert_eq!(
            [pct("docker+nat", false), pct("docker+nat", true), pct("docker", false)],
            ["8", "10", "5"]
        );
    }

    #[test]
    fn an_absolute_threshold_makes_a_metric_one_of_differences() {
        let text = "[metrics.\"redis/get/p99\"]\ndelta_abs = 20\n";
        let policy: Policy = toml::from_str(text).expect("valid");
        let threshold = policy.threshold(&key("docker"), &info(Family::Database, true));
        assert_eq!(threshold, Threshold { scale: Scale::Difference, delta: 20.0, shown: 20.0 });
    }

    #[test]
    fn unknown_keys_and_impossible_values_are_refused() {
        assert!(toml::from_str::<Policy>("delta = 3").is_err());
        assert!(toml::from_str::<Policy>("[delta_pct]\ncpus = 3").is_err());
        for bad in [
            "alpha = 0",
            "q = 0.9",
            "blocks = 3",
            "min_rounds_share = 2",
            "max_baseline_sweeps = 0",
            "delta_pct.cpu = nan",
            "[metrics.\"a/b\"]\ndelta_pct = 3",
            "[metrics.\"a/b/c@moon\"]\ndelta_pct = 3",
            "[metrics.\"a/b/c\"]",
            "[metrics.\"a/b/c\"]\ndelta_pct = 3\ndelta_abs = 1",
            "[metrics.\"a/b/c\"]\ndelta_abs = 0",
            "[environments.moon.delta_pct]\ncpu = 3",
            "[environments.kvm.delta_pct]\ncpu = -3",
        ] {
            let policy: Policy = toml::from_str(bad).expect(bad);
            assert!(policy.check().is_err(), "{bad}");
        }
    }
}
