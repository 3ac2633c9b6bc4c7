//! Common mode, looks, regimes, counts and differences, advice.

use super::*;
use crate::judge::policy::Override;

/// Sweep `i` of `metrics` metrics in docker whose tolls are 1.1 times `factor(m)`, and a little noise that differs by
/// metric and sweep.
fn suite(i: i64, metrics: usize, factor: impl Fn(usize) -> f64) -> SweepSamples {
    let mut sweep = empty(i);
    for m in 0..metrics {
        let noise = ((i as f64 * 7.0 + m as f64 * 13.0) % 11.0 - 5.0) / 500.0;
        let name = format!("m{m:02}");
        add(&mut sweep, &name, "native", Better::Lower, &[100.0; 5]);
        add(&mut sweep, &name, "docker", Better::Lower, &[110.0 * factor(m) * noise.exp(); 5]);
    }
    sweep
}

fn history(metrics: usize) -> Vec<SweepSamples> {
    (0..10).map(|i| suite(i, metrics, |_| 1.0)).collect()
}

fn regressed(judgement: &Judgement) -> u32 {
    judgement.summary[&VerdictKind::Regressed]
}

#[test]
fn a_first_sweep_that_moved_as_a_whole_is_suspect_and_proves_nothing() {
    let all = |i| suite(i, 12, |_| 1.1);
    let judgement = judge(&history(12), &[all(20)], &Policy::default());
    assert_eq!(judgement.summary[&VerdictKind::Suspected], 12);
    assert!(judgement.verdicts.iter().all(|v| v.common), "one alert, not twelve");
    let [common] = &judgement.common[..] else { panic!("{:?}", judgement.common) };
    assert_eq!(
        (common.moved, common.of, common.worse, common.environment.to_string().as_str()),
        (12, 12, true, "docker")
    );
    // Four of twelve moved: the others are not proven by such a sweep.
    let third = judge(&history(12), &[suite(20, 12, |m| if m < 4 { 1.2 } else { 1.0 })], &Policy::default());
    assert_eq!(third.summary[&VerdictKind::Unchanged], 0, "{:#?}", third.summary);
    assert_eq!(third.summary[&VerdictKind::Suspected], 4);
    let open = third.verdicts.iter().find(|v| v.verdict == VerdictKind::Inconclusive).expect("open");
    assert!(open.reason.starts_with("the sweep moved as a whole"), "{}", open.reason);
    // Three of twelve are a quarter, not more.
    let quarter =
        judge(&history(12), &[suite(20, 12, |m| if m < 3 { 1.2 } else { 1.0 })], &Policy::default());
    assert!(quarter.common.is_empty() && quarter.summary[&VerdictKind::Unchanged] == 9);
}

#[test]
fn a_bad_boot_among_the_fresh_sweeps_is_set_aside() {
    let (calm, bad) = (|i| suite(i, 12, |_| 1.0), |i| suite(i, 12, |_| 1.12));
    // The first sweep leaves two metrics open.
    let open = |i| suite(i, 12, |m| if m < 2 { 1.08 } else { 1.0 });
    let judgement = judge(&history(12), &[open(20), bad(21), calm(22)], &Policy::default());
    assert_eq!(regressed(&judgement), 0, "{:#?}", judgement.summary);
    let v = &judgement.verdicts[0];
    assert_eq!(v.sweeps_candidate, 2);
    assert!(v.reason.ends_with("1 fresh sweep set aside that moved as a whole (s21)"), "{}", v.reason);
}

#[test]
fn a_whole_environment_that_really_rose_is_regressed_as_one() {
    let up = |i| suite(i, 12, |_| 1.12);
    let judgement = judge(&history(12), &[up(20), up(21), up(22)], &Policy::default());
    assert_eq!(regressed(&judgement), 12);
    assert!(judgement.verdicts.iter().all(|v| v.common && v.reason.contains("much of its environment")));
}

#[test]
fn native_that_moves_as_a_whole_makes_a_sweep_suspect() {
    let mut now = suite(20, 12, |_| 1.0);
    let native = now.series.iter_mut().filter(|(key, _)| key.environment.is_native());
    native.flat_map(|(_, rounds)| rounds.values_mut()).for_each(|v| *v *= 0.8);
    let judgement = judge(&history(12), &[now], &Policy::default());
    let native = judgement.common.iter().find(|c| c.environment.is_native()).expect("native");
    assert!(!native.worse && native.moved == 12);
}

#[test]
fn two_wild_fresh_sweeps_of_which_one_rose_are_no_regression() {
    let rise = |i: i64, d: f64| one(i, &[1.10 * d.exp(); 3]);
    let (kind, reason) = kind(&five(), &[rise(9, 0.3), rise(10, 0.40), rise(11, 0.0)]);
    assert_eq!(kind, VerdictKind::Inconclusive);
    insta::assert_snapshot!(reason, @"the fresh sweeps disagree with each other: rose from 10.0 to 34.4 % (+22.1 %, 95 % 17.7 to 26.7 %) against a threshold of 5 %; a rise of 6.4 % would have been found four times in five; to see 5 %: 3 more accepted sweeps (more rounds do not help)");
}

/// D = .06 of two fresh sweeps: SE = sqrt(.00025 * .7), t = 4.5356, df 4: p = .00527.
#[test]
fn q_is_split_between_two_looks() {
    let rise = |i: i64, d: f64| one(i, &[1.10 * d.exp(); 3]);
    let candidates = [rise(9, 0.1), rise(10, 0.06), rise(11, 0.06)];
    let q = |policy: &Policy, candidates: &[SweepSamples]| {
        let judgement = judge(&five(), candidates, policy);
        only(&judgement).q.expect("q")
    };
    let once = q(&Policy::default(), &candidates);
    let twice = q(&Policy { blocks: 2, ..Policy::default() }, &candidates);
    assert!((once - 0.005_27).abs() < 1e-4 && (twice - 2.0 * once).abs() < 1e-12, "{once} {twice}");
    // What the first look found, the second does not take back: 0.06, 0.06 and then 0, 0.
    let four = [candidates.as_slice(), &[rise(12, 0.0), rise(13, 0.0)]].concat();
    let judgement = judge(&five(), &four, &Policy::default());
    assert_eq!(only(&judgement).verdict, VerdictKind::Regressed);
    assert!(near(only(&judgement).change_pct, 6.183_65));
    // What only four sweeps show, the second look finds.
    let later = [rise(9, 0.1), rise(10, 0.045), rise(11, 0.050), rise(12, 0.07), rise(13, 0.07)];
    let judgement = judge(&five(), &later, &Policy::default());
    assert_eq!(only(&judgement).verdict, VerdictKind::Regressed, "{}", only(&judgement).reason);
}

#[test]
fn a_new_regime_forgets_what_came_before() {
    let mut baseline = five();
    baseline.extend((5..9).map(|i| one(i, &[1.5 * (i as f64 / 500.0).exp(); 3])));
    let key = baseline[5].series.keys().find(|k| !k.environment.is_native()).expect("docker").clone();
    let now = one(20, &[1.52; 3]);
    assert_ne!(kind(&baseline, std::slice::from_ref(&now)).0, VerdictKind::Unchanged);
    baseline[5].regimes.insert(key);
    let judgement = judge(&baseline, &[now], &Policy::default());
    assert_eq!((only(&judgement).verdict, only(&judgement).sweeps_baseline), (VerdictKind::Unchanged, 4));
}

/// A count or difference of native 0 and docker `values`.
fn plain(i: i64, scale: Scale, values: &[f64]) -> SweepSamples {
    let mut sweep = empty(i);
    add(&mut sweep, "errors", "native", Better::Lower, &vec![0.0; values.len()]);
    add(&mut sweep, "errors", "docker", Better::Lower, values);
    let info = sweep.metrics.values_mut().next().expect("errors");
    (info.scale, info.unit) = (scale, "count".into());
    sweep
}

#[test]
fn counts_compare_exactly() {
    let count = |i, v: f64| plain(i, Scale::Count, &[v; 3]);
    let baseline: Vec<_> = (0..3).map(|i| count(i, 4.0)).collect();
    let of = |values: &[f64]| {
        let candidates: Vec<_> = (9..).zip(values).map(|(i, v)| count(i, *v)).collect();
        kind(&baseline, &candidates)
    };
    assert_eq!(of(&[4.0]), (VerdictKind::Unchanged, "a count of 4, as in 3 baseline sweeps".into()));
    assert_eq!(of(&[5.0]).0, VerdictKind::Suspected);
    assert_eq!(of(&[5.0, 5.0, 5.0]).0, VerdictKind::Regressed);
    assert_eq!(of(&[3.0, 3.0, 3.0]).0, VerdictKind::Improved);
    assert_eq!(of(&[5.0, 5.0, 4.0]).0, VerdictKind::Inconclusive);
    assert_eq!(kind(&baseline[..1], &[count(9, 0.0)]).0, VerdictKind::Inconclusive);
    assert_eq!(kind(&[], &[count(9, 0.0)]).0, VerdictKind::NoBaseline);
}

#[test]
fn a_metric_that_may_be_zero_is_compared_by_differences() {
    let errors = |i, v: f64| plain(i, Scale::Difference, &[v; 3]);
    let baseline: Vec<_> = (0..4).map(|i| errors(i, 0.0)).collect();
    let absolute = Override { delta_pct: None, delta_abs: Some(3.0) };
    let policy = Policy { metrics: [("rr/1b/errors".to_owned(), absolute)].into(), ..Policy::default() };
    let of = |v: f64| judge(&baseline, &(9..12).map(|i| errors(i, v)).collect::<Vec<_>>(), &policy);
    let (quiet, loud) = (of(0.0), of(5.0));
    assert_eq!(only(&quiet).verdict, VerdictKind::Unchanged);
    let v = only(&loud);
    assert_eq!((v.verdict, v.change_pct, v.threshold_pct), (VerdictKind::Regressed, None, None));
    let absolute = v.absolute.expect("numbers");
    assert_eq!((absolute.before, absolute.now, absolute.threshold), (0.0, 5.0, 3.0));
    insta::assert_snapshot!(v.reason, @"rose from 0 to 5 (+5, 95 % 4.7244 to 5.2756) against a threshold of 3, confirmed by 2 fresh sweeps; the environment itself became slower");
    assert_eq!(only(&of(2.0)).verdict, VerdictKind::Unchanged, "below the threshold");
}

#[test]
fn advice_reaches_the_threshold() {
    let judgement = judge(&five(), &[one(9, &[1.13; 3])], &Policy::default());
    let effort = only(&judgement).would_help.expect("advice");
    assert!(effort.baseline_sweeps > 5 && effort.fresh_sweeps == 2, "{effort:?}");
    let wild: Vec<_> = (0..5).map(|i| one(i, &[1.10 * ((i as f64 - 2.0) / 5.0).exp(); 3])).collect();
    let judgement = judge(&wild, &[one(9, &[1.13; 3])], &Policy::default());
    assert_eq!(only(&judgement).would_help, None);
    assert!(only(&judgement).reason.ends_with("the host must be quieter or the threshold wider"));
}

#[test]
fn a_fresh_sweep_that_moved_as_the_first_did_is_no_bad_boot() {
    let (calm, up) = (|i| suite(i, 12, |_| 1.0), |i| suite(i, 12, |_| 1.12));
    let judgement = judge(&history(12), &[up(20), up(21), calm(22)], &Policy::default());
    assert_eq!(
        judgement.summary[&VerdictKind::Inconclusive],
        12,
        "nobody can tell: {:#?}",
        judgement.summary
    );
    assert!(judgement.verdicts.iter().all(|v| v.sweeps_candidate == 3));
}

#[test]
fn what_is_left_after_a_bad_boot_proves_no_absence_of_a_change() {
    let (calm, up) = (|i| suite(i, 12, |_| 1.0), |i| suite(i, 12, |_| 1.12));
    let judgement = judge(&history(12), &[calm(20), up(21), calm(22)], &Policy::default());
    assert_eq!(judgement.summary[&VerdictKind::Inconclusive], 12, "{:#?}", judgement.summary);
    let named = judgement.common.iter().any(|c| c.sweep.as_str() == "s21" && c.worse);
    assert!(named, "a sweep that was set aside is named: {:?}", judgement.common);
}

#[test]
fn a_block_of_fewer_cells_does_not_make_a_bad_boot_of_the_first_block() {
    let up = |i| suite(i, 40, |m| if m < 30 { 1.12 } else { 1.0 });
    let mut fewer = [up(23), up(24)];
    for sweep in &mut fewer {
        sweep.series.retain(|key, _| key.metric.metric.as_str() < "m12");
    }
    let [third, fourth] = fewer;
    let judgement = judge(&history(40), &[up(20), up(21), up(22), third, fourth], &Policy::default());
    assert_eq!(regressed(&judgement), 30, "{:#?}", judgement.summary);
    assert!(judgement.verdicts.iter().all(|v| !v.reason.contains("set aside")));
}

#[test]
fn a_rare_count_of_the_baseline_is_part_of_its_range() {
    let count = |i, v: f64| plain(i, Scale::Count, &[v; 3]);
    let baseline: Vec<_> = (0..9).map(|i| count(i, if i == 4 { 1.0 } else { 0.0 })).collect();
    let candidates: Vec<_> = (9..12).map(|i| count(i, 1.0)).collect();
    assert_eq!(kind(&baseline, &candidates).0, VerdictKind::Unchanged);
}

#[test]
fn what_the_first_sweep_did_not_measure_is_not_confirmed() {
    let candidates = [empty(9), one(10, &[1.5; 3]), one(11, &[1.5; 3])];
    assert_eq!(kind(&five(), &candidates).0, VerdictKind::Missing);
}

proptest! {
    #[test]
    fn a_crowd_neither_panics_nor_alarms_on_one_wild_sweep(wild in 0.5..2.0_f64, which in 1..3_usize, metrics in 4..20_usize) {
        let ids = [20, 21, 22];
        let mut candidates: Vec<_> = ids.iter().map(|i| suite(*i, metrics, |_| 1.0)).collect();
        candidates[which] = suite(ids[which], metrics, |_| wild);
        let judgement = judge(&history(metrics), &candidates, &Policy::default());
        prop_assert_eq!(regressed(&judgement), 0);
    }
}
