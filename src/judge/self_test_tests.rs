use super::*;
use crate::judge::fixtures::{add, empty, five, key, one};

/// `n` sweeps that differ by less than 1 %.
fn quiet(n: i64) -> Vec<SweepSamples> {
    (0..n).map(|i| one(i, &[1.10 * ((i % 3) as f64 / 400.0).exp(); 3])).collect()
}

fn tested(baselines: &[SweepSamples]) -> SelfTest {
    self_test(baselines, &Policy::default())
}

fn near(found: [f64; 2], expected: [f64; 2]) -> bool {
    found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-3)
}

#[test]
fn too_few_sweeps_have_no_rate_and_it_says_how_many_are_needed() {
    let reasons: Vec<String> = [0, 1, 3, 4]
        .map(|n| {
            let found = tested(&quiet(n));
            assert_eq!(
                (found.is_tested(), found.suites, found.families.is_empty()),
                (n == 4, None, n < 4),
                "{n}"
            );
            found.reason.expect("a reason")
        })
        .to_vec();
    insta::assert_snapshot!(reasons.join("\n"), @r"
    there is no accepted sweep: leaving one out needs 4, suites of three need 6
    1 sweep accepted: leaving one out needs 3 more, suites of three need 5 more
    3 sweeps accepted: leaving one out needs 1 more, suites of three need 3 more
    4 sweeps accepted: suites of three need 2 more
    ");
}

/// None of four: the interval ends at 1 - .025^(1/4) = 60.236 %.
#[test]
fn each_sweep_is_judged_as_if_it_were_new() {
    let found = tested(&quiet(4));
    let screened = found.screened_suites.expect("a rate");
    assert_eq!((screened.alarms, screened.of, screened.independent), (0, 4, 4));
    assert!(near(screened.ci95_pct, [0.0, 60.236]), "{screened:?}");
    assert_eq!(found.families[0].confirmed, None);
}

/// The odd one is a candidate against the four; each of the four is not, since the odd one widens its baseline.
#[test]
fn an_odd_sweep_is_one_false_alarm_of_the_screen() {
    let mut sweeps = quiet(4);
    sweeps.push(one(4, &[1.6; 3]));
    let screened = tested(&sweeps).screened_suites.expect("a rate");
    assert_eq!((screened.alarms, screened.of), (1, 5));
    assert!((screened.rate_pct - 20.0).abs() < 1e-9);
}

/// 9 * 8 * 7 / 6 = 84 suites, of which three do not overlap: up to 1 - .025^(1/3) = 70.760 %.
#[test]
fn suites_are_all_triples_and_the_interval_counts_those_that_do_not_overlap() {
    let found = tested(&quiet(9));
    let suites = found.suites.expect("a rate");
    assert_eq!((suites.alarms, suites.of, suites.independent), (0, 84, 3));
    assert!(near(suites.ci95_pct, [0.0, 70.760]), "{suites:?}");
    assert_eq!(found.reason, None);
}

/// Two states. Only all three high ones against all three low ones are a regression: with a high one left in the baseline
/// D = .250, SE = .216 sqrt(1/2 + 1/3) = .198 and df = 2, so p = .17.
#[test]
fn a_rule_that_alarms_is_shown_to_alarm() {
    let mut sweeps = quiet(3);
    sweeps.extend((3..6).map(|i| one(i, &[1.6; 3])));
    let suites = tested(&sweeps).suites.expect("a rate");
    assert_eq!((suites.alarms, suites.of), (1, 20));
    assert!((suites.rate_pct - 5.0).abs() < 1e-9);
}

/// Two metrics in nine sweeps: 18 verdicts of the screen and 2 * 84 of suites, 2 * floor(9/3) independent.
#[test]
fn families_count_verdicts() {
    let mut sweeps = quiet(9);
    for sweep in &mut sweeps {
        add(sweep, "p50", "kvm", &[3.0; 3]);
    }
    let found = tested(&sweeps);
    assert_eq!(found.families.len(), 1);
    let family = &found.families[0];
    let (screened, confirmed) = (family.screened.expect("a rate"), family.confirmed.expect("a rate"));
    assert_eq!((family.family, family.metrics), (Family::Network, 2));
    assert_eq!((screened.of, screened.independent), (18, 18));
    assert_eq!((confirmed.of, confirmed.independent), (168, 6));
}

#[test]
fn a_sweep_that_holds_less_counts_for_what_it_holds() {
    let mut sweeps = quiet(6);
    for (i, sweep) in sweeps.iter_mut().enumerate() {
        if i != 2 {
            add(sweep, "p50", "kvm", &[3.0; 3]);
        }
    }
    let family = &tested(&sweeps).families[0];
    assert_eq!((family.metrics, family.screened.expect("a rate").of), (2, 6 + 5));
}

#[test]
fn sweeps_before_the_present_regime_are_of_another_state() {
    let mut sweeps: Vec<_> = (0..4).map(|i| one(i, &[1.9; 3])).collect();
    sweeps.extend((4..8).map(|i| one(i, &[1.1; 3])));
    sweeps[4].regimes.insert(key("mean", "docker"));
    let found = tested(&sweeps);
    assert_eq!((found.sweeps, found.suites), (4, None));
    assert_eq!(found.screened_suites.map(|s| (s.alarms, s.of)), Some((0, 4)));
}

#[test]
fn only_what_is_comparable_with_the_newest_counts() {
    let mut sweeps = quiet(6);
    for (i, sweep) in sweeps.iter_mut().enumerate() {
        add(sweep, "mean", "kvm", &[3.0; 3]);
        sweep.comparability.accelerator = Some(if i == 1 { "tcg" } else { "kvm" }.into());
    }
    sweeps[0].comparability.bench_image = Some("old".into());
    sweeps[5].comparability.bench_image = Some("new".into());
    let found = tested(&sweeps);
    // Five sweeps in docker, four of them with the newest one's accelerator.
    assert_eq!((found.sweeps, found.families[0].screened.expect("a rate").of), (5, 5 + 4));
    insta::assert_snapshot!(found.reason.expect("a reason"), @"5 sweeps accepted: suites of three need 1 more; 1 of 6 accepted sweeps is not comparable with the newest: the bench image was old and is new");
}

#[test]
fn the_answer_does_not_depend_on_the_order_or_on_repetition() {
    let sweeps = quiet(8);
    let mut other: Vec<_> = sweeps.iter().rev().cloned().collect();
    other.push(sweeps[3].clone());
    assert_eq!(tested(&sweeps), tested(&other));
}

#[test]
fn no_more_suites_are_drawn_than_there_are_or_than_two_hundred() {
    for (n, suites) in [(3, 1), (6, 20), (11, 165), (12, 200), (30, 200)] {
        let drawn = draw(n);
        let sets: BTreeSet<BTreeSet<usize>> = drawn.iter().map(|t| t.iter().copied().collect()).collect();
        assert_eq!((drawn.len(), sets.len()), (suites, suites));
        assert!(sets.iter().all(|s| s.len() == SUITE && s.iter().all(|i| *i < n)));
    }
    assert!(draw(30).iter().any(|t| !t.is_sorted()), "the order within a suite is random, too");
}

#[test]
fn what_cannot_be_measured_is_not_counted_as_healthy() {
    let mut sweeps = five();
    for sweep in &mut sweeps {
        sweep.series.retain(|key, _| !key.environment.is_native());
    }
    let found = tested(&sweeps);
    assert_eq!((found.is_tested(), found.families.len()), (false, 0));
    assert!(found.reason.is_some());
    assert!(!tested(&[empty(1)]).is_tested());
}
