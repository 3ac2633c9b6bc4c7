//! Two samples CSV files from text to verdicts: five baseline sweeps, and three candidates in which the NAT toll of Redis
//! rose by 8 %.

use serde_json::Value;
use tollgate::{
    judge::{Policy, judge},
    model::{Decision, Judgement, VerdictKind},
    samples::{parse, write},
};

const BASELINE: &str = include_str!("fixtures/samples/baseline.csv");
const CANDIDATE: &str = include_str!("fixtures/samples/candidate.csv");

fn judged(candidate_sweeps: usize) -> Judgement {
    let baseline = parse(BASELINE, "baseline.csv").expect("baseline");
    let candidates = parse(CANDIDATE, "candidate.csv").expect("candidate");
    judge(&baseline, &candidates[..candidate_sweeps], &Policy::default())
}

/// Four decimals: enough to pin the numbers, few enough not to pin a mathematical library.
fn rounded(value: Value) -> Value {
    match value {
        Value::Number(n) if n.is_f64() => {
            n.as_f64().map_or(Value::Null, |x| Value::from((x * 1e4).round() / 1e4))
        }
        Value::Array(items) => items.into_iter().map(rounded).collect(),
        Value::Object(fields) => fields.into_iter().map(|(k, v)| (k, rounded(v))).collect(),
        other => other,
    }
}

#[test]
fn the_toll_that_rose_is_found_and_nothing_else() {
    let judgement = judged(3);
    assert_eq!(judgement.decision, Decision::Regressed);
    assert_eq!(judgement.summary[&VerdictKind::Regressed], 1);
    insta::assert_json_snapshot!(rounded(serde_json::to_value(&judgement).expect("json")));
}

#[test]
fn one_candidate_sweep_only_suspects() {
    let judgement = judged(1);
    assert_eq!(judgement.decision, Decision::Inconclusive);
    assert_eq!(judgement.summary[&VerdictKind::Suspected], 1);
    assert_eq!(judgement.summary[&VerdictKind::Regressed], 0);
}

#[test]
fn the_order_of_rows_does_not_matter() {
    let mut rows: Vec<&str> = CANDIDATE.lines().skip(1).collect();
    rows.sort_unstable_by_key(|row| row.bytes().rev().collect::<Vec<_>>());
    let text = format!("{}\n{}\n", CANDIDATE.lines().next().expect("header"), rows.join("\n"));
    assert_eq!(parse(&text, "c.csv"), parse(CANDIDATE, "c.csv"));
}

#[test]
fn the_baseline_judged_against_itself_is_healthy() {
    let baseline = parse(BASELINE, "baseline.csv").expect("baseline");
    let judgement = judge(&baseline, &baseline, &Policy::default());
    assert_eq!(judgement.decision, Decision::Pass, "{judgement:#?}");
}

#[test]
fn what_is_written_is_what_was_read() {
    let baseline = parse(BASELINE, "baseline.csv").expect("baseline");
    assert_eq!(parse(&write(&baseline), "again.csv").expect("written"), baseline);
}
