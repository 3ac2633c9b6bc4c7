//! Many small files: create, append, read, rename, unlink, each for all of them before the next.
//!
//! After each step the filesystem is written back (syncfs(2)), outside the time. Inside it is no fsync, so that what is
//! timed is the work on metadata in the page cache, where storage drivers differ (layers looked up, files copied up,
//! whiteouts), and not the disk's flushes, which are the same for all; outside it, so that no step pays for
//! what another left dirty.

use super::options::Options;
use super::{Trouble, file_error, per_second};
use crate::sys;
use serde::Serialize;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

/// What is written at once, and the size of a new file.
const BLOCK: [u8; 1024] = [b'x'; 1024];
/// Files of one directory.
const IN_A_DIRECTORY: u64 = 256;

/// What was measured, in files per second.
#[derive(Debug, Serialize)]
pub struct Report {
    create_per_second: f64,
    append_per_second: f64,
    read_per_second: f64,
    rename_per_second: f64,
    unlink_per_second: f64,
    files: u64,
}

/// Works through a fresh tree below the directory.
pub fn run(options: &Options) -> Result<Report, Trouble> {
    let tree = Tree::make(Path::new(options.text("dir")?), options.number("count", 1..=10_000_000)?)?;
    let report = Report {
        create_per_second: tree.step(create)?,
        append_per_second: tree.step(append)?,
        read_per_second: tree.step(read)?,
        rename_per_second: tree.step(rename)?,
        unlink_per_second: tree.step(unlink)?,
        files: tree.files,
    };
    tree.remove()?;
    Ok(report)
}

/// A directory with its subdirectories, removed however this ends.
struct Tree {
    root: PathBuf,
    /// The root, open, so that its filesystem can be written back.
    handle: File,
    files: u64,
}

impl Tree {
    fn make(below: &Path, files: u64) -> Result<Self, Trouble> {
        let root = below.join(format!("small-files-{}", std::process::id()));
        fs::create_dir(&root).map_err(file_error("make", &root))?;
        // From here on the root is removed also when something fails.
        let handle = File::open(&root).map_err(|e| {
            let _ = fs::remove_dir(&root);
            file_error("open", &root)(e)
        })?;
        let tree = Self { root, handle, files };
        for directory in 0..files.div_ceil(IN_A_DIRECTORY) {
            let path = tree.root.join(format!("{directory:05}"));
            fs::create_dir(&path).map_err(file_error("make", &path))?;
        }
        tree.write_back()?;
        Ok(tree)
    }

    /// Does one thing to every file. Returns files per second.
    fn step(&self, work: fn(&Path) -> Result<(), Trouble>) -> Result<f64, Trouble> {
        let paths: Vec<PathBuf> = (0..self.files).map(|file| self.path(file)).collect();
        let started = Instant::now();
        for path in &paths {
            work(path)?;
        }
        let took = started.elapsed();
        self.write_back()?;
        per_second(self.files as f64, took)
    }

    fn path(&self, file: u64) -> PathBuf {
        self.root.join(format!("{:05}/{file:08}", file / IN_A_DIRECTORY))
    }

    fn write_back(&self) -> Result<(), Trouble> {
        sys::sync_filesystem(&self.handle).map_err(file_error("write back the filesystem of", &self.root))
    }

    /// Removes the tree; unlike a drop it says when it cannot.
    fn remove(self) -> Result<(), Trouble> {
        fs::remove_dir_all(&self.root).map_err(file_error("remove", &self.root))
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.root);
    }
}

fn create(path: &Path) -> Result<(), Trouble> {
    let mut file = File::create_new(path).map_err(file_error("make", path))?;
    file.write_all(&BLOCK).map_err(file_error("write to", path))
}

fn append(path: &Path) -> Result<(), Trouble> {
    let mut file = File::options().append(true).open(path).map_err(file_error("open", path))?;
    file.write_all(&BLOCK).map_err(file_error("append to", path))
}

fn read(path: &Path) -> Result<(), Trouble> {
    let mut content = [0; BLOCK.len() * 2 + 1];
    let mut file = File::open(path).map_err(file_error("open", path))?;
    let mut have = 0;
    loop {
        match file.read(&mut content[have..]).map_err(file_error("read", path))? {
            0 if have == BLOCK.len() * 2 => return Ok(()),
            0 => return Err(Trouble::Failed(format!("{} has {have} bytes, not 2048", path.display()))),
            read => have += read,
        }
    }
}

fn renamed(path: &Path) -> PathBuf {
    path.with_extension("renamed")
}

fn rename(path: &Path) -> Result<(), Trouble> {
    fs::rename(path, renamed(path)).map_err(file_error("rename", path))
}

fn unlink(path: &Path) -> Result<(), Trouble> {
    let path = renamed(path);
    fs::remove_file(&path).map_err(file_error("unlink", &path))
}

#[cfg(test)]
mod tests {
    use super::super::given;
    use super::*;

    fn directory(name: &str) -> PathBuf {
        let dir = std::env::temp_dir().join(format!("tollgate-agent-test-{}-{name}", std::process::id()));
        fs::create_dir_all(&dir).expect("makes");
        dir
    }

    /// One tree at a time in a directory: its name is that of the process.
    #[test]
    fn all_steps_give_a_rate_and_nothing_is_left() {
        let dir = directory("steps");
        let report = run(&given(&["--dir", &dir.to_string_lossy(), "--count", "300"])).expect("runs");
        assert_eq!(report.files, 300);
        for rate in [report.create_per_second, report.read_per_second, report.unlink_per_second] {
            assert!(rate > 0.0 && rate.is_finite());
        }
        fs::remove_dir(&dir).expect("empty");
    }

    #[test]
    fn each_step_does_what_it_says() {
        let dir = directory("each");
        let tree = Tree::make(&dir, 257).expect("makes");
        let (first, last) = (tree.path(0), tree.path(256));
        assert_ne!(first.parent(), last.parent(), "256 files a directory");
        tree.step(create).expect("creates");
        assert_eq!(fs::metadata(&last).expect("there").len(), 1024);
        assert!(tree.step(read).expect_err("too short").to_string().contains("1024 bytes"));
        tree.step(append).expect("appends");
        assert_eq!(fs::metadata(&first).expect("there").len(), 2048);
        tree.step(rename).expect("renames");
        assert!(!first.exists() && renamed(&first).exists());
        tree.step(unlink).expect("unlinks");
        assert!(!renamed(&last).exists());
        drop(tree);
        fs::remove_dir(&dir).expect("empty");
    }

    #[test]
    fn the_tree_is_removed_also_on_error() {
        let dir = directory("error");
        let tree = Tree::make(&dir, 3).expect("makes");
        tree.step(create).expect("creates");
        let error = tree.step(unlink).expect_err("not renamed").to_string();
        assert!(error.contains("00000000.renamed"), "{error}");
        drop(tree);
        fs::remove_dir(&dir).expect("empty");
        assert!(
            run(&given(&["--dir", "/no/such", "--count", "1"]))
                .expect_err("no directory")
                .to_string()
                .contains("/no/such")
        );
    }
}
