//! The words of a self-test, for all formats. What came from outside is cleaned.

use super::clean;
use super::number::count;
use crate::model::{FalseAlarms, SelfTest};

/// One row of the table: whole suites, or a family.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// `whole suites`, or the family.
    pub name: &'static str,
    /// Metrics and environments; empty for whole suites.
    pub metrics: String,
    /// False regressions of resampled suites.
    pub confirmed: String,
    /// False candidates of the screen.
    pub screened: String,
}

/// What the two kinds of false alarms and their intervals are.
pub const EXPLANATION: [&str; 3] = [
    "Regressed: of three accepted sweeps the first screens, two confirm, and the others are the baseline; such an alarm would open an issue.",
    "Candidates: each sweep alone against all others; they cost fresh sweeps, and open no issue.",
    "In brackets the 95 % interval over judgements that do not overlap. A family's takes its metrics as independent, and is too narrow where they move together; that of whole suites does not.",
];

/// `0 false alarms in 84 suites of 3 sweeps resampled from 9 accepted ones: 0 % (95 % 0 to 70.8 %)`; without a rate what
/// it needs. No full stop.
pub fn sentence(test: &SelfTest) -> String {
    if let Some(suites) = test.suites {
        return format!(
            "{} in {} of 3 sweeps resampled from {} accepted ones: {}",
            count(suites.alarms as usize, "false alarm"),
            count(suites.of as usize, "suite"),
            test.sweeps,
            rate(suites)
        );
    }
    let reason = test.reason.as_deref().map(clean::text).unwrap_or_default();
    match test.screened_suites {
        Some(screened) => format!(
            "{} when each of {} accepted sweeps is judged as if it were new: {}; {reason}",
            count(screened.alarms as usize, "false suspicion"),
            screened.of,
            rate(screened)
        ),
        None => reason,
    }
}

/// Whole suites, then every family; empty without any rate.
pub fn rows(test: &SelfTest) -> Vec<Row> {
    if !test.is_tested() {
        return Vec::new();
    }
    let whole = Row {
        name: "whole suites",
        metrics: String::new(),
        confirmed: cell(test.suites),
        screened: cell(test.screened_suites),
    };
    let families = test.families.iter().map(|family| Row {
        name: family.family.as_str(),
        metrics: family.metrics.to_string(),
        confirmed: cell(family.confirmed),
        screened: cell(family.screened),
    });
    std::iter::once(whole).chain(families).collect()
}

/// `0 % (95 % 0 to 70.8 %)`.
fn rate(alarms: FalseAlarms) -> String {
    let [low, high] = alarms.ci95_pct.map(end);
    format!("{} % (95 % {low} to {high} %)", share(alarms.rate_pct))
}

/// `3 of 168: 1.8 % [0.4, 5.1]`; `-` without a rate.
fn cell(alarms: Option<FalseAlarms>) -> String {
    alarms.map_or_else(
        || super::number::NONE.to_owned(),
        |a| {
            let [low, high] = a.ci95_pct.map(end);
            format!("{} of {}: {} % [{low}, {high}]", a.alarms, a.of, share(a.rate_pct))
        },
    )
}

/// A rate in percent: as an end of an interval, but what is not 0 is not shown as 0.
fn share(pct: f64) -> String {
    match pct {
        p if p > 0.0 && p < 0.01 => "< 0.01".to_owned(),
        p if p > 0.0 && p < 0.1 => format!("{p:.2}"),
        p => end(p),
    }
}

/// An end of an interval in percent with one decimal, which 0 and 100 do not have.
fn end(pct: f64) -> String {
    let text = format!("{pct:.1}");
    text.strip_suffix(".0").filter(|t| *t == "0" || *t == "100").map_or(text.clone(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixtures;

    #[test]
    fn the_answer_is_one_sentence() {
        let sentences = fixtures::self_tests().map(|test| sentence(&test)).join("\n");
        insta::assert_snapshot!(sentences);
    }

    #[test]
    fn shares_have_a_decimal_unless_they_are_all_or_nothing() {
        let shares = [0.0, 0.003, 0.04, 0.4, 70.76, 100.0, 12.0].map(share);
        assert_eq!(shares, ["0", "< 0.01", "0.04", "0.4", "70.8", "100", "12.0"]);
        assert_eq!([0.0, 0.03, 99.98].map(end), ["0", "0", "100"]);
    }
}
