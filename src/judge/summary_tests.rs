use super::*;
use crate::model::{Better, Family, Fingerprint, Scale, Timing, format::SWEEP_FORMAT};
use chrono::DateTime;

fn env(name: &str) -> EnvironmentName {
    name.parse().expect("environment")
}

fn series(metric: &str, environment: &str, values: &[Option<f64>]) -> Series {
    Series {
        workload: "redis".into(),
        case: "get".into(),
        metric: metric.into(),
        unit: "1/s".into(),
        better: Better::Higher,
        family: Family::Database,
        tail: false,
        resolution: None,
        scale: Scale::Ratio,
        environment: env(environment),
        values: values.to_vec(),
    }
}

fn cell(environment: &str, state: CellState, reason: Option<&str>) -> Cell {
    Cell { state, reason: reason.map(str::to_owned), ..Cell::measured("redis", "get", &env(environment)) }
}

fn sweep(cells: Vec<Cell>, series: Vec<Series>) -> Sweep {
    Sweep {
        format: SWEEP_FORMAT,
        sweep: "s1".parse().expect("id"),
        tollgate: "0.1.0".into(),
        host_class: "lab".parse().expect("class"),
        profile: "smoke".into(),
        parameters: "p".into(),
        bench_image: "b".into(),
        accelerator: None,
        seed: 1,
        rounds: 3,
        partial: false,
        started_at: DateTime::UNIX_EPOCH,
        finished_at: DateTime::UNIX_EPOCH,
        resumed: 0,
        fingerprint: Fingerprint::default(),
        timing: Timing::default(),
        accepted: None,
        proofs: Vec::new(),
        cells,
        series,
    }
}

#[test]
fn measured_cells_have_median_and_paired_toll() {
    // Tolls ln(100/80), ln(200/100); the third round has no pair.
    let sweep = sweep(
        vec![cell("native", CellState::Ok, None), cell("docker", CellState::Ok, Some("round 3 timed out"))],
        vec![
            series("ops", "native", &[Some(100.0), Some(200.0), Some(150.0)]),
            series("ops", "docker", &[Some(80.0), Some(100.0), None]),
        ],
    );
    let cells = cells(&sweep);
    assert_eq!((cells[0].rounds, cells[0].median, cells[0].toll_pct), (3, Some(150.0), None));
    assert_eq!((cells[1].rounds, cells[1].median, cells[1].state), (2, Some(90.0), CellState::Ok));
    // Median of the two logs is their mean: sqrt(1.25 * 2) - 1.
    assert!((cells[1].toll_pct.expect("toll") - 100.0 * (2.5_f64.sqrt() - 1.0)).abs() < 1e-9);
    assert_eq!(cells[1].reason.as_deref(), Some("round 3 timed out"));
}

#[test]
fn cells_without_samples_are_named_for_each_metric_of_the_case() {
    let why = Some("no /dev/kvm");
    let sweep = sweep(
        vec![
            cell("native", CellState::Ok, None),
            cell("docker", CellState::MeasurementFailed, Some("exit code 1")),
            cell("kvm", CellState::Unavailable, why),
        ],
        vec![
            series("ops", "native", &[Some(100.0)]),
            series("p99", "native", &[Some(3.0)]),
            series("ops", "docker", &[None]),
            series("p99", "docker", &[None]),
        ],
    );
    let found: Vec<_> =
        cells(&sweep).into_iter().map(|c| (c.metric, c.environment.to_string(), c.state, c.reason)).collect();
    let failed = |m: &str| {
        (m.to_owned(), "docker".to_owned(), CellState::MeasurementFailed, Some("exit code 1".into()))
    };
    let absent = |m: &str| (m.to_owned(), "kvm".to_owned(), CellState::Unavailable, why.map(str::to_owned));
    let ok = |m: &str| (m.to_owned(), "native".to_owned(), CellState::Ok, None);
    assert_eq!(found, [ok("ops"), failed("ops"), absent("ops"), ok("p99"), failed("p99"), absent("p99")]);
}
