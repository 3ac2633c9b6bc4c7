//! Whole sweeps by the real program with a real engine and a real guest: what survives, what is refused, and
//! what is left on the host.

mod common;

use common::bed::{Bed, Host, text};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const SMALL: [&str; 9] = [
    "--only",
    "xz,redis/get-c1",
    "--environments",
    "docker,docker+nat,kvm",
    "--rounds",
    "4",
    "--seed",
    "7",
    "--format=json",
];

fn with(command: &'static str, more: &[&'static str]) -> Vec<&'static str> {
    [&[command][..], &SMALL, more].concat()
}

#[tokio::test]
async fn a_killed_sweep_goes_on_where_it_was_and_clean_leaves_nothing() {
    if !common::real(common::not_everything()) {
        return;
    }
    let _alone = common::alone().await;
    let bed = Bed::new();
    let mut first = bed.start(&with("sweep", &[]));
    bed.wait_for_trials(9, &mut first);
    first.kill().expect("killed");
    first.wait().expect("ended");
    let before: Vec<Value> = bed.trials();

    let resumed = bed.run(&["gate", "--resume", "--format=json"]);
    assert!(resumed.status.success(), "{}", text(&resumed.stderr));
    let after = bed.trials();
    assert_eq!(after[..before.len()], before[..], "what was measured is still there");
    let mut runs: BTreeMap<u64, Vec<String>> = BTreeMap::new();
    for trial in &after {
        let block = trial["block"].as_u64().expect("a block");
        runs.entry(block).or_default().push(trial["environment"].as_str().expect("a name").to_owned());
    }
    assert_eq!(runs.len(), 8, "four rounds of two cases");
    let last = before.last().expect("some")["block"].as_u64().expect("a block");
    for (block, environments) in runs.iter().filter(|(b, _)| **b != last) {
        let distinct: BTreeSet<_> = environments.iter().collect();
        assert_eq!(distinct.len(), environments.len(), "block {block} was repeated");
    }
    let result: Value = serde_json::from_slice(&resumed.stdout).expect("JSON");
    assert_eq!(result["decision"], "pass");
    let nat = result["cells"]
        .as_array()
        .expect("cells")
        .iter()
        .find(|c| c["environment"] == "docker+nat" && c["metric"] == "requests");
    assert_eq!(nat.expect("the NAT cell")["rounds"], 4);
    assert!(
        result["proofs"].as_array().expect("proofs").iter().all(|p| p["holds"] == true),
        "{}",
        result["proofs"]
    );
    bed.assert_clean();
}

#[tokio::test]
async fn sigterm_stops_cleans_and_keeps_the_journal_and_a_second_gate_is_refused_meanwhile() {
    if !common::real(common::not_everything()) {
        return;
    }
    let _alone = common::alone().await;
    let bed = Bed::new();
    let mut first = bed.start(&with("gate", &[]));
    bed.wait_for_trials(2, &mut first);
    let second = bed.run(&with("gate", &[]));
    assert_eq!(second.status.code(), Some(3));
    assert!(text(&second.stderr).contains(&format!("pid {}", first.id())), "{}", text(&second.stderr));

    let begun = Instant::now();
    let status = Command::new("kill").args(["-TERM", &first.id().to_string()]).status().expect("kill");
    assert!(status.success());
    let ended = first.wait_with_output().expect("ended");
    assert_eq!(ended.status.code(), Some(3));
    assert!(text(&ended.stderr).contains("--resume"), "{}", text(&ended.stderr));
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
    assert!(bed.trials().len() >= 2);
    assert_eq!(Host::now(), bed.before, "it cleaned up by itself");
    bed.assert_clean();
}

/// A socket that forwards to the engine until it is dropped: then the engine is gone for whoever used it.
struct Forwarder {
    task: tokio::task::JoinHandle<()>,
}

impl Forwarder {
    fn new(path: &Path) -> Self {
        let listener = tokio::net::UnixListener::bind(path).expect("a socket");
        let task = tokio::spawn(async move {
            let mut open = tokio::task::JoinSet::new();
            while let Ok((mut client, _)) = listener.accept().await {
                open.spawn(async move {
                    let mut engine = tokio::net::UnixStream::connect("/var/run/docker.sock").await?;
                    tokio::io::copy_bidirectional(&mut client, &mut engine).await
                });
            }
        });
        Self { task }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_that_goes_away_fails_its_cells_and_nothing_else() {
    if !common::real(common::not_everything()) {
        return;
    }
    let _alone = common::alone().await;
    let bed = Bed::new();
    let socket = bed.state.path().join("docker.sock");
    fs::write(
        bed.state.path().join("tollgate.toml"),
        format!("[docker]\nsocket = \"{}\"\n", socket.display()),
    )
    .expect("a configuration");
    let engine = Forwarder::new(&socket);
    let mut child = bed.start(&["sweep", "--only", "xz", "--rounds", "6", "--format=json"]);
    tokio::task::block_in_place(|| bed.wait_for_trials(4, &mut child));
    engine.task.abort();
    fs::remove_file(&socket).expect("removed");
    let ended = tokio::task::block_in_place(|| child.wait_with_output().expect("ended"));
    assert!(ended.status.success(), "the guest was measured: {}", text(&ended.stderr));
    let stored =
        fs::read_dir(bed.state.path().join("sweeps")).expect("sweeps").flatten().next().expect("a sweep");
    let sweep: Value = serde_json::from_slice(&fs::read(stored.path()).expect("read")).expect("JSON");
    let cell = |environment: &str| {
        let cells = sweep["cells"].as_array().expect("cells");
        cells.iter().find(|c| c["environment"] == environment).expect("the cell").clone()
    };
    assert_eq!(cell("docker")["state"], "measurement-failed");
    assert!(
        cell("docker")["reason"].as_str().expect("a reason").contains("agent"),
        "{}",
        cell("docker")["reason"]
    );
    assert_eq!((&cell("native")["state"], &cell("kvm")["state"]), (&Value::from("ok"), &Value::from("ok")));
    // The engine is back: its leftovers can be removed.
    fs::remove_file(bed.state.path().join("tollgate.toml")).expect("removed");
    bed.assert_clean();
}

#[tokio::test]
async fn a_full_disk_ends_the_sweep_and_loses_nothing() {
    if !common::real(common::not_everything()) {
        return;
    }
    let _alone = common::alone().await;
    let bed = Bed::new();
    let journals = bed.state.path().join("journals");
    fs::create_dir(&journals).expect("made");
    let small = Mounted::tmpfs(&journals, "64k");
    let arguments = ["sweep", "--only", "xz", "--environments", "docker", "--rounds", "40", "--format=json"];
    let mut child = bed.start(&arguments);
    bed.wait_for_trials(5, &mut child);
    let filler = journals.join("filler");
    let _ = fs::write(&filler, vec![0; 64 * 1024]);
    let ended = child.wait_with_output().expect("ended");
    assert_eq!(ended.status.code(), Some(3), "{}", text(&ended.stderr));
    let words = text(&ended.stderr);
    assert!(words.contains("No space left") && words.contains("is kept"), "{words}");
    fs::remove_file(&filler).expect("room again");
    let measured = bed.trials();
    assert!(measured.len() >= 5);
    let resumed = bed.run(&["sweep", "--resume", "--format=json"]);
    assert!(resumed.status.success(), "{}", text(&resumed.stderr));
    assert_eq!(bed.trials()[..measured.len()], measured[..]);
    drop(small);
    bed.assert_clean();
}

/// A mount that is undone however the test ends.
struct Mounted(PathBuf);

impl Mounted {
    fn tmpfs(at: &Path, size: &str) -> Self {
        let size = format!("size={size}");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(at).status();
        assert!(mounted.expect("mount runs").success());
        Self(at.to_owned())
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

#[tokio::test]
async fn without_an_engine_the_rest_is_measured_and_the_reason_is_told() {
    if !common::real(common::not_everything()) {
        return;
    }
    let _alone = common::alone().await;
    let bed = Bed::new();
    fs::write(bed.state.path().join("tollgate.toml"), "[docker]\nsocket = \"/no/such/docker.sock\"\n")
        .expect("written");
    let swept = bed.run(&["gate", "--only", "xz", "--rounds", "3", "--format=json"]);
    assert!(swept.status.success(), "{}", text(&swept.stderr));
    let result: Value = serde_json::from_slice(&swept.stdout).expect("JSON");
    let docker = result["cells"].as_array().expect("cells").iter().find(|c| c["environment"] == "docker");
    let docker = docker.expect("a cell of docker");
    assert_eq!((&docker["state"], &docker["median"]), (&Value::from("unavailable"), &Value::Null));
    let reason = docker["reason"].as_str().expect("a reason");
    assert!(reason.contains("/no/such/docker.sock") && reason.contains("tollgate provision"), "{reason}");
    fs::remove_file(bed.state.path().join("tollgate.toml")).expect("removed");
    bed.assert_clean();
}

#[test]
fn bad_configuration_and_bad_files_are_refused_with_their_place() {
    let dir = tempfile::tempdir().expect("a directory");
    let run = |args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tollgate"));
        command.args(args).current_dir(dir.path()).stdin(Stdio::null());
        let output = command.output().expect("runs");
        (output.status.code(), text(&output.stderr))
    };
    fs::write(dir.path().join("tollgate.toml"), "[profile.smoke]\nronds = 3\n").expect("written");
    let (code, words) = run(&["list"]);
    assert_eq!(code, Some(2));
    assert!(words.contains("tollgate.toml:2:1") && words.contains("did you mean `rounds`"), "{words}");
    fs::remove_file(dir.path().join("tollgate.toml")).expect("removed");

    let (code, words) = run(&["baseline", "reject", "20260101T000000Z-000001"]);
    assert_eq!(code, Some(2), "{words}");
    assert!(words.contains("20260101T000000Z-000001"), "{words}");

    let class = dir.path().join("baselines/farm/smoke");
    fs::create_dir_all(&class).expect("made");
    fs::write(class.join("20260101T000000Z-000001.json"), "{\"format\": 1, \"sw").expect("written");
    let (code, words) = run(&["baseline", "list"]);
    assert_eq!(code, Some(2));
    assert!(words.contains("20260101T000000Z-000001.json, line 1"), "{words}");

    fs::write(dir.path().join("b.csv"), "host_class,sweep\n").expect("written");
    let (code, words) = run(&["judge", "--baseline", "b.csv", "--candidate", "b.csv"]);
    assert_eq!(code, Some(2));
    assert!(words.contains("b.csv"), "{words}");
    assert_eq!(run(&["judge", "--baseline", "b.csv"]).0, Some(2), "two files or none");
    assert_eq!(run(&["gate", "--only", "nonsense", "--rounds", "2"]).0, Some(2), "rounds are at least 3");
}

#[test]
fn without_root_a_gate_says_so_and_measures_nothing() {
    let dir = tempfile::tempdir().expect("a directory");
    let program = env!("CARGO_BIN_EXE_tollgate");
    let output = if rustix::process::geteuid().is_root() {
        // The program may lie where `nobody` cannot go.
        let copy = dir.path().join("tollgate");
        fs::copy(program, &copy).expect("copied");
        let open = std::os::unix::fs::PermissionsExt::from_mode(0o777);
        fs::set_permissions(dir.path(), open).expect("opened");
        Command::new("setpriv")
            .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
            .arg(&copy)
            .args(["gate", "--state", "s"])
            .current_dir(dir.path())
            .output()
    } else {
        Command::new(program).args(["gate", "--state", "s"]).current_dir(dir.path()).output()
    };
    let output = output.expect("runs");
    assert_eq!(output.status.code(), Some(3), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("needs root"), "{}", text(&output.stderr));
    assert!(!dir.path().join("baselines").exists());
}
