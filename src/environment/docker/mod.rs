//! `docker`, `docker+nat`, `docker+layer`: containers of the host's engine.
//!
//! `docker` is the cheapest: host network, data on a named volume. `+nat` puts a bridge with a published port
//! on the path; `+layer` puts the storage driver on it, because the data directory is in the container's layer.

pub mod clean;
pub mod engine;
mod fleet;
mod processes;

use super::agent::AgentClient;
use super::image::DATA;
use super::proof::{Proofs, mark, marker_inside};
use super::{Context, Environment, EnvironmentError, ServerAddress, Session, Unavailable, moved_bytes};
use crate::environment::fleet::Fleet;
use crate::model::{EnvironmentName, Proof};
use async_trait::async_trait;
use bollard::Docker;
use bollard::container::{AttachContainerResults, LogOutput};
use bollard::models::{
    ContainerCreateBody, HostConfig, NetworkCreateRequest, PortBinding, VolumeCreateRequest,
};
use bollard::query_parameters::{AttachContainerOptionsBuilder, CreateContainerOptionsBuilder};
use fleet::DockerFleet;
use futures_util::TryStreamExt;
use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::io::StreamReader;

/// Label of everything that a sweep creates in the engine; its value is the sweep's id.
pub const SWEEP_LABEL: &str = "tollgate.sweep";
/// Label of imported bench images; its value is the digest.
pub const IMAGE_LABEL: &str = "tollgate.bench-image";

/// A container of the engine at `socket`.
#[derive(Debug)]
pub struct DockerEnvironment {
    name: EnvironmentName,
    socket: PathBuf,
}

impl DockerEnvironment {
    /// The environment called `name`, which must be of base `docker`.
    pub fn new(name: EnvironmentName, socket: PathBuf) -> Self {
        Self { name, socket }
    }

    fn nat(&self) -> bool {
        self.name.has("nat")
    }

    fn layer(&self) -> bool {
        self.name.has("layer")
    }
}

/// Names of what one environment creates in the engine.
struct Names {
    container: String,
    network: String,
    volume: String,
    labels: HashMap<String, String>,
}

impl Names {
    fn of(environment: &EnvironmentName, sweep: &str) -> Self {
        let slug = environment.to_string().replace(['+', '='], "-");
        let name = format!("tollgate-{sweep}-{slug}");
        Self {
            network: format!("tg-{}-{slug}", &sweep[sweep.len().saturating_sub(6)..]),
            volume: name.clone(),
            container: name,
            labels: HashMap::from([(SWEEP_LABEL.to_owned(), sweep.to_owned())]),
        }
    }
}

#[async_trait]
impl Environment for DockerEnvironment {
    fn name(&self) -> &EnvironmentName {
        &self.name
    }

    async fn check(&self) -> Result<(), Unavailable> {
        engine::connect(&self.socket).await.map(|_| ())
    }

    async fn start(&self, context: &Context) -> Result<Box<dyn Session>, EnvironmentError> {
        let docker =
            engine::connect(&self.socket).await.map_err(|u| EnvironmentError::Guest(u.to_string()))?;
        engine::import(&docker, &context.image).await?;
        let names = Names::of(&self.name, &context.sweep);
        let data = context.scratch.join(&names.volume);
        if !self.layer() {
            std::fs::create_dir_all(&data).map_err(EnvironmentError::io(&data))?;
            mark(&data, &context.sweep).map_err(EnvironmentError::io(&data))?;
            docker.create_volume(scratch_volume(&names, &data.to_string_lossy())).await?;
        }
        if self.nat() {
            let request = NetworkCreateRequest {
                name: names.network.clone(),
                driver: Some("bridge".into()),
                labels: Some(names.labels.clone()),
                ..NetworkCreateRequest::default()
            };
            docker.create_network(request).await?;
        }
        let body = self.container(context, &names);
        let fleet = DockerFleet {
            docker: docker.clone(),
            socket: self.socket.clone(),
            prefix: names.container.clone(),
            sweep: context.sweep.clone(),
            body: DockerFleet::body_of(body.clone()),
        };
        let options = CreateContainerOptionsBuilder::new().name(&names.container).build();
        let id = docker.create_container(Some(options), body).await?.id;
        let client = attach_and_start(&docker, &id).await?;
        let mut session = DockerSession {
            name: self.name.clone(),
            docker,
            id,
            client,
            host_address: context.host_address,
            sweep: context.sweep.clone(),
            names,
            moved_at_start: 0,
            fleet: Arc::new(fleet),
        };
        session.moved_at_start = moved_bytes(&session.client.describe(DATA).await?, "eth0").unwrap_or(0);
        Ok(Box::new(session))
    }
}

/// A named volume whose files are in the scratch directory, so that it is on the same disk as the others' data.
fn scratch_volume(names: &Names, data: &str) -> VolumeCreateRequest {
    let options = [("type", "none"), ("o", "bind"), ("device", data)];
    VolumeCreateRequest {
        name: Some(names.volume.clone()),
        driver: Some("local".into()),
        driver_opts: Some(options.map(|(k, v)| (k.to_owned(), v.to_owned())).into()),
        labels: Some(names.labels.clone()),
        ..VolumeCreateRequest::default()
    }
}

impl DockerEnvironment {
    fn container(&self, context: &Context, names: &Names) -> ContainerCreateBody {
        let tmpfs = ["/tmp", "/run"].map(|d| (d.to_owned(), "rw,nosuid,nodev,exec,mode=1777".to_owned()));
        let mut host = HostConfig {
            network_mode: Some(if self.nat() { names.network.clone() } else { "host".into() }),
            tmpfs: Some(tmpfs.into()),
            ..HostConfig::default()
        };
        if !self.layer() {
            host.binds = Some(vec![format!("{}:{DATA}", names.volume)]);
        }
        let mut exposed = Vec::new();
        if self.nat() {
            // Both protocols: rr has servers of both on one port.
            let published = context.ports.values().flat_map(|port| ["tcp", "udp"].map(|proto| (port, proto)));
            let bindings = published.map(|(port, proto)| {
                let binding = PortBinding {
                    host_ip: Some(context.host_address.to_string()),
                    host_port: Some(port.to_string()),
                };
                (format!("{port}/{proto}"), Some(vec![binding]))
            });
            let bindings: HashMap<_, _> = bindings.collect();
            exposed = bindings.keys().cloned().collect();
            host.port_bindings = Some(bindings);
        }
        ContainerCreateBody {
            image: Some(engine::tag(&context.image)),
            labels: Some(names.labels.clone()),
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

/// Attaches before the start, so that nothing is missed, and talks to the agent over the standard streams.
async fn attach_and_start(docker: &Docker, id: &str) -> Result<AgentClient, EnvironmentError> {
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

struct DockerSession {
    name: EnvironmentName,
    docker: Docker,
    id: String,
    client: AgentClient,
    host_address: Ipv4Addr,
    sweep: String,
    names: Names,
    moved_at_start: u64,
    fleet: Arc<DockerFleet>,
}

#[async_trait]
impl Session for DockerSession {
    fn agent(&mut self) -> &mut AgentClient {
        &mut self.client
    }

    fn server_address(&self) -> ServerAddress {
        let host = self.host_address;
        if self.name.has("nat") {
            return ServerAddress {
                listen: Ipv4Addr::UNSPECIFIED,
                inside: Ipv4Addr::LOCALHOST,
                client: host,
            };
        }
        ServerAddress { listen: host, inside: host, client: host }
    }

    async fn prove(&mut self, network_trials: u32) -> Result<Vec<Proof>, EnvironmentError> {
        let here = self.client.describe(DATA).await?;
        let inspected = self.docker.inspect_container(&self.id, None).await?;
        let nat = self.name.has("nat");
        let mut proofs = Proofs::of(&self.name);
        proofs.namespace(&here, "pid", false);
        proofs.namespace(&here, "net", !nat);
        if self.name.has("layer") {
            let holds = here.data.path == "/" && here.data == here.root;
            let observed = format!("{} holds {DATA} ({})", here.data.path, here.data.fstype);
            proofs.claim("the data directory is in the container's layer", holds, observed);
        } else {
            let seen = marker_inside(&mut self.client).await;
            proofs.data_is_scratch(&here, &self.sweep, seen.as_deref());
        }
        if nat {
            let moved = moved_bytes(&here, "eth0").unwrap_or(0).saturating_sub(self.moved_at_start);
            // Each network trial sends thousands of requests; far less than this would be another path.
            let expected = u64::from(network_trials) * 10_000;
            let observed = format!("{moved} bytes over eth0 in {network_trials} network trials");
            proofs.claim(
                "traffic crosses the bridge's veth",
                here.interfaces.iter().any(|i| i.name == "eth0") && moved >= expected,
                observed,
            );
        }
        let runtime = inspected.host_config.and_then(|h| h.runtime).unwrap_or_default();
        let driver = inspected.driver.unwrap_or_default();
        let observed = format!("runtime {runtime}, storage driver {driver}");
        match self.name.axis("runtime") {
            Some(wanted) => proofs.claim("runs under the runtime of its label", runtime == wanted, observed),
            None => proofs.claim("the engine names its runtime", !runtime.is_empty(), observed),
        }
        Ok(proofs.all)
    }

    fn fleet(&self) -> Arc<dyn Fleet> {
        self.fleet.clone()
    }

    async fn stop(mut self: Box<Self>) -> Result<(), EnvironmentError> {
        let _ = self.client.shutdown().await;
        let mut first_error = None;
        for leftover in clean::find(&self.docker, |sweep| sweep == self.sweep).await? {
            let ours = match &leftover {
                clean::Leftover::Container(id) => *id == self.id,
                clean::Leftover::Volume(name) => *name == self.names.volume,
                clean::Leftover::Network(_) => self.name.has("nat"),
                clean::Leftover::Image(_) => false,
            };
            if ours && let Err(error) = clean::remove(&self.docker, &leftover).await {
                first_error.get_or_insert(error);
            }
        }
        first_error.map_or(Ok(()), Err)
    }
}
