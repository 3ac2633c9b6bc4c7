//! The fake of GitHub keeps to GitHub's description and to the rules that the description leaves out.

mod common;
#[path = "common/github/mod.rs"]
mod github;

use chrono::TimeDelta;
use github::{
    APP_ID, Asker, EventKind, FakeGitHub, Fault, Got, INSTALLATION, JOB_LOGIN, Kind, LONGEST_BODY, REPO,
    Reason, Storm, When,
};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// A fake with the token of a job, or why there is none.
fn fake() -> Option<(FakeGitHub, Asker)> {
    if !common::real(github::missing()) {
        return None;
    }
    let fake = FakeGitHub::start();
    let job = fake.ask_as(&fake.job_token());
    Some((fake, job))
}

fn at(path: &str) -> String {
    format!("/repos/{REPO}{path}")
}

fn open(job: &Asker, title: &str) -> Got {
    job.post(&at("/issues"), json!({"title": title, "body": "text", "labels": ["tollgate"]}))
}

#[test]
fn an_issue_is_opened_commented_closed_and_reopened() {
    let Some((fake, job)) = fake() else { return };
    let opened = open(&job, "Toll of fio rose");
    assert_eq!(
        (opened.status, &opened.body["number"], &opened.body["state"]),
        (201, &json!(1), &json!("open"))
    );
    assert_eq!(opened.body["user"]["login"], JOB_LOGIN);
    assert_eq!(opened.header("location"), opened.body["url"].as_str());
    // An unknown label was made.
    assert!(fake.labels().contains(&"tollgate".to_owned()));
    let comment = job.post(&at("/issues/1/comments"), json!({"body": "worse"}));
    let id = comment.body["id"].as_u64().expect("an id");
    assert_eq!(job.patch(&at(&format!("/issues/comments/{id}")), json!({"body": "better"})).status, 200);
    assert_eq!(fake.comments(1)[0].body, "better");
    let closed = job.patch(&at("/issues/1"), json!({"state": "closed"})).body;
    assert_eq!((&closed["state"], &closed["state_reason"]), (&json!("closed"), &json!("completed")));
    assert_eq!(closed["closed_by"]["login"], JOB_LOGIN);
    assert!(closed["closed_at"].is_string() && fake.open_issues().is_empty());
    assert_eq!(job.get(&at("/issues?labels=tollgate")).body, json!([]));
    let again = job.patch(&at("/issues/1"), json!({"state": "open"})).body;
    assert_eq!((&again["state_reason"], &again["closed_at"]), (&json!("reopened"), &Value::Null));
    let closed =
        fake.issue(1).events.iter().filter(|e| e.kind == EventKind::Closed(Some("completed".into()))).count();
    assert_eq!(closed, 1);
    let gone = job.ask("DELETE", &at(&format!("/issues/comments/{id}")), None);
    assert_eq!((gone.status, gone.text.as_str()), (204, ""));
    assert_eq!(job.get(&at(&format!("/issues/comments/{id}"))).status, 404);
}

#[test]
fn every_operation_that_is_done_answers_as_described() {
    let Some((fake, job)) = fake() else { return };
    let alice = fake.person("alice");
    let number = alice.open_pull("faster", "Faster", &[("src/lib.rs", "fn fast() {}\n")]);
    let from_fork = fake.stranger("mallory").open_pull("worse", "Worse", &[("README.md", "no\n")]);
    let issue = alice.open_issue("Old", "text", &["bug"]);
    alice.label(issue, "tollgate:accept");
    alice.comment(issue, "seen");
    alice.close(issue, Reason::NotPlanned);
    let run = fake.add_run("sweep.yml", "pull_request", "faster", &["tollgate", "other"]);
    let (main, head) = (fake.sha("main").expect("main"), fake.sha("faster").expect("faster"));
    let check =
        job.post(&at("/check-runs"), json!({"name": "tollgate", "head_sha": head, "status": "in_progress"}));
    let check = check.body["id"].as_u64().expect("an id");
    let reads = [
        "/issues?state=all&sort=updated&direction=asc&creator=alice&since=2020-01-01T00:00:00Z".to_owned(),
        format!("/issues/{issue}"),
        format!("/issues/{issue}/comments"),
        format!("/issues/{issue}/labels"),
        format!("/issues/{issue}/timeline"),
        format!("/issues/{number}"),
        "/labels".to_owned(),
        "/labels/tollgate%3Aaccept".to_owned(),
        format!("/check-runs/{check}"),
        "/commits/faster/check-runs?check_name=tollgate".to_owned(),
        format!("/commits/{head}/pulls"),
        "/git/ref/heads/faster".to_owned(),
        "/contents/src/lib.rs?ref=faster".to_owned(),
        "/contents/src?ref=faster".to_owned(),
        "/pulls?head=acme:faster".to_owned(),
        format!("/pulls/{number}"),
        format!("/pulls/{from_fork}"),
        format!("/pulls/{number}/files"),
        format!("/actions/runs/{run}"),
        format!("/actions/runs/{run}/artifacts?name=tollgate"),
    ];
    for path in reads {
        let got = job.get(&at(&path));
        assert_eq!(got.status, 200, "{path}: {}", got.text);
        assert!(!["[]", "{}"].contains(&got.text.as_str()), "{path}: nothing");
    }
    assert_eq!(job.get("/rate_limit").status, 200);
    let writes = [
        (
            "POST",
            "/labels".to_owned(),
            json!({"name": "new", "color": "00ff00", "description": "of a test"}),
            201,
        ),
        ("POST", format!("/issues/{issue}/labels"), json!({"labels": ["new"]}), 200),
        ("POST", format!("/issues/{number}/comments"), json!({"body": "on a pull request"}), 201),
        ("POST", format!("/statuses/{head}"), json!({"state": "success", "context": "tollgate"}), 201),
        (
            "PATCH",
            format!("/check-runs/{check}"),
            json!({"conclusion": "neutral", "output": {"summary": "s"}}),
            200,
        ),
        ("POST", "/git/refs".to_owned(), json!({"ref": "refs/heads/tollgate/b", "sha": main}), 201),
        (
            "PUT",
            "/contents/baselines/a.toml".to_owned(),
            json!({"message": "m", "content": "YQ==", "branch": "tollgate/b"}),
            201,
        ),
        (
            "POST",
            "/pulls".to_owned(),
            json!({"title": "t", "head": "tollgate/b", "base": "main", "body": "b"}),
            201,
        ),
        (
            "POST",
            "/dispatches".to_owned(),
            json!({"event_type": "docker-upgrade", "client_payload": {"a": 1}}),
            204,
        ),
        ("POST", "/actions/workflows/sweep.yml/dispatches".to_owned(), json!({"ref": "main"}), 204),
    ];
    for (method, path, body, status) in writes {
        let got = job.ask(method, &at(&path), Some(body));
        assert_eq!(got.status, status, "{method} {path}: {}", got.text);
    }
    assert_eq!(fake.file("tollgate/b", "baselines/a.toml").as_deref(), Some("a"));
    assert_eq!((fake.dispatches().len(), fake.statuses().len(), fake.checks().len()), (2, 1, 1));
    let person = fake.ask_as(&fake.personal_token("alice"));
    assert_eq!(person.get("/user").body["login"], "alice");
    fake.assert_contract();
}
