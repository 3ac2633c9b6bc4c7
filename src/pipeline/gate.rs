//! The gate: has something changed? then sweep, judge, and accept what passes.

use super::sweep::{Request, sweep};
use super::{PipelineError, fingerprint, host_class, policy};
use crate::config::{Acceptance, Config};
use crate::judge::{self, cells};
use crate::model::format::GATE_FORMAT;
use crate::model::{
    AcceptedBy, Change, Component, Decision, Drift, Fingerprint, GateResult, HostClass, Judgement, Sweep,
    SweepSamples, TimingSummary, VerdictKind,
};
use crate::sweep::Progress;
use crate::wiring;
use crate::workload::Profile;
use chrono::{DateTime, Utc};
use clap::ValueEnum;
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
    if request.resume.is_none() && !conditions.always {
        let class = host_class(config);
        let baselines = store.baselines(&class, profile.as_str())?;
        let now = fingerprint(config).await;
        let comparable = comparable(config, profile, &baselines, &now);
        if comparable >= config.gate.min_baseline as usize && changes(&baselines, &now).is_empty() {
            return Ok(nothing_changed(class, profile, now));
        }
    }
    let measured = sweep(config, profile, request, progress, cancel).await?;
    // A resumed sweep says itself what it is; the command line may say something else.
    let baselines = store.baselines(&measured.host_class, &measured.profile)?;
    let changed = changes(&baselines, &measured.fingerprint);
    let judgement = judge_sweep(&baselines, &measured, &policy);
    let baseline = if !conditions.record {
        "not accepted: --no-record".to_owned()
    } else if !is_whole(config, &measured) {
        "not accepted: it measured a part of the profile only".to_owned()
    } else if config.gate.accept == Acceptance::Never {
        format!(
            "not accepted: gate.accept is \"never\"; accept it with `tollgate baseline accept {}`",
            measured.sweep
        )
    } else {
        accept(config, &measured, &judgement)?
    };
    // Read anew: this sweep may be among them now.
    let accepted = store.baselines(&measured.host_class, &measured.profile)?;
    let judgement = Judgement { drifts: drifts(&accepted, measured.started_at, &policy), ..judgement };
    let summary = cells(&measured);
    Ok(GateResult::of_sweep(&measured, judgement, changed, summary, Some(baseline)))
}

/// How many of the baselines a sweep of now could be compared with.
fn comparable(config: &Config, profile: Profile, baselines: &[Sweep], now: &Fingerprint) -> usize {
    let parameters = wiring::parameters(config, profile);
    let image = now.components.get(&Component::BenchImage);
    baselines.iter().filter(|b| b.parameters == parameters && Some(&b.bench_image) == image).count()
}

/// Whether a sweep measured, or tried to, everything that its profile is configured to measure.
fn is_whole(config: &Config, measured: &Sweep) -> bool {
    let Ok(profile) = Profile::from_str(&measured.profile, false) else { return false };
    let settings = config.profile(profile);
    let wanted = wiring::all_cases(profile)
        .into_iter()
        .filter(|c| settings.workloads.as_ref().is_none_or(|names| names.iter().any(|n| n == c.workload)));
    let enough = measured.rounds >= settings.rounds;
    enough
        && wanted.into_iter().all(|case| {
            let environments = case.environments.iter().filter(|e| {
                e.is_native() || settings.environments.as_ref().is_none_or(|names| names.contains(e))
            });
            environments.into_iter().all(|e| {
                measured
                    .cells
                    .iter()
                    .any(|c| c.workload == case.workload && c.case == case.name && c.environment == *e)
            })
        })
}

/// The judgement of one sweep against the baselines that began before it, with the gate's version.
pub fn judge_sweep(baselines: &[Sweep], measured: &Sweep, policy: &judge::Policy) -> Judgement {
    let before: Vec<SweepSamples> =
        baselines.iter().filter(|b| b.started_at < measured.started_at).map(SweepSamples::from).collect();
    let judgement = judge::judge(&before, &[SweepSamples::from(measured)], policy);
    Judgement { version: GATE_FORMAT, ..judgement }
}

/// The slow drifts in the accepted sweeps that began no later than `until`. They do not change the decision.
pub fn drifts(accepted: &[Sweep], until: DateTime<Utc>, policy: &judge::Policy) -> Vec<Drift> {
    let history: Vec<SweepSamples> =
        accepted.iter().filter(|b| b.started_at <= until).map(SweepSamples::from).collect();
    judge::drifts(&history, policy)
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
    let path = wiring::store(config).accept(
        measured.clone(),
        AcceptedBy { at: Utc::now(), by: "gate".to_owned(), reason, regimes: Vec::new() },
    )?;
    Ok(format!("accepted as baseline: {}", path.display()))
}

fn nothing_changed(host_class: HostClass, profile: Profile, fingerprint: Fingerprint) -> GateResult {
    // Nothing was swept, so nothing failed.
    let decision = Decision::Pass;
    GateResult {
        judgement: Judgement::nothing(GATE_FORMAT, decision),
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
        confirmation: None,
        self_test: None,
    }
}
