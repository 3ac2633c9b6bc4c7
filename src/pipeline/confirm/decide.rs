//! What the gate does next: confirm, and which cells, or stop. Pure: no clock, no I/O.

use super::cost::{CellKey, Costs};
use crate::judge::{BLOCK, FEWEST};
use crate::model::{Judgement, Verdict, VerdictKind};
use std::collections::BTreeSet;

/// Everything that the next step depends on.
#[derive(Debug, Clone, Copy)]
pub struct State<'a> {
    /// Of the first sweep and all fresh ones so far.
    pub judgement: &'a Judgement,
    /// What sweeps take.
    pub costs: &'a Costs,
    /// Seconds that the gate has taken.
    pub spent_s: f64,
    /// Seconds that it may take; 0 = it never confirms.
    pub budget_s: f64,
    /// Blocks that were run.
    pub done: u32,
    /// Blocks that the policy allows.
    pub blocks: u32,
}

/// What to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// Nothing more.
    Stop(Stop),
    /// [`BLOCK`] fresh sweeps: a block is whole or not begun, as the rule judges it whole.
    Confirm(Block),
}

/// Why nothing more is done. Cells are counted without native.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Stop {
    /// Every cell is decided, or cannot be by fresh sweeps.
    NothingOpen,
    /// The rule has no further block.
    Enough {
        /// Cells that are still open.
        open: usize,
    },
    /// The budget is 0.
    Off {
        /// Open cells.
        open: usize,
    },
    /// The block does not fit the budget.
    NoRoom {
        /// Open cells.
        open: usize,
        /// Of these, suspected ones.
        suspected: usize,
        /// Whether the whole suite would have to be repeated.
        whole: bool,
        /// Seconds by which the smallest sensible block exceeds the budget.
        short_s: f64,
    },
}

/// Two fresh sweeps.
#[derive(Debug, Clone, PartialEq)]
pub struct Block {
    /// Which cells; all of the first sweep when `whole`.
    pub cells: BTreeSet<CellKey>,
    /// Whether the suite is repeated because the first sweep is suspect as a whole.
    pub whole: bool,
    /// Cells that are open.
    pub open: usize,
    /// Seconds that both sweeps will take.
    pub estimate_s: f64,
    /// Open, inconclusive cells that do not fit the budget.
    pub left_out: usize,
    /// Seconds by which all open cells exceed it; 0 when none is left out.
    pub short_s: f64,
}

/// Cells that fresh sweeps could decide.
#[derive(Debug, Default)]
struct Open {
    suspected: BTreeSet<CellKey>,
    /// Inconclusive, and nothing in them suspected.
    inconclusive: BTreeSet<CellKey>,
}

impl Open {
    fn of(judgement: &Judgement, done: u32) -> Self {
        let mut open = Self::default();
        for verdict in &judgement.verdicts {
            // A suspicion without a p-value is confirmed as far as it can be after one block.
            let decidable = verdict.sweeps_baseline as usize >= FEWEST;
            match verdict.verdict {
                VerdictKind::Suspected if decidable || done == 0 => open.suspected.insert(cell(verdict)),
                VerdictKind::Inconclusive if decidable => open.inconclusive.insert(cell(verdict)),
                _ => false,
            };
        }
        open.inconclusive.retain(|cell| !open.suspected.contains(cell));
        open
    }

    fn len(&self) -> usize {
        self.suspected.len() + self.inconclusive.len()
    }

    fn all(&self) -> BTreeSet<CellKey> {
        self.suspected.union(&self.inconclusive).cloned().collect()
    }
}

fn cell(verdict: &Verdict) -> CellKey {
    (format!("{}/{}", verdict.workload, verdict.case), verdict.environment.clone())
}

/// The next step. Suspicions come first: inconclusive cells are left out where the time is short, the dearest before
/// the others.
pub fn next(state: &State) -> Step {
    let open = Open::of(state.judgement, state.done);
    if open.len() == 0 {
        return Step::Stop(Stop::NothingOpen);
    }
    if state.done >= state.blocks {
        return Step::Stop(Stop::Enough { open: open.len() });
    }
    if state.budget_s <= 0.0 {
        return Step::Stop(Stop::Off { open: open.len() });
    }
    let left_s = state.budget_s - state.spent_s;
    let block_s = |cells: &BTreeSet<CellKey>| f64::from(BLOCK) * state.costs.sweep_s(cells);
    // When whole environments moved at once, the first sweep says little of single cells.
    let whole = state.done == 0 && !state.judgement.common.is_empty();
    let suspected = open.suspected.len();
    let no_room = |short_s| Step::Stop(Stop::NoRoom { open: open.len(), suspected, whole, short_s });
    let wanted = if whole { state.costs.all() } else { open.all() };
    let wanted_s = block_s(&wanted);
    if whole && wanted_s > left_s {
        return no_room(wanted_s - left_s);
    }
    let mut cells = wanted;
    let mut dearest: Vec<&CellKey> = open.inconclusive.iter().collect();
    dearest
        .sort_by(|a, b| state.costs.trials_s(b).total_cmp(&state.costs.trials_s(a)).then_with(|| a.cmp(b)));
    let mut estimate_s = wanted_s;
    let mut left_out = 0;
    for cell in dearest {
        if estimate_s <= left_s || cells.len() == 1 {
            break;
        }
        cells.remove(cell);
        left_out += 1;
        estimate_s = block_s(&cells);
    }
    if estimate_s > left_s {
        return no_room(estimate_s - left_s);
    }
    let short_s = if left_out > 0 { wanted_s - left_s } else { 0.0 };
    Step::Confirm(Block { cells, whole, open: open.len(), estimate_s, left_out, short_s })
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{cell, judgement, sweep, verdict};
    use super::*;
    use crate::model::CommonMode;
    use VerdictKind::{Improved, Inconclusive, MeasurementFailed, Missing, NoBaseline, Suspected, Unchanged};
    use proptest::prelude::*;

    /// Ten seconds of harness; a: 1 + 2, b: 1 + 4, c: 1 + 8 seconds in native and Docker.
    fn costs() -> Costs {
        let cells = [("a", 2.0), ("b", 4.0), ("c", 8.0)].into_iter();
        let cells: Vec<_> =
            cells.flat_map(|(case, s)| [(case, "native", 1.0), (case, "docker", s)]).collect();
        Costs::of(&sweep(&cells, 10.0))
    }

    fn state<'a>(judgement: &'a Judgement, costs: &'a Costs) -> State<'a> {
        State { judgement, costs, spent_s: 100.0, budget_s: 1000.0, done: 0, blocks: 1 }
    }

    fn of(kinds: &[(&str, VerdictKind, u32)]) -> Judgement {
        judgement(kinds.iter().map(|(case, kind, n)| verdict(case, "docker", *kind, *n)).collect())
    }

    fn block(step: Step) -> Block {
        let Step::Confirm(block) = step else { panic!("{step:?}") };
        block
    }

    #[test]
    fn only_what_fresh_sweeps_can_decide_is_open() {
        let costs = costs();
        let closed = of(&[
            ("a", Unchanged, 10),
            ("a", NoBaseline, 0),
            ("b", MeasurementFailed, 10),
            ("b", Missing, 10),
            ("c", Improved, 10),
            ("c", Inconclusive, 2),
        ]);
        assert_eq!(next(&state(&closed, &costs)), Step::Stop(Stop::NothingOpen));
        let open =
            of(&[("a", Suspected, 1), ("b", Inconclusive, 3), ("b", Suspected, 3), ("c", Unchanged, 9)]);
        let block = block(next(&state(&open, &costs)));
        assert_eq!(block.cells, [cell("a", "docker"), cell("b", "docker")].into());
        assert_eq!((block.open, block.whole, block.left_out), (2, false, 0));
        assert!((block.estimate_s - 36.0).abs() < 1e-6, "{}", block.estimate_s);
    }

    #[test]
    fn the_rule_ends_after_its_blocks_and_a_suspicion_without_p_value_after_one() {
        let costs = costs();
        let open = of(&[("a", Suspected, 10)]);
        assert_eq!(next(&State { done: 1, ..state(&open, &costs) }), Step::Stop(Stop::Enough { open: 1 }));
        let second = State { done: 1, blocks: 2, ..state(&open, &costs) };
        assert_eq!(block(next(&second)).cells.len(), 1);
        let few = of(&[("a", Suspected, 2)]);
        assert_eq!(next(&State { judgement: &few, ..second }), Step::Stop(Stop::NothingOpen));
    }

    #[test]
    fn when_whole_environments_moved_everything_is_repeated_once() {
        let costs = costs();
        let mut open = of(&[("a", Suspected, 10)]);
        open.common.push(CommonMode {
            sweep: "20260102T030405Z-00abcd".parse().expect("an id"),
            environment: "docker".parse().expect("a name"),
            worse: true,
            moved: 3,
            of: 3,
        });
        let repeated = block(next(&state(&open, &costs)));
        assert!(repeated.whole && repeated.cells.len() == 3);
        let second = block(next(&State { done: 1, blocks: 2, ..state(&open, &costs) }));
        assert!(!second.whole && second.cells.len() == 1);
        let short = next(&State { budget_s: 150.0, ..state(&open, &costs) });
        assert!(
            matches!(short, Step::Stop(Stop::NoRoom { open: 1, .. })),
            "a part of the suite is no repetition: {short:?}"
        );
    }

    #[test]
    fn where_time_is_short_inconclusive_cells_go_first_and_suspected_ones_stay() {
        let costs = costs();
        let open = of(&[("a", Inconclusive, 10), ("b", Inconclusive, 10), ("c", Suspected, 10)]);
        let with = |seconds| next(&State { budget_s: 100.0 + seconds, ..state(&open, &costs) });
        let all = block(with(54.0));
        assert_eq!((all.cells.len(), all.left_out, all.short_s), (3, 0, 0.0));
        let fewer = block(with(50.0));
        assert_eq!(fewer.cells, [cell("a", "docker"), cell("c", "docker")].into());
        assert_eq!((fewer.open, fewer.left_out), (3, 1));
        assert!((fewer.short_s - 4.0).abs() < 1e-6, "{}", fewer.short_s);
        assert_eq!(block(with(38.0)).cells, [cell("c", "docker")].into());
        let none = with(37.0);
        assert!(
            matches!(none, Step::Stop(Stop::NoRoom { open: 3, suspected: 1, short_s, .. }) if (short_s - 1.0).abs() < 1e-6),
            "{none:?}"
        );
        assert_eq!(next(&State { budget_s: 0.0, ..state(&open, &costs) }), Step::Stop(Stop::Off { open: 3 }));
        assert!(
            matches!(with(-50.0), Step::Stop(Stop::NoRoom { .. })),
            "the first sweep took longer than the budget"
        );
    }

    fn kinds() -> impl Strategy<Value = Vec<(usize, VerdictKind, u32)>> {
        prop::collection::vec((0_usize..8, prop::sample::select(VerdictKind::ALL.to_vec()), 0_u32..6), 0..20)
    }

    proptest! {
        #[test]
        fn the_loop_ends_within_its_blocks_and_its_budget_and_runs_no_half_block(
            verdicts in prop::collection::vec(kinds(), 4),
            seconds in prop::collection::vec(0.1_f64..100.0, 8),
            harness in 0.0_f64..60.0,
            budget_s in 0.0_f64..2000.0,
            blocks in 1_u32..=2,
            common: bool,
        ) {
            let names: Vec<String> = (0..8).map(|i| format!("c{i}")).collect();
            let cells: Vec<(&str, &str, f64)> =
                names.iter().zip(&seconds).map(|(n, s)| (n.as_str(), "docker", *s)).collect();
            let costs = Costs::of(&sweep(&cells, harness));
            let (mut spent_s, mut sweeps) = (seconds.iter().sum::<f64>() + harness, 1);
            let mut ended = false;
            for done in 0..=3 {
                let kinds: Vec<_> =
                    verdicts[done as usize].iter().map(|(c, k, n)| (names[*c].as_str(), *k, *n)).collect();
                let mut judgement = of(&kinds);
                if common {
                    judgement.common.push(CommonMode {
                        sweep: "20260102T030405Z-00abcd".parse().expect("an id"),
                        environment: "docker".parse().expect("a name"),
                        worse: true, moved: 1, of: 1,
                    });
                }
                let state = State { judgement: &judgement, costs: &costs, spent_s, budget_s, done, blocks };
                match next(&state) {
                    Step::Stop(_) => { ended = true; break }
                    Step::Confirm(block) => {
                        prop_assert!(!block.cells.is_empty());
                        prop_assert!(block.whole == (common && done == 0));
                        sweeps += BLOCK;
                        spent_s += block.estimate_s;
                        prop_assert!(spent_s <= budget_s + 1e-9, "{} of {}", spent_s, budget_s);
                        let open = Open::of(&judgement, done);
                        prop_assert!(block.whole || open.suspected.is_subset(&block.cells));
                        prop_assert!(block.whole || block.cells.len() + block.left_out == block.open);
                    }
                }
            }
            prop_assert!(ended && sweeps <= 1 + BLOCK * blocks);
        }
    }
}
