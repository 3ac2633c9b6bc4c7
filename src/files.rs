//! Floor 2: reading small files below a root path: whatever cannot be read is absent, never an error or a zero.

use crate::command::PROGRAM_DIRECTORIES;
use std::{
    fs::{self, File},
    io::Read as _,
    path::{Path, PathBuf},
};

/// More than any file of a healthy host that is read here; a larger one is read up to this size.
const LIMIT: u64 = 64 << 20;

/// `/proc/stat` below `root`.
pub fn under(root: &Path, path: impl AsRef<Path>) -> PathBuf {
    let path = path.as_ref();
    root.join(path.strip_prefix("/").unwrap_or(path))
}

/// The text of a file, bytes that are not UTF-8 replaced; none when it cannot be read.
pub fn read(root: &Path, path: impl AsRef<Path>) -> Option<String> {
    let path = under(root, path);
    // A named pipe or device in place of a file would block.
    if !fs::metadata(&path).ok()?.is_file() {
        return None;
    }
    let mut bytes = Vec::new();
    File::open(path).ok()?.take(LIMIT).read_to_end(&mut bytes).ok()?;
    Some(match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(e) => String::from_utf8_lossy(e.as_bytes()).into_owned(),
    })
}

/// One value: the text of a file on one line without space around it; none when it is empty.
pub fn value(root: &Path, path: impl AsRef<Path>) -> Option<String> {
    let text = read(root, path)?;
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    (!line.is_empty()).then_some(line)
}

/// Names of the entries of a directory, sorted; empty when it cannot be read.
pub fn names(root: &Path, path: impl AsRef<Path>) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(under(root, path))
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .collect();
    names.sort();
    names
}

/// Where a program is, as a path seen from inside `root`.
pub fn program(root: &Path, name: &str) -> Option<PathBuf> {
    use std::os::unix::fs::PermissionsExt as _;
    PROGRAM_DIRECTORIES.iter().map(|directory| Path::new(directory).join(name)).find(|path| {
        fs::metadata(under(root, path)).is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0)
    })
}
