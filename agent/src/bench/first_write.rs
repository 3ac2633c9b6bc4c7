//! The first write to a file: what a storage driver does when a file of a lower layer is changed.
//!
//! A driver that copies whole files (overlay) pays for all of the file at its first opening for writing, one that
//! copies blocks for the block, and a volume for nothing. The second write shows what is left when that is done.

use super::options::Options;
use super::{Trouble, file_error};
use serde::Serialize;
use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::{Duration, Instant};

/// Bytes that are written: a page.
const WRITE: usize = 4096;
/// Smaller files say nothing about copying.
const LEAST_BYTES: u64 = 1 << 20;

/// What was measured.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Opening for writing, one write and closing: the first time, milliseconds.
    first_write_ms: f64,
    /// The same once more, microseconds.
    second_write_us: f64,
    /// Size of the file.
    bytes: u64,
}

/// Writes twice to the middle of the file, after making it anew where that is asked for.
pub fn run(options: &Options) -> Result<Report, Trouble> {
    let path = Path::new(options.text("file")?);
    if let Some(source) = options.optional_text("prepare-from") {
        copy(Path::new(source), path)?;
    }
    let bytes = std::fs::metadata(path).map_err(file_error("look at", path))?.len();
    if bytes < LEAST_BYTES {
        let least = LEAST_BYTES >> 20;
        let path = path.display();
        return Err(Trouble::Failed(format!(
            "{path} has {bytes} bytes; give a file of at least {least} MiB"
        )));
    }
    let middle = bytes / 2 / WRITE as u64 * WRITE as u64;
    let first = write(path, middle, b'1')?;
    let second = write(path, middle, b'2')?;
    Ok(Report {
        first_write_ms: first.as_secs_f64() * 1e3,
        second_write_us: second.as_secs_f64() * 1e6,
        bytes,
    })
}

fn write(path: &Path, offset: u64, byte: u8) -> Result<Duration, Trouble> {
    let page = [byte; WRITE];
    let started = Instant::now();
    let file = File::options().write(true).open(path).map_err(file_error("open for writing", path))?;
    file.write_all_at(&page, offset).map_err(file_error("write to", path))?;
    drop(file);
    Ok(started.elapsed())
}

/// Makes `to` a copy with blocks of its own, on the disk before it returns. Not `copy_file_range`(2), which shares the
/// blocks where the filesystem can, so that the first write would be one to a shared block.
fn copy(from: &Path, to: &Path) -> Result<(), Trouble> {
    match std::fs::remove_file(to) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(file_error("remove", to)(e)),
        _ => {}
    }
    let mut source = File::open(from).map_err(file_error("open", from))?;
    let mut target = File::create_new(to).map_err(file_error("make", to))?;
    let mut block = vec![0; 1 << 20];
    loop {
        let read = source.read(&mut block).map_err(file_error("read", from))?;
        if read == 0 {
            return target.sync_all().map_err(file_error("write back", to));
        }
        target.write_all(&block[..read]).map_err(file_error("write to", to))?;
    }
}

#[cfg(test)]
mod tests {
    use super::super::given;
    use super::*;

    #[test]
    fn a_copy_is_written_to_in_its_middle_and_nowhere_else() {
        let path =
            |name| std::env::temp_dir().join(format!("tollgate-agent-test-{}-{name}", std::process::id()));
        let (source, target) = (path("source"), path("target"));
        std::fs::write(&source, vec![7; (3 << 20) + 1]).expect("writes");
        std::fs::write(&target, "an old one").expect("writes");
        let (from, to) = (source.to_string_lossy(), target.to_string_lossy());
        let report = run(&given(&["--file", &to, "--prepare-from", &from])).expect("measures");
        let (before, after) =
            (std::fs::read(&source).expect("reads"), std::fs::read(&target).expect("reads"));
        std::fs::remove_file(&source).expect("removes");
        std::fs::remove_file(&target).expect("removes");
        assert!(report.first_write_ms > 0.0 && report.second_write_us > 0.0);
        assert_eq!((report.bytes, after.len()), ((3 << 20) + 1, before.len()));
        let changed: Vec<usize> = (0..after.len()).filter(|i| after[*i] != before[*i]).collect();
        assert_eq!((changed.first(), changed.len()), (Some(&(3 << 19)), WRITE));
        assert!(after[3 << 19] == b'2', "the second write came last");
    }

    #[test]
    fn a_small_file_and_a_missing_one_are_refused() {
        let path = std::env::temp_dir().join(format!("tollgate-agent-test-{}-small", std::process::id()));
        std::fs::write(&path, "small").expect("writes");
        let small = run(&given(&["--file", &path.to_string_lossy()])).expect_err("small").to_string();
        assert_eq!(std::fs::read(&path).expect("reads"), b"small");
        std::fs::remove_file(&path).expect("removes");
        assert!(small.contains("5 bytes") && small.contains("1 MiB"), "{small}");
        assert!(run(&given(&["--file", "/no/such"])).expect_err("missing").to_string().contains("/no/such"));
    }
}
