//! Files that are whole or not there.

use std::ffi::OsStr;
use std::fs::{self, DirEntry, File};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

/// Writes `bytes` under a temporary name beside `path`, syncs, and renames: a crash leaves the old file or
/// the new one, never half of it.
pub fn write(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let parent = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    let name = path.file_name().ok_or_else(|| io::Error::other("the path has no file name"))?;
    // Not the process id: in a container it is the same after each start, and what was killed may have left its file.
    let temporary = parent.join(format!(".{}.{:016x}.new", name.to_string_lossy(), rand::random::<u64>()));
    write_through(&temporary, path, parent, bytes, mode)
}

fn write_through(temporary: &Path, path: &Path, parent: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let result = (|| {
        // Never through a link that somebody else put there.
        let mut file = File::options().write(true).create_new(true).open(temporary)?;
        file.set_permissions(fs::Permissions::from_mode(mode))?;
        file.write_all(bytes)?;
        file.sync_all()?;
        drop(file);
        fs::rename(temporary, path)?;
        File::open(parent)?.sync_all()
    })();
    if result.as_ref().is_err_and(|e: &io::Error| e.kind() != io::ErrorKind::AlreadyExists) {
        let _ = fs::remove_file(temporary);
    }
    result
}

/// Removes from a directory what a process that was killed had begun to write and not renamed, and what is older than `age`:
/// nobody writes a file for so long. What cannot be removed stays; it is in nobody's way.
pub fn remove_stale(directory: &Path, age: Duration) {
    let is_old = |entry: &DirEntry| entry.metadata()?.modified()?.elapsed().map_err(io::Error::other);
    remove_temporaries(directory, |_, entry| is_old(entry).is_ok_and(|old| old > age));
}

/// The same of one file that nobody else writes, of whatever age.
pub fn remove_half_written(path: &Path) {
    if let (Some(directory), Some(name)) = (path.parent(), path.file_name().and_then(OsStr::to_str)) {
        remove_temporaries(directory, |of, _| of == name);
    }
}

/// Of those with the name of the file that they were to become.
fn remove_temporaries(directory: &Path, wanted: impl Fn(&str, &DirEntry) -> bool) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        if entry.file_name().to_str().and_then(becomes).is_some_and(|name| wanted(name, &entry)) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// `NAME` of the temporary `.NAME.DIGITS.new`; the digits are hexadecimal.
fn becomes(temporary: &str) -> Option<&str> {
    let (name, digits) = temporary.strip_prefix('.')?.strip_suffix(".new")?.rsplit_once('.')?;
    let is_ours = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_hexdigit());
    is_ours.then_some(name)
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
        let planted = dir.path().join(".report.1.new");
        std::os::unix::fs::symlink(&victim, &planted).expect("planted");
        assert!(write_through(&planted, &path, dir.path(), b"three", 0o600).is_err());
        assert_eq!(fs::read(&victim).expect("read"), b"precious");
        assert!(planted.is_symlink(), "what is not ours is left alone");
    }

    #[test]
    fn what_was_killed_is_in_nobodys_way_and_goes_when_it_is_old() {
        let dir = tempfile::tempdir().expect("a directory");
        let own = format!(".report.{}.new", std::process::id());
        let names =
            [own.as_str(), ".report.00ff00ff00ff00ff.new", ".service.sock.new", "report.12.new", ".x"];
        for name in names {
            fs::write(dir.path().join(name), "half").expect("written");
        }
        write(&dir.path().join("report"), b"whole", 0o600).expect("another name is found");
        let left = || {
            let names = fs::read_dir(dir.path()).expect("read").flatten().map(|e| e.file_name());
            names.collect::<std::collections::BTreeSet<_>>()
        };
        remove_stale(dir.path(), Duration::from_secs(3600));
        assert_eq!(left().len(), names.len() + 1, "somebody may be writing them");
        std::thread::sleep(Duration::from_millis(20));
        remove_stale(dir.path(), Duration::from_millis(10));
        assert_eq!(left(), [".service.sock.new", "report.12.new", ".x", "report"].map(Into::into).into());
    }

    #[test]
    fn a_bare_file_name_is_in_the_working_directory() {
        let name = format!("tollgate-durable-{}.tmp", std::process::id());
        write(Path::new(&name), b"x", 0o600).expect("written");
        fs::remove_file(&name).expect("it is there");
    }
}
