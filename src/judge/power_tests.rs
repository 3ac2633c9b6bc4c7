use super::*;
use crate::judge::{
    fixtures::{add, empty, five, one},
    judge,
};

const TWO: Question = Question { fresh: 2, rounds: None };

fn untimed(baselines: &[SweepSamples], question: Question) -> Power {
    power(baselines, &Policy::default(), &Costs::default(), question)
}

fn only(power: &Power) -> &MetricPower {
    assert_eq!(power.metrics.len(), 1, "{power:#?}");
    &power.metrics[0]
}

fn near(found: Option<f64>, expected: f64) -> bool {
    found.is_some_and(|found| (found - expected).abs() < 1e-3)
}

/// `n` sweeps whose values alternate by `between` (logs), each of rounds that spread by `within` about it.
fn noisy(n: i64, within: f64, between: f64) -> Vec<SweepSamples> {
    let ratio = |i: i64, x: f64| 1.1 * (if i % 2 == 0 { between } else { -between } + x).exp();
    (0..n).map(|i| one(i, &[-within, 0.0, within].map(|x| ratio(i, x)))).collect()
}

/// By hand: S² = .00025, n = 5, k = 2, df = 4, t.99 + t.80 = 4.687912: exp(4.687912 sqrt(.00025 * .7)) - 1 = 6.398 %.
/// ln 1.05 is 3.0857 S. The multipliers: n = 6, k = 4: 4.284474 sqrt(5/12) = 2.766, five sweeps more; n = 6, k = 2: 3.498;
/// n = 7, k = 2: 3.246; n = 5, k = 4: 3.145. No rounds differ, so the fewest do.
#[test]
fn one_metric_by_hand() {
    let found = untimed(&five(), TWO);
    let row = only(&found);
    assert_eq!((row.sweeps, row.rounds, row.reaches), (5, Some(3), Some(false)));
    assert!(near(row.mde80_pct, 6.3979), "{row:?}");
    assert!(near(row.sigma_within_pct, 0.0) && near(row.sigma_between_pct, 1.5937));
    assert_eq!(row.plan, Some(Effort { baseline_sweeps: 6, fresh_sweeps: 4, rounds: 3 }));
    assert_eq!((row.plan_s, row.best_pct, found.timed), (None, None, false));
    insta::assert_snapshot!(row.reason, @"a rise of 6.4 % is seen four times in five; one of 5 % would be with 6 accepted sweeps, 4 fresh ones and 3 rounds");
}

#[test]
fn it_is_what_a_judgement_of_such_sweeps_says() {
    let fresh: Vec<_> = (9..12).map(|i| one(i, &[1.1; 3])).collect();
    let judgement = judge(&five(), &fresh, &Policy::default());
    let (power, verdict) = (untimed(&five(), TWO), &judgement.verdicts[0]);
    assert!(near(only(&power).mde80_pct, verdict.mde80_pct.expect("tested")));
}

#[test]
fn more_rounds_help_where_the_rounds_are_what_differs() {
    let sweeps = noisy(6, 0.06, 0.0);
    let now = untimed(&sweeps, TWO);
    assert_eq!(only(&now).reaches, Some(false));
    let plan = only(&now).plan.expect("more rounds do it");
    assert!(plan.rounds > 3, "{plan:?}");
    let asked = Question { fresh: plan.fresh_sweeps, rounds: Some(100) };
    assert_eq!(
        (only(&untimed(&sweeps, asked)).reaches, only(&untimed(&sweeps, asked)).rounds),
        (Some(true), Some(100))
    );
}

#[test]
fn where_no_plan_does_it_it_says_what_the_best_one_would_see() {
    let found = untimed(&noisy(6, 0.0, 0.3), TWO);
    let row = only(&found);
    assert_eq!((row.plan, row.reaches), (None, Some(false)));
    assert!(row.best_pct < row.mde80_pct && row.best_pct > Some(row.threshold_pct));
    insta::assert_snapshot!(row.reason, @"a rise of 215.7 % is seen four times in five; with 30 accepted sweeps, 4 fresh ones and 100 rounds it would be 78.7 %, not 5 %: the host must be quieter or the threshold wider");
    assert_eq!((found.summary.metrics, found.summary.reach, found.summary.reachable), (1, 0, 0));
    assert_eq!(found.summary.common, None);
}

#[test]
fn with_fewer_than_three_sweeps_it_says_how_many_are_needed() {
    for (n, reason) in [(1, "needs 2 more accepted sweeps"), (2, "needs 1 more accepted sweep")] {
        let found = untimed(&five()[..n], TWO);
        let row = only(&found);
        assert_eq!((row.reason.as_str(), row.mde80_pct, row.reaches, row.plan), (reason, None, None, None));
        assert_eq!((found.summary.metrics, found.summary.common.is_none()), (0, true));
    }
    assert!(untimed(&[], TWO).metrics.is_empty() && untimed(&[empty(1)], TWO).metrics.is_empty());
}

/// A suite of five: one hopeless, four quiet. Four fifths of them reach with the fewest rounds.
#[test]
fn the_common_plan_serves_four_fifths() {
    let mut sweeps = noisy(4, 0.0, 0.3);
    for sweep in &mut sweeps {
        (0..4).for_each(|m| add(sweep, &format!("quiet{m}"), "docker", &[1.2; 3]));
    }
    let found = untimed(&sweeps, TWO);
    assert_eq!((found.summary.metrics, found.summary.reach, found.summary.reachable), (5, 4, 4));
    let common = found.summary.common.expect("a plan");
    assert_eq!(common.effort, Effort { baseline_sweeps: 4, fresh_sweeps: 2, rounds: 3 });
    assert_eq!((common.sweep_s, common.gate_s), (None, None));
    assert_eq!(found.metrics[0].metric, "mean", "the farthest from its threshold comes first");
}

/// The metric of [`one_metric_by_hand`]: 8 sweeps with two fresh ones; with one not even 30 do, which see
/// (2.462 + .854) sqrt(1 + 1/30) = 3.37 S; 6 with four.
#[test]
fn the_common_plan_takes_more_fresh_sweeps_only_where_those_asked_for_do_not_do() {
    let common = |fresh| untimed(&five(), Question { fresh, rounds: None }).summary.common.expect("a plan");
    assert_eq!(common(2).effort, Effort { baseline_sweeps: 8, fresh_sweeps: 2, rounds: 3 });
    assert_eq!(common(1).effort, Effort { baseline_sweeps: 6, fresh_sweeps: 4, rounds: 3 });
}

#[test]
fn a_plan_within_reach_names_fewer_rounds_where_fewer_do() {
    let sweeps: Vec<_> = (0..8).map(|i| one(i, &[1.1; 40])).collect();
    let row = &untimed(&sweeps, TWO).metrics[0];
    assert_eq!((row.reaches, row.rounds), (Some(true), Some(40)));
    assert_eq!(row.plan, Some(Effort { baseline_sweeps: 8, fresh_sweeps: 2, rounds: 3 }));
    insta::assert_snapshot!(row.reason, @"a rise of 0.3 % is seen four times in five, within the threshold of 5 %");
}

#[test]
fn counts_have_no_percentage() {
    let mut sweeps = five();
    sweeps.iter_mut().flat_map(|s| s.metrics.values_mut()).for_each(|m| m.scale = Scale::Count);
    let found = untimed(&sweeps, TWO);
    assert_eq!((only(&found).mde80_pct, found.summary.metrics), (None, 0));
}
