//! How noisy the host is, measured as trials are compared: in pairs.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::{
    hint::black_box,
    time::{Duration, Instant},
};

/// One computation takes about this long: as long as the shortest trials.
const SLICE: Duration = Duration::from_millis(15);

/// Noise of the host over some seconds, from pairs of the same computation.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Noise {
    /// Pairs measured.
    pub pairs: u32,
    /// Median time of one computation, milliseconds.
    pub median_ms: f64,
    /// Standard deviation of ln(second / first) over the pairs. For small values, 0.05 is 5 %.
    pub sd_log_ratio: f64,
    /// Mean of ln(second / first): far from zero compared to its standard error, something is wrong.
    pub mean_log_ratio: f64,
}

impl Noise {
    /// Measures for at least `length` (and at least 8 pairs) with SHA-256 over a buffer in the cache.
    /// Keeps one processor busy; blocks.
    pub fn measure(length: Duration) -> Option<Self> {
        let buffer = vec![0x5a_u8; 256 << 10];
        let hash = |count: u32| {
            let start = Instant::now();
            for _ in 0..count {
                black_box(Sha256::digest(black_box(&buffer)));
            }
            start.elapsed()
        };
        // The first ones warm up; the fastest of three says how many make a slice.
        let one = (0..3).map(|_| hash(1)).min()?.max(Duration::from_micros(1));
        let count = u32::try_from(SLICE.as_nanos().div_ceil(one.as_nanos())).unwrap_or(u32::MAX).max(1);
        let start = Instant::now();
        let mut pairs = Vec::new();
        while pairs.len() < 8 || start.elapsed() < length {
            let (a, b) = (hash(count), hash(count));
            // The order alternates, so that a steady drift is not mistaken for a difference.
            pairs.push(if pairs.len() % 2 == 0 { (a, b) } else { (b, a) });
        }
        Self::of_pairs(&pairs)
    }

    /// The noise of given pairs of times; none for fewer than two pairs or a time of zero.
    pub fn of_pairs(pairs: &[(Duration, Duration)]) -> Option<Self> {
        if pairs.len() < 2 || pairs.iter().any(|(a, b)| a.is_zero() || b.is_zero()) {
            return None;
        }
        let ratios: Vec<f64> = pairs.iter().map(|(a, b)| (b.as_secs_f64() / a.as_secs_f64()).ln()).collect();
        let mean = ratios.iter().sum::<f64>() / ratios.len() as f64;
        let squares: f64 = ratios.iter().map(|ratio| (ratio - mean).powi(2)).sum();
        let mut times: Vec<f64> =
            pairs.iter().flat_map(|(a, b)| [a.as_secs_f64() * 1e3, b.as_secs_f64() * 1e3]).collect();
        times.sort_by(f64::total_cmp);
        // An even number of times: the mean of the two in the middle.
        let median_ms = f64::midpoint(times[pairs.len() - 1], times[pairs.len()]);
        Some(Self {
            pairs: u32::try_from(pairs.len()).unwrap_or(u32::MAX),
            median_ms,
            sd_log_ratio: (squares / (ratios.len() - 1) as f64).sqrt(),
            mean_log_ratio: mean,
        })
    }

    /// Standard error of the median of `rounds` paired differences, as a ratio (0.01 = 1 %). For normally
    /// distributed differences: sqrt(pi / 2) * sd / sqrt(rounds).
    pub fn standard_error(&self, rounds: u32) -> f64 {
        let log = std::f64::consts::FRAC_PI_2.sqrt() * self.sd_log_ratio / f64::from(rounds.max(1)).sqrt();
        log.exp_m1()
    }

    /// Rounds with which a sweep sees a change by `change` (0.05 = 5 %) against another one in four of five
    /// cases, at the 5 % level: the difference of two medians must be 1.96 + 0.84 of its standard errors. Never more than
    /// a million. What sweeps differ by themselves comes on top.
    pub fn rounds_for(&self, change: f64) -> u32 {
        let error = std::f64::consts::FRAC_PI_2.sqrt() * self.sd_log_ratio;
        let rounds = (2.8 * std::f64::consts::SQRT_2 * error / change.ln_1p()).powi(2).ceil();
        // A cast of a float saturates.
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between 1 and a million"
        )]
        let rounds = rounds.clamp(1.0, 1e6) as u32;
        rounds
    }

    /// What it means, in one sentence.
    pub fn meaning(&self) -> String {
        format!(
            "two equal trials differ by {:.1} % (sd of {} pairs of {:.0} ms): \
             with 20 rounds a median has a standard error of {:.1} %, with 100 rounds of {:.1} %; \
             to see a change of 5 % takes about {} rounds, of 2 % about {}",
            self.sd_log_ratio.exp_m1() * 100.0,
            self.pairs,
            self.median_ms,
            self.standard_error(20) * 100.0,
            self.standard_error(100) * 100.0,
            self.rounds_for(0.05),
            self.rounds_for(0.02),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(a: u64, b: u64) -> (Duration, Duration) {
        (Duration::from_millis(a), Duration::from_millis(b))
    }

    #[test]
    fn known_pairs_give_the_known_figure() {
        let noise = Noise::of_pairs(&[ms(100, 110), ms(110, 100)]).expect("pairs");
        let ratio = (1.1_f64).ln();
        assert!((noise.sd_log_ratio - ratio * 2.0_f64.sqrt()).abs() < 1e-12);
        assert!(noise.mean_log_ratio.abs() < 1e-12);
        assert!((noise.median_ms - 105.0).abs() < 1e-9);
        insta::assert_snapshot!(noise.meaning(), @"two equal trials differ by 14.4 % (sd of 2 pairs of 105 ms): with 20 rounds a median has a standard error of 3.8 %, with 100 rounds of 1.7 %; to see a change of 5 % takes about 188 rounds, of 2 % about 1142");
    }

    #[test]
    fn too_little_is_no_noise_figure() {
        assert_eq!(Noise::of_pairs(&[]), None);
        assert_eq!(Noise::of_pairs(&[ms(1, 1)]), None);
        assert_eq!(Noise::of_pairs(&[ms(1, 1), ms(0, 1)]), None);
    }

    #[test]
    fn the_host_is_measured() {
        let noise = Noise::measure(Duration::from_millis(10)).expect("noise");
        assert!(noise.pairs >= 8 && noise.median_ms > 0.0 && noise.sd_log_ratio.is_finite());
    }
}
