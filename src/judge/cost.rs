//! What measuring a case costs, from the times of stored sweeps.

use crate::{
    model::{Cell, Sweep},
    stats::{power::Cost, robust},
};
use std::collections::BTreeMap;

/// Workload and case.
type Case = (String, String);

/// The price of sweeps without times, in rounds: to begin one costs about as much as three rounds.
pub(super) const UNTIMED: Cost = Cost { sweep: 3.0, round: 1.0 };

/// Times of each case, seconds. Empty where no sweep says any: the default, and what a samples CSV has.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Costs(BTreeMap<Case, Cost>);

impl Costs {
    /// Medians over the sweeps that share parameters and accelerator with the newest one (the last). Sweeps of chosen cells are left
    /// out: their harness serves few cases.
    ///
    /// A round of a case = the sum over its environments of the median wall time of a trial. To begin a sweep for a case =
    /// its share of the harness's time (`wall_s - in_trials_s`: starting, preparing and warming everything, and the
    /// time between trials), by its share of all trial time; 0 where trials overlapped. Cases without a trial are left out.
    pub fn of(sweeps: &[Sweep]) -> Self {
        let whole = || sweeps.iter().filter(|s| !s.partial);
        let Some(newest) = whole().next_back() else { return Self::default() };
        let alike =
            whole().filter(|s| (&s.parameters, &s.accelerator) == (&newest.parameters, &newest.accelerator));
        let mut found: BTreeMap<Case, (Vec<f64>, Vec<f64>)> = BTreeMap::new();
        for sweep in alike {
            for (case, cost) in of_sweep(sweep) {
                let (begin, round) = found.entry(case).or_default();
                begin.push(cost.sweep);
                round.push(cost.round);
            }
        }
        let middle = |(begin, round): (Vec<f64>, Vec<f64>)| {
            Some(Cost { sweep: robust::median(&begin)?, round: robust::median(&round)? })
        };
        Self(found.into_iter().filter_map(|(case, seen)| Some((case, middle(seen)?))).collect())
    }

    /// Of one case, seconds.
    pub(super) fn case(&self, workload: &str, case: &str) -> Option<Cost> {
        self.0.get(&(workload.to_owned(), case.to_owned())).copied()
    }

    /// Of all cases together, seconds.
    pub(super) fn suite(&self) -> Option<Cost> {
        let all = self.0.values();
        let sum = all.fold((0.0, 0.0), |(begin, round), c| (begin + c.sweep, round + c.round));
        (!self.0.is_empty()).then_some(Cost { sweep: sum.0, round: sum.1 })
    }
}

/// Costs of the cases of one sweep, seconds.
fn of_sweep(sweep: &Sweep) -> BTreeMap<Case, Cost> {
    let mut cases: BTreeMap<Case, (f64, f64)> = BTreeMap::new();
    for cell in &sweep.cells {
        let walls = walls(cell);
        if let Some(middle) = robust::median(&walls) {
            let (round, all) = cases.entry((cell.workload.clone(), cell.case.clone())).or_default();
            *round += middle;
            *all += walls.iter().sum::<f64>();
        }
    }
    let trials: f64 = cases.values().map(|(_, all)| all).sum();
    let harness = (sweep.timing.wall_s - sweep.timing.in_trials_s).max(0.0);
    let cost = |(round, all): (f64, f64)| Cost { sweep: harness * all / trials, round };
    cases.into_iter().map(|(case, seen)| (case, cost(seen))).filter(|(_, c)| c.round > 0.0).collect()
}

/// Wall times of the trials of a cell that ran, seconds.
fn walls(cell: &Cell) -> Vec<f64> {
    cell.trials.wall_ns.iter().flatten().map(|ns| *ns as f64 / 1e9).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{CellTrials, Fingerprint, Timing, format::SWEEP_FORMAT};
    use chrono::DateTime;

    fn sweep(parameters: &str, took_s: f64, walls: &[(&str, &str, &[u64])]) -> Sweep {
        let cell = |(case, environment, seconds): &(&str, &str, &[u64])| Cell {
            trials: CellTrials {
                wall_ns: seconds.iter().map(|s| Some(s * 1_000_000_000)).chain([None]).collect(),
                ..CellTrials::default()
            },
            ..Cell::measured("fio", case, &environment.parse().expect("environment"))
        };
        let in_trials: u64 = walls.iter().flat_map(|(_, _, seconds)| *seconds).sum();
        Sweep {
            format: SWEEP_FORMAT,
            sweep: "s".parse().expect("id"),
            tollgate: "0".into(),
            host_class: "lab".parse().expect("class"),
            profile: "smoke".into(),
            parameters: parameters.into(),
            bench_image: "i".into(),
            accelerator: None,
            seed: 0,
            rounds: 3,
            started_at: DateTime::UNIX_EPOCH,
            finished_at: DateTime::UNIX_EPOCH,
            resumed: 0,
            partial: false,
            fingerprint: Fingerprint::default(),
            timing: Timing { wall_s: took_s, in_trials_s: in_trials as f64, ..Timing::default() },
            accepted: None,
            proofs: Vec::new(),
            cells: walls.iter().map(cell).collect(),
            series: Vec::new(),
        }
    }

    fn is(found: Option<Cost>, begin: f64, round: f64) -> bool {
        found.is_some_and(|c| (c.sweep - begin).abs() < 1e-9 && (c.round - round).abs() < 1e-9)
    }

    /// Trials 12 s of reads and 4 s of writes; the harness took 8 s more: 6 s and 2 s of it.
    #[test]
    fn a_case_costs_its_trials_and_its_share_of_the_harness() {
        let walls: [(&str, &str, &[u64]); 3] =
            [("read", "native", &[1, 1, 1]), ("read", "docker", &[1, 2, 6]), ("write", "native", &[4])];
        let costs = Costs::of(&[sweep("p", 24.0, &walls)]);
        assert!(is(costs.case("fio", "read"), 6.0, 1.0 + 2.0));
        assert!(is(costs.case("fio", "write"), 2.0, 4.0));
        assert!(is(costs.suite(), 8.0, 7.0));
    }

    #[test]
    fn other_parameters_and_cases_without_trials_do_not_count() {
        let other = sweep("other", 90.0, &[("read", "native", &[30])]);
        let newest = sweep("p", 5.0, &[("read", "native", &[2, 2]), ("write", "native", &[])]);
        let costs = Costs::of(&[other, newest]);
        assert!(is(costs.case("fio", "read"), 1.0, 2.0));
        assert_eq!(costs.case("fio", "write"), None);
        assert_eq!((Costs::of(&[]), Costs::default().suite()), (Costs::default(), None));
    }
}
