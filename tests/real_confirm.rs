//! The confirm loop by the real program with a real engine: baselines in which Docker was faster make the host
//! look slower than it was.

mod common;

use common::bed::{Bed, text};
use serde_json::{Value, json};
use std::fs;
use std::process::Command;
use tokio_util::sync::CancellationToken;
use tollgate::config::Config;
use tollgate::model::CellState;
use tollgate::pipeline::sweep::{Request, sweep};
use tollgate::sweep::Silent;
use tollgate::workload::Profile;

const XZ: [&str; 6] = ["--only", "xz", "--environments", "docker", "--rounds", "5"];

fn gate<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&["gate", "--always", "--format=json"], &XZ[..], more].concat()
}

/// Measures once and stores it five times as a baseline, with values in Docker that are `factor` better than native
/// in every round, give or take a little from sweep to sweep.
fn baselines(bed: &Bed, factor: f64) {
    let swept = bed.run(&[&["sweep", "--format=json"], &XZ[..]].concat());
    assert!(swept.status.success(), "{}", text(&swept.stderr));
    let measured = sweeps(bed).remove(0);
    let class = measured["host_class"].as_str().expect("a name");
    let dir = bed.state.path().join("baselines").join(class).join("smoke");
    fs::create_dir_all(&dir).expect("made");
    for n in 1..=5_u32 {
        let mut sweep = measured.clone();
        let id = format!("2026010{n}T000000Z-00000{n}");
        sweep["sweep"] = json!(id);
        sweep["started_at"] = json!(format!("2026-01-0{n}T00:00:00Z"));
        sweep["accepted"] =
            json!({ "at": "2026-01-09T00:00:00Z", "by": "a test", "reason": "to compare with" });
        let better = factor * (1.0 + f64::from(n) / 1000.0);
        let series = measured["series"].as_array().expect("series");
        for (i, s) in series.iter().enumerate().filter(|(_, s)| s["environment"] == "docker") {
            let same = |o: &&Value| o["environment"] == "native" && o["metric"] == s["metric"];
            let native = series.iter().find(same).expect("native")["values"].as_array().expect("values");
            let factor = if s["better"] == "higher" { better } else { 1.0 / better };
            let values = native.iter().map(|v| json!(v.as_f64().expect("a number") * factor)).collect();
            sweep["series"][i]["values"] = Value::Array(values);
        }
        fs::write(dir.join(format!("{id}.json")), sweep.to_string()).expect("written");
    }
}

/// The measured sweeps, oldest first.
fn sweeps(bed: &Bed) -> Vec<Value> {
    let entries = fs::read_dir(bed.state.path().join("sweeps")).expect("sweeps").flatten();
    let mut paths: Vec<_> = entries.map(|e| e.path()).collect();
    paths.sort();
    paths.iter().map(|p| serde_json::from_slice(&fs::read(p).expect("read")).expect("JSON")).collect()
}

fn kinds(result: &Value) -> Vec<&str> {
    let verdicts = result["verdicts"].as_array().expect("verdicts");
    verdicts.iter().map(|v| v["verdict"].as_str().expect("a word")).collect()
}

#[tokio::test]
async fn a_gate_confirms_by_itself_and_a_person_can_accept_what_it_found() {
    if !common::real(common::not_everything()) {
        return;
    }
    let _alone = common::alone().await;
    let bed = Bed::new();
    baselines(&bed, 1.5);

    let suspected = bed.run(&gate(&["--budget", "0"]));
    assert_eq!(suspected.status.code(), Some(0), "{}", text(&suspected.stderr));
    let result: Value = serde_json::from_slice(&suspected.stdout).expect("JSON");
    assert_eq!((result["decision"].as_str(), kinds(&result)), (Some("inconclusive"), vec!["suspected"; 2]));
    assert_eq!(result["confirmation"]["sweeps"], json!([]));
    assert_eq!(sweeps(&bed).len(), 2);

    let confirmed = bed.run(&gate(&["--budget", "10m"]));
    assert_eq!(confirmed.status.code(), Some(1), "{}", text(&confirmed.stderr));
    let result: Value = serde_json::from_slice(&confirmed.stdout).expect("JSON");
    assert_eq!((result["decision"].as_str(), kinds(&result)), (Some("regressed"), vec!["regressed"; 2]));
    let fresh = result["confirmation"]["sweeps"].as_array().expect("sweeps");
    assert_eq!(fresh.len(), 2, "{}", result["confirmation"]);
    assert!(fresh.iter().all(|s| s["cells"] == 1 && s["whole"] == false));
    let account = result["confirmation"]["account"].as_str().expect("an account");
    assert!(account.contains("2 fresh sweeps of 1 open cell "), "{account}");
    assert!(result["baseline"].as_str().is_some_and(|b| b.starts_with("not accepted")));
    let all = sweeps(&bed);
    assert_eq!(
        all.iter().map(|s| s["partial"] == true).collect::<Vec<_>>(),
        [false, false, false, true, true]
    );
    assert!(all.iter().all(|s| s["series"][0]["values"].as_array().is_some_and(|v| v.len() == 5)));

    let ids: Vec<&str> = all[2..].iter().map(|s| s["sweep"].as_str().expect("an id")).collect();
    let accepted = bed.run(&[&["baseline", "accept"], &ids[..]].concat());
    assert!(accepted.status.success(), "{}", text(&accepted.stderr));
    assert!(text(&accepted.stdout).contains("new regime for 2 metrics"), "{}", text(&accepted.stdout));
    let listed = text(&bed.run(&["baseline", "list"]).stdout);
    assert_eq!(listed.matches("(part)").count(), 2, "{listed}");
    bed.assert_clean();
}

#[tokio::test]
async fn an_interrupted_confirmation_says_how_to_go_on_and_the_finished_part_is_judged_alone() {
    if !common::real(common::not_everything()) {
        return;
    }
    let _alone = common::alone().await;
    let bed = Bed::new();
    baselines(&bed, 1.5);

    let mut gate = bed.start(&gate(&[]));
    // Its third journal is that of the first fresh sweep.
    while fs::read_dir(bed.state.path().join("journals")).expect("journals").count() < 3 {
        assert_eq!(gate.try_wait().expect("a status"), None, "it ended before its fresh sweeps");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    bed.wait_for_trials(1, &mut gate);
    assert!(Command::new("kill").args(["-TERM", &gate.id().to_string()]).status().expect("kill").success());
    let ended = gate.wait_with_output().expect("ended");
    assert_eq!(ended.status.code(), Some(3), "{}", text(&ended.stderr));
    let first = sweeps(&bed)[1]["sweep"].as_str().expect("an id").to_owned();
    assert!(
        text(&ended.stderr).contains(&format!("tollgate judge {first} FRESH")),
        "{}",
        text(&ended.stderr)
    );

    let resumed = bed.run(&["gate", "--resume", "--format=json"]);
    assert!(resumed.status.success(), "{}", text(&resumed.stderr));
    let result: Value = serde_json::from_slice(&resumed.stdout).expect("JSON");
    assert_eq!(kinds(&result), ["suspected"; 2], "only its cells are judged: {}", result["verdicts"]);
    let account = result["confirmation"]["account"].as_str().expect("an account");
    assert!(account.contains("judged alone"), "{account}");
    assert_eq!(sweeps(&bed).len(), 3, "it confirms nothing");
    bed.assert_clean();
}

#[tokio::test]
async fn a_sweep_of_chosen_cells_measures_these_with_the_rounds_of_their_cases_and_names_no_others() {
    if !common::real(common::not_everything()) {
        return;
    }
    let _alone = common::alone().await;
    let bed = Bed::new();
    let state = bed.state.path().to_owned();
    let defaults = Config::resolve(None).expect("the defaults");
    let config = Config { baselines: state.join("baselines"), state, ..defaults };
    let at = |environment: &str| [environment.parse().expect("a name")].into();
    let cells = [("xz/slice-256k", at("docker")), ("redis/get-c1", at("docker+nat"))];
    let request = Request {
        cells: Some(cells.map(|(case, environments)| (case.to_owned(), environments)).into()),
        rounds: Some(3),
        case_rounds: [("redis/get-c1".to_owned(), 7)].into(),
        ..Request::default()
    };
    let cancel = CancellationToken::new();
    let swept = sweep(&config, Profile::Smoke, &request, &Silent, &cancel).await.expect("swept");
    assert!(swept.partial && swept.rounds == 3);
    let name = |case: &str, environment: &dyn ToString| format!("{case} {}", environment.to_string());
    let measured: Vec<String> = swept.cells.iter().map(|c| name(&c.case, &c.environment)).collect();
    assert_eq!(measured, ["slice-256k native", "slice-256k docker", "get-c1 native", "get-c1 docker+nat"]);
    assert!(swept.cells.iter().all(|c| c.state == CellState::Ok), "{:?}", swept.cells);
    for series in &swept.series {
        let rounds = if series.workload == "redis" { 7 } else { 3 };
        assert_eq!(series.measured().count(), rounds, "{series:?}");
    }
    bed.assert_clean();
}
