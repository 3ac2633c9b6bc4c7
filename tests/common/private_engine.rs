//! A Docker engine in a network and a mount namespace of its own: the host's engine, bridge and rules are not concerned.
#![allow(dead_code, reason = "each test file uses a part of it")]

use crate::common::bed::output;
use serde_json::{Value, json};
use std::fs;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Names the engine's processes, and nobody else's.
const MARK: &str = "TOLLGATE_TEST_ENGINE";

/// An empty /run of its own, so that no run directory is the host's; then dockerd.
const INSIDE: &str = "mount -t tmpfs -o mode=755 tmpfs /run && ip link set lo up && exec \"$@\"";

/// Where the engine is, whichever version runs.
pub struct Place {
    pub dir: PathBuf,
}

impl Place {
    /// Nothing but directories yet.
    pub fn new(dir: PathBuf) -> Self {
        fs::create_dir_all(dir.join("etc")).expect("made");
        Self { dir }
    }

    pub fn socket(&self) -> PathBuf {
        self.dir.join("docker.sock")
    }

    /// The engine's configuration.
    pub fn config(&self) -> PathBuf {
        self.dir.join("etc/daemon.json")
    }

    /// Writes it. An engine that runs has read the old one.
    pub fn configure(&self, storage_driver: &str) {
        let text = json!({
            "hosts": [format!("unix://{}", self.socket().display())],
            "pidfile": self.dir.join("docker.pid"),
            "data-root": self.dir.join("data"),
            "bridge": "none",
            "iptables": false,
            "ip6tables": false,
            "ip-forward": false,
            "storage-driver": storage_driver,
            "exec-opts": ["native.cgroupdriver=cgroupfs"],
            "shutdown-timeout": 5,
        });
        fs::write(self.config(), text.to_string()).expect("written");
    }

    /// Starts an engine whose programs are in `root`, and waits until it answers. Says what it is made of.
    pub fn start(&self, root: &Path) -> (Engine, Value) {
        let config = self.config();
        if !config.exists() {
            self.configure("vfs");
        }
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
pub struct Engine {
    child: Child,
    dir: PathBuf,
}

impl Engine {
    pub fn stop(mut self) {
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
pub fn processes(dir: &Path) -> Vec<rustix::process::Pid> {
    let mark = format!("{MARK}={}", dir.display());
    let entries = fs::read_dir("/proc").expect("processes").flatten();
    let ours = entries.filter(|e| {
        let environ = fs::read(e.path().join("environ")).unwrap_or_default();
        environ.split(|b| *b == 0).any(|entry| entry == mark.as_bytes())
    });
    let pids = ours.filter_map(|e| e.file_name().to_str()?.parse().ok());
    pids.filter_map(rustix::process::Pid::from_raw).collect()
}
