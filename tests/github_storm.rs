//! Random sequences of runs and faults against the fake of GitHub: no two open issues of one key, no alert lost, nothing
//! closed that was not proven, each change announced to a webhook once, and no token in what is kept or said.

mod common;
#[path = "common/github/mod.rs"]
mod github;

use async_trait::async_trait;
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use chrono::{DateTime, TimeDelta, Utc};
use github::{FakeGitHub, REPO, Storm};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tollgate::alert::render::Templates;
use tollgate::alert::{AlertPolicy, Marker, Phase, Webhook as Named, WebhookFormat, payload};
use tollgate::model::GateResult;
use tollgate::notify::github::{Auth, Client, Limits, Settings};
use tollgate::notify::webhook::Webhook;
use tollgate::notify::{Clock, Secret};
use tollgate::pipeline::notify::{Hook, Job, Notifier, Origin, Parts};

/// Time that only passes when somebody waits.
#[derive(Debug)]
struct Hurried(Mutex<DateTime<Utc>>);

#[async_trait]
impl Clock for Hurried {
    fn now(&self) -> DateTime<Utc> {
        *self.0.lock().expect("a time")
    }

    async fn sleep(&self, time: Duration) {
        *self.0.lock().expect("a time") += TimeDelta::from_std(time).expect("short");
    }
}

fn verdict(family: &str, kind: &str, change: f64) -> Value {
    json!({
        "workload": "redis", "case": "get", "metric": family, "unit": "1/s", "better": "higher", "family": family,
        "environment": "docker+nat", "verdict": kind, "native": 1000.0, "toll_before_pct": 14.0, "toll_now_pct": 22.0,
        "change_pct": change, "ci95_pct": [change - 1.0, change + 1.0], "p": 0.001, "q": 0.01, "mde80_pct": 3.0,
        "threshold_pct": 5.0, "attribution": null, "sweeps_baseline": 10, "sweeps_candidate": 3, "reason": "a test",
    })
}

/// The result of the sweep of an hour: in each family it regressed, or is back.
fn result(hour: u32, network: bool, database: bool) -> GateResult {
    let of = |family, bad| {
        verdict(family, if bad { "regressed" } else { "unchanged" }, if bad { 8.0 } else { 0.1 })
    };
    let decision = if network || database { "regressed" } else { "pass" };
    let components = json!({ "docker-engine": "26.1.5" });
    let value = json!({
        "version": 1, "decision": decision, "summary": {},
        "verdicts": [of("network", network), of("database", database)],
        "changed": [{ "component": "docker-engine", "before": "20.10.24", "after": "26.1.5" }],
        "sweep": format!("20261101T{hour:02}0000Z-{hour:06x}"), "host_class": "farm-a", "profile": "standard",
        "started_at": format!("2026-11-01T{hour:02}:00:00Z"), "accelerator": null,
        "fingerprint": { "components": components, "context": {} }, "cells": [], "proofs": [],
        "timing": { "wall_s": 1.0, "in_trials_s": 0.9, "harness_share": 0.1 }, "baseline": "not accepted: a test",
    });
    serde_json::from_value(value).expect("a result")
}

/// What a webhook received: the identity of each notice.
type Inbox = Arc<Mutex<Vec<String>>>;

/// A receiver that always takes what it gets, until the runtime ends.
async fn receiver() -> (String, Inbox) {
    let inbox: Inbox = Arc::default();
    let take = |State(inbox): State<Inbox>, headers: HeaderMap| async move {
        let delivery = headers["x-tollgate-delivery"].to_str().expect("text").to_owned();
        inbox.lock().expect("an inbox").push(delivery);
        StatusCode::NO_CONTENT
    };
    let app = Router::new().route("/hook", post(take)).with_state(Arc::clone(&inbox));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}/hook", listener.local_addr().expect("an address"));
    tokio::spawn(async move { axum::serve(listener, app).await });
    (url, inbox)
}

fn notifier(fake: &FakeGitHub, token: &str, state: &Path, seed: u64, url: Option<&str>) -> Notifier {
    let name = "ops".to_owned();
    let format = WebhookFormat::Json;
    let named = Named { url_env: "OPS_WEBHOOK_URL".into(), secret_env: None, format };
    let hook = |url: &str| Hook {
        name: name.clone(),
        format,
        variable: "OPS_WEBHOOK_URL".into(),
        target: Some(Webhook { name: name.clone(), url: Secret::new(url), key: None }),
    };
    let policy = match url {
        Some(_) => AlertPolicy { webhook: [(name.clone(), named)].into(), ..AlertPolicy::default() },
        None => AlertPolicy::default(),
    };
    let start: DateTime<Utc> = "2026-11-02T00:00:00Z".parse().expect("a time");
    let clock = Arc::new(Hurried(Mutex::new(start)));
    let limits = Limits { request_timeout: Duration::from_secs(5), attempts: 3, seed, ..Limits::default() };
    let settings = Settings {
        api_url: fake.url().to_owned(),
        repository: REPO.parse().expect("a repository"),
        auth: Auth::Token(Secret::new(token)),
        login: None,
        limits,
    };
    let client = Client::new(settings, Arc::<Hurried>::clone(&clock)).expect("a client");
    Notifier::new(Parts {
        policy,
        policy_path: "alerts/policy.toml".into(),
        policy_text: String::new(),
        templates: Templates::new(Vec::new()).expect("the templates"),
        github: Some(client),
        hooks: url.map(hook).into_iter().collect(),
        state: state.to_owned(),
        secrets: vec![Secret::new(token)],
        clock,
    })
    .expect("a notifier")
}

/// Open issues of ours by key, and every metric that an issue knows with its phase.
fn shown(fake: &FakeGitHub) -> (BTreeMap<String, u32>, BTreeMap<String, Vec<Phase>>) {
    let (mut keys, mut known) = (BTreeMap::new(), BTreeMap::<String, Vec<Phase>>::new());
    let open: Vec<u64> = fake.open_issues().iter().map(|i| i.number).collect();
    for issue in fake.issues() {
        let record = issue.body.as_deref().and_then(Marker::read).and_then(|m| m.record()).expect("a record");
        assert_eq!(record.phase == Phase::Open, open.contains(&issue.number), "#{}", issue.number);
        if record.phase == Phase::Open {
            *keys.entry(record.key.to_string()).or_default() += 1;
        }
        for metric in record.metrics {
            known.entry(metric).or_default().push(record.phase);
        }
    }
    (keys, known)
}

/// The notice that each issue's present state must have made.
fn heard_of(fake: &FakeGitHub) -> Vec<(u64, String)> {
    let of = |issue: &github::Item| {
        let record = issue.body.as_deref().and_then(Marker::read).and_then(|m| m.record()).expect("a record");
        (issue.number, payload::delivery(&record))
    };
    fake.issues().iter().map(of).collect()
}

fn kept(dir: &Path) -> String {
    let mut text = String::new();
    for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        if entry.path().is_dir() {
            text += &kept(&entry.path());
        } else {
            text += &String::from_utf8_lossy(&std::fs::read(entry.path()).expect("read"));
        }
    }
    text
}

/// One life: runs with results, each said as well as the storm allows, then a calm.
async fn life(seed: u64, (url, inbox): &(String, Inbox)) {
    inbox.lock().expect("an inbox").clear();
    let fake = FakeGitHub::start();
    let (token, dir) = (fake.job_token(), tempfile::tempdir().expect("a directory"));
    let bits = |n: u64| (seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> n) & 1 == 1;
    let mut said = String::new();
    let mut last = (false, false);
    let notifier = notifier(&fake, &token, dir.path(), seed, Some(url));
    fake.storm(Storm { most: 12, ..Storm::passing(seed) });
    for hour in 1..=4 {
        last = (bits(u64::from(hour) * 2), bits(u64::from(hour) * 2 + 1));
        let job = Job::new(result(hour, last.0, last.1), Origin::default(), None);
        let fresh = notifier.keep(&job).expect("kept");
        // Every third run dies before it says anything.
        if !(seed + u64::from(hour)).is_multiple_of(3) {
            write!(said, "{:?}", notifier.flush(fresh).await).expect("written");
        }
    }
    fake.calm();
    let report = notifier.flush(None).await.expect("told");
    assert!(report.is_complete(), "seed {seed}: {report:?}");
    write!(said, "{report:?}").expect("written");

    let (keys, known) = shown(&fake);
    assert!(keys.values().all(|n| *n == 1), "seed {seed}: two open issues with one key: {keys:?}");
    for (family, bad) in [("network", last.0), ("database", last.1)] {
        let phases = known.get(&format!("redis/get/{family}@docker+nat")).cloned().unwrap_or_default();
        let open = phases.contains(&Phase::Open);
        assert!(!bad || open, "seed {seed}: the alert on {family} is lost: {phases:?}");
    }
    for number in fake.issues().iter().map(|i| i.number) {
        let markers: Vec<String> =
            fake.comments(number).iter().filter_map(|c| Marker::read(&c.body).map(|m| m.state)).collect();
        let mut distinct = markers.clone();
        distinct.sort();
        distinct.dedup();
        assert_eq!(distinct.len(), markers.len(), "seed {seed}: #{number} was told twice");
    }
    let (mut heard, told) = (inbox.lock().expect("an inbox").clone(), heard_of(&fake));
    heard.sort();
    assert!(heard.windows(2).all(|pair| pair[0] != pair[1]), "seed {seed}: one notice twice: {heard:?}");
    for (number, delivery) in told {
        assert!(heard.contains(&delivery), "seed {seed}: nobody was called of #{number} as it is now");
    }
    fake.forget_requests();
    assert!(notifier.flush(None).await.expect("nothing").said.is_empty());
    assert!(fake.writes().is_empty());
    let everything = said + &kept(dir.path());
    assert!(fake.secrets().iter().all(|secret| !everything.contains(secret)), "seed {seed}: a token");
}

#[test]
fn a_thousand_sequences_of_faults_double_nothing_lose_nothing_and_show_no_token() {
    if !common::real(github::missing()) {
        return;
    }
    std::thread::scope(|scope| {
        for from in 0..4 {
            scope.spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
                let runtime = runtime.expect("a runtime");
                runtime.block_on(async {
                    let receiver = receiver().await;
                    for seed in (from..1000).step_by(4) {
                        life(seed, &receiver).await;
                    }
                });
            });
        }
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_runners_at_the_same_moment_leave_one_issue() {
    if !common::real(github::missing()) {
        return;
    }
    for seed in 0..20 {
        let fake = FakeGitHub::start();
        let token = fake.job_token();
        let one = async |n: u64| {
            let dir = tempfile::tempdir().expect("a directory");
            let notifier = notifier(&fake, &token, dir.path(), seed * 2 + n, None);
            let job = Job::new(result(1, true, false), Origin::default(), None);
            let fresh = notifier.keep(&job).expect("kept");
            let report = notifier.flush(fresh).await.expect("told");
            assert!(report.is_complete(), "{report:?}");
        };
        tokio::join!(one(0), one(1));
        // Whoever comes next sees both and closes the younger.
        one(2).await;
        let (keys, _) = shown(&fake);
        assert_eq!(keys.values().copied().collect::<Vec<_>>(), [1], "seed {seed}");
        let first = fake.open_issues()[0].number;
        assert!(fake.issues().iter().all(|i| i.number >= first), "the oldest stays");
    }
}
