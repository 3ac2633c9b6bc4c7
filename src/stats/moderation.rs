//! Variances shared within a family: empirical Bayes of Smyth (2004, "Linear models and empirical Bayes methods for
//! assessing differential expression in microarray experiments"), as in limma's `fitFDist` and `squeezeVar`.

use super::{Variance, robust};
use statrs::function::gamma::digamma;

/// What a family knows of its members' variances: S² ~ s0² F(d, d0).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Prior {
    /// Prior degrees of freedom, d0: how alike the members are; 0 = nothing is shared.
    pub d0: f64,
    /// Prior variance, s0², in the squared unit of the values.
    pub s02: f64,
}

impl Prior {
    /// Nothing is shared.
    pub const NONE: Self = Self { d0: 0.0, s02: 0.0 };

    /// S̃² = (d0 s0² + d S²) / (d0 + d) with d0 + d degrees of freedom.
    pub fn moderate(&self, own: Variance) -> Variance {
        let df = self.d0 + own.df;
        if self.d0 <= 0.0 || df <= 0.0 {
            return own;
        }
        Variance { s2: (self.d0 * self.s02 + own.df * own.s2) / df, df }
    }
}

/// Fits the prior of a family by the moments of ln S² (`fitFDist`). `cap` bounds d0, also where the variances differ
/// by no more than chance and d0 would be infinite. Variances that are not positive, or know nothing (`df` ≤ 0),
/// are left out; [`Prior::NONE`] of fewer than `fewest`.
pub fn fit_prior(variances: &[Variance], fewest: usize, cap: f64) -> Prior {
    let usable = |v: &&Variance| v.s2 > 0.0 && v.s2.is_finite() && v.df > 0.0 && v.df.is_finite();
    let usable: Vec<Variance> = variances.iter().filter(usable).copied().collect();
    if usable.len() < fewest.max(2) {
        return Prior::NONE;
    }
    // e = ln S² minus the bias of the logarithm of a chi-squared variable.
    let e: Vec<f64> = usable.iter().map(|v| v.s2.ln() - digamma(v.df / 2.0) + (v.df / 2.0).ln()).collect();
    let sampling: Vec<f64> = usable.iter().map(|v| trigamma(v.df / 2.0)).collect();
    let (Some(centre), Some(spread), Some(expected)) =
        (robust::mean(&e), robust::variance(&e), robust::mean(&sampling))
    else {
        return Prior::NONE;
    };
    let excess = spread - expected;
    if excess <= 0.0 {
        return Prior { d0: cap, s02: centre.exp() };
    }
    let d0 = 2.0 * trigamma_inverse(excess);
    Prior { d0: d0.min(cap), s02: (centre + digamma(d0 / 2.0) - (d0 / 2.0).ln()).exp() }
}

/// Trigamma, the second derivative of ln Γ, for x > 0: recurrence up to 10, then the asymptotic series
/// (Abramowitz and Stegun, 6.4.6 and 6.4.12).
pub fn trigamma(x: f64) -> f64 {
    let (mut x, mut sum) = (x, 0.0);
    while x < 10.0 {
        sum += 1.0 / (x * x);
        x += 1.0;
    }
    let z = 1.0 / (x * x);
    let series = 1.0 / 6.0 - z * (1.0 / 30.0 - z * (1.0 / 42.0 - z * (1.0 / 30.0 - z * 5.0 / 66.0)));
    sum + 1.0 / x + z / 2.0 + series * z / x
}

/// The x > 0 with trigamma(x) = y, for y > 0, by Newton's method on 1/trigamma (Smyth 2004, appendix).
pub fn trigamma_inverse(y: f64) -> f64 {
    // Beyond these the first term of the series is exact to double precision.
    if y > 1e7 {
        return 1.0 / y.sqrt();
    }
    if y < 1e-6 {
        return 1.0 / y;
    }
    let mut x = 0.5 + 1.0 / y;
    for _ in 0..50 {
        let tri = trigamma(x);
        let step = tri * (1.0 - tri / y) / tetragamma(x);
        x += step;
        if -step / x < 1e-10 {
            break;
        }
    }
    x
}

/// The derivative of trigamma, for x > 0, as above (6.4.13).
fn tetragamma(x: f64) -> f64 {
    let (mut x, mut sum) = (x, 0.0);
    while x < 10.0 {
        sum -= 2.0 / (x * x * x);
        x += 1.0;
    }
    let z = 1.0 / (x * x);
    sum - z * (1.0 + 1.0 / x + z * (0.5 - z * (1.0 / 6.0 - z * (1.0 / 6.0 - z * 0.3))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{RngExt, SeedableRng};
    use std::f64::consts::PI;

    #[test]
    fn trigamma_of_known_values() {
        assert!((trigamma(1.0) - PI * PI / 6.0).abs() < 1e-12);
        assert!((trigamma(0.5) - PI * PI / 2.0).abs() < 1e-12);
        assert!((trigamma(2.0) - (PI * PI / 6.0 - 1.0)).abs() < 1e-12);
        // psigamma(1, 2) = -2 ζ(3)
        assert!((tetragamma(1.0) + 2.404_113_806_319_188_6).abs() < 1e-10);
    }

    #[test]
    fn the_inverse_inverts() {
        for x in [1e-5, 0.01, 0.3, 1.0, 4.5, 25.0, 1e3, 1e5] {
            assert!((trigamma_inverse(trigamma(x)) / x - 1.0).abs() < 1e-6, "{x}");
        }
    }

    #[test]
    fn moderation_by_hand() {
        // (4 * 2 + 6 * 7) / 10
        let v = Prior { d0: 4.0, s02: 2.0 }.moderate(Variance { s2: 7.0, df: 6.0 });
        assert_eq!(v, Variance { s2: 5.0, df: 10.0 });
        let own = Variance { s2: 7.0, df: 6.0 };
        assert_eq!(Prior::NONE.moderate(own), own);
    }

    #[test]
    fn equal_variances_are_shared_up_to_the_cap() {
        let prior = fit_prior(&[Variance { s2: 0.01, df: 9.0 }; 12], 10, 50.0);
        assert!((prior.d0 - 50.0).abs() < 1e-12);
        // exp(ln s² - digamma(4.5) + ln 4.5): limma corrects the bias of the logarithm.
        assert!((prior.s02 - 0.01 * (4.5_f64.ln() - 1.388_870_903_5).exp()).abs() < 1e-6, "{}", prior.s02);
    }

    #[test]
    fn a_small_family_shares_nothing() {
        assert_eq!(fit_prior(&[Variance { s2: 0.01, df: 9.0 }; 9], 10, 50.0), Prior::NONE);
    }

    /// Draws S² = s0² F(d, d0) and finds d0 and s0² again.
    #[test]
    fn the_prior_is_recovered() {
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(7);
        let mut chi2 = |df: u32| -> f64 {
            (0..df)
                .map(|_| {
                    let u: f64 = rng.random_range(1e-12..1.0);
                    let v: f64 = rng.random_range(0.0..1.0);
                    (-2.0 * u.ln()) * (2.0 * PI * v).cos().powi(2)
                })
                .sum()
        };
        let draws: Vec<Variance> =
            (0..4000).map(|_| Variance { s2: 0.02 * (chi2(9) / 9.0) / (chi2(8) / 8.0), df: 9.0 }).collect();
        let prior = fit_prior(&draws, 10, 50.0);
        assert!((prior.d0 - 8.0).abs() < 1.5 && (prior.s02 - 0.02).abs() < 0.002, "{prior:?}");
    }
}
