//! `judge --self-test` and `power` as programs: arguments, exit codes, the shape of their JSON, samples CSV and stored
//! sweeps from file to figure.

#[path = "common/openmetrics.rs"]
mod openmetrics;

use chrono::{DateTime, TimeDelta};
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use tempfile::TempDir;
use tollgate::model::format::SWEEP_FORMAT;
use tollgate::model::{
    AcceptedBy, Better, Cell, CellState, CellTrials, Family, Fingerprint, Power, Scale, SelfTest, Series,
    Sweep, Timing,
};
use tollgate::samples::{parse, write};
use tollgate::store;

const FIVE: &str = include_str!("fixtures/samples/baseline.csv");

/// A directory without settings, so that the built-in ones hold, and host class `lab`.
fn place() -> TempDir {
    let dir = tempfile::tempdir().expect("a directory");
    fs::write(dir.path().join("tollgate.toml"), "host_class = \"lab\"\n").expect("settings");
    dir
}

fn tollgate(dir: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tollgate"));
    command.current_dir(dir).args(args).env("COLUMNS", "100").env_remove("TOLLGATE_LOG");
    command.output().expect("it runs")
}

fn code(output: &Output) -> Option<i32> {
    output.status.code()
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("text")
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {output:?}"))
}

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().expect("an object").keys().map(String::as_str).collect()
}

/// Nine sweeps: the five of the fixture, and four of them a month later.
fn nine() -> String {
    let mut sweeps = parse(FIVE, "five.csv").expect("fixture");
    let mut later = sweeps[..4].to_vec();
    for sweep in &mut later {
        sweep.started_at += TimeDelta::days(30);
        sweep.sweep = format!("{}-later", sweep.sweep).parse().expect("id");
    }
    sweeps.extend(later);
    write(&sweeps)
}

/// A stored sweep of one case, 20 s of trials and 10 s of harness, whose toll is `toll`.
fn stored(day: u32, toll: f64) -> Sweep {
    let started_at = DateTime::UNIX_EPOCH + TimeDelta::days(i64::from(day));
    let series = |environment: &str, factor: f64| Series {
        workload: "xz".into(),
        case: "slice".into(),
        metric: "throughput".into(),
        unit: "MB/s".into(),
        better: Better::Higher,
        family: Family::Cpu,
        tail: false,
        resolution: None,
        scale: Scale::Ratio,
        environment: environment.parse().expect("name"),
        values: (0..10).map(|r| Some(factor * (1.0 + f64::from(r) / 500.0))).collect(),
    };
    let cell = |environment: &str| Cell {
        workload: "xz".into(),
        case: "slice".into(),
        environment: environment.parse().expect("name"),
        state: CellState::Ok,
        reason: None,
        trials: CellTrials { wall_ns: vec![Some(1_000_000_000); 10], ..CellTrials::default() },
        latencies: Vec::new(),
    };
    Sweep {
        format: SWEEP_FORMAT,
        sweep: format!("s{day}").parse().expect("id"),
        tollgate: "0.1.0".into(),
        host_class: "lab".parse().expect("class"),
        profile: "smoke".into(),
        parameters: "p".into(),
        bench_image: "i".into(),
        accelerator: None,
        seed: 1,
        rounds: 10,
        started_at,
        finished_at: started_at,
        resumed: 0,
        partial: false,
        fingerprint: Fingerprint::default(),
        timing: Timing { wall_s: 30.0, in_trials_s: 20.0, ..Timing::default() },
        accepted: Some(AcceptedBy {
            at: started_at,
            by: "gate".into(),
            reason: "x".into(),
            regimes: Vec::new(),
        }),
        proofs: Vec::new(),
        cells: vec![cell("native"), cell("docker")],
        series: vec![series("native", 100.0), series("docker", 100.0 / toll)],
    }
}

fn keep(dir: &Path, sweeps: impl IntoIterator<Item = Sweep>) {
    let class = dir.join("baselines/lab/smoke");
    fs::create_dir_all(&class).expect("a directory");
    for sweep in sweeps {
        let text = store::to_text(&sweep).expect("text");
        fs::write(class.join(format!("{}.json", sweep.sweep)), text).expect("written");
    }
}

#[test]
fn arguments_that_contradict_each_other_are_refused() {
    let dir = place();
    fs::write(dir.path().join("a.csv"), FIVE).expect("written");
    for (args, names) in [
        (&["judge", "--self-test", "s1"][..], "--self-test"),
        (&["judge", "--self-test", "--baseline", "a.csv", "--candidate", "a.csv"], "--candidate"),
        (&["judge", "--self-test", "--strict"], "--strict"),
        (&["judge", "--self-test", "--profile", "smoke", "--baseline", "a.csv"], "--profile"),
        (&["judge", "--profile", "smoke", "s1"], "--profile"),
        (&["judge", "--profile", "smoke"], "--self-test"),
        (&["judge", "--baseline", "a.csv"], "--candidate"),
        (&["judge"], "SWEEP"),
        (&["power", "--profile", "smoke", "--baseline", "a.csv"], "--baseline"),
        (&["power", "--rounds", "2"], "3..=1000"),
        (&["power", "--fresh", "0"], "1..=30"),
        (&["power", "--baseline", "absent.csv"], "absent.csv"),
        (&["judge", "--self-test", "--baseline", "absent.csv"], "absent.csv"),
    ] {
        let output = tollgate(dir.path(), args);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!((code(&output), said.contains(names)), (Some(2), true), "{args:?}: {said}");
    }
}

#[test]
fn help_has_an_example() {
    let dir = place();
    for (command, example) in [("judge", "tollgate judge --self-test"), ("power", "tollgate power --profile")]
    {
        assert!(out(&tollgate(dir.path(), &[command, "--help"])).contains(example), "{command}");
    }
}

#[test]
fn without_baselines_both_say_what_to_do() {
    let dir = place();
    for args in [&["judge", "--self-test"][..], &["power", "--format", "json"]] {
        let output = tollgate(dir.path(), args);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(
            (code(&output), said.contains("tollgate gate --profile smoke")),
            (Some(3), true),
            "{said}"
        );
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn the_self_test_of_nine_sweeps_has_all_rates() {
    let dir = place();
    fs::write(dir.path().join("nine.csv"), nine()).expect("written");
    let output =
        tollgate(dir.path(), &["judge", "--self-test", "--baseline", "nine.csv", "--format", "json"]);
    let found = json(&output);
    assert_eq!(code(&output), Some(0));
    assert_eq!(
        keys(&found),
        ["version", "host_class", "profile", "sweeps", "suites", "screened_suites", "families", "reason"]
    );
    assert_eq!(keys(&found["suites"]), ["alarms", "of", "rate_pct", "ci95_pct", "independent"]);
    assert_eq!(keys(&found["families"][0]), ["family", "metrics", "confirmed", "screened"]);
    assert_eq!((found["version"].as_u64(), found["sweeps"].as_u64()), (Some(1), Some(9)));
    assert_eq!(
        (found["suites"]["of"].as_u64(), found["screened_suites"]["of"].as_u64()),
        (Some(84), Some(9))
    );
    assert!(found["profile"].is_null() && found["reason"].is_null());
    let text = out(&tollgate(dir.path(), &["judge", "--self-test", "--baseline", "nine.csv"]));
    assert!(text.starts_with("Self-test: 0 false alarms in 84 suites of 3 sweeps"), "{text}");
    assert!(serde_json::from_value::<SelfTest>(found).is_ok());
}

#[test]
fn a_self_test_that_cannot_be_made_has_no_rate() {
    let dir = place();
    let three = write(&parse(FIVE, "five.csv").expect("fixture")[..3]);
    fs::write(dir.path().join("three.csv"), three).expect("written");
    let output =
        tollgate(dir.path(), &["judge", "--self-test", "--baseline", "three.csv", "--format", "json"]);
    let found = json(&output);
    assert_eq!(code(&output), Some(3));
    assert!(found["suites"].is_null() && found["screened_suites"].is_null());
    assert!(found["reason"].as_str().is_some_and(|r| r.contains("needs 1 more")), "{found}");
}

#[test]
fn the_power_of_a_csv_is_priced_in_rounds() {
    let dir = place();
    fs::write(dir.path().join("five.csv"), FIVE).expect("written");
    let args = ["power", "--baseline", "five.csv", "--format", "json"];
    let output = tollgate(dir.path(), &args);
    let found = json(&output);
    assert_eq!(code(&output), Some(0));
    assert_eq!(
        keys(&found),
        [
            "version",
            "host_class",
            "profile",
            "accelerator",
            "sweeps",
            "fresh_sweeps",
            "timed",
            "summary",
            "metrics",
            "reason"
        ]
    );
    let row = &found["metrics"][0];
    for name in
        ["workload", "environment", "sweeps", "rounds", "threshold_pct", "mde80_pct", "reaches", "reason"]
    {
        assert!(!row[name].is_null(), "{name}: {row}");
    }
    assert_eq!((found["timed"].as_bool(), row["plan_s"].is_null()), (Some(false), true));
    let now: Power = serde_json::from_value(found).expect("reads");
    let more = tollgate(dir.path(), &[&args[..], &["--rounds", "100", "--fresh", "4"]].concat());
    let more: Power = serde_json::from_value(json(&more)).expect("reads");
    let of = |power: &Power| {
        let mut rows: Vec<_> =
            power.metrics.iter().map(|m| (m.metric.clone(), m.environment.clone(), m.mde80_pct)).collect();
        rows.sort_by(|a, b| (&a.0, &a.1).cmp(&(&b.0, &b.1)));
        rows
    };
    assert!(of(&now).iter().zip(of(&more)).all(|(now, more)| more.2 < now.2), "more is seen with more");
}

/// Trials of 1 s in two environments: a round is 2 s, beginning a sweep 10 s.
#[test]
fn the_power_of_stored_sweeps_has_times() {
    let dir = place();
    keep(dir.path(), (0..4).map(|day| stored(day, 1.1 + f64::from(day) / 1000.0)));
    let output = tollgate(dir.path(), &["power", "--format", "json"]);
    let found: Power = serde_json::from_value(json(&output)).expect("reads");
    assert_eq!((code(&output), found.timed, found.sweeps), (Some(0), true, 4));
    let (row, common) = (&found.metrics[0], found.summary.common.as_ref().expect("a plan"));
    let plan = row.plan.expect("a plan");
    let seconds =
        f64::from(plan.baseline_sweeps - 4 + plan.fresh_sweeps) * (10.0 + 2.0 * f64::from(plan.rounds));
    assert!(row.plan_s.is_some_and(|s| (s - seconds).abs() < 1e-9), "{row:?}");
    let sweep = 10.0 + 2.0 * f64::from(common.effort.rounds);
    assert!(common.sweep_s.is_some_and(|s| (s - sweep).abs() < 1e-9));
    assert!(common.gate_s.is_some_and(|s| (s - 3.0 * sweep).abs() < 1e-9));
}

#[test]
fn a_report_of_a_stored_sweep_has_the_self_test_of_its_baselines() {
    let dir = place();
    keep(dir.path(), (0..7).map(|day| stored(day, 1.1 + f64::from(day % 2) / 1000.0)));
    let output = tollgate(dir.path(), &["--state", "state", "report", "s6", "--format", "json"]);
    let found = json(&output);
    assert_eq!((code(&output), found["self_test"]["sweeps"].as_u64()), (Some(0), Some(6)));
    assert_eq!(found["self_test"]["suites"]["of"].as_u64(), Some(20));
}

#[test]
fn with_too_few_sweeps_the_power_says_how_many_are_needed() {
    let dir = place();
    keep(dir.path(), [stored(0, 1.1)]);
    let output = tollgate(dir.path(), &["power"]);
    assert_eq!(code(&output), Some(0));
    assert!(out(&output).contains("needs 2 more accepted sweeps"), "{}", out(&output));
}

#[test]
fn the_table_has_a_history_and_colours_where_they_are_wanted() {
    let dir = place();
    fs::write(dir.path().join("five.csv"), FIVE).expect("written");
    let mut later = parse(FIVE, "five.csv").expect("fixture").split_off(4);
    for sweep in &mut later {
        sweep.started_at += TimeDelta::days(30);
        sweep.sweep = "later".parse().expect("id");
        for (key, rounds) in &mut sweep.series {
            let worse = if key.environment.is_native() { 1.0 } else { 1.5 };
            let factor = sweep.metrics[&key.metric].better.sign() * f64::ln(worse);
            for value in rounds.values_mut() {
                *value *= factor.exp();
            }
        }
    }
    fs::write(dir.path().join("later.csv"), write(&later)).expect("written");
    let judge = |set: &[(&str, &str)]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tollgate"));
        command.args(["judge", "--baseline", "five.csv", "--candidate", "later.csv"]);
        for name in ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "TOLLGATE_LOG"] {
            command.env_remove(name);
        }
        command.envs(set.iter().copied()).env("COLUMNS", "80").current_dir(dir.path());
        out(&command.output().expect("it runs"))
    };
    let plain = judge(&[]);
    // Five sweeps and the later one, which is worse.
    assert!(plain.contains("▁▁▁▁▁█"), "{plain}");
    assert!(plain.lines().all(|l| l.chars().count() <= 80), "{plain}");
    assert!(!plain.contains('\u{1b}'), "a pipe has no colours");
    let forced = judge(&[("CLICOLOR_FORCE", "1")]);
    assert!(forced.contains("\u{1b}["), "{forced}");
    assert_eq!(judge(&[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")]), plain);
    assert_eq!(judge(&[("CLICOLOR_FORCE", "0")]), plain);
}

#[test]
fn two_files_are_one_csv_and_the_state_of_the_newest_sweep() {
    let dir = place();
    let later = include_str!("fixtures/samples/candidate.csv");
    fs::write(dir.path().join("five.csv"), FIVE).expect("written");
    fs::write(dir.path().join("later.csv"), later).expect("written");
    let report = |candidate: &str, format: &str| {
        let files = ["report", "--baseline", "five.csv", "--candidate", candidate];
        tollgate(dir.path(), &[&files[..], &["--format", format]].concat())
    };
    let csv = report("later.csv", "csv");
    assert_eq!(code(&csv), Some(0), "{csv:?}");
    let both: Vec<_> =
        [FIVE, later].into_iter().flat_map(|text| parse(text, "fixture").expect("reads")).collect();
    assert_eq!(parse(&out(&csv), "both.csv").expect("reads"), both);

    let twice = report("five.csv", "csv");
    let said = String::from_utf8_lossy(&twice.stderr).into_owned();
    assert_eq!(code(&twice), Some(2));
    assert!(said.contains("is in both files") && said.contains("take it out of one of them"), "{said}");

    fs::write(dir.path().join("other.csv"), later.replace(",1/s,", ",1/min,")).expect("written");
    let other = report("other.csv", "csv");
    let said = String::from_utf8_lossy(&other.stderr).into_owned();
    assert!(code(&other) == Some(2) && said.contains("is in 1/s, higher is better in one file"), "{said}");

    let metrics = report("later.csv", "openmetrics");
    assert_eq!(code(&metrics), Some(0), "{metrics:?}");
    let families = openmetrics::parse(&out(&metrics)).expect("strict");
    assert!(families["tollgate_toll_ratio"].samples.len() > 1, "{families:?}");
    let (_, began) = families["tollgate_sweep_start_timestamp_seconds"].samples[0];
    assert!((began - 1_794_279_600.0).abs() < 1.0, "{began}");
}
