//! The guest's initrd: the agent as `/init`, the virtio modules of the guest's kernel, and nothing else.

use crate::environment::agent::embedded;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// What the guest needs before it has a root, in the order in which it is loaded. What the kernel has built
/// in is left out.
const MODULES: [&str; 10] = [
    "virtio_ring",
    "virtio",
    "virtio_pci_legacy_dev",
    "virtio_pci_modern_dev",
    "virtio_pci",
    "virtio_blk",
    "virtio_console",
    "failover",
    "net_failover",
    "virtio_net",
];

/// Why there is no initrd.
#[derive(Debug)]
pub enum InitrdError {
    /// A module is neither a file nor built in.
    Missing(String),
    /// Reading or writing failed.
    Io(io::Error),
}

impl From<io::Error> for InitrdError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// The cpio archive (newc, uncompressed: it is small and the kernel starts sooner).
pub fn make(modules: &Path) -> Result<Vec<u8>, InitrdError> {
    let builtin = fs::read_to_string(modules.join("modules.builtin")).unwrap_or_default();
    let mut files = Vec::new();
    let mut order = String::new();
    for name in MODULES {
        let file = format!("{name}.ko");
        if let Some(path) = find(&modules.join("kernel"), &file)? {
            order.push_str(&file);
            order.push('\n');
            files.push((format!("modules/{file}"), 0o100_644, fs::read(path)?));
        } else if !builtin.lines().any(|line| line.ends_with(&format!("/{file}"))) {
            return Err(InitrdError::Missing(format!("module {name} (as a plain .ko file)")));
        }
    }
    archive(files, order)
}

/// For a kernel that has everything built in.
pub fn without_modules() -> Result<Vec<u8>, InitrdError> {
    archive(Vec::new(), String::new())
}

/// Name, mode and bytes of a file.
type File = (String, u32, Vec<u8>);

fn archive(mut files: Vec<File>, order: String) -> Result<Vec<u8>, InitrdError> {
    files.push(("modules/order".to_owned(), 0o100_644, order.into_bytes()));
    files.push(("init".to_owned(), 0o100_755, embedded::AGENT.to_vec()));
    let directories =
        ["dev", "proc", "sys", "modules", "newroot"].map(|d| (d.to_owned(), 0o040_755, Vec::new()));
    let inputs = directories.into_iter().chain(files).enumerate().map(|(number, (name, mode, bytes))| {
        let inode = u32::try_from(number).unwrap_or(0) + 1;
        (cpio::newc::Builder::new(&name).ino(inode).mode(mode), io::Cursor::new(bytes))
    });
    Ok(cpio::write_cpio(inputs, Vec::new())?)
}

fn find(dir: &Path, name: &str) -> io::Result<Option<PathBuf>> {
    let Ok(entries) = fs::read_dir(dir) else { return Ok(None) };
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            if let Some(found) = find(&entry.path(), name)? {
                return Ok(Some(found));
            }
        } else if entry.file_name() == name {
            return Ok(Some(entry.path()));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_initrd_holds_the_agent_and_names_a_missing_module() {
        let dir = tempfile::tempdir().expect("a directory");
        let missing = make(dir.path()).expect_err("no modules");
        assert!(matches!(missing, InitrdError::Missing(what) if what.contains("virtio_ring")));
        let builtin = MODULES[1..].iter().map(|m| format!("kernel/x/{m}.ko")).collect::<Vec<_>>().join("\n");
        fs::write(dir.path().join("modules.builtin"), builtin).expect("written");
        fs::create_dir_all(dir.path().join("kernel/drivers")).expect("made");
        fs::write(dir.path().join("kernel/drivers/virtio_ring.ko"), b"module").expect("written");
        let archive = make(dir.path()).expect("made");
        let first = cpio::newc::Reader::new(&archive[..]).expect("an archive");
        assert_eq!(first.entry().name(), "dev");
        assert!(archive.len() > embedded::AGENT.len());
    }
}
