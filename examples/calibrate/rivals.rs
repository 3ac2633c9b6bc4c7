//! What others would say of the same suites, and the bound that known variances set.

use crate::simulate::{Found, Suite, medians};
use tollgate::stats::{benjamini_hochberg, robust, student};

/// Every rival, in the order of the table: name and what exactly it does.
pub const RIVALS: [(&str, &str); 5] = [
    (
        "5 % threshold",
        "alarm where the median of the first new sweep is 5 % or more above that of the newest accepted one.",
    ),
    (
        "Welch + BH",
        "rounds of the first new sweep against those of all accepted ones pooled, one-sided,
  Benjamini-Hochberg at .05 over the suite.",
    ),
    (
        "Mann-Whitney",
        "what benchstat does: rounds of the first new sweep against those of the newest accepted one, two-sided
  U test at .05 for each metric (normal approximation, continuity corrected); alarm where the new ones are slower.",
    ),
    (
        "t prediction",
        "what Bencher does at .99: alarm where the median of the first new sweep is above
  mean + t_{.99,n-1} s sqrt(1 + 1/n) of the baseline's sweep values.",
    ),
    (
        "known variances",
        "no rival but the bound: the project's rule, candidates only, with the true variances.",
    ),
];

/// The smallest change worth a person's time of the simulated metrics, logs.
fn delta() -> f64 {
    0.03_f64.ln_1p()
}

/// What each of [`RIVALS`] finds in `suite`, of which the first `shifted` metrics shifted.
pub fn found(suite: &Suite, shifted: usize) -> [Found; RIVALS.len()] {
    [previous(suite), pooled_welch(suite), mann_whitney(suite), prediction(suite), known(suite)]
        .map(|alarms| Found::of(alarms, shifted))
}

fn previous(suite: &Suite) -> Vec<bool> {
    let Some(newest) = suite.baseline.last() else { return Vec::new() };
    let limit = 0.05_f64.ln_1p();
    medians(&suite.candidates[0]).iter().zip(medians(newest)).map(|(now, then)| now - then >= limit).collect()
}

/// Mean, variance of the mean, and degrees of freedom of pooled rounds.
fn moments<'a>(sweeps: impl Iterator<Item = &'a [f64; 10]>) -> (f64, f64, f64) {
    let pooled: Vec<f64> = sweeps.flatten().copied().collect();
    let (mean, variance) = (robust::mean(&pooled).unwrap_or(0.0), robust::variance(&pooled).unwrap_or(0.0));
    (mean, variance / pooled.len() as f64, (pooled.len() - 1) as f64)
}

fn pooled_welch(suite: &Suite) -> Vec<bool> {
    let metrics = suite.deviations.len();
    let p: Vec<f64> = (0..metrics)
        .map(|m| {
            let (before, a, df_a) = moments(suite.baseline.iter().map(|s| &s[m]));
            let (now, b, df_b) = moments(suite.candidates[..1].iter().map(|s| &s[m]));
            // Welch (1947) and Satterthwaite's degrees of freedom.
            let df = (a + b).powi(2) / (a * a / df_a + b * b / df_b);
            student::sf((now - before) / (a + b).sqrt(), df)
        })
        .collect();
    benjamini_hochberg(&p, metrics).into_iter().map(|q| q <= 0.05).collect()
}

fn mann_whitney(suite: &Suite) -> Vec<bool> {
    let Some(newest) = suite.baseline.last() else { return Vec::new() };
    let slower = |(now, then): (&[f64; 10], &[f64; 10])| {
        let (n, m) = (now.len() as f64, then.len() as f64);
        let above: usize = now.iter().map(|x| then.iter().filter(|y| x > *y).count()).sum();
        let z = (above as f64 - n * m / 2.0 - 0.5) / (n * m * (n + m + 1.0) / 12.0).sqrt();
        2.0 * normal_sf(z) < 0.05
    };
    suite.candidates[0].iter().zip(newest).map(slower).collect()
}

fn prediction(suite: &Suite) -> Vec<bool> {
    let sweeps: Vec<Vec<f64>> = suite.baseline.iter().map(medians).collect();
    let n = sweeps.len() as f64;
    let t = student::quantile(0.99, n - 1.0);
    let above = |(m, now): (usize, f64)| {
        let values: Vec<f64> = sweeps.iter().map(|s| s[m]).collect();
        let (Some(mean), Some(variance)) = (robust::mean(&values), robust::variance(&values)) else {
            return false;
        };
        now > mean + t * (variance * (1.0 + 1.0 / n)).sqrt()
    };
    medians(&suite.candidates[0]).into_iter().enumerate().map(above).collect()
}

/// P(Z > z): Student's t with so many degrees of freedom that nothing is left of it.
fn normal_sf(z: f64) -> f64 {
    student::sf(z, 1e6)
}

/// Screen by the first sweep, confirm by the others, Benjamini-Hochberg over the suite, with the true variance
/// `sigma_b² + V sigma_w²` of a sweep value. V = .1383 is the variance of the median of ten standard normal numbers.
fn known(suite: &Suite) -> Vec<bool> {
    const MEDIAN_OF_TEN: f64 = 0.1383;
    let before: Vec<Vec<f64>> = suite.baseline.iter().map(medians).collect();
    let new: Vec<Vec<f64>> = suite.candidates.iter().map(medians).collect();
    let n = before.len() as f64;
    let tested = suite.deviations.iter().enumerate().map(|(m, (within, between))| {
        let sd = (between * between + MEDIAN_OF_TEN * within * within).sqrt();
        let mean = before.iter().map(|s| s[m]).sum::<f64>() / n;
        let p = |d: f64, k: f64| normal_sf(d / (sd * (1.0 / k + 1.0 / n).sqrt()));
        let screen = new[0][m] - mean;
        let candidate = p(screen, 1.0) < 0.05 && screen >= delta() / 2.0;
        let fresh = f64::midpoint(new[1][m], new[2][m]) - mean;
        (if candidate { p(fresh, 2.0) } else { 1.0 }, fresh)
    });
    let (p, d): (Vec<f64>, Vec<f64>) = tested.unzip();
    let q = benjamini_hochberg(&p, suite.deviations.len());
    q.iter().zip(d).map(|(q, d)| *q <= 0.05 && d >= delta()).collect()
}
