//! Touches memory until it is killed: how far a process gets beyond its limit.
//!
//! The memory belongs to a forked child that the kernel kills first (`oom_score_adj`, proc(5)). How far it came is in
//! memory that it shares with this process, which survives and tells.

use super::Trouble;
use super::options::Options;
use crate::sys::{self, Memory, Reserve, SharedCounter};
use serde::Serialize;
use std::sync::atomic::{AtomicU64, Ordering};

/// What was seen.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Whether the child was killed; otherwise it touched everything.
    killed: bool,
    /// What the child had touched by then, MiB.
    touched_mib: f64,
}

/// Exit code of a child that could not make itself the first to be killed.
const NOT_FIRST: u8 = 3;

/// Touches up to so many MiB, page by page.
pub fn run(options: &Options) -> Result<Report, Trouble> {
    let bytes = options.mebibytes("mib")?;
    // More than there is may be asked for: to be killed is the point.
    let memory = Memory::untouched(bytes, Reserve::Never);
    let mut memory = memory.map_err(|e| format!("map {} MiB: {e}", bytes >> 20))?;
    let progress = SharedCounter::new().map_err(|e| format!("map a shared page: {e}"))?;
    let child = sys::fork(|| touch(&mut memory, progress.get())).map_err(|e| format!("fork: {e}"))?;
    let ended = sys::wait(Some(child), true).map_err(|e| format!("wait for process {child}: {e}"))?;
    let ended = ended.ok_or_else(|| format!("process {child} was waited for by somebody else"))?;
    let touched_mib = progress.get().load(Ordering::SeqCst) as f64 / f64::from(1 << 20);
    match (ended.code, ended.signal) {
        (Some(0), _) => Ok(Report { killed: false, touched_mib }),
        (_, Some(libc::SIGKILL)) => Ok(Report { killed: true, touched_mib }),
        (Some(code), _) if code == i32::from(NOT_FIRST) => {
            Err(Trouble::Failed("write 1000 to /proc/self/oom_score_adj: refused".to_owned()))
        }
        _ => {
            Err(Trouble::Failed(format!("after {touched_mib} MiB the child ended with {}", ended.describe())))
        }
    }
}

/// In the child: nothing here allocates.
fn touch(memory: &mut Memory, progress: &AtomicU64) -> u8 {
    if std::fs::write("/proc/self/oom_score_adj", "1000").is_err() {
        return NOT_FIRST;
    }
    let page = sys::page_size();
    for offset in (0..memory.bytes()).step_by(page) {
        memory.touch(offset);
        progress.store((offset + page) as u64, Ordering::Relaxed);
    }
    0
}

#[cfg(test)]
mod tests {
    use super::super::given;
    use super::*;

    #[test]
    fn a_child_that_is_not_killed_touches_everything() {
        let report = run(&given(&["--mib", "3"])).expect("runs");
        assert!(!report.killed);
        assert!((report.touched_mib - 3.0).abs() < 1e-9, "{report:?}");
    }
}
