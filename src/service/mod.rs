//! Floor 5: the service: notices that its host changed, and has it measured when it is free.
//!
//! One loop, on one task. Whatever wakes it only leads to a look; what a look means is decided by [`crate::watch`], and
//! written down before anything is done about it.

pub mod board;
pub mod dispatch;
mod errand;
pub mod follow;
pub mod host;
pub mod http;
mod keep;
pub mod local;
mod offered;
pub mod runner;
mod systemd;
mod turn;
pub mod wake;

use crate::config::Config;
use crate::notify::Clock;
use crate::watch::{Debounce, Queue, Source, Status, WakeUp};
use board::Board;
use chrono::{DateTime, TimeDelta, Utc};
use errand::Errand;
use follow::Feeds;
use host::{Host, Look};
use keep::Keep;
use runner::{Ran, Runner};
use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;
use systemd::Manager;
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

pub use keep::KeepError;

/// Wake-ups that may wait. Those that find no room are as good as one that does.
const WAKE_UPS: usize = 64;

/// What the service works with.
pub struct Parts<'a> {
    /// Settings.
    pub config: &'a Config,
    /// The host.
    pub host: &'a dyn Host,
    /// Who does jobs.
    pub runner: &'a dyn Runner,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Seed of the jitter, used when there is no queue yet.
    pub seed: u64,
}

/// A wake-up whose sender waits until it is written down.
#[derive(Debug)]
pub struct Asked {
    /// What is asked.
    pub wake: WakeUp,
    /// What is said then: what became of it, or why it is refused.
    pub answer: oneshot::Sender<Result<String, String>>,
}

/// Something that goes on beside the loop.
type Task<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// The running job.
struct Flight<'a> {
    task: Option<Task<'a, Ran>>,
    cancel: CancellationToken,
}

/// The service.
pub struct Service<'a> {
    parts: Parts<'a>,
    keep: Keep,
    queue: Queue,
    /// Whether the queue is not written down as it is.
    unsaved: bool,
    board: Arc<Board>,
    flight: Flight<'a>,
    looking: Option<Task<'a, Look>>,
    /// Telling what could not be told.
    errand: Option<Task<'a, Errand>>,
    /// Until when it is not tried again to tell that a job was given up.
    untold_until: Option<DateTime<Utc>>,
    /// Telling what is offered.
    notice: Option<Task<'a, offered::Told>>,
    telling: offered::Telling,
    seen: Option<Look>,
    look_wanted: bool,
    last_look: DateTime<Utc>,
    last_errand: DateTime<Utc>,
    debounce: Debounce,
    started_at: DateTime<Utc>,
    wakeups: BTreeMap<String, u64>,
    manager: Manager,
    status: watch::Sender<Arc<Status>>,
    wake: (mpsc::Sender<WakeUp>, mpsc::Receiver<WakeUp>),
    asked: (mpsc::Sender<Asked>, mpsc::Receiver<Asked>),
    offers: watch::Sender<Feeds>,
}

/// What the loop waits for.
enum Event {
    Stop,
    Wake(WakeUp),
    Asked(Asked),
    Ran(Ran),
    Looked(Look),
    Errand(Errand),
    Told(offered::Told),
    Other,
}

impl<'a> Service<'a> {
    /// Becomes the service of the configured state directory, with the queue as it was left. Does nothing yet.
    pub fn open(parts: Parts<'a>) -> Result<Self, KeepError> {
        let now = parts.clock.now();
        let keep = Keep::open(&parts.config.state)?;
        let mut queue = keep.load(parts.seed, now)?;
        queue.recover(now);
        let debounce = TimeDelta::from_std(parts.config.watch.debounce).unwrap_or(TimeDelta::seconds(10));
        let (status, _) = watch::channel(Arc::new(turn::first_status(&parts, now)));
        Ok(Self {
            keep,
            queue,
            unsaved: true,
            board: Arc::default(),
            flight: Flight { task: None, cancel: CancellationToken::new() },
            looking: None,
            errand: None,
            untold_until: None,
            notice: None,
            telling: offered::Telling::default(),
            seen: None,
            look_wanted: false,
            last_look: now,
            last_errand: now,
            debounce: Debounce::new(debounce),
            started_at: now,
            wakeups: BTreeMap::new(),
            manager: Manager::from_environment(),
            status,
            wake: mpsc::channel(WAKE_UPS),
            asked: mpsc::channel(WAKE_UPS),
            offers: watch::channel(Feeds::new()).0,
            parts,
        })
    }

    /// What the service shows of itself, from now on.
    pub fn status(&self) -> watch::Receiver<Arc<Status>> {
        self.status.subscribe()
    }

    /// Where wake-ups go.
    pub fn waker(&self) -> mpsc::Sender<WakeUp> {
        self.wake.0.clone()
    }

    /// Where those go whose sender waits until they are written down.
    pub fn asker(&self) -> mpsc::Sender<Asked> {
        self.asked.0.clone()
    }

    /// Where those tell what is offered who follow it.
    pub fn offers(&self) -> watch::Sender<Feeds> {
        self.offers.clone()
    }

    /// Works until it is cancelled. A job that runs is stopped then, and gone on with by the next service.
    pub async fn run(mut self, cancel: &CancellationToken) -> Result<(), KeepError> {
        *self.wakeups.entry(Source::Boot.as_str().to_owned()).or_default() += 1;
        self.look_wanted = true;
        Manager::ready();
        loop {
            let rest = self.turn(cancel);
            match self.next(rest, cancel).await {
                Event::Stop => break,
                Event::Wake(wake) => {
                    if let Err(why) = self.heard(&wake) {
                        tracing::warn!(source = wake.source.as_str(), why, "a wake-up is refused");
                    }
                }
                Event::Asked(asked) => self.answer(asked),
                Event::Ran(ran) => self.ended(ran, cancel),
                Event::Looked(look) => self.looked(look),
                Event::Errand(errand) => self.back_from(errand),
                Event::Told(told) => self.told_offered(told),
                Event::Other => {}
            }
        }
        Manager::stopping();
        if self.flight.task.is_some() {
            self.flight.cancel.cancel();
            let ran = arrived(&mut self.flight.task).await;
            self.ended(ran, cancel);
        }
        self.finish_errand().await;
        self.keep.save(&self.queue)
    }

    async fn next(&mut self, rest: std::time::Duration, cancel: &CancellationToken) -> Event {
        let clock = Arc::clone(&self.parts.clock);
        let board = Arc::clone(&self.board);
        tokio::select! {
            () = cancel.cancelled() => Event::Stop,
            Some(wake) = self.wake.1.recv() => Event::Wake(wake),
            Some(asked) = self.asked.1.recv() => Event::Asked(asked),
            ran = arrived(&mut self.flight.task) => Event::Ran(ran),
            look = arrived(&mut self.looking) => Event::Looked(look),
            errand = arrived(&mut self.errand) => Event::Errand(errand),
            told = arrived(&mut self.notice) => Event::Told(told),
            () = board.news() => Event::Other,
            () = clock.sleep(rest) => Event::Other,
        }
    }
}

/// The result of a task, whose place is empty then. Waits for ever where there is none.
async fn arrived<T>(place: &mut Option<Task<'_, T>>) -> T {
    let result = match place {
        Some(task) => task.as_mut().await,
        None => std::future::pending().await,
    };
    *place = None;
    result
}
