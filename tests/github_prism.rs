//! A second opinion: Stoplight's Prism, with GitHub's own description, stands between the real program and the fake, and
//! refuses every request and every answer that the description does not allow. Proposals are left out: Prism does not take
//! `heads/main` as the one parameter that it is in the description.

mod common;
#[path = "common/github/mod.rs"]
mod github;
#[path = "common/recorded.rs"]
mod recorded;

use github::{FakeGitHub, REPO};
use recorded::Recorded;
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// Prism between a client and the fake.
struct Prism {
    child: Child,
    url: String,
}

impl Drop for Prism {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The directory of the tools, which `packaging/tools.sh` installs once.
fn tools() -> Result<PathBuf, String> {
    let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("packaging/tools.sh");
    let ran = Command::new(script).output().map_err(|e| e.to_string())?;
    if ran.status.success() {
        Ok(PathBuf::from(String::from_utf8_lossy(&ran.stdout).trim()))
    } else {
        Err(format!("prism is missing: {}", String::from_utf8_lossy(&ran.stderr)))
    }
}

impl Prism {
    fn before(fake: &FakeGitHub, tools: &std::path::Path) -> Self {
        let free = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a port");
        let path = format!("{}:{}", tools.display(), std::env::var("PATH").unwrap_or_default());
        let description = std::env::var("TOLLGATE_GITHUB_OPENAPI").expect("the description");
        let child = Command::new(tools.join("prism"))
            .args(["proxy", &description, fake.url(), "--errors", "--host", "127.0.0.1", "--port"])
            .arg(free.port().to_string())
            .env("PATH", path)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("prism starts");
        let begun = Instant::now();
        while TcpStream::connect(free).is_err() {
            assert!(begun.elapsed() < Duration::from_secs(60), "prism does not listen");
            std::thread::sleep(Duration::from_millis(100));
        }
        Self { child, url: format!("http://{free}") }
    }
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[test]
fn prism_finds_nothing_wrong_with_the_life_of_an_issue() {
    if !common::real(github::missing()) {
        return;
    }
    let tools = match tools() {
        Ok(tools) => tools,
        Err(why) => {
            common::real(Some(why));
            return;
        }
    };
    let fake = FakeGitHub::start();
    let prism = Prism::before(&fake, &tools);
    let refused = Command::new("curl")
        .args(["-s", "-o", "/dev/null", "-w", "%{http_code}", "-X", "POST", "-d", "{\"titel\": 1}"])
        .args(["-H", "content-type: application/json", "-H", "authorization: Bearer x"])
        .arg(format!("{}/repos/{REPO}/issues", prism.url))
        .output()
        .expect("curl runs");
    assert_eq!(String::from_utf8_lossy(&refused.stdout), "422", "prism lets garbage through");
    let dir = tempfile::tempdir().expect("a directory");
    let token = fake.job_token();
    for hour in 0..3 {
        Recorded { hour, engine: "20.10.24+dfsg1", nat: 1.0 }.accept(&dir.path().join("baselines"));
    }
    let run = |files: &[PathBuf]| {
        let mut command = recorded::tollgate(dir.path());
        command.args(["gate", "--notify", "--replay"]).args(files);
        command.env("GITHUB_REPOSITORY", REPO).env("GITHUB_TOKEN", &token).env("GITHUB_API_URL", &prism.url);
        command.output().expect("runs")
    };
    let mut hour = 3;
    let mut gate = |engine, nat| {
        let files: Vec<PathBuf> = (0..3)
            .map(|n| Recorded { hour: hour + n, engine, nat }.write(&dir.path().join("recorded")))
            .collect();
        hour += 3;
        run(&files)
    };
    for (engine, nat, code) in
        [("26.1.5", 1.15, 1), ("26.1.6", 1.0, 0), ("26.1.6", 1.0, 0), ("26.1.6", 1.15, 1)]
    {
        let output = gate(engine, nat);
        assert_eq!(output.status.code(), Some(code), "{}", text(&output));
        assert!(!text(&output).contains("waiting in the outbox"), "{}", text(&output));
    }
    assert_eq!((fake.open_issues().len(), fake.comments(1).len()), (1, 3));
}
