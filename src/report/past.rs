//! What the tolls were before: the data of a history in a line of text.

use crate::model::SeriesKey;
use std::collections::BTreeMap;

/// The tolls of each metric in each environment over the sweeps that are compared.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Past {
    lines: BTreeMap<SeriesKey, Line>,
}

/// Of one metric in one environment.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Line {
    /// Percent of the ratio, positive = worse, oldest first, the judged sweeps last; NaN where a sweep did not measure it. All lines have
    /// an element for each sweep.
    pub tolls: Vec<f64>,
    /// The smallest change that matters by the policy, percent; none where only the verdict says it.
    pub threshold_pct: Option<f64>,
}

impl Past {
    /// Of lines; what has no number is no history.
    pub fn new(lines: impl IntoIterator<Item = (SeriesKey, Line)>) -> Self {
        Self { lines: lines.into_iter().filter(|(_, l)| l.tolls.iter().any(|t| t.is_finite())).collect() }
    }

    /// Of tolls as the judge lists them ([`crate::judge::history`]).
    pub fn of_tolls(tolls: BTreeMap<SeriesKey, Vec<f64>>) -> Self {
        Self::new(tolls.into_iter().map(|(key, tolls)| (key, Line { tolls, threshold_pct: None })))
    }

    /// How many sweeps a line has.
    pub fn sweeps(&self) -> usize {
        self.lines.values().map(|l| l.tolls.len()).max().unwrap_or(0)
    }

    /// That of one series, where there is one.
    pub fn of(&self, key: &SeriesKey) -> Option<&Line> {
        self.lines.get(key)
    }
}
