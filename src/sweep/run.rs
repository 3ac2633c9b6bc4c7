//! Runs a plan: environments are started, proven and prepared, then its blocks are worked off with a journal.

use super::cells::Cells;
use super::journal::{Journal, JournalError, Line, Part, TrialRecord};
use super::perform::at_client;
use super::plan::{Block, Plan, label};
use super::progress::{PlannedCell, Progress, Step};
use crate::environment::agent::AgentError;
use crate::environment::agent::process::AgentProcess;
use crate::environment::{Environment, Session};
use crate::host::cpu_clock::HostClock;
use crate::model::{CpuList, EnvironmentName, HostCost};
use crate::workload::Case;
use chrono::Utc;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

/// Why a sweep ended early. The journal is kept, so it can be resumed.
#[derive(Debug, thiserror::Error)]
pub enum SweepError {
    /// The journal.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The client's agent.
    #[error("the network client did not start: {0}")]
    Client(AgentError),
    /// Ctrl-C, SIGTERM.
    #[error("stopped on request; the journal is kept: go on with --resume")]
    Cancelled,
}

/// Limits of a sweep.
#[derive(Debug, Clone)]
pub struct Limits {
    /// At most so many bytes of a trial's output are kept.
    pub output_bytes: usize,
    /// A cell with a larger share of failed rounds is given up.
    pub max_failed_share: f64,
    /// How long a server may take to come up, milliseconds.
    pub server_ready_ms: u64,
}

/// An environment with what it needs to start.
pub struct Member {
    /// The environment.
    pub environment: Box<dyn Environment>,
    /// Its context, with its ports.
    pub context: crate::environment::Context,
}

/// Who takes part in a sweep.
pub struct Crew {
    /// The environments.
    pub members: Vec<Member>,
    /// The agent in the client's network namespace: program, bench image's root, namespace, sweep id.
    pub client: Option<ClientPlace>,
}

/// Where the network client runs.
#[derive(Debug, Clone)]
pub struct ClientPlace {
    /// The agent's program.
    pub agent: PathBuf,
    /// The bench image's root.
    pub root: PathBuf,
    /// The client's namespace.
    pub netns: PathBuf,
    /// The sweep's id.
    pub sweep: String,
    /// The processors that it may use.
    pub cpus: CpuList,
}

/// A started environment during a sweep.
pub(super) struct Slot {
    pub(super) session: Box<dyn Session>,
    pub(super) ports: BTreeMap<String, u16>,
    pub(super) network_trials: u32,
    pub(super) scratch: PathBuf,
    pub(super) rootfs: PathBuf,
}

/// A sweep in progress.
pub(super) struct Runner<'a> {
    pub(super) plan: &'a Plan,
    pub(super) journal: &'a mut Journal,
    pub(super) progress: &'a dyn Progress,
    pub(super) cancel: &'a CancellationToken,
    pub(super) limits: &'a Limits,
    pub(super) slots: BTreeMap<EnvironmentName, Slot>,
    pub(super) client: Option<AgentProcess>,
    pub(super) cells: Cells,
    pub(super) began: Instant,
}

/// Runs the blocks of `plan` that are not in `done` to the end. Sessions are stopped whatever happens.
#[expect(clippy::too_many_arguments, reason = "the parts of a sweep, each of its own type")]
pub async fn run(
    plan: &Plan,
    crew: Crew,
    warmup_rounds: u32,
    done: &BTreeSet<usize>,
    journal: &mut Journal,
    progress: &dyn Progress,
    cancel: &CancellationToken,
    limits: &Limits,
) -> Result<(), SweepError> {
    let mut runner = Runner {
        plan,
        journal,
        progress,
        cancel,
        limits,
        slots: BTreeMap::new(),
        client: None,
        cells: Cells::new(plan.cases.iter().map(|c| c.rounds), limits.max_failed_share),
        began: Instant::now(),
    };
    runner.journal.append(&Line::Run { at: Utc::now() })?;
    let outcome = runner.whole(crew, warmup_rounds, done).await;
    progress.step(Step::Stopping);
    runner.stop().await;
    outcome?;
    let at_ms = runner.at_ms();
    runner.journal.append(&Line::Finished { at: Utc::now(), at_ms })?;
    Ok(runner.journal.sync()?)
}

impl Runner<'_> {
    fn at_ms(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Notes that a part of the sweep is over.
    pub(super) fn ended(&mut self, part: Part) -> Result<(), SweepError> {
        let at_ms = self.at_ms();
        Ok(self.journal.append(&Line::Ended { part, at_ms })?)
    }

    pub(super) fn check_cancelled(&self) -> Result<(), SweepError> {
        if self.cancel.is_cancelled() { Err(SweepError::Cancelled) } else { Ok(()) }
    }

    async fn whole(
        &mut self,
        crew: Crew,
        warmup_rounds: u32,
        done: &BTreeSet<usize>,
    ) -> Result<(), SweepError> {
        let cancel = self.cancel.clone();
        tokio::select! {
            prepared = self.prepare(crew) => prepared?,
            () = cancel.cancelled() => return Err(SweepError::Cancelled),
        }
        self.ended(Part::Preparing)?;
        self.progress.step(Step::WarmingUp);
        // What the harness starts afresh in each trial has nothing to be warmed.
        let warmed = |block: &&Block| {
            let standing = self.plan.cases[block.case].case.trial.runs_in_what_stands();
            block.round <= warmup_rounds && standing
        };
        let warmups: Vec<Block> = self.plan.blocks.iter().filter(warmed).cloned().collect();
        for block in &warmups {
            for environment in &block.order {
                self.trial(block, environment).await?;
            }
        }
        self.ended(Part::WarmingUp)?;
        self.blocks(done).await?;
        self.prove_all().await?;
        self.ended(Part::Measuring)
    }

    async fn blocks(&mut self, done: &BTreeSet<usize>) -> Result<(), SweepError> {
        let plan = self.plan;
        self.progress.step(Step::Planned(self.planned(done)));
        let halfway = plan.blocks.len() / 2;
        for (index, block) in plan.blocks.iter().enumerate() {
            if done.contains(&index) {
                continue;
            }
            if index == halfway {
                self.prove_all().await?;
            }
            for environment in &block.order {
                let record = self.counted(index, environment).await?;
                self.note_failure(block.case, environment, &record)?;
                self.journal.append(&Line::Trial(record))?;
            }
            self.journal.sync()?;
            self.progress.step(Step::Blocks {
                done: index + 1,
                of: plan.blocks.len(),
                failed: self.cells.failures(),
            });
        }
        Ok(())
    }

    /// Every cell of the plan, with the trials that were done before.
    fn planned(&self, done: &BTreeSet<usize>) -> Vec<PlannedCell> {
        let mut done_of: BTreeMap<usize, u32> = BTreeMap::new();
        for index in done {
            *done_of.entry(self.plan.blocks[*index].case).or_default() += 1;
        }
        let cell = |index: usize, environment: &EnvironmentName| PlannedCell {
            case: label(&self.plan.cases[index].case),
            environment: environment.clone(),
            done: done_of.get(&index).copied().unwrap_or(0),
            of: self.plan.cases[index].rounds,
            given_up: self.cells.given_up(index, environment).is_some(),
        };
        let cases = self.plan.cases.iter().enumerate();
        cases.flat_map(|(index, case)| case.environments.iter().map(move |e| cell(index, e))).collect()
    }

    /// A trial of a block, told to whoever watches.
    async fn counted(
        &mut self,
        index: usize,
        environment: &EnvironmentName,
    ) -> Result<TrialRecord, SweepError> {
        let block = &self.plan.blocks[index];
        let is_run = self.cells.given_up(block.case, environment).is_none();
        let began = Instant::now();
        let record = TrialRecord { block: index, ..self.trial(block, environment).await? };
        if is_run {
            self.progress.step(Step::Trial {
                case: record.case.clone(),
                environment: environment.clone(),
                took: began.elapsed(),
                failed: record.failure.is_some(),
            });
        }
        Ok(record)
    }

    fn note_failure(
        &mut self,
        case: usize,
        environment: &EnvironmentName,
        record: &TrialRecord,
    ) -> Result<(), SweepError> {
        let Some(failure) = &record.failure else { return Ok(()) };
        if self.cells.given_up(case, environment).is_some() {
            return Ok(());
        }
        tracing::warn!(case = %record.case, round = record.round, %environment, failure, "trial failed");
        if let Some(reason) = self.cells.failed(case, environment, failure) {
            self.tell_given_up(case, environment, &reason)?;
        }
        Ok(())
    }

    /// Writes and shows that a cell was given up.
    pub(super) fn tell_given_up(
        &mut self,
        case: usize,
        environment: &EnvironmentName,
        reason: &str,
    ) -> Result<(), SweepError> {
        let case = label(&self.plan.cases[case].case);
        let (environment, reason) = (environment.clone(), reason.to_owned());
        self.progress.step(Step::GivenUp {
            case: case.clone(),
            environment: environment.clone(),
            reason: reason.clone(),
        });
        Ok(self.journal.append(&Line::GivenUp { case, environment, reason })?)
    }

    /// One trial, while every other environment rests. An error only when the sweep must end.
    async fn trial(
        &mut self,
        block: &Block,
        environment: &EnvironmentName,
    ) -> Result<TrialRecord, SweepError> {
        self.check_cancelled()?;
        let case = &self.plan.cases[block.case].case;
        let mut record = TrialRecord {
            block: 0,
            case: label(case),
            round: block.round,
            environment: environment.clone(),
            at_ms: 0,
            values: None,
            latencies: Vec::new(),
            failure: None,
            usage: None,
            host: None,
        };
        let measured = if let Some(why) = self.cells.given_up(block.case, environment) {
            Err(format!("not run: {why}"))
        } else {
            let within = tracing::info_span!("environment", %environment);
            let round = block.round;
            let span = tracing::info_span!(parent: &within, "workload", case = label(case), round);
            self.measure(case, round, environment, &mut record).instrument(span).await?
        };
        match measured {
            Ok(values) => record.values = Some(values),
            Err(why) => record.failure = Some(why),
        }
        record.at_ms = self.at_ms();
        Ok(record)
    }

    async fn measure(
        &mut self,
        case: &Case,
        round: u32,
        environment: &EnvironmentName,
        record: &mut TrialRecord,
    ) -> Result<Result<Vec<f64>, String>, SweepError> {
        if let Err(why) = self.give_turn(environment).await? {
            return Ok(Err(why));
        }
        let root = std::path::Path::new("/");
        let cancel = self.cancel.clone();
        let before = HostClock::read(root);
        let done = tokio::select! {
            done = self.perform(case, round, environment) => done,
            () = cancel.cancelled() => return Err(SweepError::Cancelled),
        };
        if let (Ok(before), Ok(after)) = (before, HostClock::read(root)) {
            let spent = after.delta(&before);
            record.host = Some(HostCost {
                busy_us: spent.busy_us,
                steal_us: spent.steal_us,
                psi_cpu_us: spent.psi_cpu_us,
            });
        }
        let done = match done {
            Ok(done) => done,
            Err(why) => return Ok(Err(why)),
        };
        record.usage = Some(done.usage());
        record.latencies = done.latencies(case);
        let values = done.values(case, record.host);
        if at_client(case)
            && values.is_ok()
            && let Some(slot) = self.slots.get_mut(environment)
        {
            slot.network_trials += 1;
        }
        Ok(values)
    }

    /// Stops the CPUs of the other environments and lets this one run. One that cannot be stopped would disturb the
    /// others: it is ended.
    async fn give_turn(&mut self, environment: &EnvironmentName) -> Result<Result<(), String>, SweepError> {
        let mut restless = Vec::new();
        let mut woken = Ok(());
        for (name, slot) in &mut self.slots {
            if name == environment {
                woken = slot.session.wake().await.map_err(|e| e.to_string());
            } else if let Err(error) = slot.session.rest().await {
                restless
                    .push((name.clone(), format!("it cannot be stopped while others are measured: {error}")));
            }
        }
        for (name, why) in restless {
            if let Some(slot) = self.slots.remove(&name) {
                let _ = slot.session.stop().await;
            }
            self.lose(&name, &why)?;
        }
        Ok(woken)
    }

    /// Stops all sessions and the client. Failures are shown; `clean` can finish the work.
    async fn stop(&mut self) {
        if let Some(client) = self.client.take() {
            client.stop().await;
        }
        for (name, slot) in std::mem::take(&mut self.slots) {
            if let Err(error) = slot.session.stop().await {
                self.progress.step(Step::Note(format!("{name} did not stop cleanly: {error}")));
            }
        }
    }
}
