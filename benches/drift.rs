//! What the drift test costs: both looks and the change points over 5,000 series of 1,000 accepted sweeps, on two threads.
//!
//! `cargo bench --bench drift`. Must stay below 2 s on two processors. The series are in memory as sweep values; reading
//! sweeps is not part of it.

use criterion::{Criterion, criterion_group, criterion_main};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::hint::black_box;
use tollgate::stats::{Comparison, Trend, Variance, change_points, robust};

const SERIES: usize = 5_000;
const SWEEPS: usize = 1_000;
const THREADS: usize = 2;

/// One series in four stays as it is, one drifts slowly, one steps, one has a bad sweep in fifty.
fn series(rng: &mut ChaCha8Rng, kind: usize) -> Vec<f64> {
    let mut normal = || {
        let (u, v): (f64, f64) = (rng.random_range(1e-12..1.0), rng.random());
        (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()
    };
    (0..SWEEPS)
        .map(|i| {
            let shift = match kind % 4 {
                1 => i as f64 * 1e-4,
                2 if i > SWEEPS / 2 => 0.05,
                3 if i % 50 == 7 => 0.3,
                _ => 0.0,
            };
            0.1 + 0.01 * normal() + shift
        })
        .collect()
}

/// Both looks and the change points of one series: how many signs of a drift there are.
fn look(values: &[f64]) -> usize {
    let (anchor, newest) = (&values[..10], &values[values.len() - 3..]);
    let own = Variance { s2: robust::variance(anchor).unwrap_or(0.0), df: 9.0 };
    let mean = robust::mean(anchor).unwrap_or(0.0);
    let p_anchor = Comparison::new(newest, mean, anchor.len(), own, 0.0).map_or(1.0, |c| c.p_rise());
    let p_trend = Trend::of(&values[values.len() - 30..]).map_or(1.0, |t| t.p_rise());
    change_points(values, 0.001).len() + usize::from(p_anchor < 0.001) + usize::from(p_trend < 0.001)
}

fn drift(c: &mut Criterion) {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let all: Vec<Vec<f64>> = (0..SERIES).map(|kind| series(&mut rng, kind)).collect();
    let mut group = c.benchmark_group("drift");
    group.sample_size(10);
    group.bench_function("5,000 series x 1,000 sweeps, 2 threads", |b| {
        b.iter(|| {
            std::thread::scope(|scope| {
                let parts = black_box(&all).chunks(SERIES / THREADS);
                let threads: Vec<_> =
                    parts.map(|part| scope.spawn(|| part.iter().map(|s| look(s)).sum::<usize>())).collect();
                threads.into_iter().map(|t| t.join().expect("no panic")).sum::<usize>()
            })
        });
    });
    for (name, kind) in [("unchanged", 0), ("slow drift", 1), ("step", 2), ("bad sweeps", 3)] {
        let values = &all[kind];
        group.bench_function(format!("1 series x 1,000 sweeps, {name}"), |b| {
            b.iter(|| look(black_box(values)));
        });
    }
    group.finish();
}

criterion_group!(benches, drift);
criterion_main!(benches);
