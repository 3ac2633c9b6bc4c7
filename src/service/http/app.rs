//! What all handlers share.

use super::counts::{Counts, Refusal};
use super::guard::Gate;
use super::index::{Catalogue, Index};
use super::problem::Problem;
use super::seen::Seen;
use super::{HttpError, Limits, State, Tracker};
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
    pub tracker: Option<Tracker>,
    pub seen: Arc<Mutex<Seen>>,
    pub index: Index,
    pub counts: Counts,
    /// Permits of the requests that are worked on.
    pub requests: Semaphore,
    /// Permits of the hooks that are being heard.
    pub hooks: Semaphore,
    /// Permits of the streams of events.
    pub streams: Arc<Semaphore>,
    /// Permits of the threads that look at the catalogue. A request's own permit goes with its client; a thread goes on.
    pub lookers: Arc<Semaphore>,
    /// Permits of the threads that read many files.
    pub readers: Arc<Semaphore>,
    pub cancel: CancellationToken,
}

/// Requests that judge a sweep or read rounds, at once: each may take some megabytes.
const READERS: usize = 2;

impl App {
    /// Fails when a secret is none, or the list of deliveries cannot be read.
    pub fn new(state: State, cancel: CancellationToken) -> Result<Self, HttpError> {
        let State { status, wake, config, keys, tracker, clock, limits } = state;
        let seen = Seen::open(&config.state.join("hook-deliveries"))?;
        Ok(Self {
            index: Index::new(Arc::clone(&config)),
            status,
            wake,
            config,
            clock,
            limits,
            gate: Gate::new(keys.token),
            hook_secret: keys.hook_secret,
            tracker,
            seen: Arc::new(Mutex::new(seen)),
            counts: Counts::default(),
            requests: Semaphore::new(limits.requests),
            hooks: Semaphore::new(limits.hooks),
            streams: Arc::new(Semaphore::new(limits.streams)),
            lookers: Arc::new(Semaphore::new(limits.requests)),
            readers: Arc::new(Semaphore::new(READERS)),
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
        self.work(&self.lookers, move |app| make(&app.index.read())).await
    }

    /// Makes something that reads files, a few at a time.
    pub async fn dig<T, F>(self: &Arc<Self>, make: F) -> Result<T, Problem>
    where
        T: Send + 'static,
        F: FnOnce(&Self) -> Result<T, Problem> + Send + 'static,
    {
        self.work(&self.readers, make).await
    }

    /// Works on a thread that may block, as soon as there is a permit. The permit is the thread's: a client that closes ends
    /// what waits here, but not the thread.
    async fn work<T, F>(self: &Arc<Self>, permits: &Arc<Semaphore>, make: F) -> Result<T, Problem>
    where
        T: Send + 'static,
        F: FnOnce(&Self) -> Result<T, Problem> + Send + 'static,
    {
        let permit = tokio::time::timeout(self.limits.patience, Arc::clone(permits).acquire_owned());
        let Ok(Ok(permit)) = permit.await else {
            self.counts.refuse(Refusal::Busy);
            return Err(Problem::Busy);
        };
        let app = Arc::clone(self);
        let work = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            make(&app)
        });
        work.await.map_err(|_| Problem::Broken)?
    }
}

#[cfg(test)]
mod tests {
    use super::super::Keys;
    use super::*;
    use crate::notify::SystemClock;
    use crate::watch::Mode;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc as threads;
    use std::time::Duration;

    fn app(dir: &std::path::Path) -> Arc<App> {
        let mut config = Config::resolve(None).expect("the defaults");
        config.state = dir.join("state");
        let now = chrono::DateTime::UNIX_EPOCH;
        let status = Status::new("0", "amd-epyc-2c-24g".parse().expect("a name"), Mode::Local, now);
        let state = State {
            status: watch::channel(Arc::new(status)).1,
            wake: mpsc::channel(1).0,
            config: Arc::new(config),
            keys: Keys::default(),
            tracker: None,
            clock: Arc::new(SystemClock),
            limits: Limits { requests: 2, patience: Duration::from_millis(300), ..Limits::default() },
        };
        Arc::new(App::new(state, CancellationToken::new()).expect("made"))
    }

    /// Clients that ask and close, `READERS` of whose threads never end before `ends` is dropped.
    #[tokio::test]
    async fn who_closes_leaves_its_thread_and_its_permit() {
        let dir = tempfile::tempdir().expect("a directory");
        let app = app(dir.path());
        // Not by `look`, whose threads hold the catalogue, which a refreshing waits for.
        for permits in [&app.readers, &app.lookers] {
            let (ends, end) = threads::channel::<()>();
            let (end, working) = (Arc::new(std::sync::Mutex::new(end)), Arc::new(AtomicUsize::new(0)));
            for _ in 0..5 {
                let (end, working) = (Arc::clone(&end), Arc::clone(&working));
                let block = move || {
                    working.fetch_add(1, Ordering::SeqCst);
                    // An error, since nobody sends; those behind it wait for the mutex.
                    drop(end.lock().map(|end| end.recv()));
                    Ok(())
                };
                let asked = app.work(permits, move |_| block());
                drop(tokio::time::timeout(Duration::from_millis(200), asked).await);
            }
            for _ in 0..100 {
                // A thread that has its permit begins when the host lets it.
                if working.load(Ordering::SeqCst) < 2 {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
            assert_eq!(working.load(Ordering::SeqCst), 2, "threads");
            let answer = app.work(permits, |_| Ok(())).await;
            assert!(matches!(answer, Err(Problem::Busy)), "{answer:?}");
            drop(ends);
            let answer = app.work(permits, |_| Ok(())).await;
            answer.expect("room again");
        }
        let busy = app.counts.refused().find(|(why, _)| *why == "busy");
        assert_eq!(busy, Some(("busy", 2)));
    }
}
