//! The tests of one subject: the screen of the first sweep, the confirmation by fresh ones.

use super::{
    baseline::{FEWEST, Fit},
    pair::Measured,
    policy::Policy,
    subject::Subject,
};
use crate::{
    model::VerdictKind,
    stats::{Comparison, robust},
};

/// What the first sweep looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Screen {
    /// A candidate: p < alpha and at least half the threshold.
    Rise,
    /// The mirror image.
    Fall,
    /// Proven: a rise by the threshold is excluded.
    Unchanged,
    /// None of these.
    Inconclusive,
}

/// The tests of a subject with at least three baseline sweeps.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Tested {
    /// Of the first sweep.
    pub screen: Screen,
    /// Of the fresh sweeps alone; of the first while there are none. This is what is shown.
    pub shown: Comparison,
    /// Whether `shown` is of fresh sweeps.
    pub fresh: bool,
    /// Whether the first sweep left a rise by the threshold open.
    pub rise_open: bool,
    /// The mirror image.
    pub fall_open: bool,
}

impl Tested {
    /// Tests `subject`; none when its baseline is too small, or nothing was measured.
    pub fn of(subject: &Subject, policy: &Policy) -> Option<Self> {
        let fit = subject.fit.filter(|fit| fit.sweeps >= FEWEST)?;
        let first = compare(&fit, subject.candidates.get(..1)?, |m| &m.toll)?;
        let shown = compare(&fit, subject.judged(), |m| &m.toll)?;
        let screen = screen(&first, subject.delta, policy.alpha);
        let rise_open = screen == Screen::Rise || first.p_below(subject.delta) >= policy.alpha;
        let fall_open = screen == Screen::Fall || first.p_above(subject.delta) >= policy.alpha;
        Some(Self { screen, shown, fresh: subject.fresh() > 0, rise_open, fall_open })
    }

    /// The p-values of "it rose" and "it fell" that enter Benjamini-Hochberg: 1 unless fresh sweeps were asked, and 1
    /// where the first sweep excluded the change in question; only what it left open is confirmed.
    pub fn entering(&self) -> (f64, f64) {
        let p = |open: bool, p: f64| if self.fresh && open { p } else { 1.0 };
        (p(self.rise_open, self.shown.p_rise()), p(self.fall_open, self.shown.p_fall()))
    }

    /// The verdict, given the adjusted p-values of "it rose" and "it fell".
    pub fn verdict(&self, delta: f64, (q_rise, q_fall): (f64, f64), policy: &Policy) -> VerdictKind {
        let unchanged = self.shown.p_below(delta) < policy.alpha;
        if self.fresh {
            if q_rise <= policy.q && self.shown.d >= delta {
                return VerdictKind::Regressed;
            }
            if q_fall <= policy.q && self.shown.d <= -delta {
                return VerdictKind::Improved;
            }
            return if unchanged { VerdictKind::Unchanged } else { VerdictKind::Inconclusive };
        }
        match self.screen {
            Screen::Rise => VerdictKind::Suspected,
            Screen::Unchanged => VerdictKind::Unchanged,
            Screen::Fall | Screen::Inconclusive => VerdictKind::Inconclusive,
        }
    }
}

fn screen(first: &Comparison, delta: f64, alpha: f64) -> Screen {
    if first.p_rise() < alpha && first.d >= delta / 2.0 {
        Screen::Rise
    } else if first.p_fall() < alpha && first.d <= -delta / 2.0 {
        Screen::Fall
    } else if first.p_below(delta) < alpha {
        Screen::Unchanged
    } else {
        Screen::Inconclusive
    }
}

/// D and SE of one quantity (toll, environment or native) of new sweeps against its fit.
pub(super) fn compare(
    fit: &Fit,
    new: &[Measured],
    quantity: impl Fn(&Measured) -> &Vec<f64>,
) -> Option<Comparison> {
    let rounds: Vec<&[f64]> = new.iter().map(|m| quantity(m).as_slice()).collect();
    let values: Vec<f64> = rounds.iter().filter_map(|r| robust::median(r)).collect();
    Comparison::new(&values, fit.mean, fit.sweeps, fit.variance, fit.extra(&rounds))
}

/// Whether a subject with one or two baseline sweeps, which give no p-value, is suspected: in every candidate sweep all rounds
/// lie above all of the baseline's, and D is at least the larger of three thresholds and 10 %.
pub(super) fn suspected_of_few(subject: &Subject) -> bool {
    const LEAST_PCT: f64 = 10.0;
    let Some(fit) = subject.fit else { return false };
    let least = ((3.0 * subject.delta_pct).max(LEAST_PCT) / 100.0).ln_1p();
    let tolls = subject.baseline.sweeps.iter().flat_map(|m| &m.toll);
    let highest = tolls.fold(f64::NEG_INFINITY, |high, &x| high.max(x));
    let agrees = |m: &Measured| match (robust::range(&m.toll), robust::median(&m.toll)) {
        (Some((lowest, _)), Some(median)) => lowest > highest && median - fit.mean >= least,
        _ => false,
    };
    !subject.candidates.is_empty() && subject.candidates.iter().all(agrees)
}
