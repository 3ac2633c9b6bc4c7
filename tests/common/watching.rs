//! The service in this process, on a host, with jobs and with a clock that the test holds.
#![allow(dead_code, reason = "each test file uses a part of it")]

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;
use tollgate::alert::candidates::Statement;
use tollgate::config::Config;
use tollgate::model::{Component, Decision, HostClass};
use tollgate::notify::Clock;
use tollgate::service::board::Board;
use tollgate::service::follow::Feeds;
use tollgate::service::host::{Host, Look};
use tollgate::service::runner::{Order, Ran, Runner};
use tollgate::service::{Asked, Parts, Service};
use tollgate::watch::queue::{Components, Settled};
use tollgate::watch::{Finished, Outbox, Source, Status, WakeUp};
use tollgate::workload::Profile;

/// A clock that stands still until the test moves it. Sleeping takes a moment of real time.
#[derive(Debug, Clone)]
pub struct Held(Arc<Mutex<DateTime<Utc>>>);

impl Held {
    pub fn at(text: &str) -> Self {
        Self(Arc::new(Mutex::new(text.parse().expect("a time"))))
    }

    pub fn set(&self, text: &str) {
        *self.0.lock().expect("lock") = text.parse().expect("a time");
    }

    pub fn advance(&self, seconds: i64) {
        *self.0.lock().expect("lock") += TimeDelta::seconds(seconds);
    }
}

#[async_trait]
impl Clock for Held {
    fn now(&self) -> DateTime<Utc> {
        *self.0.lock().expect("lock")
    }

    async fn sleep(&self, _: Duration) {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

pub fn engine(version: &str) -> Components {
    [(Component::DockerEngine, version.to_owned())].into()
}

/// A host whose look is what the test says.
#[derive(Debug, Default)]
pub struct FakeHost {
    pub look: Mutex<Look>,
    pub looks: Mutex<u32>,
    pub busy: Mutex<Option<String>>,
    pub outbox: Mutex<Outbox>,
}

impl FakeHost {
    /// With three accepted sweeps of engine version 1.
    pub fn settled() -> Self {
        let host = Self::default();
        host.upgrade("1");
        let mut look = host.look.lock().expect("lock");
        look.accepted = 3;
        let at = "2026-01-01T00:00:00Z".parse().expect("a time");
        look.baseline = Some(Settled { at, components: engine("1") });
        drop(look);
        host
    }

    pub fn upgrade(&self, version: &str) {
        self.look.lock().expect("lock").fingerprint.components = engine(version);
    }

    pub fn looks(&self) -> u32 {
        *self.looks.lock().expect("lock")
    }
}

#[async_trait(?Send)]
impl Host for FakeHost {
    fn class(&self) -> HostClass {
        "farm".parse().expect("a name")
    }

    async fn look(&self, _: Profile) -> Look {
        *self.looks.lock().expect("lock") += 1;
        self.look.lock().expect("lock").clone()
    }

    fn busy(&self) -> Option<String> {
        self.busy.lock().expect("lock").clone()
    }

    fn outbox(&self) -> Outbox {
        *self.outbox.lock().expect("lock")
    }
}

/// A [`FakeRunner::deaf`] that never answers.
pub const HANGS: &str = "hangs";

/// Jobs that end as the test says, and when it says so.
#[derive(Debug, Default)]
pub struct FakeRunner {
    pub orders: Mutex<Vec<Order>>,
    pub given_up: Mutex<Vec<u64>>,
    pub told: Mutex<u32>,
    pub offered: Mutex<Vec<Statement>>,
    /// Why nothing can be kept to be told.
    pub deaf: Mutex<Option<String>>,
    end: Mutex<Option<Ran>>,
}

impl FakeRunner {
    pub fn orders(&self) -> MutexGuard<'_, Vec<Order>> {
        self.orders.lock().expect("lock")
    }

    /// The job that runs, or the next one, ends like this.
    pub fn end(&self, ran: Ran) {
        *self.end.lock().expect("lock") = Some(ran);
    }

    pub fn judged(&self, version: &str) {
        let sweep = self.orders().last().map(|o| o.sweep.clone());
        let (decision, components) = (Decision::Pass, engine(version));
        self.end(Ran::Judged { decision, sweep, components, detail: None });
    }
}

#[async_trait(?Send)]
impl Runner for FakeRunner {
    async fn run(&self, order: &Order, _: &Board, cancel: &CancellationToken) -> Ran {
        self.orders().push(order.clone());
        loop {
            if let Some(ran) = self.end.lock().expect("lock").take() {
                return ran;
            }
            tokio::select! {
                () = cancel.cancelled() => return Ran::Stopped,
                () = tokio::time::sleep(Duration::from_millis(1)) => {}
            }
        }
    }

    async fn gave_up(&self, over: &Finished) -> Result<(), String> {
        tokio::time::sleep(Duration::from_millis(100)).await;
        self.given_up.lock().expect("lock").push(over.job.id);
        self.deaf.lock().expect("lock").clone().map_or(Ok(()), Err)
    }

    async fn tell_waiting(&self) {
        *self.told.lock().expect("lock") += 1;
    }

    async fn tell_offered(&self, offered: Statement) -> Result<(), String> {
        let failure = self.deaf.lock().expect("lock").clone();
        self.offered.lock().expect("lock").push(offered);
        if failure.as_deref() == Some(HANGS) {
            std::future::pending::<()>().await;
        }
        failure.map_or(Ok(()), Err)
    }
}

/// Settings below a state directory, with more of `[watch]`.
pub fn config(state: &Path, watch: &str) -> Config {
    let (state, docker) = (state.display(), state.join("no-docker.sock"));
    let docker = docker.display();
    let service = format!("[watch]\nprofile = \"smoke\"\nfollow = []\n{watch}\n");
    let text = format!("state = \"{state}\"\n[docker]\nsocket = \"{docker}\"\n{service}");
    Config::resolve(Some(("tollgate.toml", &text))).expect("valid")
}

/// The way to a service that runs.
pub struct Link {
    pub status: watch::Receiver<Arc<Status>>,
    pub wake: mpsc::Sender<WakeUp>,
    pub ask: mpsc::Sender<Asked>,
    pub offers: watch::Sender<Feeds>,
}

impl Link {
    pub fn to(service: &Service<'_>) -> Self {
        Self {
            status: service.status(),
            wake: service.waker(),
            ask: service.asker(),
            offers: service.offers(),
        }
    }

    /// Waits for a state of the service.
    pub async fn until(&mut self, what: &str, is: impl Fn(&Status) -> bool) -> Arc<Status> {
        let wait = async {
            loop {
                let status = Arc::clone(&self.status.borrow_and_update());
                if is(&status) {
                    return status;
                }
                self.status.changed().await.expect("the service runs");
            }
        };
        let seen = tokio::time::timeout(Duration::from_secs(10), wait).await.ok();
        seen.unwrap_or_else(|| panic!("not within ten seconds: {what}; {:#?}", self.status.borrow()))
    }

    /// Waits until the service has turned some times more.
    pub async fn turns(&mut self) -> Arc<Status> {
        for _ in 0..6 {
            self.status.changed().await.expect("the service runs");
        }
        Arc::clone(&self.status.borrow())
    }

    pub async fn wake(&self, source: Source) {
        self.wake.send(WakeUp::look(source)).await.expect("the service runs");
    }

    /// As `tollgate trigger --always` does.
    pub async fn trigger(&self, profile: Option<&str>) -> Result<String, String> {
        let (answer, answered) = oneshot::channel();
        let profile = profile.map(str::to_owned);
        let wake = WakeUp { source: Source::Trigger, force: true, profile, delivery: None };
        self.ask.send(Asked { wake, answer }).await.expect("the service runs");
        answered.await.expect("an answer")
    }
}

/// Runs a service while `scenario` happens, and stops it then.
pub async fn service<F: Future<Output = ()>>(
    config: &Config,
    host: &FakeHost,
    runner: &FakeRunner,
    clock: &Held,
    scenario: impl FnOnce(Link) -> F,
) {
    let parts = Parts { config, host, runner, clock: Arc::new(clock.clone()), seed: 7 };
    let service = Service::open(parts).expect("opened");
    let link = Link::to(&service);
    let cancel = CancellationToken::new();
    let acting = async {
        scenario(link).await;
        cancel.cancel();
    };
    let (ran, ()) = tokio::join!(service.run(&cancel), acting);
    ran.expect("it ends well");
}
