//! Results and issues made by hand.

use super::{Event, Key, Phase, Record, Scope, ShownIssue};
use crate::judge::fixtures::{env, verdict};
use crate::model::format::GATE_FORMAT;
use crate::model::{
    Change, Component, Decision, Family, Fingerprint, GateResult, Judgement, SweepId, Verdict, VerdictKind,
};
use chrono::{DateTime, Duration, Utc};
use std::collections::BTreeMap;

/// The time of the `n`th sweep: one an hour.
pub fn at(n: i64) -> DateTime<Utc> {
    let start: DateTime<Utc> = "2026-11-01T00:00:00Z".parse().expect("a time");
    start + Duration::hours(n)
}

/// The id of the `n`th sweep.
pub fn sweep_id(n: i64) -> SweepId {
    SweepId::new(at(n), u32::try_from(n).expect("small"))
}

/// A verdict on `redis/<case>/requests`, with a change of so many percent against a threshold of 5 %.
pub fn judged(case: &str, environment: &str, family: Family, kind: VerdictKind, change: f64) -> Verdict {
    Verdict {
        workload: "redis".into(),
        case: case.into(),
        metric: "requests".into(),
        family: Some(family),
        unit: "1/s".into(),
        environment: env(environment),
        native: Some(84_300.0),
        toll_before_pct: Some(14.0),
        toll_now_pct: Some(((1.14 * (1.0 + change / 100.0)) - 1.0) * 100.0),
        change_pct: Some(change),
        ci95_pct: Some([change - 1.5, change + 1.5]),
        threshold_pct: Some(5.0),
        sweeps_baseline: 10,
        sweeps_candidate: 3,
        ..verdict(kind)
    }
}

/// An upgrade of Docker's engine from 20.10.24.
pub fn upgraded(to: &str) -> Vec<Change> {
    let (before, after) = (Some("20.10.24+dfsg1".to_owned()), Some(to.to_owned()));
    vec![Change { component: Component::DockerEngine, before, after }]
}

/// The result of the `n`th sweep with an engine of this version.
pub fn result(n: i64, engine: &str, changed: Vec<Change>, verdicts: Vec<Verdict>) -> GateResult {
    let regressed = verdicts.iter().any(|v| v.verdict == VerdictKind::Regressed);
    let decision = if regressed { Decision::Regressed } else { Decision::Pass };
    let components =
        [(Component::DockerEngine, engine.to_owned()), (Component::Kernel, "6.1.0-13".to_owned())];
    let fingerprint = Fingerprint { components: components.into(), context: BTreeMap::new() };
    let class = "farm-a".parse().expect("a name");
    let baseline = if regressed { "not accepted: 1 regressed" } else { "accepted as baseline: a file" };
    GateResult {
        judgement: Judgement {
            summary: crate::judge::count(&verdicts),
            verdicts,
            ..Judgement::nothing(GATE_FORMAT, decision)
        },
        changed,
        sweep: Some(sweep_id(n)),
        started_at: Some(at(n)),
        baseline: Some(baseline.into()),
        ..GateResult::unchanged(class, "standard", fingerprint)
    }
}

/// What could not be measured.
pub fn unmeasured(n: i64, reason: &str) -> GateResult {
    let whole = result(n, "26.1.5", Vec::new(), Vec::new());
    let (class, fingerprint) = (whole.host_class, whole.fingerprint);
    GateResult::not_measured(class, "standard", fingerprint, reason.to_owned(), at(n))
}

/// The record of an issue about one environment's network, from the `n`th sweep.
pub fn record(environment: &str, n: i64) -> Record {
    let scope = Scope::Family { environment: env(environment), family: Some(Family::Network) };
    let result = result(n, "26.1.5", upgraded("26.1.5"), Vec::new());
    Record {
        key: Key {
            host_class: result.host_class,
            profile: result.profile,
            scope,
            event: Event::of(&result.changed),
        },
        phase: Phase::Open,
        metrics: [format!("redis/get/requests@{environment}")].into(),
        magnitude: 1,
        recovered: [].into(),
        sweep: result.sweep,
        at: at(n),
        components: result.fingerprint.components,
        trouble: None,
        transition: None,
    }
}

/// As a tracker shows it.
pub fn shown(number: u64, record: Record) -> ShownIssue {
    let state = record.state();
    ShownIssue { number, open: true, reason: None, closed_at: None, accept: false, state, record }
}
