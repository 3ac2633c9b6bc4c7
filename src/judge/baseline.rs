//! The baseline of one metric in one environment.

use super::{
    comparable::difference,
    pair::{Measured, Observed, Row, observe},
    policy::{Policy, Threshold},
};
use crate::{
    model::{MetricInfo, Scale, SeriesKey, SweepId, SweepSamples},
    stats::{
        Variance,
        power::Spread,
        robust::{self, MEDIAN_VARIANCE},
    },
};

/// The smallest standard deviation of a sweep value that is believed, in logs (0.1 %): with zero variance in the baseline
/// every difference would be infinitely significant.
pub const FLOOR: f64 = 0.001;

/// Fewest sweeps with which a variance, and so a p-value, is worth anything.
pub const FEWEST: usize = 3;

/// The sweeps that a metric is compared with.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Baseline {
    /// Those that measured it, oldest first.
    pub sweeps: Vec<Measured>,
    /// Those that measured it but lie too far from the others.
    pub set_aside: Vec<SweepId>,
    /// Why there are none, when there are none.
    pub why_none: Option<String>,
}

impl Baseline {
    /// Collects the newest comparable sweeps that measured `key`. `rows` are all of the baseline, oldest first; `now` is the
    /// first candidate and `info` what the candidates say of the metric. Where a regime of the series begins, what came
    /// before does not count.
    pub fn collect(
        rows: &[Row],
        now: &SweepSamples,
        key: &SeriesKey,
        info: &MetricInfo,
        threshold: &Threshold,
        policy: &Policy,
    ) -> Self {
        let (mut used, mut comparable) = (Vec::new(), 0_usize);
        let (mut different, mut failure) = (None, None);
        for row in rows {
            let differs =
                difference(row.sweep, now, &key.environment).or_else(|| definition(row.info?, info));
            if let Some(what) = differs {
                different = Some(what);
                continue;
            }
            comparable += 1;
            if row.sweep.regimes.contains(key) {
                used.clear();
            }
            match observe(row, key, threshold.scale, policy.min_rounds_share) {
                Observed::Measured(measured) => used.push((&row.sweep.sweep, measured)),
                Observed::Failed(why) => failure = Some(why),
                Observed::Unavailable(_) | Observed::Absent => {}
            }
        }
        let why_none = used.is_empty().then(|| match (rows.len(), comparable, different, failure) {
            (0, ..) => "there is no accepted sweep yet; this one is recorded".to_owned(),
            (n, 0, Some(what), _) => format!("none of the {n} accepted sweeps is comparable: {what}"),
            (_, _, _, Some(why)) => format!("the baseline could not measure it: {why}"),
            (_, _, Some(what), None) => {
                format!("no comparable accepted sweep has it (not comparable: {what})")
            }
            _ => "a new metric: no accepted sweep has it; this one is recorded".to_owned(),
        });
        used.drain(..used.len().saturating_sub(policy.max_baseline_sweeps.max(1)));
        let values: Vec<f64> = used.iter().filter_map(|(_, m)| m.value()).collect();
        let far = match threshold.scale {
            Scale::Ratio => robust::outliers(&values, FLOOR),
            Scale::Difference => robust::outliers(&values, absolute_floor(info, threshold)),
            // A count's range is what it is compared with.
            Scale::Count => Vec::new(),
        };
        let (mut kept, mut set_aside) = (Vec::new(), Vec::new());
        for (i, (id, measured)) in used.into_iter().enumerate() {
            if far.contains(&i) { set_aside.push(id.clone()) } else { kept.push(measured) }
        }
        Self { sweeps: kept, set_aside, why_none }
    }
}

/// What differs in the definition of the metric itself.
pub(super) fn definition(a: &MetricInfo, b: &MetricInfo) -> Option<String> {
    if a.unit != b.unit {
        return Some(format!("the unit was {:?} and is {:?}", a.unit, b.unit));
    }
    (a.better != b.better).then(|| format!("better was {} and is {}", a.better.as_str(), b.better.as_str()))
}

/// Mean and variance of sweep values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Fit {
    /// ȳ, logs.
    pub mean: f64,
    /// n.
    pub sweeps: usize,
    /// `S² = max(var(y_s), 1.57 sigma_w² / R, f²)` with n - 1 degrees of freedom, moderated or not.
    pub variance: Variance,
    /// max(var, f²) of the sweep values alone: what a family's prior is fitted to. The term 1.57 `sigma_w²` / R cuts off
    /// the lower tail of S², so that variances would look more alike than they are.
    pub between: f64,
    /// `sigma_w²`, the pooled variance of rounds within sweeps.
    pub within: f64,
    /// Mean of 1/R over the sweeps, R = rounds used.
    pub inverse_rounds: f64,
}

/// The smallest standard deviation of a sweep value that is believed. By ratio: f = max(0.1 %, resolution / sqrt 12) in logs;
/// a value that is reported in steps is nowhere known better than within a step, whose uniform distribution has the
/// standard deviation step / sqrt 12. By difference: max(threshold / 30, resolution / sqrt 12) in the metric's unit.
pub(super) fn floor(info: &MetricInfo, threshold: &Threshold, baseline: &Baseline) -> f64 {
    if threshold.scale != Scale::Ratio {
        return absolute_floor(info, threshold);
    }
    let step = step(info);
    if step <= 0.0 {
        return FLOOR;
    }
    let reference: Vec<f64> = baseline.sweeps.iter().flat_map(|m| &m.reference).copied().collect();
    let relative = robust::median(&reference).map(|median| step / median);
    relative.filter(|r| r.is_finite()).map_or(FLOOR, |r| FLOOR.max(r))
}

/// max(threshold / 30, resolution / sqrt 12), in the metric's unit.
fn absolute_floor(info: &MetricInfo, threshold: &Threshold) -> f64 {
    (threshold.delta / 30.0).max(step(info))
}

/// resolution / sqrt 12, in the metric's unit; 0 where it is not known.
fn step(info: &MetricInfo) -> f64 {
    info.resolution.unwrap_or(0.0) / 12_f64.sqrt()
}

impl Fit {
    /// `floor` is the smallest standard deviation that is believed, in logs: [`floor`].
    ///
    /// Fits the sweep values (medians over rounds) of a series given by its rounds; none of no sweep.
    /// With one sweep the variance is that of the rounds alone and has no degrees of freedom.
    pub fn of(series: &[&[f64]], floor: f64) -> Option<Self> {
        let values: Vec<f64> = series.iter().filter_map(|rounds| robust::median(rounds)).collect();
        let mean = robust::mean(&values)?;
        let within = robust::pooled_variance(series.iter().copied());
        let inverse_rounds = inverse_rounds(series);
        let between = robust::variance(&values).unwrap_or(0.0).max(floor * floor);
        let s2 = between.max(MEDIAN_VARIANCE * within * inverse_rounds);
        let variance = Variance { s2, df: (values.len() - 1) as f64 };
        Some(Self { mean, sweeps: values.len(), variance, between, within, inverse_rounds })
    }

    /// The variance that new sweeps have on top because their rounds are fewer than the baseline's; 0 as a rule.
    pub fn extra(&self, new: &[&[f64]]) -> f64 {
        MEDIAN_VARIANCE * self.within * (inverse_rounds(new) - self.inverse_rounds).max(0.0)
    }

    /// Whether more rounds a sweep would narrow the comparison: while `1.57 sigma_w² / R > S̃² / 2`. Otherwise only more
    /// sweeps do.
    pub fn rounds_would_help(&self) -> bool {
        MEDIAN_VARIANCE * self.within * self.inverse_rounds > self.variance.s2 / 2.0
    }

    /// What the sweep values scatter by, split into what rounds reduce and what only sweeps do.
    pub fn spread(&self) -> Spread {
        Spread::of(self.variance, self.sweeps as f64 - 1.0, self.within, self.inverse_rounds)
    }

    /// Rounds of a sweep, the harmonic mean over the baseline.
    pub fn rounds(&self) -> u32 {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "`as` saturates; above zero"
        )]
        let rounds = (1.0 / self.inverse_rounds).round() as u32;
        rounds.max(1)
    }
}

fn inverse_rounds(series: &[&[f64]]) -> f64 {
    let inverses: Vec<f64> = series.iter().filter(|r| !r.is_empty()).map(|r| 1.0 / r.len() as f64).collect();
    robust::mean(&inverses).unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fit(series: &[&[f64]]) -> Fit {
        Fit::of(series, FLOOR).expect("not empty")
    }

    #[test]
    fn the_largest_of_three_variances_holds() {
        // Between: medians 0.1 0.2 0.3, variance 0.01.
        assert!((fit(&[&[0.1], &[0.2], &[0.3]]).variance.s2 - 0.01).abs() < 1e-12);
        // Within: medians equal, sigma_w² = 0.01, R = 3.
        let rounds: &[f64] = &[0.0, 0.1, 0.2];
        assert!((fit(&[rounds; 4]).variance.s2 - 1.57 * 0.01 / 3.0).abs() < 1e-12);
        // Neither: the floor.
        assert!((fit(&[&[0.1, 0.1][..]; 4]).variance.s2 - 1e-6).abs() < 1e-15);
    }

    #[test]
    fn fewer_rounds_cost_certainty() {
        let rounds: &[f64] = &[0.0, 0.1, 0.2];
        let fit = fit(&[rounds; 4]);
        assert!((fit.extra(&[&[0.1]]) - 1.57 * 0.01 * (1.0 - 1.0 / 3.0)).abs() < 1e-12);
        assert!(fit.extra(&[&[0.1; 9]]).abs() < 1e-12);
    }
}
