//! Fresh containers like that of an environment, and loaded images.

use super::container::{self, attach_and_start};
use super::{SWEEP_LABEL, clean, processes};
use crate::cgroup;
use crate::environment::EnvironmentError;
use crate::environment::agent::AgentClient;
use crate::environment::fleet::{Begun, Ended, Fleet, Instance, InstanceOptions, ms_since};
use crate::model::CgroupMemory;
use async_trait::async_trait;
use bollard::Docker;
use bollard::models::ContainerCreateBody;
use bollard::query_parameters::WaitContainerOptions;
use futures_util::TryStreamExt;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Containers of one engine, all from one description.
pub(super) struct DockerFleet {
    pub(super) docker: Docker,
    pub(super) socket: PathBuf,
    /// Begins the names of its containers and images.
    pub(super) prefix: String,
    /// The sweep's id.
    pub(super) sweep: String,
    /// What a container is made from.
    pub(super) body: ContainerCreateBody,
}

impl DockerFleet {
    /// Without ports: those are the environment's own container's.
    pub(super) fn body_of(mut body: ContainerCreateBody) -> ContainerCreateBody {
        body.exposed_ports = None;
        if let Some(host) = &mut body.host_config {
            host.port_bindings = None;
        }
        body
    }

    fn body(&self, options: InstanceOptions) -> ContainerCreateBody {
        let mut body = self.body.clone();
        if let (Some(host), Some(mib)) = (&mut body.host_config, options.memory_mib) {
            let bytes = i64::from(mib) << 20;
            // Equal to the memory: no swap on top of it.
            (host.memory, host.memory_swap) = (Some(bytes), Some(bytes));
        }
        body
    }

    fn container(&self, number: u32) -> String {
        format!("{}-i{number}", self.prefix)
    }

    fn image(&self, number: u32) -> (String, String) {
        (format!("tollgate/load-{}", self.prefix.to_lowercase()), number.to_string())
    }
}

#[async_trait]
impl Fleet for DockerFleet {
    async fn launch(&self, options: InstanceOptions) -> Result<Box<dyn Instance>, EnvironmentError> {
        let begun = Instant::now();
        let name = self.container(options.number);
        let id = container::create(&self.docker, &name, self.body(options)).await?;
        let create_ms = ms_since(begun);
        let begun = Instant::now();
        match attach_and_start(&self.docker, &id).await {
            Ok(client) => {
                let times = Begun { create_ms, start_ms: ms_since(begun) };
                // Only trials with a limit look at its memory; the others need not ask.
                let first = match options.memory_mib {
                    Some(_) => first_process(&self.docker, &id).await,
                    None => None,
                };
                Ok(Box::new(Container { docker: self.docker.clone(), id, client, times, first }))
            }
            Err(error) => {
                let _ = clean::remove(&self.docker, &clean::Leftover::Container(id)).await;
                Err(error)
            }
        }
    }

    async fn discard(&self, number: u32) {
        let name = self.container(number);
        if let Err(error) = clean::remove(&self.docker, &clean::Leftover::Container(name.clone())).await {
            tracing::warn!(name, %error, "a container that was given up is not removed");
        }
    }

    async fn daemons(&self) -> Vec<u32> {
        processes::daemons(&self.socket)
    }

    async fn load(&self, tar: &Path, number: u32) -> Result<(), EnvironmentError> {
        let (repository, tag) = self.image(number);
        let label = format!("LABEL {SWEEP_LABEL}={}", self.sweep);
        super::engine::import_tar(&self.docker, tar, &repository, &tag, vec![label]).await
    }

    async fn unload(&self, number: u32) -> Result<(), EnvironmentError> {
        let (repository, tag) = self.image(number);
        clean::remove(&self.docker, &clean::Leftover::Image(format!("{repository}:{tag}"))).await
    }
}

async fn first_process(docker: &Docker, id: &str) -> Option<u32> {
    let state = docker.inspect_container(id, None).await.ok()?.state?;
    u32::try_from(state.pid?).ok().filter(|pid| *pid > 0)
}

struct Container {
    docker: Docker,
    id: String,
    client: AgentClient,
    times: Begun,
    /// The host's pid of its first process.
    first: Option<u32>,
}

#[async_trait]
impl Instance for Container {
    fn agent(&mut self) -> &mut AgentClient {
        &mut self.client
    }

    fn begun(&self) -> Begun {
        self.times
    }

    fn processes(&self) -> Vec<u32> {
        processes::of_container(&self.id)
    }

    fn memory(&self) -> Option<CgroupMemory> {
        // Its first process is the agent; the others are children of it.
        let agent = self.first?;
        let memory = cgroup::memory_of(Path::new("/"), agent).ok()?;
        Some(CgroupMemory { limit: memory.limit_bytes, before: memory.usage_bytes, peak: memory.peak_bytes })
    }

    async fn stop(mut self: Box<Self>) -> Result<Ended, EnvironmentError> {
        let begun = Instant::now();
        let _ = self.client.shutdown().await;
        let waited: Result<Vec<_>, _> =
            self.docker.wait_container(&self.id, None::<WaitContainerOptions>).try_collect().await;
        let stop_ms = ms_since(begun);
        let begun = Instant::now();
        clean::remove(&self.docker, &clean::Leftover::Container(self.id)).await?;
        let remove_ms = ms_since(begun);
        match waited {
            // An agent that was killed with its container's memory ends otherwise than it was asked to.
            Ok(_) | Err(bollard::errors::Error::DockerContainerWaitError { .. }) => {
                Ok(Ended { stop_ms, remove_ms })
            }
            Err(error) => Err(error.into()),
        }
    }
}
