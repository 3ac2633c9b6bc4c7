//! `tollgate watch` as a program, which wakes a workflow of the fake GitHub instead of measuring.
#![allow(dead_code, reason = "each test file uses a part of it")]

use crate::github::{FakeGitHub, REPO};
use crate::running::Running;
use serde_json::Value;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// How it is started.
#[derive(Default)]
pub struct Start {
    /// What stands before the program's name in the command line: it ends by executing what follows.
    pub under: Vec<OsString>,
    /// Besides what it needs to talk to the fake.
    pub env: Vec<(&'static str, OsString)>,
    /// `[watch]` below `mode`, and what else is to be in the configuration.
    pub settings: String,
}

/// The service, which ends with the test.
pub struct Service {
    running: Running,
    dir: PathBuf,
}

/// The program in a directory with a configuration and a state of its own.
fn command(dir: &Path, under: &[OsString], args: &[&str]) -> Command {
    let mut words: Vec<OsString> = under.to_vec();
    words.push(env!("CARGO_BIN_EXE_tollgate").into());
    words.extend(args.iter().map(OsString::from));
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]).current_dir(dir).stdin(Stdio::null()).env_clear();
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command
}

impl Service {
    pub fn start(dir: &Path, fake: &FakeGitHub, start: Start) -> Self {
        let settings = format!(
            "state = \"state\"\n[watch]\nmode = \"dispatch\"\nfollow = []\ndebounce = \"1s\"\n{}",
            start.settings
        );
        fs::write(dir.join("tollgate.toml"), settings).expect("written");
        let mut command = command(dir, &start.under, &["watch"]);
        command.env("GITHUB_REPOSITORY", REPO).env("GITHUB_TOKEN", fake.personal_token("operator"));
        command.env("GITHUB_API_URL", fake.url()).envs(start.env);
        let log = dir.join("log");
        let words = fs::File::create(&log).expect("a log");
        let child = command.stdout(Stdio::null()).stderr(words).spawn().expect("starts");
        Self { running: Running { child, log }, dir: dir.to_owned() }
    }

    pub fn queue(&self) -> Value {
        queue(&self.dir)
    }

    /// Waits until the queue is as it is to be, and returns it.
    pub fn until(&mut self, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        let Self { running, dir } = self;
        running.wait_or(|| is_so(&queue(dir)), || format!("{what}: {:#}", queue(dir)));
        self.queue()
    }

    /// Waits until so many jobs have ended.
    pub fn until_finished(&mut self, jobs: usize) -> Value {
        self.until("jobs that have ended", |queue| finished(queue) >= jobs)
    }

    /// A look, as `tollgate trigger` asks for it.
    pub fn look(&self) {
        let asked = command(&self.dir, &[], &["trigger"]).output().expect("runs");
        assert!(asked.status.success(), "{asked:?}");
        std::thread::sleep(Duration::from_millis(1500));
    }

    pub fn stop(self) {
        self.running.stop();
    }
}

fn queue(dir: &Path) -> Value {
    let text = fs::read(dir.join("state/queue.json")).unwrap_or_default();
    serde_json::from_slice(&text).unwrap_or_default()
}

/// How many jobs have ended.
pub fn finished(queue: &Value) -> usize {
    queue["finished"].as_array().map_or(0, Vec::len)
}
