//! The issue about candidate upgrades. It has a label of its own, so that who looks for alerts does not find it.

use super::board::Issue;
use super::change::Change;
use super::{Applied, IssueError, PAGES, ensure, is_gone, label, open, say};
use crate::alert::candidates::{self, Action, Memory, Phase, Shown, Statement};
use crate::alert::render::Templates;
use crate::alert::{Kind, Marker};
use crate::notify::github::client::Client;
use crate::notify::github::error::GithubError;
use serde_json::json;
use std::collections::BTreeMap;

/// The label of issues about candidates.
pub const LABEL: &str = "tollgate:candidate";

/// The issues about candidates as the repository shows them.
#[derive(Debug, Default)]
pub struct Board {
    /// All of ours, open and closed, of any host class.
    pub shown: Vec<Shown>,
    pages: BTreeMap<u64, Issue>,
}

impl Board {
    /// The page of an issue of this board.
    pub fn url(&self, number: u64) -> Option<&str> {
        self.pages.get(&number).map(|page| page.html_url.as_str())
    }
}

fn marker(issue: &Issue) -> Option<Marker> {
    issue.marker_of(Kind::Candidates)
}

/// Reads the board.
pub async fn board(client: &Client) -> Result<Board, GithubError> {
    let login = client.login().await?;
    let query = [("labels", LABEL), ("state", "all")];
    let listed: Vec<Issue> = client.get_all(&client.repo("issues"), &query, PAGES).await?;
    let mut board = Board::default();
    for issue in listed.into_iter().filter(|issue| issue.is_by(login)) {
        let Some(memory) = marker(&issue).and_then(|m| m.memory::<Memory>()) else { continue };
        let (number, open, reason) = (issue.number, issue.is_open(), issue.reason());
        board.shown.push(Shown { number, open, reason, memory });
        board.pages.insert(number, issue);
    }
    Ok(board)
}

/// Makes the label when it is missing.
pub async fn ensure_label(client: &Client) -> Result<(), GithubError> {
    let description = "Opened and closed by tollgate: an upgrade is offered whose toll is not known";
    ensure(client, &[label(LABEL, "1d76db", description)]).await
}

/// Whether an action may still be done: nothing has changed since the board was read, or it is done already.
pub async fn is_due(client: &Client, board: &Board, action: &Action) -> Result<bool, GithubError> {
    let Some(number) = action.number else { return Ok(true) };
    change(board, number, action).is_due(client).await
}

fn change(board: &Board, number: u64, action: &Action) -> Change {
    Change {
        number,
        before: board.pages.get(&number).map(|page| (page.is_open(), marker(page))).unwrap_or_default(),
        marker: action.memory.marker(),
        state: match action.memory.phase {
            Phase::Open => ("open", "reopened"),
            Phase::Closed => ("closed", "completed"),
            Phase::Duplicate => ("closed", "duplicate"),
        },
    }
}

/// Does one thing that was decided from `board`. As with alerts a comment goes before the state that it tells of.
pub async fn apply(
    client: &Client,
    board: &Board,
    action: &Action,
    templates: &Templates,
    statement: &Statement,
) -> Result<Applied, IssueError> {
    let Some(number) = action.number else {
        let issue = candidates::issue(templates, action, statement)?;
        let same = |shown: &Issue, login: &str| {
            let memory = marker(shown).and_then(|m| m.memory::<Memory>());
            shown.is_by(login) && memory.is_some_and(|m| m.host_class == statement.host_class)
        };
        return Ok(open::open(client, &issue, LABEL, same).await.map(Applied::Done)?);
    };
    if let Some(comment) = candidates::comment(templates, action, statement)? {
        match say(client, number, &comment, &candidates::event(action)).await {
            Err(error) if is_gone(client, number, &error).await? => return Ok(Applied::Gone),
            result => result?,
        }
    }
    let fields = if action.memory.phase == Phase::Open {
        let issue = candidates::issue(templates, action, statement)?;
        json!({ "title": issue.title, "body": issue.body })
    } else {
        let before = board.pages.get(&number).and_then(|page| page.body.as_deref()).unwrap_or_default();
        json!({ "body": action.memory.marker().over(before) })
    };
    Ok(change(board, number, action).write(client, &fields, |_, _, _| ()).await?)
}
