//! Intel Linpack: one line a trial, `45000  45000  1  210.543  288.5524  1.844e-09 3.2e-02   pass`, below the heading `Size   LDA
//! Align. Time(s)    GFlops   Residual     Residual(norm) Check`.

use super::{Wrong, lines, positive};
use crate::import::reading::reading;
use crate::import::{Reading, Round};
use crate::model::Better;

/// What follows the table. Without it the run was ended, or somebody cut its output.
const END: &str = "Performance Summary";

pub(super) fn read(text: &str) -> Result<Vec<Reading>, Wrong> {
    let mut in_table = false;
    // The last line of a table whose end was not seen.
    let mut open = None;
    let mut found = Vec::new();
    for (line, text) in lines(text) {
        let fields: Vec<&str> = text.split_whitespace().collect();
        if text.trim_start().starts_with("Size") && text.contains("Time(s)") {
            open.map_or(Ok(()), breaks_off)?;
            (in_table, open) = (true, Some(line));
            continue;
        }
        if text.trim_start().starts_with(END) {
            (in_table, open) = (false, None);
        }
        // An empty line ends the trials.
        in_table &= !fields.is_empty();
        if !in_table {
            continue;
        }
        open = Some(line);
        found.push(trial(line, &fields, &found)?);
    }
    open.map_or(Ok(()), breaks_off)?;
    Ok(found)
}

fn breaks_off(line: usize) -> Result<(), Wrong> {
    Err(Wrong::at(line, format!("the table breaks off here: no `{END}` after it")))
}

/// `size LDA alignment time GFlops residual residual(norm) check`, after the trials `before` it.
fn trial(line: usize, fields: &[&str], before: &[Reading]) -> Result<Reading, Wrong> {
    let [size, _, _, _, gflops, _, _, check] = *fields else { return Err(no_trial(line)) };
    if size.parse::<u32>().is_err() {
        return Err(no_trial(line));
    }
    if check != "pass" {
        return Err(Wrong::at(line, format!("the trial did not pass Linpack's own check ({check})")));
    }
    let value = positive(line, gflops)?;
    let case = format!("n{size}");
    let mut trial = reading((line, "linpack", &case), "gflops", ("GFLOPS", Better::Higher), value);
    let before = before.iter().filter(|r| r.case == trial.case).count();
    trial.round = Round::Trial(u32::try_from(before + 1).unwrap_or(u32::MAX));
    Ok(trial)
}

fn no_trial(line: usize) -> Wrong {
    Wrong::at(
        line,
        "expected a trial (size, LDA, alignment, time, GFlops, two residuals, check), or the empty line after the last",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const CAPTURED: &str = include_str!("../../../tests/fixtures/tool_output/linpack-intel-2020.txt");

    #[test]
    fn each_trial_counts_once_and_the_average_does_not() {
        let found = read(CAPTURED).expect("read");
        assert_eq!(found.len(), 24);
        let of = |case: &str| -> Vec<(Round, f64)> {
            found.iter().filter(|r| r.case == case).map(|r| (r.round, r.value)).collect()
        };
        assert_eq!(
            of("n1000"),
            [63.7248, 78.334, 85.277, 84.2144]
                .into_iter()
                .zip(1..)
                .map(|(v, n)| (Round::Trial(n), v))
                .collect::<Vec<_>>()
        );
        assert_eq!(of("n5000"), [(Round::Trial(1), 120.2633), (Round::Trial(2), 120.434)]);
        assert_eq!(of("n30000"), [(Round::Trial(1), 105.4868)]);
    }

    #[test]
    fn a_trial_without_a_rate_or_that_failed_is_none() {
        let line = CAPTURED.lines().position(|l| l.contains("63.7248")).expect("there") + 1;
        let none = CAPTURED.replacen("63.7248", "0.0", 1);
        assert!(read(&none).is_err_and(|w| w.line == line && w.why.contains("no rate")));
        let failed = CAPTURED.replacen("pass", "fail", 1);
        assert!(read(&failed).is_err_and(|w| w.line == line && w.why.contains("check")));
    }

    #[test]
    fn a_table_that_breaks_off_is_none() {
        let ended = include_str!("../../../tests/fixtures/tool_output/linpack-intel-2017-unfinished.txt");
        let last = ended.lines().count();
        assert!(read(ended).is_err_and(|w| w.line == last && w.why.contains("expected a trial")));
        let heading = CAPTURED.lines().position(|l| l.starts_with("Size")).expect("there") + 1;
        let end = CAPTURED.lines().position(|l| l.starts_with(END)).expect("there") + 1;
        for n in heading..end {
            let cut: String = CAPTURED.lines().take(n).flat_map(|l| [l, "\n"]).collect();
            assert!(read(&cut).is_err_and(|w| w.line <= n && w.why.contains("breaks off")), "{n}");
        }
        let cut: String = CAPTURED.lines().take(end).flat_map(|l| [l, "\n"]).collect();
        assert_eq!(read(&cut).map(|found| found.len()), Ok(24));
        let before: String = CAPTURED.lines().take(end - 1).flat_map(|l| [l, "\n"]).collect();
        assert!(
            read(&format!("{before}{CAPTURED}")).is_err_and(|w| w.line < end && w.why.contains("breaks off"))
        );
    }
}
