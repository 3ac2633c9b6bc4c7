//! What people and a repository's settings do between two steps of ours: a person is faster, a label stays on, an author is
//! another one than was thought, labels are dropped, a conversation is locked, the API is away.

mod common;
#[path = "common/github/mod.rs"]
mod github;
#[path = "common/github_bed.rs"]
mod github_bed;
#[path = "common/recorded.rs"]
mod recorded;

use chrono::TimeDelta;
use github::{FakeGitHub, Fault, Kind, REPO, Reason, When};
use github_bed::Bed;
use recorded::Recorded;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tollgate::alert::render::{Context, Templates};
use tollgate::alert::{AlertPolicy, Situation, decide};
use tollgate::model::GateResult;
use tollgate::notify::github::Client;
use tollgate::notify::github::issues::{self, Applied, Board};

/// A host with three accepted sweeps, and the results of its gates.
struct Host {
    fake: FakeGitHub,
    token: String,
    dir: tempfile::TempDir,
}

impl Host {
    fn new() -> Option<Self> {
        if !common::real(github::missing()) {
            return None;
        }
        let fake = FakeGitHub::start();
        let (token, dir) = (fake.job_token(), tempfile::tempdir().expect("a directory"));
        for hour in 0..3 {
            Recorded { hour, engine: "20.10.24+dfsg1", nat: 1.0 }.accept(&dir.path().join("baselines"));
        }
        Some(Self { fake, token, dir })
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = recorded::tollgate(self.dir.path());
        command.args(args).env("GITHUB_REPOSITORY", REPO).env("GITHUB_TOKEN", &self.token);
        command.env("GITHUB_API_URL", self.fake.url());
        command
    }

    /// The `result.json` of a gate that began at this hour.
    fn result(&self, hour: u32, nat: f64) -> PathBuf {
        let recorded = self.dir.path().join("recorded");
        let files = (0..3).map(|n| Recorded { hour: hour + n, engine: "26.1.5", nat }.write(&recorded));
        let out = self.dir.path().join(format!("out{hour}"));
        std::fs::create_dir_all(&out).expect("made");
        let mut gate = recorded::tollgate(self.dir.path());
        let ran =
            gate.args(["gate", "--no-record", "--output"]).arg(&out).arg("--replay").args(files).output();
        assert!(matches!(ran.expect("runs").status.code(), Some(0 | 1)));
        out.join("result.json")
    }

    fn notify(&self, result: &Path) -> Output {
        self.command(&["notify", "--result"]).arg(result).output().expect("runs")
    }
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// A result of the nth hour, in which the network toll of docker+nat rose or is proven to be back.
fn judged(hour: u32, bad: bool) -> GateResult {
    risen(hour, if bad { 8.0 } else { 0.1 })
}

/// A result of the nth hour, in which it rose by so much; below one percent it is proven to be back.
fn risen(hour: u32, change: f64) -> GateResult {
    let bad = change > 1.0;
    let kind = if bad { "regressed" } else { "unchanged" };
    let value = json!({
        "version": 1, "decision": if bad { "regressed" } else { "pass" }, "summary": {},
        "verdicts": [{
            "workload": "redis", "case": "get", "metric": "requests", "unit": "1/s", "better": "higher",
            "family": "network", "environment": "docker+nat", "verdict": kind, "native": 1000.0,
            "toll_before_pct": 14.0, "toll_now_pct": 22.0, "change_pct": change,
            "ci95_pct": [change - 1.0, change + 1.0], "p": 0.001, "q": 0.01, "mde80_pct": 3.0,
            "threshold_pct": 5.0, "attribution": null, "sweeps_baseline": 10, "sweeps_candidate": 3,
            "reason": "a test",
        }],
        "changed": [{ "component": "docker-engine", "before": "20.10.24", "after": "26.1.5" }],
        "sweep": format!("20261101T{hour:02}0000Z-{hour:06x}"), "host_class": "farm-a", "profile": "standard",
        "started_at": format!("2026-11-01T{hour:02}:00:00Z"), "accelerator": null,
        "fingerprint": { "components": { "docker-engine": "26.1.5" }, "context": {} }, "cells": [],
        "proofs": [], "timing": { "wall_s": 1.0, "in_trials_s": 0.9, "harness_share": 0.1 },
        "baseline": "not accepted: a test",
    });
    serde_json::from_value(value).expect("a result")
}

/// Does the first thing that a result asks for on a board, and nothing else.
async fn first_action(client: &Client, board: &Board, result: &GateResult) -> Applied {
    let (policy, templates) = (AlertPolicy::default(), Templates::new(Vec::new()).expect("templates"));
    let now = client.clock().now();
    let decided = decide(&Situation { result, issues: &board.issues, policy: &policy, now });
    let action = decided.actions.first().expect("something to do");
    let context = Context { result, policy: &policy, run_url: None };
    issues::apply(client, board, action, &templates, &context).await.expect("applied")
}

fn opened(applied: Applied) -> issues::Changed {
    match applied {
        Applied::Done(changed) => changed,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_person_who_closes_an_issue_between_look_and_write_is_not_overruled() {
    let Some(bed) = Bed::new("") else { return };
    let client = bed.job();
    let empty = issues::board(&client).await.expect("read");
    let number = opened(first_action(&client, &empty, &judged(1, true)).await).number;
    let board = issues::board(&client).await.expect("read");
    bed.fake().person("alice").close(number, Reason::NotPlanned);
    assert_eq!(first_action(&client, &board, &judged(2, false)).await, Applied::Overtaken);
    assert_eq!(bed.fake().open_issues().len(), 0);
    let body = bed.fake().issues()[0].body.clone().expect("a body");
    assert!(body.contains("kind=issue"), "the text is as it was: {body}");
}

#[tokio::test]
async fn a_change_whose_answer_was_lost_is_not_made_again() {
    let Some(bed) = Bed::new("") else { return };
    let client = bed.job();
    let empty = issues::board(&client).await.expect("read");
    opened(first_action(&client, &empty, &judged(1, true)).await);
    let board = issues::board(&client).await.expect("read");
    bed.fake().inject(When::first(1, "PATCH", "/repos/*/*/issues/*"), Fault::DropAfter);
    opened(first_action(&client, &board, &judged(2, false)).await);
    assert_eq!(bed.count("PATCH", "/issues/1"), 1);
}

#[tokio::test]
async fn the_label_of_an_acceptance_is_taken_off_before_the_issue_can_come_back() {
    let Some(bed) = Bed::new("") else { return };
    let client = bed.job();
    let empty = issues::board(&client).await.expect("read");
    let number = opened(first_action(&client, &empty, &judged(1, true)).await).number;
    bed.fake().person("alice").label(number, "tollgate:accept");
    bed.fake().person("alice").label(number, "urgent");
    let accepted = GateResult {
        baseline: Some("accepted as baseline: by #1".into()),
        accepted_issues: vec![number],
        ..judged(2, true)
    };
    let board = issues::board(&client).await.expect("read");
    opened(first_action(&client, &board, &accepted).await);
    let issue = bed.fake().issues().remove(0);
    assert_eq!((issue.open, issue.labels), (false, vec!["tollgate".to_owned(), "urgent".to_owned()]));
}

#[tokio::test]
async fn consent_ends_when_the_rise_grows_and_the_comment_says_so() {
    let Some(bed) = Bed::new("") else { return };
    let client = bed.job();
    let empty = issues::board(&client).await.expect("read");
    let number = opened(first_action(&client, &empty, &judged(1, true)).await).number;
    bed.fake().person("alice").label(number, "tollgate:accept");
    let board = issues::board(&client).await.expect("read");
    opened(first_action(&client, &board, &risen(2, 60.0)).await);
    assert_eq!(bed.fake().issue(number).labels, ["tollgate"]);
    let comment = bed.fake().comments(number).remove(0).body;
    assert!(comment.contains("is taken off"), "{comment}");
}

#[tokio::test]
async fn what_another_run_wrote_meanwhile_is_not_overwritten() {
    let Some(bed) = Bed::new("") else { return };
    let client = bed.job();
    let empty = issues::board(&client).await.expect("read");
    opened(first_action(&client, &empty, &judged(1, true)).await);
    let stale = issues::board(&client).await.expect("read");
    opened(first_action(&client, &stale, &risen(4, 60.0)).await);
    assert_eq!(first_action(&client, &stale, &judged(3, false)).await, Applied::Overtaken);
    assert!(bed.fake().open_issues()[0].title.contains("60"), "{}", bed.fake().open_issues()[0].title);
}

#[tokio::test]
async fn an_issue_whose_label_github_dropped_is_no_silent_success() {
    let Some(bed) = Bed::new("") else { return };
    // May open issues, and label none.
    let client = bed.client(github_bed::token(&bed.fake().personal_token("stranger")), |_| {});
    let empty = issues::board(&client).await.expect("read");
    let changed = opened(first_action(&client, &empty, &judged(1, true)).await);
    let trouble = changed.trouble.expect("the next run would open it anew");
    assert!(trouble.contains("has no label tollgate"), "{trouble}");
}

#[test]
fn a_wrong_login_is_noticed_with_the_first_issue_and_opens_no_second_one() {
    let Some(mut host) = Host::new() else { return };
    host.token = host.fake.token(Kind::Installation, "farm-app[bot]", &[("issues", "write")]);
    host.fake.let_lists_lag(TimeDelta::minutes(5));
    let told = host.notify(&host.result(3, 1.15));
    assert_eq!(told.status.code(), Some(5), "{}", text(&told));
    assert!(
        text(&told).contains("set github.login, or TOLLGATE_GITHUB_LOGIN, to \"farm-app[bot]\""),
        "{}",
        text(&told)
    );
    assert_eq!(host.fake.open_issues().len(), 1);
    host.fake.let_lists_lag(TimeDelta::zero());
    let next = host.result(6, 1.15);
    let mut known = host.command(&["notify", "--result"]);
    let known = known.arg(next).env("TOLLGATE_GITHUB_LOGIN", "farm-app[bot]").output().expect("runs");
    assert_eq!(known.status.code(), Some(0), "{}", text(&known));
    assert_eq!(host.fake.open_issues().len(), 1);
}

#[test]
fn a_locked_conversation_holds_up_neither_other_issues_nor_later_results() {
    let Some(host) = Host::new() else { return };
    assert_eq!(host.notify(&host.result(3, 1.15)).status.code(), Some(0));
    host.fake.inject(When::every("POST", "/repos/*/*/issues/1/comments"), Fault::Before(403));
    let back = host.result(6, 1.0);
    for _ in 0..2 {
        let locked = host.notify(&back);
        assert_eq!(locked.status.code(), Some(3), "{}", text(&locked));
    }
    let outbox = std::fs::read_dir(host.dir.path().join("state/outbox")).expect("there").flatten();
    let jobs = outbox.filter(|f| f.file_name().to_string_lossy().ends_with("-github.json")).count();
    assert_eq!(jobs, 1, "the same result waits once");
    let other = host.result(9, 1.15);
    let mut result: Value = serde_json::from_slice(&std::fs::read(&other).expect("read")).expect("JSON");
    result["host_class"] = json!("another-host");
    std::fs::write(&other, result.to_string()).expect("written");
    let later = host.notify(&other);
    assert_eq!(later.status.code(), Some(3), "the first still waits: {}", text(&later));
    assert_eq!(host.fake.open_issues().len(), 2, "the later one was said: {}", text(&later));
    host.fake.calm();
    let unlocked = host.command(&["notify"]).output().expect("runs");
    assert_eq!(unlocked.status.code(), Some(0), "{}", text(&unlocked));
    assert!(text(&unlocked).contains("recovering"), "{}", text(&unlocked));
}

#[test]
fn a_result_is_kept_although_github_cannot_say_where_it_belongs() {
    let Some(host) = Host::new() else { return };
    let run = host.fake.add_run("sweep", "schedule", "main", &[]);
    let event = host.dir.path().join("event.json");
    let payload = json!({
        "workflow_run": { "id": run, "head_branch": "main", "head_repository": { "full_name": REPO } },
        "repository": { "full_name": REPO, "default_branch": "main" },
    });
    std::fs::write(&event, payload.to_string()).expect("written");
    let result = host.result(3, 1.15);
    host.fake.inject(When::every("GET", "/repos/*/*/actions/runs/*"), Fault::Before(401));
    let mut away = host.command(&["notify", "--result"]);
    away.arg(&result).env("GITHUB_ACTIONS", "true").env("GITHUB_EVENT_NAME", "workflow_run");
    let away = away.env("GITHUB_EVENT_PATH", &event).output().expect("runs");
    assert_eq!(away.status.code(), Some(3), "{}", text(&away));
    host.fake.calm();
    // Whatever sends it later is not of that run.
    let back = host.command(&["notify"]).output().expect("runs");
    assert_eq!((back.status.code(), host.fake.open_issues().len()), (Some(0), 1), "{}", text(&back));
}

#[test]
fn a_job_that_cannot_say_whose_code_it_has_is_refused() {
    let Some(host) = Host::new() else { return };
    let ran = host.command(&["gate"]).env("GITHUB_ACTIONS", "true").output().expect("runs");
    assert_eq!(ran.status.code(), Some(2), "{}", text(&ran));
    assert!(text(&ran).contains("GITHUB_EVENT_PATH is not set"), "{}", text(&ran));
}
