//! How far a sweep can be trusted: what disturbed it, counted from its own rounds.

use super::evidence::Evidence;
use crate::judge;
use crate::model::{CellState, EnvironmentName, Family, Scale, Series, Sweep};
use crate::stats::robust::{self, MAD_TO_SD};
use std::collections::{BTreeMap, BTreeSet};

/// Scatter of the metrics of a family.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scatter {
    /// Which.
    pub family: Family,
    /// Metrics in environments other than native.
    pub series: usize,
    /// Median over them of the standard deviation of a round's toll (from the MAD), percent.
    pub median_pct: f64,
    /// Nine in ten have less, percent.
    pub p90_pct: f64,
}

/// What disturbed a sweep.
#[derive(Debug, Clone, PartialEq)]
pub struct Trust {
    /// Trials that gave a value, and all that were tried, in cells that this host can run.
    pub trials: (usize, usize),
    /// Of the processor time that was wanted during trials, the share that the hypervisor below gave to others, percent;
    /// none where the host does not tell.
    pub steal_pct: Option<f64>,
    /// Share of the trials' time in which some task waited for a processor, percent; none where the kernel does not tell.
    pub waiting_pct: Option<f64>,
    /// By family.
    pub scatter: Vec<Scatter>,
}

impl Trust {
    /// Of the judged sweep.
    pub fn of(evidence: &Evidence) -> Self {
        let sweep = &evidence.sweep;
        Self {
            trials: trials(sweep),
            steal_pct: steal(sweep),
            waiting_pct: waiting(sweep),
            scatter: scatter(sweep),
        }
    }
}

fn trials(sweep: &Sweep) -> (usize, usize) {
    let mut known: BTreeMap<_, Vec<bool>> = BTreeMap::new();
    for series in &sweep.series {
        let rounds = known.entry((&series.workload, &series.case, &series.environment)).or_default();
        rounds.resize(rounds.len().max(series.values.len()), false);
        for (round, value) in rounds.iter_mut().zip(&series.values) {
            *round |= value.is_some();
        }
    }
    let ran = sweep.cells.iter().filter(|c| c.state != CellState::Unavailable);
    ran.fold((0, 0), |(ok, of), cell| {
        let rounds =
            known.get(&(&cell.workload, &cell.case, &cell.environment)).map_or(&[][..], Vec::as_slice);
        // What a failed cell measured is no figure of it.
        let gave = rounds.iter().filter(|r| **r && cell.state == CellState::Ok).count();
        (ok + gave, of + rounds.len().max(cell.trials.wall_ns.len()))
    })
}

/// Sums of two columns over the trials that know both.
fn sums<'a>(columns: impl Iterator<Item = (&'a [Option<u64>], &'a [Option<u64>])>) -> Option<(f64, f64)> {
    let pairs = columns.flat_map(|(a, b)| a.iter().zip(b)).filter_map(|(a, b)| Some(((*a)?, (*b)?)));
    let (mut sum, mut known) = ((0.0, 0.0), false);
    for (a, b) in pairs {
        sum = (sum.0 + a as f64, sum.1 + b as f64);
        known = true;
    }
    known.then_some(sum)
}

fn steal(sweep: &Sweep) -> Option<f64> {
    let columns = sweep.cells.iter().map(|c| (&c.trials.steal_us[..], &c.trials.host_busy_us[..]));
    let (steal, busy) = sums(columns)?;
    (steal + busy > 0.0).then(|| steal / (steal + busy) * 100.0)
}

fn waiting(sweep: &Sweep) -> Option<f64> {
    let columns = sweep.cells.iter().map(|c| (&c.trials.psi_cpu_us[..], &c.trials.wall_ns[..]));
    let (waiting_us, wall_ns) = sums(columns)?;
    (wall_ns > 0.0).then(|| (waiting_us * 1e3 / wall_ns * 100.0).min(100.0))
}

fn scatter(sweep: &Sweep) -> Vec<Scatter> {
    let native: BTreeMap<_, &Series> = sweep
        .series
        .iter()
        .filter(|s| s.environment == EnvironmentName::NATIVE)
        .map(|s| ((&s.workload, &s.case, &s.metric), s))
        .collect();
    let mut families: BTreeMap<Family, Vec<f64>> = BTreeMap::new();
    let failed: BTreeSet<_> = sweep
        .cells
        .iter()
        .filter(|c| c.state != CellState::Ok)
        .map(|c| (&c.workload, &c.case, &c.environment))
        .collect();
    let counts =
        |s: &&Series| s.scale == Scale::Ratio && !failed.contains(&(&s.workload, &s.case, &s.environment));
    let others = sweep.series.iter().filter(|s| !s.environment.is_native()).filter(counts);
    for series in others {
        let Some(native) = native.get(&(&series.workload, &series.case, &series.metric)) else { continue };
        let logs = judge::round_tolls(series, native);
        if logs.len() > 2 {
            let sd = robust::mad(&logs).unwrap_or_default() * MAD_TO_SD;
            families.entry(series.family).or_default().push(judge::percent(sd));
        }
    }
    let one = |(family, mut all): (Family, Vec<f64>)| {
        all.sort_by(f64::total_cmp);
        let p90_pct = all.get(all.len() * 9 / 10).or(all.last()).copied()?;
        Some(Scatter { family, series: all.len(), median_pct: robust::median(&all)?, p90_pct })
    };
    families.into_iter().filter_map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::Policy;
    use crate::report::fixtures;

    #[test]
    fn a_recorded_sweep_tells_what_disturbed_it() {
        let mut sweep = fixtures::recorded();
        let trust = Trust::of(&Evidence::alone(&sweep, Policy::default()));
        assert!(trust.trials.0 > 500 && trust.trials.0 == trust.trials.1, "{trust:?}");
        assert!(trust.steal_pct.is_some_and(|s| (0.0..50.0).contains(&s)), "{trust:?}");
        assert!(trust.scatter.iter().all(|s| s.median_pct > 0.0 && s.median_pct <= s.p90_pct), "{trust:?}");
        assert!(trust.scatter.len() >= 5);
        for cell in &mut sweep.cells {
            cell.trials.steal_us.iter_mut().for_each(|s| *s = None);
        }
        // A parser that failed, and an environment that was not what it is called.
        for series in sweep.series.iter_mut().filter(|s| s.workload == "xz") {
            series.values.iter_mut().for_each(|v| *v = None);
        }
        let refuted = sweep.cells.iter_mut().find(|c| c.workload == "rr").expect("a cell");
        refuted.state = CellState::MeasurementFailed;
        let lost = refuted.trials.wall_ns.len() + 3 * 10;
        let less = Trust::of(&Evidence::alone(&sweep, Policy::default()));
        assert_eq!(less.steal_pct, None);
        assert_eq!((less.trials.1, less.trials.1 - less.trials.0), (trust.trials.1, lost));
    }
}
