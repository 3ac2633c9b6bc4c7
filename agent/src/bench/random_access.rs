//! `RandomAccess`: updates of random words of a large table, in GUPS (10^9 updates per second).
//!
//! After the HPC Challenge's `RandomAccess` (<https://hpcchallenge.org/projectsfiles/hpcc/RandomAccess.html>), single
//! CPU version: 128 interleaved streams of the published sequence, each `table[r & (size - 1)] ^= r`, checked by a
//! second pass. What differs: the number of updates follows from a time limit.

use super::options::Options;
use super::{Trouble, per_second};
use serde::Serialize;
use std::time::{Duration, Instant};

/// The primitive polynomial of the sequence: x^63 + x^2 + x + 1.
const POLY: u64 = 7;
/// Length of the sequence before it repeats.
const PERIOD: u64 = 1_317_624_576_693_539_401;
/// Streams that are updated in turn, so that several misses are under way.
const STREAMS: usize = 128;
/// Updates of each stream between two looks at the clock.
const STEPS: u64 = 256;

/// What was measured.
#[derive(Debug, Serialize)]
pub struct Report {
    /// 10^9 updates per second.
    gups: f64,
    updates: u64,
    seconds: f64,
    /// Words of the table, 8 bytes each.
    words: usize,
    /// Share of the words that the second pass found wrong.
    error_share: f64,
}

/// Measures as the options say.
pub fn run(options: &Options) -> Result<Report, Trouble> {
    let bytes = options.mebibytes("mib")?;
    if !bytes.is_power_of_two() {
        let mib = bytes >> 20;
        return Err(Trouble::Usage(format!("--mib {mib}: the table's size must be a power of two")));
    }
    let limit = options.milliseconds("ms")?;
    // Written once before the clock starts; RandomAccess fills the table with its own indices.
    let mut table: Vec<u64> = (0..(bytes / size_of::<u64>()) as u64).collect();
    let (blocks, took) = update_for(&mut table, limit);
    update(&mut table, &mut streams(bytes / size_of::<u64>()), blocks);
    let wrong = table.iter().zip(0_u64..).filter(|(word, index)| **word != *index).count();
    let error_share = wrong as f64 / table.len() as f64;
    // The published limit. Updates by one thread lose nothing, so that anything else is broken memory.
    if error_share > 0.01 {
        return Err(Trouble::Failed(format!("{wrong} of {} words are wrong after the check", table.len())));
    }
    let updates = blocks * STEPS * STREAMS as u64;
    Ok(Report {
        gups: per_second(updates as f64, took)? / 1e9,
        updates,
        seconds: took.as_secs_f64(),
        words: table.len(),
        error_share,
    })
}

/// Blocks of updates until `limit` is over, at least one. Returns how many and the time that they took.
fn update_for(table: &mut [u64], limit: Duration) -> (u64, Duration) {
    let mut streams = streams(table.len());
    let started = Instant::now();
    let mut blocks = 0;
    loop {
        update(table, &mut streams, 1);
        blocks += 1;
        let took = started.elapsed();
        if took >= limit {
            return (blocks, took);
        }
    }
}

/// The first value of each stream: evenly spaced over the published number of updates, four for each word.
fn streams(words: usize) -> [u64; STREAMS] {
    let apart = 4 * words as u64 / STREAMS as u64;
    std::array::from_fn(|stream| nth(apart * stream as u64))
}

fn update(table: &mut [u64], streams: &mut [u64; STREAMS], blocks: u64) {
    let mask = table.len() - 1;
    for _ in 0..blocks * STEPS {
        for value in streams.iter_mut() {
            *value = next(*value);
            // The mask keeps the low bits only, so that a narrower usize would lose nothing.
            #[expect(clippy::cast_possible_truncation, reason = "the mask is what truncates")]
            let index = *value as usize & mask;
            table[index] ^= *value;
        }
    }
}

/// The value after `value` in the sequence.
fn next(value: u64) -> u64 {
    (value << 1) ^ (if value >> 63 == 1 { POLY } else { 0 })
}

/// The n-th value of the sequence, by repeated squaring (HPCC's `HPCC_starts`).
fn nth(n: u64) -> u64 {
    let n = n % PERIOD;
    if n == 0 {
        return 1;
    }
    let mut squares = [0; 64];
    let mut value = 1;
    for square in &mut squares {
        *square = value;
        value = next(next(value));
    }
    let mut value = 2;
    for bit in (0..n.ilog2()).rev() {
        value = squares
            .iter()
            .enumerate()
            .fold(0, |sum, (place, square)| if value >> place & 1 == 1 { sum ^ square } else { sum });
        if n >> bit & 1 == 1 {
            value = next(value);
        }
    }
    value
}

#[cfg(test)]
mod tests {
    use super::super::given;
    use super::*;

    #[test]
    fn the_nth_value_is_that_of_n_steps() {
        let mut value = 1;
        for n in 0..3000 {
            assert_eq!(nth(n), value, "value {n}");
            value = next(value);
        }
        assert_eq!(nth(1 << 40), (0..1 << 10).fold(nth((1 << 40) - (1 << 10)), |v, _| next(v)));
    }

    #[test]
    fn a_second_pass_undoes_the_first() {
        let report = run(&given(&["--mib", "1", "--ms", "1"])).expect("runs");
        assert_eq!((report.words, report.error_share), (1 << 17, 0.0));
        assert!(report.gups > 0.0 && report.updates >= STEPS * STREAMS as u64);
        let mut table: Vec<u64> = (0..1 << 17).collect();
        update(&mut table, &mut streams(1 << 17), 1);
        let changed = table.iter().zip(0_u64..).filter(|(word, index)| **word != *index).count();
        // 32768 even updates would reach about 29000 words; the published streams begin with sparse values, whose
        // indices are often alike, for their first thousand steps or so.
        assert!((15_000..30_000).contains(&changed), "{changed} words changed");
    }

    #[test]
    fn a_table_of_another_size_is_a_usage_error() {
        let wrong = run(&given(&["--mib", "3", "--ms", "1"])).expect_err("three");
        assert!(matches!(wrong, Trouble::Usage(m) if m.contains("power of two")));
    }
}
