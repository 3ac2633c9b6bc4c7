//! Rounds where the last verdicts were least sure. Pure.
//!
//! The sweep takes as long as one with equal rounds: what is proven unchanged pays for what is not decided.

use crate::judge;
use crate::model::{Sweep, Verdict, VerdictKind};
use std::collections::{BTreeMap, BTreeSet};

/// Whole baselines below which nothing is allocated: the newest is judged by the others, and with fewer than
/// three of them there is no p-value.
pub const FEWEST: usize = judge::FEWEST + 1;

/// Rounds below which no case is brought, where the profile has as many.
const LEAST: u32 = 6;

/// Seconds that one round of each case takes in all environments together, by `workload/case`: the medians of its
/// trials in `sweep`.
pub fn round_costs(sweep: &Sweep) -> BTreeMap<String, f64> {
    let mut costs = BTreeMap::new();
    for cell in &sweep.cells {
        let mut walls: Vec<u64> = cell.trials.wall_ns.iter().flatten().copied().collect();
        walls.sort_unstable();
        if let Some(median) = walls.get(walls.len() / 2) {
            *costs.entry(format!("{}/{}", cell.workload, cell.case)).or_default() += *median as f64 / 1e9;
        }
    }
    costs
}

/// What a case could do with its rounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Use {
    /// It would gain from so many more.
    Needs(u32),
    /// It can do without so many.
    Spares(u32),
    /// Neither.
    Keeps,
}

/// The rounds of the cases that get another number than the `nominal` one of their name; none where nothing can be gained.
///
/// A case with an inconclusive metric that more rounds would decide (`would_help`) gets up to twice the nominal number. A
/// case whose every metric is proven unchanged pays, down to half of it. The sum of rounds times costs does not
/// rise.
pub fn allocate(
    verdicts: &[Verdict],
    costs: &BTreeMap<String, f64>,
    nominal: impl Fn(&str) -> u32,
) -> BTreeMap<String, u32> {
    let cases: BTreeSet<String> = verdicts.iter().map(case_of).collect();
    let known: Vec<(&String, f64, Use)> = cases
        .iter()
        .filter_map(|case| {
            let cost = costs.get(case).copied().filter(|c| c.is_finite() && *c > 0.0)?;
            Some((case, cost, use_of(verdicts.iter().filter(|v| case_of(v) == *case), nominal(case))))
        })
        .collect();
    let sum = |of: fn(Use) -> u32| known.iter().map(|(_, cost, u)| cost * f64::from(of(*u))).sum::<f64>();
    let needed = sum(|u| if let Use::Needs(more) = u { more } else { 0 });
    let spare = sum(|u| if let Use::Spares(less) = u { less } else { 0 });
    if needed <= 0.0 || spare <= 0.0 {
        return BTreeMap::new();
    }
    let given = (spare / needed).min(1.0);
    let gains: Vec<(&String, f64, u32)> = known
        .iter()
        .filter_map(|(case, cost, u)| match u {
            Use::Needs(more) => Some((*case, *cost, part(*more, given).0)),
            _ => None,
        })
        .filter(|(_, _, more)| *more > 0)
        .collect();
    let paid: f64 = gains.iter().map(|(_, cost, more)| cost * f64::from(*more)).sum();
    let mut rounds: BTreeMap<String, u32> = gains
        .into_iter()
        .map(|(case, _, more)| {
            let rounds = nominal(case) + more;
            (case.clone(), rounds)
        })
        .collect();
    for (case, _, u) in &known {
        if let Use::Spares(less) = u
            && paid > 0.0
        {
            let less = part(*less, (paid / spare).min(1.0)).1;
            rounds.insert((*case).clone(), nominal(case) - less);
        }
    }
    rounds
}

fn case_of(verdict: &Verdict) -> String {
    format!("{}/{}", verdict.workload, verdict.case)
}

/// `share` of `whole`, rounded down and up, at most the whole.
fn part(whole: u32, share: f64) -> (u32, u32) {
    let exact = f64::from(whole) * share;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share of a u32, from 0 to 1"
    )]
    let (down, up) = (exact.floor() as u32, exact.ceil() as u32);
    (down.min(whole), up.min(whole))
}

fn use_of<'a>(verdicts: impl Iterator<Item = &'a Verdict>, nominal: u32) -> Use {
    let (mut wanted, mut proven) = (nominal, true);
    for verdict in verdicts {
        proven &= verdict.verdict == VerdictKind::Unchanged;
        // Without a number of rounds that would do, only more sweeps help, or nothing does.
        if let (VerdictKind::Inconclusive, Some(effort)) = (verdict.verdict, verdict.would_help) {
            wanted = wanted.max(effort.rounds.min(2 * nominal));
        }
    }
    let least = LEAST.max(nominal.div_ceil(2)).min(nominal);
    match (wanted - nominal, proven) {
        (0, true) if least < nominal => Use::Spares(nominal - least),
        (0, _) => Use::Keeps,
        (more, _) => Use::Needs(more),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Effort;
    use proptest::prelude::*;

    fn verdict(case: &str, kind: VerdictKind, rounds: Option<u32>) -> Verdict {
        Verdict {
            verdict: kind,
            would_help: rounds.map(|rounds| Effort { baseline_sweeps: 10, fresh_sweeps: 2, rounds }),
            ..super::super::confirm::fixtures::verdict(case, "docker", kind, 10)
        }
    }

    fn costs(of: &[(&str, f64)]) -> BTreeMap<String, f64> {
        of.iter().map(|(case, cost)| (format!("w/{case}"), *cost)).collect()
    }

    use VerdictKind::{Inconclusive, Unchanged};

    #[test]
    fn what_is_proven_pays_for_what_is_open() {
        let verdicts = [verdict("a", Unchanged, None), verdict("b", Inconclusive, Some(26))];
        let rounds = allocate(&verdicts, &costs(&[("a", 1.0), ("b", 1.0)]), |_| 20);
        assert_eq!(rounds, [("w/a".to_owned(), 14), ("w/b".to_owned(), 26)].into());
        // More than it can pay for, and never more than twice.
        let verdicts = [verdict("a", Unchanged, None), verdict("b", Inconclusive, Some(900))];
        let rounds = allocate(&verdicts, &costs(&[("a", 1.0), ("b", 2.0)]), |_| 20);
        assert_eq!(rounds, [("w/a".to_owned(), 10), ("w/b".to_owned(), 25)].into());
        let rounds = allocate(&verdicts, &costs(&[("a", 9.0), ("b", 1.0)]), |_| 20);
        assert_eq!(rounds["w/b"], 40);
    }

    #[test]
    fn nothing_is_moved_where_nothing_is_gained() {
        let even =
            |verdicts: &[Verdict]| allocate(verdicts, &costs(&[("a", 1.0), ("b", 1.0)]), |_| 20).is_empty();
        assert!(even(&[verdict("a", Unchanged, None), verdict("b", Unchanged, None)]), "all is proven");
        assert!(
            even(&[verdict("a", Unchanged, None), verdict("b", Inconclusive, None)]),
            "rounds do not help"
        );
        assert!(
            even(&[verdict("a", Inconclusive, Some(30)), verdict("b", Inconclusive, Some(30))]),
            "nobody pays"
        );
        assert!(
            even(&[verdict("a", Unchanged, None), verdict("b", Inconclusive, Some(12))]),
            "it has enough"
        );
        assert!(
            even(&[verdict("c", Unchanged, None), verdict("b", Inconclusive, Some(30))]),
            "its cost is unknown"
        );
        assert!(even(&[]));
        let few = [verdict("a", Unchanged, None), verdict("b", Inconclusive, Some(30))];
        assert!(
            allocate(&few, &costs(&[("a", 1.0), ("b", 1.0)]), |_| 5).is_empty(),
            "five rounds are few already"
        );
    }

    #[test]
    fn one_open_metric_keeps_its_case_from_paying() {
        let verdicts = [
            verdict("a", Unchanged, None),
            verdict("a", Inconclusive, None),
            verdict("b", Inconclusive, Some(30)),
        ];
        assert!(allocate(&verdicts, &costs(&[("a", 1.0), ("b", 1.0)]), |_| 20).is_empty());
    }

    #[test]
    fn a_round_costs_the_median_trial_of_every_environment() {
        let mut sweep =
            super::super::confirm::fixtures::sweep(&[("a", "native", 1.0), ("a", "docker", 2.0)], 9.0);
        sweep.cells[1].trials.wall_ns.push(Some(900_000_000_000));
        sweep.cells[1].trials.wall_ns.push(None);
        let each = sweep.cells[0].trials.wall_ns.len() as f64;
        assert!((round_costs(&sweep)["w/a"] - 3.0 / each).abs() < 1e-6);
    }

    proptest! {
        #[test]
        fn the_sweep_takes_no_longer_and_the_limits_hold(
            cases in prop::collection::vec((0.01_f64..50.0, any::<bool>(), prop::option::of(1_u32..200)), 0..12),
            nominal in 3_u32..60,
        ) {
            let names: Vec<String> = (0..cases.len()).map(|i| format!("c{i}")).collect();
            let verdicts: Vec<Verdict> = names.iter().zip(&cases)
                .map(|(n, (_, proven, rounds))| {
                    if *proven { verdict(n, Unchanged, None) } else { verdict(n, Inconclusive, *rounds) }
                })
                .collect();
            let costs: BTreeMap<String, f64> =
                names.iter().zip(&cases).map(|(n, (cost, ..))| (format!("w/{n}"), *cost)).collect();
            let rounds = allocate(&verdicts, &costs, |_| nominal);
            let total: f64 =
                costs.iter().map(|(c, cost)| cost * f64::from(*rounds.get(c).unwrap_or(&nominal))).sum();
            let even: f64 = costs.values().map(|cost| cost * f64::from(nominal)).sum();
            let dearest = costs.values().copied().fold(0.0, f64::max);
            prop_assert!(total <= even + 1e-6, "{} > {}", total, even);
            // One round of each case may be lost to whole numbers.
            prop_assert!(total >= even - dearest * cases.len() as f64 - 1e-6);
            prop_assert!(rounds.values().all(|r| *r <= 2 * nominal && *r >= nominal.min(6).max(nominal / 2)));
            prop_assert_eq!(&rounds, &allocate(&verdicts, &costs, |_| nominal));
        }
    }
}
