//! A result from a file is a stranger's: the job that wrote it ran code that nobody reviewed. It is read within limits,
//! and refused where it does not hold together.

use crate::model::format::GATE_FORMAT;
use crate::model::{Decision, GateResult, VerdictKind};
use crate::report::clean;
use chrono::{DateTime, TimeDelta, Utc};

/// Largest file, bytes: five times a full sweep's.
pub const LARGEST: usize = 32 << 20;
/// Most verdicts, cells and proofs.
const MOST: usize = 50_000;
/// Longest name of a workload, case, metric, unit or profile, bytes.
const NAME: usize = 100;
/// Longest reason or version, bytes.
const TEXT: usize = 20_000;

/// A file that is no result.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file} is no result of `tollgate gate`: {why}")]
pub struct IntakeError {
    /// Which file.
    pub file: String,
    /// What is wrong with it.
    pub why: String,
}

/// Reads a result. `now` bounds its time.
pub fn read(file: &str, bytes: &[u8], now: DateTime<Utc>) -> Result<GateResult, IntakeError> {
    // The reason may repeat what the file says, and a log is read for commands.
    let bad = |why: String| IntakeError { file: file.to_owned(), why: clean::one_line(&why, 300) };
    if bytes.len() > LARGEST {
        return Err(bad(format!("it has {} bytes, at most {LARGEST} are read", bytes.len())));
    }
    let result: GateResult = serde_json::from_slice(bytes).map_err(|e| bad(e.to_string()))?;
    check(&result, now).map_err(bad)?;
    Ok(result)
}

/// What does not hold together.
fn check(result: &GateResult, now: DateTime<Utc>) -> Result<(), String> {
    let judgement = &result.judgement;
    if judgement.version != GATE_FORMAT {
        return Err(format!("its version is {}, this tollgate knows {GATE_FORMAT}", judgement.version));
    }
    for (what, number) in [
        ("verdicts", judgement.verdicts.len()),
        ("cells", result.cells.len()),
        ("proofs", result.proofs.len()),
        ("drifts", judgement.drifts.len()),
        ("changes", result.changed.len()),
    ] {
        if number > MOST {
            return Err(format!("it has {number} {what}, at most {MOST} are read"));
        }
    }
    name("profile", &result.profile)?;
    for v in &judgement.verdicts {
        metric(&v.workload, &v.case, &v.metric)?;
        text("unit", &v.unit, NAME)?;
        text("reason", &v.reason, TEXT)?;
    }
    for d in &judgement.drifts {
        metric(&d.workload, &d.case, &d.metric)?;
        text("reason", &d.reason, TEXT)?;
    }
    for c in &result.cells {
        metric(&c.workload, &c.case, &c.metric)?;
        text("unit", &c.unit, NAME)?;
        text("reason", c.reason.as_deref().unwrap_or_default(), TEXT)?;
    }
    let versions = result.changed.iter().flat_map(|c| c.before.iter().chain(&c.after));
    for version in versions.chain(result.fingerprint.components.values()) {
        text("version", version, 500)?;
    }
    if result.started_at.iter().chain(&result.failed_at).any(|at| *at > now + TimeDelta::days(1)) {
        return Err("it comes from the future; set the clock of the host that swept".to_owned());
    }
    if result.sweep.is_some() != result.started_at.is_some() {
        return Err("it has a sweep without a time, or a time without a sweep".to_owned());
    }
    let regressed = judgement.verdicts.iter().any(|v| v.verdict == VerdictKind::Regressed);
    if regressed != (judgement.decision == Decision::Regressed) {
        return Err(format!(
            "its decision is {}, which its verdicts do not say",
            judgement.decision.as_str()
        ));
    }
    Ok(())
}

fn metric(workload: &str, case: &str, metric: &str) -> Result<(), String> {
    name("workload", workload)?;
    name("case", case)?;
    name("metric", metric)
}

/// What becomes part of keys and markers: letters, digits and `. _ + -` only.
fn name(what: &str, text: &str) -> Result<(), String> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'+' | b'-');
    if text.is_empty() || text.len() > NAME || !text.bytes().all(plain) {
        let shown: String = text.chars().take(40).collect();
        return Err(format!("{shown:?} is no name of a {what}"));
    }
    Ok(())
}

fn text(what: &str, text: &str, most: usize) -> Result<(), String> {
    let length = text.len();
    if length > most { Err(format!("a {what} has {length} bytes, at most {most} are read")) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::fixtures::{at, judged, result, unmeasured, upgraded};
    use crate::model::Family::Network;
    use proptest::prelude::*;

    fn good() -> GateResult {
        let nat = judged("get", "docker+nat", Network, VerdictKind::Regressed, 7.0);
        result(5, "26.1.5", upgraded("26.1.5"), vec![nat])
    }

    fn reading(result: &GateResult) -> Result<GateResult, String> {
        let bytes = serde_json::to_vec(result).expect("serialises");
        read("result.json", &bytes, at(10)).map_err(|e| e.to_string())
    }

    #[test]
    fn our_own_results_are_taken() {
        assert_eq!(reading(&good()), Ok(good()));
        let down = unmeasured(5, "no engine");
        assert_eq!(reading(&down), Ok(down));
    }

    #[test]
    fn what_does_not_hold_together_is_refused_with_its_reason() {
        type Spoil = fn(&mut GateResult);
        let cases: [(Spoil, &str); 8] = [
            (|r| r.judgement.version = 99, "version is 99"),
            (|r| r.judgement.verdicts[0].case = "a@b -->".into(), "no name of a case"),
            (|r| r.judgement.verdicts[0].reason = "x".repeat(30_000), "a reason has 30000 bytes"),
            (|r| r.profile = "../etc".into(), "no name of a profile"),
            (|r| r.started_at = Some(at(1000)), "from the future"),
            (|r| r.failed_at = Some(at(1000)), "from the future"),
            (|r| r.sweep = None, "a time without a sweep"),
            (|r| r.judgement.decision = Decision::Pass, "decision is pass"),
        ];
        for (spoil, word) in cases {
            let mut bad = good();
            spoil(&mut bad);
            let error = reading(&bad).expect_err(word);
            assert!(error.starts_with("result.json is no result") && error.contains(word), "{error}");
        }
        assert!(read("f", &vec![b' '; LARGEST + 1], at(1)).is_err_and(|e| e.why.contains("at most")));
    }

    proptest! {
        #[test]
        fn any_bytes_are_refused_or_read(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = read("f", &bytes, at(1));
        }
    }
}
