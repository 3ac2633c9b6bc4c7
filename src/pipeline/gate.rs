//! The gate: has something changed? then sweep, judge, and accept what passes.

use super::sweep::{Request, sweep};
use super::{PipelineError, fingerprint, host_class, policy};
use crate::config::{Acceptance, Config};
use crate::judge::{self, cells};
use crate::model::format::GATE_FORMAT;
use crate::model::{
    AcceptedBy, Change, Decision, Fingerprint, GateResult, HostClass, Judgement, Sweep, SweepSamples,
    TimingSummary, VerdictKind,
};
use crate::sweep::Progress;
use crate::wiring;
use crate::workload::Profile;
use chrono::Utc;
use tokio_util::sync::CancellationToken;

/// What the gate needs to know besides the sweep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Conditions {
    /// Sweep also when nothing changed.
    pub always: bool,
    /// Whether a passing sweep may join the baseline.
    pub record: bool,
}

/// Components that changed since the newest accepted baseline; none when there is no baseline.
pub fn changes(baselines: &[Sweep], now: &Fingerprint) -> Vec<Change> {
    baselines.last().map(|newest| now.changes_since(&newest.fingerprint)).unwrap_or_default()
}

/// Runs the gate.
pub async fn gate(
    config: &Config,
    profile: Profile,
    request: &Request,
    conditions: Conditions,
    progress: &dyn Progress,
    cancel: &CancellationToken,
) -> Result<GateResult, PipelineError> {
    let policy = policy::load(config)?;
    let store = wiring::store(config);
    let class = host_class(config);
    let baselines = store.baselines(&class, profile.as_str())?;
    let now = fingerprint(config).await;
    let changed = changes(&baselines, &now);
    let enough = baselines.len() >= config.gate.min_baseline as usize;
    if changed.is_empty() && enough && !conditions.always && request.resume.is_none() {
        return Ok(nothing_changed(class, profile, now));
    }
    let measured = sweep(config, profile, request, progress, cancel).await?;
    let changed = changes(&baselines, &measured.fingerprint);
    let judgement = judge_sweep(&baselines, &measured, &policy);
    let whole = request.only.is_empty() && request.environments.is_none();
    let baseline = if !conditions.record {
        "not accepted: --no-record".to_owned()
    } else if !whole {
        "not accepted: it measured a part of the profile only".to_owned()
    } else if config.gate.accept == Acceptance::Never {
        format!(
            "not accepted: gate.accept is \"never\"; accept it with `tollgate baseline accept {}`",
            measured.sweep
        )
    } else {
        accept(config, &measured, &judgement)?
    };
    let summary = cells(&measured);
    Ok(GateResult::of_sweep(&measured, judgement, changed, summary, Some(baseline)))
}

/// The judgement of one sweep against baselines, itself left out of them, with the gate's version.
pub fn judge_sweep(baselines: &[Sweep], measured: &Sweep, policy: &judge::Policy) -> Judgement {
    let before: Vec<SweepSamples> =
        baselines.iter().filter(|b| b.sweep != measured.sweep).map(SweepSamples::from).collect();
    let judgement = judge::judge(&before, &[SweepSamples::from(measured)], policy);
    Judgement { version: GATE_FORMAT, ..judgement }
}

/// Accepts a sweep that passes. The text begins with "accepted" exactly when it is a baseline now.
fn accept(config: &Config, measured: &Sweep, judgement: &Judgement) -> Result<String, PipelineError> {
    let count = |kind| judgement.summary.get(&kind).copied().unwrap_or(0);
    let bad = [
        VerdictKind::Regressed,
        VerdictKind::Suspected,
        VerdictKind::MeasurementFailed,
        VerdictKind::Missing,
    ];
    if let Some(kind) = bad.into_iter().find(|k| count(*k) > 0) {
        return Ok(format!(
            "not accepted: {} {}; if it is right, `tollgate baseline accept {}`",
            count(kind),
            kind.as_str(),
            measured.sweep
        ));
    }
    if judgement.decision == Decision::NotMeasured {
        return Ok("not accepted: nothing was measured".to_owned());
    }
    let reason = "no regression, no suspicion, nothing failed".to_owned();
    let path = wiring::store(config)
        .accept(measured.clone(), AcceptedBy { at: Utc::now(), by: "gate".to_owned(), reason })?;
    Ok(format!("accepted as baseline: {}", path.display()))
}

fn nothing_changed(host_class: HostClass, profile: Profile, fingerprint: Fingerprint) -> GateResult {
    // Nothing was swept, so nothing failed.
    let decision = Decision::Pass;
    GateResult {
        judgement: Judgement {
            version: GATE_FORMAT,
            decision,
            summary: judge::count(&[]),
            verdicts: Vec::new(),
        },
        changed: Vec::new(),
        sweep: None,
        host_class,
        profile: profile.as_str().to_owned(),
        started_at: None,
        accelerator: None,
        fingerprint,
        cells: Vec::new(),
        proofs: Vec::new(),
        timing: TimingSummary::default(),
        baseline: None,
    }
}
