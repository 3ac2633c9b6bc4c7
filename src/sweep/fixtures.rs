//! Small cases, headers and trials for tests.

use super::journal::{Header, TrialRecord};
use crate::model::{Better, Family, Fingerprint, HostCost, MetricSpec, Scale, format::JOURNAL_FORMAT};
use crate::workload::{
    Case, CommandReport, CommandTemplate, CommandTrial, Emulation, ParseError, Placement, Profile, Trial,
    Values,
};
use chrono::DateTime;
use std::collections::BTreeMap;
use tollgate_agent::protocol::{ExecResult, Usage};

fn number(report: &CommandReport<'_>) -> Values {
    let text = report.result.stdout.trim();
    let value = text.parse().map_err(|_| ParseError::new("test", Some(1), text, "expected a number"))?;
    Ok(vec![value])
}

/// A case whose command prints one number.
pub fn case(name: &str, environments: &[&str]) -> Case {
    Case {
        workload: "test",
        name: name.to_owned(),
        metrics: vec![MetricSpec {
            metric: "rate",
            unit: "1/s",
            better: Better::Higher,
            family: Family::Cpu,
            resolution: 0.0,
            scale: Scale::Ratio,
            tail: false,
            about: "a number",
        }],
        environments: environments.iter().map(|e| e.parse().expect("a name")).collect(),
        prepare: Vec::new(),
        server: None,
        trial: Trial::Command(CommandTrial {
            placement: Placement::Inside,
            command: CommandTemplate::new(&["echo", "1"], 5),
            parse: number,
        }),
        slices: 1,
        share: 1.0,
        trial_s: 0.1,
        emulation: Emulation::Runs,
    }
}

/// A header of a sweep of `test`.
pub fn header() -> Header {
    Header {
        format: JOURNAL_FORMAT,
        sweep: "20260102T030405Z-00abcd".parse().expect("an id"),
        tollgate: "0.1.0".into(),
        host_class: "test".parse().expect("a name"),
        profile: Profile::Smoke,
        memory_mib: 1024,
        rounds: 3,
        case_rounds: BTreeMap::new(),
        warmup_rounds: 0,
        seed: 1,
        workloads: vec!["test".into()],
        environments: vec!["native".parse().expect("a name"), "docker".parse().expect("a name")],
        unavailable: vec![("kvm".parse().expect("a name"), "no QEMU".into())],
        left_out: Vec::new(),
        cells: None,
        plan: "p".into(),
        parameters: "q".into(),
        bench_image: "i".into(),
        fingerprint: Fingerprint::default(),
        started_at: DateTime::UNIX_EPOCH,
    }
}

/// A trial of block `block`.
pub fn trial(block: usize, round: u32, environment: &str, value: Option<f64>) -> TrialRecord {
    TrialRecord {
        block,
        case: "test/a".into(),
        round,
        environment: environment.parse().expect("a name"),
        at_ms: u64::from(round) * 1000,
        values: value.map(|v| vec![v]),
        latencies: Vec::new(),
        failure: value.is_none().then(|| "broken".into()),
        usage: Some(Usage { wall_ns: 100_000_000, user_us: 10, ..Usage::default() }),
        host: Some(HostCost { busy_us: 5, steal_us: 0, psi_cpu_us: None }),
    }
}

/// What a program that printed `stdout` and ended with `code` gives.
pub fn exec_result(stdout: &str, code: i32) -> ExecResult {
    ExecResult {
        code: Some(code),
        signal: None,
        timed_out: false,
        stdout: stdout.into(),
        stderr: String::new(),
        stdout_bytes: stdout.len() as u64,
        stderr_bytes: 0,
        usage: Usage::default(),
    }
}
