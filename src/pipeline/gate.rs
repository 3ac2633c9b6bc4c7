//! The gate: has something changed? then sweep, judge, confirm what is open, and accept what passes.

use super::accept::AcceptRequest;
use super::allocate::{self, allocate};
use super::confirm::{Confirmed, Task, confirm};
use super::sweep::{Fit, Request, sweep};
use super::whole::comparable;
use super::{PipelineError, accept, fingerprint, host_class, policy, self_test};
use crate::config::Config;
use crate::environment::image::BenchImage;
use crate::judge::{self, cells};
use crate::model::format::GATE_FORMAT;
use crate::model::{
    Cell, Change, Component, Decision, Drift, EnvironmentName, Fingerprint, GateResult, Judgement, Sweep,
    SweepSamples,
};
use crate::sweep::plan::label;
use crate::sweep::{Progress, Rounds, Step};
use crate::wiring;
use crate::workload::Profile;
use chrono::{DateTime, Utc};
use clap::ValueEnum;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// What the gate needs to know besides the sweep.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Conditions {
    /// Sweep also when nothing changed.
    pub always: bool,
    /// Whether a passing sweep may join the baseline.
    pub record: bool,
    /// Time that it may take with all its sweeps, instead of the profile's.
    pub budget: Option<Duration>,
    /// What people asked to accept. With any, it sweeps also when nothing changed.
    pub accept: Vec<AcceptRequest>,
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
    let began = Instant::now();
    let policy::Rules { judge: policy, budget: ruled, .. } = policy::rules(config)?;
    let store = wiring::store(config);
    let mut request = request.clone();
    if request.resume.is_none() {
        let class = host_class(config);
        let baselines = store.baselines(&class, profile.as_str())?;
        if !conditions.always && conditions.accept.is_empty() {
            let now = fingerprint(config).await;
            let image = now.components.get(&Component::BenchImage).map(String::as_str);
            let enough =
                comparable(config, profile, &baselines, image).len() >= config.gate.min_baseline as usize;
            if enough && changes(&baselines, &now).is_empty() {
                return Ok(GateResult::unchanged(class, profile.as_str(), now));
            }
        }
        // A part of the profile has not all the cases that would pay for others.
        if request.rounds.is_none() && request.only.is_empty() && request.environments.is_none() {
            request.case_rounds = rounds_of_cases(config, profile, &baselines, &policy);
            note_rounds(&request.case_rounds, config.profile(profile).rounds, progress);
        }
    }
    let budget = conditions.budget.or(ruled);
    let limit = budget.unwrap_or(config.profile(profile).budget);
    if request.fit.is_none() && !limit.is_zero() {
        request.fit = Some(Fit { time: limit, grow: false });
    }
    let first = sweep(config, profile, &request, progress, cancel).await?;
    // A resumed sweep says itself what it is; the command line may say something else.
    let profile = Profile::from_str(&first.profile, false).unwrap_or(profile);
    let baselines = store.baselines(&first.host_class, &first.profile)?;
    let budget = budget.unwrap_or(config.profile(profile).budget);
    let task =
        Task { config, profile, baselines: &baselines, policy: &policy, budget, began, progress, cancel };
    let confirmed = confirm(&task, first.clone()).await?;
    conclude(config, &first, confirmed, &baselines, &policy, &conditions)
}

/// A gate of recorded sweeps: the first screens, the others confirm. Measures nothing.
pub fn replay(
    config: &Config,
    sweeps: &[Sweep],
    conditions: &Conditions,
) -> Result<GateResult, PipelineError> {
    let policy = policy::load(config)?;
    let store = wiring::store(config);
    let Some((first, fresh)) = sweeps.split_first() else {
        return Err(PipelineError::Usage("no recorded sweep is given".into()));
    };
    let group = |s: &Sweep| (s.host_class.clone(), s.profile.clone());
    if let Some(other) = fresh.iter().find(|s| group(s) != group(first)) {
        let why = format!("{} and {} are not of one host class and profile", first.sweep, other.sweep);
        return Err(PipelineError::Usage(why));
    }
    for sweep in sweeps {
        store.save(sweep)?;
    }
    let baselines = store.baselines(&first.host_class, &first.profile)?;
    let confirmed = Confirmed {
        judgement: judge_sweeps(&baselines, sweeps, &policy),
        fresh: fresh.to_vec(),
        confirmation: None,
    };
    conclude(config, first, confirmed, &baselines, &policy, conditions)
}

/// From the judgement of a gate's sweeps to its result.
fn conclude(
    config: &Config,
    first: &Sweep,
    confirmed: Confirmed,
    baselines: &[Sweep],
    policy: &judge::Policy,
    conditions: &Conditions,
) -> Result<GateResult, PipelineError> {
    let Confirmed { judgement, fresh, confirmation } = confirmed;
    let store = wiring::store(config);
    let changed = changes(baselines, &first.fingerprint);
    let (baseline, accepted_issues) = if conditions.record {
        match accept::by_request(config, first, &fresh, &judgement, &conditions.accept)? {
            Some(answer) => (answer.said, answer.issues),
            None => (accept::by_gate(config, first, &fresh, &judgement)?, Vec::new()),
        }
    } else {
        ("not accepted: --no-record".to_owned(), Vec::new())
    };
    // Read anew: these sweeps may be among them now.
    let accepted = store.baselines(&first.host_class, &first.profile)?;
    let judgement = Judgement { drifts: drifts(&accepted, first.started_at, policy), ..judgement };
    let summary = cells(first);
    let result = GateResult::of_sweep(first, judgement, changed, summary, Some(baseline));
    let self_test = self_test::of(baselines, policy);
    Ok(GateResult { accepted_issues, confirmation, self_test, ..result })
}

/// Rounds of the cases that get another number than the profile's: where the last verdicts were least sure.
fn rounds_of_cases(
    config: &Config,
    profile: Profile,
    baselines: &[Sweep],
    policy: &judge::Policy,
) -> BTreeMap<String, u32> {
    let image = BenchImage::cached(&config.state.join("images"), &wiring::recipe(config));
    let image = image.as_ref().map(|i| i.manifest.digest.as_str());
    let whole = comparable(config, profile, baselines, image);
    let Some(newest) = whole.last().filter(|_| whole.len() >= allocate::FEWEST) else {
        return BTreeMap::new();
    };
    let last = judge_sweeps(baselines, std::slice::from_ref(newest), policy);
    let rounds = Rounds::from(config.profile(profile).rounds);
    let nominal: BTreeMap<String, u32> =
        wiring::all_cases(config, profile).iter().map(|case| (label(case), rounds.of(case))).collect();
    let of = |case: &str| nominal.get(case).copied().unwrap_or(rounds.nominal);
    allocate(&last.verdicts, &allocate::round_costs(newest), of)
}

fn note_rounds(rounds: &BTreeMap<String, u32>, nominal: u32, progress: &dyn Progress) {
    if !rounds.is_empty() {
        let each: Vec<String> = rounds.iter().map(|(case, rounds)| format!("{case} {rounds}")).collect();
        let text = format!("rounds follow the last verdicts: {}; {nominal} elsewhere", each.join(", "));
        progress.step(Step::Note(text));
    }
}

/// The judgement of a sweep and of the fresh ones that confirm it, in order, against the baselines that began before the
/// first, with the gate's version. Of a first sweep of chosen cells only these are judged: the others are not missing.
pub fn judge_sweeps(baselines: &[Sweep], sweeps: &[Sweep], policy: &judge::Policy) -> Judgement {
    let Some(first) = sweeps.first() else { return Judgement::nothing(GATE_FORMAT, Decision::NotMeasured) };
    let before: Vec<SweepSamples> = baselines
        .iter()
        .filter(|b| b.started_at < first.started_at)
        .map(|b| within(SweepSamples::from(b), first))
        .collect();
    let candidates: Vec<SweepSamples> = sweeps.iter().map(SweepSamples::from).collect();
    Judgement { version: GATE_FORMAT, ..judge::judge(&before, &candidates, policy) }
}

/// What a baseline says of the cells of a sweep of chosen cells; everything where the sweep has them all.
pub(super) fn within(mut baseline: SweepSamples, first: &Sweep) -> SweepSamples {
    if first.partial {
        let has = |workload: &str, case: &str, environment: &EnvironmentName| {
            let same = |c: &Cell| c.workload == workload && c.case == case && c.environment == *environment;
            first.cells.iter().any(same)
        };
        baseline.series.retain(|k, _| has(&k.metric.workload, &k.metric.case, &k.environment));
        baseline.failed.retain(|(workload, case, environment), _| has(workload, case, environment));
    }
    baseline
}

/// The slow drifts in the accepted sweeps that began no later than `until`. They do not change the decision.
pub fn drifts(accepted: &[Sweep], until: DateTime<Utc>, policy: &judge::Policy) -> Vec<Drift> {
    let history: Vec<SweepSamples> =
        accepted.iter().filter(|b| b.started_at <= until).map(SweepSamples::from).collect();
    judge::drifts(&history, policy)
}
