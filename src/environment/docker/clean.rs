//! What crashed sweeps left in the engine: everything that carries our label.

use super::SWEEP_LABEL;
use crate::environment::EnvironmentError;
use bollard::Docker;
use bollard::query_parameters::{
    ListContainersOptionsBuilder, ListImagesOptionsBuilder, ListNetworksOptionsBuilder,
    ListVolumesOptionsBuilder, RemoveContainerOptionsBuilder, RemoveImageOptionsBuilder,
    RemoveVolumeOptionsBuilder,
};
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// How long a removal that somebody else has begun may take.
const REMOVAL: Duration = Duration::from_secs(120);

/// One labelled thing in the engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Leftover {
    /// A container, by id.
    Container(String),
    /// A network, by id.
    Network(String),
    /// A volume, by name.
    Volume(String),
    /// An image that a trial or an environment loaded, by name or id. The bench image is a cache and none of these.
    Image(String),
}

impl std::fmt::Display for Leftover {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Container(id) => write!(f, "docker container {}", &id[..id.len().min(12)]),
            Self::Network(id) => write!(f, "docker network {}", &id[..id.len().min(12)]),
            Self::Volume(name) => write!(f, "docker volume {name}"),
            Self::Image(name) => write!(f, "docker image {name}"),
        }
    }
}

/// Everything that carries our label and whose sweep `of` accepts: containers first, because they use the rest.
pub async fn find(docker: &Docker, of: impl Fn(&str) -> bool) -> Result<Vec<Leftover>, EnvironmentError> {
    let filters = HashMap::from([("label".to_owned(), vec![SWEEP_LABEL.to_owned()])]);
    let ours = |labels: &HashMap<String, String>| labels.get(SWEEP_LABEL).is_some_and(|sweep| of(sweep));
    let mut found = Vec::new();
    let options = ListContainersOptionsBuilder::new().all(true).filters(&filters).build();
    for container in docker.list_containers(Some(options)).await? {
        if ours(&container.labels.unwrap_or_default()) {
            found.extend(container.id.map(Leftover::Container));
        }
    }
    let options = ListNetworksOptionsBuilder::new().filters(&filters).build();
    for network in docker.list_networks(Some(options)).await? {
        if ours(&network.labels.unwrap_or_default()) {
            found.extend(network.id.map(Leftover::Network));
        }
    }
    let options = ListVolumesOptionsBuilder::new().filters(&filters).build();
    for volume in docker.list_volumes(Some(options)).await?.volumes.unwrap_or_default() {
        if ours(&volume.labels) {
            found.push(Leftover::Volume(volume.name));
        }
    }
    let options = ListImagesOptionsBuilder::new().filters(&filters).build();
    for image in docker.list_images(Some(options)).await? {
        if ours(&image.labels) {
            found.push(Leftover::Image(image.id));
        }
    }
    Ok(found)
}

/// Removes it; what is gone already is fine.
pub async fn remove(docker: &Docker, leftover: &Leftover) -> Result<(), EnvironmentError> {
    let result = match leftover {
        Leftover::Container(id) => remove_container(docker, id).await,
        Leftover::Network(id) => docker.remove_network(id).await,
        Leftover::Volume(name) => {
            docker.remove_volume(name, Some(RemoveVolumeOptionsBuilder::new().force(true).build())).await
        }
        Leftover::Image(name) => {
            let options = RemoveImageOptionsBuilder::new().force(true).build();
            docker.remove_image(name, Some(options), None).await.map(drop)
        }
    };
    match result {
        Err(error) if is_missing(&error) => Ok(()),
        other => Ok(other?),
    }
}

/// Where somebody else, perhaps a process that was killed, has begun the removal, waits for its end: the name is taken
/// and the files are there until then.
async fn remove_container(docker: &Docker, id: &str) -> Result<(), bollard::errors::Error> {
    let deadline = Instant::now() + REMOVAL;
    loop {
        let options = RemoveContainerOptionsBuilder::new().force(true).v(true).build();
        match docker.remove_container(id, Some(options)).await {
            Err(error) if is_conflict(&error) && Instant::now() < deadline => {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            other => return other,
        }
    }
}

/// Whether the engine knows no such thing.
pub(super) fn is_missing(error: &bollard::errors::Error) -> bool {
    status(error) == Some(404)
}

/// Whether something is in the way: a name that is taken, a removal that is under way.
pub(super) fn is_conflict(error: &bollard::errors::Error) -> bool {
    status(error) == Some(409)
}

fn status(error: &bollard::errors::Error) -> Option<u16> {
    match error {
        bollard::errors::Error::DockerResponseServerError { status_code, .. } => Some(*status_code),
        _ => None,
    }
}
