//! `tollgate watch` and `tollgate trigger` as programs. Nothing is measured: in mode `dispatch` the fake of GitHub is asked to.

mod common;
#[path = "common/github/mod.rs"]
mod github;

use github::{FakeGitHub, REPO};
use std::fs;
use std::io::Read as _;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

fn tollgate(dir: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tollgate"));
    command.args(args).current_dir(dir).stdin(Stdio::null()).env_clear();
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command
}

fn run(dir: &Path, args: &[&str]) -> Output {
    tollgate(dir, args).output().expect("runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn a_configuration_is_checked_and_told() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("tollgate.toml");
    let settings = "state = \"state\"\n[watch]\nprofile = \"smoke\"\n[watch.schedules]\nnightly = { cron = \"30 2 * * *\" }\n";
    fs::write(&file, settings).expect("written");
    let good = run(dir.path(), &["watch", "--check-config"]);
    assert!(good.status.success(), "{}", text(&good.stderr));
    let told = text(&good.stdout);
    assert!(told.contains("nightly (30 2 * * *, smoke): next 2") && told.contains("can be used"), "{told}");
    assert!(!dir.path().join("state").exists(), "nothing is made");

    fs::write(&file, "[watch]\nquiet_hours = [\"evening\"]\n").expect("written");
    let bad = run(dir.path(), &["watch", "--check-config"]);
    let words = text(&bad.stderr);
    assert_eq!(bad.status.code(), Some(2), "{words}");
    assert!(words.contains("tollgate.toml:2:1") && words.contains("08:00-18:30"), "{words}");

    fs::write(&file, "[watch]\nmode = \"dispatch\"\n").expect("written");
    let alone = run(dir.path(), &["watch", "--check-config"]);
    assert_eq!(alone.status.code(), Some(2));
    assert!(text(&alone.stderr).contains("GITHUB_REPOSITORY"), "{}", text(&alone.stderr));

    fs::write(&file, "").expect("written");
    let open = run(dir.path(), &["watch", "--check-config", "--listen", "0.0.0.0:9417"]);
    assert_eq!(open.status.code(), Some(2));
    assert!(text(&open.stderr).contains("token_file"), "{}", text(&open.stderr));
}

#[test]
fn what_the_dashboard_would_refuse_is_found_before() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("tollgate.toml");
    let settings = "state = \"state\"\n[watch]\nquiet_hours = [\"08:00-20:00\", \"20:00-08:00\"]\n";
    fs::write(&file, format!("{settings}token_file = \"token\"\n")).expect("written");
    let check = |secret: &str| {
        let mut command = tollgate(dir.path(), &["watch", "--check-config"]);
        let output = command.env("TOLLGATE_HOOK_SECRET", secret).output().expect("runs");
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };
    let long = "0123456789abcdef";
    let (code, told, words) = check(long);
    assert!(
        code == Some(2) && told.is_empty() && words.contains("watch.token_file: token:"),
        "{told}{words}"
    );
    fs::write(dir.path().join("token"), "short\n").expect("written");
    let (code, _, words) = check(long);
    assert!(code == Some(2) && words.contains("the token has fewer than 16"), "{words}");
    fs::write(dir.path().join("token"), long).expect("written");
    let (code, _, words) = check("short");
    assert!(code == Some(2) && words.contains("the hook's secret has fewer than 16"), "{words}");
    let (code, told, words) = check(long);
    assert!(code == Some(0) && told.contains("can be used"), "{words}");
    assert!(told.contains("quiet         the whole day"), "{told}");
}

#[test]
fn a_trigger_without_a_service_says_what_to_do() {
    let dir = tempfile::tempdir().expect("a directory");
    let asked = run(dir.path(), &["trigger", "--always", "--state", "nowhere"]);
    assert_eq!(asked.status.code(), Some(3));
    assert!(text(&asked.stderr).contains("start `tollgate watch`"), "{}", text(&asked.stderr));
}

/// A service whose words are in a file.
struct Running {
    child: Child,
    log: std::path::PathBuf,
}

impl Running {
    fn start(dir: &Path, fake: &FakeGitHub, token: &str) -> Self {
        let log = dir.join("log");
        let words = fs::File::options().create(true).append(true).open(&log).expect("a file");
        let mut command = tollgate(dir, &["watch", "--log-format", "json"]);
        command.env("GITHUB_REPOSITORY", REPO).env("GITHUB_TOKEN", token).env("GITHUB_API_URL", fake.url());
        let child = command.stdout(Stdio::null()).stderr(words).spawn().expect("starts");
        Self { child, log }
    }

    fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    fn wait(&mut self, what: &str, is: impl Fn() -> bool) {
        let began = Instant::now();
        while !is() {
            let ended = self.child.try_wait().expect("a status");
            assert!(
                ended.is_none() && began.elapsed() < Duration::from_secs(60),
                "{what}: {ended:?} {}",
                self.log()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// SIGTERM, and the exit code.
    fn stop(mut self) -> Option<i32> {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("told to stop");
        self.child.wait().expect("it ends").code()
    }
}

/// A service without an engine, a dashboard or feeds, that wakes a workflow.
const DISPATCHING: &str = "state = \"state\"\n[docker]\nsocket = \"none.sock\"\n[watch]\nmode = \"dispatch\"\nlisten = \"\"\nfollow = []\n";

#[test]
fn a_service_wakes_the_workflow_once_and_again_when_asked() {
    if !common::real(github::missing()) {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let dir = dir.path();
    fs::write(dir.join("tollgate.toml"), DISPATCHING).expect("written");
    let fake = FakeGitHub::start();
    let token = fake.personal_token("operator");

    let mut service = Running::start(dir, &fake, &token);
    service.wait("the workflow is woken, since nothing was measured here", || fake.dispatches().len() == 1);
    let woken = fake.dispatches().remove(0);
    assert_eq!(
        (woken.name.as_str(), woken.payload["profile"].as_str()),
        ("docker-upgrade", Some("standard"))
    );
    let second = run(dir, &["watch"]);
    assert_ne!(second.status.code(), Some(0), "one service a state directory");
    let settled =
        || fs::read_to_string(dir.join("state/queue.json")).is_ok_and(|q| q.contains("\"dispatched\""));
    service.wait("it is written down", settled);
    assert_eq!(service.stop(), Some(0));
    assert!(!dir.join("state/service.sock").exists(), "it leaves no socket");

    let mut service = Running::start(dir, &fake, &token);
    service.wait("the socket", || dir.join("state/service.sock").exists());
    let looked = run(dir, &["trigger"]);
    assert!(text(&looked.stdout).contains("looks at its host"), "{looked:?}");
    let asked = run(dir, &["trigger", "--always", "--profile", "smoke"]);
    assert!(text(&asked.stdout).contains("(smoke) is in the queue"), "{asked:?}");
    service.wait("the workflow is woken again", || fake.dispatches().len() == 2);
    assert_eq!(fake.dispatches()[1].payload["reason"], "asked for: tollgate trigger");
    let log = service.log();
    assert_eq!(service.stop(), Some(0));
    assert_eq!(fake.dispatches().len(), 2, "the same host is not told of twice");
    for line in log.lines() {
        let line: serde_json::Value = serde_json::from_str(line).expect("every line is JSON");
        assert!(line["fields"]["message"].is_string(), "{line}");
    }
    assert!(!log.contains(&token), "no token in the log");
    fake.assert_contract();
}

#[test]
fn a_service_tells_its_manager_that_it_is_ready_alive_and_stopping() {
    if !common::real(github::missing()) {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let dir = dir.path();
    fs::write(dir.join("tollgate.toml"), DISPATCHING).expect("written");
    let fake = FakeGitHub::start();
    let manager = std::os::unix::net::UnixDatagram::bind(dir.join("manager")).expect("a socket");
    manager.set_read_timeout(Some(Duration::from_secs(30))).expect("set");
    let mut command = tollgate(dir, &["watch"]);
    command.env("GITHUB_REPOSITORY", REPO).env("GITHUB_TOKEN", fake.personal_token("operator"));
    command.env("GITHUB_API_URL", fake.url());
    command.env("NOTIFY_SOCKET", dir.join("manager")).env("WATCHDOG_USEC", "600000");
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("starts");
    let mut heard = String::new();
    let mut hear = |until: &str| {
        let mut buffer = [0; 4096];
        while !heard.contains(until) {
            let length = manager.recv(&mut buffer).unwrap_or_else(|e| panic!("no {until}: {e}; {heard}"));
            heard.push_str(&text(&buffer[..length]));
            heard.push('\n');
        }
        std::mem::take(&mut heard)
    };
    hear("READY=1");
    hear("WATCHDOG=1");
    hear("WATCHDOG=1");
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("told to stop");
    hear("STOPPING=1");
    assert!(child.wait().expect("it ends").success());
    let mut words = String::new();
    child.stderr.take().expect("piped").read_to_string(&mut words).expect("read");
    assert!(words.contains("the service has stopped"), "{words}");
}
