//! What the tolls were before: the data of a history, for whichever report shows one.

use super::view;
use crate::model::{SeriesKey, Verdict};
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
        self.tolls.get(&view::series_key(verdict)).map_or(&[], Vec::as_slice)
    }
}
