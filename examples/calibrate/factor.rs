//! The experiment: estimate the common factor of each sweep and take it out before judging.
//!
//! With `y_ms` the sweep value of metric m in sweep s, `z_ms = (y_ms - median_s y_ms) / scale_m` over the baseline's sweeps,
//! and `c_s` = median over m of `z_ms`, `b c_s scale_m` is subtracted from every round of m in s. `scale_m` is
//! 1.4826 MAD of the metric's baseline values, shrunk to the family's median. b is estimated from the baseline: `c_s` of one
//! half of the metrics explains the `z_ms` of the other half with the slope `b_half`, which is 0 where nothing is common;
//! with all metrics b = 2 `b_half` / (1 + `b_half`) (Spearman and Brown, 1910). A `|c_s|` beyond what the baseline's own
//! factors show is an event, not noise, and stays; when a fresh sweep has one, nothing is taken out of any sweep.

use crate::simulate::{Suite, Tolls, medians};
use tollgate::stats::robust::{MAD_TO_SD, mad, median};

/// Factors beyond this many standard deviations (robust, of the baseline's) are events.
const WITHIN: f64 = 3.0;

/// What the baseline says of the common factor.
#[derive(Debug)]
pub struct Factor {
    /// Median of each metric's sweep values, logs.
    centre: Vec<f64>,
    /// Scale of each metric's sweep values, logs.
    scale: Vec<f64>,
    /// b.
    slope: f64,
    /// The largest `|c_s|` that is noise.
    limit: f64,
}

impl Factor {
    /// Estimates it from the baseline alone.
    pub fn of(baseline: &[Tolls]) -> Self {
        let sweeps: Vec<Vec<f64>> = baseline.iter().map(medians).collect();
        let metrics = sweeps.first().map_or(0, Vec::len);
        let of_metric = |m: usize| sweeps.iter().map(|s| s[m]).collect::<Vec<f64>>();
        let centre: Vec<f64> = (0..metrics).map(|m| median(&of_metric(m)).unwrap_or(0.0)).collect();
        let own: Vec<f64> = (0..metrics).map(|m| MAD_TO_SD * mad(&of_metric(m)).unwrap_or(0.0)).collect();
        let family = median(&own).unwrap_or(0.0).max(1e-3);
        // The more sweeps, the more a metric's own scale is worth: ten count as much as the family's.
        let weight = sweeps.len() as f64 / (sweeps.len() as f64 + 10.0);
        let scale = own.iter().map(|own| weight * own + (1.0 - weight) * family).collect();
        let mut factor = Self { centre, scale, slope: 0.0, limit: 0.0 };
        let factors: Vec<f64> = sweeps.iter().filter_map(|y| factor.common(y, |_| true)).collect();
        factor.limit = WITHIN * MAD_TO_SD * mad(&factors).unwrap_or(0.0);
        let half = factor.half_slope(&sweeps);
        factor.slope = 2.0 * half / (1.0 + half);
        factor
    }

    fn standardised(&self, y: &[f64], m: usize) -> f64 {
        (y[m] - self.centre[m]) / self.scale[m]
    }

    /// `c_s` over the metrics that `counts`; none when they are too few to tell.
    fn common(&self, y: &[f64], counts: impl Fn(usize) -> bool) -> Option<f64> {
        const FEWEST: usize = 20;
        let z: Vec<f64> = (0..y.len()).filter(|m| counts(*m)).map(|m| self.standardised(y, m)).collect();
        median(&z).filter(|_| z.len() >= FEWEST)
    }

    /// Slope of the `z_ms` of one half of the metrics on `c_s` of the other, both ways, within 0 and 1.
    fn half_slope(&self, sweeps: &[Vec<f64>]) -> f64 {
        let (mut product, mut square) = (0.0, 0.0);
        for (half, y) in (0..2).flat_map(|half| sweeps.iter().map(move |y| (half, y))) {
            let Some(c) = self.common(y, |m| m % 2 == half) else { continue };
            let others: Vec<f64> =
                (0..y.len()).filter(|m| m % 2 != half).map(|m| self.standardised(y, m)).collect();
            product += c * others.iter().sum::<f64>() / others.len() as f64;
            square += c * c;
        }
        if square > 0.0 { (product / square).clamp(0.0, 1.0) } else { 0.0 }
    }

    /// `sweep` without its common factor, which is estimated from the metrics that `counts`; none where it is an event.
    fn adjusted(&self, sweep: &Tolls, counts: impl Fn(usize) -> bool) -> Option<Tolls> {
        let c = self.common(&medians(sweep), counts)?;
        let less = |(rounds, scale): (&[f64; 10], &f64)| rounds.map(|x| x - self.slope * c * scale);
        (c.abs() <= self.limit).then(|| sweep.iter().zip(&self.scale).map(less).collect())
    }

    /// The baseline and the screen adjusted, where they can be; the fresh sweeps as they are.
    pub fn screened(&self, suite: &Suite) -> Suite {
        let all = |sweep: &Tolls| self.adjusted(sweep, |_| true).unwrap_or_else(|| sweep.clone());
        let mut adjusted = suite.clone();
        adjusted.baseline = suite.baseline.iter().map(all).collect();
        adjusted.candidates[0] = all(&suite.candidates[0]);
        adjusted
    }

    /// Adjusts the fresh sweeps too, by the metrics that `counts`. None when one of them cannot be: a baseline without its
    /// common factor is too calm for a sweep that still has one.
    pub fn confirmed(&self, mut screened: Suite, counts: impl Fn(usize) -> bool + Copy) -> Option<Suite> {
        for sweep in &mut screened.candidates[1..] {
            *sweep = self.adjusted(sweep, counts)?;
        }
        Some(screened)
    }
}
