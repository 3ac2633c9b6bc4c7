//! Accepting what people labelled: `tollgate:accept` on an issue.

use super::{is_risen, moved_as_a_whole, series};
use crate::alert::{magnitude_of, name_of};
use crate::config::Config;
use crate::model::{AcceptedBy, Judgement, SeriesKey, Sweep, Verdict, VerdictKind};
use crate::pipeline::PipelineError;
use crate::pipeline::whole::is_whole;
use crate::wiring;
use chrono::Utc;
use std::collections::BTreeSet;

/// What a person asked to accept with the label `tollgate:accept`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AcceptRequest {
    /// The issue that has the label.
    pub issue: u64,
    /// What it is about, as [`name_of`] names them.
    pub metrics: BTreeSet<String>,
    /// The class of the rise that the person saw there.
    pub magnitude: u8,
    /// Whether it is about slow drifts, which no single sweep shows.
    pub is_drift: bool,
}

impl AcceptRequest {
    /// Whether it consents to a regression, or to a rise that is not proven: to its metrics, up to the class that was seen.
    fn covers(&self, v: &Verdict) -> bool {
        !self.is_drift && self.metrics.contains(&name_of(v)) && magnitude_of(v) <= self.magnitude
    }
}

/// What came of the requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// What happened to the sweep, as [`crate::model::GateResult::baseline`] says it.
    pub said: String,
    /// The issues whose request was granted; none when it was not.
    pub issues: Vec<u64>,
}

/// Accepts what a gate measured although it regressed or drifted, because people asked for it: when everything that is
/// wrong with it is what they were asked about. Only that begins a new regime. `None` leaves the gate to its own rules.
pub fn by_request(
    config: &Config,
    first: &Sweep,
    fresh: &[Sweep],
    judgement: &Judgement,
    requests: &[AcceptRequest],
) -> Result<Option<Answer>, PipelineError> {
    let granted: Vec<&AcceptRequest> = requests.iter().filter(|r| concerns(r, judgement)).collect();
    if granted.is_empty() || first.partial {
        return Ok(None);
    }
    if let Some(why) = obstacle(config, first, judgement, &granted) {
        return Ok(Some(Answer { said: format!("not accepted: {why}"), issues: Vec::new() }));
    }
    let issues: Vec<u64> = granted.iter().map(|r| r.issue).collect();
    let names: Vec<String> = issues.iter().map(|n| format!("#{n}")).collect();
    let reason = format!("the label tollgate:accept on {}", names.join(", "));
    let store = wiring::store(config);
    let accepted =
        |regimes| AcceptedBy { at: Utc::now(), by: "gate".to_owned(), reason: reason.clone(), regimes };
    let path = store.accept(first.clone(), accepted(regimes(judgement, &granted)))?;
    for sweep in fresh.iter().filter(|s| !moved_as_a_whole(s, judgement, &CONFIRMED)) {
        store.accept(sweep.clone(), accepted(Vec::new()))?;
    }
    Ok(Some(Answer { said: format!("accepted as baseline: {}, by {reason}", path.display()), issues }))
}

/// Moves of whole environments that were confirmed: the regressed ones are asked for, or there is an obstacle.
const CONFIRMED: [VerdictKind; 2] = [VerdictKind::Improved, VerdictKind::Regressed];

/// Whether a request has something to do with this judgement: what has recovered by itself needs no acceptance.
fn concerns(request: &AcceptRequest, judgement: &Judgement) -> bool {
    judgement.verdicts.iter().any(|v| {
        let bad = v.verdict == VerdictKind::Regressed || (request.is_drift && v.verdict.is_compared());
        bad && request.metrics.contains(&name_of(v))
    })
}

/// What is wrong with the sweep besides what was asked for, if anything.
fn obstacle(
    config: &Config,
    first: &Sweep,
    judgement: &Judgement,
    granted: &[&AcceptRequest],
) -> Option<String> {
    if !is_whole(config, first) {
        return Some("it measured a part of the profile only".to_owned());
    }
    let asked = |v: &Verdict| granted.iter().any(|r| r.covers(v));
    let wrong = |v: &&Verdict| match v.verdict {
        VerdictKind::Regressed => !asked(v),
        VerdictKind::Suspected | VerdictKind::MeasurementFailed | VerdictKind::Missing => true,
        _ => is_risen(v) && !asked(v),
    };
    if let Some(other) = judgement.verdicts.iter().find(wrong) {
        let (name, kind) = (name_of(other), other.verdict.as_str());
        return Some(format!("{name} is {kind}, which is more than tollgate:accept was put on"));
    }
    moved_as_a_whole(first, judgement, &CONFIRMED)
        .then(|| "it moved as a whole, which no other sweep confirmed".to_owned())
}

/// The series whose older sweeps no longer count: what was asked for, and what improved, as with every accepted sweep.
fn regimes(judgement: &Judgement, granted: &[&AcceptRequest]) -> Vec<SeriesKey> {
    series(judgement, |v| match v.verdict {
        VerdictKind::Regressed | VerdictKind::Improved => true,
        _ if is_risen(v) => true,
        _ => v.verdict.is_compared() && granted.iter().any(|r| r.is_drift && r.metrics.contains(&name_of(v))),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::confirm::fixtures::{judgement, verdict};
    use crate::pipeline::whole::fixtures::whole;

    fn config(dir: &tempfile::TempDir) -> Config {
        let defaults = Config::resolve(None).expect("the defaults");
        Config { state: dir.path().join("state"), baselines: dir.path().join("baselines"), ..defaults }
    }

    /// Requests for the metrics of a verdict in docker.
    fn asks(issue: u64, case: &str, is_drift: bool) -> AcceptRequest {
        let of = verdict(case, "docker", VerdictKind::Regressed, 10);
        AcceptRequest { issue, metrics: [name_of(&of)].into(), magnitude: 1, is_drift }
    }

    fn answer(verdicts: Vec<Verdict>, requests: &[AcceptRequest]) -> (Option<Answer>, usize) {
        let dir = tempfile::tempdir().expect("a directory");
        let config = config(&dir);
        let first = whole(&config);
        let answer = by_request(&config, &first, &[], &judgement(verdicts), requests).expect("answered");
        let baselines = wiring::store(&config).baselines(&first.host_class, "smoke").expect("read");
        let accepted = baselines.first().and_then(|b| b.accepted.as_ref());
        (answer, accepted.map_or(0, |a| a.regimes.len()))
    }

    #[test]
    fn a_label_accepts_what_it_was_put_on_and_begins_a_regime_for_that_alone() {
        use VerdictKind::{Regressed, Unchanged};
        let verdicts = vec![verdict("a", "docker", Regressed, 10), verdict("b", "docker", Unchanged, 10)];
        let (said, regimes) = answer(verdicts, &[asks(7, "a", false), asks(8, "b", false)]);
        let said = said.expect("an answer");
        assert_eq!((said.issues, regimes), (vec![7], 1));
        assert!(
            said.said.starts_with("accepted as baseline") && said.said.ends_with("on #7"),
            "{}",
            said.said
        );
    }

    #[test]
    fn a_label_does_not_accept_what_nobody_asked_for() {
        use VerdictKind::{MeasurementFailed, Missing, Regressed, Suspected};
        for kind in [Regressed, Suspected, MeasurementFailed, Missing] {
            let verdicts = vec![verdict("a", "docker", Regressed, 10), verdict("b", "docker", kind, 10)];
            let said = answer(verdicts, &[asks(7, "a", false)]).0.expect("an answer");
            assert!(
                said.said.starts_with("not accepted") && said.said.contains(kind.as_str()),
                "{}",
                said.said
            );
            assert!(said.issues.is_empty());
        }
    }

    #[test]
    fn a_label_does_not_accept_a_larger_rise_than_it_was_put_on() {
        let rise = |pct: f64| Verdict {
            change_pct: Some(pct),
            threshold_pct: Some(5.0),
            absolute: None,
            ..verdict("a", "docker", VerdictKind::Regressed, 10)
        };
        let of = |pct| answer(vec![rise(pct)], &[asks(7, "a", false)]).0.expect("an answer").issues;
        assert_eq!((of(7.0), of(60.0)), (vec![7], vec![]));
    }

    #[test]
    fn what_recovered_by_itself_needs_no_label() {
        let verdicts = vec![verdict("a", "docker", VerdictKind::Unchanged, 10)];
        assert_eq!(answer(verdicts, &[asks(7, "a", false)]), (None, 0));
    }

    #[test]
    fn an_accepted_drift_begins_a_regime_although_the_sweep_passes() {
        let verdicts = vec![verdict("a", "docker", VerdictKind::Unchanged, 10)];
        let (said, regimes) = answer(verdicts, &[asks(7, "a", true)]);
        assert_eq!((said.expect("an answer").issues, regimes), (vec![7], 1));
        let regressed = vec![verdict("a", "docker", VerdictKind::Regressed, 10)];
        let said = answer(regressed, &[asks(7, "a", true)]).0.expect("an answer");
        assert!(
            said.said.starts_with("not accepted"),
            "a drift's label accepts no regression: {}",
            said.said
        );
    }
}
