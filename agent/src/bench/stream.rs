//! STREAM: sustained memory bandwidth of four vector kernels.
//!
//! After J. D. `McCalpin`, "Memory Bandwidth and Machine Balance in Current High Performance Computers", IEEE TCCA
//! Newsletter, December 1995, and `stream.c` 5.10 (<http://www.cs.virginia.edu/stream/>): the same kernels in the same
//! order, bytes counted alike, the best time of each, the same check of the result. What differs: the number of
//! iterations follows from a time limit, and there is no compile-time array size.

use super::options::Options;
use super::{Trouble, per_second};
use crate::sys;
use serde::Serialize;
use std::hint::black_box;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// `stream.c`'s factor.
const SCALAR: f64 = 3.0;
/// Each iteration multiplies the values by 15, so that after so many they are still far below the largest f64.
const MOST_ITERATIONS: u32 = 200;
/// Bytes that `stream.c` counts for an element: copy, scale, add, triad.
const BYTES: [f64; 4] = [16.0, 16.0, 24.0, 24.0];
/// Elements that are copied at once; see [`copy`].
const CHUNK: usize = 64;

/// What was measured.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Best rates in GB/s (10^9 bytes).
    copy_gb_s: f64,
    scale_gb_s: f64,
    add_gb_s: f64,
    triad_gb_s: f64,
    /// Iterations of the four kernels.
    iterations: u32,
    /// Elements of each of the three arrays, 8 bytes each.
    elements: usize,
    threads: usize,
}

/// Measures as the options say: `--mib` are those of the three arrays together, and no `--threads` means one, 0 one for
/// each processor that this process may use.
pub fn run(options: &Options) -> Result<Report, Trouble> {
    let elements = options.mebibytes("mib")? / 3 / size_of::<f64>();
    let limit = options.milliseconds("ms")?;
    let threads = match options.number_or("threads", 0..=1024, 1)? {
        0 => u64::from(sys::cpus()).max(1),
        given => given,
    };
    let threads = usize::try_from(threads).map_err(|e| Trouble::Failed(e.to_string()))?;
    let mut arrays = [vec![0.0; elements], vec![0.0; elements], vec![0.0; elements]];
    let timing = measure(&mut arrays, threads, limit);
    validate(&arrays, timing.iterations)?;
    let mut rates = [0.0; 4];
    for ((rate, bytes), best) in rates.iter_mut().zip(BYTES).zip(timing.best) {
        *rate = per_second(bytes * elements as f64, best)? / 1e9;
    }
    let [copy_gb_s, scale_gb_s, add_gb_s, triad_gb_s] = rates;
    let iterations = timing.iterations;
    Ok(Report { copy_gb_s, scale_gb_s, add_gb_s, triad_gb_s, iterations, elements, threads })
}

/// Shortest time of each kernel.
struct Timing {
    best: [Duration; 4],
    iterations: u32,
}

/// One thread's part of the arrays.
struct Part<'a> {
    a: &'a mut [f64],
    b: &'a mut [f64],
    c: &'a mut [f64],
}

/// Runs the kernels on `threads` threads until `limit` is over, and at least twice. This thread is one of them and
/// holds the clock: from before all may begin until all have ended, as around an OpenMP loop.
fn measure(arrays: &mut [Vec<f64>; 3], threads: usize, limit: Duration) -> Timing {
    let part = arrays[0].len().div_ceil(threads).max(1);
    let [a, b, c] = arrays;
    let mut parts: Vec<Part> = a
        .chunks_mut(part)
        .zip(b.chunks_mut(part))
        .zip(c.chunks_mut(part))
        .map(|((a, b), c)| Part { a, b, c })
        .collect();
    let barrier = Barrier::new(parts.len());
    let more = AtomicBool::new(true);
    std::thread::scope(|scope| {
        let ours = parts.pop();
        let (barrier, more) = (&barrier, &more);
        for mut theirs in parts {
            scope.spawn(move || follow(&mut theirs, barrier, more));
        }
        ours.map_or(Timing { best: [Duration::ZERO; 4], iterations: 0 }, |mut ours| {
            lead(&mut ours, barrier, more, limit)
        })
    })
}

fn lead(part: &mut Part, barrier: &Barrier, more: &AtomicBool, limit: Duration) -> Timing {
    let mut best = [Duration::MAX; 4];
    let mut iterations = 0;
    touch(part);
    barrier.wait();
    let started = Instant::now();
    while iterations < 2 || (started.elapsed() < limit && iterations < MOST_ITERATIONS) {
        for (kernel, best) in best.iter_mut().enumerate() {
            let begun = Instant::now();
            barrier.wait();
            step(part, kernel);
            barrier.wait();
            *best = begun.elapsed().min(*best);
        }
        iterations += 1;
    }
    more.store(false, Ordering::SeqCst);
    barrier.wait();
    Timing { best, iterations }
}

fn follow(part: &mut Part, barrier: &Barrier, more: &AtomicBool) {
    touch(part);
    barrier.wait();
    let mut kernel = 0;
    loop {
        barrier.wait();
        if !more.load(Ordering::SeqCst) {
            return;
        }
        step(part, kernel);
        barrier.wait();
        kernel = (kernel + 1) % 4;
    }
}

/// `stream.c`'s first values, written by the thread that will use them, so that the pages are near it.
fn touch(part: &mut Part) {
    part.a.fill(1.0);
    part.b.fill(2.0);
    part.c.fill(0.0);
    // stream.c takes the clock's granularity with this pass.
    part.a.iter_mut().for_each(|a| *a *= 2.0);
}

fn step(part: &mut Part, kernel: usize) {
    let Part { a, b, c } = part;
    match kernel {
        0 => copy(c, a),
        1 => b.iter_mut().zip(&**c).for_each(|(b, c)| *b = SCALAR * c),
        2 => c.iter_mut().zip(&**a).zip(&**b).for_each(|((c, a), b)| *c = a + b),
        _ => a.iter_mut().zip(&**b).zip(&**c).for_each(|((a, b), c)| *a = b + SCALAR * c),
    }
}

/// `c = a` as a loop. A compiler makes one memcpy(3) of the plain loop, and that chooses its instructions by the cache
/// sizes that the processor reports, which a guest's processor reports differently; in chunks it stays a loop.
fn copy(to: &mut [f64], from: &[f64]) {
    for (to, from) in to.chunks_mut(CHUNK).zip(from.chunks(CHUNK)) {
        to.copy_from_slice(from);
        black_box(to);
    }
}

/// `stream.c`'s check: the mean error of each array against the same arithmetic on one element.
fn validate(arrays: &[Vec<f64>; 3], iterations: u32) -> Result<(), Trouble> {
    let (mut a, mut b, mut c) = (2.0, 2.0, 0.0);
    for _ in 0..iterations {
        c = a;
        b = SCALAR * c;
        c = a + b;
        a = b + SCALAR * c;
    }
    for ((name, values), expected) in ["a", "b", "c"].iter().zip(arrays).zip([a, b, c]) {
        let errors: f64 = values.iter().map(|v| (v - expected).abs()).sum();
        let mean = errors / values.len() as f64 / f64::abs(expected);
        // Written so that a NaN is an error too.
        if !matches!(mean.partial_cmp(&1e-13), Some(std::cmp::Ordering::Less)) {
            return Err(Trouble::Failed(format!("array {name} holds wrong values (mean error {mean:e})")));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::given;
    use super::*;

    #[test]
    fn all_threads_take_part_and_the_values_are_right() {
        for threads in ["0", "1", "3"] {
            let report = run(&given(&["--mib", "1", "--ms", "1", "--threads", threads])).expect("runs");
            assert!(report.iterations >= 2 && report.elements == (1 << 20) / 24);
            for rate in [report.copy_gb_s, report.scale_gb_s, report.add_gb_s, report.triad_gb_s] {
                assert!(rate > 0.0 && rate.is_finite());
            }
        }
    }

    #[test]
    fn more_threads_than_elements_and_ragged_parts_work() {
        for elements in [5, 1000] {
            let mut arrays = [vec![0.0; elements], vec![0.0; elements], vec![0.0; elements]];
            let timing = measure(&mut arrays, 7, Duration::from_millis(1));
            validate(&arrays, timing.iterations).expect("right values");
        }
    }

    #[test]
    fn the_values_never_overflow() {
        let mut arrays = [vec![0.0; 3], vec![0.0; 3], vec![0.0; 3]];
        let timing = measure(&mut arrays, 1, Duration::from_secs(60));
        assert_eq!(timing.iterations, MOST_ITERATIONS);
        validate(&arrays, timing.iterations).expect("finite values");
    }

    #[test]
    fn a_wrong_value_and_a_wrong_count_are_found() {
        let mut arrays = [vec![0.0; 100], vec![0.0; 100], vec![0.0; 100]];
        let timing = measure(&mut arrays, 1, Duration::from_millis(1));
        assert!(validate(&arrays, timing.iterations + 1).is_err());
        arrays[1][50] *= 1.000_001;
        assert!(validate(&arrays, timing.iterations).expect_err("wrong").to_string().contains("array b"));
        arrays[1][50] = f64::NAN;
        assert!(validate(&arrays, timing.iterations).is_err());
    }
}
