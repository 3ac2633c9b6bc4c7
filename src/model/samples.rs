//! What the judge reads: the samples of one sweep, from a stored sweep or from a samples CSV.

use super::{Better, CellState, EnvironmentName, Family, HostClass, MetricKey, Scale, Sweep, SweepId};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// One metric in one environment.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SeriesKey {
    /// Which metric.
    #[serde(flatten)]
    pub metric: MetricKey,
    /// Where.
    pub environment: EnvironmentName,
}

/// What the judge needs to know of a metric.
#[derive(Debug, Clone, PartialEq)]
pub struct MetricInfo {
    /// Unit.
    pub unit: String,
    /// Direction.
    pub better: Better,
    /// Family, for thresholds; a samples CSV does not say it, so it is guessed from the workload's name.
    pub family: Family,
    /// Whether it is a tail latency.
    pub tail: bool,
    /// Step in which the tool reports it, in `unit`; none where it is not known. A samples CSV does not say it.
    pub resolution: Option<f64>,
    /// How values are compared. A samples CSV does not say it: by exact count where the unit is `count`, else by ratio.
    pub scale: Scale,
}

/// Everything that must be equal for two sweeps to be compared, besides the host class. A samples CSV says
/// none of it; what is not said is taken as equal.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Comparability {
    /// Profile's name.
    pub profile: Option<String>,
    /// Digest of the parameters.
    pub parameters: Option<String>,
    /// Digest of the bench image.
    pub bench_image: Option<String>,
    /// `kvm` or `tcg`. Matters to the environments of base `kvm` only.
    pub accelerator: Option<String>,
}

/// The samples of one sweep.
#[derive(Debug, Clone, PartialEq)]
pub struct SweepSamples {
    /// Comparable hosts.
    pub host_class: HostClass,
    /// Which sweep.
    pub sweep: SweepId,
    /// When it began; sweeps are judged in this order.
    pub started_at: DateTime<Utc>,
    /// What else must be equal.
    pub comparability: Comparability,
    /// Unit, direction and family of each metric.
    pub metrics: BTreeMap<MetricKey, MetricInfo>,
    /// Value of each round (from 1) of each series, native included; NaN where the round failed.
    pub series: BTreeMap<SeriesKey, BTreeMap<u32, f64>>,
    /// Cells that could not be measured or are unavailable: workload, case, environment -> state and reason.
    pub failed: BTreeMap<(String, String, EnvironmentName), (CellState, String)>,
    /// Series whose regime begins with this sweep; a samples CSV says none.
    pub regimes: BTreeSet<SeriesKey>,
}

impl From<&Sweep> for Comparability {
    fn from(sweep: &Sweep) -> Self {
        Self {
            profile: Some(sweep.profile.clone()),
            parameters: Some(sweep.parameters.clone()),
            bench_image: Some(sweep.bench_image.clone()),
            accelerator: sweep.accelerator.clone(),
        }
    }
}

impl From<&Sweep> for SweepSamples {
    fn from(sweep: &Sweep) -> Self {
        let mut metrics = BTreeMap::new();
        let mut series = BTreeMap::new();
        for s in &sweep.series {
            metrics.entry(s.key()).or_insert_with(|| MetricInfo {
                unit: s.unit.clone(),
                better: s.better,
                family: s.family,
                tail: s.tail,
                resolution: s.resolution,
                scale: s.scale,
            });
            let rounds = (1..).zip(s.values.iter().map(|v| v.unwrap_or(f64::NAN))).collect();
            series.insert(SeriesKey { metric: s.key(), environment: s.environment.clone() }, rounds);
        }
        let failed = sweep
            .cells
            .iter()
            .filter(|c| c.state != CellState::Ok)
            .map(|c| {
                let key = (c.workload.clone(), c.case.clone(), c.environment.clone());
                (key, (c.state, c.reason.clone().unwrap_or_default()))
            })
            .collect();
        Self {
            host_class: sweep.host_class.clone(),
            sweep: sweep.sweep.clone(),
            started_at: sweep.started_at,
            comparability: Comparability::from(sweep),
            metrics,
            series,
            failed,
            regimes: sweep.accepted.iter().flat_map(|a| a.regimes.iter().cloned()).collect(),
        }
    }
}
