//! The answer in a sentence, with which every report begins.

use super::clean;
use super::number::count;
use super::view::{self, label};
use crate::model::{Base, CellState, Decision, EnvironmentName, GateResult, Judgement, Verdict, VerdictKind};
use std::collections::{BTreeMap, BTreeSet};

/// How an answer feels; formats give it a colour and an icon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// Nothing became worse.
    Good,
    /// Something became worse.
    Bad,
    /// Something may have become worse, or could not be measured.
    Unsure,
    /// Nothing was compared.
    Neutral,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// How it feels.
    pub tone: Tone,
    /// The sentence, without a full stop. Holds no text from outside except names of environments, whose
    /// characters are restricted.
    pub sentence: String,
}

impl Answer {
    fn new(tone: Tone, sentence: impl Into<String>) -> Self {
        Self { tone, sentence: sentence.into() }
    }
}

/// The answer of a gate or a sweep.
pub fn of_gate(result: &GateResult) -> Answer {
    let judgement = &result.judgement;
    let measured = result.cells.iter().filter(|c| c.state == CellState::Ok).count();
    if result.sweep.is_none() && judgement.verdicts.is_empty() && result.cells.is_empty() {
        return if judgement.decision == Decision::NotMeasured {
            Answer::new(Tone::Unsure, "NOT MEASURED: no sweep was made")
        } else if result.changed.is_empty() {
            Answer::new(Tone::Good, "Nothing changed since the last accepted baseline: nothing was swept")
        } else {
            Answer::new(
                Tone::Neutral,
                format!("{} changed; nothing was swept", components(result.changed.len())),
            )
        };
    }
    if judgement.decision == Decision::NotMeasured && measured == 0 {
        let failed = result.cells.iter().filter(|c| c.state == CellState::MeasurementFailed).count();
        let unavailable = result.cells.iter().filter(|c| c.state == CellState::Unavailable).count();
        let mut parts = Vec::new();
        if failed > 0 {
            parts.push(format!("{} failed", count(failed, "measurement")));
        }
        if unavailable > 0 {
            parts.push(format!("{unavailable} unavailable"));
        }
        let tail = if parts.is_empty() { "there are no samples".to_owned() } else { parts.join(", ") };
        return Answer::new(Tone::Unsure, format!("NOT MEASURED: {tail}"));
    }
    if judgement.verdicts.is_empty() {
        let environments: BTreeSet<_> =
            result.cells.iter().filter(|c| c.state == CellState::Ok).map(|c| &c.environment).collect();
        let metrics: BTreeSet<_> = result
            .cells
            .iter()
            .filter(|c| c.state == CellState::Ok)
            .map(|c| (&c.workload, &c.case, &c.metric))
            .collect();
        return Answer::new(
            Tone::Neutral,
            format!(
                "Measured {} in {}; nothing was judged",
                count(metrics.len(), "metric"),
                count(environments.len(), "environment")
            ),
        );
    }
    let first = judgement.verdicts.iter().all(|v| v.verdict == VerdictKind::NoBaseline);
    if first && judgement.decision != Decision::NotMeasured {
        let kept = if result.is_accepted() { "recorded as baseline" } else { "recorded" };
        return Answer::new(
            Tone::Neutral,
            format!("First comparable sweep of this host class: {kept}, nothing to compare with yet"),
        );
    }
    judged(judgement, result.is_emulated())
}

/// The rise that matters most, with what changed: `The toll of docker+nat on redis get-c1 p99 rose from +14 % to +22 % with
/// docker-engine 20.10.24 → 26.1.5`. None where nothing rose. Names and versions are cleaned; no full stop.
pub fn lead(result: &GateResult) -> Option<String> {
    use VerdictKind as K;
    let (worst, rose) = [(K::Regressed, "rose"), (K::Suspected, "may have risen")]
        .into_iter()
        .find_map(|(kind, rose)| Some((worst(result, kind)?, rose)))?;
    let [before, now] = view::sides(worst);
    let changed = match result.changed.as_slice() {
        [] => "though no component changed".to_owned(),
        few @ ([_] | [_, _]) => {
            format!("with {}", few.iter().map(view::change).collect::<Vec<_>>().join(" and "))
        }
        many => format!("with {} changed components", many.len()),
    };
    let name = clean::name(&format!("{} {} {}", worst.workload, worst.case, worst.metric));
    let place = label(&worst.environment, result.is_emulated());
    Some(format!("The toll of {place} on {name} {rose} from {before} to {now} {changed}"))
}

/// The verdict of a kind whose rise is largest beside its threshold; of an emulated machine only where there is no other.
fn worst(result: &GateResult, kind: VerdictKind) -> Option<&Verdict> {
    let size = |v: &Verdict| {
        let rise = (v.change_pct.unwrap_or_default() / 100.0).ln_1p();
        rise / v.threshold_pct.filter(|t| *t > 0.0).unwrap_or(5.0)
    };
    let native = |v: &&Verdict| !(result.is_emulated() && v.environment.base() == Base::Kvm);
    let of_kind = || result.judgement.verdicts.iter().filter(|v| v.verdict == kind);
    let largest = |a: &&Verdict, b: &&Verdict| size(a).total_cmp(&size(b));
    of_kind().filter(native).max_by(largest).or_else(|| of_kind().max_by(largest))
}

/// The answer of a judgement alone.
pub fn of_judgement(judgement: &Judgement) -> Answer {
    if judgement.verdicts.is_empty() {
        return Answer::new(Tone::Unsure, "NOT MEASURED: there are no samples to judge");
    }
    if judgement.verdicts.iter().all(|v| v.verdict == VerdictKind::NoBaseline) {
        return Answer::new(Tone::Neutral, "Nothing comparable in the baseline: nothing was judged");
    }
    judged(judgement, false)
}

fn components(n: usize) -> String {
    count(n, "component")
}

fn judged(judgement: &Judgement, emulated: bool) -> Answer {
    let (tone, head, headed) = match judgement.decision {
        Decision::Regressed => {
            let which = places(judgement, VerdictKind::Regressed, emulated, "REGRESSED");
            (Tone::Bad, which, Some(VerdictKind::Regressed))
        }
        Decision::Inconclusive if has(judgement, VerdictKind::Suspected) => {
            let which = places(judgement, VerdictKind::Suspected, emulated, "SUSPECTED, not confirmed,");
            (Tone::Unsure, which, Some(VerdictKind::Suspected))
        }
        Decision::Inconclusive => (Tone::Unsure, "Inconclusive".to_owned(), None),
        Decision::Pass if !judgement.verdicts.iter().any(|v| v.verdict.is_compared()) => {
            (Tone::Unsure, "Nothing to compare with yet".to_owned(), None)
        }
        // What could not be measured may have become worse.
        Decision::Pass
            if has(judgement, VerdictKind::MeasurementFailed) || has(judgement, VerdictKind::Missing) =>
        {
            (Tone::Unsure, "No regression in what was measured".to_owned(), None)
        }
        Decision::Pass => (Tone::Good, "No regression".to_owned(), None),
        Decision::NotMeasured => (Tone::Unsure, "NOT MEASURED".to_owned(), None),
    };
    let rest = counts(judgement, headed);
    let joint = if headed.is_some() { "; " } else { ": " };
    let sentence = if rest.is_empty() { head } else { format!("{head}{joint}{rest}") };
    Answer::new(tone, sentence)
}

fn has(judgement: &Judgement, kind: VerdictKind) -> bool {
    judgement.verdicts.iter().any(|v| v.verdict == kind)
}

/// `2 metrics REGRESSED in docker+nat, 1 in kvm`.
fn places(judgement: &Judgement, kind: VerdictKind, emulated: bool, word: &str) -> String {
    let mut by_environment: BTreeMap<&EnvironmentName, usize> = BTreeMap::new();
    for v in judgement.verdicts.iter().filter(|v| v.verdict == kind) {
        *by_environment.entry(&v.environment).or_default() += 1;
    }
    let total: usize = by_environment.values().sum();
    if by_environment.len() > 3 {
        return format!("{} {word} in {} environments", count(total, "metric"), by_environment.len());
    }
    let mut ranked: Vec<_> = by_environment.into_iter().collect();
    // Stable: equal counts stay in the order of names.
    ranked.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
    let Some(((first, n), others)) = ranked.split_first() else {
        return word.to_owned();
    };
    let mut text = format!("{} {word} in {}", count(*n, "metric"), label(first, emulated));
    for (environment, n) in others {
        text = format!("{text}, {n} in {}", label(environment, emulated));
    }
    text
}

/// `14 unchanged (proven), 3 inconclusive`, from the verdict that matters most.
fn counts(judgement: &Judgement, except: Option<VerdictKind>) -> String {
    use VerdictKind as K;
    let order = [
        (K::Regressed, "regressed"),
        (K::Suspected, "suspected"),
        (K::Unchanged, "unchanged (proven)"),
        (K::Improved, "improved"),
        (K::Inconclusive, "inconclusive"),
        (K::MeasurementFailed, "not measured"),
        (K::Missing, "missing"),
        (K::NoBaseline, "without baseline"),
    ];
    let parts: Vec<String> = order
        .into_iter()
        .filter(|(kind, _)| Some(*kind) != except)
        .filter_map(|(kind, word)| {
            let n = judgement.verdicts.iter().filter(|v| v.verdict == kind).count();
            (n > 0).then(|| format!("{n} {word}"))
        })
        .collect();
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixtures;

    #[test]
    fn the_answer_comes_in_one_sentence() {
        let answers: Vec<String> = fixtures::all().iter().map(|r| of_gate(r).sentence).collect();
        insta::assert_snapshot!(answers.join("\n"));
    }

    #[test]
    fn the_lead_names_the_largest_rise_and_what_came_with_it() {
        let leads: Vec<String> = fixtures::all().iter().filter_map(lead).collect();
        insta::assert_snapshot!("the_lead", leads.join("\n"));
        let mut result = fixtures::small_regression();
        result.changed.clear();
        assert!(lead(&result).expect("a rise").ends_with(" though no component changed"));
        assert_eq!(lead(&fixtures::unchanged()), None);
    }

    #[test]
    fn a_failed_proof_or_measurement_is_never_good_news() {
        assert_eq!(of_gate(&fixtures::not_measured()).tone, Tone::Unsure);
        let mut result = fixtures::unchanged();
        assert_eq!(of_gate(&result).tone, Tone::Good);
        result.judgement.verdicts[0].verdict = VerdictKind::MeasurementFailed;
        let answer = of_gate(&result);
        assert_eq!((result.judgement.decision, answer.tone), (Decision::Pass, Tone::Unsure));
        assert!(answer.sentence.starts_with("No regression in what was measured: "), "{}", answer.sentence);
        for verdict in &mut result.judgement.verdicts[1..] {
            verdict.verdict = VerdictKind::NoBaseline;
        }
        let answer = of_gate(&result);
        assert_eq!(answer.tone, Tone::Unsure);
        assert!(
            answer.sentence.starts_with("Nothing to compare with yet: 1 not measured"),
            "{}",
            answer.sentence
        );
    }
}
