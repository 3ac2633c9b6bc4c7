//! Gate results made by hand, like those of a small host: xz, fio and redis in Docker, and a machine under TCG.

mod baselines;
mod odd;
mod past;

use crate::model::format::{GATE_FORMAT, JUDGEMENT_FORMAT};
use crate::model::{
    Attribution, Better, CellState, CellSummary, Change, CommonMode, Component, Confirmation,
    ConfirmingSweep, Decision, Drift, DriftKind, EnvironmentName, Family, Fingerprint, GateResult, Harness,
    Judgement, Proof, Sweep, TimingSummary, Verdict, VerdictKind,
};
pub use baselines::{power, power_of_few, self_tests};
use chrono::{TimeZone, Utc};
pub use odd::{hostile, nothing_changed, only_swept};
pub use past::{past, past_of_tolls};
use std::collections::BTreeMap;

/// A sweep that was measured.
pub fn recorded() -> Sweep {
    let text = include_str!("../../baselines/amd-epyc-2c-24g/smoke/20261123T205047Z-dfb0c3.json");
    serde_json::from_str(text).expect("the example")
}

/// Workload, case, metric, unit, direction, native median, tolls in docker, docker+nat, docker+layer, kvm.
type Row = (&'static str, &'static str, &'static str, &'static str, Better, f64, [Option<f64>; 4]);

const ENVIRONMENTS: [&str; 4] = ["docker", "docker+nat", "docker+layer", "kvm"];

#[rustfmt::skip]
fn rows() -> Vec<Row> {
    use Better::{Higher as H, Lower as L};
    let all = |d: f64, n: f64, l: f64, k: f64| [Some(d), Some(n), Some(l), Some(k)];
    let disk = |d: f64, l: f64, k: f64| [Some(d), None, Some(l), Some(k)];
    let net = |d: f64, n: f64, k: f64| [Some(d), Some(n), None, Some(k)];
    let mut rows = vec![
        ("xz", "slice-1m", "throughput", "MB/s", H, 5.87, all(0.3, 0.2, 0.4, 812.0)),
        ("xz", "slice-1m", "cpu", "CPU-s/GiB", L, 174.2, all(-0.2, 0.1, 0.6, 790.0)),
    ];
    for (case, n, d, l, k) in [
        ("randread-qd16", 84_312.0, 0.8, 1.9, 540.0),
        ("randwrite-qd16", 61_240.0, 1.4, 13.8, 610.0),
        ("seqwrite", 1_840.0, -0.7, 6.2, 88.0),
    ] {
        rows.push(("fio", case, "iops", "1/s", H, n, disk(d, l, k)));
        if case == "seqwrite" {
            rows.push(("fio", case, "bandwidth", "MB/s", H, n, disk(d, l + 0.2, k - 2.0)));
        }
        rows.push(("fio", case, "clat-p50", "us", L, 16e6 / n, disk(d + 0.3, l + 1.1, k * 1.1)));
        rows.push(("fio", case, "clat-p99", "us", L, 61e6 / n, disk(d + 2.6, l * 2.0, k * 1.4)));
        rows.push(("fio", case, "cpu-per-io", "CPU-us/IO", L, 9.4, disk(d - 0.4, l + 3.0, k * 2.1)));
    }
    for (case, n, d, nat, k) in [
        ("get-c1", 21_400.0, 0.6, 24.0, 930.0),
        ("get-c50", 112_000.0, 1.1, 27.3, 720.0),
        ("set-c1", 20_900.0, -0.1, 25.2, 915.0),
        ("set-c50", 104_000.0, 0.9, 26.4, 701.0),
    ] {
        rows.push(("redis", case, "requests", "1/s", H, n, net(d, nat, k)));
        rows.push(("redis", case, "p50", "ms", L, 900.0 / n, net(d + 0.2, nat + 2.0, k * 1.1)));
        rows.push(("redis", case, "p99", "ms", L, 3_100.0 / n, net(d + 3.0, nat + 9.0, k * 1.7)));
    }
    rows
}

fn env(name: &str) -> EnvironmentName {
    name.parse().expect("valid environment")
}

fn cell(row: &Row, environment: EnvironmentName, toll: Option<f64>) -> CellSummary {
    let (workload, case, metric, unit, better, native, _) = row;
    let factor = toll.map_or(1.0, |t| (1.0 + t / 100.0).powf(better.sign()));
    CellSummary {
        workload: (*workload).into(),
        case: (*case).into(),
        metric: (*metric).into(),
        unit: (*unit).into(),
        better: *better,
        environment,
        state: CellState::Ok,
        reason: None,
        rounds: 30,
        median: Some(native * factor),
        toll_pct: toll,
    }
}

fn cells() -> Vec<CellSummary> {
    let mut cells = Vec::new();
    for row in rows() {
        cells.push(cell(&row, EnvironmentName::NATIVE, None));
        for (name, toll) in ENVIRONMENTS.into_iter().zip(row.6) {
            if let Some(toll) = toll {
                cells.push(cell(&row, env(name), Some(toll)));
            }
        }
    }
    cells
}

fn family(workload: &str) -> Option<Family> {
    match workload {
        "xz" => Some(Family::Cpu),
        "fio" => Some(Family::Disk),
        "redis" => Some(Family::Database),
        _ => None,
    }
}

fn verdict(c: &CellSummary, kind: VerdictKind, change: f64, half: f64, reason: &str) -> Verdict {
    let judged = kind.is_compared();
    let now = c.toll_pct;
    Verdict {
        workload: c.workload.clone(),
        case: c.case.clone(),
        metric: c.metric.clone(),
        unit: c.unit.clone(),
        better: c.better,
        family: family(&c.workload),
        environment: c.environment.clone(),
        verdict: kind,
        native: c.median,
        toll_before_pct: now
            .filter(|_| judged)
            .map(|t| ((1.0 + t / 100.0) / (1.0 + change / 100.0) - 1.0) * 100.0),
        toll_now_pct: now,
        change_pct: judged.then_some(change),
        ci95_pct: judged.then_some([change - half, change + half]),
        p: judged.then_some(if change > 3.0 { 0.0004 } else { 0.31 }),
        q: judged.then_some(if change > 3.0 { 0.006 } else { 1.0 }),
        mde80_pct: judged.then_some(half * 1.6),
        threshold_pct: judged.then_some(if c.metric.ends_with("p99") { 10.0 } else { 5.0 }),
        attribution: matches!(kind, VerdictKind::Regressed | VerdictKind::Suspected)
            .then_some(Attribution::EnvironmentSlower),
        sweeps_baseline: if judged { 10 } else { 0 },
        sweeps_candidate: if kind == VerdictKind::Missing { 0 } else { 3 },
        common: false,
        absolute: None,
        would_help: None,
        reason: reason.into(),
    }
}

fn drift(c: &CellSummary) -> Drift {
    Drift {
        workload: c.workload.clone(),
        case: c.case.clone(),
        metric: c.metric.clone(),
        environment: c.environment.clone(),
        kind: DriftKind::Anchor,
        change_pct: 5.3,
        p: 2.4e-7,
        sweeps: 41,
        since: vec!["20260914T020000Z-4d5e6f".parse().expect("valid sweep")],
        reason:
            "rose from 12.1 to 18.0 % over 41 accepted sweeps (about 0.15 % a sweep), against a threshold of \
                 5 %: the last 3 lie above the first 10; the largest steps begin with 20260914T020000Z-4d5e6f"
                .into(),
    }
}

fn judgement(decision: Decision, mut verdicts: Vec<Verdict>) -> Judgement {
    verdicts.sort_by_key(|v| {
        (v.verdict, v.workload.clone(), v.case.clone(), v.metric.clone(), v.environment.clone())
    });
    let mut summary: BTreeMap<VerdictKind, u32> = VerdictKind::ALL.map(|kind| (kind, 0)).into();
    for v in &verdicts {
        *summary.entry(v.verdict).or_default() += 1;
    }
    Judgement { summary, verdicts, ..Judgement::nothing(JUDGEMENT_FORMAT, decision) }
}

fn fingerprint() -> Fingerprint {
    let components = [
        (Component::DockerEngine, "29.0.1"),
        (Component::Containerd, "2.1.4"),
        (Component::Runc, "1.3.3"),
        (Component::Kernel, "6.12.41+deb13-amd64"),
        (Component::StorageDriver, "overlay2 on extfs"),
        (Component::Qemu, "10.0.2"),
        (Component::GuestKernel, "6.12.41+deb13-cloud-amd64"),
        (Component::BenchImage, "sha256:4be1c9f05c1f7c2f4c6e1d9ab4b1f6a7"),
    ];
    let context = [
        ("cpu", "Intel(R) Xeon(R) CPU @ 2.90GHz"),
        ("cpu.governor", "performance"),
        ("cpu.microcode", "0x1000211"),
        ("cgroup", "v2"),
        ("filesystem.scratch", "ext4"),
        ("memory.thp", "madvise"),
        ("mitigations.spectre_v2", "Mitigation: Enhanced / Automatic IBRS"),
    ];
    Fingerprint {
        components: components.into_iter().map(|(c, v)| (c, v.to_owned())).collect(),
        context: context.into_iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect(),
    }
}

fn proofs() -> Vec<Proof> {
    let proof = |e, claim: &str, observed: &str, holds| Proof {
        environment: env(e),
        claim: claim.into(),
        observed: observed.into(),
        holds,
    };
    vec![
        proof("native", "the data directory is the scratch filesystem", "ext4 on /dev/vdb", true),
        proof(
            "docker",
            "the data directory is a volume, not the container's layer",
            "ext4, not overlay",
            true,
        ),
        proof(
            "docker+nat",
            "traffic crosses the bridge",
            "412 MB over the veth, 61 conntrack entries during redis",
            true,
        ),
        proof("docker+layer", "the data directory is in the container's layer", "overlay (overlay2)", true),
        proof("kvm", "the accelerator is tcg", "query-kvm: enabled false, present true", true),
    ]
}

fn base(judgement: Judgement, cells: Vec<CellSummary>) -> GateResult {
    GateResult {
        judgement: Judgement { version: GATE_FORMAT, ..judgement },
        changed: vec![Change {
            component: Component::DockerEngine,
            before: Some("28.5.2".into()),
            after: Some("29.0.1".into()),
        }],
        sweep: Some("20261123T123456Z-1a2b3c".parse().expect("valid id")),
        host_class: "xeon-2c-24g-nvme".parse().expect("valid host class"),
        profile: "smoke".into(),
        started_at: Utc.with_ymd_and_hms(2026, 11, 23, 12, 34, 56).single(),
        accelerator: Some("tcg".into()),
        fingerprint: fingerprint(),
        cells,
        proofs: proofs(),
        timing: TimingSummary {
            wall_s: 290.0,
            in_trials_s: 188.5,
            harness_share: 0.35,
            harness: Harness { starting_s: 30.0, preparing_s: 31.0, warming_up_s: 20.5, stopping_s: 8.0 },
        },
        baseline: Some("accepted: nothing regressed".into()),
        failed_at: None,
        accepted_issues: Vec::new(),
        reason: None,
        confirmation: None,
        self_test: None,
    }
}

fn tolled(cells: &[CellSummary]) -> impl Iterator<Item = &CellSummary> {
    cells.iter().filter(|c| !c.environment.is_native())
}

/// A spread that looks like noise, from the names alone.
fn noise(c: &CellSummary) -> f64 {
    let sum: u32 =
        format!("{}{}{}{}", c.workload, c.case, c.metric, c.environment).bytes().map(u32::from).sum();
    (f64::from(sum % 23) - 11.0) / 10.0
}

/// The first sweep of a host class.
pub fn first_run() -> GateResult {
    let cells = cells();
    let verdicts = tolled(&cells)
        .map(|c| verdict(c, VerdictKind::NoBaseline, 0.0, 0.0, "no accepted sweep of this host class"))
        .collect();
    let mut result = base(judgement(Decision::Pass, verdicts), cells);
    result.changed = Vec::new();
    result.baseline = Some("accepted: the first sweep of its host class".into());
    result
}

/// Everything proven unchanged, but for three metrics.
pub fn unchanged() -> GateResult {
    let cells = cells();
    let verdicts = tolled(&cells)
        .map(|c| {
            let open = c.metric == "p99" && c.environment == env("docker+nat");
            if open {
                verdict(
                    c,
                    VerdictKind::Inconclusive,
                    2.1,
                    9.8,
                    "the interval reaches from below 0 to the threshold",
                )
            } else {
                verdict(c, VerdictKind::Unchanged, noise(c), 1.9, "a rise by 5 % is excluded")
            }
        })
        .collect();
    let drifting = cells.iter().find(|c| c.case == "get-c1" && c.environment == env("docker+nat"));
    let mut judgement = judgement(Decision::Pass, verdicts);
    judgement.drifts.extend(drifting.map(drift));
    let mut result = base(judgement, cells);
    result.self_test = self_tests().into_iter().next();
    result
}

/// redis pays more behind NAT; one suspicion, one improvement, failed rounds, a case without KVM.
pub fn regression() -> GateResult {
    let mut cells = cells();
    for c in &mut cells {
        if c.environment == env("docker+nat") && c.case.ends_with("c50") && c.metric == "requests" {
            c.toll_pct = c.toll_pct.map(|t| t + 9.5);
        }
        if c.environment == env("kvm") && c.case == "seqwrite" {
            c.state = CellState::Unavailable;
            c.reason = Some("/dev/vdb has 180 MiB free and the case needs 256 MiB: free space on it".into());
            c.median = None;
            c.toll_pct = None;
        }
        if c.environment == env("docker+layer") && c.case == "randwrite-qd16" && c.metric == "clat-p99" {
            c.state = CellState::MeasurementFailed;
            c.reason = Some(
                "7 of 30 rounds failed: fio: pid=0, err=28/file:filesetup.c:240, func=write, \
                 error=No space left on device; give the Docker data root at least 1 GiB"
                    .into(),
            );
            c.median = None;
            c.toll_pct = None;
        }
    }
    let kind_of =
        |c: &CellSummary| match (c.environment.to_string().as_str(), c.case.as_str(), c.metric.as_str()) {
            ("docker+nat", "get-c50", "requests") => {
                (VerdictKind::Regressed, 7.2, 2.2, "confirmed by two fresh sweeps")
            }
            ("docker+nat", "set-c50", "requests") => {
                (VerdictKind::Regressed, 8.1, 2.6, "confirmed by two fresh sweeps")
            }
            ("docker+nat", "get-c1", "p99") => {
                (VerdictKind::Suspected, 11.4, 9.1, "one sweep only: not confirmed yet")
            }
            ("docker+layer", "randread-qd16", "clat-p50") => {
                (VerdictKind::Improved, -6.3, 1.8, "fell by the threshold")
            }
            ("kvm", _, "p99") => {
                (VerdictKind::Inconclusive, 3.9, 14.2, "the emulator is too noisy for 10 sweeps")
            }
            _ if c.state == CellState::MeasurementFailed => {
                (VerdictKind::MeasurementFailed, 0.0, 0.0, "7 of 30 rounds")
            }
            _ => (VerdictKind::Unchanged, noise(c), 1.9, "a rise by 5 % is excluded"),
        };
    let mut verdicts: Vec<Verdict> = tolled(&cells)
        .filter(|c| c.state != CellState::Unavailable)
        .map(|c| {
            let (kind, change, half, reason) = kind_of(c);
            verdict(c, kind, change, half, reason)
        })
        .collect();
    let gone =
        CellSummary { workload: "rr".into(), case: "tcp".into(), metric: "p99".into(), ..cells[1].clone() };
    verdicts.push(verdict(&gone, VerdictKind::Missing, 0.0, 0.0, "in 10 baseline sweeps, not in this one"));
    let mut result = base(judgement(Decision::Regressed, verdicts), cells);
    result.changed.push(Change { component: Component::Runc, before: None, after: Some("1.3.3".into()) });
    result.baseline = Some("kept for a person to decide: tollgate baseline accept or reject".into());
    result.confirmation = Some(confirmation());
    result.judgement.common.push(CommonMode {
        sweep: "20261123T123456Z-1a2b3c".parse().expect("valid id"),
        environment: env("docker+nat"),
        worse: true,
        moved: 8,
        of: 24,
    });
    result.proofs[2].holds = false;
    result.proofs[2].observed =
        "0 bytes over the veth during redis get-c1: the client used host networking".into();
    result
}

/// Two fresh sweeps, for which the budget was too small.
fn confirmation() -> Confirmation {
    let fresh = |id: &str, wall_s| ConfirmingSweep {
        sweep: id.parse().expect("valid id"),
        whole: false,
        cells: 9,
        wall_s,
    };
    Confirmation {
        sweeps: vec![fresh("20261123T123950Z-2b3c4d", 92.0), fresh("20261123T124122Z-3c4d5e", 90.0)],
        budget_s: 900.0,
        spent_s: 472.0,
        account: "15 min budget: first sweep 4 min 50 s, 2 fresh sweeps of 9 of 31 open cells 3 min 2 s; \
                  22 inconclusive cells did not fit and stay open (they need about 7 min more)"
            .into(),
    }
}

/// Two metrics of [`regression`]: short enough for a snapshot of the whole JSON.
pub fn small_regression() -> GateResult {
    let mut result = regression();
    let of_interest =
        |w: &str, case: &str, metric: &str| w == "redis" && case == "get-c50" && metric == "requests";
    result.cells.retain(|c| of_interest(&c.workload, &c.case, &c.metric));
    let kept = result
        .judgement
        .verdicts
        .into_iter()
        .filter(|v| of_interest(&v.workload, &v.case, &v.metric))
        .collect();
    result.judgement = judgement(Decision::Regressed, kept);
    result.proofs.truncate(1);
    result
}

/// The Docker daemon stood still and the host has no QEMU.
pub fn not_measured() -> GateResult {
    let mut cells = cells();
    for c in &mut cells {
        c.rounds = 0;
        c.median = None;
        c.toll_pct = None;
        let (state, reason) = match c.environment.base() {
            crate::model::Base::Kvm => (
                CellState::Unavailable,
                "qemu-system-x86_64 is not installed: apt install qemu-system-x86, or tollgate provision",
            ),
            crate::model::Base::Docker => (
                CellState::MeasurementFailed,
                "the Docker daemon did not answer within 10 s on /var/run/docker.sock: systemctl status docker",
            ),
            crate::model::Base::Native => {
                (CellState::MeasurementFailed, "the chroot has no /proc: run as root")
            }
        };
        c.state = state;
        c.reason = Some(reason.into());
    }
    let verdicts = tolled(&cells)
        .filter(|c| c.state == CellState::MeasurementFailed)
        .map(|c| verdict(c, VerdictKind::MeasurementFailed, 0.0, 0.0, "no round gave a value"))
        .collect();
    let mut result = base(judgement(Decision::NotMeasured, verdicts), cells);
    result.baseline = None;
    result.accelerator = None;
    result.proofs = Vec::new();
    result.timing = TimingSummary { wall_s: 12.4, harness_share: 1.0, ..TimingSummary::default() };
    result
}

/// All of them.
pub fn all() -> Vec<GateResult> {
    vec![
        first_run(),
        unchanged(),
        regression(),
        small_regression(),
        not_measured(),
        hostile(),
        nothing_changed(),
        only_swept(),
    ]
}
