//! Latencies, counted in buckets of a bounded relative error.
//!
//! Log-linear, as in `HdrHistogram` (<http://hdrhistogram.org/>): each power of two is divided into 128 buckets of
//! equal width, so that a bucket is at most 1/128 of its values wide, and its middle at most 0.4 % away.

use std::time::Duration;

/// Buckets of each power of two, as a power of two.
const DIVISIONS_LOG2: u32 = 7;
const DIVISIONS: u64 = 1 << DIVISIONS_LOG2;

/// Counted values, in nanoseconds.
#[derive(Debug, Clone, Default)]
pub struct Histogram {
    counts: Vec<u64>,
    total: u64,
}

impl Histogram {
    /// Counts one value.
    pub fn add(&mut self, value: Duration) {
        let bucket = bucket(u64::try_from(value.as_nanos()).unwrap_or(u64::MAX));
        if bucket >= self.counts.len() {
            self.counts.resize(bucket + 1, 0);
        }
        self.counts[bucket] += 1;
        self.total += 1;
    }

    /// How many values were counted.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// The value below or at which `share` of the values lie (nearest rank), in microseconds. `None`: no values.
    pub fn percentile_us(&self, share: f64) -> Option<f64> {
        let mut left = share * self.total as f64;
        for (bucket, count) in self.counts.iter().enumerate() {
            left -= *count as f64;
            if left <= 0.0 && *count > 0 {
                return Some(middle(bucket) / 1e3);
            }
        }
        None
    }
}

/// Which bucket counts `value`.
fn bucket(value: u64) -> usize {
    let octave = value.max(1).ilog2().saturating_sub(DIVISIONS_LOG2);
    // Within an octave above the first, the shifted value goes from DIVISIONS to 2 * DIVISIONS - 1.
    let bucket = u64::from(octave) * DIVISIONS + (value >> octave);
    usize::try_from(bucket).unwrap_or(usize::MAX)
}

/// The middle of a bucket's values.
fn middle(bucket: usize) -> f64 {
    let bucket = bucket as u64;
    let octave = (bucket / DIVISIONS).saturating_sub(1);
    let lowest = (bucket - octave * DIVISIONS) << octave;
    let width = 1_u64 << octave;
    lowest as f64 + (width - 1) as f64 / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_of_a_bucket_is_near_each_of_its_values() {
        let mut value = 1_u64;
        while value < u64::MAX / 8 {
            for value in [value - 1, value, value + 1, value * 2 - 1] {
                let error = (middle(bucket(value)) - value as f64).abs();
                assert!(error <= value as f64 * 0.004, "{value}: {error}");
            }
            value = value * 5 / 4 + 1;
        }
    }

    #[test]
    fn buckets_follow_each_other_without_a_gap() {
        for value in 1..100_000 {
            let (before, here) = (bucket(value - 1), bucket(value));
            assert!(here == before || here == before + 1, "{value}");
        }
    }

    #[test]
    fn percentiles_are_the_nearest_rank() {
        let mut histogram = Histogram::default();
        assert_eq!(histogram.percentile_us(0.5), None);
        for us in 1..=100 {
            histogram.add(Duration::from_micros(us));
        }
        assert_eq!(histogram.total(), 100);
        for (share, expected) in [(0.5, 50.0), (0.99, 99.0), (1.0, 100.0), (0.0, 1.0)] {
            let found = histogram.percentile_us(share).expect("a value");
            assert!((found - expected).abs() <= expected * 0.004, "{share}: {found}");
        }
    }
}
