//! Our issues as the repository shows them.

use super::{ACCEPT, LABEL, PAGES};
use crate::alert::{Kind, Marker, ShownIssue, StateReason};
use crate::notify::github::author::{User, by};
use crate::notify::github::client::Client;
use crate::notify::github::error::GithubError;
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// Our issues as the repository shows them.
#[derive(Debug, Clone, Default)]
pub struct Board {
    /// All of them, open and closed.
    pub issues: Vec<ShownIssue>,
    pages: BTreeMap<u64, Page>,
}

#[derive(Debug, Clone)]
struct Page {
    body: String,
    url: String,
}

impl Board {
    /// The page of an issue of this board.
    pub fn url(&self, number: u64) -> Option<&str> {
        self.pages.get(&number).map(|p| p.url.as_str())
    }

    pub(super) fn body(&self, number: u64) -> &str {
        self.pages.get(&number).map_or("", |p| p.body.as_str())
    }

    /// Whether an issue is open on this board, and what its marker says.
    pub(super) fn before(&self, number: u64) -> (bool, Option<Marker>) {
        let open = self.issues.iter().any(|i| i.number == number && i.open);
        (open, Marker::read(self.body(number)))
    }
}

/// An issue as the API describes it.
#[derive(Debug, Deserialize)]
pub(super) struct Issue {
    pub(super) number: u64,
    pub(super) html_url: String,
    state: String,
    #[serde(default)]
    state_reason: Option<String>,
    #[serde(default)]
    pub(super) body: Option<String>,
    #[serde(default)]
    pub(super) user: Option<User>,
    #[serde(default)]
    labels: Vec<Value>,
    #[serde(default)]
    closed_at: Option<DateTime<Utc>>,
    #[serde(default)]
    pull_request: Option<Value>,
}

impl Issue {
    pub(super) fn is_open(&self) -> bool {
        self.state == "open"
    }

    /// The names of its labels: a label is its name, or an object with it.
    pub(super) fn labels(&self) -> impl Iterator<Item = &str> {
        self.labels.iter().filter_map(|l| l.as_str().or(l["name"].as_str()))
    }

    pub(super) fn has(&self, label: &str) -> bool {
        self.labels().any(|name| name.eq_ignore_ascii_case(label))
    }

    /// The marker of its body, when it is one of an issue.
    pub(super) fn marker(&self) -> Option<Marker> {
        self.marker_of(Kind::Issue)
    }

    /// The marker of its body, when it is of this kind.
    pub(super) fn marker_of(&self, kind: Kind) -> Option<Marker> {
        Marker::read(self.body.as_deref()?).filter(|m| m.kind == kind)
    }

    /// Whether it is an issue that we opened. Anybody can paste a marker.
    pub(super) fn is_by(&self, login: &str) -> bool {
        self.pull_request.is_none() && by(self.user.as_ref(), login)
    }

    /// Why it is closed.
    pub(super) fn reason(&self) -> Option<StateReason> {
        match self.state_reason.as_deref() {
            Some("completed") => Some(StateReason::Completed),
            Some("not_planned") => Some(StateReason::NotPlanned),
            Some("duplicate") => Some(StateReason::Duplicate),
            _ => None,
        }
    }

    /// The issue as the machine sees it, when it is one of ours.
    pub(super) fn shown(&self, login: &str) -> Option<ShownIssue> {
        if !self.is_by(login) {
            return None;
        }
        let marker = self.marker()?;
        let Some(record) = marker.record() else {
            tracing::warn!(issue = self.number, "its marker was changed by hand, so that it is left alone");
            return None;
        };
        Some(ShownIssue {
            number: self.number,
            open: self.is_open(),
            reason: self.reason(),
            closed_at: self.closed_at,
            accept: self.has(ACCEPT),
            state: marker.state,
            record,
        })
    }
}

/// Reads the board: everything with our label, not by search, which is late.
pub async fn board(client: &Client) -> Result<Board, GithubError> {
    let login = client.login().await?;
    let query = [("labels", LABEL), ("state", "all")];
    let listed: Vec<Issue> = client.get_all(&client.repo("issues"), &query, PAGES).await?;
    let mut board = Board::default();
    for issue in listed {
        if let Some(shown) = issue.shown(login) {
            board.issues.push(shown);
            let page = Page { body: issue.body.unwrap_or_default(), url: issue.html_url };
            board.pages.insert(issue.number, page);
        }
    }
    Ok(board)
}
