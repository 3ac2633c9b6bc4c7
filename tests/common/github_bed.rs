//! The product's client against the fake of GitHub, with a clock that sleeps in no time.
#![allow(dead_code, reason = "each test file uses a part of it")]

use crate::github::{FakeGitHub, Kind, REPO};
use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tollgate::notify::github::{Auth, Client, Limits, Settings};
use tollgate::notify::{Clock, Secret};

/// Sleeping moves the fake's clock.
#[derive(Clone)]
pub struct Dream {
    pub fake: Arc<FakeGitHub>,
    slept: Arc<Mutex<Vec<Duration>>>,
}

impl std::fmt::Debug for Dream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Dream")
    }
}

#[async_trait]
impl Clock for Dream {
    fn now(&self) -> DateTime<Utc> {
        self.fake.world().now()
    }

    async fn sleep(&self, time: Duration) {
        self.fake.advance(TimeDelta::from_std(time).expect("a short time"));
        self.slept.lock().expect("lock").push(time);
    }
}

/// A fake and the way to it.
pub struct Bed {
    pub dream: Dream,
}

impl Bed {
    /// None where GitHub's description is missing.
    pub fn new(base_path: &str) -> Option<Self> {
        if !crate::common::real(crate::github::missing()) {
            return None;
        }
        let fake = Arc::new(FakeGitHub::start_at(base_path));
        Some(Self { dream: Dream { fake, slept: Arc::default() } })
    }

    pub fn fake(&self) -> &FakeGitHub {
        &self.dream.fake
    }

    /// All sleeps so far.
    pub fn slept(&self) -> Vec<Duration> {
        self.dream.slept.lock().expect("lock").clone()
    }

    pub fn client(&self, auth: Auth, change: impl FnOnce(&mut Limits)) -> Client {
        let settings = settings(self.fake().url(), auth, change);
        Client::new(settings, Arc::new(self.dream.clone())).expect("good settings")
    }

    /// As a workflow's job.
    pub fn job(&self) -> Client {
        self.client(token(&self.fake().job_token()), |_| {})
    }

    /// As a job with these permissions only.
    pub fn job_with(&self, permissions: &[(&str, &str)]) -> Client {
        let secret = self.fake().token(Kind::Job, crate::github::JOB_LOGIN, permissions);
        self.client(token(&secret), |_| {})
    }

    /// Requests of a method whose path ends so, as they came.
    pub fn count(&self, method: &str, end: &str) -> usize {
        let world = self.fake().world();
        world.log.iter().filter(|r| r.method == method && r.path.ends_with(end)).count()
    }
}

pub fn token(secret: &str) -> Auth {
    Auth::Token(Secret::new(secret))
}

pub fn settings(url: &str, auth: Auth, change: impl FnOnce(&mut Limits)) -> Settings {
    let mut limits = Limits {
        connect_timeout: Duration::from_secs(5),
        request_timeout: Duration::from_secs(20),
        seed: 7,
        ..Limits::default()
    };
    change(&mut limits);
    Settings { api_url: url.into(), repository: REPO.parse().expect("a name"), auth, login: None, limits }
}
