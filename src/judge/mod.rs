//! Floor 2: the verdicts. Pairs rounds with native, fits baselines, screens the first candidate sweep, confirms with the
//! fresh ones, attributes changes. Pure; `docs/statistics.md` is its specification.

mod attribution;
mod baseline;
mod common;
mod comparable;
mod conclude;
mod cost;
mod decision;
mod drift;
mod effort;
mod exact;
#[cfg(test)]
pub(crate) mod fixtures;
mod history;
mod pair;
pub mod policy;
pub mod power;
mod present;
mod reason;
mod screen;
pub mod self_test;
mod subject;
pub mod summary;

pub use baseline::{FEWEST, FLOOR};
pub use comparable::incomparable;
pub use decision::{count, decide};
pub use drift::drifts;
pub use history::history;
pub use policy::{Deltas, EnvironmentDeltas, Override, Policy, PolicyError, SomeDeltas, Threshold};
pub use reason::percent;
pub use screen::BLOCK;
pub use self_test::self_test;
pub use summary::{cells, round_tolls};

use crate::{
    model::{Family, Judgement, Scale, SweepId, SweepSamples, Verdict, format::JUDGEMENT_FORMAT},
    stats::{Variance, benjamini_hochberg, fit_prior},
};
use baseline::Fit;
use common::Crowds;
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
    let mut subjects = Subject::all(&baseline, &candidates, policy);
    moderate(&mut subjects);
    let sweeps: Vec<&SweepId> = candidates.iter().map(|s| &s.sweep).collect();
    let crowds = Crowds::of(&subjects, &sweeps, policy);
    for subject in &mut subjects {
        if let Some(bad) = crowds.bad_boots.get(&subject.key.environment) {
            subject.set_aside(bad);
        }
    }
    let tested: Vec<Option<Tested>> =
        subjects.iter().map(|s| Tested::of(s, policy, crowds.is_first_suspect(s))).collect();
    let q = adjusted(&subjects, &tested, policy);
    let mut verdicts: Vec<Verdict> = subjects
        .iter()
        .zip(&tested)
        .zip(&q)
        .map(|((subject, tested), q)| conclude::conclude(subject, tested.as_ref(), q, &crowds, policy))
        .collect();
    sort(&mut verdicts);
    let summary = count(&verdicts);
    let decision = decide(&verdicts);
    Judgement { summary, verdicts, common: crowds.suspects, ..Judgement::nothing(JUDGEMENT_FORMAT, decision) }
}

/// The adjusted p-values of "it rose" and "it fell" of each subject at each look: Benjamini-Hochberg over all of the suite, times
/// the number of looks (q is split evenly between them), at most 1.
fn adjusted(subjects: &[Subject], tested: &[Option<Tested>], policy: &Policy) -> Vec<Vec<(f64, f64)>> {
    let most = subjects.iter().map(Subject::fresh).max().unwrap_or(0);
    let looks = screen::looks(most, policy);
    let mut all = vec![Vec::with_capacity(looks); subjects.len()];
    for look in 0..looks {
        let entering = |t: &Option<Tested>| t.as_ref().map_or((1.0, 1.0), |t| t.entering(look));
        let (rises, falls): (Vec<f64>, Vec<f64>) = tested.iter().map(entering).unzip();
        let split = |p: &[f64]| -> Vec<f64> {
            let q = benjamini_hochberg(p, subjects.len());
            q.into_iter().map(|q| (q * looks as f64).min(1.0)).collect()
        };
        let adjusted = split(&rises).into_iter().zip(split(&falls));
        all.iter_mut().zip(adjusted).for_each(|(of, q)| of.push(q));
    }
    all
}

/// A number of things as JSON holds it.
fn whole(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
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
            .filter(|s| s.info.family == family && s.threshold.scale == Scale::Ratio)
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
