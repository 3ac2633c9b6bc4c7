//! What the tolls were before: the data of a history, for whichever report shows one.

use crate::model::{MetricKey, SeriesKey, Verdict};
use std::collections::BTreeMap;

/// The tolls of each metric in each environment over the sweeps that were compared.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Past {
    tolls: BTreeMap<SeriesKey, Vec<f64>>,
}

impl Past {
    /// Percent of the ratio, positive = worse, oldest first, the judged sweeps last; NaN where a sweep did not measure it. All
    /// series have an element for each sweep.
    pub fn new(tolls: BTreeMap<SeriesKey, Vec<f64>>) -> Self {
        Self { tolls }
    }

    /// The tolls behind a verdict; empty where none are known.
    pub fn of(&self, verdict: &Verdict) -> &[f64] {
        let metric = MetricKey::new(&verdict.workload, &verdict.case, &verdict.metric);
        let key = SeriesKey { metric, environment: verdict.environment.clone() };
        self.tolls.get(&key).map_or(&[], Vec::as_slice)
    }
}
