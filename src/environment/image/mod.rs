//! The bench image: one root filesystem in three places.
//!
//! Built once by mmdebstrap from Debian packages with the agent added, and kept as a directory (the chroot of
//! the native environment), as the tar that Docker imports, and as the ext4 disk of the guest, with a Debian
//! cloud kernel and an initrd of our own. Cached under a key over all inputs; a build happens in a temporary
//! directory that is renamed when it is whole.

mod build;
mod initrd;
mod kernel;
mod layers;

pub use kernel::GuestKernel;
pub use layers::LayeredImage;

use crate::command::CommandFailure;
use crate::environment::agent::embedded;
use crate::model::hex;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};

/// Version of the build steps: part of the key, so that a change of the steps builds anew.
const RECIPE: u32 = 2;
/// Where the agent is inside the image.
pub const AGENT_PATH: &str = "/usr/local/bin/tollgate-agent";
/// Where the data directory is inside the image.
pub const DATA: &str = "/data";
/// Where the files are whose copy-up is measured, from the root of the image.
pub const COPYUP: &str = "usr/share/tollgate/copyup";

/// Why there is no bench image.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// A step failed.
    #[error("building the bench image: {0}")]
    Command(#[from] CommandFailure),
    /// A file could not be read or written.
    #[error("building the bench image: {path}: {source}")]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Too little room for a build.
    #[error(
        "the bench image needs {need_mib} MiB in {path}, {free_mib} MiB are free; make room or choose another place with --state"
    )]
    DiskFull {
        /// Where.
        path: PathBuf,
        /// Free MiB.
        free_mib: u64,
        /// Needed MiB.
        need_mib: u64,
    },
    /// The kernel package does not hold what a guest needs.
    #[error("the guest's kernel package {package} holds no {what}")]
    Kernel {
        /// Which package.
        package: String,
        /// What is missing.
        what: String,
    },
}

impl ImageError {
    fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Self + '_ {
        |source| Self::Io { path: path.to_owned(), source }
    }
}

/// What an image is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipe {
    /// Debian release: `bookworm`.
    pub suite: String,
    /// A mirror's address or a file with apt sources; mmdebstrap's default for the suite when absent.
    pub mirror: Option<String>,
    /// Packages beyond the essential ones.
    pub packages: Vec<String>,
    /// Room that a build needs, MiB.
    pub min_free_mib: u64,
}

impl Recipe {
    /// For the packages that the workloads name, without duplicates and in order.
    pub fn new(suite: &str, mirror: Option<&str>, packages: &[&str], min_free_mib: u64) -> Self {
        let mut packages: Vec<String> = packages.iter().map(|p| (*p).to_owned()).collect();
        packages.push("iproute2".to_owned());
        packages.sort();
        packages.dedup();
        Self { suite: suite.to_owned(), mirror: mirror.map(str::to_owned), packages, min_free_mib }
    }

    /// Name of the cache entry: a digest over everything that goes in.
    pub fn key(&self) -> String {
        let inputs = format!(
            "{RECIPE}\n{}\n{}\n{}\n{}",
            self.suite,
            self.mirror.as_deref().unwrap_or_default(),
            self.packages.join(" "),
            embedded::digest()
        );
        hex(&Sha256::digest(inputs))[..16].to_owned()
    }
}

/// A whole image on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BenchImage {
    /// Its directory in the cache.
    pub dir: PathBuf,
    /// What it is.
    pub manifest: Manifest,
}

/// The last file that a build writes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// SHA-256 of the tar: the component `bench-image`.
    pub digest: String,
    /// Debian release.
    pub suite: String,
    /// `uname -r` of the guest's kernel.
    pub kernel_release: String,
    /// File name of the guest kernel's package, which holds its version: the component `guest-kernel`.
    pub kernel_package: String,
    /// Every package with its version, as `dpkg-query -W` prints them.
    pub packages: String,
}

impl BenchImage {
    /// The directory that the native environment changes its root to.
    pub fn rootfs(&self) -> PathBuf {
        self.dir.join("rootfs")
    }

    /// The tar that Docker imports.
    pub fn tar(&self) -> PathBuf {
        self.dir.join("rootfs.tar")
    }

    /// The guest's root disk.
    pub fn disk(&self) -> PathBuf {
        self.dir.join("disk.ext4")
    }

    /// The guest's kernel.
    pub fn kernel(&self) -> PathBuf {
        self.dir.join("vmlinuz")
    }

    /// The guest's initrd.
    pub fn initrd(&self) -> PathBuf {
        self.dir.join("initrd")
    }

    /// First twelve digits of the digest: enough for names.
    pub fn short_digest(&self) -> &str {
        &self.manifest.digest[..12]
    }

    /// The image of `recipe` in the cache below `images`, if it is there and whole.
    pub fn cached(images: &Path, recipe: &Recipe) -> Option<Self> {
        let dir = images.join(recipe.key());
        let text = std::fs::read_to_string(dir.join("manifest.json")).ok()?;
        let manifest: Manifest = serde_json::from_str(&text).ok()?;
        let image = Self { dir, manifest };
        let whole = image.manifest.digest.len() == 64
            && [image.rootfs(), image.tar(), image.disk(), image.kernel(), image.initrd()]
                .iter()
                .all(|p| p.exists());
        whole.then_some(image)
    }

    /// The image of `recipe`, built when it is not cached. `say` is told of each step.
    pub async fn get(
        images: &Path,
        recipe: &Recipe,
        say: &(dyn Fn(&str) + Sync),
    ) -> Result<Self, ImageError> {
        if let Some(image) = Self::cached(images, recipe) {
            return Ok(image);
        }
        build::build(images, recipe, say).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_depends_on_every_input_but_not_on_the_order_of_packages() {
        let a = Recipe::new("bookworm", None, &["fio", "xz-utils"], 1);
        assert_eq!(a.key(), Recipe::new("bookworm", None, &["xz-utils", "fio", "fio"], 2).key());
        assert_ne!(a.key(), Recipe::new("trixie", None, &["fio", "xz-utils"], 1).key());
        assert_ne!(a.key(), Recipe::new("bookworm", None, &["fio"], 1).key());
        assert_ne!(a.key(), Recipe::new("bookworm", Some("m"), &["fio", "xz-utils"], 1).key());
    }

    #[test]
    fn a_half_made_image_is_not_used() {
        let images = tempfile::tempdir().expect("a directory");
        let recipe = Recipe::new("bookworm", None, &["fio"], 1);
        let dir = images.path().join(recipe.key());
        std::fs::create_dir_all(dir.join("rootfs")).expect("made");
        assert_eq!(BenchImage::cached(images.path(), &recipe), None);
        std::fs::write(dir.join("manifest.json"), "{\"digest\":\"ab").expect("written");
        assert_eq!(BenchImage::cached(images.path(), &recipe), None);
    }

    #[tokio::test]
    async fn a_full_disk_is_noticed_before_the_build() {
        let images = tempfile::tempdir().expect("a directory");
        let recipe = Recipe::new("bookworm", None, &["fio"], u64::MAX);
        let error = BenchImage::get(images.path(), &recipe, &|_| {}).await.expect_err("no room");
        assert!(matches!(error, ImageError::DiskFull { .. }), "{error}");
        assert!(error.to_string().contains("--state"));
    }
}
