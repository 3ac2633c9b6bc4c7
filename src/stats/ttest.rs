//! The t test of k new sweeps against n of the baseline, and what can be said with it. All values are natural
//! logarithms of ratios, so a difference of 0.05 is about 5 %.

use super::student::{cdf, quantile, sf};

/// A variance of sweep values and how well it is known. Whoever makes it decides whether it is a metric's own
/// (`s2` = sample variance, `df` = n - 1) or moderated by its family ([`super::Prior::moderate`]).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Variance {
    /// Variance of one sweep value, in squared logs.
    pub s2: f64,
    /// Degrees of freedom of `s2`.
    pub df: f64,
}

/// The difference of new sweeps from the baseline.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Comparison {
    /// D = mean(new) - mean(baseline), logs; positive = worse.
    pub d: f64,
    /// Standard error of `d`, logs.
    pub se: f64,
    /// Degrees of freedom of `se`.
    pub df: f64,
}

impl Comparison {
    /// `D = mean(y_new) - ȳ` and `SE = sqrt(S²/n + (S² + extra)/k)`: the two-sample t test with the variance of the
    /// baseline, as new sweeps are too few to have one of their own. `extra` is variance that only the new sweeps
    /// have, 0 as a rule (they may have fewer rounds). None when either side is empty.
    pub fn new(
        new: &[f64],
        baseline_mean: f64,
        baseline_sweeps: usize,
        variance: Variance,
        extra: f64,
    ) -> Option<Self> {
        let mean = super::robust::mean(new)?;
        (baseline_sweeps > 0).then(|| Self {
            d: mean - baseline_mean,
            se: (variance.s2 / baseline_sweeps as f64 + (variance.s2 + extra) / new.len() as f64).sqrt(),
            df: variance.df,
        })
    }

    /// One-sided p-value of "it rose": P(T > D/SE).
    pub fn p_rise(&self) -> f64 {
        sf(self.d / self.se, self.df)
    }

    /// One-sided p-value of "it fell": P(T < D/SE), the mirror image.
    pub fn p_fall(&self) -> f64 {
        cdf(self.d / self.se, self.df)
    }

    /// Equivalence p-value, P(T < (D - delta)/SE): small when a rise by `delta` (logs) or more is excluded. One half
    /// of the two one-sided tests of Schuirmann (1987); the other half, a fall, harms nobody.
    pub fn p_below(&self, delta: f64) -> f64 {
        cdf((self.d - delta) / self.se, self.df)
    }

    /// The mirror image of [`Self::p_below`]: small when a fall by `delta` (logs) or more is excluded.
    pub fn p_above(&self, delta: f64) -> f64 {
        sf((self.d + delta) / self.se, self.df)
    }

    /// Two-sided confidence interval of D at `level` (0.95), logs.
    pub fn interval(&self, level: f64) -> [f64; 2] {
        let half = quantile(f64::midpoint(1.0, level), self.df) * self.se;
        [self.d - half, self.d + half]
    }

    /// Minimum detectable effect, logs: (t_{.99,df} + t_{.80,df}) SE, the smallest rise that a test at level .01
    /// (about what Benjamini-Hochberg leaves of .05) would find four times in five (Bloom, 1995, "Minimum
    /// Detectable Effects").
    pub fn mde80(&self) -> f64 {
        (quantile(0.99, self.df) + quantile(0.80, self.df)) * self.se
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(a: f64, b: f64) -> bool {
        (a - b).abs() < 1e-4
    }

    /// By hand: S² = 0.0004, n = 4, k = 1, so SE = 0.02 sqrt(1.25) = 0.0223607; D = 0.05, t = 2.236068, df = 3.
    #[test]
    fn one_sweep_against_four() {
        let c = Comparison::new(&[0.15], 0.10, 4, Variance { s2: 0.0004, df: 3.0 }, 0.0).expect("comparison");
        assert!(close(c.se, 0.022_360_7));
        // Table: P(T_3 > 2.236068) = 0.0556659.
        assert!(close(c.p_rise(), 0.055_666), "{}", c.p_rise());
        assert!(close(c.p_rise() + c.p_fall(), 1.0));
        // t_.975,3 = 3.182446
        let [low, high] = c.interval(0.95);
        assert!(close(low, 0.05 - 3.182_446 * 0.022_360_7) && close(high, 0.05 + 3.182_446 * 0.022_360_7));
        // t_.99,3 = 4.540703, t_.80,3 = 0.978472
        assert!(close(c.mde80(), 5.519_175 * 0.022_360_7));
    }

    #[test]
    fn new_sweeps_with_fewer_rounds_are_less_certain() {
        let v = Variance { s2: 0.0004, df: 3.0 };
        let c = Comparison::new(&[0.15, 0.15], 0.10, 4, v, 0.0002).expect("comparison");
        assert!(close(c.se, (0.0001_f64 + 0.0003).sqrt()));
    }

    #[test]
    fn the_mirror_image_mirrors() {
        let v = Variance { s2: 0.0004, df: 3.0 };
        let rise = Comparison::new(&[0.15], 0.10, 4, v, 0.0).expect("comparison");
        let fall = Comparison::new(&[0.05], 0.10, 4, v, 0.0).expect("comparison");
        assert!(close(rise.p_rise(), fall.p_fall()));
        assert!(close(rise.p_below(0.03), fall.p_above(0.03)));
    }

    #[test]
    fn nothing_cannot_be_compared() {
        let v = Variance { s2: 1.0, df: 1.0 };
        assert_eq!(Comparison::new(&[], 0.0, 3, v, 0.0), None);
        assert_eq!(Comparison::new(&[1.0], 0.0, 0, v, 0.0), None);
    }
}
