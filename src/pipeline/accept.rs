//! Makes sweeps baselines: those of a gate that passes, and those that a person accepts.

mod request;

pub use request::{AcceptRequest, by_request};

use super::gate::judge_sweeps;
use super::whole::is_whole;
use super::{PipelineError, policy};
use crate::config::{Acceptance, Config};
use crate::judge::FEWEST;
use crate::model::{
    AcceptedBy, CommonMode, Decision, Judgement, MetricKey, SeriesKey, Sweep, SweepId, Verdict, VerdictKind,
};
use crate::report::number::count;
use crate::wiring;
use chrono::Utc;
use std::collections::BTreeSet;
use std::path::PathBuf;

/// Accepts what a gate measured when it passes: the first sweep, and the fresh ones that confirmed it, so that a
/// new regime does not begin with one sweep only. The text begins with "accepted" exactly when they are baselines now.
pub fn by_gate(
    config: &Config,
    first: &Sweep,
    fresh: &[Sweep],
    judgement: &Judgement,
) -> Result<String, PipelineError> {
    if let Some(why) = obstacle(config, first, judgement) {
        return Ok(format!("not accepted: {why}"));
    }
    let regimes = series(judgement, |v| v.verdict == VerdictKind::Improved);
    let improved = regimes.len();
    let store = wiring::store(config);
    let accepted =
        |reason: String, regimes| AcceptedBy { at: Utc::now(), by: "gate".to_owned(), reason, regimes };
    let reason = "no regression, no suspicion, nothing failed".to_owned();
    let path = store.accept(first.clone(), accepted(reason, regimes))?;
    let fresh: Vec<&Sweep> =
        fresh.iter().filter(|s| !moved_as_a_whole(s, judgement, &[VerdictKind::Improved])).collect();
    for sweep in &fresh {
        store.accept((*sweep).clone(), accepted(format!("confirmed {}", first.sweep), Vec::new()))?;
    }
    let with = match fresh.len() {
        0 => String::new(),
        n => format!(", with {}", count(n, "fresh sweep")),
    };
    let regime = match improved {
        0 => String::new(),
        n => format!("; {} improved: older sweeps no longer count there", count(n, "metric")),
    };
    Ok(format!("accepted as baseline: {}{with}{regime}", path.display()))
}

/// Why a gate does not accept, if so.
fn obstacle(config: &Config, first: &Sweep, judgement: &Judgement) -> Option<String> {
    if first.partial || !is_whole(config, first) {
        return Some("it measured a part of the profile only".to_owned());
    }
    let by_hand = format!("`tollgate baseline accept {}`", first.sweep);
    if config.gate.accept == Acceptance::Never {
        return Some(format!("gate.accept is \"never\"; accept it with {by_hand}"));
    }
    let number = |kind| judgement.summary.get(&kind).copied().unwrap_or(0);
    let bad = [
        VerdictKind::Regressed,
        VerdictKind::Suspected,
        VerdictKind::MeasurementFailed,
        VerdictKind::Missing,
    ];
    if let Some(kind) = bad.into_iter().find(|k| number(*k) > 0) {
        return Some(format!("{} {}; if it is right, {by_hand}", number(kind), kind.as_str()));
    }
    if moved_as_a_whole(first, judgement, &[VerdictKind::Improved]) {
        return Some(format!(
            "it moved as a whole, which no other sweep confirmed; if it is right, {by_hand}"
        ));
    }
    let risen = judgement.verdicts.iter().filter(|v| is_risen(v)).count();
    if risen > 0 {
        let what = count(risen, "metric");
        return Some(format!(
            "{what} rose by the threshold or more, though not surely; if it is right, {by_hand}"
        ));
    }
    (judgement.decision == Decision::NotMeasured).then(|| "nothing was measured".to_owned())
}

/// Whether so much of an environment, or of native, moved in a sweep that it would spoil a baseline. A move of a whole
/// environment that was confirmed as one of the `welcome` verdicts does not.
fn moved_as_a_whole(sweep: &Sweep, judgement: &Judgement, welcome: &[VerdictKind]) -> bool {
    let confirmed = |c: &CommonMode| {
        let kind = if c.worse { VerdictKind::Regressed } else { VerdictKind::Improved };
        let mut whole = judgement.verdicts.iter().filter(|v| v.common && v.verdict == kind);
        welcome.contains(&kind) && whole.any(|v| v.environment == c.environment)
    };
    judgement.common.iter().filter(|c| c.sweep == sweep.sweep).any(|c| !confirmed(c))
}

/// Whether fresh sweeps, too, saw a rise by the threshold that they could not prove: no baseline for what comes.
fn is_risen(verdict: &Verdict) -> bool {
    verdict.verdict == VerdictKind::Inconclusive
        && verdict.sweeps_baseline as usize >= FEWEST
        && verdict.sweeps_candidate >= 2
        && verdict
            .change_pct
            .zip(verdict.threshold_pct)
            .is_some_and(|(change, threshold)| change >= threshold)
}

/// Accepts sweeps because a person says so. What they change against the baselines before them is right then: its
/// regime begins with the earliest of them. Returns the files, and the number of metrics with a new regime.
pub fn by_hand(
    config: &Config,
    ids: &[SweepId],
    by: &str,
    reason: &str,
) -> Result<(Vec<PathBuf>, usize), PipelineError> {
    let store = wiring::store(config);
    let distinct: BTreeSet<&SweepId> = ids.iter().collect();
    let mut sweeps = distinct.into_iter().map(|id| store.load(id)).collect::<Result<Vec<_>, _>>()?;
    sweeps.sort_by(|a, b| (a.started_at, &a.sweep).cmp(&(b.started_at, &b.sweep)));
    let Some(first) = sweeps.first() else { return Err(PipelineError::Usage("no sweep is given".into())) };
    let group = |s: &Sweep| (s.host_class.clone(), s.profile.clone());
    if let Some(other) = sweeps.iter().find(|s| group(s) != group(first)) {
        let why = format!(
            "{} is of {}/{} and {} of {}/{}; accept them one by one",
            first.sweep, first.host_class, first.profile, other.sweep, other.host_class, other.profile
        );
        return Err(PipelineError::Usage(why));
    }
    let baselines = store.baselines(&first.host_class, &first.profile)?;
    let judgement = judge_sweeps(&baselines, &sweeps, &policy::load(config)?);
    let changed = [VerdictKind::Regressed, VerdictKind::Suspected, VerdictKind::Improved];
    let mut regimes = series(&judgement, |v| changed.contains(&v.verdict));
    let new = regimes.len();
    let mut paths = Vec::new();
    for sweep in sweeps {
        let accepted = AcceptedBy {
            at: Utc::now(),
            by: by.to_owned(),
            reason: reason.to_owned(),
            // The first takes them all.
            regimes: std::mem::take(&mut regimes),
        };
        paths.push(store.accept(sweep, accepted)?);
    }
    Ok((paths, new))
}

/// The series whose verdict is meant.
fn series(judgement: &Judgement, meant: impl Fn(&Verdict) -> bool) -> Vec<SeriesKey> {
    let key = |v: &Verdict| SeriesKey {
        metric: MetricKey::new(&v.workload, &v.case, &v.metric),
        environment: v.environment.clone(),
    };
    judgement.verdicts.iter().filter(|v| meant(v)).map(key).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::CommonMode;
    use crate::pipeline::confirm::fixtures::{judgement, verdict};
    use crate::pipeline::whole::fixtures::whole;
    use chrono::Duration;

    fn config(dir: &tempfile::TempDir) -> Config {
        let defaults = Config::resolve(None).expect("the defaults");
        Config { state: dir.path().join("state"), baselines: dir.path().join("baselines"), ..defaults }
    }

    fn later(sweep: &Sweep, minutes: i64) -> Sweep {
        let started_at = sweep.started_at + Duration::minutes(minutes);
        Sweep { sweep: SweepId::new(started_at, 1), started_at, partial: minutes > 0, ..sweep.clone() }
    }

    fn text(config: &Config, first: &Sweep, fresh: &[Sweep], kinds: &[VerdictKind]) -> String {
        let verdicts = kinds.iter().map(|k| verdict("a", "docker", *k, 10)).collect();
        by_gate(config, first, fresh, &judgement(verdicts)).expect("decided")
    }

    #[test]
    fn what_passes_is_accepted_with_its_fresh_sweeps_and_an_improvement_begins_a_regime() {
        use VerdictKind::{Improved, Inconclusive, Unchanged};
        let dir = tempfile::tempdir().expect("a directory");
        let config = config(&dir);
        let first = later(&whole(&config), 0);
        let fresh = [later(&first, 1), later(&first, 2)];
        let said = text(&config, &first, &fresh, &[Unchanged, Inconclusive, Improved]);
        assert!(
            said.starts_with("accepted") && said.contains("2 fresh sweeps") && said.contains("1 metric"),
            "{said}"
        );
        let baselines = wiring::store(&config).baselines(&first.host_class, "smoke").expect("read");
        let accepted: Vec<&AcceptedBy> = baselines.iter().filter_map(|b| b.accepted.as_ref()).collect();
        assert_eq!(accepted.iter().map(|a| a.regimes.len()).collect::<Vec<_>>(), [1, 0, 0]);
        assert_eq!(accepted[1].reason, format!("confirmed {}", first.sweep));
    }

    #[test]
    fn what_does_not_pass_is_left_to_a_person() {
        use VerdictKind::{Inconclusive, MeasurementFailed, Missing, Regressed, Suspected};
        let dir = tempfile::tempdir().expect("a directory");
        let config = config(&dir);
        let first = later(&whole(&config), 0);
        for kind in [Regressed, Suspected, MeasurementFailed, Missing] {
            let said = text(&config, &first, &[], &[Inconclusive, kind]);
            assert!(said.starts_with("not accepted") && said.contains(kind.as_str()), "{said}");
        }
        let part = text(&config, &later(&first, 1), &[], &[Inconclusive]);
        assert!(part.contains("a part of the profile only"), "{part}");
        assert!(!config.baselines.exists());
    }

    #[test]
    fn a_sweep_that_moved_as_a_whole_spoils_no_baseline() {
        let dir = tempfile::tempdir().expect("a directory");
        let config = config(&dir);
        let first = later(&whole(&config), 0);
        let fresh = [later(&first, 1), later(&first, 2)];
        let moved = |sweep: &Sweep, worse| CommonMode {
            sweep: sweep.sweep.clone(),
            environment: "docker".parse().expect("a name"),
            worse,
            moved: 9,
            of: 10,
        };
        let by = |common: Vec<CommonMode>, kind| {
            let common_verdict = Verdict { common: true, ..verdict("a", "docker", kind, 10) };
            let judgement = Judgement { common, ..judgement(vec![common_verdict]) };
            by_gate(&config, &first, &fresh, &judgement).expect("decided")
        };
        let bad_first = by(vec![moved(&first, true)], VerdictKind::Unchanged);
        assert!(bad_first.starts_with("not accepted: it moved as a whole"), "{bad_first}");
        let bad_fresh = by(vec![moved(&fresh[0], true)], VerdictKind::Unchanged);
        assert!(bad_fresh.starts_with("accepted") && bad_fresh.contains("1 fresh sweep"), "{bad_fresh}");
        let all = [&first, &fresh[0], &fresh[1]].map(|s| moved(s, false)).to_vec();
        let improved = by(all, VerdictKind::Improved);
        assert!(improved.starts_with("accepted") && improved.contains("2 fresh sweeps"), "{improved}");
    }

    #[test]
    fn a_rise_that_fresh_sweeps_saw_again_is_left_to_a_person() {
        let dir = tempfile::tempdir().expect("a directory");
        let config = config(&dir);
        let first = later(&whole(&config), 0);
        let risen = Verdict {
            change_pct: Some(6.0),
            threshold_pct: Some(5.0),
            sweeps_candidate: 3,
            ..verdict("a", "docker", VerdictKind::Inconclusive, 10)
        };
        let said = |v: Verdict| by_gate(&config, &first, &[], &judgement(vec![v])).expect("decided");
        assert!(said(risen.clone()).starts_with("not accepted: 1 metric rose"));
        assert!(said(Verdict { change_pct: Some(4.0), ..risen.clone() }).starts_with("accepted"));
        assert!(said(Verdict { sweeps_baseline: 2, ..risen }).starts_with("accepted"));
    }

    #[test]
    fn sweeps_of_one_group_only_are_accepted_together() {
        let dir = tempfile::tempdir().expect("a directory");
        let config = config(&dir);
        let store = wiring::store(&config);
        let first = later(&whole(&config), 0);
        let other = Sweep { profile: "full".into(), ..later(&first, 1) };
        for sweep in [&first, &other] {
            store.save(sweep).expect("saved");
        }
        let accept = |ids: &[&SweepId]| {
            by_hand(&config, &ids.iter().map(|id| (*id).clone()).collect::<Vec<_>>(), "me", "a test")
        };
        assert!(accept(&[]).is_err_and(|e| e.is_usage()));
        let error = accept(&[&first.sweep, &other.sweep]).expect_err("two profiles").to_string();
        assert!(error.contains("farm-a/full") && error.contains("one by one"), "{error}");
        let (paths, regimes) = accept(&[&first.sweep, &first.sweep]).expect("accepted");
        assert_eq!((paths.len(), regimes), (1, 0));
    }
}
