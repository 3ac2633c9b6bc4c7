//! The service is killed with SIGKILL fifty times at random points. No job is lost, and none is measured twice.
//!
//! The service runs in a process of its own: this test's program, started again. Its jobs take some milliseconds and leave a
//! file each.

#[path = "common/watching.rs"]
mod watching;

use async_trait::async_trait;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;
use tollgate::alert::candidates::Statement;
use tollgate::model::{Decision, HostClass};
use tollgate::notify::SystemClock;
use tollgate::service::board::Board;
use tollgate::service::host::{Host, Look};
use tollgate::service::runner::{Order, Ran, Runner};
use tollgate::service::wake::Sources;
use tollgate::service::wake::socket::{Wish, trigger};
use tollgate::service::{Parts, Service};
use tollgate::watch::queue::{Components, Settled};
use tollgate::watch::{Finished, Outbox};
use tollgate::workload::Profile;
use watching::{config, engine};

const CHILD: &str = "TOLLGATE_TEST_KILLED_SERVICE";
const KILLS: usize = 50;

/// A host that is a file with the version of its engine.
struct FileHost(PathBuf);

impl FileHost {
    fn components(&self) -> Components {
        engine(&fs::read_to_string(self.0.join("engine")).expect("a version"))
    }
}

#[async_trait(?Send)]
impl Host for FileHost {
    fn class(&self) -> HostClass {
        "farm".parse().expect("a name")
    }

    async fn look(&self, _: Profile) -> Look {
        let at = "2026-01-01T00:00:00Z".parse().expect("a time");
        let baseline = Some(Settled { at, components: engine("0") });
        let mut look = Look { accepted: 3, baseline, ..Look::default() };
        look.fingerprint.components = self.components();
        look
    }

    fn busy(&self) -> Option<String> {
        None
    }

    fn outbox(&self) -> Outbox {
        Outbox::default()
    }
}

/// Measures for some milliseconds, and writes down what and for whom. As a real sweep does, one that was finished under the
/// same name is not measured again.
struct FileRunner(PathBuf);

#[async_trait(?Send)]
impl Runner for FileRunner {
    async fn run(&self, order: &Order, _: &Board, cancel: &CancellationToken) -> Ran {
        let components = FileHost(self.0.clone()).components();
        let done = self.0.join("done").join(order.sweep.as_str());
        if !done.exists() {
            tokio::select! {
                () = cancel.cancelled() => return Ran::Stopped,
                () = tokio::time::sleep(Duration::from_millis(20)) => {}
            }
            let job = &order.job;
            let text = json!({ "job": job.id, "why": job.reason, "components": components }).to_string();
            let half = self.0.join(format!("half-{}", order.sweep));
            fs::write(&half, text).expect("written");
            fs::rename(&half, &done).expect("kept");
        }
        let sweep = Some(order.sweep.clone());
        Ran::Judged { decision: Decision::Pass, sweep, components, detail: None }
    }

    async fn gave_up(&self, _: &Finished) -> Result<(), String> {
        Ok(())
    }

    async fn tell_waiting(&self) {}

    async fn tell_offered(&self, _: Statement) -> Result<(), String> {
        Ok(())
    }
}

/// The service, until it is killed or told to stop.
fn child(dir: &Path) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let config = config(dir, "files = []");
        let (host, runner) = (FileHost(dir.to_owned()), FileRunner(dir.to_owned()));
        let clock = Arc::new(SystemClock);
        let parts = Parts { config: &config, host: &host, runner: &runner, clock, seed: 7 };
        let service = Service::open(parts).expect("opened");
        let _sources = Sources::start(&config, &service).expect("started");
        let cancel = CancellationToken::new();
        let mut stop =
            tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).expect("a signal");
        let told = cancel.clone();
        tokio::spawn(async move {
            stop.recv().await;
            told.cancel();
        });
        service.run(&cancel).await.expect("it ends well");
    });
}

fn start(dir: &Path) -> Child {
    let me = std::env::current_exe().expect("this program");
    Command::new(me)
        .args(["no_job_is_lost_or_measured_twice", "--exact", "--nocapture"])
        .env(CHILD, dir)
        .stdout(Stdio::null())
        .stdin(Stdio::null())
        .spawn()
        .expect("started")
}

/// Asks until the service is there. Returns the job that it promises.
fn ask(dir: &Path, profile: &str) -> u64 {
    let wish = Wish { always: true, profile: Some(profile.to_owned()) };
    let began = Instant::now();
    loop {
        match trigger(dir, &wish) {
            // job 7 (full) is in the queue
            Ok(said) => {
                return said.split_whitespace().nth(1).and_then(|n| n.parse().ok()).expect("a number");
            }
            Err(error) => assert!(began.elapsed() < Duration::from_secs(60), "{error}"),
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn queue(dir: &Path) -> Value {
    let text = fs::read(dir.join("queue.json")).expect("there is always a whole one");
    serde_json::from_slice(&text).expect("JSON")
}

fn wait(what: &str, is: impl Fn() -> bool) {
    let began = Instant::now();
    while !is() {
        assert!(began.elapsed() < Duration::from_secs(60), "not within a minute: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// What was measured.
struct Measured {
    job: u64,
    /// Whether because of a change.
    is_change: bool,
    /// What the host was made of.
    components: String,
}

fn measured(dir: &Path) -> Vec<Measured> {
    let files = fs::read_dir(dir.join("done")).expect("a directory").flatten();
    files
        .map(|file| {
            let value: Value = serde_json::from_slice(&fs::read(file.path()).expect("read")).expect("JSON");
            Measured {
                job: value["job"].as_u64().expect("a number"),
                is_change: value["why"]["why"] == "change",
                components: value["components"].to_string(),
            }
        })
        .collect()
}

#[test]
fn no_job_is_lost_or_measured_twice() {
    if let Some(dir) = std::env::var_os(CHILD) {
        child(Path::new(&dir));
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let dir = dir.path();
    fs::create_dir(dir.join("done")).expect("made");
    fs::write(dir.join("engine"), "0").expect("written");
    let mut random = ChaCha8Rng::seed_from_u64(20);
    let mut promised = BTreeSet::new();
    let mut changes = BTreeSet::new();
    for round in 1..=KILLS {
        if random.random_bool(0.4) {
            fs::write(dir.join("engine"), round.to_string()).expect("written");
            changes.insert(json!(engine(&round.to_string())).to_string());
        }
        let mut service = start(dir);
        if random.random_bool(0.8) {
            let profile = ["smoke", "standard", "full"][random.random_range(0..3)];
            promised.insert(ask(dir, profile));
        }
        std::thread::sleep(Duration::from_micros(random.random_range(0..150_000)));
        service.kill().expect("killed");
        service.wait().expect("it is gone");
    }
    let last = engine(&fs::read_to_string(dir.join("engine")).expect("read"));

    let mut service = start(dir);
    promised.insert(ask(dir, "full"));
    wait("everything is done", || {
        let queue = queue(dir);
        let idle = queue["waiting"].as_array().is_some_and(Vec::is_empty) && queue["running"].is_null();
        idle && queue["settled"]["smoke"]["components"] == json!(last)
    });
    let pid = rustix::process::Pid::from_child(&service);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("told to stop");
    assert!(service.wait().expect("it ends").success());

    let measured = measured(dir);
    let all: Vec<(u64, &str)> = measured.iter().map(|m| (m.job, m.components.as_str())).collect();
    let once: BTreeSet<_> = all.iter().collect();
    assert_eq!(once.len(), all.len(), "a job was measured twice: {all:?}");
    // Under whatever number: no version comes a second time, so that each is one change, measured once or overtaken by the next.
    let because: Vec<&str> = measured.iter().filter(|m| m.is_change).map(|m| m.components.as_str()).collect();
    let once: BTreeSet<String> = because.iter().map(|c| (*c).to_owned()).collect();
    assert_eq!(once.len(), because.len(), "a change was measured twice: {because:?} of {changes:?}");
    assert!(once.is_subset(&changes), "no change: {:?}", once.difference(&changes));
    let jobs: BTreeSet<u64> = measured.iter().map(|m| m.job).collect();
    let missing: Vec<_> = promised.difference(&jobs).collect();
    assert!(missing.is_empty(), "lost: {missing:?} of {promised:?}");
    let (jobs, promised) = (jobs.len(), promised.len());
    println!("{KILLS} kills, {promised} promises, {jobs} jobs and {} changes measured", because.len());
    assert!(!because.is_empty(), "no change was measured at all");
}
