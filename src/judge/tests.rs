use super::fixtures::{empty, env, five, one, values as add};
use super::*;
use crate::model::{
    Attribution, Better, CellState, Decision, MetricInfo, MetricKey, Scale, SeriesKey, VerdictKind,
};
use proptest::prelude::*;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeMap;

mod rule;

fn only(judgement: &Judgement) -> &Verdict {
    assert_eq!(judgement.verdicts.len(), 1, "{judgement:#?}");
    &judgement.verdicts[0]
}

fn kind(baseline: &[SweepSamples], candidates: &[SweepSamples]) -> (VerdictKind, String) {
    let judgement = judge(baseline, candidates, &Policy::default());
    let verdict = only(&judgement);
    (verdict.verdict, verdict.reason.clone())
}

fn near(a: Option<f64>, b: f64) -> bool {
    a.is_some_and(|a| (a - b).abs() < 1e-3)
}

/// By hand: D = .1, k = 1, n = 5, SE = sqrt(.00025 * 1.2) = .01732051, t = 5.773503, df = 4.
/// t_.975,4 = 2.776445; t_.99,4 = 3.746947; t_.80,4 = .940965.
#[test]
fn one_candidate_sweep_by_hand() {
    let judgement = judge(&five(), &[one(9, &[1.10 * 0.1_f64.exp(); 3])], &Policy::default());
    let v = only(&judgement);
    assert_eq!((v.verdict, judgement.decision), (VerdictKind::Suspected, Decision::Inconclusive));
    assert!(near(v.toll_before_pct, 10.0) && near(v.change_pct, 10.517_09));
    let [low, high] = v.ci95_pct.expect("interval");
    assert!(near(Some(low), 100.0 * (0.1 - 2.776_445 * 0.017_320_51_f64).exp_m1()), "{low}");
    assert!(near(Some(high), 100.0 * (0.1 + 2.776_445 * 0.017_320_51_f64).exp_m1()), "{high}");
    assert!(near(v.mde80_pct, 100.0 * (4.687_912 * 0.017_320_51_f64).exp_m1()));
    // P(T_4 > 5.773503) = .5 - s (1 + c²/2) / 2 with s = sin(atan(t/2)) = .944911, c² = .107143.
    assert!((v.p.expect("p") - 0.002_233).abs() < 1e-5, "{:?}", v.p);
    assert_eq!((v.q, v.attribution), (None, Some(Attribution::EnvironmentSlower)));
    assert_eq!((v.native, v.sweeps_baseline, v.sweeps_candidate), (Some(100.0), 5, 1));
    insta::assert_snapshot!(v.reason, @"rose from 10.0 to 21.6 % (+10.5 %, 95 % 5.3 to 16.0 %) against a threshold of 5 %; needs fresh sweeps to confirm; the environment itself became slower");
}

/// D comes from the fresh sweeps alone: k = 2, SE = sqrt(.00025 * .7).
#[test]
fn fresh_sweeps_confirm_and_the_first_only_screens() {
    let rise = |i: i64, d: f64| one(i, &[1.10 * d.exp(); 3]);
    let judgement = judge(&five(), &[rise(9, 0.3), rise(10, 0.09), rise(11, 0.11)], &Policy::default());
    let v = only(&judgement);
    assert_eq!((v.verdict, judgement.decision), (VerdictKind::Regressed, Decision::Regressed));
    assert!(near(v.change_pct, 10.517_09) && v.q == v.p && v.sweeps_candidate == 3);
    insta::assert_snapshot!(v.reason, @"rose from 10.0 to 21.6 % (+10.5 %, 95 % 6.5 to 14.7 %) against a threshold of 5 %, confirmed by 2 fresh sweeps; the environment itself became slower");
    let (kind, reason) = kind(&five(), &[rise(9, 0.3), rise(10, 0.03), rise(11, 0.04)]);
    assert_eq!(kind, VerdictKind::Inconclusive);
    insta::assert_snapshot!(reason, @"the rise of the first sweep is not confirmed by the fresh ones: rose from 10.0 to 13.9 % (+3.6 %, 95 % -0.2 to 7.4 %) against a threshold of 5 %; a rise of 6.4 % would have been found four times in five; to see 5 %: 3 more accepted sweeps (more rounds do not help)");
}

#[test]
fn an_improvement_is_the_mirror_image() {
    let fall: Vec<_> = (9..12).map(|i| one(i, &[1.10 * (-0.1_f64).exp(); 3])).collect();
    let judgement = judge(&five(), &fall, &Policy::default());
    let v = only(&judgement);
    assert_eq!((v.verdict, judgement.decision), (VerdictKind::Improved, Decision::Pass));
    assert_eq!(v.attribution, Some(Attribution::EnvironmentFaster));
    let (kind, reason) = kind(&five(), &fall[..1]);
    assert_eq!(kind, VerdictKind::Inconclusive);
    insta::assert_snapshot!(reason, @"an improvement that needs fresh sweeps to confirm: fell from 10.0 to -0.5 % (-9.5 %, 95 % -13.8 to -5.1 %) against a threshold of 5 %; a rise of 8.5 % would have been found four times in five; to see 5 %: 3 more accepted sweeps (more rounds do not help)");
}

#[test]
fn unchanged_is_proven() {
    let tight: Vec<_> = (0..5).map(|i| one(i, &[1.10 * (i as f64 / 500.0).exp(); 3])).collect();
    let (verdict, reason) = kind(&tight, &[one(9, &[1.105; 3])]);
    assert_eq!(verdict, VerdictKind::Unchanged);
    insta::assert_snapshot!(reason, @"a rise of 5 % or more is excluded: from 10.4 to 10.5 % (+0.1 %, 95 % -0.9 to 1.0 %)");
    let (verdict, reason) = kind(&five(), &[one(9, &[1.13; 3])]);
    assert_eq!(verdict, VerdictKind::Inconclusive);
    insta::assert_snapshot!(reason, @"neither a change nor its absence could be shown: rose from 10.0 to 13.0 % (+2.7 %, 95 % -2.1 to 7.8 %) against a threshold of 5 %; a rise of 8.5 % would have been found four times in five; to see 5 %: 3 more accepted sweeps (more rounds do not help)");
}

#[test]
fn zero_variance_compares_with_the_floor() {
    let same: Vec<_> = (0..4).map(|i| one(i, &[1.1; 5])).collect();
    assert_eq!(kind(&same, &[one(9, &[1.1; 5])]).0, VerdictKind::Unchanged);
    let risen: Vec<_> = (9..12).map(|i| one(i, &[1.2; 5])).collect();
    assert_eq!(kind(&same, &risen).0, VerdictKind::Regressed);
}

#[test]
fn without_baseline_the_sweep_is_recorded() {
    let judgement = judge(&[], &[one(9, &[1.1; 5])], &Policy::default());
    assert_eq!((only(&judgement).verdict, judgement.decision), (VerdictKind::NoBaseline, Decision::Pass));
    insta::assert_snapshot!(only(&judgement).reason, @"there is no accepted sweep yet; this one is recorded");
    assert_eq!(judgement.summary.len(), 8);
}

#[test]
fn one_or_two_baseline_sweeps_give_no_p_value() {
    let two = &five()[..2];
    let v = |ratio: f64| kind(two, &[one(9, &[1.10 * ratio, 1.11 * ratio])]);
    assert_eq!(v(1.3).0, VerdictKind::Suspected);
    insta::assert_snapshot!(v(1.3).1, @"rose from 8.4 to 43.6 % (+32.6 %), every round above every round of the baseline; with 2 baseline sweeps there is no p-value; a verdict needs 3, 1 more");
    // Below three thresholds of 5 %.
    assert_eq!(v(1.12).0, VerdictKind::Inconclusive);
    insta::assert_snapshot!(v(1.12).1, @"rose from 8.4 to 23.8 % (+14.2 %); with 2 baseline sweeps there is no p-value; a verdict needs 3, 1 more");
    // One round overlaps.
    assert_eq!(kind(two, &[one(9, &[1.05, 1.5, 1.5])]).0, VerdictKind::Inconclusive);
    // A fresh sweep disagrees, both agree.
    let high = |i| one(i, &[1.5; 2]);
    assert_eq!(kind(two, &[high(9), high(10), one(11, &[1.1; 2])]).0, VerdictKind::Inconclusive);
    assert_eq!(kind(two, &[high(9), high(10), high(11)]).0, VerdictKind::Suspected);
}

#[test]
fn failed_rounds_are_never_unchanged() {
    let mut bad = vec![1.1; 10];
    (bad[0], bad[1]) = (f64::NAN, -0.5);
    assert_eq!(kind(&five(), &[one(9, &bad)]).0, VerdictKind::Unchanged);
    bad[2] = 0.0;
    let (verdict, reason) = kind(&five(), &[one(9, &bad)]);
    assert_eq!(verdict, VerdictKind::MeasurementFailed);
    insta::assert_snapshot!(reason, @"3 of 10 rounds failed (no number above zero in docker or native)");
    let judgement = judge(&five(), &[one(9, &[f64::INFINITY; 3])], &Policy::default());
    assert_eq!(judgement.decision, Decision::NotMeasured);
    // A failure in a fresh sweep leaves no good verdict.
    assert_eq!(kind(&five(), &[one(9, &[1.1; 3]), one(10, &bad)]).0, VerdictKind::MeasurementFailed);
}

#[test]
fn without_native_there_is_no_toll() {
    let mut sweep = one(9, &[1.1; 3]);
    sweep.series.retain(|key, _| !key.environment.is_native());
    let (verdict, reason) = kind(&five(), &[sweep]);
    assert_eq!(verdict, VerdictKind::MeasurementFailed);
    insta::assert_snapshot!(reason, @"there are no native samples, which are the reference of the toll");
}

#[test]
fn failed_and_unavailable_cells() {
    let cell = |state, why: &str| {
        let mut sweep = one(9, &[1.1; 3]);
        sweep.series.retain(|key, _| key.environment.is_native());
        sweep.failed.insert(("rr".into(), "1b".into(), env("docker")), (state, why.into()));
        sweep
    };
    let failed = cell(CellState::MeasurementFailed, "the proof of its label failed");
    assert_eq!(
        kind(&five(), std::slice::from_ref(&failed)),
        (VerdictKind::MeasurementFailed, "the proof of its label failed".into())
    );
    assert_eq!(kind(&[], &[failed]).0, VerdictKind::MeasurementFailed);
    let unavailable = cell(CellState::Unavailable, "dockerd does not run");
    let (verdict, reason) = kind(&five(), std::slice::from_ref(&unavailable));
    assert_eq!(verdict, VerdictKind::Missing);
    insta::assert_snapshot!(reason, @"in the baseline, but not in the candidate: dockerd does not run");
    assert!(judge(&[], &[unavailable], &Policy::default()).verdicts.is_empty());
}

#[test]
fn metrics_that_vanish_or_appear() {
    let mut gone = empty(9);
    add(&mut gone, "new", "native", Better::Lower, &[1.0; 3]);
    add(&mut gone, "new", "docker", Better::Lower, &[1.2; 3]);
    let judgement = judge(&five(), &[gone], &Policy::default());
    let kinds: Vec<_> = judgement.verdicts.iter().map(|v| (v.metric.as_str(), v.verdict)).collect();
    assert_eq!(kinds, [("mean", VerdictKind::Missing), ("new", VerdictKind::NoBaseline)]);
    insta::assert_snapshot!(judgement.verdicts[1].reason, @"a new metric: no accepted sweep has it; this one is recorded");
}

#[test]
fn incomparable_sweeps_are_dropped_one_by_one() {
    let mut baseline = five();
    baseline[4].host_class = "prod".parse().expect("class");
    baseline[3].comparability.bench_image = Some("sha256:aaa".into());
    let mut now = one(9, &[1.1; 3]);
    now.comparability.bench_image = Some("sha256:bbb".into());
    let judgement = judge(&baseline, &[now.clone()], &Policy::default());
    assert_eq!(only(&judgement).sweeps_baseline, 3);
    let (verdict, reason) = kind(&baseline[3..], &[now]);
    assert_eq!(verdict, VerdictKind::NoBaseline);
    insta::assert_snapshot!(reason, @"none of the 2 accepted sweeps is comparable: the host class was prod and is lab");
}

#[test]
fn the_accelerator_matters_to_virtual_machines_only() {
    let with = |i, accelerator: &str| {
        let mut sweep = one(i, &[1.1; 3]);
        add(&mut sweep, "mean", "kvm", Better::Lower, &[130.0; 3]);
        sweep.comparability.accelerator = Some(accelerator.into());
        sweep
    };
    let baseline: Vec<_> = (0..4).map(|i| with(i, "kvm")).collect();
    let judgement = judge(&baseline, &[with(9, "tcg")], &Policy::default());
    let kinds: Vec<_> = judgement.verdicts.iter().map(|v| (v.environment.to_string(), v.verdict)).collect();
    assert_eq!(kinds, [("kvm".into(), VerdictKind::NoBaseline), ("docker".into(), VerdictKind::Unchanged)]);
}

#[test]
fn another_unit_is_another_metric() {
    let mut now = one(9, &[1.1; 3]);
    now.metrics.values_mut().for_each(|m| m.unit = "ms".into());
    let (verdict, reason) = kind(&five(), &[now]);
    assert_eq!(verdict, VerdictKind::NoBaseline);
    insta::assert_snapshot!(reason, @r#"none of the 5 accepted sweeps is comparable: the unit was "us" and is "ms""#);
}

#[test]
fn an_outlying_baseline_sweep_is_set_aside_and_named() {
    let mut baseline: Vec<_> = (0..9).map(|i| one(i, &[1.10 * ((i % 3) as f64 / 200.0).exp(); 3])).collect();
    baseline.push(one(9, &[2.0; 3]));
    let (verdict, reason) = kind(&baseline, &[one(20, &[1.105; 3])]);
    assert_eq!(verdict, VerdictKind::Unchanged);
    insta::assert_snapshot!(reason, @"a rise of 5 % or more is excluded: from 10.6 to 10.5 % (0.0 %, 95 % -1.1 to 1.0 %); 1 outlying baseline sweep set aside (s9)");
}

#[test]
fn only_the_newest_sweeps_count() {
    let policy = Policy { max_baseline_sweeps: 4, ..Policy::default() };
    let judgement = judge(&five(), &[one(9, &[1.1; 3])], &policy);
    assert_eq!(only(&judgement).sweeps_baseline, 4);
}

#[test]
fn a_change_of_native_alone_is_no_regression() {
    let faster = |i| {
        let mut sweep = one(i, &[1.1; 3]);
        add(&mut sweep, "mean", "native", Better::Lower, &[80.0; 3]);
        sweep
    };
    let tight: Vec<_> = (0..5).map(|i| one(i, &[1.10 * (i as f64 / 500.0).exp(); 3])).collect();
    let judgement = judge(&tight, &[faster(9), faster(10), faster(11)], &Policy::default());
    let v = only(&judgement);
    assert_eq!((v.verdict, v.attribution), (VerdictKind::Unchanged, Some(Attribution::NativeFaster)));
    insta::assert_snapshot!(v.reason, @"rose from 10.4 to 37.5 % (+24.5 %, 95 % 23.6 to 25.4 %) only because native became faster; docker itself shows no change, so this is no regression of it");
}

#[test]
fn verdicts_come_worst_first_then_by_name() {
    let suite = |i, rise: f64| {
        let mut sweep = empty(i);
        for (metric, factor) in [("a", 1.0), ("b", rise), ("c", 1.0), ("d", rise)] {
            add(&mut sweep, metric, "native", Better::Lower, &[100.0; 3]);
            add(&mut sweep, metric, "kvm", Better::Lower, &[120.0; 3]);
            add(&mut sweep, metric, "docker+nat", Better::Lower, &[110.0 * factor; 3]);
        }
        sweep
    };
    let baseline: Vec<_> = (0..4).map(|i| suite(i, 1.0)).collect();
    let judgement = judge(&baseline, &[suite(5, 1.2), suite(6, 1.2), suite(7, 1.2)], &Policy::default());
    let names: Vec<_> =
        judgement.verdicts.iter().map(|v| format!("{}@{}", v.metric, v.environment)).collect();
    assert_eq!(names[..4], ["b@docker+nat", "d@docker+nat", "a@docker+nat", "a@kvm"]);
    assert_eq!(judgement.summary[&VerdictKind::Regressed], 2);
}

/// Normal with mean 0 and standard deviation `sd`.
fn normal(rng: &mut ChaCha8Rng, sd: f64) -> f64 {
    let (u, v): (f64, f64) = (rng.random_range(1e-12..1.0), rng.random());
    sd * (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()
}

/// A sweep of 60 metrics and 8 rounds, `sigma_w` 2 %, `sigma_b` 1 %; the first `risen` are worse by `rise`.
fn simulated(rng: &mut ChaCha8Rng, i: i64, risen: usize, rise: f64) -> SweepSamples {
    let mut sweep = empty(i);
    for m in 0..60 {
        let metric = format!("m{m:02}");
        let better = if m % 2 == 0 { Better::Lower } else { Better::Higher };
        let between = normal(rng, 0.01) + if m < risen { (1.0 + rise).ln() } else { 0.0 };
        let host = normal(rng, 0.03);
        let native: Vec<f64> = (0..8).map(|_| 500.0 * (host + normal(rng, 0.014)).exp()).collect();
        let docker: Vec<f64> = (0..8)
            .map(|_| 500.0 * (host + better.sign() * (0.1 + between) + normal(rng, 0.014)).exp())
            .collect();
        add(&mut sweep, &metric, "native", better, &native);
        add(&mut sweep, &metric, "docker", better, &docker);
    }
    sweep
}

#[test]
fn a_simulated_suite_without_change_raises_nothing() {
    let mut alarms = 0;
    for seed in 0..20 {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let baseline: Vec<_> = (0..10).map(|i| simulated(&mut rng, i, 0, 0.0)).collect();
        let candidates: Vec<_> = (20..23).map(|i| simulated(&mut rng, i, 0, 0.0)).collect();
        alarms += judge(&baseline, &candidates, &Policy::default()).summary[&VerdictKind::Regressed];
    }
    assert_eq!(alarms, 0);
}

#[test]
fn a_simulated_rise_of_ten_percent_is_found() {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let baseline: Vec<_> = (0..10).map(|i| simulated(&mut rng, i, 0, 0.0)).collect();
    let candidates: Vec<_> = (20..23).map(|i| simulated(&mut rng, i, 10, 0.10)).collect();
    let judgement = judge(&baseline, &candidates, &Policy::default());
    let found: Vec<_> = judgement.verdicts.iter().filter(|v| v.verdict == VerdictKind::Regressed).collect();
    assert_eq!(found.len(), 10, "{:#?}", judgement.summary);
    assert!(found.iter().all(|v| v.metric.as_str() < "m10"));
}

/// Ratios of baseline and candidate sweeps of one metric: some noise, some with a step.
fn any_history() -> impl Strategy<Value = (Vec<Vec<f64>>, Vec<Vec<f64>>)> {
    let rounds = |low: f64, high: f64| prop::collection::vec(low..high, 3..6);
    let baseline = prop::collection::vec(rounds(1.05, 1.15), 0..7);
    let step = prop::sample::select(vec![0.8, 1.0, 1.03, 1.2, 1.5]);
    let candidates = (step, prop::collection::vec(rounds(1.05, 1.15), 1..4));
    (baseline, candidates.prop_map(|(s, c)| c.iter().map(|r| r.iter().map(|x| x * s).collect()).collect()))
}

fn sweeps(history: &[Vec<f64>], from: i64) -> Vec<SweepSamples> {
    (from..).zip(history).map(|(i, ratios)| one(i, ratios)).collect()
}

/// Every value replaced.
fn mapped(sweeps: &[SweepSamples], map: impl Fn(f64) -> f64) -> Vec<SweepSamples> {
    let mut sweeps = sweeps.to_vec();
    let values = sweeps.iter_mut().flat_map(|s| s.series.values_mut()).flat_map(|r| r.values_mut());
    values.for_each(|v| *v = map(*v));
    sweeps
}

fn flipped(mut sweeps: Vec<SweepSamples>) -> Vec<SweepSamples> {
    sweeps.iter_mut().flat_map(|s| s.metrics.values_mut()).for_each(|m| m.better = Better::Higher);
    sweeps
}

proptest! {
    #[test]
    fn scaling_everything_changes_nothing((b, c) in any_history(), scale in 1e-6..1e6_f64) {
        let (b, c) = (sweeps(&b, 0), sweeps(&c, 50));
        let scaled = kind(&mapped(&b, |v| v * scale), &mapped(&c, |v| v * scale));
        prop_assert_eq!(kind(&b, &c), scaled);
    }

    #[test]
    fn rates_and_times_are_judged_alike((b, c) in any_history()) {
        let (b, c) = (sweeps(&b, 0), sweeps(&c, 50));
        let rates = |s: &[SweepSamples]| flipped(mapped(s, |v| 1.0 / v));
        prop_assert_eq!(kind(&b, &c), kind(&rates(&b), &rates(&c)));
    }

    #[test]
    fn the_other_direction_mirrors((b, c) in any_history()) {
        let (b, c) = (sweeps(&b, 0), sweeps(&c, 50));
        let (now, mirror) = (kind(&b, &c).0, kind(&flipped(b), &flipped(c)).0);
        prop_assert_eq!(now == VerdictKind::Regressed, mirror == VerdictKind::Improved);
        prop_assert_eq!(now == VerdictKind::Improved, mirror == VerdictKind::Regressed);
    }

    #[test]
    fn the_order_of_sweeps_is_free((b, c) in any_history()) {
        let (b, c) = (sweeps(&b, 0), sweeps(&c, 50));
        let reversed = |s: &[SweepSamples]| s.iter().rev().cloned().collect::<Vec<_>>();
        let policy = Policy::default();
        prop_assert_eq!(judge(&b, &c, &policy), judge(&reversed(&b), &reversed(&c), &policy));
    }

    #[test]
    fn a_healthy_neighbour_turns_nothing_into_a_regression((b, c) in any_history(), n in 1..8_usize) {
        let (b, c) = (sweeps(&b, 0), sweeps(&c, 50));
        let with = |sweeps: &[SweepSamples]| {
            let mut sweeps = sweeps.to_vec();
            for sweep in &mut sweeps {
                for i in 0..n {
                    let metric = format!("healthy{i}");
                    add(sweep, &metric, "native", Better::Lower, &[1.0; 3]);
                    add(sweep, &metric, "docker", Better::Lower, &[1.1; 3]);
                }
            }
            sweeps
        };
        let alone = kind(&b, &c).0;
        let together = judge(&with(&b), &with(&c), &Policy::default());
        let regressed = together.verdicts.iter().any(|v| v.verdict == VerdictKind::Regressed);
        prop_assert!(!regressed || alone == VerdictKind::Regressed);
    }

    #[test]
    fn no_csv_makes_it_panic(rows in prop::collection::vec((0..4_u8, 1..4_u32, 0..3_u8, any::<f64>(), any::<bool>()), 1..60)) {
        let mut sweeps: BTreeMap<u8, SweepSamples> = BTreeMap::new();
        for (s, round, e, value, odd) in rows {
            let sweep = sweeps.entry(s).or_insert_with(|| empty(i64::from(s)));
            let environment = ["native", "docker", "kvm"][usize::from(e)];
            let metric = MetricKey::new("rr", "1b", if odd { "mean" } else { "p99" });
            let info = MetricInfo { unit: "us".into(), better: Better::Lower, family: Family::Network, tail: false, resolution: None, scale: Scale::Ratio };
            sweep.metrics.insert(metric.clone(), info);
            sweep.series.entry(SeriesKey { metric, environment: env(environment) }).or_default().insert(round, value);
        }
        let mut sweeps: Vec<_> = sweeps.into_values().collect();
        let last = sweeps.pop().expect("at least one");
        let judgement = judge(&sweeps, &[last.clone(), last], &Policy::default());
        let json = serde_json::to_string(&judgement).expect("json");
        prop_assert!(serde_json::from_str::<Judgement>(&json).is_ok(), "{json}");
    }
}
