//! Floor 4: the one path from a trigger to a verdict, which the command line and the service run.

pub mod accept;
pub mod allocate;
pub mod candidates;
mod choose;
pub mod clean;
pub mod confirm;
pub mod evidence;
mod fit;
pub mod gate;
pub mod notify;
pub mod policy;
pub mod ready;
pub mod resume;
pub mod self_test;
pub mod stored;
pub mod sweep;
pub mod tuning;
pub mod whole;

use crate::config::Config;
use crate::environment::docker::engine;
use crate::environment::image::{BenchImage, GuestKernel, ImageError};
use crate::environment::{EnvironmentError, Unavailable};
use crate::host::{LeftoverError, LockError, NetworkError, Probe, TuningError};
use crate::model::{Component, Fingerprint, HostClass, SweepId};
use crate::store::StoreError;
use crate::sweep::{JournalError, SweepError};
use crate::wiring;
use std::path::Path;

/// Why the pipeline ended without a result.
#[derive(Debug, thiserror::Error)]
pub enum PipelineError {
    /// The command line asks for something that is not there.
    #[error("{0}")]
    Usage(String),
    /// The host cannot run a sweep at all.
    #[error("cannot measure: {0}")]
    Unavailable(Unavailable),
    /// Somebody else sweeps.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// Another sweep with another state directory.
    #[error("another sweep runs on this host ({0}); they would disturb each other: wait for it or stop it")]
    Busy(String),
    /// The bench image.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// Leftovers of crashed sweeps.
    #[error("looking for what crashed sweeps left: {0}")]
    Leftovers(#[from] LeftoverError),
    /// Namespaces.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// The host's tuning.
    #[error("tuning the host: {0}")]
    Tuning(#[from] TuningError),
    /// The sweep.
    #[error(transparent)]
    Sweep(#[from] SweepError),
    /// The journal.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// Stored sweeps.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A file.
    #[error("{path}: {source}")]
    Io {
        /// Which.
        path: std::path::PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// An environment.
    #[error(transparent)]
    Environment(#[from] EnvironmentError),
    /// A fresh sweep that was to confirm.
    #[error(
        "{source}; what it was to confirm is kept: `tollgate gate --resume` finishes an interrupted sweep, \
         `tollgate judge {} FRESH` judges them together",
        ids(kept)
    )]
    Confirming {
        /// The first sweep, and the fresh ones that were finished.
        kept: Vec<SweepId>,
        /// Why it ended.
        source: Box<PipelineError>,
    },
    /// Telling others.
    #[error(transparent)]
    Notify(#[from] notify::NotifyError),
    /// The host was another one at the end of a sweep than at its beginning.
    #[error(
        "the host changed while sweep {sweep} was measured: {why}; its journal is kept, but it is no sweep; measure anew"
    )]
    Changed {
        /// Which.
        sweep: SweepId,
        /// What changed.
        why: String,
    },
    /// A resumed sweep would not be the same.
    #[error("sweep {sweep} cannot be resumed: {why}; start a new one without --resume")]
    Stale {
        /// Which.
        sweep: SweepId,
        /// What changed.
        why: String,
    },
}

impl PipelineError {
    /// Whether the user's input is to blame (exit code 2) rather than the host (exit code 3).
    pub fn is_usage(&self) -> bool {
        if let Self::Confirming { source, .. } = self {
            return source.is_usage();
        }
        matches!(
            self,
            Self::Usage(_)
                | Self::Stale { .. }
                | Self::Store(
                    StoreError::Unknown { .. }
                        | StoreError::Damaged { .. }
                        | StoreError::Format { .. }
                        | StoreError::Misplaced { .. }
                )
        )
    }

    /// For `map_err` on a file operation.
    pub fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Self + '_ {
        |source| Self::Io { path: path.to_owned(), source }
    }
}

fn ids(sweeps: &[SweepId]) -> String {
    sweeps.iter().map(SweepId::as_str).collect::<Vec<_>>().join(" ")
}

/// The configured host class, or the derived one.
pub fn host_class(config: &Config) -> HostClass {
    config.host_class.clone().unwrap_or_else(|| Probe::new(Path::new("/")).default_host_class())
}

/// What this host is made of now. The bench image and the guest's kernel are part of it once the image is built.
pub async fn fingerprint(config: &Config) -> Fingerprint {
    let image = BenchImage::cached(&config.state.join("images"), &wiring::recipe(config));
    fingerprint_with(config, image.as_ref()).await
}

async fn fingerprint_with(config: &Config, image: Option<&BenchImage>) -> Fingerprint {
    let probe = Probe::new(Path::new("/")).with_state(&config.state);
    let mut fingerprint = Fingerprint { components: probe.components(), context: probe.context() };
    fingerprint.context.insert("tuning".to_owned(), tuning::describe(config));
    if let Err(unavailable) = engine::describe(&config.docker_socket, &mut fingerprint).await {
        tracing::info!(%unavailable, "no Docker engine in the fingerprint");
    }
    if let Some(image) = image {
        let manifest = &image.manifest;
        fingerprint.components.insert(Component::BenchImage, manifest.digest.clone());
        let kernel = manifest.kernel_package.trim_start_matches("linux-image-").trim_end_matches(".deb");
        let own = config.kvm.kernel.as_deref().and_then(GuestKernel::version);
        fingerprint.components.insert(Component::GuestKernel, own.unwrap_or_else(|| kernel.to_owned()));
    }
    fingerprint
}
