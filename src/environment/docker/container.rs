//! What one environment creates in an engine: volume, network, container, and the connection to the agent in it.

use super::axes::Axes;
use super::clean::{self, is_conflict, is_missing};
use super::{SWEEP_LABEL, engine};
use crate::environment::agent::AgentClient;
use crate::environment::image::DATA;
use crate::environment::{Context, EnvironmentError};
use crate::model::EnvironmentName;
use bollard::Docker;
use bollard::container::{AttachContainerResults, LogOutput};
use bollard::models::{
    ContainerCreateBody, HostConfig, NetworkCreateRequest, PortBinding, VolumeCreateRequest,
};
use bollard::query_parameters::{AttachContainerOptionsBuilder, CreateContainerOptionsBuilder};
use futures_util::TryStreamExt;
use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::time::Duration;
use tokio_util::io::StreamReader;

/// Names of what one environment creates in the engine.
#[derive(Debug)]
pub(super) struct Names {
    pub(super) container: String,
    pub(super) network: String,
    pub(super) volume: String,
    pub(super) labels: HashMap<String, String>,
}

impl Names {
    pub(super) fn of(environment: &EnvironmentName, sweep: &str) -> Self {
        let slug = environment.to_string().replace(['+', '='], "-");
        let name = format!("tollgate-{sweep}-{slug}");
        Self {
            network: format!("tg-{}-{slug}", &sweep[sweep.len().saturating_sub(6)..]),
            volume: name.clone(),
            container: name,
            labels: HashMap::from([(SWEEP_LABEL.to_owned(), sweep.to_owned())]),
        }
    }

    /// A named volume whose files are in the scratch directory, so that it is on the same disk as the others' data.
    pub(super) fn scratch_volume(&self, data: &str) -> VolumeCreateRequest {
        let options = [("type", "none"), ("o", "bind"), ("device", data)];
        VolumeCreateRequest {
            name: Some(self.volume.clone()),
            driver: Some("local".into()),
            driver_opts: Some(options.map(|(k, v)| (k.to_owned(), v.to_owned())).into()),
            labels: Some(self.labels.clone()),
            ..VolumeCreateRequest::default()
        }
    }

    /// A bridge of the environment's own.
    pub(super) fn bridge(&self) -> NetworkCreateRequest {
        NetworkCreateRequest {
            name: self.network.clone(),
            driver: Some("bridge".into()),
            labels: Some(self.labels.clone()),
            ..NetworkCreateRequest::default()
        }
    }

    /// The container for `axes`; its ports are published on `address`.
    pub(super) fn body(&self, context: &Context, axes: &Axes, address: Ipv4Addr) -> ContainerCreateBody {
        let tmpfs = ["/tmp", "/run"].map(|d| (d.to_owned(), "rw,nosuid,nodev,exec,mode=1777".to_owned()));
        let unconfined = ["seccomp=unconfined", "apparmor=unconfined"].map(str::to_owned).to_vec();
        let mut host = HostConfig {
            network_mode: Some(if axes.nat { self.network.clone() } else { "host".into() }),
            tmpfs: Some(tmpfs.into()),
            runtime: axes.runtime.clone(),
            security_opt: axes.unconfined.then_some(unconfined),
            cpuset_cpus: Some(context.limits.cpus.to_string()),
            memory: Some(context.limits.memory_bytes()),
            // Equal to the memory: no swap on top of it.
            memory_swap: Some(context.limits.memory_bytes()),
            ..HostConfig::default()
        };
        if !axes.layer {
            host.binds = Some(vec![format!("{}:{DATA}", self.volume)]);
        }
        let mut exposed = Vec::new();
        if axes.nat {
            // Both protocols: rr has servers of both on one port.
            let published = context.ports.values().flat_map(|port| ["tcp", "udp"].map(|proto| (port, proto)));
            let bindings = published.map(|(port, proto)| {
                let binding =
                    PortBinding { host_ip: Some(address.to_string()), host_port: Some(port.to_string()) };
                (format!("{port}/{proto}"), Some(vec![binding]))
            });
            let bindings: HashMap<_, _> = bindings.collect();
            exposed = bindings.keys().cloned().collect();
            host.port_bindings = Some(bindings);
        }
        ContainerCreateBody {
            image: Some(engine::tag(&context.image)),
            labels: Some(self.labels.clone()),
            env: Some(vec![format!("TOLLGATE_SWEEP={}", context.sweep)]),
            open_stdin: Some(true),
            stdin_once: Some(true),
            attach_stdin: Some(true),
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            exposed_ports: Some(exposed),
            host_config: Some(host),
            ..ContainerCreateBody::default()
        }
    }
}

/// Creates a container of this name without starting it and returns its id.
///
/// A process that was killed while the engine created one leaves a container that comes into being after everything
/// was cleaned, and a resumed sweep has the same names: one that carries this very sweep's label makes way.
pub(super) async fn create(
    docker: &Docker,
    name: &str,
    body: ContainerCreateBody,
) -> Result<String, EnvironmentError> {
    let options = || Some(CreateContainerOptionsBuilder::new().name(name).build());
    let refused = match docker.create_container(options(), body.clone()).await {
        Ok(created) => return Ok(created.id),
        Err(error) => error,
    };
    if !is_conflict(&refused) || !is_of_same_sweep(docker, name, &body).await {
        return Err(refused.into());
    }
    tracing::info!(name, "a container that a killed process left makes way");
    clean::remove(docker, &clean::Leftover::Container(name.to_owned())).await?;
    Ok(docker.create_container(options(), body).await?.id)
}

/// Also true of one that is gone meanwhile.
async fn is_of_same_sweep(docker: &Docker, name: &str, body: &ContainerCreateBody) -> bool {
    let sweep_of =
        |labels: Option<&HashMap<String, String>>| labels.and_then(|l| l.get(SWEEP_LABEL).cloned());
    match docker.inspect_container(name, None).await {
        Ok(found) => {
            let found = found.config.and_then(|config| sweep_of(config.labels.as_ref()));
            found.is_some() && found == sweep_of(body.labels.as_ref())
        }
        Err(error) => is_missing(&error),
    }
}

/// Attaches before the start, so that nothing is missed, and talks to the agent over the standard streams.
pub(super) async fn attach_and_start(docker: &Docker, id: &str) -> Result<AgentClient, EnvironmentError> {
    let options =
        AttachContainerOptionsBuilder::new().stdin(true).stdout(true).stderr(true).stream(true).build();
    let AttachContainerResults { output, input } = docker.attach_container(id, Some(options)).await?;
    docker.start_container(id, None).await?;
    let stdout = output.map_err(std::io::Error::other).try_filter_map(|chunk| async move {
        Ok(match chunk {
            LogOutput::StdOut { message } => Some(message),
            LogOutput::StdErr { message } => {
                tracing::warn!(container = "stderr", "{}", String::from_utf8_lossy(&message).trim_end());
                None
            }
            _ => None,
        })
    });
    let reader = StreamReader::new(Box::pin(stdout));
    Ok(AgentClient::connect(reader, input, Duration::from_secs(30)).await?)
}
