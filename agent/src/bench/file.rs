//! Reads one file, warm or cold, and drops files from the page cache: for what containers share of it.

use super::options::Options;
use super::{Trouble, file_error, per_second};
use crate::sys;
use serde::Serialize;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::time::Instant;

/// Bytes of one read.
const BLOCK: usize = 128 * 1024;

/// What was read.
#[derive(Debug, Serialize)]
pub struct Reading {
    bytes: u64,
    seconds: f64,
    mb_per_second: f64,
    /// How much of the file was in the page cache before, in whole pages.
    cached_bytes_before: u64,
}

/// What was dropped.
#[derive(Debug, Serialize)]
pub struct Eviction {
    /// How much of the file was in the page cache before and after, in whole pages. Pages that others have mapped
    /// or that are dirty stay.
    cached_bytes_before: u64,
    cached_bytes_after: u64,
}

/// Reads the file from its beginning to its end, dropped from the cache before if asked.
pub fn read(options: &Options) -> Result<Reading, Trouble> {
    let path = Path::new(options.text("file")?);
    let mut file = File::open(path).map_err(file_error("open", path))?;
    if options.flag("evict") {
        drop_cached(&file, path)?;
    }
    let cached_bytes_before = cached(&file, path)?;
    let mut block = vec![0; BLOCK];
    let mut bytes = 0;
    let started = Instant::now();
    loop {
        match file.read(&mut block).map_err(file_error("read", path))? {
            0 => break,
            read => bytes += read as u64,
        }
    }
    let took = started.elapsed();
    if bytes == 0 {
        return Err(Trouble::Failed(format!("{} is empty: there is nothing to measure", path.display())));
    }
    let mb_per_second = per_second(bytes as f64, took)? / 1e6;
    Ok(Reading { bytes, seconds: took.as_secs_f64(), mb_per_second, cached_bytes_before })
}

/// Drops the file from the page cache.
pub fn evict(options: &Options) -> Result<Eviction, Trouble> {
    let path = Path::new(options.text("file")?);
    let file = File::open(path).map_err(file_error("open", path))?;
    let cached_bytes_before = cached(&file, path)?;
    drop_cached(&file, path)?;
    Ok(Eviction { cached_bytes_before, cached_bytes_after: cached(&file, path)? })
}

/// Only clean pages can be dropped, so what is dirty of the file is written first.
fn drop_cached(file: &File, path: &Path) -> Result<(), Trouble> {
    file.sync_data().map_err(file_error("write back", path))?;
    sys::drop_cached(file).map_err(file_error("drop from the page cache", path))
}

fn cached(file: &File, path: &Path) -> Result<u64, Trouble> {
    let length = file.metadata().map_err(file_error("look at", path))?.len();
    let length = usize::try_from(length).map_err(|e| format!("{}: {e}", path.display()))?;
    if length == 0 {
        return Ok(0);
    }
    let bytes = sys::cached_bytes(file, length).map_err(file_error("count the cached pages of", path))?;
    Ok(bytes as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    fn file(name: &str, bytes: usize) -> PathBuf {
        let path = std::env::temp_dir().join(format!("tollgate-agent-test-{}-{name}", std::process::id()));
        std::fs::write(&path, vec![7; bytes]).expect("writes");
        path
    }

    fn options(path: &Path, flags: &[&str]) -> Options {
        let mut args = vec!["--file".to_owned(), path.to_string_lossy().into_owned()];
        args.extend(flags.iter().map(|f| (*f).to_owned()));
        Options::read(&args, &["file"], &["evict"]).expect("options")
    }

    #[test]
    fn all_of_the_file_is_read() {
        let path = file("read", BLOCK * 2 + 5);
        let warm = read(&options(&path, &[])).expect("reads");
        let cold = read(&options(&path, &["--evict"])).expect("reads");
        let evicted = evict(&options(&path, &[])).expect("drops");
        std::fs::remove_file(&path).expect("removes");
        assert_eq!((warm.bytes, cold.bytes), (BLOCK as u64 * 2 + 5, BLOCK as u64 * 2 + 5));
        assert!(warm.cached_bytes_before >= warm.bytes, "just written: {warm:?}");
        assert!(evicted.cached_bytes_before >= cold.bytes, "just read: {evicted:?}");
        // A filesystem in memory keeps what it has; a disk's lets it go.
        assert!(evicted.cached_bytes_after <= evicted.cached_bytes_before);
        assert!(cold.cached_bytes_before <= warm.cached_bytes_before);
    }

    #[test]
    fn a_missing_and_an_empty_file_are_errors() {
        let error = evict(&options(Path::new("/no/such/file"), &[])).expect_err("missing").to_string();
        assert!(error.starts_with("open /no/such/file"), "{error}");
        let path = file("empty", 0);
        let error = read(&options(&path, &[])).expect_err("empty").to_string();
        std::fs::remove_file(&path).expect("removes");
        assert!(error.contains("empty"), "{error}");
    }
}
