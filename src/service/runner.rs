//! Who does a job: this host, or GitHub Actions.

use super::board::Board;
use crate::alert::candidates::Statement;
use crate::model::{Decision, SweepId};
use crate::watch::queue::Components;
use crate::watch::{Finished, Job};
use async_trait::async_trait;
use std::fmt;
use tokio_util::sync::CancellationToken;

/// A job to do.
#[derive(Debug, Clone)]
pub struct Order {
    /// Which.
    pub job: Job,
    /// The name of its first sweep. One that was begun under this name is gone on with.
    pub sweep: SweepId,
}

/// How it went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ran {
    /// Measured, judged and told, or kept to be told.
    Judged {
        /// What the judge decided.
        decision: Decision,
        /// The first sweep.
        sweep: Option<SweepId>,
        /// What the host was made of.
        components: Components,
        /// More of it, in words.
        detail: Option<String>,
    },
    /// GitHub was asked to measure.
    Dispatched(String),
    /// Another sweep has the host.
    Busy(String),
    /// The sweep that was begun cannot be gone on with.
    Stale(String),
    /// It was stopped on request; the host is clean and the journal is kept.
    Stopped,
    /// Who should measure could not be asked, which time or a person's new token mends. It is tried for as long as it takes.
    PutOff(String),
    /// It failed.
    Failed {
        /// Why.
        why: String,
        /// Whether it fails until a person mends something.
        for_good: bool,
    },
}

impl fmt::Display for Ran {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Judged { decision, detail, .. } => {
                write!(f, "judged: {}", decision.as_str())?;
                detail.iter().try_for_each(|detail| write!(f, "; {detail}"))
            }
            Self::Dispatched(what) => write!(f, "GitHub was asked to measure: {what}"),
            Self::Busy(why) => write!(f, "waits: {why}"),
            Self::Stale(why) => write!(f, "begins anew: {why}"),
            Self::Stopped => f.write_str("stopped; the journal is kept"),
            Self::PutOff(why) => write!(f, "put off, and tried again for as long as it takes: {why}"),
            Self::Failed { why, .. } => write!(f, "failed: {why}"),
        }
    }
}

/// Does jobs.
#[async_trait(?Send)]
pub trait Runner {
    /// Does one job. When `cancel` is cancelled it leaves the host clean and returns soon.
    async fn run(&self, order: &Order, board: &Board, cancel: &CancellationToken) -> Ran;

    /// A job was given up: says so to whoever should know, or keeps it to be said; an error when not even that worked. After a
    /// crash the same may be said again.
    async fn gave_up(&self, over: &Finished) -> Result<(), String>;

    /// Tells what could not be told before.
    async fn tell_waiting(&self);

    /// Tells what is offered, or keeps it to be told; an error when not even that worked.
    async fn tell_offered(&self, offered: Statement) -> Result<(), String>;
}
