//! What wakes the service, each in a task of its own: files, Docker's engine, SIGHUP, and `tollgate trigger`. Beside them what
//! is offered is followed.
//!
//! Wake-ups are dropped when too many wait: those that do are as good.

pub mod docker;
pub mod files;
pub mod socket;

use super::follow::{Addresses, Follower};
use super::{KeepError, Service};
use crate::config::Config;
use crate::watch::{Source, WakeUp};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// The sources of a service. They end when this is dropped.
#[derive(Debug)]
pub struct Sources {
    _tasks: JoinSet<()>,
    _socket: socket::Bound,
}

impl Sources {
    /// Starts them all. Must be called inside a tokio runtime.
    pub fn start(config: &Config, service: &Service<'_>) -> Result<Self, KeepError> {
        let bound = socket::Bound::bind(&config.state)?;
        let mut tasks = JoinSet::new();
        tasks.spawn(socket::serve(bound.listener(), service.asker()));
        tasks.spawn(files::watch(config.watch.files.clone(), service.waker()));
        tasks.spawn(docker::listen(config.docker_socket.clone(), service.waker()));
        tasks.spawn(hangups(service.waker()));
        let feeds = config.watch.follow.clone();
        if !feeds.is_empty() {
            let (status, tell) = (service.status(), service.offers());
            match Follower::new(feeds, Addresses::default(), &config.state, status, tell) {
                Ok(follower) => drop(tasks.spawn(follower.follow())),
                Err(error) => tracing::warn!(%error, "what is offered is not followed"),
            }
        }
        Ok(Self { _tasks: tasks, _socket: bound })
    }
}

/// Wakes without waiting for room.
fn wake(waker: &mpsc::Sender<WakeUp>, source: Source) {
    // Full: others wait that lead to the same look. Closed: the service is over.
    let _ = waker.try_send(WakeUp::look(source));
}

async fn hangups(waker: mpsc::Sender<WakeUp>) {
    let Ok(mut hangup) = signal(SignalKind::hangup()) else { return };
    while hangup.recv().await.is_some() {
        wake(&waker, Source::Signal);
    }
}
