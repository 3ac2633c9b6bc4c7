//! Holds memory for a while, so that what others count of it can be compared with what was touched.

use super::Trouble;
use super::faults::{map, touch_all};
use super::options::Options;
use serde::Serialize;
use std::fs;

/// What was held.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Touched by us and held.
    held_bytes: u64,
    /// What the kernel says is there of this process, with its code and stack (proc(5), `VmRSS`).
    resident_bytes: u64,
    milliseconds: u64,
}

/// Touches so many MiB and holds them for so long.
pub fn run(options: &Options) -> Result<Report, Trouble> {
    let mut memory = map(options.mebibytes("mib")?)?;
    let time = options.milliseconds("ms")?;
    touch_all(&mut memory);
    std::thread::sleep(time);
    let resident_bytes = resident_bytes()?;
    let milliseconds = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    Ok(Report { held_bytes: memory.bytes() as u64, resident_bytes, milliseconds })
}

fn resident_bytes() -> Result<u64, Trouble> {
    let path = "/proc/self/status";
    let status = fs::read_to_string(path).map_err(|e| format!("read {path}: {e}"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    Ok(kib.ok_or_else(|| format!("{path} has no VmRSS in kB"))? * 1024)
}

#[cfg(test)]
mod tests {
    use super::super::given;
    use super::*;

    #[test]
    fn what_is_held_is_resident() {
        let report = run(&given(&["--mib", "8", "--ms", "1"])).expect("holds");
        assert_eq!(report.held_bytes, 8 << 20);
        assert!(report.resident_bytes >= report.held_bytes, "{report:?}");
    }
}
