//! `docker+layer+layers=N`: a container whose files for copy-up lie below N layers, its own included.

use super::{SWEEP_LABEL, engine};
use crate::environment::image::{COPYUP, LayeredImage};
use crate::environment::proof::Proofs;
use crate::environment::{Context, EnvironmentError};
use bollard::Docker;
use bollard::models::ContainerInspectResponse;
use bollard::query_parameters::ImportImageOptionsBuilder;
use futures_util::TryStreamExt;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use tokio_util::io::ReaderStream;

/// Loads the image into an engine that has the bench image, and returns its name. It carries the sweep's label and belongs
/// to the environment whose names begin with `prefix`.
pub(super) async fn load(
    docker: &Docker,
    context: &Context,
    layers: u32,
    prefix: &str,
) -> Result<String, EnvironmentError> {
    let bench = engine::tag(&context.image);
    let inspected = docker.inspect_image(&bench).await?;
    let below = inspected.root_fs.and_then(|fs| fs.layers).unwrap_or_default();
    let architecture = inspected.architecture.unwrap_or_default();
    if below.is_empty() || architecture.is_empty() {
        let why = std::io::Error::other("the engine names neither its layers nor its architecture");
        return Err(EnvironmentError::io(bench)(why));
    }
    let name = format!("tollgate/layers-{}:{layers}", prefix.to_lowercase());
    let labels = HashMap::from([(SWEEP_LABEL.to_owned(), context.sweep.clone())]);
    let path = context.scratch.join(format!("{prefix}.tar"));
    let (to, image, label) = (path.clone(), context.image.clone(), name.clone());
    let writing = tokio::task::spawn_blocking(move || {
        let (bench, below) = (&image, &below[..]);
        let (architecture, name, labels) = (&architecture[..], &label[..], &labels);
        LayeredImage { bench, below, architecture, above: layers - 1, name, labels }.write(&to)
    });
    let written = writing.await.map_err(std::io::Error::other).and_then(|written| written);
    let loaded = match written {
        Ok(()) => upload(docker, &path).await,
        Err(error) => Err(EnvironmentError::io(&path)(error)),
    };
    // The engine has it; the scratch directory is needed for other things.
    let _ = std::fs::remove_file(&path);
    loaded.map(|()| name)
}

async fn upload(docker: &Docker, path: &Path) -> Result<(), EnvironmentError> {
    let file = tokio::fs::File::open(path).await.map_err(EnvironmentError::io(path))?;
    let body = bollard::body_try_stream(ReaderStream::with_capacity(file, 1 << 20));
    let options = ImportImageOptionsBuilder::new().quiet(true).build();
    Ok(docker.import_image(options, body, None).try_for_each(|_| async { Ok(()) }).await?)
}

/// That the files lie below `layers` layers. `root` is the root directory as the engine sees it.
pub(super) async fn prove(
    proofs: &mut Proofs,
    docker: &Docker,
    inspected: &ContainerInspectResponse,
    layers: u32,
    root: &Path,
) -> Result<(), EnvironmentError> {
    let image = docker.inspect_image(inspected.image.as_deref().unwrap_or_default()).await?;
    let found = image.root_fs.and_then(|fs| fs.layers).unwrap_or_default().len();
    // The bench image, imported as one layer; the files; and the container's own is no part of the image.
    let wanted = layers as usize + 1;
    let claim = format!("its image has {wanted} layers");
    proofs.claim(&claim, found == wanted, format!("{found} layers"));
    let id = inspected.id.as_deref().unwrap_or_default();
    let changes = docker.container_changes(id).await?.unwrap_or_default();
    let copyup = format!("/{COPYUP}/");
    let own = changes.iter().find(|change| change.path.starts_with(&copyup));
    proofs.claim(
        "the files of copy-up are in no layer of the container's own",
        own.is_none(),
        own.map_or_else(|| format!("{} changes elsewhere", changes.len()), |change| change.path.clone()),
    );
    if let Some(lower) = lower_directories(inspected, root)
        && lower.last().is_some_and(|bench| bench.join(COPYUP).exists())
    {
        let above = lower.iter().position(|directory| directory.join(COPYUP).join("64m").exists());
        // On top of those of the image is the container's.
        let depth = above.map(|above| above + 1);
        let observed =
            depth.map_or_else(|| "in none".to_owned(), |d| format!("below {d} of {}", lower.len() + 1));
        let claim = format!("the files of copy-up lie below {layers} layers on the disk");
        proofs.claim(&claim, depth == Some(layers as usize), observed);
    }
    Ok(())
}

/// The directories of the image's layers, the topmost first, where the driver is overlay2.
fn lower_directories(inspected: &ContainerInspectResponse, root: &Path) -> Option<Vec<PathBuf>> {
    let driver = inspected.graph_driver.as_ref().filter(|d| d.name == "overlay2")?;
    let lower = driver.data.get("LowerDir")?.split(':');
    // The engine puts a layer with mount points between the container's and the image's.
    let directories = lower.filter(|directory| !directory.ends_with("-init/diff"));
    Some(directories.map(|d| root.join(d.trim_start_matches('/'))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use bollard::models::DriverData;

    #[test]
    fn the_directories_of_the_layers_are_the_images_only() {
        let lower = "/d/overlay2/c-init/diff:/d/overlay2/b/diff:/d/overlay2/a/diff".to_owned();
        let driver = |name: &str| DriverData {
            name: name.to_owned(),
            data: HashMap::from([("LowerDir".to_owned(), lower.clone())]),
        };
        let of = |name| ContainerInspectResponse { graph_driver: Some(driver(name)), ..Default::default() };
        let found = lower_directories(&of("overlay2"), Path::new("/proc/7/root")).expect("directories");
        let wanted = ["/proc/7/root/d/overlay2/b/diff", "/proc/7/root/d/overlay2/a/diff"];
        assert_eq!(found, wanted.map(PathBuf::from));
        assert_eq!(lower_directories(&of("btrfs"), Path::new("/")), None);
    }
}
