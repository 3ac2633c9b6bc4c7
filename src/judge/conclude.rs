//! From the tests of one subject to its verdict.

use super::{
    attribution::{Source, attribute, soften},
    policy::Policy,
    reason::{self, percent},
    screen::{Tested, suspected_of_few},
    subject::Subject,
};
use crate::{
    model::{Verdict, VerdictKind},
    stats::robust,
};

/// The verdict of one subject. `q` are its adjusted p-values of "it rose" and "it fell".
pub(super) fn conclude(subject: &Subject, tested: Option<Tested>, q: (f64, f64), policy: &Policy) -> Verdict {
    let verdict = blank(subject);
    if subject.candidates.is_empty() {
        return unmeasured(subject, verdict);
    }
    let verdict = match (subject.fit, tested) {
        (None, _) => Verdict {
            verdict: VerdictKind::NoBaseline,
            reason: subject.baseline.why_none.clone().unwrap_or_default() + &reason::of_left_out(subject),
            ..verdict
        },
        (Some(fit), None) => few(subject, fit.mean, verdict),
        (Some(_), Some(tested)) => of_test(subject, &tested, q, policy, verdict),
    };
    failed_somewhere(subject, verdict)
}

/// Nothing measured: it failed, or it is missing.
fn unmeasured(subject: &Subject, verdict: Verdict) -> Verdict {
    if let Some(why) = &subject.failed {
        return Verdict { verdict: VerdictKind::MeasurementFailed, reason: why.clone(), ..verdict };
    }
    let why = subject.unavailable.clone().unwrap_or_else(|| "there are no samples of it".to_owned());
    let reason = format!("in the baseline, but not in the candidate: {why}");
    Verdict { verdict: VerdictKind::Missing, reason, ..verdict }
}

/// One or two baseline sweeps: no p-value.
fn few(subject: &Subject, mean: f64, verdict: Verdict) -> Verdict {
    let d = toll_now(subject).unwrap_or(mean) - mean;
    let suspected = suspected_of_few(subject);
    Verdict {
        verdict: if suspected { VerdictKind::Suspected } else { VerdictKind::Inconclusive },
        change_pct: shown(d),
        reason: reason::of_few(subject, d, suspected) + &reason::of_left_out(subject),
        ..verdict
    }
}

fn of_test(subject: &Subject, tested: &Tested, q: (f64, f64), policy: &Policy, verdict: Verdict) -> Verdict {
    let kind = tested.verdict(subject.delta, q, policy);
    let source: Option<Source> = match kind {
        VerdictKind::Regressed | VerdictKind::Suspected => attribute(subject, true, policy),
        VerdictKind::Improved => attribute(subject, false, policy),
        _ => None,
    };
    let kind = soften(kind, source);
    let [low, high] = tested.shown.interval(0.95).map(shown);
    Verdict {
        verdict: kind,
        change_pct: shown(tested.shown.d),
        ci95_pct: low.zip(high).map(|(low, high)| [low, high]),
        p: Some(tested.shown.p_rise()),
        q: tested.fresh.then_some(q.0),
        mde80_pct: shown(tested.shown.mde80()),
        attribution: source.map(|s| s.attribution),
        reason: reason::of_tested(subject, tested, kind, source) + &reason::of_left_out(subject),
        ..verdict
    }
}

/// A measurement that failed in one of several candidate sweeps is never a good verdict; a bad one stands.
fn failed_somewhere(subject: &Subject, verdict: Verdict) -> Verdict {
    let Some(why) = &subject.failed else { return verdict };
    let kind = verdict.verdict.min(VerdictKind::MeasurementFailed);
    let reason = if kind == VerdictKind::MeasurementFailed {
        format!("it failed in one of the candidate sweeps: {why}")
    } else {
        format!("{}; it failed in another candidate sweep: {why}", verdict.reason)
    };
    Verdict { verdict: kind, reason, ..verdict }
}

/// What is known before any test.
fn blank(subject: &Subject) -> Verdict {
    let metric = &subject.key.metric;
    let whole = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    Verdict {
        workload: metric.workload.clone(),
        case: metric.case.clone(),
        metric: metric.metric.clone(),
        unit: subject.info.unit.clone(),
        better: subject.info.better,
        environment: subject.key.environment.clone(),
        verdict: VerdictKind::Inconclusive,
        native: native(subject),
        toll_before_pct: subject.fit.and_then(|fit| shown(fit.mean)),
        toll_now_pct: toll_now(subject).and_then(shown),
        change_pct: None,
        ci95_pct: None,
        p: None,
        q: None,
        mde80_pct: None,
        threshold_pct: Some(subject.delta_pct),
        attribution: None,
        sweeps_baseline: whole(subject.baseline.sweeps.len()),
        sweeps_candidate: whole(subject.candidates.len()),
        common: false,
        absolute: None,
        would_help: None,
        reason: String::new(),
    }
}

/// Mean of the judged sweeps' values, logs.
fn toll_now(subject: &Subject) -> Option<f64> {
    let values: Vec<f64> = subject.judged().iter().filter_map(|m| robust::median(&m.toll)).collect();
    robust::mean(&values)
}

/// Median of the native values of the judged sweeps, in the metric's unit.
fn native(subject: &Subject) -> Option<f64> {
    let values: Vec<f64> = subject.judged().iter().flat_map(|m| &m.reference).copied().collect();
    robust::median(&values)
}

/// A log as percent, where that is a number that JSON can hold.
fn shown(log: f64) -> Option<f64> {
    Some(percent(log)).filter(|p| p.is_finite())
}
