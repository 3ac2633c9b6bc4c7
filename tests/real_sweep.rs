//! Whole sweeps by the real program with a real engine and a real guest: what survives, what is refused, and
//! what is left on the host.

mod common;

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// A state directory that shares the bench image with the other tests.
struct Bed {
    state: tempfile::TempDir,
    before: Host,
}

/// What must be the same before and after.
#[derive(Debug, PartialEq, Eq)]
struct Host {
    docker0: String,
    nat: String,
    containers: String,
    networks: String,
    volumes: String,
    namespaces: String,
    links: Vec<String>,
    mounts: Vec<String>,
    loops: String,
}

fn output(program: &str, args: &[&str]) -> String {
    let path = format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default());
    let output = Command::new(program).args(args).env("PATH", path).output();
    output.map(|o| String::from_utf8_lossy(&o.stdout).into_owned()).unwrap_or_default()
}

/// The engine's own answer, without a client program.
fn engine(path: &str) -> String {
    output("curl", &["-s", "--unix-socket", "/var/run/docker.sock", &format!("http://docker{path}")])
}

impl Host {
    fn now() -> Self {
        let labelled = "filters=%7B%22label%22%3A%5B%22tollgate.sweep%22%5D%7D";
        let links = output("ip", &["-o", "link"]);
        let links = links.lines().filter_map(|l| l.split(": ").nth(1)).filter(|n| n.starts_with("tg"));
        let mounts = fs::read_to_string("/proc/self/mountinfo").expect("mounts");
        Self {
            docker0: output("ip", &["-br", "addr", "show", "docker0"]),
            nat: output("iptables", &["-t", "nat", "-S"]) + &output("iptables", &["-S"]),
            containers: engine(&format!("/containers/json?all=1&{labelled}")),
            networks: engine(&format!("/networks?{labelled}")),
            volumes: engine(&format!("/volumes?{labelled}")),
            namespaces: output("ip", &["netns"]),
            links: links.map(str::to_owned).collect(),
            mounts: mounts.lines().filter(|l| l.contains("tollgate-test")).map(str::to_owned).collect(),
            loops: output("losetup", &["-a"]),
        }
    }
}

/// Processes of sweeps of this test's state.
fn processes(state: &Path) -> Vec<String> {
    let needle = state.to_string_lossy().into_owned();
    fs::read_dir("/proc")
        .expect("/proc")
        .flatten()
        .filter_map(|e| fs::read(e.path().join("cmdline")).ok())
        .map(|bytes| String::from_utf8_lossy(&bytes).replace('\0', " "))
        .filter(|line| line.contains(&needle) && (line.contains("qemu") || line.contains("tollgate-agent")))
        .collect()
}

impl Bed {
    fn new() -> Self {
        let state = tempfile::Builder::new().prefix("tollgate-test").tempdir_in("/tmp").expect("a directory");
        let images = common::image_cache();
        fs::create_dir_all(&images).expect("the cache");
        std::os::unix::fs::symlink(&images, state.path().join("images")).expect("linked");
        let mut bed = Self { state, before: Host::now() };
        // A test that failed may have left something; it shall not fail this one.
        bed.run(&["clean"]);
        bed.before = Host::now();
        bed
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tollgate"));
        command.args(args).arg("--state").arg(self.state.path());
        command.arg("--baselines").arg(self.state.path().join("baselines"));
        // A directory without a tollgate.toml or a policy of somebody else.
        command.current_dir(self.state.path()).stdin(Stdio::null());
        command
    }

    fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().expect("runs")
    }

    fn start(&self, args: &[&str]) -> Child {
        self.command(args).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("starts")
    }

    fn journal(&self) -> Option<PathBuf> {
        Some(fs::read_dir(self.state.path().join("journals")).ok()?.flatten().next()?.path())
    }

    fn trials(&self) -> Vec<Value> {
        let text = self.journal().and_then(|p| fs::read_to_string(p).ok()).unwrap_or_default();
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        let lines = whole.lines().map(|l| serde_json::from_str::<Value>(l).expect("a line of JSON"));
        lines.filter_map(|mut l| l.get_mut("trial").map(Value::take)).collect()
    }

    /// Waits until so many trials are in the journal.
    fn wait_for_trials(&self, count: usize, child: &mut Child) {
        let begun = Instant::now();
        while self.trials().len() < count {
            if let Some(status) = child.try_wait().expect("a status") {
                let mut words = String::new();
                if let Some(stderr) = child.stderr.as_mut() {
                    let _ = std::io::Read::read_to_string(stderr, &mut words);
                }
                panic!("it ended with {status} before {count} trials: {words}");
            }
            assert!(begun.elapsed() < Duration::from_secs(300), "no {count} trials within 300 s");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// After `clean` the host is as it was.
    fn assert_clean(self) {
        let cleaned = self.run(&["clean"]);
        assert!(cleaned.status.success(), "{cleaned:?}");
        assert_eq!(processes(self.state.path()), Vec::<String>::new());
        assert_eq!(Host::now(), self.before);
        let again = self.run(&["clean"]);
        assert_eq!(String::from_utf8_lossy(&again.stdout), "nothing of ours is left on this host\n");
    }
}

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

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
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
