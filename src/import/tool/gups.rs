//! `RandomAccess`: `0.012675061 Billion(10^9) Updates    per second [GUP/s]`, and `Single GUPs 0.0126` or `GUPs = 0.0126`.

use super::{Wrong, lines, positive};
use crate::import::Reading;
use crate::import::reading::{number, reading};
use crate::model::Better;

pub(super) fn read(text: &str) -> Result<Vec<Reading>, Wrong> {
    let mut found = Vec::new();
    for (line, text) in lines(text) {
        let text = text.trim();
        let (case, value) = if text.ends_with("[GUP/s]") {
            // The rate of each process stands there, too, when there are several.
            let case = if text.contains("/PE") { "per-process" } else { "gups" };
            (case, text.split_whitespace().find(|word| number(word).is_some()).unwrap_or(text))
        } else if let Some((before, after)) = text.split_once("GUPs") {
            let case = if before.trim().is_empty() { "gups" } else { before.trim() };
            (case, after.trim_start_matches([' ', '=', ':']).split_whitespace().next().unwrap_or(text))
        } else {
            continue;
        };
        let rate = positive(line, value)?;
        found.push(reading((line, "randomaccess", case), "gups", ("GUP/s", Better::Higher), rate));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_in_which_it_is_printed() {
        let text = "0.012675061 Billion(10^9) Updates    per second [GUP/s]\n0.006337531 Billion(10^9) Updates/PE per second [GUP/s]\n";
        let found = read(text).expect("read");
        assert_eq!(
            found.iter().map(|r| (r.case.as_str(), r.value)).collect::<Vec<_>>(),
            [("gups", 0.012_675_061), ("per-process", 0.006_337_531)]
        );
        assert_eq!(read("Single GUPs 0.0944\n").expect("read")[0].case, "single");
        assert!(read("GUPs = -1\n").is_err_and(|w| w.why.contains("no rate")));
        assert!(read("GUPs = none\n").is_err_and(|w| w.why.contains("none")));
    }
}
