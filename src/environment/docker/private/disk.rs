//! The filesystem below a private engine.

use super::{EngineError, EngineSpec};
use crate::command;
use crate::environment::docker::axes::Filesystem;
use rustix::fs::{statfs, statvfs};
use std::path::{Path, PathBuf};

/// Makes the file with the engine's filesystem, unless its directory is on such a filesystem or on any that serves.
pub(super) async fn make(spec: &EngineSpec, dir: &Path) -> Result<Option<PathBuf>, EngineError> {
    let Some(wanted) = spec.driver.backing() else { return Ok(None) };
    let here = filesystem_of(dir)?;
    // The host's own ext4 is the usual place; the others are made, so that they are fresh and of one shape.
    if wanted == Filesystem::Ext4 && here == wanted.as_str() {
        return Ok(None);
    }
    let room = statvfs(dir).map_err(|e| EngineError::io(dir)(e.into()))?;
    let free_mib = room.f_bavail.saturating_mul(room.f_frsize) >> 20;
    if free_mib < spec.disk_mib {
        return Err(EngineError::DiskFull { path: dir.to_owned(), free_mib, need_mib: spec.disk_mib });
    }
    let file = dir.join("disk.img");
    let made = std::fs::File::create(&file).and_then(|f| f.set_len(spec.disk_mib << 20));
    made.map_err(EngineError::io(&file))?;
    let mut line: Vec<&std::ffi::OsStr> = wanted.mkfs().iter().map(std::ffi::OsStr::new).collect();
    line.push(file.as_os_str());
    command::run(&line).await?;
    Ok(Some(file))
}

/// Type of the filesystem that a path is on.
pub(super) fn filesystem_of(path: &Path) -> Result<String, EngineError> {
    let found = statfs(path).map_err(|e| EngineError::io(path)(e.into()))?;
    Ok(filesystem_name(u64::try_from(found.f_type).unwrap_or(0)))
}

/// The name of a filesystem's magic number (statfs(2)), or the number.
fn filesystem_name(magic: u64) -> String {
    match magic {
        0xEF53 => "ext4".to_owned(),
        0x5846_5342 => "xfs".to_owned(),
        0x9123_683E => "btrfs".to_owned(),
        0x0102_1994 => "tmpfs".to_owned(),
        0x794C_7630 => "overlay".to_owned(),
        0x2FC1_2FC1 => "zfs".to_owned(),
        other => format!("filesystem {other:#x}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filesystems_are_known_by_their_numbers() {
        assert_eq!(filesystem_name(0xEF53), "ext4");
        assert_eq!(filesystem_name(1), "filesystem 0x1");
    }
}
