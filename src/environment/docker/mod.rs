//! `docker`, `docker+nat`, `docker+layer` and the axes: containers of the host's engine or of a private one.
//!
//! `docker` is the cheapest: host network, data on a named volume. `+nat` puts a bridge with a published port
//! on the path; `+layer` puts the storage driver on it, because the data directory is in the container's layer,
//! and `+layers=` puts more layers of the image above the files of copy-up.
//! `+driver=` and `+proxy` need an engine of the sweep's own, and so does `+runtime=`, unless the host's engine
//! lists the runtime.

pub mod axes;
pub mod clean;
mod container;
pub mod engine;
mod fleet;
pub mod host;
mod layered;
mod ports;
pub mod private;
mod processes;
mod session;
mod shim;

use super::proof::mark;
use super::{Context, Environment, EnvironmentError, Session, Unavailable};
use crate::model::EnvironmentName;
use async_trait::async_trait;
use axes::Axes;
use bollard::Docker;
use container::{Names, attach_and_start};
use fleet::DockerFleet;
use host::Host;
use private::{EnginePool, EngineSpec, Lease};
use session::DockerSession;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Label of everything that a sweep creates in the engine; its value is the sweep's id.
pub const SWEEP_LABEL: &str = "tollgate.sweep";
/// Label of imported bench images; its value is the digest.
pub const IMAGE_LABEL: &str = "tollgate.bench-image";
/// Room for data in a private engine's filesystem, MiB, unless told otherwise.
const DATA_MIB: u64 = 2048;
/// Room for the bench image and its copies in a private engine's filesystem, MiB.
const IMAGE_MIB: u64 = 4096;

/// A container of the engine at `socket`, or of a private one.
#[derive(Debug)]
pub struct DockerEnvironment {
    name: EnvironmentName,
    socket: PathBuf,
    host: Host,
    data_mib: u64,
}

/// Which engine runs it.
enum Choice {
    Host(Docker),
    Private(EngineSpec),
}

impl DockerEnvironment {
    /// The environment called `name`, which must be of base `docker`.
    pub fn new(name: EnvironmentName, socket: PathBuf) -> Self {
        Self { name, socket, host: Host { root: "/".into(), engine_dir: None }, data_mib: DATA_MIB }
    }

    /// With the directory of another engine, which private ones are started from.
    #[must_use]
    pub fn with_engine_dir(mut self, engine_dir: Option<PathBuf>) -> Self {
        self.host.engine_dir = engine_dir;
        self
    }

    /// With so much room for data, MiB, in the filesystem of a private engine. Equal for all environments of a
    /// sweep, so that they share engines.
    #[must_use]
    pub fn with_data_mib(mut self, data_mib: u64) -> Self {
        self.data_mib = data_mib;
        self
    }

    async fn choose(&self, axes: &Axes) -> Result<Choice, Unavailable> {
        if axes.driver.is_none() && !axes.proxy {
            let connected = engine::connect(&self.socket).await;
            let Some(runtime) = &axes.runtime else { return Ok(Choice::Host(connected?)) };
            if let Ok(docker) = connected {
                let listed = docker.info().await.ok().and_then(|info| info.runtimes).unwrap_or_default();
                if listed.contains_key(runtime) {
                    return Ok(Choice::Host(docker));
                }
            }
        }
        if !rustix::process::geteuid().is_root() {
            return Err(Unavailable {
                reason: "an engine of its own needs root".to_owned(),
                remedy: "run tollgate as root".to_owned(),
            });
        }
        self.host.private(axes, self.data_mib + IMAGE_MIB).await.map(Choice::Private)
    }

    /// Makes the container in the engine, and the session when its agent answers.
    async fn start_in(
        &self,
        docker: &Docker,
        socket: &Path,
        axes: &Axes,
        context: &Context,
        address: Ipv4Addr,
    ) -> Result<DockerSession, EnvironmentError> {
        engine::import(docker, &context.image).await?;
        let names = Names::of(&self.name, &context.sweep);
        let data = context.scratch.join(&names.volume);
        if !axes.layer {
            std::fs::create_dir_all(&data).map_err(EnvironmentError::io(&data))?;
            mark(&data, &context.sweep).map_err(EnvironmentError::io(&data))?;
            docker.create_volume(names.scratch_volume(&data.to_string_lossy())).await?;
        }
        if axes.nat {
            docker.create_network(names.bridge()).await?;
        }
        let mut body = names.body(context, axes, address);
        let mut image = None;
        if let Some(layers) = axes.layers {
            let name = layered::load(docker, context, layers, &names.container).await?;
            (body.image, image) = (Some(name.clone()), Some(name));
        }
        let fleet = DockerFleet {
            docker: docker.clone(),
            socket: socket.to_owned(),
            prefix: names.container.clone(),
            sweep: context.sweep.clone(),
            body: DockerFleet::body_of(body.clone()),
        };
        let id = container::create(docker, &names.container, body).await?;
        let client = attach_and_start(docker, &id).await?;
        Ok(DockerSession {
            name: self.name.clone(),
            axes: axes.clone(),
            docker: docker.clone(),
            id,
            client,
            address,
            sweep: context.sweep.clone(),
            names,
            ports: context.ports.values().copied().collect(),
            engines: context.engines.clone(),
            lease: None,
            engine: None,
            image,
            moved_at_start: 0,
            rules_at_start: None,
            fleet: Arc::new(fleet),
        })
    }

    /// The same in a private engine, which is given back when that fails.
    async fn start_private(
        &self,
        lease: Lease,
        axes: &Axes,
        context: &Context,
    ) -> Result<DockerSession, EnvironmentError> {
        let started = match engine::connect(&lease.socket).await {
            Ok(docker) => {
                let address = context.engines.place().address;
                self.start_in(&docker, &lease.socket, axes, context, address).await
            }
            Err(why) => Err(EnvironmentError::Guest(why.to_string())),
        };
        match started {
            Ok(session) => {
                let engine = described(&session.docker, &context.engines, &lease).await;
                Ok(DockerSession { lease: Some(lease), engine, ..session })
            }
            Err(error) => {
                release(&context.engines, lease).await;
                Err(error)
            }
        }
    }
}

/// An engine in one line: `20.10.24, overlay2 on xfs`. None when it does not say.
async fn described(docker: &Docker, engines: &EnginePool, lease: &Lease) -> Option<String> {
    let version = docker.version().await.ok()?.version?;
    let driver = lease.spec().driver.engine_name();
    let backing = engines.backing(lease).await.ok()?;
    Some(format!("{version}, {driver} on {backing}"))
}

/// Gives an engine back after a failure, which is what is reported.
async fn release(engines: &EnginePool, lease: Lease) {
    if let Err(error) = engines.release(lease).await {
        tracing::warn!(%error, "a private engine did not end; `tollgate clean` removes it");
    }
}

#[async_trait]
impl Environment for DockerEnvironment {
    fn name(&self) -> &EnvironmentName {
        &self.name
    }

    async fn check(&self) -> Result<(), Unavailable> {
        self.choose(&Axes::of(&self.name)?).await.map(|_| ())
    }

    async fn start(&self, context: &Context) -> Result<Box<dyn Session>, EnvironmentError> {
        self.start_as(&self.name, context).await
    }
}

impl DockerEnvironment {
    /// Starts what its own name says, to be proven under the name `label`. With another name than its own that is
    /// a lie, which the proofs must catch.
    pub async fn start_as(
        &self,
        label: &EnvironmentName,
        context: &Context,
    ) -> Result<Box<dyn Session>, EnvironmentError> {
        let unavailable = |u: Unavailable| EnvironmentError::Guest(u.to_string());
        let axes = Axes::of(&self.name).map_err(unavailable)?;
        let started = match self.choose(&axes).await.map_err(unavailable)? {
            Choice::Host(docker) => {
                self.start_in(&docker, &self.socket, &axes, context, context.host_address).await?
            }
            Choice::Private(spec) => {
                let lease = context.engines.acquire(&spec, &context.scratch, &context.sweep).await?;
                self.start_private(lease, &axes, context).await?
            }
        };
        let mut session = Box::new(started);
        session.name = label.clone();
        session.axes = Axes::of(label).map_err(unavailable)?;
        match session.note_counters().await {
            Ok(()) => Ok(session),
            Err(error) => {
                // The first error is the one that tells something.
                let _ = session.stop().await;
                Err(error)
            }
        }
    }
}
