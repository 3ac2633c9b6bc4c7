//! The fake of GitHub fails where a test wants it to, and people change things beside the client.

mod common;
#[path = "common/github/mod.rs"]
mod github;
#[path = "common/github_job.rs"]
mod github_job;

use chrono::TimeDelta;
use github::{Asker, EventKind, FakeGitHub, Fault, Reason, Storm, When};
use github_job::{at, fake};
use serde_json::json;
use std::{
    io,
    time::{Duration, Instant},
};

/// The status, or how the connection ended.
fn open(job: &Asker, title: &str) -> io::Result<u16> {
    let issue = json!({"title": title, "labels": ["tollgate"]});
    job.try_ask("POST", &at("/issues"), Some(issue)).map(|got| got.status)
}

#[test]
fn a_fault_comes_before_or_after_the_write_was_done() {
    let Some((fake, job)) = fake() else { return };
    let issues = "/repos/*/*/issues";
    let cases = [
        (Fault::Before(500), Some(500), 0),
        (Fault::After(500), Some(500), 1),
        (Fault::Before(502), Some(502), 0),
        (Fault::After(502), Some(502), 1),
        (Fault::DropBefore, None, 0),
        (Fault::DropAfter, None, 1),
        (Fault::RetryAfter(403, 7), Some(403), 0),
        (Fault::RetryAfter(429, 7), Some(429), 0),
        (Fault::Before(401), Some(401), 0),
        (Fault::Before(404), Some(404), 0),
        (Fault::Before(410), Some(410), 0),
        (Fault::Before(422), Some(422), 0),
    ];
    for (fault, status, made) in cases {
        let before = fake.issues().len();
        fake.inject(When::nth(1, "POST", issues), fault.clone());
        assert_eq!(open(&job, "t").ok(), status, "{fault:?}");
        assert_eq!(fake.issues().len() - before, made, "{fault:?}");
        let last = fake.requests().pop().expect("a request");
        assert_eq!((last.done, last.status, last.fault), (made == 1, status, Some(format!("{fault:?}"))));
        assert_eq!(open(&job, "t").ok(), Some(201), "only the first one after {fault:?}");
    }
    let waits = Fault::RetryAfter(403, 7);
    fake.inject(When::nth(1, "GET", issues), waits);
    assert_eq!(job.get(&at("/issues")).header("retry-after"), Some("7"));
    fake.inject(When::nth(1, "*", "/repos/**"), Fault::Before(502));
    let page = job.get(&at("/issues"));
    assert!(
        page.body.is_null() && page.text.contains("502 Bad Gateway"),
        "a proxy's page, not JSON: {}",
        page.text
    );
}

#[test]
fn faults_hit_the_requests_that_were_meant() {
    let Some((fake, job)) = fake() else { return };
    fake.inject(When::nth(3, "POST", "/repos/*/*/issues"), Fault::Before(500));
    fake.inject(When::first(2, "GET", "/repos/*/*/issues/*"), Fault::Before(502));
    let opened: Vec<_> = (0..4).map(|_| open(&job, "t").expect("an answer")).collect();
    assert_eq!(opened, [201, 201, 500, 201]);
    let read: Vec<_> = (0..3).map(|_| job.get(&at("/issues/1")).status).collect();
    assert_eq!(read, [502, 502, 200]);
    assert_eq!(job.get(&at("/issues/1/comments")).status, 200);
    fake.inject(When::every("GET", "/**"), Fault::Before(500));
    assert_eq!((job.get("/rate_limit").status, job.get(&at("/issues")).status), (500, 500));
    fake.calm();
    assert_eq!(job.get(&at("/issues")).status, 200);
    let told: Vec<_> = fake.writes().iter().map(ToString::to_string).collect();
    assert_eq!(told[2], "POST /repos/acme/widgets/issues -> 500 (Before(500))");
}

#[test]
fn a_slow_answer_is_late_and_the_write_was_done_at_once() {
    let Some((fake, job)) = fake() else { return };
    let delay = Duration::from_millis(400);
    fake.inject(When::nth(1, "POST", "/**"), Fault::Slow(delay));
    let begun = Instant::now();
    std::thread::scope(|scope| {
        let slow = scope.spawn(|| open(&job, "slow").expect("an answer"));
        while fake.issues().is_empty() {
            assert!(begun.elapsed() < Duration::from_secs(10), "it was never done");
            std::thread::sleep(Duration::from_millis(5));
        }
        assert!(!slow.is_finished());
        assert_eq!(job.get(&at("/issues/1")).status, 200, "others are served meanwhile");
        assert_eq!(slow.join().expect("no panic"), 201);
    });
    assert!(begun.elapsed() >= delay);
}

#[test]
fn a_storm_is_the_same_for_the_same_seed_and_ends() {
    let Some((fake, job)) = fake() else { return };
    fake.limit(|limits| limits.writes_per_minute = 10_000);
    let statuses = |seed| {
        fake.storm(Storm::passing(seed));
        (0..80).map(|_| open(&job, "t").ok()).collect::<Vec<_>>()
    };
    let (one, same, other) = (statuses(1), statuses(1), statuses(2));
    assert_eq!(one, same);
    assert_ne!(one, other);
    assert_eq!(
        one.iter().skip(70).filter(|s| **s == Some(201)).count(),
        10,
        "twenty faults, and it is over: {one:?}"
    );
    assert!(one.contains(&None) && one.iter().any(|s| s.is_some_and(|s| s >= 500)), "{one:?}");
    // What was done is what is there, whatever was answered.
    assert_eq!(fake.issues().len(), fake.writes().iter().filter(|r| r.done).count());
}

#[test]
fn people_act_beside_the_client() {
    let Some((fake, job)) = fake() else { return };
    assert_eq!(open(&job, "ours").ok(), Some(201));
    let (alice, mallory) = (fake.person("alice"), fake.stranger("mallory"));
    let pasted = mallory.comment(1, "<!-- tollgate:v1 kind=comment key=k -->");
    let forged = mallory.open_issue("forged", "<!-- tollgate:v1 kind=issue key=k -->", &["tollgate"]);
    assert!(fake.issue(forged).labels.is_empty(), "a stranger sets no labels");
    alice.edit_issue(1, "edited by hand");
    alice.label(1, "tollgate:accept");
    alice.close(1, Reason::NotPlanned);
    let issue = job.get(&at("/issues/1")).body;
    assert_eq!((&issue["body"], &issue["state_reason"]), (&json!("edited by hand"), &json!("not_planned")));
    assert_eq!(issue["user"]["login"], "github-actions[bot]", "who edits is not the author");
    assert_eq!(issue["closed_by"]["login"], "alice");
    let comments = job.get(&at("/issues/1/comments")).body;
    assert_eq!(
        (&comments[0]["user"]["login"], &comments[0]["author_association"]),
        (&json!("mallory"), &json!("NONE"))
    );
    let told = job.get(&at("/issues/1/timeline")).body;
    let told: Vec<_> = told
        .as_array()
        .expect("a list")
        .iter()
        .map(|e| (e["event"].as_str(), e["actor"]["login"].as_str()))
        .collect();
    let bot = Some("github-actions[bot]");
    let expected = [
        ("labeled", bot),
        ("commented", Some("mallory")),
        ("labeled", Some("alice")),
        ("closed", Some("alice")),
    ];
    assert_eq!(told, expected.map(|(event, who)| (Some(event), who)));
    alice.delete_comment(pasted);
    assert_eq!(job.patch(&at(&format!("/issues/comments/{pasted}")), json!({"body": "b"})).status, 404);
    alice.unlabel(1, "TOLLGATE:accept");
    alice.reopen(1);
    assert_eq!(fake.issue(1).events.last().map(|e| &e.kind), Some(&EventKind::Reopened));
    assert_eq!(fake.issue(1).labels, ["tollgate"]);
    assert_eq!(fake.writes().len(), 2, "people are not in the client's log");
}

#[test]
fn three_thousand_issues_are_there_at_once_and_listed() {
    let Some((fake, job)) = fake() else { return };
    let begun = Instant::now();
    fake.person("alice").open_issues(3_000, &["tollgate"], |n| (format!("issue {n}"), format!("body {n}")));
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    let last = job.get(&at("/issues?labels=tollgate&per_page=100")).link("last").expect("pages").to_owned();
    assert!(last.contains("page=30"), "{last}");
    assert_eq!(job.get(&last).body.as_array().map(Vec::len), Some(100));
}

#[test]
fn lists_that_lag_show_what_is_new_later() {
    let Some((fake, job)) = fake() else { return };
    fake.freeze(chrono::Utc::now());
    fake.let_lists_lag(TimeDelta::seconds(5));
    assert_eq!(open(&job, "t").ok(), Some(201));
    let listed = || job.get(&at("/issues")).body.as_array().map(Vec::len);
    assert_eq!((job.get(&at("/issues/1")).status, listed()), (200, Some(0)));
    fake.advance(TimeDelta::seconds(5));
    assert_eq!(listed(), Some(1));
}

#[test]
fn two_clients_at_the_same_moment_are_both_served() {
    let Some((fake, _)) = fake() else { return };
    let token = fake.job_token();
    std::thread::scope(|scope| {
        for name in ["a", "b"] {
            let job = fake.ask_as(&token);
            scope.spawn(move || {
                for n in 0..20 {
                    assert_eq!(open(&job, &format!("{name}{n}")).ok(), Some(201));
                }
            });
        }
    });
    let issues = fake.issues();
    assert_eq!((issues.len(), issues.last().map(|i| i.number)), (40, Some(40)));
}

#[test]
fn an_enterprise_server_has_its_base_path_in_every_address() {
    if !common::real(github::missing()) {
        return;
    }
    let fake = FakeGitHub::start_at("/api/v3");
    assert!(fake.url().ends_with("/api/v3"));
    let job = fake.ask_as(&fake.job_token());
    fake.person("alice").open_issues(40, &[], |n| (n.to_string(), String::new()));
    let next = job.get(&at("/issues")).link("next").expect("a second page").to_owned();
    assert!(next.starts_with(&format!("{}/repos/", fake.url())), "{next}");
    assert_eq!(job.get(&next).body.as_array().map(Vec::len), Some(10));
    // A client that forgets the base path is told so.
    let bare = fake.url().replace("/api/v3", &at("/issues"));
    job.get(&bare);
    assert_eq!(fake.take_violations().len(), 1);
}

#[test]
fn a_fake_that_was_stopped_refuses_connections() {
    let Some((fake, job)) = fake() else { return };
    assert_eq!(open(&job, "t").ok(), Some(201));
    fake.stop();
    assert_eq!(open(&job, "t").expect_err("nobody is there").kind(), io::ErrorKind::ConnectionRefused);
    assert_eq!(fake.issues().len(), 1, "what was there can still be looked at");
}
