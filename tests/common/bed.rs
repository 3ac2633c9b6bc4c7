//! A host to sweep on: a state directory of its own, and what must be the same before and after.

use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// A state directory that shares the bench image with the other tests.
pub struct Bed {
    pub state: tempfile::TempDir,
    pub before: Host,
}

/// What must be the same before and after.
#[derive(Debug, PartialEq, Eq)]
pub struct Host {
    docker0: String,
    nat: String,
    containers: String,
    networks: String,
    volumes: String,
    images: String,
    namespaces: String,
    links: Vec<String>,
    mounts: Vec<String>,
    loops: String,
}

pub fn output(program: &str, args: &[&str]) -> String {
    let path = format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default());
    let output = Command::new(program).args(args).env("PATH", path).output();
    output.map(|o| String::from_utf8_lossy(&o.stdout).into_owned()).unwrap_or_default()
}

/// The engine's own answer, without a client program.
pub fn engine(path: &str) -> String {
    output("curl", &["-s", "--unix-socket", "/var/run/docker.sock", &format!("http://docker{path}")])
}

impl Host {
    pub fn now() -> Self {
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
            images: engine(&format!("/images/json?{labelled}")),
            namespaces: output("ip", &["netns"]),
            links: links.map(str::to_owned).collect(),
            mounts: mounts.lines().filter(|l| l.contains("tollgate-test")).map(str::to_owned).collect(),
            loops: output("losetup", &["-a"]),
        }
    }
}

/// Processes of sweeps of this test's state.
pub fn processes(state: &Path) -> Vec<String> {
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
    pub fn new() -> Self {
        let state = tempfile::Builder::new().prefix("tollgate-test").tempdir_in("/tmp").expect("a directory");
        let images = super::image_cache();
        fs::create_dir_all(&images).expect("the cache");
        std::os::unix::fs::symlink(&images, state.path().join("images")).expect("linked");
        let mut bed = Self { state, before: Host::now() };
        // A test that failed may have left something; it shall not fail this one.
        bed.run(&["clean"]);
        bed.before = Host::now();
        bed
    }

    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tollgate"));
        command.args(args).arg("--state").arg(self.state.path());
        command.arg("--baselines").arg(self.state.path().join("baselines"));
        // A directory without a tollgate.toml or a policy of somebody else.
        command.current_dir(self.state.path()).stdin(Stdio::null());
        command
    }

    pub fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().expect("runs")
    }

    pub fn start(&self, args: &[&str]) -> Child {
        self.command(args).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("starts")
    }

    pub fn journal(&self) -> Option<PathBuf> {
        // The newest: names begin with the time.
        let entries = fs::read_dir(self.state.path().join("journals")).ok()?.flatten();
        entries.map(|e| e.path()).filter(|p| p.extension().is_some_and(|e| e == "jsonl")).max()
    }

    pub fn trials(&self) -> Vec<Value> {
        let text = self.journal().and_then(|p| fs::read_to_string(p).ok()).unwrap_or_default();
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        let lines = whole.lines().map(|l| serde_json::from_str::<Value>(l).expect("a line of JSON"));
        lines.filter_map(|mut l| l.get_mut("trial").map(Value::take)).collect()
    }

    /// Waits until so many trials are in the journal.
    pub fn wait_for_trials(&self, count: usize, child: &mut Child) {
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
    pub fn assert_clean(self) {
        let cleaned = self.run(&["clean"]);
        assert!(cleaned.status.success(), "{cleaned:?}");
        assert_eq!(processes(self.state.path()), Vec::<String>::new());
        assert_eq!(Host::now(), self.before);
        let again = self.run(&["clean"]);
        assert_eq!(String::from_utf8_lossy(&again.stdout), "nothing of ours is left on this host\n");
    }
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
