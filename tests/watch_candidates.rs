//! What is offered, as an issue: the program `tollgate watch` with an engine of this test and the fake of GitHub. Nothing is asked of the
//! world: the answers of the feeds lie in the state directory, as an earlier service left them.

mod common;
#[path = "common/fake_engine.rs"]
mod fake_engine;
#[path = "common/github/mod.rs"]
mod github;
#[path = "common/running.rs"]
mod running;

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use fake_engine::FakeEngine;
use github::{FakeGitHub, Fault, REPO, Reason, When};
use running::Running;
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const SETTINGS: &str = "host_class = \"farm-a\"\nstate = \"state\"\n[docker]\nsocket = \"engine.sock\"\n\
    [watch]\nmode = \"dispatch\"\nlisten = \"\"\nfiles = []\nfollow = [\"moby\"]\n";

const POLICY: &str = "[alert.webhook.ops]\nurl_env = \"OPS_WEBHOOK_URL\"\n";

/// What a webhook was told: the transitions, each with the identity of its delivery.
type Inbox = Arc<Mutex<Vec<(String, String)>>>;

/// Receives until the test ends. Says where.
fn receive() -> (Inbox, String) {
    let inbox = Inbox::default();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.set_nonblocking(true).expect("a socket");
    let url = format!("http://{}/", listener.local_addr().expect("an address"));
    let take = |State(inbox): State<Inbox>, Json(body): Json<Value>| async move {
        let text = |field: &str| body[field].as_str().expect("text").to_owned();
        assert_eq!(text("about"), "candidates");
        inbox.lock().expect("lock").push((text("transition"), text("delivery")));
        StatusCode::NO_CONTENT
    };
    let app = Router::new().fallback(post(take)).with_state(Arc::clone(&inbox));
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener).expect("a socket");
            axum::serve(listener, app).await.expect("serves");
        });
    });
    (inbox, url)
}

/// A host with a state directory, an engine, and a repository.
struct Host {
    dir: tempfile::TempDir,
    fake: FakeGitHub,
    token: String,
    engine: FakeEngine,
    inbox: Inbox,
    webhook: String,
}

impl Host {
    fn new(engine: &str) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        fs::write(dir.path().join("tollgate.toml"), SETTINGS).expect("written");
        fs::create_dir(dir.path().join("alerts")).expect("made");
        fs::write(dir.path().join("alerts/policy.toml"), POLICY).expect("written");
        let (inbox, webhook) = receive();
        let fake = FakeGitHub::start();
        let token = fake.personal_token("operator");
        // With write access: GitHub drops the labels of strangers.
        let _ = fake.person("operator");
        let engine = FakeEngine::start(&dir.path().join("engine.sock"), engine);
        Self { dir, fake, token, engine, inbox, webhook }
    }

    /// As an earlier service heard it.
    fn moby_offers(&self, version: &str) {
        let now = chrono::Utc::now();
        let url = format!("https://github.com/moby/moby/releases/tag/docker-v{version}");
        let offer = json!({ "component": "docker-engine", "version": version, "installed": null, "url": url,
                            "seen_at": now });
        let moby = json!({ "next": now + chrono::TimeDelta::hours(24), "heard": true, "offers": [offer] });
        let state = self.dir.path().join("state");
        fs::create_dir_all(&state).expect("made");
        fs::write(state.join("upstream.json"), json!({ "moby": moby }).to_string()).expect("written");
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tollgate"));
        command.args(args).current_dir(self.dir.path()).stdin(Stdio::null()).env_clear();
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("GITHUB_REPOSITORY", REPO).env("GITHUB_TOKEN", &self.token);
        command.env("GITHUB_API_URL", self.fake.url()).env("OPS_WEBHOOK_URL", &self.webhook);
        command
    }

    fn start(&self) -> Running {
        let log = self.dir.path().join("log");
        let words = fs::File::create(&log).expect("a file");
        let mut command = self.command(&["watch"]);
        Running { child: command.stdout(Stdio::null()).stderr(words).spawn().expect("starts"), log }
    }

    /// How often the issues about candidates were read.
    fn reads(&self) -> usize {
        let world = self.fake.world();
        world.log.iter().filter(|r| r.method == "GET" && r.path.ends_with("/issues")).count()
    }

    /// A service from its start until it has looked at the issues and has nothing more to say. Returns what it wrote.
    fn once(&self) -> Vec<String> {
        self.fake.forget_requests();
        let mut service = self.start();
        service.wait("it reads the issues", || self.reads() > 0);
        service.wait("it has told all", || self.outbox() == 0);
        service.stop();
        self.fake.writes().iter().map(|w| format!("{} {}", w.method, w.path)).collect()
    }

    /// What the webhook heard, each delivery once.
    fn told(&self) -> Vec<String> {
        let mut told = self.inbox.lock().expect("lock").clone();
        told.dedup_by(|a, b| a.1 == b.1);
        told.into_iter().map(|(transition, _)| transition).collect()
    }

    fn outbox(&self) -> usize {
        let entries = fs::read_dir(self.dir.path().join("state/outbox")).into_iter().flatten().flatten();
        entries.filter(|e| e.path().extension().is_some_and(|e| e == "json")).count()
    }
}

fn issue(fake: &FakeGitHub) -> github::state::Item {
    let issues = fake.issues();
    assert_eq!(issues.len(), 1, "one issue, whatever happened");
    issues[0].clone()
}

fn last_comment(fake: &FakeGitHub) -> String {
    fake.comments(1).last().map(|c| c.body.clone()).unwrap_or_default()
}

#[test]
fn one_issue_follows_what_is_offered_over_restarts() {
    if !common::real(github::missing()) {
        return;
    }
    let host = Host::new("28.5.2");
    let fake = &host.fake;
    host.moby_offers("29.0.1");
    host.once();
    let opened = issue(fake);
    assert_eq!(opened.title, "Candidate upgrades on farm-a");
    assert_eq!(opened.labels, ["tollgate:candidate"], "who looks for alerts does not find it");
    let body = opened.body.expect("a body");
    assert!(body.contains("29&#46;0&#46;1") || body.contains("29.0.1"), "{body}");
    assert!(body.contains("28.5.2") && !body.to_lowercase().contains("regress"), "{body}");

    assert_eq!(host.once(), [""; 0], "a restart says nothing twice");

    host.moby_offers("29.0.2");
    host.once();
    assert!(issue(fake).open && issue(fake).body.is_some_and(|b| b.contains("29.0.2")));
    assert_eq!(fake.comments(1).len(), 1);
    assert!(last_comment(fake).contains("Offered now"), "{}", last_comment(fake));

    fake.person("alice").close(1, Reason::NotPlanned);
    assert_eq!(host.once(), [""; 0], "who closed it does not want to hear of it");
    assert!(!issue(fake).open);

    host.moby_offers("29.0.3");
    host.once();
    assert!(issue(fake).open, "of another version nobody has decided");
    assert_eq!(fake.comments(1).len(), 2);

    let mut service = host.start();
    host.engine.becomes("29.0.3");
    service.wait("it looks", || host.command(&["trigger"]).output().is_ok_and(|o| o.status.success()));
    service.wait("the upgrade is measured, and the issue closed", || !issue(fake).open);
    service.stop();
    assert!(last_comment(fake).contains("this host has <code>29.0.3</code> now"), "{}", last_comment(fake));
    let reasons: Vec<_> = fake.dispatches().iter().map(|d| d.payload["reason"].to_string()).collect();
    assert_eq!(reasons.len(), 2, "{reasons:?}");
    assert!(reasons[1].contains("docker-engine from 28.5.2 to 29.0.3"), "{reasons:?}");
    assert_eq!(host.once(), [""; 0]);
    fake.assert_contract();
    assert_eq!(host.told(), ["opened", "joined", "reopened", "closed"], "webhooks hear of each once");
}

#[test]
fn what_cannot_be_told_waits_and_is_told_once() {
    if !common::real(github::missing()) {
        return;
    }
    let host = Host::new("28.5.2");
    let fake = &host.fake;
    let policy = host.dir.path().join("alerts/policy.toml");
    fs::remove_file(&policy).expect("removed");
    // GitHub is away, and the service is killed.
    fake.inject(When::every("GET", "/repos/*/*/issues"), Fault::Before(502));
    host.moby_offers("29.0.1");
    let mut service = host.start();
    service.wait("it is kept", || host.outbox() == 1);
    service.wait("it goes on beside that", || fake.dispatches().len() == 1);
    drop(service);
    assert_eq!((host.outbox(), fake.issues().len()), (1, 0), "what was not told is there");
    // The answer to the new issue is lost, and after it was found nothing is heard any more: killed in the middle.
    fake.calm();
    fake.forget_requests();
    fake.inject(When::first(1, "POST", "/repos/*/*/issues"), Fault::DropAfter);
    (3..100).for_each(|n| fake.inject(When::nth(n, "GET", "/repos/*/*/issues"), Fault::Before(502)));
    let mut service = host.start();
    service.wait("it is opened", || fake.issues().len() == 1);
    service.wait("it looks again", || host.reads() > 2);
    drop(service);
    assert_eq!(host.outbox(), 1, "it is not known to be told");
    fake.calm();
    // As if it had died before it called the webhook.
    fs::write(&policy, POLICY).expect("written");
    let written = host.once();
    assert!(issue(fake).open && written.is_empty(), "it is found again: {written:?}");
    assert_eq!(host.told(), ["opened"], "the webhook was not called before, and is now");
    // By then something else is offered, too: what waited says the same as what is told now.
    host.moby_offers("29.0.2");
    host.once();
    assert_eq!((issue(fake).open, fake.comments(1).len(), host.outbox()), (true, 1, 0));
}

#[test]
fn notices_can_be_switched_off() {
    if !common::real(github::missing()) {
        return;
    }
    let host = Host::new("28.5.2");
    let settings = format!("{SETTINGS}notices = false\n");
    fs::write(host.dir.path().join("tollgate.toml"), settings).expect("written");
    host.moby_offers("29.0.1");
    let mut service = host.start();
    service.wait("it has done its first job", || settled(host.dir.path()));
    std::thread::sleep(Duration::from_millis(300));
    service.stop();
    assert!(host.fake.issues().is_empty() && host.reads() == 0);
}

fn settled(dir: &Path) -> bool {
    fs::read_to_string(dir.join("state/queue.json")).is_ok_and(|q| q.contains("\"dispatched\""))
}
