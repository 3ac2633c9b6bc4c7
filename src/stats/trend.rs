//! Whether a series rises steadily, and how fast: Mann-Kendall and Theil-Sen. Both use ranks or medians of pairs, so that
//! one wild value neither makes nor hides a trend.

use super::robust;
use statrs::function::erf::erfc;
use std::cmp::Ordering;
use std::f64::consts::SQRT_2;

/// The trend of values taken at equal steps. Values of the judge are natural logs of ratios, so a slope of 0.002 is about
/// 0.2 % a step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Trend {
    /// `S = Σ_{i<j} sign(x_j - x_i)`: pairs that rise less pairs that fall (Mann 1945, "Nonparametric Tests Against
    /// Trend").
    pub s: f64,
    /// Variance of S without a trend: (n (n-1) (2n+5) - Σ t (t-1) (2t+5)) / 18, the sum over groups of t equal values
    /// (Kendall 1975, Rank Correlation Methods). 0 when all values are equal.
    pub variance: f64,
    /// Median of the slopes `(x_j - x_i) / (j - i)` of all pairs, in the values' unit a step (Sen 1968, "Estimates of the
    /// Regression Coefficient Based on Kendall's Tau").
    pub slope: f64,
    /// The fitted line at the first position: median of `x_i - slope i`, in the values' unit (Conover 1980, Practical
    /// Nonparametric Statistics).
    pub start: f64,
    /// Steps from the first position to the last.
    pub steps: f64,
}

impl Trend {
    /// Fits the trend. Values that are not finite are left out and keep their place, so that the slope stays one a step;
    /// none of fewer than two others. All pairs are looked at: n²/2 of them, so give it a window.
    pub fn of(values: &[f64]) -> Option<Self> {
        let points: Vec<(f64, f64)> =
            values.iter().enumerate().filter(|(_, x)| x.is_finite()).map(|(i, x)| (i as f64, *x)).collect();
        if points.len() < 2 {
            return None;
        }
        let (mut s, mut slopes) = (0.0, Vec::with_capacity(points.len() * (points.len() - 1) / 2));
        for (at, (i, x)) in points.iter().enumerate() {
            for (j, y) in &points[at + 1..] {
                s += match y.partial_cmp(x) {
                    Some(Ordering::Greater) => 1.0,
                    Some(Ordering::Less) => -1.0,
                    _ => 0.0,
                };
                slopes.push((y - x) / (j - i));
            }
        }
        let slope = robust::median(&slopes)?;
        let start = robust::median(&points.iter().map(|(i, x)| x - slope * i).collect::<Vec<_>>())?;
        let variance = variance_of_s(points.iter().map(|(_, x)| *x).collect());
        Some(Self { s, variance, slope, start, steps: (values.len() - 1) as f64 })
    }

    /// (S - 1)/√Var above zero, (S + 1)/√Var below, 0 at S = 0 and without variance: standard normal without a trend. The
    /// step of one is the continuity correction, since S moves in twos (Kendall 1975).
    pub fn z(&self) -> f64 {
        let corrected = if self.s > 0.0 { (self.s - 1.0).max(0.0) } else { (self.s + 1.0).min(0.0) };
        if self.variance > 0.0 { corrected / self.variance.sqrt() } else { 0.0 }
    }

    /// One-sided p-value of "it rises": P(Z > z), by the normal approximation, which is good from ten values on
    /// (Kendall 1975) and never below 4e-5 with ten: it says too little rather than too much there.
    pub fn p_rise(&self) -> f64 {
        erfc(self.z() / SQRT_2) / 2.0
    }

    /// The fitted change over all values, slope times steps, in their unit.
    pub fn change(&self) -> f64 {
        self.slope * self.steps
    }
}

/// The variance of [`Trend::variance`].
fn variance_of_s(mut values: Vec<f64>) -> f64 {
    // Adding zero makes one value of 0 and -0.
    for x in &mut values {
        *x += 0.0;
    }
    values.sort_by(f64::total_cmp);
    let term = |n: usize| (n * (n - 1) * (2 * n + 5)) as f64;
    let ties: f64 = values.chunk_by(|a, b| a.total_cmp(b).is_eq()).map(|group| term(group.len())).sum();
    (term(values.len()) - ties) / 18.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn trend(values: &[f64]) -> Trend {
        Trend::of(values).expect("two values")
    }

    fn close(a: f64, b: f64) -> bool {
        (a - b).abs() < 1e-6
    }

    /// By hand: S = 10, Var = 5 * 4 * 15 / 18 = 50/3, z = 9 / 4.082483 = 2.204541; P(Z > 2.204541) = .013743.
    #[test]
    fn five_rising_values_by_hand() {
        let t = trend(&[1.0, 2.0, 4.0, 7.0, 11.0]);
        assert!(close(t.s, 10.0) && close(t.variance, 50.0 / 3.0) && close(t.z(), 2.204_541));
        assert!((t.p_rise() - 0.013_743).abs() < 1e-6, "{}", t.p_rise());
        // Slopes 1 2 3 4, 1.5 2.5 3.5, 2 3, 2.5: the median of ten is 2.5.
        assert!(close(t.slope, 2.5) && close(t.change(), 10.0));
        // x - 2.5 i: 1 -.5 -1 -.5 1
        assert!(close(t.start, -0.5));
    }

    /// By hand: one pair of equal values, S = 5, Var = (4*3*13 - 2*1*9) / 18 = 23/3, z = 4 / 2.768875 = 1.444630.
    #[test]
    fn equal_values_take_from_the_variance() {
        let t = trend(&[1.0, 1.0, 2.0, 3.0]);
        assert!(close(t.s, 5.0) && close(t.variance, 23.0 / 3.0) && close(t.z(), 1.444_630), "{t:?}");
        // Three of them: (5*4*15 - 3*2*11) / 18 = 13.
        assert!(close(trend(&[2.0, 1.0, 2.0, 3.0, 2.0]).variance, 13.0));
    }

    #[test]
    fn equal_values_are_no_trend() {
        let t = trend(&[3.0; 12]);
        assert!(close(t.z(), 0.0) && close(t.p_rise(), 0.5) && close(t.change(), 0.0));
        assert!(close(trend(&[0.0, -0.0]).variance, 0.0), "0 and -0 are equal");
    }

    #[test]
    fn a_fall_is_the_mirror_image() {
        let rise = trend(&[0.3, 0.1, 0.4, 0.15, 0.5, 0.9]);
        let fall = trend(&[-0.3, -0.1, -0.4, -0.15, -0.5, -0.9]);
        assert!(close(rise.z(), -fall.z()) && close(rise.slope, -fall.slope));
        assert!(close(rise.p_rise() + fall.p_rise(), 1.0));
    }

    #[test]
    fn one_wild_value_moves_neither() {
        let mut values: Vec<f64> = (0..30).map(|i| f64::from(i) * 0.002).collect();
        let clean = trend(&values);
        values[11] = 40.0;
        let wild = trend(&values);
        assert!((wild.slope - clean.slope).abs() < 1e-4 && wild.p_rise() < 1e-9);
    }

    #[test]
    fn what_is_not_a_number_keeps_its_place() {
        let t = trend(&[0.0, f64::NAN, 2.0, f64::INFINITY, 4.0]);
        assert!(close(t.slope, 1.0) && close(t.change(), 4.0) && close(t.s, 3.0));
        assert_eq!(Trend::of(&[1.0, f64::NAN]), None);
        assert_eq!(Trend::of(&[]), None);
    }

    proptest! {
        #[test]
        fn only_the_order_counts_for_s(values in prop::collection::vec(-5.0..5.0_f64, 2..20)) {
            let t = trend(&values);
            let grown = trend(&values.iter().map(|x| x.exp()).collect::<Vec<_>>());
            prop_assert!(close(t.s, grown.s) && close(t.variance, grown.variance));
            prop_assert!((0.0..=1.0).contains(&t.p_rise()));
        }
    }
}
