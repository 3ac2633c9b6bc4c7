//! What would let a comparison see what it could not.

use super::{baseline::Fit, subject::Subject};
use crate::{model::Effort, stats::power::Plan};

/// Fresh sweeps that confirm: one block.
const FRESH: u32 = 2;

/// Plans with more are no advice.
const MOST_SWEEPS: u32 = 30;
const MOST_ROUNDS: u32 = 100;

/// Rounds that beginning a sweep costs as much as, for advice where no times are known. `power` uses measured ones.
const START: u32 = 3;

/// The cheaper of: more rounds with the present sweeps, more sweeps with the present rounds, the fewest sweeps with
/// which any number of rounds does; none where none of them would see a rise by the threshold four times in five.
pub(super) fn effort(subject: &Subject, fit: &Fit) -> Option<Effort> {
    let spread = fit.spread();
    let sweeps = u32::try_from(fit.sweeps).unwrap_or(u32::MAX);
    let rounds = fit.rounds();
    let needed = |n: u32| spread.rounds_for(n, FRESH, subject.threshold.delta);
    let fewest = |most: u32| fewest(sweeps, |n| needed(n).is_some_and(|r| r <= most));
    let plan = |baseline: u32, rounds: u32| Plan { baseline, fresh: FRESH, rounds };
    let plans = [
        needed(sweeps).filter(|r| *r <= MOST_ROUNDS).map(|r| plan(sweeps, r.max(rounds))),
        fewest(rounds).map(|n| plan(n, rounds)),
        fewest(MOST_ROUNDS).and_then(|n| Some(plan(n, needed(n)?.max(rounds)))),
    ];
    let price = |p: &Plan| (p.baseline - sweeps + p.fresh) * (START + p.rounds);
    plans.into_iter().flatten().min_by_key(price).map(|p| Effort {
        baseline_sweeps: p.baseline,
        fresh_sweeps: p.fresh,
        rounds: p.rounds,
    })
}

/// The smallest n from `present` to [`MOST_SWEEPS`] that does; more sweeps never do less, so it is searched by halving.
fn fewest(present: u32, does: impl Fn(u32) -> bool) -> Option<u32> {
    let (mut low, mut high) = (present, MOST_SWEEPS.max(present));
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
    let (sweeps, rounds) = (u32::try_from(fit.sweeps).unwrap_or(u32::MAX), fit.rounds());
    let Some(effort) = effort else {
        return format!(
            "{threshold} would not be seen with {MOST_SWEEPS} accepted sweeps of {MOST_ROUNDS} rounds either: the host must be quieter or the threshold wider"
        );
    };
    let more = effort.baseline_sweeps.saturating_sub(sweeps);
    let sweeps = format!("{more} more accepted sweep{}", if more == 1 { "" } else { "s" });
    let rounds_now = format!("{} rounds a sweep instead of {rounds}", effort.rounds);
    let what = match (more > 0, effort.rounds > rounds) {
        (true, true) => format!("{sweeps} and {rounds_now}"),
        (true, false) if fit.rounds_would_help() => sweeps,
        (true, false) => format!("{sweeps} (more rounds do not help)"),
        (false, true) => rounds_now,
        (false, false) if fresh < FRESH as usize => "two fresh sweeps".to_owned(),
        (false, false) => "a further block of two fresh sweeps".to_owned(),
    };
    format!("to see {threshold}: {what}")
}
