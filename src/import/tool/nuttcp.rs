//! nuttcp: `rate_Mbps=25312.6430` (`-fparse`), or `674.56 MB /   0.20 sec = 28248.2871 Mbps 85 %TX 65 %RX`. Of `-i` only the total counts.

use super::{Wrong, between, lines, positive};
use crate::import::Reading;
use crate::import::reading::reading;
use crate::model::Better;

pub(super) fn read(text: &str) -> Result<Vec<Reading>, Wrong> {
    let mut interval = None;
    let mut found = Vec::new();
    for (line, text) in lines(text) {
        if text.contains("Error") {
            return Err(Wrong::at(line, format!("nuttcp failed: {}", text.trim())));
        }
        let rate = match between(text, "rate_Mbps=", " ") {
            Some(rate) => rate,
            None if text.contains("sec =") => between(text, "sec =", "Mbps").unwrap_or_default(),
            None => continue,
        };
        if !is_total(text) {
            interval = Some(line);
            continue;
        }
        let megabits = positive(line, rate)?;
        let at = (line, "bulk-tcp", "nuttcp");
        found.push(reading(at, "throughput", ("Gb/s", Better::Higher), megabits / 1e3));
        interval = None;
    }
    match interval {
        Some(line) => Err(Wrong::at(line, "an interval without the total after it (`%TX`, `real_seconds=`)")),
        None => Ok(found),
    }
}

/// Of the whole run: only there it says how busy the processors were, and `-fparse` spells the seconds out. The other lines are
/// intervals of `-i`.
fn is_total(text: &str) -> bool {
    text.contains("real_seconds=") || text.contains("%TX")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_read_and_a_failure_is_none() {
        let of = |text: &str| {
            read(text).map(|found| found.iter().map(|r| (r.value * 1e6).round()).collect::<Vec<_>>())
        };
        let flows = include_str!("../../../tests/fixtures/tool_output/nuttcp-6.1.2-four-flows.txt");
        assert_eq!(of(flows), Ok(vec![25_312_643.0]));
        let classic = "  674.5625 MB /   0.20 sec = 28248.2871 Mbps 85 %TX 65 %RX 0 retrans 0.05 msRTT\n";
        assert_eq!(of(classic), Ok(vec![28_248_287.0]));
        for intervals in [
            include_str!("../../../tests/fixtures/tool_output/nuttcp-6.1.2-intervals.txt"),
            include_str!("../../../tests/fixtures/tool_output/nuttcp-6.1.2-intervals-fparse.txt"),
        ] {
            let total = intervals.lines().last().expect("there");
            assert_eq!(of(intervals), of(total));
            assert!(
                read(intervals.trim_end().trim_end_matches(total)).is_err_and(|w| w.why.contains("total"))
            );
        }
        for bad in ["nuttcp-6.1.2-refused.txt", "nuttcp-6.1.2-nothing.txt"] {
            let path =
                std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tool_output").join(bad);
            assert!(read(&std::fs::read_to_string(path).expect("captured")).is_err(), "{bad}");
        }
    }
}
