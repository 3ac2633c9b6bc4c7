//! How small a rise a comparison can see, and the cheapest comparison that sees a given one.

use super::student::quantile;
use super::{Variance, robust::MEDIAN_VARIANCE};

/// What the sweep values of a metric scatter by, split into what more rounds reduce and what only more sweeps do.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spread {
    /// `sigma_w²`, variance of the rounds within a sweep, squared logs.
    pub within: f64,
    /// `sigma_b²`, variance between sweeps that no number of rounds reduces, squared logs.
    pub between: f64,
    /// d0, degrees of freedom that the family lends.
    pub prior_df: f64,
}

/// How much is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    /// n, sweeps of the baseline.
    pub baseline: u32,
    /// k, fresh sweeps.
    pub fresh: u32,
    /// R, rounds of each sweep.
    pub rounds: u32,
}

/// What measuring costs, in any one unit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cost {
    /// To begin a sweep: containers and guest made anew, warm-up.
    pub sweep: f64,
    /// One round.
    pub round: f64,
}

/// Plans beyond these are no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Sweeps of the baseline.
    pub baseline: u32,
    /// Fresh sweeps.
    pub fresh: u32,
    /// Rounds of a sweep.
    pub rounds: u32,
}

impl Spread {
    /// Splits the (moderated) variance of sweep values: `sigma_b² = max(0, S̃² - 1.57 sigma_w² / R)`. `own` are the
    /// metric's own degrees of freedom, n - 1; `inverse_rounds` is 1/R.
    pub fn of(moderated: Variance, own: f64, within: f64, inverse_rounds: f64) -> Self {
        let between = (moderated.s2 - MEDIAN_VARIANCE * within * inverse_rounds).max(0.0);
        Self { within, between, prior_df: (moderated.df - own).max(0.0) }
    }

    /// `(t_{.99,df} + t_{.80,df}) sqrt(1/k + 1/n)` with df = d0 + n - 1: MDE80 in standard deviations of a sweep value.
    fn multiplier(&self, baseline: u32, fresh: u32) -> f64 {
        let (n, k) = (f64::from(baseline), f64::from(fresh));
        let df = self.prior_df + n - 1.0;
        (quantile(0.99, df) + quantile(0.80, df)) * (1.0 / k + 1.0 / n).sqrt()
    }

    /// Minimum detectable effect at power .8 of a plan, logs: see [`super::Comparison::mde80`]. Infinite without sweeps,
    /// with a baseline of one sweep, or without rounds.
    pub fn mde80(&self, plan: Plan) -> f64 {
        if plan.baseline < 2 || plan.fresh < 1 || plan.rounds < 1 {
            return f64::INFINITY;
        }
        let s2 = self.between + MEDIAN_VARIANCE * self.within / f64::from(plan.rounds);
        self.multiplier(plan.baseline, plan.fresh) * s2.sqrt()
    }

    /// The fewest rounds with which n and k sweeps see a rise by `delta` (logs) four times in five; none when no number
    /// of rounds does. At least three: a median of fewer is at the mercy of one bad round.
    pub fn rounds_for(&self, baseline: u32, fresh: u32, delta: f64) -> Option<u32> {
        if baseline < 2 || fresh < 1 {
            return None;
        }
        let most = (delta / self.multiplier(baseline, fresh)).powi(2);
        let room = most - self.between;
        if room.is_nan() || room <= 0.0 {
            return None;
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "`as` saturates; not negative"
        )]
        let rounds = (MEDIAN_VARIANCE * self.within / room).ceil() as u32;
        Some(rounds.max(3))
    }

    /// The plan that sees a rise by `delta` (logs) four times in five and costs least, given that `present` sweeps are in
    /// the baseline already: `(n - present + k) (c_sweep + R c_round)`. Fresh sweeps come in blocks of two.
    /// None within `limits`.
    pub fn cheapest(&self, present: u32, delta: f64, cost: Cost, limits: Limits) -> Option<Plan> {
        let mut best: Option<(f64, Plan)> = None;
        for baseline in present.max(3)..=limits.baseline.max(present).max(3) {
            for fresh in (2..=limits.fresh.max(2)).step_by(2) {
                let Some(rounds) = self.rounds_for(baseline, fresh, delta) else { continue };
                if rounds > limits.rounds {
                    continue;
                }
                let sweeps = f64::from(baseline - present + fresh);
                let price = sweeps * (cost.sweep + f64::from(rounds) * cost.round);
                if best.is_none_or(|(least, _)| price < least) {
                    best = Some((price, Plan { baseline, fresh, rounds }));
                }
            }
        }
        best.map(|(_, plan)| plan)
    }

    /// Rounds of a sweep that cost least for a given variance of the mean of many sweeps:
    /// `ceil sqrt((c_sweep / c_round) 1.57 sigma_w² / sigma_b²)` (Cochran, Sampling Techniques, 1977, 10.6), at
    /// least three; none when sweeps do not differ, so that one endless sweep would be best.
    pub fn best_rounds(&self, cost: Cost) -> Option<u32> {
        let ratio = cost.sweep / cost.round * MEDIAN_VARIANCE * self.within / self.between;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "`as` saturates; not negative"
        )]
        ratio.is_finite().then(|| (ratio.sqrt().ceil() as u32).max(3))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPREAD: Spread = Spread { within: 4e-4, between: 1e-4, prior_df: 0.0 };
    const COST: Cost = Cost { sweep: 3.0, round: 1.0 };
    const LIMITS: Limits = Limits { baseline: 30, fresh: 4, rounds: 100 };

    /// By hand: S² = 1e-4 + 1.57 * 4e-4 / 10 = 1.628e-4, n = 10, k = 2, df = 9: t_.99 = 2.821438, t_.80 = .883404.
    #[test]
    fn the_detectable_effect_by_hand() {
        let mde = SPREAD.mde80(Plan { baseline: 10, fresh: 2, rounds: 10 });
        assert!((mde - (2.821_438 + 0.883_404) * (1.628e-4_f64 * 0.6).sqrt()).abs() < 1e-6, "{mde}");
    }

    #[test]
    fn the_rounds_found_are_the_fewest_that_do() {
        let rounds = SPREAD.rounds_for(10, 2, 0.035).expect("feasible");
        let mde = |rounds| SPREAD.mde80(Plan { baseline: 10, fresh: 2, rounds });
        assert!(mde(rounds) <= 0.035 && mde(rounds - 1) > 0.035, "{rounds}");
        assert_eq!(SPREAD.rounds_for(10, 2, 0.02), None, "the spread between sweeps alone is too much");
    }

    #[test]
    fn the_cheapest_plan_does_it_and_its_neighbours_cost_more_or_do_not() {
        let plan = SPREAD.cheapest(5, 0.03, COST, LIMITS).expect("feasible");
        assert!(SPREAD.mde80(plan) <= 0.03);
        let price = |p: Plan| f64::from(p.baseline - 5 + p.fresh) * (3.0 + f64::from(p.rounds));
        for baseline in 5..=30 {
            for fresh in [2, 4] {
                for rounds in 3..=100 {
                    let other = Plan { baseline, fresh, rounds };
                    assert!(
                        SPREAD.mde80(other) > 0.03 || price(other) >= price(plan),
                        "{other:?} beats {plan:?}"
                    );
                }
            }
        }
        assert_eq!(SPREAD.cheapest(5, 0.005, COST, LIMITS), None);
    }

    #[test]
    fn best_rounds_by_hand() {
        // sqrt(3 * 1.57 * 4) = 4.34
        assert_eq!(SPREAD.best_rounds(COST), Some(5));
        assert_eq!(Spread { between: 0.0, ..SPREAD }.best_rounds(COST), None);
    }

    #[test]
    fn without_sweeps_nothing_is_seen() {
        assert!(SPREAD.mde80(Plan { baseline: 1, fresh: 2, rounds: 10 }).is_infinite());
        assert_eq!(SPREAD.rounds_for(1, 2, 0.5), None);
    }
}
