//! The confirm loop: fresh, re-initialised sweeps of what the first sweep left open, within a budget of time. What to do next
//! is decided in [`decide`], purely; here it is done.

mod account;
mod cost;
mod decide;
#[cfg(test)]
pub(super) mod fixtures;

use super::PipelineError;
use super::gate::judge_sweeps;
use super::sweep::{Request, sweep};
use crate::config::Config;
use crate::judge::{BLOCK, Policy};
use crate::model::{Confirmation, ConfirmingSweep, EnvironmentName, Judgement, Sweep};
use crate::sweep::{CellSet, Progress, Step};
use crate::workload::Profile;
use account::Done;
use cost::Costs;
use decide::{Block, State, Stop};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// What the loop works with.
pub struct Task<'a> {
    /// Settings.
    pub config: &'a Config,
    /// Profile of the first sweep.
    pub profile: Profile,
    /// What the sweeps are compared with.
    pub baselines: &'a [Sweep],
    /// Thresholds.
    pub policy: &'a Policy,
    /// Time that the whole gate may take.
    pub budget: Duration,
    /// When the gate began.
    pub began: Instant,
    /// Who watches.
    pub progress: &'a dyn Progress,
    /// Ends it.
    pub cancel: &'a CancellationToken,
}

/// What came of it.
pub struct Confirmed {
    /// Of the first sweep and all fresh ones.
    pub judgement: Judgement,
    /// The fresh sweeps, in order.
    pub fresh: Vec<Sweep>,
    /// How it went; none when there was nothing to confirm.
    pub confirmation: Option<Confirmation>,
}

/// Confirms what `first` left open. An interruption is an error; the sweeps so far and the journal are kept.
pub async fn confirm(task: &Task<'_>, first: Sweep) -> Result<Confirmed, PipelineError> {
    let first_s = task.spent_s();
    let mut judgement = judge_sweeps(task.baselines, std::slice::from_ref(&first), task.policy);
    if first.partial {
        let confirmation = Some(task.confirmation(Vec::new(), account::of_part()));
        return Ok(Confirmed { judgement, fresh: Vec::new(), confirmation });
    }
    let mut costs = Costs::of(&first);
    let mut sweeps = vec![first];
    let (mut told, mut blocks) = (Vec::new(), Vec::new());
    let stop = loop {
        let state = State {
            judgement: &judgement,
            costs: &costs,
            spent_s: task.spent_s(),
            budget_s: task.budget.as_secs_f64(),
            done: u32::try_from(blocks.len()).unwrap_or(u32::MAX),
            blocks: task.policy.blocks,
        };
        let block = match decide::next(&state) {
            decide::Step::Stop(stop) => break stop,
            decide::Step::Confirm(block) => block,
        };
        task.progress.step(Step::Note(account::announcement(&block, blocks.len(), state.budget_s)));
        let fresh = task.run(&block, &sweeps).await?;
        told.extend(fresh.iter().map(|s| confirming(s, &block)));
        blocks.push(Done { block, wall_s: fresh.iter().map(|s| s.timing.wall_s).sum() });
        costs.learn(&fresh);
        sweeps.extend(fresh);
        judgement = judge_sweeps(task.baselines, &sweeps, task.policy);
    };
    let account = account::account(task.budget.as_secs_f64(), first_s, &blocks, &stop);
    let confirmation =
        (!blocks.is_empty() || stop != Stop::NothingOpen).then(|| task.confirmation(told, account));
    if let Some(confirmation) = &confirmation {
        task.progress.step(Step::Note(confirmation.account.clone()));
    }
    sweeps.remove(0);
    Ok(Confirmed { judgement, fresh: sweeps, confirmation })
}

impl Task<'_> {
    fn spent_s(&self) -> f64 {
        self.began.elapsed().as_secs_f64()
    }

    fn confirmation(&self, sweeps: Vec<ConfirmingSweep>, account: String) -> Confirmation {
        Confirmation { sweeps, budget_s: self.budget.as_secs_f64(), spent_s: self.spent_s(), account }
    }

    /// The sweeps of one block. `so_far` are the first sweep and the fresh ones of earlier blocks.
    async fn run(&self, block: &Block, so_far: &[Sweep]) -> Result<Vec<Sweep>, PipelineError> {
        let mut fresh: Vec<Sweep> = Vec::new();
        let Some(first) = so_far.first() else { return Ok(fresh) };
        let request = request(first, block);
        for _ in 0..BLOCK {
            match sweep(self.config, self.profile, &request, self.progress, self.cancel).await {
                Ok(sweep) => fresh.push(sweep),
                Err(source) => {
                    let kept = so_far.iter().chain(&fresh).map(|s| s.sweep.clone()).collect();
                    return Err(PipelineError::Confirming { kept, source: Box::new(source) });
                }
            }
        }
        Ok(fresh)
    }
}

fn confirming(sweep: &Sweep, block: &Block) -> ConfirmingSweep {
    let cells = sweep.cells.iter().filter(|c| !c.environment.is_native()).count();
    ConfirmingSweep {
        sweep: sweep.sweep.clone(),
        whole: block.whole,
        cells: u32::try_from(cells).unwrap_or(u32::MAX),
        wall_s: sweep.timing.wall_s,
    }
}

/// A fresh sweep as the first one was: its rounds, and its cases and environments as far as the block names them.
fn request(first: &Sweep, block: &Block) -> Request {
    let asked = cost::by_case(&block.cells);
    let mut case_rounds = rounds_of_cases(first);
    case_rounds.retain(|case, _| asked.contains_key(case));
    let request = Request { rounds: Some(first.rounds), case_rounds, ..Request::default() };
    if block.whole {
        let environments: BTreeSet<EnvironmentName> = asked.values().flatten().cloned().collect();
        return Request {
            only: asked.into_keys().collect(),
            environments: Some(environments.into_iter().collect()),
            ..request
        };
    }
    Request { cells: Some::<CellSet>(asked), ..request }
}

/// The cases of a sweep that had another number of rounds than the nominal one.
fn rounds_of_cases(sweep: &Sweep) -> BTreeMap<String, u32> {
    let mut rounds = BTreeMap::new();
    for series in sweep.series.iter().filter(|s| !s.values.is_empty()) {
        let own = u32::try_from(series.values.len()).unwrap_or(u32::MAX);
        if own != sweep.rounds {
            rounds.insert(format!("{}/{}", series.workload, series.case), own);
        }
    }
    rounds
}

#[cfg(test)]
mod tests {
    use super::fixtures::{cell, sweep};
    use super::*;
    use crate::model::{Better, Family, Scale, Series};

    fn block(whole: bool) -> Block {
        let cells = [cell("a", "docker"), cell("b", "kvm")].into();
        Block { cells, whole, open: 2, estimate_s: 1.0, left_out: 0, short_s: 0.0 }
    }

    fn first() -> Sweep {
        let mut first = sweep(&[("a", "docker", 1.0), ("b", "kvm", 1.0)], 1.0);
        for (case, rounds) in [("a", 7), ("b", 4), ("c", 2)] {
            first.series.push(Series {
                workload: "w".into(),
                case: case.into(),
                metric: "m".into(),
                unit: "s".into(),
                better: Better::Lower,
                family: Family::Cpu,
                tail: false,
                resolution: None,
                scale: Scale::Ratio,
                environment: "docker".parse().expect("a name"),
                values: vec![Some(1.0); rounds],
            });
        }
        first
    }

    #[test]
    fn a_fresh_sweep_has_the_chosen_cells_and_the_rounds_of_the_first() {
        let asked = request(&first(), &block(false));
        let cells = asked.cells.expect("cells");
        assert_eq!(cells.keys().collect::<Vec<_>>(), ["w/a", "w/b"]);
        assert_eq!((asked.rounds, asked.case_rounds), (Some(4), [("w/a".to_owned(), 7)].into()));
        assert!(asked.only.is_empty() && asked.environments.is_none() && asked.resume.is_none());
    }

    #[test]
    fn a_repetition_of_the_suite_names_no_cells() {
        let asked = request(&first(), &block(true));
        assert_eq!((asked.cells, asked.only), (None, vec!["w/a".to_owned(), "w/b".to_owned()]));
        let environments = ["docker", "kvm"].map(|e| e.parse().expect("a name"));
        assert_eq!(asked.environments, Some(environments.to_vec()));
    }
}
