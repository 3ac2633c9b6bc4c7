//! Follows what others offer. A feed is asked every six hours, with the tag of its last answer, and more seldom while it
//! fails. Nothing is asked while a sweep runs.

use crate::config::Feed;
use crate::model::Component;
use crate::watch::Status;
use crate::watch::upstream::{self, Offer};
use crate::{command, durable};
use chrono::{DateTime, TimeDelta, Utc};
use rand::RngExt as _;
use reqwest::header::{ETAG, IF_NONE_MATCH};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// How often a feed is asked, and how long it is left alone after a first failure; that doubles, up to two days.
const EVERY: TimeDelta = TimeDelta::hours(6);
const AFTER_FAILURE: TimeDelta = TimeDelta::minutes(30);
const LONGEST: TimeDelta = TimeDelta::hours(48);
/// How often it is looked whether a feed is due.
const TICK: Duration = Duration::from_secs(60);
/// Largest answer, bytes.
const LARGEST: usize = 4 << 20;

/// Where the feeds are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Addresses {
    /// List of Docker's releases, as GitHub's API gives it.
    pub moby: String,
    /// `releases.json` of kernel.org.
    pub kernel: String,
}

impl Default for Addresses {
    fn default() -> Self {
        Self {
            moby: "https://api.github.com/repos/moby/moby/releases?per_page=30".to_owned(),
            kernel: "https://www.kernel.org/releases.json".to_owned(),
        }
    }
}

/// What is known of a feed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Known {
    tag: Option<String>,
    next: Option<DateTime<Utc>>,
    failures: u32,
    /// The kernel that ran: of another the same answer may offer something else.
    running: Option<String>,
    /// Whether it gave an answer yet. Before that, that it offers nothing means nothing.
    pub heard: bool,
    /// What it offers.
    pub offers: Vec<Offer>,
}

/// What is known of all feeds.
pub type Feeds = BTreeMap<Feed, Known>;

/// A feed gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum FollowError {
    /// No connection, or none in time.
    #[error("{0}")]
    Http(String),
    /// Something else than an answer.
    #[error("status {0}")]
    Status(u16),
    /// Too much.
    #[error("the answer is larger than {LARGEST} bytes")]
    Large,
    /// Not what it should be.
    #[error(transparent)]
    Feed(#[from] upstream::FeedError),
    /// apt.
    #[error(transparent)]
    Command(#[from] command::CommandFailure),
}

/// Follows feeds.
pub struct Follower {
    feeds: Vec<Feed>,
    addresses: Addresses,
    http: reqwest::Client,
    file: PathBuf,
    known: Feeds,
    status: watch::Receiver<Arc<Status>>,
    tell: watch::Sender<Feeds>,
}

impl Follower {
    /// Of a state directory. Asks nothing yet. An error when no root certificates can be read.
    pub fn new(
        feeds: Vec<Feed>,
        addresses: Addresses,
        state: &Path,
        status: watch::Receiver<Arc<Status>>,
        tell: watch::Sender<Feeds>,
    ) -> Result<Self, FollowError> {
        // reqwest takes the process' default; when there is one already, it is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            .connect_timeout(Duration::from_secs(10))
            .timeout(Duration::from_secs(60))
            .user_agent(concat!("tollgate/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|e| FollowError::Http(e.to_string()))?;
        let file = state.join("upstream.json");
        // What cannot be read is asked for again.
        let known: Feeds =
            std::fs::read(&file).ok().and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default();
        Ok(Self { feeds, addresses, http, file, known, status, tell })
    }

    /// Follows for ever.
    pub async fn follow(mut self) {
        self.known.retain(|feed, _| self.feeds.contains(feed));
        self.tell.send_replace(self.known.clone());
        loop {
            let (rests, running) = {
                let status = self.status.borrow();
                let kernel = status.fingerprint.as_ref().and_then(|f| f.components.get(&Component::Kernel));
                // Asking would disturb trials; and before the first look nothing is known that could be compared.
                (status.running.is_none() && status.fingerprint.is_some(), kernel.cloned())
            };
            if rests {
                self.turn(running, Utc::now()).await;
            }
            tokio::time::sleep(TICK).await;
        }
    }

    /// Asks what is due, and tells and keeps what came of it. `running` is the kernel.
    pub async fn turn(&mut self, running: Option<String>, now: DateTime<Utc>) {
        if !self.ask_due(running, now).await {
            return;
        }
        self.tell.send_replace(self.known.clone());
        if let Err(error) = self.keep() {
            tracing::warn!(%error, "{} cannot be written", self.file.display());
        }
    }

    fn keep(&self) -> std::io::Result<()> {
        durable::write(&self.file, &serde_json::to_vec_pretty(&self.known)?, 0o644)
    }

    /// Asks the feeds whose time has come. Returns whether there was one.
    async fn ask_due(&mut self, running: Option<String>, now: DateTime<Utc>) -> bool {
        let mut any = false;
        for feed in self.feeds.clone() {
            let mut known = self.known.get(&feed).cloned().unwrap_or_default();
            // A time too far ahead is one of a clock that was wrong.
            if known.next.is_some_and(|next| next > now && next < now + LONGEST * 2) {
                continue;
            }
            any = true;
            if known.running != running {
                known.tag = None;
            }
            let known = match self.ask(feed, &known, running.as_deref(), now).await {
                Ok((tag, offers)) => {
                    let scatter = TimeDelta::minutes(rand::rng().random_range(0..60));
                    Known {
                        tag,
                        next: Some(now + EVERY + scatter),
                        failures: 0,
                        running: running.clone(),
                        heard: true,
                        offers,
                    }
                }
                Err(error) => {
                    tracing::info!(feed = feed.as_str(), %error, "what is offered could not be found out");
                    let failures = known.failures.saturating_add(1);
                    let wait = AFTER_FAILURE * (1 << (failures - 1).min(7));
                    Known { next: Some(now + wait.min(LONGEST)), failures, ..known }
                }
            };
            self.known.insert(feed, known);
        }
        any
    }

    /// What a feed offers now, with its tag.
    async fn ask(
        &self,
        feed: Feed,
        known: &Known,
        running: Option<&str>,
        now: DateTime<Utc>,
    ) -> Result<(Option<String>, Vec<Offer>), FollowError> {
        let same = || Ok((known.tag.clone(), known.offers.clone()));
        let offer = |component, version: String, installed, url| {
            // Since when it is known does not change with each answer.
            let before = known.offers.iter().find(|o| o.component == component && o.version == version);
            let seen_at = before.map_or(now, |o| o.seen_at);
            Offer { component, version, installed, url, seen_at }
        };
        match feed {
            Feed::Moby => {
                let Some((tag, text)) = self.get(&self.addresses.moby, known).await? else { return same() };
                let newest = upstream::moby(&text)?;
                let offers = newest.map(|(v, url)| offer(Component::DockerEngine, v, None, Some(url)));
                Ok((tag, offers.into_iter().collect()))
            }
            Feed::Kernel => {
                let answer = self.get(&self.addresses.kernel, known).await?;
                let (Some(running), Some((tag, text))) = (running, answer) else { return same() };
                let newest = upstream::kernel(&text, running)?;
                let url = Some("https://www.kernel.org/".to_owned());
                Ok((tag, newest.map(|v| offer(Component::Kernel, v, None, url)).into_iter().collect()))
            }
            Feed::Apt => {
                let packages = upstream::PACKAGES.iter().flat_map(|(_, names)| names.iter().copied());
                let argv: Vec<&str> = ["apt-cache", "policy"].into_iter().chain(packages).collect();
                let text = command::run(&argv).await?;
                let offered = upstream::apt(&text).into_iter();
                Ok((None, offered.map(|(c, old, new)| offer(c, new, Some(old), None)).collect()))
            }
        }
    }

    /// An answer with its tag; none when it is the last one still.
    async fn get(&self, url: &str, known: &Known) -> Result<Option<(Option<String>, String)>, FollowError> {
        let failed = |e: reqwest::Error| FollowError::Http(e.without_url().to_string());
        let mut request = self.http.get(url);
        if let Some(tag) = &known.tag {
            request = request.header(IF_NONE_MATCH, tag);
        }
        let mut response = request.send().await.map_err(failed)?;
        match response.status().as_u16() {
            200 => {}
            304 => return Ok(None),
            status => return Err(FollowError::Status(status)),
        }
        let tag = response.headers().get(ETAG).and_then(|tag| tag.to_str().ok()).map(str::to_owned);
        let mut body = Vec::new();
        while let Some(part) = response.chunk().await.map_err(failed)? {
            if body.len() + part.len() > LARGEST {
                return Err(FollowError::Large);
            }
            body.extend_from_slice(&part);
        }
        Ok(Some((tag, String::from_utf8_lossy(&body).into_owned())))
    }
}
