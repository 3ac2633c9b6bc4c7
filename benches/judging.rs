//! What a judgement of a large suite costs: 200 metrics in native and docker, 10 rounds, 30 baseline sweeps, 3 candidates.
//!
//! `cargo bench --bench judging` measures the judging alone and from the text of samples CSVs. With
//! `TOLLGATE_BENCH_CSV=DIR` it only writes `baseline.csv` and `candidate.csv` there, for measuring the memory of
//! `tollgate judge` (see `docs/performance.md`).

#[path = "../tests/common/simulate.rs"]
mod simulate;

use criterion::Criterion;
use simulate::{Scenario, Suite, Sweeps};
use std::hint::black_box;
use std::path::Path;
use tollgate::judge::{Policy, judge};
use tollgate::samples::{parse, write};

const BASELINE: usize = 30;

fn sweeps() -> Sweeps {
    let mut sweeps = Sweeps::new(BASELINE);
    sweeps.fill(&Suite::draw(1, &Scenario::of(BASELINE)).shifted(20, 0.05));
    sweeps
}

fn judging(criterion: &mut Criterion) {
    let policy = Policy::default();
    let sweeps = sweeps();
    let (baseline, candidates) = (sweeps.baseline(), sweeps.candidates());
    let (before, now) = (write(baseline), write(candidates));
    let mut group = criterion.benchmark_group("judging");
    group.sample_size(20);
    group.bench_function("judge", |b| b.iter(|| judge(baseline, candidates, &policy)));
    group.bench_function("parse", |b| b.iter(|| parse(black_box(&before), "baseline.csv")));
    group.bench_function("parse and judge", |b| {
        b.iter(|| {
            let baseline = parse(black_box(&before), "baseline.csv").expect("written by us");
            let candidates = parse(black_box(&now), "candidate.csv").expect("written by us");
            judge(&baseline, &candidates, &policy)
        });
    });
    group.finish();
}

/// The same samples as files.
fn files(dir: &Path) {
    let sweeps = sweeps();
    for (name, samples) in [("baseline.csv", sweeps.baseline()), ("candidate.csv", sweeps.candidates())] {
        let (path, text) = (dir.join(name), write(samples));
        std::fs::write(&path, &text).expect("a writable directory");
        println!("{}: {} bytes", path.display(), text.len());
    }
}

fn main() {
    if let Some(dir) = std::env::var_os("TOLLGATE_BENCH_CSV") {
        return files(Path::new(&dir));
    }
    let mut criterion = Criterion::default().configure_from_args();
    judging(&mut criterion);
    criterion.final_summary();
}
