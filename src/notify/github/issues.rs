//! The issues that alerts live in: read as they are shown, and changed as [`crate::alert::decide`] says.
//!
//! Every change looks first. A comment goes before the state that it tells of, and carries that state in its marker, so
//! that a run which dies between the two leaves work that the next one finishes without saying anything twice.

mod board;
pub mod candidates;
mod change;
mod open;

pub use board::{Board, board};

use super::author::{User, by};
use super::client::Client;
use super::error::{GithubError, ReadError};
use super::labels::{self, Label};
use crate::alert::render::{Context, TemplateError, Templates, event_state};
use crate::alert::{Action, Closing, Kind, Marker, Phase, Transition};
use board::Issue;
use change::Change;
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};

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

/// An issue that was changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changed {
    /// Its number.
    pub number: u64,
    /// Its page.
    pub url: String,
    /// Why the next run would not know it again, and what to do, if so.
    pub trouble: Option<String>,
}

/// What became of an action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Applied {
    /// Done, now or by an earlier attempt.
    Done(Changed),
    /// The issue is not there any more: a person deleted or moved it.
    Gone,
    /// Somebody, or another run, changed it since the board was read: decide again.
    Overtaken,
}

#[derive(Debug, Deserialize)]
struct Comment {
    body: Option<String>,
    user: Option<User>,
}

/// Makes our labels when they are missing. Without the permission they are made with the first issue, without colours.
pub async fn ensure_labels(client: &Client) -> Result<(), GithubError> {
    let ours = [
        label(LABEL, "b60205", "Opened and closed by tollgate: the toll of Docker or KVM rose"),
        label(ACCEPT, "0e8a16", "The next sweep is accepted as the new regime, and the issue closed"),
    ];
    ensure(client, &ours).await
}

async fn ensure(client: &Client, labels: &[Label]) -> Result<(), GithubError> {
    match labels::ensure(client, labels).await {
        Err(error) if matches!(error.status(), Some(403 | 404)) => {
            tracing::info!(%error, "labels are left to the first issue");
            Ok(())
        }
        result => result.map(|_| ()),
    }
}

fn label(name: &str, color: &str, description: &str) -> Label {
    Label { name: name.to_owned(), color: color.to_owned(), description: description.to_owned() }
}

/// Does one thing that was decided from `board`.
pub async fn apply(
    client: &Client,
    board: &Board,
    action: &Action<'_>,
    templates: &Templates,
    context: &Context<'_>,
) -> Result<Applied, IssueError> {
    let Some(number) = action.number else {
        let issue = templates.issue(action, context)?;
        let identity = action.record.key.identity();
        let same = |shown: &Issue, login: &str| {
            shown.shown(login).is_some_and(|shown| shown.record.key.identity() == identity)
        };
        return Ok(open::open(client, &issue, LABEL, same).await.map(Applied::Done)?);
    };
    if let Some(comment) = templates.comment(action, context)? {
        match say(client, number, &comment, &event_state(action)).await {
            Err(error) if is_gone(client, number, &error).await? => return Ok(Applied::Gone),
            result => result?,
        }
    }
    let fields = if action.group.is_empty() && action.trouble.is_none() {
        json!({ "body": Marker::of(&action.record).over(board.body(number)) })
    } else {
        let issue = templates.issue(action, context)?;
        json!({ "title": issue.title, "body": issue.body })
    };
    let more = |present: &Issue, turns, fields: &mut Value| withdraw_consent(action, present, turns, fields);
    Ok(change(board, number, action).write(client, &fields, more).await?)
}

/// Whether an action may still be done: nothing has changed since the board was read, or it is done already.
pub async fn is_due(client: &Client, board: &Board, action: &Action<'_>) -> Result<bool, GithubError> {
    let Some(number) = action.number else { return Ok(true) };
    change(board, number, action).is_due(client).await
}

fn change(board: &Board, number: u64, action: &Action<'_>) -> Change {
    Change {
        number,
        before: board.before(number),
        marker: Marker::of(&action.record),
        state: match action.record.phase {
            Phase::Open => ("open", "reopened"),
            Phase::Closed(Closing::Duplicate) => ("closed", "duplicate"),
            Phase::Closed(_) => ("closed", "completed"),
        },
    }
}

/// Consent to what was seen is none to what comes later, or to more.
fn withdraw_consent(action: &Action<'_>, present: &Issue, turns: bool, fields: &mut Value) {
    let is_over = turns || matches!(action.transition, Transition::Worse { .. });
    if is_over && present.has(ACCEPT) {
        let kept = present.labels().filter(|name| !name.eq_ignore_ascii_case(ACCEPT));
        fields["labels"] = json!(kept.collect::<Vec<_>>());
    }
}

/// An issue; none when it is gone.
async fn find(client: &Client, number: u64) -> Result<Option<Issue>, ReadError> {
    match client.find::<Issue>(&client.repo(&format!("issues/{number}")), &[]).await {
        Err(ReadError::Refused(refusal)) if refusal.status == 410 => Ok(None),
        found => found,
    }
}

/// Whether a write failed because its issue is not there any more. A token that may not write gets 404, too; then the
/// issue can still be read, and nothing is gone but the permission.
async fn is_gone(client: &Client, number: u64, error: &GithubError) -> Result<bool, GithubError> {
    if !matches!(error.status(), Some(404 | 410)) {
        return Ok(false);
    }
    Ok(find(client, number).await?.is_none())
}

fn url(answer: &Value, client: &Client, number: u64) -> String {
    let fallback = || format!("{}#{number}", client.repository());
    answer["html_url"].as_str().map_or_else(fallback, str::to_owned)
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
