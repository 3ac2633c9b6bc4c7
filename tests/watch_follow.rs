//! What is offered upstream, from a server of this test: tags are sent back, failures wait, and nothing is asked too often.

#[path = "common/watching.rs"]
mod watching;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use chrono::{DateTime, TimeDelta, Utc};
use std::sync::{Arc, Mutex};
use tokio::sync::watch;
use tollgate::config::Feed;
use tollgate::model::Component;
use tollgate::service::Service;
use tollgate::service::follow::{Addresses, Feeds, Follower};
use watching::{FakeHost, FakeRunner, Held, config};

const RUNNING: &str = "6.1.0-40-amd64 #1 SMP PREEMPT_DYNAMIC Debian 6.1.153-1 (2025-09-20)";
const KERNELS: &str =
    r#"{"latest_stable":{"version":"6.17.8"},"releases":[{"version":"6.1.158","iseol":false}]}"#;

/// What the server answers, and the tags that it was sent.
#[derive(Debug, Default)]
struct Upstream {
    body: String,
    status: u16,
    asked: Vec<Option<String>>,
}

async fn answer(State(upstream): State<Arc<Mutex<Upstream>>>, headers: HeaderMap) -> Response {
    let mut upstream = upstream.lock().expect("lock");
    let sent = headers.get("if-none-match").map(|t| t.to_str().expect("text").to_owned());
    upstream.asked.push(sent.clone());
    if upstream.status != 200 {
        return StatusCode::from_u16(upstream.status).expect("a status").into_response();
    }
    let tag = format!("\"{}\"", upstream.body.len());
    if sent.as_deref() == Some(tag.as_str()) {
        return StatusCode::NOT_MODIFIED.into_response();
    }
    ([("etag", tag)], upstream.body.clone()).into_response()
}

struct Bed {
    upstream: Arc<Mutex<Upstream>>,
    addresses: Addresses,
    state: tempfile::TempDir,
    tell: watch::Sender<Feeds>,
}

impl Bed {
    async fn new() -> Self {
        let upstream =
            Arc::new(Mutex::new(Upstream { body: KERNELS.into(), status: 200, asked: Vec::new() }));
        let app = Router::new().fallback(get(answer)).with_state(Arc::clone(&upstream));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/", listener.local_addr().expect("an address"));
        tokio::spawn(async move { axum::serve(listener, app).await });
        let addresses = Addresses { moby: format!("{url}moby"), kernel: format!("{url}kernel") };
        Self {
            upstream,
            addresses,
            state: tempfile::tempdir().expect("a directory"),
            tell: watch::channel(Feeds::new()).0,
        }
    }

    /// A follower as after a start of the service.
    fn follower(&self) -> Follower {
        let config = config(&self.state.path().join("service"), "");
        let (host, runner) = (FakeHost::settled(), FakeRunner::default());
        let clock = Arc::new(Held::at("2026-11-25T12:00:00Z"));
        let parts =
            tollgate::service::Parts { config: &config, host: &host, runner: &runner, clock, seed: 7 };
        let status = Service::open(parts).expect("opened").status();
        let (addresses, tell) = (self.addresses.clone(), self.tell.clone());
        Follower::new(vec![Feed::Kernel], addresses, self.state.path(), status, tell).expect("made")
    }

    fn offered(&self) -> Vec<(Component, String)> {
        let feeds = self.tell.borrow();
        feeds.values().flat_map(|f| &f.offers).map(|o| (o.component, o.version.clone())).collect()
    }

    fn answers(&self, status: u16, body: &str) {
        let mut upstream = self.upstream.lock().expect("lock");
        (upstream.status, upstream.body) = (status, body.to_owned());
    }

    fn asked(&self) -> Vec<Option<String>> {
        std::mem::take(&mut self.upstream.lock().expect("lock").asked)
    }
}

fn at(hours: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000, 0).expect("a time") + TimeDelta::hours(hours)
}

#[tokio::test]
async fn a_feed_is_asked_seldom_with_its_tag_and_after_a_restart_too() {
    let bed = Bed::new().await;
    let mut follower = bed.follower();
    let running = || Some(RUNNING.to_owned());
    follower.turn(running(), at(0)).await;
    assert_eq!(bed.offered(), [(Component::Kernel, "6.1.158".to_owned())]);
    assert_eq!(bed.asked(), [None]);
    follower.turn(running(), at(5)).await;
    assert_eq!(bed.asked(), [] as [Option<String>; 0], "not yet again");
    let mut follower = bed.follower();
    follower.turn(running(), at(8)).await;
    let tag = format!("\"{}\"", KERNELS.len());
    assert_eq!(bed.asked(), [Some(tag)], "it is remembered over a restart");
    assert_eq!(bed.offered(), [(Component::Kernel, "6.1.158".to_owned())]);
    // Another kernel runs: the same answer means something else.
    follower.turn(Some("6.8.0-45-generic #45-Ubuntu".to_owned()), at(16)).await;
    assert_eq!(bed.asked(), [None]);
    assert_eq!(bed.offered(), [(Component::Kernel, "6.17.8".to_owned())]);
}

#[tokio::test]
async fn a_feed_that_fails_is_left_alone_for_longer_each_time() {
    let bed = Bed::new().await;
    let mut follower = bed.follower();
    let running = || Some(RUNNING.to_owned());
    follower.turn(running(), at(0)).await;
    bed.asked();
    bed.answers(503, "");
    let mut times = Vec::new();
    for minute in (0..60 * 96).step_by(10) {
        follower.turn(running(), at(8) + TimeDelta::minutes(minute)).await;
        if !bed.asked().is_empty() {
            times.push(minute);
        }
    }
    assert_eq!(times, [0, 30, 90, 210, 450, 930, 1890, 3810], "half an hour, doubling");
    assert_eq!(bed.offered().len(), 1, "what was known stays");
    bed.answers(200, "<html>hello</html>");
    follower.turn(running(), at(200)).await;
    assert_eq!(bed.asked().len(), 1);
    assert_eq!(bed.offered().len(), 1, "nonsense is no answer");
    bed.answers(200, &" ".repeat(5 << 20));
    follower.turn(running(), at(300)).await;
    assert_eq!((bed.asked().len(), bed.offered().len()), (1, 1), "too much is none either");
}
