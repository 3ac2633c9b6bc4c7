//! How the cells of a running sweep fare: when failures make a cell not worth more trials.

use crate::model::EnvironmentName;
use std::collections::BTreeMap;

/// Counts of one cell (index of the case, environment).
#[derive(Debug, Default, Clone)]
struct Cell {
    failures: u32,
    given_up: Option<String>,
}

/// All cells.
#[derive(Debug)]
pub struct Cells {
    cells: BTreeMap<(usize, EnvironmentName), Cell>,
    /// Failures that each case may have.
    allowed: Vec<u32>,
}

impl Cells {
    /// A cell is given up with more than `max_failed_share` of its case's rounds failed: it can no longer be judged.
    /// `rounds` has one element a case.
    pub fn new(rounds: impl IntoIterator<Item = u32>, max_failed_share: f64) -> Self {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a share of a u32, rounded down"
        )]
        let allowed = |rounds: u32| (f64::from(rounds) * max_failed_share) as u32;
        Self { cells: BTreeMap::new(), allowed: rounds.into_iter().map(allowed).collect() }
    }

    fn cell(&mut self, case: usize, environment: &EnvironmentName) -> &mut Cell {
        self.cells.entry((case, environment.clone())).or_default()
    }

    /// Why no more trials are run, if so.
    pub fn given_up(&self, case: usize, environment: &EnvironmentName) -> Option<&str> {
        self.cells.get(&(case, environment.clone()))?.given_up.as_deref()
    }

    /// Counts a failure. Returns the reason when the cell is given up by it.
    pub fn failed(&mut self, case: usize, environment: &EnvironmentName, why: &str) -> Option<String> {
        let allowed = self.allowed.get(case).copied().unwrap_or(0);
        let cell = self.cell(case, environment);
        cell.failures += 1;
        if cell.given_up.is_none() && cell.failures > allowed {
            let reason = format!("{} rounds failed, the last: {why}", cell.failures);
            cell.given_up = Some(reason.clone());
            return Some(reason);
        }
        None
    }

    /// Gives a cell up. Returns whether it was not given up before.
    pub fn give_up(&mut self, case: usize, environment: &EnvironmentName, why: &str) -> bool {
        let cell = self.cell(case, environment);
        let first = cell.given_up.is_none();
        cell.given_up.get_or_insert_with(|| why.to_owned());
        first
    }

    /// All failures.
    pub fn failures(&self) -> usize {
        self.cells.values().map(|c| c.failures as usize).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_given_up_when_it_can_no_longer_be_judged() {
        let mut cells = Cells::new([10, 20], 0.2);
        let native = EnvironmentName::NATIVE;
        assert_eq!(cells.failed(0, &native, "x"), None);
        assert_eq!(cells.failed(0, &native, "x"), None);
        assert_eq!(cells.failed(0, &native, "y").as_deref(), Some("3 rounds failed, the last: y"));
        assert_eq!(cells.failed(0, &native, "z"), None, "it is told once");
        assert!(cells.given_up(0, &native).is_some() && cells.given_up(1, &native).is_none());
        assert!(!cells.give_up(0, &native, "again"));
        let given_up = (0..5).filter_map(|_| cells.failed(1, &native, "x")).count();
        assert_eq!(given_up, 1, "a case of 20 rounds is given up with its fifth failure");
    }
}
