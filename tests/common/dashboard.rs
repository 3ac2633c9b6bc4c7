//! The service's pages over a real socket: a store of recorded sweeps, a status, and a client that sends what it is told.
#![allow(dead_code, reason = "each test file uses a part of it")]

use crate::recorded::Recorded;
use async_trait::async_trait;
use chrono::{DateTime, TimeZone as _, Utc};
use serde_json::json;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tollgate::config::Config;
use tollgate::model::{Change, Component, Decision};
use tollgate::notify::{Clock, Secret};
use tollgate::service::http::{HttpError, Keys, Limits, State, Tracker, serve};
use tollgate::watch::{
    Candidate, Finished, FinishedAs, Job, Mode, Outbox, Pending, Priority, Reason, Running, Status, WakeUp,
};

/// 25 November 2026, noon.
pub fn now() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 11, 25, 12, 0, 0).single().expect("a time")
}

/// Always noon.
#[derive(Debug)]
pub struct Noon;

#[async_trait]
impl Clock for Noon {
    fn now(&self) -> DateTime<Utc> {
        now()
    }

    async fn sleep(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }
}

/// A running service and its directories.
pub struct Dashboard {
    pub address: SocketAddr,
    pub dir: TempDir,
    pub status: watch::Sender<Arc<Status>>,
    pub woken: mpsc::Receiver<WakeUp>,
    pub cancel: CancellationToken,
    task: JoinHandle<Result<(), HttpError>>,
}

/// What is served, before it is.
pub struct Setup {
    pub dir: TempDir,
    pub config: Config,
    pub status: Status,
    pub token: Option<Secret>,
    pub hook_secret: Option<Secret>,
    pub tracker: Option<Tracker>,
    pub limits: Limits,
    pub wakeups: usize,
    pub listen: &'static str,
}

impl Setup {
    /// Without a sweep and idle.
    pub fn empty() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let mut config = Config::resolve(None).expect("the defaults");
        config.state = dir.path().join("state");
        config.baselines = dir.path().join("baselines");
        Self {
            dir,
            config,
            status: idle(),
            token: None,
            hook_secret: None,
            tracker: None,
            limits: Limits::default(),
            wakeups: 4,
            listen: "127.0.0.1:0",
        }
    }

    /// Six accepted sweeps, one of which came with a new engine, and a newest one after which request and response are
    /// 40 % slower in docker+nat, with two fresh ones that confirm it.
    pub fn regressed() -> Self {
        let setup = Self::empty();
        let baselines = setup.baselines();
        for hour in 0..6 {
            let engine = if hour < 3 { "20.10.23" } else { "20.10.24" };
            Recorded { hour, engine, nat: 1.0 }.accept(&baselines);
        }
        let after = |hour| Recorded { hour, engine: "28.2.2", nat: 1.4 };
        after(8).write(&setup.sweeps());
        for hour in [9, 10] {
            let mut sweep = after(hour).sweep();
            sweep["partial"] = serde_json::json!(true);
            let path = setup.sweeps().join(format!("{}.json", crate::recorded::id(hour)));
            std::fs::write(path, sweep.to_string()).expect("written");
        }
        setup
    }

    pub fn sweeps(&self) -> PathBuf {
        self.config.state.join("sweeps")
    }

    pub fn baselines(&self) -> PathBuf {
        self.config.baselines.clone()
    }

    /// Listens and waits until all sweeps are read.
    pub async fn start(self) -> Dashboard {
        let dashboard = self.start_cold().await;
        for _ in 0..1200 {
            if dashboard.get("/readyz").await.status == 200 {
                return dashboard;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("not ready within a minute");
    }

    /// Listens.
    pub async fn start_cold(self) -> Dashboard {
        let listener = TcpListener::bind(self.listen).await.expect("a port");
        let mut address = listener.local_addr().expect("an address");
        address.set_ip([127, 0, 0, 1].into());
        let (status, receiver) = watch::channel(Arc::new(self.status));
        let (wake, woken) = mpsc::channel(self.wakeups);
        let cancel = CancellationToken::new();
        let state = State {
            status: receiver,
            wake,
            config: Arc::new(self.config),
            keys: Keys { token: self.token, hook_secret: self.hook_secret },
            tracker: self.tracker,
            clock: Arc::new(Noon),
            limits: self.limits,
        };
        let task = tokio::spawn(serve(listener, state, cancel.clone()));
        Dashboard { address, dir: self.dir, status, woken, cancel, task }
    }
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Answer {
    fn parse(bytes: &[u8]) -> Self {
        let text = String::from_utf8_lossy(bytes).into_owned();
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        let status = head.split(' ').nth(1).and_then(|s| s.parse().ok()).unwrap_or(0);
        Self { status, head: head.to_lowercase(), body: body.to_owned() }
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("{e}: {}", self.body))
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        let line = self.head.lines().find(|l| l.starts_with(&format!("{name}:")))?;
        line.split_once(':').map(|(_, value)| value.trim())
    }
}

impl Dashboard {
    /// Sends bytes and reads to the end of the connection.
    pub async fn raw(&self, bytes: &[u8]) -> Answer {
        let mut stream = TcpStream::connect(self.address).await.expect("connected");
        // A server that refuses may have closed before it heard all.
        let _ = stream.write_all(bytes).await;
        let mut answer = Vec::new();
        let read = tokio::time::timeout(Duration::from_secs(60), stream.read_to_end(&mut answer)).await;
        let _ = read.expect("an end within a minute");
        Answer::parse(&answer)
    }

    /// `GET` with more header fields.
    pub async fn get_with(&self, path: &str, fields: &str) -> Answer {
        let host = self.address;
        self.raw(
            format!("GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n{fields}\r\n").as_bytes(),
        )
        .await
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.get_with(path, "").await
    }

    /// A page that must be there.
    pub async fn page(&self, path: &str) -> String {
        let answer = self.get(path).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        answer.body
    }

    pub async fn post(&self, path: &str, fields: &str, body: &[u8]) -> Answer {
        let (host, length) = (self.address, body.len());
        let mut bytes = format!(
            "POST {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\ncontent-length: {length}\r\n{fields}\r\n"
        )
        .into_bytes();
        bytes.extend_from_slice(body);
        self.raw(&bytes).await
    }

    /// A counter or gauge of `/metrics`, by the beginning of its line.
    pub async fn metric(&self, line: &str) -> f64 {
        let text = self.page("/metrics").await;
        let found = text.lines().find_map(|l| l.strip_prefix(line)?.trim().parse().ok());
        found.unwrap_or_else(|| panic!("{line} is not in\n{text}"))
    }

    /// Ends the service.
    pub async fn stop(self) {
        self.stop_and_keep().await;
    }

    /// Ends the service and leaves its directories.
    pub async fn stop_and_keep(self) -> TempDir {
        self.cancel.cancel();
        let ended = tokio::time::timeout(Duration::from_secs(10), self.task).await;
        ended.expect("within ten seconds").expect("no panic").expect("no error");
        self.dir
    }

    /// Without being ready or stopped: how it ended by itself.
    pub async fn ended(self) -> Result<(), HttpError> {
        self.task.await.expect("no panic")
    }

    pub fn state(&self) -> &Path {
        self.dir.path()
    }
}

/// A service that does nothing.
pub fn idle() -> Status {
    let class = "amd-epyc-2c-24g".parse().expect("a name");
    Status {
        started_at: now() - chrono::Duration::hours(30),
        ..Status::new("0.1.0", class, Mode::Local, now())
    }
}

/// `alerts.json` with an alert that stands and one that recovered.
pub fn alerts() -> String {
    let record = |phase: serde_json::Value, at: &str| {
        json!({
            "key": {
                "host_class": "amd-epyc-2c-24g", "profile": "smoke",
                "scope": { "about": "family", "environment": "docker+nat", "family": "network" },
                "event": [["docker-engine", "20.10.24"]],
            },
            "phase": phase,
            "metrics": { "docker+nat": { "rr/tcp": ["p50", "transactions"] } },
            "magnitude": 3, "recovered": [], "sweep": crate::recorded::id(8), "at": at,
            "components": { "docker-engine": "28.2.2" },
        })
    };
    let open = json!({ "number": 2, "record": record(json!("open"), "2026-11-24T08:00:00Z") });
    let closed =
        json!({ "number": 1, "record": record(json!({ "closed": "recovered" }), "2026-11-23T08:00:00Z") });
    json!({ "version": 1, "alerts": [closed, open] }).to_string()
}

/// A job that nobody tried yet.
pub fn job(id: u64, reason: Reason) -> Job {
    Job {
        id,
        profile: "smoke".into(),
        reason,
        priority: Priority::Normal,
        queued_at: now() - chrono::Duration::minutes(50),
        not_before: None,
        attempts: 0,
        last_error: None,
    }
}

/// A service in the middle of a sweep, with everything that a page can show.
pub fn busy() -> Status {
    let minutes = |m: i64| now() - chrono::Duration::minutes(m);
    let engine = Change {
        component: Component::DockerEngine,
        before: Some("20.10.24".into()),
        after: Some("28.2.2".into()),
    };
    let changed = Reason::Change { changed: vec![engine] };
    let finished = |id, outcome, detail: Option<&str>| Finished {
        job: job(id, Reason::Schedule { name: "nightly".into() }),
        began: minutes(600),
        ended: minutes(590 - i64::try_from(id).expect("small")),
        outcome,
        sweep: (outcome == FinishedAs::Judged(Decision::Pass))
            .then(|| crate::recorded::id(5).parse().expect("an id")),
        detail: detail.map(str::to_owned),
        untold: false,
    };
    let mut waiting = job(9, Reason::Trigger { by: "tollgate trigger".into() });
    waiting.priority = Priority::High;
    waiting.not_before = Some(now() + chrono::Duration::hours(8));
    let mut again = job(10, Reason::NoBaseline);
    again.attempts = 2;
    again.last_error = Some("the engine did not answer within 30 s".into());
    Status {
        pending: vec![Pending {
            component: Component::Kernel,
            running: Some("6.1.0-48-amd64".into()),
            installed: "6.1.0-51-amd64".into(),
        }],
        queue: vec![waiting, again],
        running: Some(Running {
            job: job(8, changed),
            since: minutes(3),
            sweep: Some("20261125T115700Z-00beef".parse().expect("an id")),
            step: "rr/tcp in docker+nat".into(),
            done: 61,
            total: 180,
            left_s: Some(341.0),
        }),
        finished: vec![
            finished(7, FinishedAs::Judged(Decision::Pass), None),
            finished(6, FinishedAs::Judged(Decision::Regressed), Some("2 metrics REGRESSED in docker+nat")),
            finished(5, FinishedAs::Invalidated, Some("containerd changed while it ran")),
            finished(4, FinishedAs::GaveUp, Some("no space left on the device")),
        ],
        candidates: vec![Candidate {
            component: Component::DockerEngine,
            installed: Some("28.2.2".into()),
            offered: "29.1.0".into(),
            source: "moby's releases".into(),
            url: Some("https://github.com/moby/moby/releases/tag/docker-v29.1.0".into()),
            seen_at: minutes(3000),
        }],
        outbox: Outbox { waiting: 1, refused: 1 },
        wakeups: BTreeMap::from([("boot".into(), 1), ("docker".into(), 4), ("timer".into(), 181)]),
        ..idle()
    }
}
