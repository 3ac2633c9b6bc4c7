//! Intel Linpack: one line a trial, `45000  45000  1  210.543  288.5524  1.844e-09 3.2e-02   pass`, below the heading `Size   LDA
//! Align. Time(s)    GFlops   Residual     Residual(norm) Check`.

use super::{Wrong, lines, positive};
use crate::import::reading::reading;
use crate::import::{Reading, Round};
use crate::model::Better;

pub(super) fn read(text: &str) -> Result<Vec<Reading>, Wrong> {
    let mut in_table = false;
    let mut found = Vec::new();
    for (line, text) in lines(text) {
        let fields: Vec<&str> = text.split_whitespace().collect();
        if text.trim_start().starts_with("Size") && text.contains("Time(s)") {
            in_table = true;
            continue;
        }
        if !in_table || fields.is_empty() {
            // An empty line ends the table.
            in_table = in_table && !fields.is_empty();
            continue;
        }
        let [size, _, _, _, gflops, .., check] = fields[..] else {
            return Err(Wrong::at(
                line,
                "expected a trial: size, LDA, alignment, time, GFlops, residuals, check",
            ));
        };
        if check != "pass" {
            return Err(Wrong::at(line, format!("the trial did not pass Linpack's own check ({check})")));
        }
        let value = positive(line, gflops)?;
        let case = format!("n{size}");
        let mut trial = reading((line, "linpack", &case), "gflops", ("GFLOPS", Better::Higher), value);
        let before = found.iter().filter(|r: &&Reading| r.case == trial.case).count();
        trial.round = Round::Trial(u32::try_from(before + 1).unwrap_or(u32::MAX));
        found.push(trial);
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "\
Size   LDA    Align. Time(s)    GFlops   Residual     Residual(norm) Check
45000  45000  1      210.544    288.6163 1.844100e-09 3.238e-02   pass
45000  45000  1      209.801    289.6387 1.844100e-09 3.238e-02   pass

Performance Summary (GFlops)

Size   LDA    Align.  Average  Maximal
45000  45000  1       289.1275 289.6387
";

    #[test]
    fn each_trial_counts_once_and_the_average_does_not() {
        let found = read(TABLE).expect("read");
        assert_eq!(found.iter().map(|r| r.value).collect::<Vec<_>>(), [288.6163, 289.6387]);
        assert_eq!(found[0].case, "n45000");
        assert_eq!([found[0].round, found[1].round], [Round::Trial(1), Round::Trial(2)]);
        let none = TABLE.replacen("288.6163", "0.0", 1);
        assert!(read(&none).is_err_and(|w| w.line == 2 && w.why.contains("no rate")));
        let failed = TABLE.replacen("pass", "fail", 1);
        assert!(read(&failed).is_err_and(|w| w.line == 2 && w.why.contains("check")));
    }
}
