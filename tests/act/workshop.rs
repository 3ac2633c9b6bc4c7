//! Runs this project's workflows with act: on this host, without a network, with a directory as the store of artifacts.

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;
use tempfile::TempDir;

/// The repository that the workflows believe to run in.
pub const REPOSITORY: &str = "acme/widgets";

/// A token as a job has one: no log may show it.
pub const TOKEN: &str = "ghs_0123456789abcdefghijklmnopqrstuvwxyzAB";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A file or directory of `tests/fixtures/act`.
pub fn fixture(name: &str) -> PathBuf {
    root().join("tests/fixtures/act").join(name)
}

/// Where act is, or why it is not: `packaging/tools.sh` installs it once below `target/`.
fn tools() -> &'static Result<PathBuf, String> {
    static TOOLS: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    TOOLS.get_or_init(|| {
        let ran = Command::new(root().join("packaging/tools.sh")).output().map_err(|e| e.to_string())?;
        if ran.status.success() {
            Ok(PathBuf::from(text(&ran.stdout).trim()))
        } else {
            Err(text(&ran.stderr))
        }
    })
}

/// Why act cannot be run here.
pub fn missing() -> Option<String> {
    tools().as_ref().err().map(|why| format!("act is missing: {why}"))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn checked(command: &mut Command) -> Output {
    let ran = command.output().expect("a program that starts");
    assert!(ran.status.success(), "{command:?}: {}{}", text(&ran.stdout), text(&ran.stderr));
    ran
}

/// A repository with this project's `.github`, and everything around a run.
pub struct Workshop {
    dir: TempDir,
    program: PathBuf,
    /// Repository variables.
    pub variables: BTreeMap<String, String>,
    /// More environment variables of every step.
    pub environment: BTreeMap<String, String>,
    /// `GITHUB_TOKEN` of the jobs.
    pub token: String,
}

/// What a run of a workflow left.
#[derive(Debug)]
pub struct Run {
    /// Whether all jobs ended well; also when none was started.
    pub succeeded: bool,
    /// Names of the steps that ran, with `success` or `failure`.
    pub steps: Vec<(String, String)>,
    /// Outputs of all steps.
    pub outputs: BTreeMap<String, String>,
    /// The job summaries, once each.
    pub summary: String,
    /// `error`, `warning` or `notice`, and the text.
    pub annotations: Vec<(String, String)>,
    /// Everything that act said.
    pub log: String,
}

impl Workshop {
    /// With a program that takes tollgate's place once the workflow has "built" it.
    pub fn new(program: &Path) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let repository = dir.path().join("repository");
        copy(&root().join(".github"), &repository.join(".github"));
        fs::write(repository.join(".gitignore"), "/target\n").expect("a file");
        for name in ["artifacts", "home", "tmp"] {
            fs::create_dir(dir.path().join(name)).expect("a directory");
        }
        let git = |arguments: &[&str]| {
            checked(
                Command::new("git")
                    .args(["-c", "user.name=test", "-c", "user.email=test@localhost"])
                    .args(arguments)
                    .current_dir(&repository)
                    .env("GIT_CONFIG_GLOBAL", "/dev/null"),
            )
        };
        git(&["init", "--quiet", "--initial-branch=main"]);
        // What GITHUB_REPOSITORY is taken from; nothing is fetched.
        git(&["remote", "add", "origin", &format!("https://github.com/{REPOSITORY}.git")]);
        git(&["add", "--all"]);
        git(&["commit", "--quiet", "--message=test"]);
        Self {
            dir,
            program: program.to_owned(),
            variables: BTreeMap::new(),
            environment: BTreeMap::new(),
            token: TOKEN.to_owned(),
        }
    }

    /// Of everything that belongs to the runs.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The file of an artifact that `sweep.yml` has kept, or is to have kept.
    pub fn artifact(&self, file: &str) -> PathBuf {
        self.path("artifacts").join(file)
    }

    /// How the stand-in was called, one line a call; the workshop's own directory reads `DIR`.
    pub fn calls(&self) -> Vec<String> {
        let calls = fs::read_to_string(self.path("calls")).unwrap_or_default();
        calls
            .replace(&self.dir.path().display().to_string(), "DIR")
            .lines()
            .map(|l| l.trim().to_owned())
            .collect()
    }

    /// Puts an artifact there as a run of `sweep.yml` would, or as somebody hostile would.
    pub fn put(&self, file: &str, content: &str) {
        let path = self.artifact(file);
        fs::create_dir_all(path.parent().expect("a directory")).expect("a directory");
        fs::write(path, content).expect("a file");
    }

    /// Puts a symbolic link into an artifact.
    pub fn put_link(&self, file: &str, target: &Path) {
        let path = self.artifact(file);
        fs::create_dir_all(path.parent().expect("a directory")).expect("a directory");
        symlink(target, path).expect("a link");
    }

    /// Runs a workflow for an event, on this host, against no Docker engine.
    pub fn run(&self, workflow: &str, event: &str, payload: &Value) -> Run {
        let bin = tools().as_ref().expect("ask `missing` first");
        let event_file = self.path("event.json");
        fs::write(&event_file, payload.to_string()).expect("a file");
        let file = Path::new(".github/workflows").join(workflow);
        let mut act = Command::new(bin.join("act"));
        act.arg(event).arg("--json").arg("--workflows").arg(&file).arg("--eventpath").arg(&event_file);
        act.args(["--platform", "self-hosted=-self-hosted", "--platform", "ubuntu-24.04=-self-hosted"]);
        act.args(["--use-new-action-cache", "--action-offline-mode", "--no-cache-server"]);
        act.arg("--action-cache-path").arg(self.path("cache"));
        act.args(["--env-file", "/dev/null", "--var-file", "/dev/null", "--secret-file", "/dev/null"]);
        let workflow_text = fs::read_to_string(root().join(&file)).expect("the workflow");
        for name in ["upload-artifact", "download-artifact"] {
            for pin in pins(&workflow_text, &format!("actions/{name}@")) {
                act.arg("--local-repository");
                act.arg(format!("actions/{name}@{pin}={}", fixture(name).display()));
            }
        }
        for (name, value) in &self.variables {
            act.arg("--var").arg(format!("{name}={value}"));
        }
        let own = [
            ("TOLLGATE_TEST_PROGRAM", self.program.clone()),
            ("TOLLGATE_TEST_ARTIFACTS", self.path("artifacts")),
            ("TOLLGATE_TEST_CALLS", self.path("calls")),
        ];
        for (name, value) in own {
            act.arg("--env").arg(format!("{name}={}", value.display()));
        }
        for (name, value) in &self.environment {
            act.arg("--env").arg(format!("{name}={value}"));
        }
        let path = std::env::var("PATH").unwrap_or_default();
        let ran = act
            .arg("--secret")
            .arg(format!("GITHUB_TOKEN={}", self.token))
            .current_dir(self.path("repository"))
            .env_clear()
            .env("PATH", format!("{}:{path}", fixture("bin").display()))
            .env("HOME", self.path("home"))
            .env("TMPDIR", self.path("tmp"))
            .env("DOCKER_HOST", "unix:///nonexistent")
            .output()
            .expect("act");
        Run::read(&ran)
    }
}

impl Run {
    fn read(ran: &Output) -> Self {
        let log = text(&ran.stdout) + &text(&ran.stderr);
        let mut run = Self {
            succeeded: ran.status.success(),
            steps: Vec::new(),
            outputs: BTreeMap::new(),
            summary: String::new(),
            annotations: Vec::new(),
            log,
        };
        let lines: Vec<Value> = run.log.lines().filter_map(|l| serde_json::from_str(l).ok()).collect();
        for line in &lines {
            let field = |name: &str| line[name].as_str().unwrap_or_default().to_owned();
            // A composite action's step and the step that uses it say the same; the inner one has a longer id.
            let inner = line["stepID"].as_array().is_some_and(|ids| ids.len() > 1);
            match line["command"].as_str() {
                Some("set-output") => drop(run.outputs.insert(field("name"), field("arg"))),
                Some("summary") if inner => run.summary += &field("content"),
                Some(level @ ("error" | "warning" | "notice")) => {
                    run.annotations.push((level.to_owned(), field("arg")));
                }
                _ => {}
            }
            if line["stage"] == "Main" && !inner && line["stepResult"].is_string() {
                run.steps.push((field("step"), field("stepResult")));
            }
        }
        run
    }

    /// How a step ended; `None` when it was not run.
    pub fn step(&self, name: &str) -> Option<&str> {
        self.steps.iter().find(|(n, _)| n == name).map(|(_, result)| result.as_str())
    }
}

/// What follows each `uses: ACTION@` in a workflow, each once.
fn pins(workflow: &str, action: &str) -> BTreeSet<String> {
    let after = workflow.split(action).skip(1);
    after.filter_map(|rest| rest.split_whitespace().next().map(str::to_owned)).collect()
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a directory");
    for entry in fs::read_dir(from).expect("a directory").flatten() {
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if source.is_dir() {
            copy(&source, &target);
        } else {
            fs::copy(&source, &target).expect("a copy");
        }
    }
}
