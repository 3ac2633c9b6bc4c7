//! Student's t distribution with `df` degrees of freedom, for finite `df > 0`.

use statrs::distribution::{ContinuousCDF, StudentsT};

/// The standard distribution. Degrees of freedom below one half, or not finite, are moved into the range in which
/// the numbers mean something, so that no caller can make it fail.
fn standard(df: f64) -> Option<StudentsT> {
    StudentsT::new(0.0, 1.0, if df.is_finite() { df.max(0.5) } else { 1e6 }).ok()
}

/// P(T > t), no unit. 1/2 when `t` is not a number: nothing is known then.
pub fn sf(t: f64, df: f64) -> f64 {
    match standard(df) {
        Some(_) if t.is_nan() => 0.5,
        Some(dist) => dist.sf(t),
        None => 0.5,
    }
}

/// P(T < t), no unit. 1/2 when `t` is not a number.
pub fn cdf(t: f64, df: f64) -> f64 {
    sf(-t, df)
}

/// The t with P(T < t) = p, no unit; infinite at p = 0 and p = 1.
pub fn quantile(p: f64, df: f64) -> f64 {
    let p = if p.is_nan() { 0.5 } else { p.clamp(0.0, 1.0) };
    if p <= 0.0 {
        return f64::NEG_INFINITY;
    }
    if p >= 1.0 {
        return f64::INFINITY;
    }
    standard(df).map_or(0.0, |dist| dist.inverse_cdf(p))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Tables of the t distribution (NIST/SEMATECH e-Handbook of Statistical Methods, 1.3.6.7.2).
    #[test]
    fn quantiles_agree_with_the_table() {
        for (p, df, t) in [
            (0.95, 2.0, 2.920),
            (0.975, 4.0, 2.776),
            (0.99, 9.0, 2.821),
            (0.80, 9.0, 0.883),
            (0.999, 30.0, 3.385),
            (0.95, 59.0, 1.671),
        ] {
            assert!((quantile(p, df) - t).abs() < 1e-3, "{p} {df}: {}", quantile(p, df));
            assert!((quantile(1.0 - p, df) + t).abs() < 1e-3);
            assert!((cdf(quantile(p, df), df) - p).abs() < 1e-9);
        }
    }

    #[test]
    fn far_tails_keep_their_digits() {
        // df = 1 is Cauchy: P(T > t) = 1/2 - atan(t)/π = atan(1/t)/π.
        let t = 1e9_f64;
        assert!((sf(t, 1.0) / ((1.0 / t).atan() / std::f64::consts::PI) - 1.0).abs() < 1e-6);
        // df = 2: P(T > t) = 1/2 - t / (2 sqrt(2 + t²)), about 1 / (2 t²).
        assert!((sf(1e4, 2.0) * 2e8 - 1.0).abs() < 1e-6);
    }

    #[test]
    fn nothing_makes_it_panic() {
        for t in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 0.0, 1e308] {
            for df in [f64::NAN, f64::INFINITY, 0.0, -1.0, 1e-300, 2.0] {
                let p = sf(t, df);
                assert!((0.0..=1.0).contains(&p), "{t} {df}: {p}");
                let _ = quantile(t, df);
            }
        }
    }
}
