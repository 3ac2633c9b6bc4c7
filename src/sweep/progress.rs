//! What a running sweep tells to whoever watches it.

use crate::model::EnvironmentName;
use std::time::Duration;

/// A cell of the plan as measuring begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedCell {
    /// `workload/case`.
    pub case: String,
    /// Where.
    pub environment: EnvironmentName,
    /// Trials that an interrupted run did.
    pub done: u32,
    /// All of its trials.
    pub of: u32,
    /// Whether it was given up already, so that no more of them are run.
    pub given_up: bool,
}

/// Something worth showing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// An environment is being started.
    Starting(EnvironmentName),
    /// An environment cannot take part.
    Lost {
        /// Which.
        environment: EnvironmentName,
        /// Why.
        reason: String,
    },
    /// Files are laid out and servers started.
    Preparing,
    /// Uncounted rounds.
    WarmingUp,
    /// Measuring begins; every cell once.
    Planned(Vec<PlannedCell>),
    /// A counted trial has ended. Those of cells that were given up are not run and not told.
    Trial {
        /// `workload/case`.
        case: String,
        /// Where.
        environment: EnvironmentName,
        /// From the turn being given to the value being there.
        took: Duration,
        /// Whether it gave none.
        failed: bool,
    },
    /// Blocks done, of all; trials that failed so far.
    Blocks {
        /// Done, also before an interruption.
        done: usize,
        /// All of the plan.
        of: usize,
        /// Failed trials in this run.
        failed: usize,
    },
    /// A cell was given up.
    GivenUp {
        /// `workload/case`.
        case: String,
        /// Where.
        environment: EnvironmentName,
        /// Why.
        reason: String,
    },
    /// Environments are being stopped.
    Stopping,
    /// Anything else, one line.
    Note(String),
}

/// Receives steps. Must not block: trials wait for it.
pub trait Progress: Send + Sync {
    /// Shows or keeps a step.
    fn step(&self, step: Step);
}

/// Shows nothing.
#[derive(Debug)]
pub struct Silent;

impl Progress for Silent {
    fn step(&self, _: Step) {}
}
