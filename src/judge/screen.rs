//! The tests of one subject: the screen of the first sweep, the confirmation by fresh ones.

use super::{baseline::Fit, pair::Measured, policy::Policy, subject::Subject};
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

/// One look at fresh sweeps: at the first block of them, or at all.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Look {
    /// D and SE of these sweeps alone.
    pub comparison: Comparison,
    /// Whether they agree on a rise: each by itself rose by at least a quarter of the threshold, all but a quarter of
    /// them. One wild sweep of two is then no regression, at next to no cost in power.
    pub agree_on_rise: bool,
    /// The mirror image.
    pub agree_on_fall: bool,
}

/// The tests of a subject with at least three baseline sweeps.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Tested {
    /// Of the first sweep.
    pub screen: Screen,
    /// The first sweep alone.
    pub first: Comparison,
    /// Looks at the fresh sweeps; none without.
    pub looks: Vec<Look>,
    /// Whether the first sweep left a rise by the threshold open.
    pub rise_open: bool,
    /// The mirror image.
    pub fall_open: bool,
    /// Whether the first sweep moved as a whole in this environment: then it excludes nothing.
    pub suspect: bool,
    /// Whether fresh sweeps were set aside: what is left proves no absence of a change.
    pub lessened: bool,
}

/// What the tests of a subject come to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Outcome {
    pub kind: VerdictKind,
    /// What is shown: the look that decided, or the last one; the first sweep while there are no fresh ones.
    pub shown: Comparison,
    /// The adjusted p-value of "it rose" at that look.
    pub q: Option<f64>,
}

/// The share of the threshold by which each fresh sweep must have risen.
const AGREE: f64 = 0.25;

/// Sweeps of a block of confirmation.
pub const BLOCK: u32 = 2;

/// How often the fresh sweeps are looked at, and so between how many looks q is split: once, or twice where the policy
/// has a further block, or there are more sweeps than one block.
pub(super) fn looks(fresh: usize, policy: &Policy) -> usize {
    if policy.blocks > 1 || fresh > BLOCK as usize { 2 } else { 1 }
}

impl Tested {
    /// Tests `subject`; none when its baseline is too small, or nothing was measured. `suspect`: whether the first sweep
    /// moved as a whole.
    pub fn of(subject: &Subject, policy: &Policy, suspect: bool) -> Option<Self> {
        let fit = subject.testable()?;
        let delta = subject.threshold.delta;
        let (first, fresh) = subject.candidates.split_at_checked(1)?;
        let first = compare(&fit, first, |m| &m.toll)?;
        let screen = screen(&first, delta, policy.alpha);
        let rise_open = suspect || screen == Screen::Rise || first.p_below(delta) >= policy.alpha;
        let fall_open = suspect || screen == Screen::Fall || first.p_above(delta) >= policy.alpha;
        let mut looks = Vec::new();
        if fresh.len() > BLOCK as usize {
            looks.extend(look(&fit, &fresh[..BLOCK as usize], delta));
        }
        looks.extend(look(&fit, fresh, delta));
        Some(Self {
            screen,
            first,
            looks,
            rise_open,
            fall_open,
            suspect,
            lessened: !subject.bad_boots.is_empty(),
        })
    }

    /// Whether fresh sweeps were asked.
    pub fn fresh(&self) -> bool {
        !self.looks.is_empty()
    }

    /// The p-values of "it rose" and "it fell" that enter Benjamini-Hochberg at a look: 1 unless fresh sweeps were asked,
    /// and 1 where the first sweep excluded the change in question; only what it left open is confirmed. A look that
    /// there was not is the last one again.
    pub fn entering(&self, look: usize) -> (f64, f64) {
        let Some(look) = self.looks.get(look).or(self.looks.last()) else { return (1.0, 1.0) };
        let p = |open: bool, p: f64| if open { p } else { 1.0 };
        (p(self.rise_open, look.comparison.p_rise()), p(self.fall_open, look.comparison.p_fall()))
    }

    /// The verdict and what it is read from, given the adjusted p-values of "it rose" and "it fell" at each look
    /// (times the number of looks).
    pub fn outcome(&self, delta: f64, q: &[(f64, f64)], policy: &Policy) -> Outcome {
        let Some(last) = self.looks.last() else {
            return Outcome { kind: self.of_screen(), shown: self.first, q: None };
        };
        for (i, &(q_rise, q_fall)) in q.iter().enumerate() {
            let look = self.looks.get(i).unwrap_or(last);
            let of = |kind| Outcome { kind, shown: look.comparison, q: Some(q_rise) };
            if q_rise <= policy.q && look.agree_on_rise && look.comparison.d >= delta {
                return of(VerdictKind::Regressed);
            }
            if q_fall <= policy.q && look.agree_on_fall && look.comparison.d <= -delta {
                return of(VerdictKind::Improved);
            }
        }
        let unchanged = !self.lessened && last.comparison.p_below(delta) < policy.alpha;
        let kind = if unchanged { VerdictKind::Unchanged } else { VerdictKind::Inconclusive };
        Outcome { kind, shown: last.comparison, q: q.last().map(|q| q.0) }
    }

    fn of_screen(&self) -> VerdictKind {
        match self.screen {
            Screen::Rise => VerdictKind::Suspected,
            // A sweep that moved as a whole proves nothing.
            Screen::Unchanged if !self.suspect => VerdictKind::Unchanged,
            Screen::Unchanged | Screen::Fall | Screen::Inconclusive => VerdictKind::Inconclusive,
        }
    }
}

/// Which way one sweep alone moves: the screen's test.
pub(super) fn screen(first: &Comparison, delta: f64, alpha: f64) -> Screen {
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

fn look(fit: &Fit, fresh: &[Measured], delta: f64) -> Option<Look> {
    let comparison = compare(fit, fresh, |m| &m.toll)?;
    let values = || fresh.iter().filter_map(Measured::value).map(|y| y - fit.mean);
    let dissenters = fresh.len() / 4;
    Some(Look {
        comparison,
        agree_on_rise: values().filter(|d| *d < AGREE * delta).count() <= dissenters,
        agree_on_fall: values().filter(|d| *d > -AGREE * delta).count() <= dissenters,
    })
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
/// lie above all of the baseline's, and D is at least the larger of three thresholds and 10 % (by difference: three
/// thresholds).
pub(super) fn suspected_of_few(subject: &Subject) -> bool {
    const LEAST_PCT: f64 = 10.0;
    let Some(fit) = subject.fit else { return false };
    let threshold = &subject.threshold;
    let least = match threshold.scale {
        crate::model::Scale::Ratio => ((3.0 * threshold.shown).max(LEAST_PCT) / 100.0).ln_1p(),
        _ => 3.0 * threshold.delta,
    };
    let tolls = subject.baseline.sweeps.iter().flat_map(|m| &m.toll);
    let highest = tolls.fold(f64::NEG_INFINITY, |high, &x| high.max(x));
    let agrees = |m: &Measured| match (robust::range(&m.toll), m.value()) {
        (Some((lowest, _)), Some(median)) => lowest > highest && median - fit.mean >= least,
        _ => false,
    };
    !subject.candidates.is_empty() && subject.candidates.iter().all(agrees)
}
