//! Page faults: what it costs to get a page of anonymous memory, which a guest pays twice (its own page table and the
//! host's) and a container once.

use super::options::Options;
use super::{Trouble, per_second};
use crate::sys::{self, Memory, Reserve};
use serde::Serialize;
use std::time::Instant;

/// What was measured.
#[derive(Debug, Serialize)]
pub struct Report {
    faults_per_second: f64,
    /// Page faults that the kernel counted meanwhile (getrusage(2)).
    faults: u64,
    /// Pages that were touched.
    pages: u64,
    seconds: f64,
}

/// Touches each page of so many MiB once, in order.
pub fn run(options: &Options) -> Result<Report, Trouble> {
    let bytes = options.mebibytes("mib")?;
    let counted = || sys::minor_faults().map_err(|e| Trouble::Failed(format!("count page faults: {e}")));
    let mut memory = map(bytes)?;
    let before = counted()?;
    let started = Instant::now();
    let pages = touch_all(&mut memory);
    let took = started.elapsed();
    let faults = counted()? - before;
    enough(faults, pages)?;
    Ok(Report {
        faults_per_second: per_second(faults as f64, took)?,
        faults,
        pages,
        seconds: took.as_secs_f64(),
    })
}

/// Fewer faults than pages: huge pages, or a kernel that maps several pages at a fault; the rate would be one of
/// something else.
fn enough(faults: u64, pages: u64) -> Result<(), Trouble> {
    if (faults as f64) < pages as f64 * 0.95 {
        return Err(Trouble::Failed(format!("only {faults} page faults for {pages} pages")));
    }
    Ok(())
}

/// Anonymous memory that is not there yet.
pub fn map(bytes: usize) -> Result<Memory, Trouble> {
    Memory::untouched(bytes, Reserve::Asked)
        .map_err(|e| Trouble::Failed(format!("map {} MiB: {e}", bytes >> 20)))
}

/// Touches each page once. Returns how many there are.
pub fn touch_all(memory: &mut Memory) -> u64 {
    let mut pages = 0;
    for offset in (0..memory.bytes()).step_by(sys::page_size()) {
        memory.touch(offset);
        pages += 1;
    }
    pages
}

#[cfg(test)]
mod tests {
    use super::super::given;
    use super::*;

    #[test]
    fn each_page_faults_once() {
        let report = run(&given(&["--mib", "2"])).expect("runs");
        assert_eq!(report.pages, (2 << 20) / sys::page_size() as u64);
        assert!(report.faults_per_second > 0.0 && report.seconds > 0.0);
    }

    #[test]
    fn pages_that_do_not_fault_are_an_error() {
        assert!(enough(95, 100).is_ok());
        assert!(enough(94, 100).expect_err("too few").to_string().contains("94 page faults for 100"));
    }

    #[test]
    fn more_than_an_address_space_is_an_error() {
        assert!(map(1 << 60).err().expect("does not fit").to_string().starts_with("map 1099511627776 MiB: "));
    }
}
