//! What the service asks its host.

use crate::config::Config;
use crate::host::{HostLock, Probe};
use crate::model::{Fingerprint, HostClass};
use crate::pipeline;
use crate::watch::queue::Settled;
use crate::watch::{Outbox, Pending, pending};
use crate::wiring;
use crate::workload::Profile;
use async_trait::async_trait;
use std::path::Path;

/// One look at the host.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Look {
    /// What it is made of.
    pub fingerprint: Fingerprint,
    /// What is installed but does not run yet.
    pub pending: Vec<Pending>,
    /// The newest accepted sweep of the profile.
    pub baseline: Option<Settled>,
    /// Accepted sweeps of the profile.
    pub accepted: usize,
}

/// The host, as the service sees it.
#[async_trait(?Send)]
pub trait Host {
    /// Its host class.
    fn class(&self) -> HostClass;
    /// Looks at it. Changes nothing.
    async fn look(&self, profile: Profile) -> Look;
    /// Who sweeps on it now, when it is not this process.
    fn busy(&self) -> Option<String>;
    /// What waits to be told.
    fn outbox(&self) -> Outbox;
}

/// The host that this process runs on.
#[derive(Debug)]
pub struct ThisHost<'a> {
    config: &'a Config,
    class: HostClass,
}

impl<'a> ThisHost<'a> {
    /// With these settings.
    pub fn new(config: &'a Config) -> Self {
        Self { config, class: pipeline::host_class(config) }
    }
}

#[async_trait(?Send)]
impl Host for ThisHost<'_> {
    fn class(&self) -> HostClass {
        self.class.clone()
    }

    async fn look(&self, profile: Profile) -> Look {
        let fingerprint = pipeline::fingerprint(self.config).await;
        let probe = Probe::new(Path::new("/"));
        let pending = pending::kernel(probe.kernel_release().as_deref(), &probe.installed_kernels());
        let store = wiring::store(self.config);
        let baseline = store.newest_baseline(&self.class, profile.as_str()).unwrap_or_else(|error| {
            tracing::warn!(%error, "the newest baseline cannot be read");
            None
        });
        Look {
            fingerprint,
            pending: pending.into_iter().collect(),
            baseline: baseline.map(|b| Settled { at: b.started_at, components: b.fingerprint.components }),
            accepted: store.accepted(&self.class, profile.as_str()).unwrap_or(0),
        }
    }

    fn busy(&self) -> Option<String> {
        let other = HostLock::living(Path::new("/")).into_iter().find(|l| !l.is_ours());
        other.map(|other| format!("another sweep runs on this host ({})", other.holder))
    }

    fn outbox(&self) -> Outbox {
        let jobs = |dir: &Path| {
            let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
            let name = |path: &Path| path.file_name().and_then(|n| n.to_str()).map(str::to_owned);
            // `000000000007-github.json`; locks and what is half written are named otherwise.
            let is_job = |path: &Path| {
                path.extension().is_some_and(|e| e == "json")
                    && name(path).is_some_and(|n| n.starts_with(|c: char| c.is_ascii_digit()))
            };
            entries.filter(|e| is_job(&e.path())).count()
        };
        let outbox = self.config.state.join("outbox");
        Outbox { waiting: jobs(&outbox), refused: jobs(&outbox.join("dead")) }
    }
}
