//! `JUnit`'s XML, which CI servers show as test results: a suite for each environment, a test for each metric.
//!
//! A regression is a failure; what could not be measured is an error; what nobody can be sure of is skipped, with the reason:
//! a server that counts it as passed would read too little data as healthy.

use super::{answer, clean, view};
use crate::model::{Decision, GateResult, Judgement, Verdict, VerdictKind};
use quick_junit::{NonSuccessKind, Property, Report, TestCase, TestCaseStatus, TestSuite};
use std::collections::BTreeMap;

/// The verdicts of a gate or of a stored sweep.
pub fn gate_junit(result: &GateResult) -> String {
    let mut report = report_of(&result.judgement, result.is_emulated());
    if report.test_suites.is_empty() && result.judgement.decision == Decision::NotMeasured {
        // Nothing was measured at all: a report without a test would be a green one.
        let mut suite = TestSuite::new("host");
        let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
        // A stored sweep has no reason of its own.
        let sentence = || answer::of_gate(result).sentence;
        status.set_message(result.reason.as_deref().map_or_else(sentence, clean::text));
        suite.add_test_case(TestCase::new("measured", status));
        report.add_test_suite(suite);
    }
    for suite in &mut report.test_suites {
        suite.add_property(Property::new("host_class", result.host_class.as_str()));
        suite.add_property(Property::new("profile", clean::name(&result.profile)));
        if let Some(sweep) = &result.sweep {
            suite.add_property(Property::new("sweep", sweep.as_str()));
        }
    }
    text(&report)
}

/// The verdicts of two samples CSVs.
pub fn judgement_junit(judgement: &Judgement) -> String {
    text(&report_of(judgement, false))
}

fn report_of(judgement: &Judgement, emulated: bool) -> Report {
    let mut report = Report::new("tollgate");
    let mut suites: BTreeMap<String, TestSuite> = BTreeMap::new();
    for verdict in &judgement.verdicts {
        let environment = clean::name(&view::label(&verdict.environment, emulated));
        let suite = suites.entry(environment.clone()).or_insert_with(|| TestSuite::new(environment.clone()));
        let mut case = TestCase::new(view::metric_name(verdict), status(verdict));
        case.set_classname(environment);
        suite.add_test_case(case);
    }
    report.add_test_suites(suites.into_values());
    report
}

fn status(verdict: &Verdict) -> TestCaseStatus {
    let mut status = match verdict.verdict {
        VerdictKind::Unchanged | VerdictKind::Improved => return TestCaseStatus::success(),
        VerdictKind::Regressed => TestCaseStatus::non_success(NonSuccessKind::Failure),
        VerdictKind::MeasurementFailed | VerdictKind::Missing => {
            TestCaseStatus::non_success(NonSuccessKind::Error)
        }
        VerdictKind::Suspected | VerdictKind::Inconclusive | VerdictKind::NoBaseline => {
            TestCaseStatus::skipped()
        }
    };
    status.set_type(verdict.verdict.as_str());
    let change = match (verdict.verdict, verdict.change_pct) {
        (VerdictKind::Regressed | VerdictKind::Suspected, Some(_)) => {
            format!(" {}", view::change_of(verdict))
        }
        _ => String::new(),
    };
    let reason = clean::text(&verdict.reason);
    status.set_message(format!("{}{change}: {reason}", view::words(verdict.verdict)));
    status
}

fn text(report: &Report) -> String {
    // The text goes to memory, and every character that XML does not know is left out by the writer; if that ever changes,
    // a reader must find an error and not half a document.
    report.to_string().unwrap_or_else(|error| format!("<error>{}</error>\n", clean::text(&error.to_string())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixtures;

    #[test]
    fn a_regression_is_a_failure_and_doubt_is_no_success() {
        insta::assert_snapshot!(gate_junit(&fixtures::small_regression()));
    }

    #[test]
    fn a_host_that_could_not_measure_is_an_error() {
        let mut result = fixtures::nothing_changed();
        result.judgement.decision = Decision::NotMeasured;
        result.reason = Some("no engine <b>\u{1b}[31m".into());
        let xml = gate_junit(&result);
        assert!(xml.contains("<error") && xml.contains("no engine &lt;b&gt;"), "{xml}");
    }

    #[test]
    fn a_stored_sweep_of_which_nothing_ran_is_an_error_too() {
        let mut result = fixtures::not_measured();
        result.judgement.verdicts.clear();
        result.reason = None;
        let xml = gate_junit(&result);
        assert!(xml.contains("tests=\"1\"") && xml.contains("errors=\"1\""), "{xml}");
        insta::assert_snapshot!(xml.lines().find(|l| l.contains("<error")).unwrap_or_default().trim(), @r#"<error message="NOT MEASURED: 83 measurements failed, 27 unavailable"/>"#);
    }

    #[test]
    fn every_result_is_xml_that_reads_back_with_as_many_tests_as_verdicts() {
        for result in fixtures::all() {
            let xml = gate_junit(&result);
            let back = Report::deserialize_from_str(&xml).expect("JUnit");
            let tests: usize = back.test_suites.iter().map(|s| s.test_cases.len()).sum();
            assert_eq!(
                tests,
                result
                    .judgement
                    .verdicts
                    .len()
                    .max(usize::from(result.judgement.decision == Decision::NotMeasured))
            );
        }
    }
}
