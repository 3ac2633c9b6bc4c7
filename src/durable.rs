//! Files that are whole or not there.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Writes `bytes` under a temporary name beside `path`, syncs, and renames: a crash leaves the old file or
/// the new one, never half of it.
pub fn write(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let parent = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    let name = path.file_name().ok_or_else(|| io::Error::other("the path has no file name"))?;
    let temporary = parent.join(format!(".{}.{}.new", name.to_string_lossy(), std::process::id()));
    let result = (|| {
        // Never through a link that somebody else put there.
        let mut file = File::options().write(true).create_new(true).open(&temporary)?;
        file.set_permissions(fs::Permissions::from_mode(mode))?;
        file.write_all(bytes)?;
        file.sync_all()?;
        drop(file);
        fs::rename(&temporary, path)?;
        File::open(parent)?.sync_all()
    })();
    if result.as_ref().is_err_and(|e: &io::Error| e.kind() != io::ErrorKind::AlreadyExists) {
        let _ = fs::remove_file(&temporary);
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_a_planted_link_is_not_followed() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("report");
        write(&path, b"one", 0o600).expect("written");
        write(&path, b"two", 0o600).expect("replaced");
        assert_eq!(fs::read(&path).expect("read"), b"two");
        let victim = dir.path().join("victim");
        fs::write(&victim, b"precious").expect("written");
        let planted = dir.path().join(format!(".report.{}.new", std::process::id()));
        std::os::unix::fs::symlink(&victim, &planted).expect("planted");
        assert!(write(&path, b"three", 0o600).is_err());
        assert_eq!(fs::read(&victim).expect("read"), b"precious");
    }

    #[test]
    fn a_bare_file_name_is_in_the_working_directory() {
        let name = format!("tollgate-durable-{}.tmp", std::process::id());
        write(Path::new(&name), b"x", 0o600).expect("written");
        fs::remove_file(&name).expect("it is there");
    }
}
