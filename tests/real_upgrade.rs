//! A real upgrade of Docker's engine under the eyes of the service: the host's engine and, on the same socket and data, Debian trixie's.
//! Both run in a network and a mount namespace of their own; the host's engine, bridge and rules are not concerned.

mod common;
#[path = "common/github/mod.rs"]
mod github;
#[path = "common/newer_engine.rs"]
mod newer_engine;

use common::bed::{Host, output};
use github::{FakeGitHub, REPO};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Names the engine's processes, and nobody else's.
const MARK: &str = "TOLLGATE_TEST_UPGRADE";

/// An empty /run of its own, so that no run directory is the host's; then dockerd.
const INSIDE: &str = "mount -t tmpfs -o mode=755 tmpfs /run && ip link set lo up && exec \"$@\"";

/// Where the engine is, whichever version runs.
struct Place {
    dir: PathBuf,
}

impl Place {
    fn socket(&self) -> PathBuf {
        self.dir.join("docker.sock")
    }

    /// Starts an engine whose programs are in `root`, and waits until it answers. Says what it is made of.
    fn start(&self, root: &Path) -> (Engine, Value) {
        let config = self.dir.join("daemon.json");
        let text = json!({
            "hosts": [format!("unix://{}", self.socket().display())],
            "pidfile": self.dir.join("docker.pid"),
            "data-root": self.dir.join("data"),
            "bridge": "none",
            "iptables": false,
            "ip6tables": false,
            "ip-forward": false,
            "storage-driver": "vfs",
            "exec-opts": ["native.cgroupdriver=cgroupfs"],
            "shutdown-timeout": 5,
        });
        fs::write(&config, text.to_string()).expect("written");
        let programs = ["usr/sbin", "usr/bin"].map(|d| root.join(d));
        let path = programs.iter().map(|p| p.display().to_string()).collect::<Vec<_>>().join(":");
        let log = fs::File::create(self.dir.join("engine.log")).expect("a log");
        let mut command = Command::new("unshare");
        command.args(["--net", "--mount", "--propagation", "private", "sh", "-c", INSIDE, "sh"]);
        command.arg(programs[0].join("dockerd")).arg("--config-file").arg(&config).env_clear();
        command.env("PATH", format!("{path}:/usr/sbin:/usr/bin:/sbin:/bin")).env(MARK, &self.dir);
        command.stdin(Stdio::null()).stdout(log.try_clone().expect("a log")).stderr(log).process_group(0);
        let mut engine = Engine { child: command.spawn().expect("starts"), dir: self.dir.clone() };
        let began = Instant::now();
        loop {
            if let Some(version) = self.version() {
                return (engine, version);
            }
            let ended = engine.child.try_wait().expect("a status");
            let words = || fs::read_to_string(self.dir.join("engine.log")).unwrap_or_default();
            assert!(ended.is_none() && began.elapsed() < Duration::from_secs(30), "{ended:?}\n{}", words());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// What the engine says of itself; none when it does not answer.
    fn version(&self) -> Option<Value> {
        let socket = self.socket();
        let answer =
            output("curl", &["-s", "--unix-socket", &socket.to_string_lossy(), "http://docker/version"]);
        serde_json::from_str(&answer).ok()
    }
}

/// An engine that runs. It is killed with all that it started when a test fails.
struct Engine {
    child: Child,
    dir: PathBuf,
}

impl Engine {
    fn stop(mut self) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("told to stop");
        self.child.wait().expect("it ends");
        let began = Instant::now();
        while !processes(&self.dir).is_empty() && began.elapsed() < Duration::from_secs(10) {
            std::thread::sleep(Duration::from_millis(50));
        }
        assert_eq!(processes(&self.dir), [], "containerd ends with it");
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        for pid in processes(&self.dir) {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        }
        let _ = self.child.wait();
    }
}

/// Processes of an engine in this directory that are alive.
fn processes(dir: &Path) -> Vec<rustix::process::Pid> {
    let mark = format!("{MARK}={}", dir.display());
    let entries = fs::read_dir("/proc").expect("processes").flatten();
    let ours = entries.filter(|e| {
        let environ = fs::read(e.path().join("environ")).unwrap_or_default();
        environ.split(|b| *b == 0).any(|entry| entry == mark.as_bytes())
    });
    let pids = ours.filter_map(|e| e.file_name().to_str()?.parse().ok());
    pids.filter_map(rustix::process::Pid::from_raw).collect()
}

/// The version of a part of an engine.
fn part(version: &Value, name: &str) -> String {
    let parts = version["Components"].as_array().expect("components");
    let found = parts.iter().find(|p| p["Name"] == name).unwrap_or_else(|| panic!("no {name}: {version}"));
    found["Version"].as_str().expect("a version").to_owned()
}

/// `tollgate watch`, which wakes a workflow of the fake instead of measuring.
struct Service<'a> {
    child: Child,
    dir: &'a Path,
}

impl<'a> Service<'a> {
    fn command(dir: &Path, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tollgate"));
        command.args(args).current_dir(dir).stdin(Stdio::null()).env_clear();
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command
    }

    fn start(dir: &'a Path, fake: &FakeGitHub, place: &Place) -> Self {
        let settings = format!(
            "state = \"state\"\n[docker]\nsocket = \"{}\"\n[watch]\nmode = \"dispatch\"\nlisten = \"\"\n\
             files = []\nfollow = []\ndebounce = \"1s\"\n",
            place.socket().display()
        );
        fs::write(dir.join("tollgate.toml"), settings).expect("written");
        let mut command = Self::command(dir, &["watch"]);
        command.env("GITHUB_REPOSITORY", REPO).env("GITHUB_TOKEN", fake.personal_token("operator"));
        let log = fs::File::create(dir.join("log")).expect("a log");
        let child = command.env("GITHUB_API_URL", fake.url()).stdout(Stdio::null()).stderr(log).spawn();
        Self { child: child.expect("starts"), dir }
    }

    fn queue(&self) -> Value {
        let text = fs::read(self.dir.join("state/queue.json")).unwrap_or_default();
        serde_json::from_slice(&text).unwrap_or_default()
    }

    /// Waits until so many jobs have ended.
    fn until_finished(&mut self, jobs: usize) -> Value {
        let began = Instant::now();
        loop {
            let queue = self.queue();
            if queue["finished"].as_array().is_some_and(|f| f.len() >= jobs) {
                return queue;
            }
            let ended = self.child.try_wait().expect("a status");
            let log = || fs::read_to_string(self.dir.join("log")).unwrap_or_default();
            assert!(ended.is_none() && began.elapsed() < Duration::from_secs(60), "{queue:#}\n{}", log());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// A look, as `tollgate trigger` asks for it.
    fn look(&self) {
        let asked = Self::command(self.dir, &["trigger"]).output().expect("runs");
        assert!(asked.status.success(), "{asked:?}");
        std::thread::sleep(Duration::from_millis(1500));
    }

    fn stop(mut self) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("told to stop");
        assert!(self.child.wait().expect("it ends").success());
    }
}

impl Drop for Service<'_> {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Why there is no upgrade to be had here.
fn missing() -> Option<String> {
    let no_engine =
        || (!Path::new("/usr/sbin/dockerd").exists()).then(|| "dockerd is not installed".to_owned());
    common::no_root().or_else(no_engine).or_else(github::missing)
}

#[tokio::test]
async fn an_upgrade_of_the_engine_makes_one_job_that_names_what_changed() {
    if !common::real(missing()) {
        return;
    }
    let newer = newer_engine::unpacked();
    if !common::real(newer.as_ref().err().map(|why| format!("trixie's engine cannot be had: {why}"))) {
        return;
    }
    let newer = newer.expect("it is there");
    let _alone = common::alone().await;
    let before = (Host::now(), output("ip", &["-o", "addr", "show"]));
    let dir = tempfile::Builder::new().prefix("tollgate-test").tempdir_in("/tmp").expect("a directory");
    let place = Place { dir: dir.path().join("engine") };
    fs::create_dir(&place.dir).expect("made");
    let fake = FakeGitHub::start();

    let (engine, old) = place.start(Path::new("/"));
    assert!(
        processes(&place.dir).len() > 1,
        "dockerd and containerd carry the mark that is looked for below"
    );
    let mut service = Service::start(dir.path(), &fake, &place);
    let first = service.until_finished(1);
    assert_eq!(first["finished"][0]["job"]["reason"]["why"], "no-baseline", "nothing was measured here");
    engine.stop();
    let (engine, new) = place.start(&newer);
    let (was, is) = (part(&old, "Engine"), part(&new, "Engine"));
    assert_ne!(was, is, "the engines are two versions");
    let upgraded = service.until_finished(2);
    let reason = &upgraded["finished"][0]["job"]["reason"];
    assert_eq!(reason["why"], "change", "{upgraded:#}");
    let mut expected = Vec::new();
    for (name, component) in [("Engine", "docker-engine"), ("containerd", "containerd"), ("runc", "runc")] {
        let (was, is) = (part(&old, name), part(&new, name));
        if was != is {
            expected.push(json!({ "component": component, "before": was, "after": is }));
        }
    }
    assert_eq!(reason["changed"], json!(expected), "what changed, and nothing else");
    assert!(expected.len() > 1, "containerd, too: {expected:?}");

    service.look();
    service.look();
    let queue = service.queue();
    assert_eq!(queue["finished"].as_array().map(Vec::len), Some(2), "one job for the upgrade: {queue:#}");
    assert_eq!(queue["waiting"], json!([]));
    let told: Vec<String> = fake.dispatches().iter().map(|d| d.payload["reason"].to_string()).collect();
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[1].contains(&format!("docker-engine from {was} to {is}")), "{told:?}");
    service.stop();
    engine.stop();
    assert_eq!(processes(&place.dir), [], "no process is left");
    assert_eq!((Host::now(), output("ip", &["-o", "addr", "show"])), before, "the host is as it was");
}
