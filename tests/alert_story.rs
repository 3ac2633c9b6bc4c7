//! The whole story with the real program against the fake of GitHub: a Docker upgrade makes NAT slower, an issue is opened,
//! nothing is said twice, a recovery closes it, a relapse opens it again, and a person accepts it.

mod common;
#[path = "common/github/mod.rs"]
mod github;
#[path = "common/recorded.rs"]
mod recorded;

use github::{FakeGitHub, REPO};
use recorded::Recorded;
use std::path::PathBuf;
use std::process::{Command, Output};

struct Stage {
    fake: FakeGitHub,
    token: String,
    dir: tempfile::TempDir,
    hour: u32,
}

impl Stage {
    /// Three accepted sweeps of the old engine.
    fn new() -> Self {
        let fake = FakeGitHub::start();
        let (token, dir) = (fake.job_token(), tempfile::tempdir().expect("a directory"));
        let stage = Self { fake, token, dir, hour: 3 };
        for hour in 0..3 {
            let engine = "20.10.24+dfsg1";
            Recorded { hour, engine, nat: 1.0 }.accept(&stage.dir.path().join("baselines"));
        }
        // What is recorded is the whole of this profile, so that its sweeps can be accepted.
        std::fs::write(stage.dir.path().join("tollgate.toml"), recorded::PROFILE).expect("written");
        stage
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = recorded::tollgate(self.dir.path());
        command.args(args);
        command.env("GITHUB_REPOSITORY", REPO).env("GITHUB_TOKEN", &self.token);
        command.env("GITHUB_API_URL", self.fake.url());
        command
    }

    /// A gate of three recorded sweeps: one screens, two confirm. Says it to GitHub.
    fn gate(&mut self, engine: &str, nat: f64) -> Output {
        let files: Vec<PathBuf> = (0..3)
            .map(|n| Recorded { hour: self.hour + n, engine, nat }.write(&self.dir.path().join("recorded")))
            .collect();
        self.hour += 3;
        let mut command = self.command(&["gate", "--notify", "--replay"]);
        let output = command.args(files).output().expect("runs");
        let said = text(&output);
        assert!(!said.contains(&self.token), "a token in the output");
        output
    }

    fn issue(&self) -> (String, String, Option<String>, usize) {
        let mut issues = self.fake.issues();
        issues.retain(|i| i.title != "mine");
        let [issue] = &issues[..] else { panic!("{} issues", issues.len()) };
        let number = issue.number;
        let body = issue.body.clone().unwrap_or_default();
        (issue.title.clone(), body, self.state(number), self.fake.comments(number).len())
    }

    fn state(&self, number: u64) -> Option<String> {
        let open = self.fake.open_issues().iter().any(|i| i.number == number);
        (!open).then(|| "closed".to_owned())
    }
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// Without the marker, whose digests follow from what the text shows.
fn readable(body: &str) -> String {
    body.lines().skip(1).collect::<Vec<_>>().join("\n")
}

#[test]
fn an_upgrade_opens_an_issue_which_follows_the_toll_until_a_person_accepts_it() {
    if !common::real(github::missing()) {
        return;
    }
    let mut stage = Stage::new();
    let output = stage.gate("26.1.5+dfsg1", 1.15);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    let (title, body, closed, _) = stage.issue();
    assert_eq!(closed, None);
    insta::assert_snapshot!("issue", format!("{title}\n{}", readable(&body)));

    stage.fake.forget_requests();
    let again = stage.gate("26.1.5+dfsg1", 1.15);
    assert_eq!(again.status.code(), Some(1), "{}", text(&again));
    assert!(stage.fake.writes().is_empty(), "the same again: {:?}", stage.fake.writes());

    // Whoever pastes our first line is not us.
    let pasted = stage.fake.person("mallory").open_issue("mine", &body, &["tollgate"]);
    let fooled = stage.gate("26.1.5+dfsg1", 1.15);
    assert_eq!(fooled.status.code(), Some(1), "{}", text(&fooled));
    assert!(stage.fake.writes().is_empty(), "a pasted marker: {:?}", stage.fake.writes());
    stage.fake.person("mallory").close(pasted, github::Reason::Completed);

    for (recovered, comments) in [(None, 1), (Some("closed".to_owned()), 2)] {
        let back = stage.gate("26.1.6+dfsg1", 1.0);
        assert_eq!(back.status.code(), Some(0), "{}", text(&back));
        let (.., closed, said) = stage.issue();
        assert_eq!((closed, said), (recovered, comments), "{}", text(&back));
    }

    let relapse = stage.gate("26.1.6+dfsg1", 1.15);
    assert_eq!(relapse.status.code(), Some(1), "{}", text(&relapse));
    let (.., closed, said) = stage.issue();
    assert_eq!((closed, said), (None, 3));

    stage.fake.person("alice").label(1, "tollgate:accept");
    let accepted = stage.gate("26.1.6+dfsg1", 1.15);
    assert!(text(&accepted).contains("label tollgate:accept on #1"), "{}", text(&accepted));
    assert_eq!(accepted.status.code(), Some(0), "what a person accepted fails no job");
    let (.., closed, said) = stage.issue();
    assert_eq!((closed.as_deref(), said), (Some("closed"), 4));
    let comments: Vec<String> = stage.fake.comments(1).iter().map(|c| readable(&c.body)).collect();
    insta::assert_snapshot!("comments", comments.join("\n----\n"));

    let labels = stage.fake.issues()[0].labels.clone();
    assert_eq!(labels, ["tollgate"], "the consent ends with the issue");

    let after = stage.gate("26.1.6+dfsg1", 1.15);
    assert_eq!(after.status.code(), Some(0), "the new regime: {}", text(&after));
    assert_eq!(stage.fake.open_issues().len(), 0);
}

#[test]
fn what_could_not_be_sent_waits_and_the_next_run_says_it_once() {
    if !common::real(github::missing()) {
        return;
    }
    let mut stage = Stage::new();
    let api = std::mem::replace(&mut stage.fake, FakeGitHub::start());
    // Nobody answers at this address any more.
    api.stop();
    let files = [3, 4, 5]
        .map(|hour| Recorded { hour, engine: "26.1.5", nat: 1.15 }.write(&stage.dir.path().join("recorded")));
    let mut gate = stage.command(&["gate", "--notify", "--replay"]);
    let gone = gate.args(files).env("GITHUB_API_URL", api.url()).output().expect("runs");
    assert_eq!(gone.status.code(), Some(1), "the regression is told first: {}", text(&gone));
    assert!(text(&gone).contains("waiting in the outbox"), "{}", text(&gone));
    assert!(!text(&gone).contains(&stage.token));
    stage.token = stage.fake.job_token();
    let next = stage.command(&["notify"]).output().expect("runs");
    assert_eq!(next.status.code(), Some(0), "{}", text(&next));
    assert_eq!(stage.fake.open_issues().len(), 1);
    stage.fake.forget_requests();
    let nothing = stage.command(&["notify"]).output().expect("runs");
    assert_eq!(String::from_utf8_lossy(&nothing.stdout), "nothing to say\n");
    assert!(stage.fake.requests().is_empty());
}

#[test]
fn a_file_that_is_no_result_is_refused_and_a_dry_run_writes_nothing() {
    if !common::real(github::missing()) {
        return;
    }
    let stage = Stage::new();
    let bad = stage.dir.path().join("bad.json");
    std::fs::write(&bad, "{\"version\": 1}").expect("written");
    let refused = stage.command(&["notify", "--result"]).arg(&bad).output().expect("runs");
    assert_eq!(refused.status.code(), Some(2), "{}", text(&refused));
    assert!(text(&refused).contains("is no result of `tollgate gate`"), "{}", text(&refused));
    let files = [3, 4, 5]
        .map(|hour| Recorded { hour, engine: "26.1.5", nat: 1.15 }.write(&stage.dir.path().join("recorded")));
    let gate = stage.command(&["gate", "--replay"]).args(files).output().expect("runs");
    assert_eq!(gate.status.code(), Some(1), "{}", text(&gate));
    let dry = stage.command(&["notify", "--dry-run", "--result", "result.json"]).output().expect("runs");
    assert!(text(&dry).contains("would be opened: docker+nat: the network toll rose"), "{}", text(&dry));
    assert!(stage.fake.writes().is_empty());
}

#[test]
fn with_nobody_to_tell_it_says_so_before_it_measures() {
    let dir = tempfile::tempdir().expect("a directory");
    let run = |args: &[&str]| recorded::tollgate(dir.path()).args(args).output().expect("runs");
    let output = run(&["gate", "--notify"]);
    assert_eq!(output.status.code(), Some(2), "{}", text(&output));
    assert!(text(&output).contains("nobody to tell: set GITHUB_REPOSITORY"), "{}", text(&output));
    let output = run(&["gate", "--replay", "gone.json"]);
    assert_eq!(output.status.code(), Some(2), "{}", text(&output));
    assert!(!dir.path().join("result.json").exists(), "a wrong file name is no host that cannot measure");
}

#[test]
fn accepted_sweeps_are_proposed_once() {
    if !common::real(github::missing()) {
        return;
    }
    let stage = Stage::new();
    let propose = || {
        let output = stage.command(&["baseline", "propose"]).output().expect("runs");
        assert_eq!(output.status.code(), Some(0), "{}", text(&output));
        text(&output)
    };
    let first = propose();
    assert!(first.starts_with("opened with 3 files: "), "{first}");
    let again = propose();
    assert!(again.starts_with("unchanged: "), "{again}");
    assert_eq!(stage.fake.pulls().len(), 1);
    let path = format!("baselines/amd-epyc-2c-24g/smoke/{}.json", recorded::id(0));
    assert!(stage.fake.file("tollgate/baselines", &path).is_some_and(|t| t.contains("20.10.24")));
}
