//! Why a verdict is what it is, in a sentence that a person understands.

use super::{
    attribution::Source,
    baseline::FEWEST,
    screen::{Screen, Tested},
    subject::Subject,
};
use crate::model::{Attribution, VerdictKind};

/// Percent of the ratio that a log stands for: 100 (e^x - 1).
pub(super) fn percent(log: f64) -> f64 {
    // Adding zero turns -0 into 0.
    100.0 * log.exp_m1() + 0.0
}

/// One decimal, and never "-0.0".
pub(super) fn one(x: f64) -> String {
    let text = format!("{x:.1}");
    if text == "-0.0" { "0.0".to_owned() } else { text }
}

fn signed(x: f64) -> String {
    let text = one(x);
    if text.starts_with('-') || text == "0.0" { text } else { format!("+{text}") }
}

fn plural(n: usize, word: &str) -> String {
    if n == 1 { format!("1 {word}") } else { format!("{n} {word}s") }
}

/// The sentence of a tested subject.
pub(super) fn of_tested(
    subject: &Subject,
    tested: &Tested,
    kind: VerdictKind,
    source: Option<Source>,
) -> String {
    let fit_mean = subject.fit.map_or(0.0, |fit| fit.mean);
    let (before, now) = (one(percent(fit_mean)), one(percent(fit_mean + tested.shown.d)));
    let [low, high] = tested.shown.interval(0.95).map(percent);
    let change = format!(
        "from {before} to {now} % ({} %, 95 % {} to {} %)",
        signed(percent(tested.shown.d)),
        one(low),
        one(high)
    );
    let threshold = format!("against a threshold of {} %", subject.delta_pct);
    let verb = if tested.shown.d >= 0.0 { "rose" } else { "fell" };
    if let Some(native) = source.and_then(|s| of_native(subject, s, &change, verb)) {
        return native;
    }
    let by = plural(subject.fresh(), "fresh sweep");
    let attributed = source.map_or("", |s| of_source(s.attribution));
    match kind {
        VerdictKind::Regressed => format!("rose {change} {threshold}, confirmed by {by}{attributed}"),
        VerdictKind::Improved => format!("fell {change} {threshold}, confirmed by {by}{attributed}"),
        VerdictKind::Suspected => {
            format!("rose {change} {threshold}; needs fresh sweeps to confirm{attributed}")
        }
        VerdictKind::Unchanged => {
            format!("a rise of {} % or more is excluded: {change}", subject.delta_pct)
        }
        _ => format!("{} {verb} {change} {threshold}; {}", of_open(tested), of_power(subject, tested)),
    }
}

/// The beginning of an inconclusive sentence: what the first sweep said.
fn of_open(tested: &Tested) -> &'static str {
    match (tested.screen, tested.fresh) {
        (Screen::Rise, true) => "the rise of the first sweep is not confirmed by the fresh ones:",
        (Screen::Fall, true) => "the fall of the first sweep is not confirmed by the fresh ones:",
        (Screen::Unchanged, true) => "the first sweep excluded a rise, the fresh ones do not:",
        (Screen::Fall, false) => "an improvement that needs fresh sweeps to confirm:",
        _ => "neither a change nor its absence could be shown:",
    }
}

/// What the comparison could have found, and what would let it find more.
fn of_power(subject: &Subject, tested: &Tested) -> String {
    let more = if subject.fit.is_some_and(|fit| fit.rounds_would_help()) {
        "more rounds or sweeps"
    } else {
        "more sweeps (not more rounds)"
    };
    format!(
        "a rise of {} % would have been found four times in five, {more} would find less",
        one(percent(tested.shown.mde80()))
    )
}

fn of_source(attribution: Attribution) -> &'static str {
    match attribution {
        Attribution::EnvironmentSlower => "; the environment itself became slower",
        Attribution::EnvironmentFaster => "; the environment itself became faster",
        Attribution::Both => "; both the environment and native changed",
        Attribution::Unclear => "; neither the environment nor native alone shows it",
        Attribution::NativeFaster | Attribution::NativeSlower => "",
    }
}

/// The sentence of a change that is native's alone.
fn of_native(subject: &Subject, source: Source, change: &str, verb: &str) -> Option<String> {
    let (native, no) = match source.attribution {
        Attribution::NativeFaster => ("faster", "regression"),
        Attribution::NativeSlower => ("slower", "improvement"),
        _ => return None,
    };
    let environment = &subject.key.environment;
    Some(format!(
        "{verb} {change} only because native became {native}; {environment} itself shows no change, so this is no {no} of it"
    ))
}

/// The sentence of a subject with too few baseline sweeps for a p-value.
pub(super) fn of_few(subject: &Subject, d: f64, suspected: bool) -> String {
    let Some(fit) = subject.fit else { return String::new() };
    let change = format!(
        "from {} to {} % ({} %)",
        one(percent(fit.mean)),
        one(percent(fit.mean + d)),
        signed(percent(d))
    );
    let verb = if d >= 0.0 { "rose" } else { "fell" };
    let needed = format!(
        "with {} there is no p-value; a verdict needs {FEWEST}, {} more",
        plural(fit.sweeps, "baseline sweep"),
        FEWEST - fit.sweeps.min(FEWEST)
    );
    if suspected {
        return format!("rose {change}, every round above every round of the baseline; {needed}");
    }
    format!("{verb} {change}; {needed}")
}

/// What was left out of the comparison, appended to any sentence.
pub(super) fn of_left_out(subject: &Subject) -> String {
    let mut text = String::new();
    let aside = &subject.baseline.set_aside;
    if !aside.is_empty() {
        let ids: Vec<&str> = aside.iter().map(crate::model::SweepId::as_str).collect();
        let what = plural(aside.len(), "outlying baseline sweep");
        text += &["; ", &what, " set aside (", &ids.join(", "), ")"].concat();
    }
    if let Some(what) = &subject.left_out {
        text += "; candidate sweeps that are not comparable with the first were left out: ";
        text += what;
    }
    text
}
