//! How far a sweep is in each environment, and how long the rest will take: from what its trials took so far. Pure.

use super::progress::PlannedCell;
use crate::model::EnvironmentName;
use std::collections::BTreeMap;
use std::time::Duration;

/// Cells whose trials are reckoned from other cells may hold at most this share of the trials to come; with more of
/// them nothing is foretold.
const MOST_UNSEEN: f64 = 0.75;

#[derive(Debug, Clone, Default)]
struct Cell {
    done: u32,
    of: u32,
    failed: u32,
    seen: u32,
    took: Duration,
}

impl Cell {
    fn left(&self) -> u32 {
        self.of.saturating_sub(self.done)
    }

    fn mean_s(&self) -> Option<f64> {
        (self.seen > 0).then(|| self.took.as_secs_f64() / f64::from(self.seen))
    }
}

/// How far one environment is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Which.
    pub environment: EnvironmentName,
    /// Trials that were run, also before an interruption.
    pub done: u32,
    /// Trials that will have been run at the end; those of cells that were given up are none.
    pub of: u32,
    /// Trials that failed in this run.
    pub failed: u32,
    /// What its other trials will take; none while too little is known.
    pub left: Option<Duration>,
}

/// The trials of a running sweep.
#[derive(Debug, Clone, Default)]
pub struct Forecast {
    cells: BTreeMap<(EnvironmentName, String), Cell>,
}

impl Forecast {
    /// Of a sweep that begins to measure, or goes on to.
    pub fn new(planned: Vec<PlannedCell>) -> Self {
        let cell = |p: PlannedCell| {
            let of = if p.given_up { p.done } else { p.of };
            ((p.environment, p.case), Cell { done: p.done, of, ..Cell::default() })
        };
        Self { cells: planned.into_iter().map(cell).collect() }
    }

    /// Counts a trial.
    pub fn trial(&mut self, case: &str, environment: &EnvironmentName, took: Duration, failed: bool) {
        if let Some(cell) = self.cells.get_mut(&(environment.clone(), case.to_owned())) {
            cell.done += 1;
            cell.failed += u32::from(failed);
            cell.seen += 1;
            cell.took += took;
        }
    }

    /// Counts no more trials of a cell.
    pub fn give_up(&mut self, case: &str, environment: &EnvironmentName) {
        if let Some(cell) = self.cells.get_mut(&(environment.clone(), case.to_owned())) {
            cell.of = cell.done;
        }
    }

    /// Each environment.
    pub fn rows(&self) -> Vec<Row> {
        let known = self.is_known();
        let mut rows: Vec<Row> = Vec::new();
        for ((environment, _), cell) in &self.cells {
            let cell_s = known.then(|| self.left_s(environment, cell));
            match rows.last_mut().filter(|r| r.environment == *environment) {
                Some(row) => {
                    row.done += cell.done;
                    row.of += cell.of;
                    row.failed += cell.failed;
                    row.left = row.left.zip(cell_s).map(|(left, s)| left + s);
                }
                None => rows.push(Row {
                    environment: environment.clone(),
                    done: cell.done,
                    of: cell.of,
                    failed: cell.failed,
                    left: cell_s,
                }),
            }
        }
        rows
    }

    /// What all trials to come will take, without the time between them; none while too little is known.
    pub fn left(&self) -> Option<Duration> {
        self.rows().into_iter().map(|row| row.left).sum()
    }

    fn is_known(&self) -> bool {
        let left = |unseen: bool| -> u32 {
            self.cells.values().filter(|c| !unseen || c.seen == 0).map(Cell::left).sum()
        };
        let seen = self.cells.values().any(|c| c.seen > 0);
        left(false) == 0 || seen && f64::from(left(true)) <= MOST_UNSEEN * f64::from(left(false))
    }

    /// Of a cell that was not seen yet, trials take what those of its environment take, else those of all.
    fn left_s(&self, environment: &EnvironmentName, cell: &Cell) -> Duration {
        let mean = |of: &dyn Fn(&EnvironmentName) -> bool| {
            let means: Vec<f64> =
                self.cells.iter().filter(|((e, _), _)| of(e)).filter_map(|(_, c)| c.mean_s()).collect();
            (!means.is_empty()).then(|| means.iter().sum::<f64>() / means.len() as f64)
        };
        let each = cell.mean_s().or_else(|| mean(&|e| e == environment)).or_else(|| mean(&|_| true));
        Duration::from_secs_f64(each.unwrap_or(0.0) * f64::from(cell.left()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn planned(case: &str, environment: &str, done: u32, of: u32) -> PlannedCell {
        let environment = environment.parse().expect("a name");
        PlannedCell { case: case.to_owned(), environment, done, of, given_up: false }
    }

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn each_cell_is_reckoned_from_its_own_trials() {
        let (native, kvm) = (EnvironmentName::NATIVE, "kvm".parse().expect("a name"));
        let mut forecast = Forecast::new(vec![
            planned("a", "native", 0, 10),
            planned("b", "native", 0, 10),
            planned("a", "kvm", 0, 10),
            planned("b", "kvm", 0, 10),
        ]);
        assert_eq!(forecast.left(), None, "nothing was seen");
        forecast.trial("a", &native, s(1), false);
        assert_eq!(forecast.left(), None, "one cell of four says too little");
        forecast.trial("a", &kvm, s(20), true);
        forecast.trial("b", &native, s(3), false);
        // 9 x 1 + 9 x 3 native, 9 x 20 and 10 x 20 kvm, of whose other case nothing is known.
        assert_eq!(forecast.left(), Some(s(36 + 380)));
        forecast.trial("b", &kvm, s(60), false);
        assert_eq!(forecast.left(), Some(s(36 + 9 * 80)));
        let rows = forecast.rows();
        assert_eq!((rows[0].done, rows[0].of, rows[0].failed, rows[0].left), (2, 20, 0, Some(s(36))));
        assert_eq!((rows[1].done, rows[1].of, rows[1].failed), (2, 20, 1));
    }

    #[test]
    fn what_is_given_up_takes_no_time() {
        let kvm: EnvironmentName = "kvm".parse().expect("a name");
        let mut lost = planned("a", "docker", 0, 10);
        lost.given_up = true;
        let mut forecast =
            Forecast::new(vec![lost, planned("a", "kvm", 0, 10), planned("a", "native", 0, 10)]);
        forecast.trial("a", &kvm, s(60), true);
        forecast.trial("a", &EnvironmentName::NATIVE, s(1), false);
        assert_eq!(forecast.left(), Some(s(9 * 61)));
        forecast.give_up("a", &kvm);
        assert_eq!(forecast.left(), Some(s(9)));
        let of: Vec<(u32, u32)> = forecast.rows().iter().map(|r| (r.done, r.of)).collect();
        assert_eq!(of, [(1, 10), (0, 0), (1, 1)], "native, docker, kvm");
    }

    #[test]
    fn a_resumed_sweep_has_its_trials_behind_it_and_an_ended_one_no_time_left() {
        let native = EnvironmentName::NATIVE;
        let mut forecast = Forecast::new(vec![planned("a", "native", 8, 10)]);
        forecast.trial("a", &native, s(2), false);
        assert_eq!(forecast.left(), Some(s(2)));
        forecast.trial("a", &native, s(2), false);
        assert_eq!(forecast.left(), Some(Duration::ZERO));
        forecast.trial("another", &native, s(2), false);
        assert_eq!(forecast.rows()[0].done, 10);
        assert_eq!(Forecast::default().left(), Some(Duration::ZERO));
    }
}
