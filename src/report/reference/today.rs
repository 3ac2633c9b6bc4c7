//! What a sweep has to set beside a fact of the study: a median, its spread, its rounds.

use super::{Fact, cell};
use crate::judge;
use crate::model::{EnvironmentName, GateResult, Sweep};
use crate::report::{clean, number};
use crate::stats::robust;

/// One metric in one environment, measured today.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Today {
    /// Median over the rounds, in `unit`.
    pub median: f64,
    /// Cleaned.
    pub unit: String,
    /// The middle half of the rounds, in `unit`; none where the sweep's rounds are not known.
    pub spread: Option<[f64; 2]>,
    /// Rounds.
    pub n: u32,
    /// Against native, percent; none of native itself.
    pub toll: Option<f64>,
    /// The middle half of the rounds' tolls, percent.
    pub toll_spread: Option<[f64; 2]>,
}

impl Today {
    /// What `sweep`, of which `result` is, measured of a fact's metric in `environment`; none where it did not.
    pub fn of(fact: &Fact, result: &GateResult, sweep: &Sweep, environment: &str) -> Option<Self> {
        let cell = cell(fact, result, environment)?;
        let series = |name: &EnvironmentName| {
            sweep.series.iter().find(|s| {
                (s.workload.as_str(), s.case.as_str(), s.metric.as_str())
                    == (cell.workload.as_str(), cell.case.as_str(), cell.metric.as_str())
                    && s.environment == *name
            })
        };
        let (own, native) = (series(&cell.environment), series(&EnvironmentName::NATIVE));
        Some(Self {
            median: cell.median?,
            unit: clean::name(&cell.unit),
            spread: own.and_then(|s| middle_half(s.measured().filter(|v| s.scale.accepts(*v)).collect())),
            n: cell.rounds,
            toll: cell.toll_pct,
            toll_spread: own.zip(native).filter(|_| cell.toll_pct.is_some()).and_then(|(e, n)| {
                middle_half(judge::round_tolls(e, n).into_iter().map(judge::percent).collect())
            }),
        })
    }

    /// `84.3k/s [83.5k, 84.3k], n = 5`
    pub fn value_text(&self) -> String {
        format!(
            "{}{}, {}",
            self.median_text(),
            self.spread_text().map_or_else(String::new, |s| format!(" {s}")),
            self.n_text()
        )
    }

    /// `+24 % [+21, +26], n = 5`; none of native itself.
    pub fn toll_text(&self) -> Option<String> {
        Some(format!("{}, {}", self.toll_with_spread()?, self.n_text()))
    }

    /// `84.3k/s`
    pub fn median_text(&self) -> String {
        number::value(self.median, &self.unit)
    }

    /// `[83.5k, 84.3k]`, in the unit of the median.
    pub fn spread_text(&self) -> Option<String> {
        self.spread.map(|[a, b]| format!("[{}, {}]", number::significant(a), number::significant(b)))
    }

    /// `n = 5`
    pub fn n_text(&self) -> String {
        format!("n = {}", self.n)
    }

    /// `+24 % [+21, +26]`; none of native itself.
    pub fn toll_with_spread(&self) -> Option<String> {
        let toll = number::toll(self.toll?);
        let spread =
            self.toll_spread.map(|[a, b]| format!(" [{}, {}]", number::change(a), number::change(b)));
        Some(format!("{toll}{}", spread.unwrap_or_default().replace(" %", "")))
    }
}

/// From the median of the lower half to that of the upper half (Tukey's hinges); none of fewer than three.
fn middle_half(mut values: Vec<f64>) -> Option<[f64; 2]> {
    if values.len() < 3 {
        return None;
    }
    values.sort_by(f64::total_cmp);
    let half = values.len().div_ceil(2);
    Some([robust::median(&values[..half])?, robust::median(&values[values.len() - half..])?])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_half_leaves_the_ends_out() {
        assert_eq!(middle_half(vec![9.0, 1.0, 2.0, 3.0, 4.0]), Some([2.0, 4.0]));
        assert_eq!(middle_half(vec![4.0, 1.0, 3.0, 2.0]), Some([1.5, 3.5]));
        assert_eq!(middle_half(vec![1.0, 2.0]), None);
    }
}
