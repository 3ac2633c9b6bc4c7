//! STREAM's table: `Copy:  41286.9  0.0023 ...`, megabytes (10^6) a second in the first column.

use super::{Wrong, lines, positive};
use crate::import::Reading;
use crate::import::reading::reading;
use crate::model::Better;

pub(super) fn read(text: &str) -> Result<Vec<Reading>, Wrong> {
    let mut found = Vec::new();
    for (line, text) in lines(text) {
        let Some((kernel, rest)) = text.trim().split_once(':') else { continue };
        if !["Copy", "Scale", "Add", "Triad"].contains(&kernel) {
            continue;
        }
        let rate = rest.split_whitespace().next().unwrap_or_default();
        let value = positive(line, rate)?;
        let at = (line, "stream", "stream");
        found.push(reading(at, &kernel.to_lowercase(), ("GB/s", Better::Higher), value / 1e3));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_rate_of_each_kernel() {
        let text = "Function    Best Rate MB/s  Avg time     Min time     Max time\nCopy:           41286.9     0.003886     0.003875     0.003902\nScale:          41283.5     0.0 0.0 0.0\n";
        let found = read(text).expect("read");
        assert_eq!(found.iter().map(|r| r.metric.as_str()).collect::<Vec<_>>(), ["copy", "scale"]);
        assert!((found[0].value - 41.2869).abs() < 1e-9);
        for wrong in ["n/a", "-1", "0", "41286,9", ""] {
            assert!(read(&format!("\nTriad:  {wrong}\n")).is_err_and(|w| w.line == 2), "{wrong}");
        }
    }
}
