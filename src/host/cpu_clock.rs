//! What the host's processors did meanwhile: read before and after each trial, so it must be cheap
//! (two small files, 0.1 milliseconds).

use super::files;
use std::path::{Path, PathBuf};

/// `/proc/stat` cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ClockError {
    /// It cannot be read.
    #[error("{path} cannot be read; is /proc mounted?")]
    Unreadable {
        /// The file.
        path: PathBuf,
    },
    /// Its first line is not the sum over all processors.
    #[error("{path} has no line `cpu` with at least 8 counters; it is not a Linux /proc/stat")]
    Malformed {
        /// The file.
        path: PathBuf,
    },
}

/// Counters since the boot, or their increase between two readings; all processors together, microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HostSample {
    /// Time spent on anything but idling and waiting for disks: user, nice, system, interrupts. Guests that
    /// run on the host are part of it; stolen time is not. Resolution: one clock tick, 10 milliseconds.
    pub busy_us: u64,
    /// Time that the host's own hypervisor gave to others while a task wanted to run.
    pub steal_us: u64,
    /// Time during which some task waited for a processor (`some` of `/proc/pressure/cpu`); none without PSI.
    pub psi_cpu_us: Option<u64>,
}

impl HostSample {
    /// The increase since an `earlier` reading. Counters that went backwards (a processor was taken offline)
    /// count as no increase.
    #[must_use]
    pub fn delta(&self, earlier: &Self) -> Self {
        Self {
            busy_us: self.busy_us.saturating_sub(earlier.busy_us),
            steal_us: self.steal_us.saturating_sub(earlier.steal_us),
            psi_cpu_us: self.psi_cpu_us.zip(earlier.psi_cpu_us).map(|(now, then)| now.saturating_sub(then)),
        }
    }
}

/// Reads [`HostSample`]s.
#[derive(Debug)]
pub struct HostClock;

impl HostClock {
    /// Reads the counters of the host whose filesystem is at `root`.
    pub fn read(root: &Path) -> Result<HostSample, ClockError> {
        let path = || files::under(root, "/proc/stat");
        let stat = files::read(root, "/proc/stat").ok_or_else(|| ClockError::Unreadable { path: path() })?;
        let (busy, steal) = parse_stat(&stat).ok_or_else(|| ClockError::Malformed { path: path() })?;
        let hertz = rustix::param::clock_ticks_per_second().max(1);
        let micros =
            |ticks: u64| u64::try_from(u128::from(ticks) * 1_000_000 / u128::from(hertz)).unwrap_or(u64::MAX);
        Ok(HostSample {
            busy_us: micros(busy),
            steal_us: micros(steal),
            psi_cpu_us: files::read(root, "/proc/pressure/cpu").and_then(|text| parse_pressure(&text)),
        })
    }
}

/// Ticks of (user + nice + system + irq + softirq, steal): fields 1, 2, 3, 6, 7 and 8 of the line `cpu`.
fn parse_stat(text: &str) -> Option<(u64, u64)> {
    let line = text.lines().find_map(|line| line.strip_prefix("cpu "))?;
    let fields: Option<Vec<u64>> = line.split_ascii_whitespace().map(|f| f.parse().ok()).collect();
    match fields?.as_slice() {
        &[user, nice, system, _idle, _iowait, irq, softirq, steal, ..] => {
            let busy = [nice, system, irq, softirq].into_iter().fold(user, u64::saturating_add);
            Some((busy, steal))
        }
        _ => None,
    }
}

/// `total` of the line `some`, microseconds.
fn parse_pressure(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("some "))?;
    line.split_ascii_whitespace().find_map(|word| word.strip_prefix("total="))?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const STAT: &str =
        "cpu  23734 10 8197 755502 1449 5 175 475 0 0\ncpu0 10651 0 3234 380151 182 0 58 261 0 0\n";
    const PRESSURE: &str = "some avg10=2.28 avg60=0.69 avg300=0.27 total=18356286\n\
                            full avg10=0.00 avg60=0.00 avg300=0.00 total=7\n";

    #[test]
    fn captured_files_are_read() {
        assert_eq!(parse_stat(STAT), Some((23_734 + 10 + 8_197 + 5 + 175, 475)));
        assert_eq!(parse_pressure(PRESSURE), Some(18_356_286));
    }

    #[test]
    fn a_host_without_psi_has_no_pressure_and_one_without_proc_an_error() {
        let root = tempfile::tempdir().expect("tempdir");
        assert!(matches!(HostClock::read(root.path()), Err(ClockError::Unreadable { .. })));
        std::fs::create_dir(root.path().join("proc")).expect("mkdir");
        std::fs::write(root.path().join("proc/stat"), "cpu 1 2\n").expect("write");
        assert!(matches!(HostClock::read(root.path()), Err(ClockError::Malformed { .. })));
        std::fs::write(root.path().join("proc/stat"), STAT).expect("write");
        let sample = HostClock::read(root.path()).expect("sample");
        assert_eq!((sample.steal_us, sample.psi_cpu_us), (4_750_000, None));
    }

    #[test]
    fn the_real_counters_increase() {
        let root = Path::new("/");
        let before = HostClock::read(root).expect("before");
        let spin = std::time::Instant::now();
        while spin.elapsed().as_millis() < 60 {}
        let delta = HostClock::read(root).expect("after").delta(&before);
        assert!(delta.busy_us >= 10_000, "{delta:?}");
    }

    #[test]
    fn counters_that_go_backwards_are_no_increase() {
        let old = HostSample { busy_us: 9, steal_us: 9, psi_cpu_us: None };
        let new = HostSample { busy_us: 5, steal_us: 12, psi_cpu_us: Some(3) };
        assert_eq!(new.delta(&old), HostSample { busy_us: 0, steal_us: 3, psi_cpu_us: None });
    }

    proptest! {
        #[test]
        fn garbage_is_never_a_panic(text in "\\PC*", numbers in prop::collection::vec(any::<u64>(), 0..12)) {
            parse_stat(&text);
            parse_pressure(&text);
            let line = numbers.iter().map(u64::to_string).collect::<Vec<_>>().join(" ");
            prop_assert_eq!(parse_stat(&format!("cpu  {line}\n")).is_some(), numbers.len() >= 8);
        }

        #[test]
        fn pressure_round_trips(total in any::<u64>()) {
            prop_assert_eq!(parse_pressure(&format!("some avg10=0.00 total={total}\n")), Some(total));
        }
    }
}
