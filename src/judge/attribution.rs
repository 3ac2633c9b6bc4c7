//! Where a change of the toll comes from: the same test on the environment's values alone and on native's alone.

use super::{
    baseline::{FEWEST, Fit},
    policy::Policy,
    screen::compare,
    subject::Subject,
};
use crate::model::{Attribution, VerdictKind};

/// The source of a change, and whether a rise by the threshold is excluded for the environment's values alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Source {
    pub attribution: Attribution,
    pub environment_unchanged: bool,
}

/// Attributes a rise (or, with `rising` false, a fall) of the toll. Native alone is blamed only if it changed, the
/// environment did not, and the environment's own difference is less than the threshold. None when the baseline is too small.
pub(super) fn attribute(subject: &Subject, rising: bool, policy: &Policy) -> Option<Source> {
    let sweeps = &subject.baseline.sweeps;
    let environment: Vec<&[f64]> = sweeps.iter().map(|m| m.environment.as_slice()).collect();
    let native: Vec<&[f64]> = sweeps.iter().map(|m| m.native.as_slice()).collect();
    let usable = |series: &[&[f64]]| Fit::of(series, subject.floor).filter(|fit| fit.sweeps >= FEWEST);
    let judged = subject.judged();
    let environment = compare(&usable(&environment)?, judged, |m| &m.environment)?;
    let native = compare(&usable(&native)?, judged, |m| &m.native)?;

    let (environment_p, native_p, own) = if rising {
        (environment.p_rise(), native.p_fall(), environment.d)
    } else {
        (environment.p_fall(), native.p_rise(), -environment.d)
    };
    let attribution = match (environment_p < policy.alpha, native_p < policy.alpha, rising) {
        (true, true, _) => Attribution::Both,
        (true, false, true) => Attribution::EnvironmentSlower,
        (true, false, false) => Attribution::EnvironmentFaster,
        (false, true, true) if own < subject.threshold.delta => Attribution::NativeFaster,
        (false, true, false) if own < subject.threshold.delta => Attribution::NativeSlower,
        (false, _, _) => Attribution::Unclear,
    };
    let environment_unchanged = environment.p_below(subject.threshold.delta) < policy.alpha;
    Some(Source { attribution, environment_unchanged })
}

/// What a change becomes once its source is known: one that is native's alone is neither a regression nor an improvement
/// of the container or VM. It is unchanged where the environment's own values prove that, else inconclusive.
pub(super) fn soften(kind: VerdictKind, source: Option<Source>) -> VerdictKind {
    match source {
        Some(Source {
            attribution: Attribution::NativeFaster | Attribution::NativeSlower,
            environment_unchanged,
        }) => {
            if environment_unchanged {
                VerdictKind::Unchanged
            } else {
                VerdictKind::Inconclusive
            }
        }
        _ => kind,
    }
}
