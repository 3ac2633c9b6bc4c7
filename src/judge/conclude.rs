//! From the tests of one subject to its verdict.

use super::{
    attribution::{Source, attribute, soften},
    common::Crowds,
    effort::effort,
    exact::exact,
    pair::Measured,
    policy::Policy,
    reason::{self, percent},
    screen::{Tested, suspected_of_few},
    subject::Subject,
    whole,
};
use crate::{
    model::{Absolute, Scale, Verdict, VerdictKind},
    stats::robust,
};

/// The verdict of one subject. `q` are its adjusted p-values of "it rose" and "it fell" at each look, `crowds` the sweeps
/// in which whole environments moved.
pub(super) fn conclude(
    subject: &Subject,
    tested: Option<&Tested>,
    q: &[(f64, f64)],
    crowds: &Crowds,
    policy: &Policy,
) -> Verdict {
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
        (Some(_), _) if subject.threshold.scale == Scale::Count => counted(subject, verdict),
        (Some(fit), None) => few(subject, fit.mean, verdict),
        (Some(_), Some(tested)) => of_test(subject, tested, q, crowds, policy, verdict),
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

/// A count, compared exactly.
fn counted(subject: &Subject, verdict: Verdict) -> Verdict {
    let kind = exact(subject);
    let reason = reason::of_count(subject, toll_now(subject).unwrap_or(0.0), kind);
    Verdict { verdict: kind, reason: reason + &reason::of_left_out(subject), ..verdict }
}

/// One or two baseline sweeps: no p-value.
fn few(subject: &Subject, mean: f64, verdict: Verdict) -> Verdict {
    let d = toll_now(subject).unwrap_or(mean) - mean;
    let suspected = suspected_of_few(subject);
    Verdict {
        verdict: if suspected { VerdictKind::Suspected } else { VerdictKind::Inconclusive },
        change_pct: shown(subject, d),
        reason: reason::of_few(subject, d, suspected) + &reason::of_left_out(subject),
        ..verdict
    }
}

fn of_test(
    subject: &Subject,
    tested: &Tested,
    q: &[(f64, f64)],
    crowds: &Crowds,
    policy: &Policy,
    verdict: Verdict,
) -> Verdict {
    let outcome = tested.outcome(subject.threshold.delta, q, policy);
    let rising = match outcome.kind {
        VerdictKind::Regressed | VerdictKind::Suspected => Some(true),
        VerdictKind::Improved => Some(false),
        _ => None,
    };
    let source: Option<Source> = rising.and_then(|rising| attribute(subject, rising, policy));
    let kind = soften(outcome.kind, source);
    let common = rising.is_some_and(|rising| crowds.is_common(subject, rising));
    let fit = subject.fit.filter(|_| kind == VerdictKind::Inconclusive);
    let would_help = fit.and_then(|fit| effort(subject, &fit));
    let [low, high] = outcome.shown.interval(0.95).map(|x| shown(subject, x));
    let because = reason::Because { outcome, kind, source, common, would_help };
    Verdict {
        verdict: kind,
        change_pct: shown(subject, outcome.shown.d),
        ci95_pct: low.zip(high).map(|(low, high)| [low, high]),
        p: Some(outcome.shown.p_rise()),
        q: outcome.q,
        mde80_pct: shown(subject, outcome.shown.mde80()),
        attribution: source.map(|s| s.attribution),
        common,
        would_help,
        reason: reason::of_tested(subject, tested, &because) + &reason::of_left_out(subject),
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
    let ratio = subject.threshold.scale == Scale::Ratio;
    Verdict {
        workload: metric.workload.clone(),
        case: metric.case.clone(),
        metric: metric.metric.clone(),
        unit: subject.info.unit.clone(),
        better: subject.info.better,
        family: Some(subject.info.family),
        environment: subject.key.environment.clone(),
        verdict: VerdictKind::Inconclusive,
        native: native(subject),
        toll_before_pct: subject.fit.and_then(|fit| shown(subject, fit.mean)),
        toll_now_pct: toll_now(subject).and_then(|now| shown(subject, now)),
        change_pct: None,
        ci95_pct: None,
        p: None,
        q: None,
        mde80_pct: None,
        threshold_pct: ratio.then_some(subject.threshold.shown),
        attribution: None,
        sweeps_baseline: whole(subject.baseline.sweeps.len()),
        sweeps_candidate: whole(subject.candidates.len()),
        common: false,
        absolute: absolute(subject),
        would_help: None,
        reason: String::new(),
    }
}

/// The numbers of a metric that is not compared by ratio, where both sides have one.
fn absolute(subject: &Subject) -> Option<Absolute> {
    if subject.threshold.scale == Scale::Ratio {
        return None;
    }
    let (before, now) = (subject.fit?.mean, toll_now(subject)?);
    Some(Absolute { before, now, change: now - before, threshold: subject.threshold.shown })
}

/// Mean of the judged sweeps' values, on the subject's scale.
fn toll_now(subject: &Subject) -> Option<f64> {
    let values: Vec<f64> = subject.judged().iter().filter_map(Measured::value).collect();
    robust::mean(&values)
}

/// Median of the native values of the judged sweeps, in the metric's unit.
fn native(subject: &Subject) -> Option<f64> {
    let values: Vec<f64> = subject.judged().iter().flat_map(|m| &m.reference).copied().collect();
    robust::median(&values)
}

/// A log as percent, where that is a number that JSON can hold; none for a metric that is not compared by ratio.
fn shown(subject: &Subject, log: f64) -> Option<f64> {
    Some(percent(log)).filter(|p| subject.threshold.scale == Scale::Ratio && p.is_finite())
}
