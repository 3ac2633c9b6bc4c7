//! The kernel that a guest boots: the bench image's, or one of the operator's.

use super::{BenchImage, ImageError, initrd};
use crate::model::hex;
use sha2::{Digest, Sha256};
use std::fs;
use std::path::{Path, PathBuf};

/// Digits of a kernel's digest in its version: enough to tell two builds of one name apart.
const SHORT: usize = 12;

/// What QEMU boots.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GuestKernel {
    /// Its image.
    pub vmlinuz: PathBuf,
    /// An initrd with the agent and the modules of this very kernel.
    pub initrd: PathBuf,
}

impl GuestKernel {
    /// The bench image's own.
    pub fn of_image(image: &BenchImage) -> Self {
        Self { vmlinuz: image.kernel(), initrd: image.initrd() }
    }

    /// One of the operator's. The initrd is made in `dir`, from the directory of its modules, or without any where all is
    /// built in.
    pub fn own(vmlinuz: &Path, modules: Option<&Path>, dir: &Path) -> Result<Self, ImageError> {
        let package = vmlinuz.display().to_string();
        let made = match modules {
            Some(modules) => initrd::make(modules),
            None => initrd::without_modules(),
        };
        let bytes = made.map_err(|e| match e {
            initrd::InitrdError::Missing(what) => ImageError::Kernel { package, what },
            initrd::InitrdError::Io(source) => {
                ImageError::Io { path: modules.unwrap_or(vmlinuz).to_owned(), source }
            }
        })?;
        fs::create_dir_all(dir).map_err(ImageError::io(dir))?;
        let initrd = dir.join("initrd");
        fs::write(&initrd, bytes).map_err(ImageError::io(&initrd))?;
        Ok(Self { vmlinuz: vmlinuz.to_owned(), initrd })
    }

    /// Name and digest of a kernel: the version of the component `guest-kernel`. None when it cannot be read.
    pub fn version(vmlinuz: &Path) -> Option<String> {
        let digest = hex(&Sha256::digest(fs::read(vmlinuz).ok()?));
        let name = vmlinuz.file_name()?.to_string_lossy().into_owned();
        Some(format!("{name} sha256:{}", &digest[..SHORT]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kernel_of_ones_own_gets_an_initrd_and_a_version_that_depends_on_its_bytes() {
        let dir = tempfile::tempdir().expect("a directory");
        let vmlinuz = dir.path().join("vmlinuz-x");
        fs::write(&vmlinuz, b"one").expect("written");
        let first = GuestKernel::version(&vmlinuz).expect("a version");
        fs::write(&vmlinuz, b"two").expect("written");
        assert_ne!(GuestKernel::version(&vmlinuz), Some(first.clone()));
        assert!(first.starts_with("vmlinuz-x sha256:"), "{first}");
        let kernel = GuestKernel::own(&vmlinuz, None, &dir.path().join("guest")).expect("made");
        assert!(kernel.initrd.exists());
        let missing = GuestKernel::own(&vmlinuz, Some(dir.path()), dir.path()).expect_err("no modules");
        assert!(missing.to_string().contains("virtio_ring"), "{missing}");
    }
}
