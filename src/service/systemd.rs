//! What the service manager is told: ready, alive, stopping, and what the service does. Nothing happens without one.

use sd_notify::NotifyState;
use std::time::Duration;

/// The way to the service manager.
#[derive(Debug)]
pub struct Manager {
    watchdog: Option<Duration>,
    status: String,
}

impl Manager {
    /// As the environment says.
    pub fn from_environment() -> Self {
        Self { watchdog: sd_notify::watchdog_enabled(), status: String::new() }
    }

    /// How often [`Manager::alive`] must be called, at least; none when nobody waits for it.
    pub fn interval(&self) -> Option<Duration> {
        self.watchdog.map(|limit| limit / 3)
    }

    /// The service works.
    pub fn ready() {
        tell(&[NotifyState::Ready]);
    }

    /// The service's loop turns.
    pub fn alive(&self) {
        if self.watchdog.is_some() {
            tell(&[NotifyState::Watchdog]);
        }
    }

    /// What it does, in a line.
    pub fn status(&mut self, status: String) {
        if self.status != status {
            tell(&[NotifyState::Status(&status)]);
            self.status = status;
        }
    }

    /// It stops, which may take a while.
    pub fn stopping() {
        tell(&[NotifyState::Stopping]);
    }
}

fn tell(states: &[NotifyState]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!(%error, "the service manager does not listen");
    }
}
