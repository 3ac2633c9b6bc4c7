//! What the report of a large suite costs: 400 metrics in native, docker and docker+nat, 100 sweeps.
//!
//! `cargo bench --bench report`; `docs/performance.md` has the figures.

#[path = "../tests/common/many.rs"]
mod many;

use criterion::Criterion;
use many::Many;
use std::hint::black_box;
use tollgate::report::{Evidence, gate_html};

fn writing(criterion: &mut Criterion) {
    let sweeps = Many::LARGE.sweeps(100);
    let (result, evidence) = many::judged(&sweeps);
    println!("the page has {} bytes", gate_html(&result, Some(&evidence)).len());
    let mut group = criterion.benchmark_group("report");
    group.sample_size(10);
    let gather = || Evidence::of(&sweeps[99], &sweeps[..99], evidence.policy.clone());
    group.bench_function("gathering the histories", |b| b.iter(|| black_box(gather())));
    group.bench_function("writing the page", |b| b.iter(|| black_box(gate_html(&result, Some(&evidence)))));
    group.finish();
}

criterion::criterion_group!(benches, writing);
criterion::criterion_main!(benches);
