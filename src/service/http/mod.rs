//! What the service shows: pages, a JSON API, metrics for Prometheus, and the signed hook that wakes it. `docs/api.md` has the
//! routes.
//!
//! Pages need no script and no outside address. Nothing here changes anything on the host but the list of
//! deliveries that the hook has seen: the hook only sends a [`WakeUp`].

mod alerts;
mod api;
mod app;
mod ask;
mod assets;
mod connections;
mod counts;
mod guard;
mod hook;
mod index;
mod live;
mod metrics;
mod pages;
mod patient;
mod problem;
mod routes;
mod seen;
mod show;

pub use alerts::Tracker;
pub use routes::ROUTES;

use crate::config::Config;
use crate::notify::{Clock, Secret};
use crate::watch::{Status, WakeUp};
use app::App;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

/// Characters below which a token or a hook's secret could be guessed.
const SHORTEST_SECRET: usize = 16;

/// Why the pages cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// The socket.
    #[error("the socket to listen on: {0}")]
    Listener(std::io::Error),
    /// Anybody could read everything.
    #[error("{address} is no loopback address: set a token, or listen on 127.0.0.1")]
    TokenNeeded {
        /// Where it would listen.
        address: SocketAddr,
    },
    /// A secret that protects nothing.
    #[error("{what} has fewer than {SHORTEST_SECRET} characters: make one with `openssl rand -hex 32`")]
    ShortSecret {
        /// Which.
        what: &'static str,
    },
    /// The file of the deliveries that the hook has seen.
    #[error("{path}: {source}")]
    Seen {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

/// What the pages are made from, and where wake-ups go.
#[derive(Debug)]
pub struct State {
    /// What the service says of itself.
    pub status: watch::Receiver<Arc<Status>>,
    /// Where the hook's wake-ups go.
    pub wake: mpsc::Sender<WakeUp>,
    /// Where sweeps, baselines and the policy are.
    pub config: Arc<Config>,
    /// Who may ask.
    pub keys: Keys,
    /// Where alerts are kept as issues; none = on this host.
    pub tracker: Option<Tracker>,
    /// The time of day.
    pub clock: Arc<dyn Clock>,
    /// What one client, and all of them together, may take.
    pub limits: Limits,
}

/// The secrets of those who may ask.
#[derive(Debug, Default)]
pub struct Keys {
    /// Who has it may read; none = whoever reaches a loopback address.
    pub token: Option<Secret>,
    /// Key of the hook's signatures; none = there is no hook.
    pub hook_secret: Option<Secret>,
}

impl Keys {
    /// Why nothing can be shown at an address with them, if so.
    pub fn check(&self, address: SocketAddr) -> Result<(), HttpError> {
        if !address.ip().is_loopback() && self.token.is_none() {
            return Err(HttpError::TokenNeeded { address });
        }
        for (what, secret) in [("the token", &self.token), ("the hook's secret", &self.hook_secret)] {
            if secret.as_ref().is_some_and(|s| s.expose().len() < SHORTEST_SECRET) {
                return Err(HttpError::ShortSecret { what });
            }
        }
        Ok(())
    }
}

/// What one client, and all of them together, may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Connections at once; more are refused.
    pub connections: usize,
    /// Requests that are worked on at once; more wait for a moment, then are refused.
    pub requests: usize,
    /// Time for which a request waits for its turn, and again for a thread that reads files.
    pub patience: Duration,
    /// Hooks at once, apart from the requests: their bodies may be slow.
    pub hooks: usize,
    /// Streams of events at once.
    pub streams: usize,
    /// Time for the head of a request, also of the first one.
    pub head: Duration,
    /// Time for the body of a hook.
    pub body: Duration,
    /// Time for which a client may take nothing of an answer.
    pub stall: Duration,
    /// Largest body of a hook, bytes.
    pub hook_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 256,
            requests: 16,
            patience: Duration::from_secs(3),
            hooks: 8,
            streams: 32,
            head: Duration::from_secs(10),
            body: Duration::from_secs(10),
            stall: Duration::from_secs(20),
            hook_bytes: 1 << 20,
        }
    }
}

/// Serves until `cancel`; then what is being answered may end within two seconds.
pub async fn serve(listener: TcpListener, state: State, cancel: CancellationToken) -> Result<(), HttpError> {
    let address = listener.local_addr().map_err(HttpError::Listener)?;
    state.keys.check(address)?;
    let app = Arc::new(App::new(state, cancel.clone())?);
    let first = Arc::clone(&app);
    let reading = tokio::spawn(async move { first.index.refresh().await });
    connections::accept(&listener, &app, routes::router(&app), &cancel).await;
    // The thread that reads a file ends with it; nothing waits for more.
    reading.abort();
    Ok(())
}
