use super::*;
use crate::judge::fixtures;
use crate::model::{CellState, Scale};

/// Deterministic scatter of the sweep values, logs: about 0.5 % either way.
const SCATTER: [f64; 7] = [0.0, 0.005, -0.004, 0.002, -0.005, 0.004, -0.001];

fn key() -> SeriesKey {
    fixtures::key("mean", "docker")
}

/// Sweep `i` with the toll ln 1.10 + `toll` in all of three rounds.
fn sweep(i: usize, toll: f64) -> SweepSamples {
    fixtures::one(i64::try_from(i).expect("small"), &[1.10 * toll.exp(); 3])
}

/// `n` sweeps with the scatter and a rise.
fn history(n: usize, rise: impl Fn(usize) -> f64) -> Vec<SweepSamples> {
    (0..n).map(|i| sweep(i, SCATTER[i % SCATTER.len()] + rise(i))).collect()
}

fn found(history: &[SweepSamples]) -> Vec<Drift> {
    drifts(history, &Policy::default())
}

/// By hand: the last three (i = 47, 48, 49) rise by .096 and scatter by (.004 - .001 + 0) / 3, the first ten by .009 and
/// (.001 + 0 + .005 - .004) / 10.
#[test]
fn two_tenths_of_a_percent_a_sweep_are_found() {
    let drifts = found(&history(50, |i| 0.002 * i as f64));
    let [drift] = drifts.as_slice() else { panic!("{drifts:?}") };
    assert_eq!((drift.kind, drift.sweeps), (DriftKind::Anchor, 50));
    let expected = 0.096 + 0.001 - 0.009 - 0.0002;
    assert!((drift.change_pct - percent(expected)).abs() < 1e-6, "{}", drift.change_pct);
    assert!(drift.p < 1e-6 && !drift.since.is_empty() && drift.since.len() <= 3);
    insta::assert_snapshot!(drift.reason, @"rose from 11.0 to 21.2 % over 50 accepted sweeps (about 0.20 % a sweep), against a threshold of 5 %: the last 3 lie above the first 10; the largest steps begin with s19, s29, s40");
}

#[test]
fn what_scatters_does_not_drift_and_a_fall_is_no_drift() {
    assert_eq!(found(&history(50, |_| 0.0)), []);
    assert_eq!(found(&history(50, |i| -0.002 * i as f64)), []);
    assert_eq!(found(&[]), []);
}

#[test]
fn a_rise_below_the_threshold_is_none_however_certain() {
    assert_eq!(found(&history(50, |i| 0.0007 * i as f64)), []);
    assert_eq!(found(&history(50, |i| 0.0014 * i as f64)).len(), 1);
}

#[test]
fn a_step_is_located() {
    let drifts = found(&history(40, |i| if i >= 22 { 0.08 } else { 0.0 }));
    assert_eq!(drifts.len(), 1);
    assert_eq!(drifts[0].since, ["s22".parse().expect("id")]);
}

#[test]
fn the_anchor_needs_fourteen_sweeps() {
    let step = |i: usize| if i >= 10 { 0.2 } else { 0.0 };
    assert_eq!(found(&history(13, step)), []);
    let drifts = found(&history(14, step));
    assert_eq!(drifts.iter().map(|d| (d.kind, d.sweeps)).collect::<Vec<_>>(), [(DriftKind::Anchor, 14)]);
}

/// The anchor is drowned by two wild sweeps; the ranks are not.
#[test]
fn a_trend_shows_where_the_anchor_does_not() {
    let wild = |i: usize| if i == 2 || i == 5 { 0.6 } else { 0.0 };
    let drifts = found(&history(30, |i| 0.004 * i as f64 + wild(i)));
    assert_eq!(drifts.iter().map(|d| (d.kind, d.sweeps)).collect::<Vec<_>>(), [(DriftKind::Trend, 30)]);
    insta::assert_snapshot!(drifts[0].reason, @"rose from 10.0 to 23.5 % over 30 accepted sweeps (about 0.40 % a sweep), against a threshold of 5 %: the values rise steadily; the largest steps begin with s19, s26");
}

#[test]
fn one_bad_sweep_is_no_drift() {
    for at in 10..30 {
        assert_eq!(found(&history(30, |i| if i == at { 0.5 } else { 0.0 })), [], "{at}");
    }
    assert_eq!(found(&history(30, |i| if i >= 27 { 0.5 } else { 0.0 })), [], "three, the first look at them");
    assert_eq!(found(&history(31, |i| if i >= 27 { 0.5 } else { 0.0 })).len(), 1, "the second");
}

#[test]
fn sweeps_before_the_present_regime_do_not_count() {
    let mut sweeps = history(40, |i| if i >= 20 { 0.08 } else { 0.0 });
    assert_eq!(found(&sweeps).len(), 1);
    sweeps[20].regimes.insert(key());
    assert_eq!(found(&sweeps), []);
    // A regime of another series is none of this one.
    sweeps[20].regimes = [SeriesKey { environment: "kvm".parse().expect("name"), ..key() }].into();
    assert_eq!(found(&sweeps).len(), 1);
}

#[test]
fn sweeps_that_are_not_comparable_with_the_newest_do_not_count() {
    let mut sweeps = history(40, |i| if i >= 20 { 0.08 } else { 0.0 });
    for (i, sweep) in sweeps.iter_mut().enumerate() {
        sweep.comparability.bench_image = Some(if i < 20 { "old" } else { "new" }.to_owned());
    }
    assert_eq!(found(&sweeps), []);
}

#[test]
fn failed_sweeps_and_other_scales_say_nothing() {
    let mut sweeps = history(50, |i| 0.002 * i as f64);
    let cell = ("rr".to_owned(), "1b".to_owned(), key().environment);
    for sweep in &mut sweeps[20..24] {
        sweep.failed.insert(cell.clone(), (CellState::MeasurementFailed, "no disk".into()));
    }
    let drifts = found(&sweeps);
    assert_eq!(drifts.iter().map(|d| d.sweeps).collect::<Vec<_>>(), [46]);
    for sweep in &mut sweeps {
        sweep.metrics.values_mut().for_each(|info| info.scale = Scale::Count);
    }
    assert_eq!(found(&sweeps), []);
}

#[test]
fn the_order_of_the_history_does_not_matter() {
    let mut sweeps = history(50, |i| 0.002 * i as f64);
    let in_order = found(&sweeps);
    sweeps.reverse();
    assert_eq!(found(&sweeps), in_order);
}
