//! Why a verdict is what it is, in a sentence that a person understands.

use super::{
    attribution::Source,
    baseline::FEWEST,
    effort::advice,
    screen::{Outcome, Screen, Tested},
    subject::Subject,
};
use crate::model::{Attribution, Effort, Scale, VerdictKind};

/// Percent of the ratio that a log stands for: 100 (e^x - 1).
pub fn percent(log: f64) -> f64 {
    // Adding zero turns -0 into 0.
    100.0 * log.exp_m1() + 0.0
}

/// One decimal, and never "-0.0".
pub(super) fn one(x: f64) -> String {
    let text = format!("{x:.1}");
    if text == "-0.0" { "0.0".to_owned() } else { text }
}

pub(super) fn plural(n: usize, word: &str) -> String {
    if n == 1 { format!("1 {word}") } else { format!("{n} {word}s") }
}

/// Numbers on a subject's scale as a person reads them: logs as percent, everything else in the metric's unit.
struct Shown<'a>(&'a Subject);

impl Shown<'_> {
    fn number(&self, x: f64) -> String {
        match self.0.threshold.scale {
            Scale::Ratio => one(percent(x)),
            // Up to four digits after the point, and none that say nothing.
            Scale::Difference | Scale::Count => format!("{}", (x * 1e4).round() / 1e4 + 0.0),
        }
    }

    /// With a space before it; nothing for plain counts.
    fn unit(&self) -> String {
        match (self.0.threshold.scale, self.0.info.unit.as_str()) {
            (Scale::Ratio, _) => " %".to_owned(),
            (_, "count" | "") => String::new(),
            (_, unit) => format!(" {unit}"),
        }
    }

    fn amount(&self, x: f64) -> String {
        format!("{}{}", self.number(x), self.unit())
    }

    /// With its sign, but for zero.
    fn change(&self, x: f64) -> String {
        let number = self.number(x);
        let plus = if number.starts_with('-') || number == "0.0" || number == "0" { "" } else { "+" };
        format!("{plus}{number}{}", self.unit())
    }

    fn threshold(&self) -> String {
        format!("{}{}", self.0.threshold.shown, self.unit())
    }
}

/// Everything that a sentence on a tested subject needs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Because {
    pub outcome: Outcome,
    pub kind: VerdictKind,
    pub source: Option<Source>,
    pub common: bool,
    pub would_help: Option<Effort>,
}

/// The sentence of a tested subject.
pub(super) fn of_tested(subject: &Subject, tested: &Tested, because: &Because) -> String {
    let fit_mean = subject.fit.map_or(0.0, |fit| fit.mean);
    let (say, comparison) = (Shown(subject), &because.outcome.shown);
    let [low, high] = comparison.interval(0.95);
    let change = format!(
        "from {} to {} ({}, 95 % {} to {})",
        say.number(fit_mean),
        say.amount(fit_mean + comparison.d),
        say.change(comparison.d),
        say.number(low),
        say.amount(high)
    );
    let threshold = format!("against a threshold of {}", say.threshold());
    let verb = if comparison.d >= 0.0 { "rose" } else { "fell" };
    if let Some(native) = because.source.and_then(|s| of_native(subject, s, &change, verb)) {
        return native;
    }
    let by = plural(subject.fresh(), "fresh sweep");
    let attributed = because.source.map_or("", |s| of_source(s.attribution));
    let crowd = if because.common { "; so did much of its environment, or native, at once" } else { "" };
    match because.kind {
        VerdictKind::Regressed => format!("rose {change} {threshold}, confirmed by {by}{attributed}{crowd}"),
        VerdictKind::Improved => format!("fell {change} {threshold}, confirmed by {by}{attributed}{crowd}"),
        VerdictKind::Suspected => {
            format!("rose {change} {threshold}; needs fresh sweeps to confirm{attributed}{crowd}")
        }
        VerdictKind::Unchanged => format!("a rise of {} or more is excluded: {change}", say.threshold()),
        _ => {
            let open = of_open(tested, because.outcome);
            format!("{open} {verb} {change} {threshold}; {}", of_power(subject, because))
        }
    }
}

/// The beginning of an inconclusive sentence: what the first sweep said.
fn of_open(tested: &Tested, outcome: Outcome) -> &'static str {
    let disagree = tested.looks.last().is_some_and(|l| !l.agree_on_rise && !l.agree_on_fall);
    let moved = outcome.shown.p_rise().min(outcome.shown.p_fall()) < 0.05;
    match (tested.screen, tested.fresh()) {
        (_, true) if disagree && moved => "the fresh sweeps disagree with each other:",
        (Screen::Rise, true) => "the rise of the first sweep is not confirmed by the fresh ones:",
        (Screen::Fall, true) => "the fall of the first sweep is not confirmed by the fresh ones:",
        (Screen::Unchanged, true) => "the first sweep excluded a rise, the fresh ones do not:",
        (Screen::Fall, false) => "an improvement that needs fresh sweeps to confirm:",
        (_, false) if tested.suspect => {
            "the sweep moved as a whole, so it proves nothing and must be repeated:"
        }
        _ => "neither a change nor its absence could be shown:",
    }
}

/// What the comparison could have found, and what would let it find the threshold.
fn of_power(subject: &Subject, because: &Because) -> String {
    let (Some(fit), say) = (subject.fit, Shown(subject)) else { return String::new() };
    format!(
        "a rise of {} would have been found four times in five; {}",
        say.amount(because.outcome.shown.mde80()),
        advice(&fit, because.would_help, subject.fresh(), &say.threshold())
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

/// The sentence of a count.
pub(super) fn of_count(subject: &Subject, now: f64, kind: VerdictKind) -> String {
    let (say, before) = (Shown(subject), subject.fit.map_or(0.0, |fit| fit.mean));
    let change = format!("from {} to {} ({})", say.number(before), say.amount(now), say.change(now - before));
    let of = plural(subject.baseline.sweeps.len(), "baseline sweep");
    match kind {
        VerdictKind::Regressed => format!("a count that rose {change} in every fresh sweep"),
        VerdictKind::Suspected => format!("a count that rose {change}; needs fresh sweeps to confirm"),
        VerdictKind::Improved => format!("a count that fell {change} in every fresh sweep"),
        VerdictKind::Unchanged => {
            format!("a count of {}, as in {of}", say.amount(now))
        }
        _ => format!("a count that went {change}, not the same way in every sweep"),
    }
}

/// The sentence of a subject with too few baseline sweeps for a p-value.
pub(super) fn of_few(subject: &Subject, d: f64, suspected: bool) -> String {
    let Some(fit) = subject.fit else { return String::new() };
    let say = Shown(subject);
    let change = format!("from {} to {} ({})", say.number(fit.mean), say.amount(fit.mean + d), say.change(d));
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
    let bad = &subject.bad_boots;
    if !bad.is_empty() {
        let ids: Vec<&str> = bad.iter().map(crate::model::SweepId::as_str).collect();
        let what = plural(bad.len(), "fresh sweep");
        text += &["; ", &what, " set aside that moved as a whole (", &ids.join(", "), ")"].concat();
    }
    if let Some(what) = &subject.left_out {
        text += "; candidate sweeps that are not comparable with the first were left out: ";
        text += what;
    }
    text
}
