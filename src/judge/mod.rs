//! Floor 2: the verdicts. Pairs rounds with native, fits baselines, screens the first candidate sweep, confirms with the
//! fresh ones, attributes changes. Pure; `docs/statistics.md` is its specification.

mod attribution;
mod baseline;
mod comparable;
mod conclude;
mod decision;
mod drift;
mod pair;
pub mod policy;
mod reason;
mod screen;
mod subject;
pub mod summary;

pub use decision::{count, decide};
pub use drift::drifts;
pub use policy::{Deltas, Override, Policy, PolicyError};
pub use summary::cells;

use crate::{
    model::{Family, Judgement, SweepSamples, Verdict, format::JUDGEMENT_FORMAT},
    stats::{Variance, benjamini_hochberg, fit_prior},
};
use baseline::{FEWEST, Fit};
use screen::Tested;
use subject::Subject;

/// Judges `candidates` against `baseline`.
///
/// The baseline is all accepted sweeps of the present regime; those that are not comparable (host class, profile, parameters,
/// bench image; accelerator for virtual machines) are dropped one by one, and of the rest the newest count. Candidates
/// are taken in order of `started_at`: the first screens, the later ones are fresh re-initialised sweeps that confirm (they
/// may hold only the metrics that the first left open). There is one verdict for each metric and environment other
/// than native, which is the reference and has none.
pub fn judge(baseline: &[SweepSamples], candidates: &[SweepSamples], policy: &Policy) -> Judgement {
    let (baseline, candidates) = (in_order(baseline), in_order(candidates));
    let mut subjects: Vec<Subject> = subject::keys(&baseline, &candidates)
        .iter()
        .filter_map(|key| Subject::collect(key, &baseline, &candidates, policy))
        .collect();
    moderate(&mut subjects);
    let tested: Vec<Option<Tested>> = subjects.iter().map(|s| Tested::of(s, policy)).collect();
    let entering = |t: &Option<Tested>| t.map_or((1.0, 1.0), |t| t.entering());
    let (rises, falls): (Vec<f64>, Vec<f64>) = tested.iter().map(entering).unzip();
    let q_rise = benjamini_hochberg(&rises, subjects.len());
    let q_fall = benjamini_hochberg(&falls, subjects.len());
    let mut verdicts: Vec<Verdict> = subjects
        .iter()
        .zip(&tested)
        .zip(q_rise.into_iter().zip(q_fall))
        .map(|((subject, tested), q)| conclude::conclude(subject, *tested, q, policy))
        .collect();
    sort(&mut verdicts);
    let summary = count(&verdicts);
    let decision = decide(&verdicts);
    Judgement { summary, verdicts, ..Judgement::nothing(JUDGEMENT_FORMAT, decision) }
}

/// Worst kind first, then by workload, case, metric, environment.
fn sort(verdicts: &mut [Verdict]) {
    verdicts.sort_by(|a, b| {
        let key = |v: &Verdict| (v.verdict, v.workload.clone(), v.case.clone(), v.metric.clone());
        key(a).cmp(&key(b)).then_with(|| a.environment.cmp(&b.environment))
    });
}

fn in_order(sweeps: &[SweepSamples]) -> Vec<&SweepSamples> {
    let mut sweeps: Vec<&SweepSamples> = sweeps.iter().collect();
    sweeps.sort_by(|a, b| (a.started_at, &a.sweep).cmp(&(b.started_at, &b.sweep)));
    sweeps
}

/// Lets the metrics of each family share variance: families of at least ten, prior degrees of freedom at most 50.
fn moderate(subjects: &mut [Subject]) {
    for family in
        [Family::Cpu, Family::Memory, Family::Disk, Family::Network, Family::Database, Family::Lifecycle]
    {
        let mut fits: Vec<&mut Fit> = subjects
            .iter_mut()
            .filter(|s| s.info.family == family)
            .filter_map(|s| s.fit.as_mut())
            .filter(|fit| fit.sweeps >= FEWEST)
            .collect();
        share(&mut fits);
    }
}

/// Lets the metrics of one family share variance; fewer than ten keep their own.
fn share(fits: &mut [&mut Fit]) {
    const FEWEST_METRICS: usize = 10;
    const CAP: f64 = 50.0;
    let own: Vec<Variance> =
        fits.iter().map(|fit| Variance { s2: fit.between, df: fit.variance.df }).collect();
    let prior = fit_prior(&own, FEWEST_METRICS, CAP);
    for fit in fits {
        fit.variance = prior.moderate(fit.variance);
    }
}

#[cfg(test)]
mod tests;
