//! Docker's engine: connection, versions, the bench image in it.

use super::IMAGE_LABEL;
use crate::environment::image::{AGENT_PATH, BenchImage};
use crate::environment::{EnvironmentError, Unavailable};
use crate::model::{Component, Fingerprint};
use bollard::Docker;
use bollard::query_parameters::CreateImageOptionsBuilder;
use futures_util::TryStreamExt;
use std::path::Path;
use std::time::Duration;
use tokio_util::io::ReaderStream;

/// Seconds until a request to the engine is given up. An import of the image takes some.
const TIMEOUT_S: u64 = 180;
/// How long the first answer may take.
const HELLO: Duration = Duration::from_secs(10);

fn unavailable(reason: String) -> Unavailable {
    Unavailable { reason, remedy: "install and start Docker, or run `tollgate provision`".to_owned() }
}

/// Connects to the engine at `socket` and agrees on an API version. `Err` says what to do.
pub async fn connect(socket: &Path) -> Result<Docker, Unavailable> {
    let docker = open(socket)?;
    answered(socket, docker.clone().negotiate_version()).await
}

fn open(socket: &Path) -> Result<Docker, Unavailable> {
    let shown = socket.display();
    if !socket.exists() {
        return Err(unavailable(format!("there is no Docker engine: {shown} does not exist")));
    }
    Docker::connect_with_socket(&socket.to_string_lossy(), TIMEOUT_S, bollard::API_DEFAULT_VERSION)
        .map_err(|e| unavailable(format!("no Docker engine at {shown}: {e}")))
}

/// The first answer, in time.
async fn answered<T>(
    socket: &Path,
    answer: impl Future<Output = Result<T, bollard::errors::Error>>,
) -> Result<T, Unavailable> {
    let shown = socket.display();
    match tokio::time::timeout(HELLO, answer).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(e)) => Err(unavailable(format!("the Docker engine at {shown} does not answer: {e}"))),
        Err(_) => Err(unavailable(format!("the Docker engine at {shown} does not answer within {HELLO:?}"))),
    }
}

/// Adds the components and context of the engine at `socket` to a fingerprint. Nothing is added when the engine does not answer.
pub async fn describe(socket: &Path, fingerprint: &mut Fingerprint) -> Result<(), Unavailable> {
    let docker = open(socket)?;
    // Both at once, and no version agreed on before: each takes the engine 10 to 15 ms, and all versions know both.
    let asked = async { tokio::try_join!(docker.version(), docker.info()) };
    let (version, info) = answered(socket, asked).await?;
    for part in version.components.unwrap_or_default() {
        let component = match part.name.to_lowercase().as_str() {
            "engine" => Component::DockerEngine,
            "containerd" => Component::Containerd,
            "runc" => Component::Runc,
            _ => continue,
        };
        fingerprint.components.insert(component, part.version);
    }
    if let Some(driver) = info.driver {
        let status = info.driver_status.unwrap_or_default();
        let backing = status
            .iter()
            .find(|pair| pair.first().is_some_and(|k| k == "Backing Filesystem" || k == "driver-type"))
            .and_then(|pair| pair.get(1));
        let text = backing.map_or_else(|| driver.clone(), |b| format!("{driver} on {b}"));
        fingerprint.components.insert(Component::StorageDriver, text);
    }
    let mut context = |key: &str, value: Option<String>| {
        if let Some(value) = value.filter(|v| !v.is_empty()) {
            fingerprint.context.insert(format!("docker-{key}"), value);
        }
    };
    context("cgroup-driver", info.cgroup_driver.map(|d| d.to_string()));
    context("cgroup-version", info.cgroup_version.map(|v| v.to_string()));
    context("default-runtime", info.default_runtime);
    context("security-options", info.security_options.map(|o| o.join(" ")));
    context("root-dir", info.docker_root_dir);
    context("live-restore", info.live_restore_enabled.map(|b| b.to_string()));
    Ok(())
}

/// Name of the bench image in the engine.
pub fn tag(image: &BenchImage) -> String {
    format!("tollgate/bench:{}", image.short_digest())
}

/// Imports the bench image, unless the engine has it. No registry takes part.
pub async fn import(docker: &Docker, image: &BenchImage) -> Result<(), EnvironmentError> {
    let name = tag(image);
    if let Ok(found) = docker.inspect_image(&name).await {
        let labels = found.config.and_then(|c| c.labels).unwrap_or_default();
        if labels.get(IMAGE_LABEL) == Some(&image.manifest.digest) {
            return Ok(());
        }
    }
    let changes = vec![
        format!("ENTRYPOINT [\"{AGENT_PATH}\",\"serve\"]"),
        format!("LABEL {IMAGE_LABEL}={}", image.manifest.digest),
    ];
    let (repository, short) = name.split_once(':').unwrap_or((&name, "latest"));
    import_tar(docker, &image.tar(), repository, short, changes).await
}

/// Imports a tar as an image of one layer. `changes` are lines of a Dockerfile.
pub(super) async fn import_tar(
    docker: &Docker,
    tar: &Path,
    repository: &str,
    tag: &str,
    changes: Vec<String>,
) -> Result<(), EnvironmentError> {
    let file = tokio::fs::File::open(tar).await.map_err(EnvironmentError::io(tar))?;
    let options =
        CreateImageOptionsBuilder::new().from_src("-").repo(repository).tag(tag).changes(changes).build();
    let body = bollard::body_try_stream(ReaderStream::with_capacity(file, 1 << 20));
    docker.create_image(Some(options), Some(body), None).try_for_each(|_| async { Ok(()) }).await?;
    Ok(())
}
