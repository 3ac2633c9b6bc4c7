//! A small sweep and its result, for the tests of table and page.

use crate::model::{
    Better, CellState, CellSummary, EnvironmentName, Family, Fingerprint, GateResult, Scale, Series, Sweep,
    Timing,
};
use crate::report::fixtures;
use chrono::{DateTime, Utc};

/// Values of five rounds: around `middle`, with a scatter of about 2 %.
fn rounds(middle: f64) -> Vec<f64> {
    [0.99, 1.0, 1.02, 1.0, 0.97].iter().map(|f| middle * f).collect()
}

/// Workload, case, metric, unit, native, tolls of docker, docker+nat, kvm.
pub(super) type Measured = (&'static str, &'static str, &'static str, &'static str, f64, [Option<f64>; 3]);

/// A result of these rows, and its sweep.
pub(super) fn measured(rows: &[Measured]) -> (GateResult, Sweep) {
    let mut result = GateResult { cells: Vec::new(), ..fixtures::small_regression() };
    let started_at: DateTime<Utc> = result.started_at.expect("a time");
    let mut sweep = Sweep {
        format: 1,
        sweep: result.sweep.clone().expect("a sweep"),
        tollgate: String::new(),
        host_class: result.host_class.clone(),
        profile: result.profile.clone(),
        parameters: String::new(),
        bench_image: String::new(),
        accelerator: result.accelerator.clone(),
        seed: 0,
        rounds: 5,
        partial: false,
        started_at,
        finished_at: started_at,
        resumed: 0,
        fingerprint: Fingerprint::default(),
        timing: Timing::default(),
        accepted: None,
        proofs: Vec::new(),
        cells: Vec::new(),
        series: Vec::new(),
    };
    for (workload, case, metric, unit, native, tolls) in rows {
        let environments = ["native", "docker", "docker+nat", "kvm"];
        for (name, toll) in environments.into_iter().zip([None].into_iter().chain(tolls.iter().copied())) {
            let environment: EnvironmentName = name.parse().expect("a name");
            if toll.is_none() && !environment.is_native() {
                continue;
            }
            let better = if *metric == "cpu-cost" { Better::Lower } else { Better::Higher };
            let median = native * (1.0 + toll.unwrap_or(0.0) / 100.0).powf(better.sign());
            let (workload, case, metric) = ((*workload).to_owned(), (*case).to_owned(), (*metric).to_owned());
            result.cells.push(CellSummary {
                workload: workload.clone(),
                case: case.clone(),
                metric: metric.clone(),
                unit: (*unit).to_owned(),
                better,
                environment: environment.clone(),
                state: CellState::Ok,
                reason: None,
                rounds: 5,
                median: Some(median),
                toll_pct: toll,
            });
            let mut values = rounds(median);
            if !environment.is_native() {
                values.reverse();
            }
            sweep.series.push(Series {
                workload,
                case,
                metric,
                unit: (*unit).to_owned(),
                better,
                family: Family::Cpu,
                tail: false,
                resolution: None,
                scale: Scale::Ratio,
                environment,
                values: values.into_iter().map(Some).collect(),
            });
        }
    }
    (result, sweep)
}

pub(super) fn some() -> (GateResult, Sweep) {
    measured(&[
        ("xz", "slice-1m", "throughput", "MB/s", 5.87, [Some(0.3), None, Some(812.0)]),
        ("bulk-tcp", "send", "throughput", "Gb/s", 27.7, [Some(1.6), Some(26.0), Some(543.0)]),
        ("bulk-tcp", "send", "cpu-cost", "CPU-s/GB", 0.52, [Some(0.1), Some(61.0), Some(1400.0)]),
        ("rr", "tcp", "transactions", "1/s", 31_000.0, [Some(4.0), Some(38.0), Some(1581.0)]),
        ("fio", "randread-qd16", "iops", "1/s", 84_312.0, [Some(-3.0), None, Some(540.0)]),
        ("redis", "get-c1", "requests", "1/s", 21_400.0, [Some(0.6), Some(24.0), Some(930.0)]),
    ])
}
