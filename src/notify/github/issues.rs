//! The issues that alerts live in: read as they are shown, and changed as [`crate::alert::decide`] says.
//!
//! Every change looks first. A comment goes before the state that it tells of, and carries that state in its marker, so
//! that a run which dies between the two leaves work that the next one finishes without saying anything twice.

use super::author::{User, by};
use super::client::Client;
use super::error::{GithubError, WriteError};
use super::labels::{self, Label};
use crate::alert::render::{Context, TemplateError, Templates, event_state, with_marker};
use crate::alert::{Action, Closing, Kind, Marker, Phase, ShownIssue, StateReason};
use chrono::{DateTime, Utc};
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The label of every issue of ours.
pub const LABEL: &str = "tollgate";
/// The label by which a person accepts what an issue is about.
pub const ACCEPT: &str = "tollgate:accept";
/// Pages of 100 issues, or comments, that are read.
const PAGES: usize = 200;

/// An issue could not be changed.
#[derive(Debug, thiserror::Error)]
pub enum IssueError {
    /// GitHub.
    #[error(transparent)]
    Github(#[from] GithubError),
    /// The text of it.
    #[error(transparent)]
    Template(#[from] TemplateError),
}

/// Our issues as the repository shows them.
#[derive(Debug, Clone, Default)]
pub struct Board {
    /// All of them, open and closed.
    pub issues: Vec<ShownIssue>,
    bodies: BTreeMap<u64, String>,
}

/// An issue that was changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changed {
    /// Its number.
    pub number: u64,
    /// Its page.
    pub url: String,
}

#[derive(Debug, Deserialize)]
struct Issue {
    number: u64,
    html_url: String,
    state: String,
    #[serde(default)]
    state_reason: Option<String>,
    #[serde(default)]
    body: Option<String>,
    #[serde(default)]
    user: Option<User>,
    #[serde(default)]
    labels: Vec<Value>,
    #[serde(default)]
    closed_at: Option<DateTime<Utc>>,
    #[serde(default)]
    pull_request: Option<Value>,
}

#[derive(Debug, Deserialize)]
struct Comment {
    body: Option<String>,
    user: Option<User>,
}

impl Issue {
    fn has(&self, label: &str) -> bool {
        // A label is its name, or an object with it.
        let name = |l: &'_ Value| l.as_str().or(l["name"].as_str()).map(str::to_lowercase);
        self.labels.iter().filter_map(name).any(|n| n == label)
    }

    /// The issue as the machine sees it, when it is one of ours. Anybody can paste a marker.
    fn shown(&self, login: &str) -> Option<ShownIssue> {
        if self.pull_request.is_some() || !by(self.user.as_ref(), login) {
            return None;
        }
        let marker = Marker::read(self.body.as_deref()?).filter(|m| m.kind == Kind::Issue)?;
        let Some(record) = marker.record() else {
            tracing::warn!(issue = self.number, "its marker was changed by hand, so that it is left alone");
            return None;
        };
        Some(ShownIssue {
            number: self.number,
            open: self.state == "open",
            reason: match self.state_reason.as_deref() {
                Some("completed") => Some(StateReason::Completed),
                Some("not_planned") => Some(StateReason::NotPlanned),
                Some("duplicate") => Some(StateReason::Duplicate),
                _ => None,
            },
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
            board.bodies.insert(issue.number, issue.body.unwrap_or_default());
        }
    }
    Ok(board)
}

/// Makes our labels when they are missing. Without the permission they are made with the first issue, without colours.
pub async fn ensure_labels(client: &Client) -> Result<(), GithubError> {
    let label = |name: &str, color: &str, description: &str| Label {
        name: name.to_owned(),
        color: color.to_owned(),
        description: description.to_owned(),
    };
    let ours = [
        label(LABEL, "b60205", "Opened and closed by tollgate: the toll of Docker or KVM rose"),
        label(ACCEPT, "0e8a16", "The next sweep is accepted as the new regime, and the issue closed"),
    ];
    match labels::ensure(client, &ours).await {
        Err(error) if matches!(error.status(), Some(403 | 404)) => {
            tracing::info!(%error, "labels are left to the first issue");
            Ok(())
        }
        result => result.map(|_| ()),
    }
}

/// Does one thing that was decided from `board`. `None` when the issue is gone: a person deleted or moved it.
pub async fn apply(
    client: &Client,
    board: &Board,
    action: &Action<'_>,
    templates: &Templates,
    context: &Context<'_>,
) -> Result<Option<Changed>, IssueError> {
    let Some(number) = action.number else { return open(client, action, templates, context).await.map(Some) };
    if let Some(comment) = templates.comment(action, context)? {
        match say(client, number, &comment, &event_state(action)).await {
            Err(error) if is_gone(client, number, &error).await? => return Ok(None),
            result => result?,
        }
    }
    let mut change = json!({});
    if action.group.is_empty() && action.trouble.is_none() {
        let old = board.bodies.get(&number).map_or("", String::as_str);
        change["body"] = json!(with_marker(old, &action.record));
    } else {
        let issue = templates.issue(action, context)?;
        change["title"] = json!(issue.title);
        change["body"] = json!(issue.body);
    }
    let (state, reason) = match action.record.phase {
        Phase::Open => ("open", "reopened"),
        Phase::Closed(Closing::Duplicate) => ("closed", "duplicate"),
        Phase::Closed(_) => ("closed", "completed"),
    };
    let was_open = board.issues.iter().find(|i| i.number == number).is_some_and(|i| i.open);
    if was_open != (state == "open") {
        change["state"] = json!(state);
        change["state_reason"] = json!(reason);
    }
    let path = client.repo(&format!("issues/{number}"));
    let patched = client.settle(async || Ok(client.write(Method::PATCH, &path, &change).await?)).await;
    match patched {
        Err(error) if is_gone(client, number, &error).await? => Ok(None),
        answer => Ok(Some(Changed { number, url: url(&answer?, client, number) })),
    }
}

/// Whether a write failed because its issue is not there any more. A token that may not write gets 404, too; then the
/// issue can still be read, and nothing is gone but the permission.
async fn is_gone(client: &Client, number: u64, error: &GithubError) -> Result<bool, GithubError> {
    if !matches!(error.status(), Some(404 | 410)) {
        return Ok(false);
    }
    match client.find::<Issue>(&client.repo(&format!("issues/{number}")), &[]).await {
        Ok(found) => Ok(found.is_none()),
        Err(error) => match GithubError::from(error) {
            gone if gone.status() == Some(410) => Ok(true),
            error => Err(error),
        },
    }
}

fn url(answer: &Value, client: &Client, number: u64) -> String {
    let fallback = || format!("{}#{number}", client.repository());
    answer["html_url"].as_str().map_or_else(fallback, str::to_owned)
}

/// Opens an issue, unless one with its key is open already: after a lost answer, or by another runner.
async fn open(
    client: &Client,
    action: &Action<'_>,
    templates: &Templates,
    context: &Context<'_>,
) -> Result<Changed, IssueError> {
    let issue = templates.issue(action, context)?;
    let key = action.record.key.to_string();
    let path = client.repo("issues");
    let body = json!({ "title": issue.title, "body": issue.body, "labels": [LABEL] });
    let mut again = false;
    let step = async || {
        if std::mem::replace(&mut again, true)
            && let Some(found) = find_open(client, &key).await?
        {
            return Ok(found);
        }
        let answer = client.write(Method::POST, &path, &body).await?;
        let number = answer["number"].as_u64().ok_or_else(|| WriteError::Ambiguous {
            request: format!("POST {path}"),
            cause: "the answer names no issue".to_owned(),
        })?;
        Ok(Changed { number, url: url(&answer, client, number) })
    };
    Ok(client.settle(step).await?)
}

/// The oldest open issue of ours with this key.
async fn find_open(client: &Client, key: &str) -> Result<Option<Changed>, GithubError> {
    let login = client.login().await?;
    let query = [("labels", LABEL), ("state", "open")];
    let listed: Vec<Issue> = client.get_all(&client.repo("issues"), &query, PAGES).await?;
    let ours = listed
        .into_iter()
        .filter(|i| i.shown(login).is_some_and(|shown| shown.record.key.to_string() == key));
    Ok(ours.min_by_key(|i| i.number).map(|i| Changed { number: i.number, url: i.html_url }))
}

/// Comments, unless a comment of ours tells of this state already.
async fn say(client: &Client, number: u64, comment: &str, state: &str) -> Result<(), GithubError> {
    let path = client.repo(&format!("issues/{number}/comments"));
    let login = client.login().await?;
    let step = async || {
        let comments: Vec<Comment> = client.get_all(&path, &[], PAGES).await?;
        let said = comments.iter().filter(|c| by(c.user.as_ref(), login)).any(|c| {
            let marker = c.body.as_deref().and_then(Marker::read);
            marker.is_some_and(|m| m.kind == Kind::Event && m.state == state)
        });
        if !said {
            client.write(Method::POST, &path, &json!({ "body": comment })).await?;
        }
        Ok(())
    };
    client.settle(step).await
}
