//! What all handlers share.

use super::counts::Counts;
use super::guard::Gate;
use super::index::{Catalogue, Index};
use super::problem::Problem;
use super::seen::Seen;
use super::{HttpError, Limits, State};
use crate::config::Config;
use crate::notify::{Clock, Secret};
use crate::watch::{Status, WakeUp};
use std::sync::Arc;
use tokio::sync::{Mutex, Semaphore, mpsc, watch};
use tokio_util::sync::CancellationToken;

/// What all handlers share.
#[derive(Debug)]
pub(super) struct App {
    pub status: watch::Receiver<Arc<Status>>,
    pub wake: mpsc::Sender<WakeUp>,
    pub config: Arc<Config>,
    pub clock: Arc<dyn Clock>,
    pub limits: Limits,
    pub gate: Gate,
    pub hook_secret: Option<Secret>,
    pub seen: Arc<Mutex<Seen>>,
    pub index: Index,
    pub counts: Counts,
    /// Permits of the requests that are worked on.
    pub requests: Semaphore,
    /// Permits of the hooks that are being heard.
    pub hooks: Semaphore,
    /// Permits of the streams of events.
    pub streams: Arc<Semaphore>,
    /// Permits of what reads many files.
    pub readers: Semaphore,
    pub cancel: CancellationToken,
}

/// Requests that judge a sweep or read rounds, at once: each may take some megabytes.
const READERS: usize = 2;

impl App {
    /// Fails when a secret is none, or the list of deliveries cannot be read.
    pub fn new(state: State, cancel: CancellationToken) -> Result<Self, HttpError> {
        let State { status, wake, config, token, hook_secret, clock, limits } = state;
        let seen = Seen::open(&config.state.join("hook-deliveries"))?;
        Ok(Self {
            index: Index::new(Arc::clone(&config)),
            status,
            wake,
            config,
            clock,
            limits,
            gate: Gate::new(token),
            hook_secret,
            seen: Arc::new(Mutex::new(seen)),
            counts: Counts::default(),
            requests: Semaphore::new(limits.requests),
            hooks: Semaphore::new(limits.hooks),
            streams: Arc::new(Semaphore::new(limits.streams)),
            readers: Semaphore::new(READERS),
            cancel,
        })
    }

    /// What the service says of itself now.
    pub fn status(&self) -> Arc<Status> {
        Arc::clone(&self.status.borrow())
    }

    /// Makes something from the catalogue, as it is now, on a thread that may take its time.
    pub async fn look<T, F>(self: &Arc<Self>, make: F) -> Result<T, Problem>
    where
        T: Send + 'static,
        F: FnOnce(&Catalogue) -> Result<T, Problem> + Send + 'static,
    {
        self.index.refresh().await;
        let app = Arc::clone(self);
        let work = tokio::task::spawn_blocking(move || make(&app.index.read()));
        work.await.map_err(|_| Problem::Broken)?
    }

    /// Makes something that reads files, a few at a time.
    pub async fn dig<T, F>(self: &Arc<Self>, make: F) -> Result<T, Problem>
    where
        T: Send + 'static,
        F: FnOnce(&Self) -> Result<T, Problem> + Send + 'static,
    {
        let _permit = self.readers.acquire().await.map_err(|_| Problem::Broken)?;
        let app = Arc::clone(self);
        let work = tokio::task::spawn_blocking(move || make(&app));
        work.await.map_err(|_| Problem::Broken)?
    }
}
