//! What would let a comparison see what it could not.

use super::{
    baseline::Fit,
    cost::UNTIMED,
    power::{LIMITS, effort as as_effort, price},
    reason::plural,
    screen::BLOCK,
    subject::Subject,
    whole,
};
use crate::{model::Effort, stats::power::Plan};

/// The cheaper of: more rounds with the present sweeps, more sweeps with the present rounds, the fewest sweeps with
/// which any number of rounds does, at the price of sweeps without times; none where none of them would see a rise by the
/// threshold four times in five.
pub(super) fn effort(subject: &Subject, fit: &Fit) -> Option<Effort> {
    let spread = fit.spread();
    let sweeps = whole(fit.sweeps);
    let rounds = fit.rounds();
    let needed = |n: u32| spread.rounds_for(n, BLOCK, subject.threshold.delta);
    let fewest = |most: u32| fewest(sweeps, |n| needed(n).is_some_and(|r| r <= most));
    let plan = |baseline: u32, rounds: u32| Plan { baseline, fresh: BLOCK, rounds };
    let plans = [
        needed(sweeps).filter(|r| *r <= LIMITS.rounds).map(|r| plan(sweeps, r.max(rounds))),
        fewest(rounds).map(|n| plan(n, rounds)),
        fewest(LIMITS.rounds).and_then(|n| Some(plan(n, needed(n)?.max(rounds)))),
    ];
    let untimed = |p: &Plan| price(*p, sweeps, UNTIMED);
    let cheapest = plans.into_iter().flatten().min_by(|a, b| untimed(a).total_cmp(&untimed(b)));
    cheapest.map(as_effort)
}

/// The smallest n from `present` to the most of [`LIMITS`] that does; more sweeps never do less, so it is searched by halving.
fn fewest(present: u32, does: impl Fn(u32) -> bool) -> Option<u32> {
    let (mut low, mut high) = (present, LIMITS.baseline.max(present));
    if !does(high) {
        return None;
    }
    while low < high {
        let middle = u32::midpoint(low, high);
        if does(middle) { high = middle } else { low = middle + 1 }
    }
    Some(low)
}

/// The advice as a phrase: what it takes to see a rise by `threshold`; `fresh` sweeps were judged.
pub(super) fn advice(fit: &Fit, effort: Option<Effort>, fresh: usize, threshold: &str) -> String {
    let (sweeps, rounds) = (whole(fit.sweeps), fit.rounds());
    let Some(effort) = effort else {
        return format!(
            "{threshold} would not be seen with {} accepted sweeps of {} rounds either: the host must be quieter or the threshold wider",
            LIMITS.baseline, LIMITS.rounds
        );
    };
    let more = effort.baseline_sweeps.saturating_sub(sweeps);
    let sweeps = plural(more as usize, "more accepted sweep");
    let rounds_now = format!("{} rounds a sweep instead of {rounds}", effort.rounds);
    let what = match (more > 0, effort.rounds > rounds) {
        (true, true) => format!("{sweeps} and {rounds_now}"),
        (true, false) if fit.rounds_would_help() => sweeps,
        (true, false) => format!("{sweeps} (more rounds do not help)"),
        (false, true) => rounds_now,
        (false, false) if fresh < BLOCK as usize => "two fresh sweeps".to_owned(),
        (false, false) => "a further block of two fresh sweeps".to_owned(),
    };
    format!("to see {threshold}: {what}")
}
