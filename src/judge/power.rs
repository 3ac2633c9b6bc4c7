//! Which changes the baselines let the judge see, metric by metric, and the cheapest way to see those that matter.

use super::{
    baseline::FEWEST, cost::UNTIMED, moderate, policy::Policy, present::Present, reason::percent,
    subject::Subject, whole,
};
use crate::{
    model::{
        CommonPlan, Effort, MetricPower, Power, PowerSummary, Scale, SweepSamples, format::POWER_FORMAT,
    },
    stats::{
        power::{Cost, Limits, Plan, Spread},
        robust,
    },
};
use chrono::TimeDelta;

pub use super::cost::Costs;

/// Plans beyond these are no answer: what a host can sweep in a month of nights, and what a gate can wait for.
pub const LIMITS: Limits = Limits { baseline: 30, fresh: 4, rounds: 100 };

/// Share of the metrics that the common plan serves: the last fifth are the noisiest, and would set the price for all.
const SERVED: f64 = 0.8;

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Question {
    /// Fresh sweeps that confirm, k.
    pub fresh: u32,
    /// Rounds of every sweep instead of those that were measured.
    pub rounds: Option<u32>,
}

/// One metric, its row so far, and what it scatters by where that is known.
struct Assessed {
    row: MetricPower,
    /// ln(1 + threshold).
    delta: f64,
    spread: Option<Spread>,
}

/// The power of the judge with `baselines`, which are what it would take as the baseline of the next sweep.
///
/// For each metric and environment, from its baseline of n sweeps of R rounds and k fresh ones,
/// `MDE80 = exp((t.99 + t.80) sqrt(1/k + 1/n) sqrt(sigma_b² + 1.57 sigma_w² / R)) - 1` ([`Spread::mde80`]), and the
/// cheapest plan within [`LIMITS`] for which that is at most the threshold ([`Spread::cheapest`]). Variances are moderated
/// by the family, as in a judgement. With fewer than three sweeps nothing is said but how many more are needed.
pub fn power(baselines: &[SweepSamples], policy: &Policy, costs: &Costs, question: Question) -> Power {
    let Present { sweeps, left_out } = Present::of(baselines, policy);
    let newest = sweeps.last();
    let mut assessed: Vec<Assessed> =
        subjects(&sweeps, policy).iter().map(|subject| assess(subject, costs, question)).collect();
    assessed.sort_by(|a, b| order(a).total_cmp(&order(b)));
    let present = whole(sweeps.len());
    Power {
        version: POWER_FORMAT,
        host_class: newest.map(|s| s.host_class.clone()),
        profile: newest.and_then(|s| s.comparability.profile.clone()),
        accelerator: newest.and_then(|s| s.comparability.accelerator.clone()),
        sweeps: present,
        fresh_sweeps: question.fresh,
        timed: costs.suite().is_some(),
        summary: summary(&assessed, costs, question.fresh, present),
        metrics: assessed.into_iter().map(|a| a.row).collect(),
        reason: left_out,
    }
}

/// The subjects of a judgement of the next sweep, their variances moderated by their families. That sweep is taken to
/// hold what the newest one holds.
fn subjects(sweeps: &[SweepSamples], policy: &Policy) -> Vec<Subject> {
    let Some(newest) = sweeps.last() else { return Vec::new() };
    let mut next = newest.clone();
    next.started_at += TimeDelta::seconds(1);
    let (baseline, next): (Vec<&SweepSamples>, [&SweepSamples; 1]) = (sweeps.iter().collect(), [&next]);
    let mut subjects = Subject::all(&baseline, &next, policy);
    moderate(&mut subjects);
    subjects
}

/// Farthest from its threshold first; unknown ones last.
fn order(assessed: &Assessed) -> f64 {
    let distance = assessed.row.mde80_pct.map(|pct| (pct / 100.0).ln_1p() / assessed.delta);
    distance.map_or(f64::INFINITY, |far| -far)
}

fn assess(subject: &Subject, costs: &Costs, question: Question) -> Assessed {
    let row = blank(subject);
    let delta = subject.threshold.delta;
    let (Some(fit), Scale::Ratio) = (subject.testable(), subject.threshold.scale) else {
        return Assessed { row: MetricPower { reason: unknown(subject), ..row }, delta, spread: None };
    };
    let spread = fit.spread();
    let present = row.sweeps;
    let rounds = question.rounds.or(row.rounds).unwrap_or(1);
    let seen = spread.mde80(Plan { baseline: present, fresh: question.fresh, rounds });
    let timed = costs.case(&row.workload, &row.case);
    let cost = timed.unwrap_or(UNTIMED);
    let plan = spread.cheapest(present, delta, cost, LIMITS);
    let most = Plan { baseline: LIMITS.baseline.max(present), fresh: LIMITS.fresh, rounds: LIMITS.rounds };
    let mut row = MetricPower {
        rounds: Some(rounds),
        sigma_within_pct: shown(spread.within.sqrt()),
        sigma_between_pct: shown(spread.between.sqrt()),
        mde80_pct: shown(seen),
        reaches: Some(seen <= delta),
        plan: plan.map(effort),
        plan_s: plan.zip(timed).map(|(plan, cost)| price(plan, present, cost)),
        best_rounds: spread.best_rounds(cost),
        best_pct: plan.is_none().then(|| shown(spread.mde80(most))).flatten(),
        ..row
    };
    row.reason = sentence(&row);
    Assessed { row, delta, spread: Some(spread) }
}

/// `(n - present + k) (c_sweep + R c_round)`, in the unit of `cost`: what [`Spread::cheapest`] makes small.
pub(super) fn price(plan: Plan, present: u32, cost: Cost) -> f64 {
    let sweeps = plan.baseline.saturating_sub(present) + plan.fresh;
    f64::from(sweeps) * (cost.sweep + f64::from(plan.rounds) * cost.round)
}

pub(super) fn effort(plan: Plan) -> Effort {
    Effort { baseline_sweeps: plan.baseline, fresh_sweeps: plan.fresh, rounds: plan.rounds }
}

/// A log as percent, where that is a number that JSON can hold.
fn shown(log: f64) -> Option<f64> {
    Some(percent(log)).filter(|p| p.is_finite())
}

/// What is known before any variance.
fn blank(subject: &Subject) -> MetricPower {
    let metric = &subject.key.metric;
    let rounds: Vec<f64> = subject.baseline.sweeps.iter().map(|m| m.toll.len() as f64).collect();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a median of lengths")]
    let rounds = robust::median(&rounds).map(|r| r as u32);
    MetricPower {
        workload: metric.workload.clone(),
        case: metric.case.clone(),
        metric: metric.metric.clone(),
        environment: subject.key.environment.clone(),
        family: subject.info.family,
        sweeps: whole(subject.baseline.sweeps.len()),
        rounds,
        sigma_within_pct: None,
        sigma_between_pct: None,
        threshold_pct: subject.threshold.shown,
        mde80_pct: None,
        reaches: None,
        plan: None,
        plan_s: None,
        best_pct: None,
        best_rounds: None,
        reason: String::new(),
    }
}

/// Why nothing can be said of a metric.
fn unknown(subject: &Subject) -> String {
    match subject.threshold.scale {
        Scale::Count => "counts are compared exactly: every difference is seen".to_owned(),
        Scale::Difference => "it may be zero, so it has no percentage to be seen".to_owned(),
        Scale::Ratio => {
            let needed = FEWEST.saturating_sub(subject.baseline.sweeps.len());
            format!("needs {needed} more accepted sweep{}", if needed == 1 { "" } else { "s" })
        }
    }
}

/// What a row says, in a sentence.
fn sentence(row: &MetricPower) -> String {
    let pct = |p: Option<f64>| p.map_or_else(|| "any size".to_owned(), |p| format!("{p:.1} %"));
    let seen = format!("a rise of {} is seen four times in five", pct(row.mde80_pct));
    let threshold = row.threshold_pct;
    match row.plan {
        _ if row.reaches == Some(true) => format!("{seen}, within the threshold of {threshold} %"),
        Some(plan) => format!(
            "{seen}; one of {threshold} % would be with {} accepted sweeps, {} fresh ones and {} rounds",
            plan.baseline_sweeps, plan.fresh_sweeps, plan.rounds
        ),
        None => format!(
            "{seen}; with {} accepted sweeps, {} fresh ones and {} rounds it would be {}, not {threshold} %: \
             the host must be quieter or the threshold wider",
            LIMITS.baseline.max(row.sweeps),
            LIMITS.fresh,
            LIMITS.rounds,
            // Rounded up: it is above the threshold, and must not look as if it were not.
            pct(row.best_pct.map(|p| (p * 10.0).ceil() / 10.0))
        ),
    }
}

fn summary(assessed: &[Assessed], costs: &Costs, fresh: u32, present: u32) -> PowerSummary {
    let known: Vec<(Spread, f64)> = assessed.iter().filter_map(|a| Some((a.spread?, a.delta))).collect();
    let count = |holds: fn(&MetricPower) -> bool| whole(assessed.iter().filter(|a| holds(&a.row)).count());
    let timed = costs.suite();
    let plan = |fresh| common(&known, present, fresh, timed.unwrap_or(UNTIMED));
    let plan = plan(fresh).or_else(|| plan(LIMITS.fresh));
    let sweep_s = plan.zip(timed).map(|(plan, cost)| cost.sweep + f64::from(plan.rounds) * cost.round);
    PowerSummary {
        metrics: whole(known.len()),
        reach: count(|row| row.reaches == Some(true)),
        reachable: count(|row| row.plan.is_some()),
        common: plan.map(|plan| CommonPlan {
            effort: effort(plan),
            sweep_s,
            gate_s: sweep_s.map(|s| f64::from(1 + plan.fresh) * s),
        }),
    }
}

/// The cheapest n and R, the same for all metrics, with which four fifths of them see their threshold with `fresh` sweeps:
/// for each n the smallest R that serves so many, and of these the smallest [`price`]. None within [`LIMITS`].
fn common(known: &[(Spread, f64)], present: u32, fresh: u32, cost: Cost) -> Option<Plan> {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a length")]
    let served = (SERVED * known.len() as f64).ceil() as usize;
    let fewest = present.max(3);
    let plans = (fewest..=LIMITS.baseline.max(fewest)).filter_map(|baseline| {
        let rounds = known.iter().filter_map(|(spread, delta)| spread.rounds_for(baseline, fresh, *delta));
        let mut rounds: Vec<u32> = rounds.collect();
        rounds.sort_unstable();
        let rounds = *rounds.get(served.checked_sub(1)?)?;
        (rounds <= LIMITS.rounds).then_some(Plan { baseline, fresh, rounds })
    });
    plans.min_by(|a, b| price(*a, present, cost).total_cmp(&price(*b, present, cost)))
}

#[cfg(test)]
#[path = "power_tests.rs"]
mod tests;
