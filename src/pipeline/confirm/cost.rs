//! What a sweep of chosen cells will take, learned from the sweeps so far. Pure.

use crate::model::{EnvironmentName, Sweep};
use crate::sweep::CellSet;
use std::collections::{BTreeMap, BTreeSet};

/// One cell: `workload/case`, and where. Never native.
pub type CellKey = (String, EnvironmentName);

/// The measured cost of a sweep, in parts, seconds.
#[derive(Debug, Clone, PartialEq)]
pub struct Costs {
    /// Everything but counted trials: starting, proving, preparing, warming up, dispatching.
    harness_s: f64,
    /// The trials of each cell that was measured, native's among them.
    cells: BTreeMap<CellKey, f64>,
}

impl Costs {
    /// Of a measured sweep.
    pub fn of(sweep: &Sweep) -> Self {
        let mut cells = BTreeMap::new();
        for cell in &sweep.cells {
            let nanoseconds: u64 = cell.trials.wall_ns.iter().flatten().sum();
            let key = (format!("{}/{}", cell.workload, cell.case), cell.environment.clone());
            cells.insert(key, nanoseconds as f64 / 1e9);
        }
        Self { harness_s: harness_s(sweep), cells }
    }

    /// Takes the harness's time from the sweeps that were made last: a sweep of few cells starts and prepares less.
    pub fn learn(&mut self, fresh: &[Sweep]) {
        if !fresh.is_empty() {
            self.harness_s = fresh.iter().map(harness_s).sum::<f64>() / fresh.len() as f64;
        }
    }

    /// Seconds that the trials of one cell take, native's left out.
    pub fn trials_s(&self, cell: &CellKey) -> f64 {
        self.cells.get(cell).copied().unwrap_or(0.0)
    }

    /// Seconds that a sweep of these cells will take, native's part of their cases included.
    pub fn sweep_s(&self, cells: &BTreeSet<CellKey>) -> f64 {
        let cases: BTreeSet<&String> = cells.iter().map(|(case, _)| case).collect();
        let native = cases.into_iter().map(|case| self.trials_s(&(case.clone(), EnvironmentName::NATIVE)));
        self.harness_s + native.sum::<f64>() + cells.iter().map(|cell| self.trials_s(cell)).sum::<f64>()
    }

    /// Every cell of the sweep but native's.
    pub fn all(&self) -> BTreeSet<CellKey> {
        self.cells.keys().filter(|(_, environment)| !environment.is_native()).cloned().collect()
    }
}

fn harness_s(sweep: &Sweep) -> f64 {
    (sweep.timing.wall_s - sweep.timing.in_trials_s).max(0.0)
}

/// Cells by case, as a sweep is asked for them.
pub fn by_case(cells: &BTreeSet<CellKey>) -> CellSet {
    let mut set = CellSet::new();
    for (case, environment) in cells {
        set.entry(case.clone()).or_default().insert(environment.clone());
    }
    set
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{cell, sweep};
    use super::*;

    #[test]
    fn native_is_counted_once_a_case_and_the_harness_once_a_sweep() {
        let first = sweep(
            &[
                ("a", "native", 1.0),
                ("a", "docker", 2.0),
                ("a", "kvm", 30.0),
                ("b", "native", 5.0),
                ("b", "docker", 5.0),
            ],
            10.0,
        );
        let mut costs = Costs::of(&first);
        let close = |cells: &[CellKey], seconds: f64, costs: &Costs| {
            let estimate = costs.sweep_s(&cells.iter().cloned().collect());
            assert!((estimate - seconds).abs() < 1e-6, "{estimate}");
        };
        close(&[cell("a", "docker")], 13.0, &costs);
        close(&[cell("a", "docker"), cell("a", "kvm"), cell("b", "docker")], 53.0, &costs);
        assert_eq!(costs.all().len(), 3);
        costs.learn(&[sweep(&[], 2.0), sweep(&[], 4.0)]);
        close(&[cell("a", "docker")], 6.0, &costs);
    }
}
