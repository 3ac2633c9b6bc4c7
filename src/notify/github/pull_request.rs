//! One comment at a pull request, kept up to date in place; and which pull requests a workflow run belongs to.

use super::author::{User, by};
use super::client::Client;
use super::error::{GithubError, ReadError, WriteError, within};
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};

/// Longest comment, characters.
pub const BODY_LIMIT: usize = 65_536;
/// Pages of 100 comments that are read.
const PAGES: usize = 100;

/// A comment that there is once at a pull request or issue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sticky<'a> {
    /// Number of the pull request or issue.
    pub number: u64,
    /// How the first line of its body begins, whatever its state is: `<!-- tollgate:v1 kind=pr key=K `.
    /// Anybody can paste it, so that only comments of [`Client::login`] count.
    pub marker: &'a str,
    /// The whole body. Its first line is the marker with the state's hash: the same line is the same comment.
    pub body: &'a str,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stuck {
    /// The comment's id.
    pub id: u64,
    /// Its page.
    pub url: String,
    /// What was written.
    pub done: Done,
    /// Duplicates of ours that were deleted.
    pub deleted: Vec<u64>,
}

/// What was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Done {
    /// Nothing: the same state is shown.
    Unchanged,
    /// A new comment: there was none, or a person deleted it.
    Created,
    /// The comment that was there.
    Updated,
}

#[derive(Debug, Deserialize)]
struct Comment {
    id: u64,
    html_url: String,
    body: Option<String>,
    user: Option<User>,
}

fn first_line(body: &str) -> &str {
    body.lines().next().unwrap_or_default().trim_end()
}

/// Makes the comment as it should be. The oldest of ours is kept, other ones of ours are deleted.
pub async fn stick(client: &Client, sticky: &Sticky<'_>) -> Result<Stuck, GithubError> {
    within("the comment", sticky.body, BODY_LIMIT)?;
    if !sticky.body.starts_with(sticky.marker) || sticky.marker.trim().is_empty() {
        return Err(GithubError::Settings("the comment does not begin with its own marker".to_owned()));
    }
    let mut deleted = Vec::new();
    let (comment, done) = client.settle(async || step(client, sticky, &mut deleted).await).await?;
    Ok(Stuck { id: comment.id, url: comment.html_url, done, deleted })
}

async fn step(
    client: &Client,
    sticky: &Sticky<'_>,
    deleted: &mut Vec<u64>,
) -> Result<(Comment, Done), GithubError> {
    let path = client.repo(&format!("issues/{}/comments", sticky.number));
    let login = client.login().await?;
    let mut ours: Vec<Comment> = client.get_all::<Comment>(&path, &[], PAGES).await?;
    ours.retain(|comment| {
        by(comment.user.as_ref(), login)
            && comment.body.as_deref().is_some_and(|body| first_line(body).starts_with(sticky.marker))
    });
    ours.sort_by_key(|comment| comment.id);
    let mut ours = ours.into_iter();
    let kept = ours.next();
    for duplicate in ours {
        let path = client.repo(&format!("issues/comments/{}", duplicate.id));
        match client.write(Method::DELETE, &path, &Value::Null).await {
            Ok(_) => deleted.push(duplicate.id),
            Err(WriteError::Refused(refusal)) if refusal.status == 404 => {}
            Err(error) => return Err(error.into()),
        }
    }
    let body = json!({ "body": sticky.body });
    if let Some(kept) = kept {
        if kept.body.as_deref().map(first_line) == Some(first_line(sticky.body)) {
            return Ok((kept, Done::Unchanged));
        }
        let path = client.repo(&format!("issues/comments/{}", kept.id));
        match client.write(Method::PATCH, &path, &body).await {
            Ok(answer) => return written("PATCH", &path, answer, Done::Updated),
            // Deleted since it was listed.
            Err(WriteError::Refused(refusal)) if refusal.status == 404 => {}
            Err(error) => return Err(error.into()),
        }
    }
    let answer = client.write(Method::POST, &path, &body).await?;
    written("POST", &path, answer, Done::Created)
}

fn written(method: &str, path: &str, answer: Value, done: Done) -> Result<(Comment, Done), GithubError> {
    let comment = serde_json::from_value(answer);
    comment.map(|comment| (comment, done)).map_err(|e| {
        WriteError::Ambiguous { request: format!("{method} {path}"), cause: e.to_string() }.into()
    })
}

/// Where a workflow run came from, as the API says it, not the run's artifact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The commit.
    pub head_sha: String,
    /// The event that started it.
    pub event: String,
    /// `owner/name` of the repository of the commit; another than ours is a fork.
    pub head_repository: Option<String>,
    /// Open pull requests of our repository whose head is that commit.
    pub pull_requests: Vec<u64>,
}

#[derive(Debug, Deserialize)]
struct Run {
    head_sha: String,
    event: String,
    head_repository: Option<Named>,
    pull_requests: Option<Vec<RunPull>>,
}

#[derive(Debug, Deserialize)]
struct Named {
    full_name: String,
}

#[derive(Debug, Deserialize)]
struct RunPull {
    number: u64,
}

#[derive(Debug, Deserialize)]
struct Pull {
    number: u64,
    state: String,
    head: Head,
}

#[derive(Debug, Deserialize)]
struct Head {
    sha: String,
}

/// Where run `run_id` came from. The run itself names no pull request of a fork, and may name one of another
/// repository; so each number is looked up, beside those that GitHub lists for the commit.
pub async fn origin(client: &Client, run_id: u64) -> Result<Origin, GithubError> {
    let run: Run = client.get(&client.repo(&format!("actions/runs/{run_id}")), &[]).await?;
    let path = client.repo(&format!("commits/{}/pulls", run.head_sha));
    let mut pulls: Vec<Pull> = match client.get_all(&path, &[], 10).await {
        // The commit is not in this repository (any more): then no pull request here has it.
        Err(ReadError::Refused(refusal)) if matches!(refusal.status, 404 | 422) => Vec::new(),
        listed => listed?,
    };
    for named in run.pull_requests.unwrap_or_default() {
        if pulls.iter().all(|pull| pull.number != named.number) {
            pulls.extend(client.find::<Pull>(&client.repo(&format!("pulls/{}", named.number)), &[]).await?);
        }
    }
    pulls.retain(|pull| pull.state == "open" && pull.head.sha == run.head_sha);
    let mut pull_requests: Vec<u64> = pulls.into_iter().map(|pull| pull.number).collect();
    pull_requests.sort_unstable();
    pull_requests.dedup();
    Ok(Origin {
        head_sha: run.head_sha,
        event: run.event,
        head_repository: run.head_repository.map(|repository| repository.full_name),
        pull_requests,
    })
}
