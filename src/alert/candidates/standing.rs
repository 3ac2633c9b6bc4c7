//! What the newest judged sweep says of a host, in a few numbers.

use crate::model::{EnvironmentName, Family, GateResult, SweepId, VerdictKind};
use crate::stats::robust;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What a sweep says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Standing {
    /// Which.
    pub sweep: SweepId,
    /// Its profile.
    pub profile: String,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// Whether its guest ran under TCG.
    pub emulated: bool,
    /// How many of each verdict.
    pub verdicts: BTreeMap<VerdictKind, u32>,
    /// The tolls, by environment.
    pub tolls: Vec<Toll>,
}

/// The toll of one environment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Toll {
    /// Which.
    pub environment: EnvironmentName,
    /// Metrics whose toll is known.
    pub metrics: usize,
    /// Their median, percent of the ratio, positive = worse.
    pub median_pct: f64,
    /// The medians of the families, percent.
    pub families: BTreeMap<Family, f64>,
}

impl Standing {
    /// Of a judged sweep; none when nothing was swept.
    pub fn of(result: &GateResult) -> Option<Self> {
        let (sweep, started_at) = (result.sweep.clone()?, result.started_at?);
        let mut tolls: BTreeMap<&EnvironmentName, Vec<(Option<Family>, f64)>> = BTreeMap::new();
        for verdict in result.judgement.verdicts.iter().filter(|v| !v.environment.is_native()) {
            if let Some(toll) = verdict.toll_now_pct.filter(|toll| toll.is_finite()) {
                tolls.entry(&verdict.environment).or_default().push((verdict.family, toll));
            }
        }
        Some(Self {
            sweep,
            profile: result.profile.clone(),
            started_at,
            emulated: result.is_emulated(),
            verdicts: result.judgement.summary.clone(),
            tolls: tolls.into_iter().filter_map(|(environment, of)| Toll::of(environment, &of)).collect(),
        })
    }

    /// How many verdicts of these kinds.
    pub(super) fn count(&self, kinds: &[VerdictKind]) -> u32 {
        kinds.iter().filter_map(|kind| self.verdicts.get(kind)).sum()
    }
}

impl Toll {
    fn of(environment: &EnvironmentName, of: &[(Option<Family>, f64)]) -> Option<Self> {
        let all: Vec<f64> = of.iter().map(|(_, toll)| *toll).collect();
        let mut families: BTreeMap<Family, Vec<f64>> = BTreeMap::new();
        for (family, toll) in of {
            if let Some(family) = family {
                families.entry(*family).or_default().push(*toll);
            }
        }
        let families = families.into_iter().filter_map(|(f, tolls)| Some((f, robust::median(&tolls)?)));
        Some(Self {
            environment: environment.clone(),
            metrics: all.len(),
            median_pct: robust::median(&all)?,
            families: families.collect(),
        })
    }
}
