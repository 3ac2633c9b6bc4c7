//! What a check on a commit says of a result.

use crate::model::{Decision, Family, GateResult, Verdict, VerdictKind};
use crate::report::{answer, clean, number, view};
use serde::Serialize;

/// How a check ends. Serialises as GitHub's word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Conclusion {
    /// Nothing regressed, and something was proven or nothing had changed.
    Success,
    /// Something regressed.
    Failure,
    /// It cannot be told: not enough history, or nothing sure.
    Neutral,
    /// Something could not be measured: somebody must look after the runner.
    ActionRequired,
}

/// A remark at a line of the policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remark {
    /// Line of the policy file, from 1: that of the threshold.
    pub line: u32,
    /// Whether it is a regression (else something that could not be measured).
    pub regressed: bool,
    /// Heading, plain text.
    pub title: String,
    /// What, plain text.
    pub message: String,
}

/// Sweeps in a baseline below which a pass is no proof.
const HISTORY: u32 = 3;

/// How a check of this result ends. A host without enough history is neutral, not a success.
pub fn conclusion(result: &GateResult) -> Conclusion {
    let verdicts = &result.judgement.verdicts;
    let has = |kind| verdicts.iter().any(|v| v.verdict == kind);
    let short = |v: &Verdict| v.verdict == VerdictKind::NoBaseline || v.sweeps_baseline < HISTORY;
    match result.judgement.decision {
        // Only a person's label makes a regression a baseline.
        Decision::Regressed if result.is_accepted() => Conclusion::Success,
        Decision::Regressed => Conclusion::Failure,
        Decision::NotMeasured => Conclusion::ActionRequired,
        _ if has(VerdictKind::MeasurementFailed) || has(VerdictKind::Missing) => Conclusion::ActionRequired,
        Decision::Inconclusive => Conclusion::Neutral,
        Decision::Pass if result.sweep.is_some() && verdicts.iter().all(short) => Conclusion::Neutral,
        Decision::Pass => Conclusion::Success,
    }
}

/// One line: the answer.
pub fn title(result: &GateResult) -> String {
    let answer = answer::of_gate(result).sentence;
    match &result.reason {
        Some(reason) => clean::text(&format!("{answer}: {reason}")),
        None => answer,
    }
}

/// The regressions, then what could not be measured, each at the line of its threshold in the policy; at most `most`.
pub fn remarks(result: &GateResult, policy: &str, most: usize) -> Vec<Remark> {
    let of = |kind| result.judgement.verdicts.iter().filter(move |v| v.verdict == kind);
    let regressed = of(VerdictKind::Regressed);
    let failed = of(VerdictKind::MeasurementFailed).chain(of(VerdictKind::Missing));
    let emulated = result.is_emulated();
    let remark = |v: &Verdict| {
        let is_regressed = v.verdict == VerdictKind::Regressed;
        let change = number::change_with_interval(v.change_pct, v.ci95_pct);
        let change =
            if is_regressed && v.change_pct.is_some() { format!(" {change}") } else { String::new() };
        Remark {
            line: line_of(policy, v.family),
            regressed: is_regressed,
            title: format!(
                "{} in {}: {}{change}",
                view::metric_name(v),
                view::label(&v.environment, emulated),
                view::words(v.verdict)
            ),
            message: clean::text(&v.reason),
        }
    };
    regressed.chain(failed).take(most).map(remark).collect()
}

/// The line of a family's threshold, or that of the table, or the first.
fn line_of(policy: &str, family: Option<Family>) -> u32 {
    let mut inside = false;
    let mut table = 1;
    for (line, text) in (1..).zip(policy.lines()) {
        let text = text.trim();
        if text.starts_with('[') {
            inside = text == "[judge.delta_pct]";
            if inside {
                table = line;
            }
        } else if inside
            && let Some(family) = family
            && text.strip_prefix(family.as_str()).is_some_and(|rest| rest.trim_start().starts_with('='))
        {
            return line;
        }
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::fixtures::{judged, result, unmeasured, upgraded};
    use crate::model::Family::Network;

    fn of(kind: VerdictKind, sweeps: u32) -> GateResult {
        let verdict = Verdict { sweeps_baseline: sweeps, ..judged("get", "docker+nat", Network, kind, 7.0) };
        result(5, "26.1.5", upgraded("26.1.5"), vec![verdict])
    }

    #[test]
    fn only_what_is_known_is_a_success() {
        use Conclusion::{ActionRequired, Failure, Neutral, Success};
        use VerdictKind::{MeasurementFailed, Missing, NoBaseline, Regressed, Unchanged};
        let all = [
            (Unchanged, 10),
            (Unchanged, 2),
            (NoBaseline, 0),
            (Regressed, 10),
            (Missing, 10),
            (MeasurementFailed, 10),
        ];
        let found = all.map(|(kind, sweeps)| conclusion(&of(kind, sweeps)));
        assert_eq!(found, [Success, Neutral, Neutral, Failure, ActionRequired, ActionRequired]);
        assert_eq!(conclusion(&unmeasured(5, "no engine")), ActionRequired);
        assert!(title(&unmeasured(5, "no engine")).ends_with("no engine"));
        let nothing = GateResult { sweep: None, ..result(5, "26.1.5", vec![], vec![]) };
        assert_eq!(conclusion(&nothing), Success);
    }

    #[test]
    fn a_remark_stands_at_the_threshold_of_its_family() {
        let policy = include_str!("../../alerts/policy.toml");
        let remarks = remarks(&of(VerdictKind::Regressed, 10), policy, 50);
        let line = policy.lines().nth(remarks[0].line as usize - 1).expect("a line");
        assert!(line.starts_with("network = "), "{line}");
        assert!(
            remarks[0].title.contains("redis/get/requests in docker+nat: regressed +7.0 %"),
            "{remarks:?}"
        );
        assert_eq!((line_of("", Some(Network)), line_of("a\n[judge.delta_pct]\n", None)), (1, 2));
    }
}
