//! What counts as a change worth a person's time, as data: the `judge` part of `alerts/policy.toml`.

use crate::model::{EnvironmentName, Family, MetricInfo, MetricKey, SeriesKey};
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
    /// How often a gate confirms: blocks of two fresh sweeps, 1 or 2. The second repeats what the first left open.
    pub blocks: u32,
    /// The newest baseline sweeps that count: 30. Older ones describe another host.
    pub max_baseline_sweeps: usize,
    /// Share of the rounds that must have given a value: .8. With fewer the measurement failed.
    pub min_rounds_share: f64,
    /// The smallest change worth a person's time, percent.
    pub delta_pct: Deltas,
    /// Exceptions: `workload/case/metric` or, stronger, `workload/case/metric@environment`.
    pub metrics: BTreeMap<String, Override>,
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
#[serde(deny_unknown_fields)]
pub struct Override {
    /// Its smallest change worth a person's time, percent.
    pub delta_pct: f64,
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
            blocks: 1,
            max_baseline_sweeps: 30,
            min_rounds_share: 0.8,
            delta_pct: Deltas::default(),
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
}

impl Policy {
    /// The smallest change of this metric in this environment that is worth a person's time, percent.
    pub fn delta_pct(&self, key: &SeriesKey, info: &MetricInfo) -> f64 {
        let SeriesKey { metric, environment } = key;
        let exception = self.exception(metric, environment);
        exception.map_or_else(
            || {
                let family = self.delta_pct.of(info.family);
                if info.tail { self.delta_pct.tail.max(family) } else { family }
            },
            |o| o.delta_pct,
        )
    }

    fn exception(&self, metric: &MetricKey, environment: &EnvironmentName) -> Option<&Override> {
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
        if !(1..=2).contains(&self.blocks) {
            return Err(bad("blocks", self.blocks.to_string(), "1 or 2"));
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
        let d = &self.delta_pct;
        let families = [
            ("cpu", d.cpu),
            ("memory", d.memory),
            ("disk", d.disk),
            ("network", d.network),
            ("database", d.database),
            ("lifecycle", d.lifecycle),
            ("tail", d.tail),
        ];
        let families = families.into_iter().map(|(name, pct)| (format!("delta_pct.{name}"), pct));
        let metrics =
            self.metrics.iter().map(|(name, o)| (format!("metrics.{name:?}.delta_pct"), o.delta_pct));
        for (key, pct) in families.chain(metrics) {
            if !(pct > 0.0 && pct <= 1000.0) {
                return Err(bad(&key, pct.to_string(), "percent above 0, at most 1000"));
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
        let pct = |family, tail| policy.delta_pct(&key("docker"), &info(family, tail)).to_string();
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
        let pct = |environment| policy.delta_pct(&key(environment), &tail).to_string();
        assert_eq!([pct("docker"), pct("docker+nat")], ["20", "40"]);
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
        ] {
            let policy: Policy = toml::from_str(bad).expect(bad);
            assert!(policy.check().is_err(), "{bad}");
        }
    }
}
