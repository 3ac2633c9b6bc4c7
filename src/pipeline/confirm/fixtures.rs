//! Small verdicts and sweeps for tests.

use super::cost::CellKey;
use crate::judge::fixtures::{self, env};
use crate::model::format::{JUDGEMENT_FORMAT, SWEEP_FORMAT};
use crate::model::{Cell, CellTrials, Decision, Fingerprint, Judgement, Sweep, Timing, Verdict, VerdictKind};
use chrono::DateTime;

/// The cell of case `w/<case>`.
pub fn cell(case: &str, environment: &str) -> CellKey {
    (format!("w/{case}"), environment.parse().expect("a name"))
}

/// A verdict on a metric of `w/<case>`.
pub fn verdict(case: &str, environment: &str, kind: VerdictKind, sweeps_baseline: u32) -> Verdict {
    Verdict { case: case.into(), environment: env(environment), sweeps_baseline, ..fixtures::verdict(kind) }
}

/// These verdicts.
pub fn judgement(verdicts: Vec<Verdict>) -> Judgement {
    Judgement {
        summary: crate::judge::count(&verdicts),
        verdicts,
        ..Judgement::nothing(JUDGEMENT_FORMAT, Decision::Pass)
    }
}

/// A sweep of cases of `w`: case, environment, seconds of its four trials together; and the harness's seconds.
pub fn sweep(cells: &[(&str, &str, f64)], harness_s: f64) -> Sweep {
    const ROUNDS: u32 = 4;
    let in_trials_s = cells.iter().map(|(.., seconds)| seconds).sum();
    Sweep {
        format: SWEEP_FORMAT,
        sweep: "20260102T030405Z-00abcd".parse().expect("an id"),
        tollgate: "0.1.0".into(),
        host_class: "farm-a".parse().expect("a name"),
        profile: "smoke".into(),
        parameters: "p".into(),
        bench_image: "b".into(),
        accelerator: None,
        seed: 1,
        rounds: ROUNDS,
        partial: false,
        started_at: DateTime::UNIX_EPOCH,
        finished_at: DateTime::UNIX_EPOCH,
        resumed: 0,
        fingerprint: Fingerprint::default(),
        timing: Timing { wall_s: in_trials_s + harness_s, in_trials_s, ..Timing::default() },
        accepted: None,
        proofs: Vec::new(),
        cells: cells
            .iter()
            .map(|(case, environment, seconds)| Cell {
                trials: CellTrials {
                    wall_ns: vec![Some(nanoseconds(seconds / f64::from(ROUNDS))); 4],
                    ..CellTrials::default()
                },
                ..Cell::measured("w", case, &environment.parse().expect("a name"))
            })
            .collect(),
        series: Vec::new(),
    }
}

fn nanoseconds(seconds: f64) -> u64 {
    u64::try_from(std::time::Duration::from_secs_f64(seconds).as_nanos()).expect("small")
}
