//! Intervals of rates.

use statrs::distribution::{Beta, ContinuousCDF};

/// The interval of Clopper and Pearson (1934, "The Use of Confidence or Fiducial Limits Illustrated in the Case of the
/// Binomial", *Biometrika* 26) of a rate, no unit: from the (1 - level)/2 quantile of Beta(x, n - x + 1) to the
/// (1 + level)/2 quantile of Beta(x + 1, n - x), for x of n. It covers at least with `level`, whatever the rate is.
///
/// The counts need not be whole: an effective number of trials is the size of an independent sample that would tell as
/// much, and the Beta quantiles go smoothly from one whole count to the next (as Korn and Graubard, 1998, use them).
/// x is moved into 0..=n. Without trials (n not above zero, or anything not a number) nothing is known: [0, 1].
pub fn clopper_pearson(x: f64, n: f64, level: f64) -> [f64; 2] {
    if !(n > 0.0 && n.is_finite()) || x.is_nan() || level.is_nan() {
        return [0.0, 1.0];
    }
    let x = x.clamp(0.0, n);
    let tail = (1.0 - level.clamp(0.0, 1.0)) / 2.0;
    let quantile = |a: f64, b: f64, p: f64| Beta::new(a, b).ok().map(|beta| beta.inverse_cdf(p));
    // Beta(0, b) and Beta(a, 0) are points at 0 and 1.
    let low = if x > 0.0 { quantile(x, n - x + 1.0, tail) } else { None };
    let high = if x < n { quantile(x + 1.0, n - x, 1.0 - tail) } else { None };
    [low.unwrap_or(0.0), high.unwrap_or(1.0)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(found: [f64; 2], expected: [f64; 2]) -> bool {
        found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6)
    }

    /// R: binom.test(2, 10)$conf.int = 0.02521073 0.55609546.
    #[test]
    fn agrees_with_binom_test() {
        assert!(close(clopper_pearson(2.0, 10.0, 0.95), [0.025_210_73, 0.556_095_46]));
    }

    /// None of n: from 0 to 1 - .025^(1/n); all of n: the mirror image.
    #[test]
    fn none_and_all_have_closed_forms() {
        for n in [1.0_f64, 3.0, 40.0] {
            let edge = 0.025_f64.powf(1.0 / n);
            assert!(close(clopper_pearson(0.0, n, 0.95), [0.0, 1.0 - edge]), "{n}");
            assert!(close(clopper_pearson(n, n, 0.95), [edge, 1.0]), "{n}");
        }
    }

    #[test]
    fn counts_between_whole_ones_lie_between_their_intervals() {
        let [a, b, c] = [2.0, 2.5, 3.0].map(|x| clopper_pearson(x, 20.0, 0.95));
        assert!(a[0] < b[0] && b[0] < c[0] && a[1] < b[1] && b[1] < c[1], "{a:?} {b:?} {c:?}");
    }

    #[test]
    fn without_trials_nothing_is_known() {
        for (x, n) in [(0.0, 0.0), (1.0, -3.0), (f64::NAN, 5.0), (1.0, f64::NAN), (1.0, f64::INFINITY)] {
            assert!(close(clopper_pearson(x, n, 0.95), [0.0, 1.0]), "{x} {n}");
        }
        assert!(close(clopper_pearson(9.0, 3.0, 0.95), clopper_pearson(3.0, 3.0, 0.95)));
    }
}
