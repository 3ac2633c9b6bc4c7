//! STREAM's table: `Copy:  41286.9  0.0023 ...`, megabytes (10^6) a second in the first column.

use super::{Wrong, lines, positive};
use crate::import::Reading;
use crate::import::reading::reading;
use crate::model::Better;

/// The rows of the table, in the order in which every version prints them.
const KERNELS: [&str; 4] = ["Copy", "Scale", "Add", "Triad"];

pub(super) fn read(text: &str) -> Result<Vec<Reading>, Wrong> {
    let mut found: Vec<Reading> = Vec::new();
    for (line, text) in lines(text) {
        let text = text.trim();
        if text.starts_with("Failed Validation") {
            return Err(Wrong::at(line, format!("STREAM's own check failed: {text}")));
        }
        let Some((kernel, rest)) = text.split_once(':') else { continue };
        if !KERNELS.contains(&kernel) {
            continue;
        }
        let rate = rest.split_whitespace().next().unwrap_or_default();
        let value = positive(line, rate)?;
        let at = (line, "stream", "stream");
        found.push(reading(at, &kernel.to_lowercase(), ("GB/s", Better::Higher), value / 1e3));
    }
    // STREAM prints all four or, where it was ended before, none.
    let Some(last) = found.last() else { return Ok(found) };
    match KERNELS.iter().find(|kernel| !found.iter().any(|r| kernel.eq_ignore_ascii_case(&r.metric))) {
        Some(kernel) => Err(Wrong::at(
            last.line,
            format!("no line `{kernel}:` before or after it: STREAM's table has Copy, Scale, Add and Triad"),
        )),
        None => Ok(found),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CAPTURED: &str = include_str!("../../../tests/fixtures/tool_output/stream-5.10-two-threads.txt");

    #[test]
    fn the_best_rate_of_each_kernel() {
        let found = read(CAPTURED).expect("read");
        let rates: Vec<(&str, f64)> = found.iter().map(|r| (r.metric.as_str(), r.value * 1e3)).collect();
        let wanted = [("copy", 7126.7), ("scale", 3975.2), ("add", 8432.1), ("triad", 5929.8)];
        for ((name, rate), (metric, value)) in rates.iter().zip(wanted) {
            assert!(*name == metric && (rate - value).abs() < 1e-6, "{name} {rate}");
        }
        assert_eq!(rates.len(), 4);
        for wrong in ["n/a", "-1", "0", "41286,9", ""] {
            assert!(read(&format!("\nTriad:  {wrong}\n")).is_err_and(|w| w.line == 2), "{wrong}");
        }
    }

    #[test]
    fn a_table_without_a_kernel_is_none() {
        let heading = CAPTURED.lines().position(|l| l.starts_with("Function")).expect("a heading") + 1;
        let first = |n: usize| CAPTURED.lines().take(n).flat_map(|l| [l, "\n"]).collect::<String>();
        assert_eq!(read(&first(heading)), Ok(Vec::new()));
        for (rows, missing) in [(1, "Scale"), (2, "Add"), (3, "Triad")] {
            let wrong = read(&first(heading + rows)).expect_err("cut");
            assert_eq!(wrong.line, heading + rows, "{wrong:?}");
            assert!(wrong.why.contains(&format!("no line `{missing}:`")), "{wrong:?}");
        }
        assert_eq!(read(&first(heading + 4)).map(|found| found.len()), Ok(4));
    }

    #[test]
    fn results_that_do_not_validate_are_none() {
        let failed = CAPTURED.replace("Solution Validates: avg", "Failed Validation on array a[], AvgRelAbs");
        let line = failed.lines().position(|l| l.starts_with("Failed")).expect("there") + 1;
        assert!(read(&failed).is_err_and(|w| w.line == line && w.why.contains("check failed")));
    }
}
