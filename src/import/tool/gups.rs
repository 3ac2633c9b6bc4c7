//! `RandomAccess`: `0.012675061 Billion(10^9) Updates    per second [GUP/s]`, and `Single GUP/s 0.0126` (hpcc 1.5), `Single GUPs
//! 0.0126` or `GUPs = 0.0126` (others).

use super::{Wrong, lines, positive};
use crate::import::Reading;
use crate::import::reading::{number, reading};
use crate::model::Better;

pub(super) fn read(text: &str) -> Result<Vec<Reading>, Wrong> {
    let mut found = Vec::new();
    for (line, text) in lines(text) {
        let text = text.trim();
        if text == "Begin of Summary section." {
            // Its sections measure the same thing several times, under names that only the summary tells apart.
            return Err(Wrong::at(
                line,
                "this is the output of the whole of hpcc: --format hpcc reads its summary",
            ));
        }
        if text.starts_with("Found ") && text.ends_with("(failed).") {
            return Err(Wrong::at(line, format!("RandomAccess' own check failed: {text}")));
        }
        let (case, value) = if text.ends_with("[GUP/s]") {
            // The rate of each process stands there, too, when there are several.
            let case = if text.contains("/PE") { "per-process" } else { "gups" };
            (case, text.split_whitespace().find(|word| number(word).is_some()).unwrap_or(text))
        } else if let Some((before, after)) = text.split_once("GUPs").or_else(|| text.split_once("GUP/s")) {
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

    const HPCC: &str = include_str!("../../../tests/fixtures/tool_output/hpcc-1.5.0-n400-two-processes.txt");

    /// What hpcc printed between `Begin of NAME section.` and its end.
    fn section(name: &str) -> &'static str {
        let (_, rest) = HPCC.split_once(&format!("Begin of {name} section.\n")).expect("a beginning");
        rest.split_once(&format!("End of {name} section.")).expect("an end").0
    }

    fn of(text: &str) -> Vec<(String, f64)> {
        read(text).expect("read").into_iter().map(|r| (r.case, r.value)).collect()
    }

    #[test]
    fn all_the_ways_in_which_it_is_printed() {
        let row = |case: &str, value: f64| (case.to_owned(), value);
        assert_eq!(
            of(section("MPIRandomAccess")),
            [row("gups", 0.001_745_262), row("per-process", 0.000_872_631)]
        );
        assert_eq!(
            of(section("StarRandomAccess")),
            [
                row("gups", 0.566_818_672),
                row("minimum", 0.444_659),
                row("average", 0.505_739),
                row("maximum", 0.566_819)
            ]
        );
        assert_eq!(of(section("SingleRandomAccess")), [row("single", 0.677_527)]);
        // Written by hand: as other versions print it.
        assert_eq!(of("Single GUPs 0.0944\n"), [row("single", 0.0944)]);
        assert!(read("GUPs = -1\n").is_err_and(|w| w.why.contains("no rate")));
        assert!(read("GUPs = none\n").is_err_and(|w| w.why.contains("none")));
    }

    #[test]
    fn a_table_that_fails_the_check_and_the_whole_of_hpcc_are_refused() {
        let failed = section("MPIRandomAccess").replace("(passed)", "(failed)");
        assert!(read(&failed).is_err_and(|w| w.line == 12 && w.why.contains("check failed")));
        let line = HPCC.lines().position(|l| l == "Begin of Summary section.").expect("there") + 1;
        assert!(read(HPCC).is_err_and(|w| w.line == line && w.why.contains("--format hpcc")));
    }
}
