//! A branch with files and a pull request for them, through the API alone: no clone, no git.

use super::client::Client;
use super::error::{GithubError, ReadError, WriteError};
use crate::model::hex;
use base64::prelude::{BASE64_STANDARD, Engine as _};
use reqwest::Method;
use serde::Deserialize;
use serde_json::json;
use sha1::{Digest as _, Sha1};

/// A file as it shall be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProposedFile {
    /// Path in the repository.
    pub path: String,
    /// Its whole text.
    pub text: String,
    /// Message of the commit that writes it.
    pub message: String,
}

/// What to propose. The same proposal again changes nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposal {
    /// Branch that the pull request asks to change.
    pub base: String,
    /// Branch of the proposal. It is made from `base`; when it is there already, the files are written on top.
    pub branch: String,
    /// Title of the pull request.
    pub title: String,
    /// Its body.
    pub body: String,
    /// The files.
    pub files: Vec<ProposedFile>,
}

/// What was done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Proposed {
    /// Whether the branch was made now.
    pub made_branch: bool,
    /// Paths of the files that were written now.
    pub written: Vec<String>,
    /// The pull request; none when `base` holds these files already.
    pub pull_request: Option<PullRequest>,
}

/// The proposal's pull request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PullRequest {
    /// Its number.
    pub number: u64,
    /// Its page.
    pub url: String,
    /// What became of it.
    pub state: PullState,
}

/// What became of a proposal's pull request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PullState {
    /// It was opened now.
    Opened,
    /// It was open, and its text was written anew.
    Updated,
    /// It was open, and says what it should.
    Unchanged,
    /// A person closed it, and there is nothing new to propose.
    Declined,
}

#[derive(Deserialize)]
struct Reference {
    object: Object,
}

#[derive(Deserialize)]
struct Object {
    sha: String,
}

#[derive(Deserialize)]
struct Content {
    sha: String,
}

#[derive(Deserialize)]
struct Pull {
    number: u64,
    html_url: String,
    state: String,
    #[serde(default)]
    body: Option<String>,
    #[serde(default)]
    merged_at: Option<String>,
}

impl Pull {
    /// Whether its text is this; GitHub may give the line ends of a browser back.
    fn says(&self, body: &str) -> bool {
        self.body.as_deref().unwrap_or_default().lines().eq(body.lines())
    }

    fn shown(&self) -> PullRequest {
        PullRequest { number: self.number, url: self.html_url.clone(), state: PullState::Unchanged }
    }
}

/// Proposes. Every step looks first, so that a step whose answer was lost, and a second runner, do no harm.
pub async fn propose(client: &Client, proposal: &Proposal) -> Result<Proposed, GithubError> {
    check(proposal)?;
    let mut done = Proposed::default();
    if !differs(client, &proposal.base, &proposal.files).await? {
        return Ok(done);
    }
    done.made_branch = client.settle(async || branch(client, proposal).await).await?;
    for file in &proposal.files {
        if client.settle(async || write_file(client, &proposal.branch, file).await).await? {
            done.written.push(file.path.clone());
        }
    }
    let is_new = !done.written.is_empty();
    done.pull_request = Some(client.settle(async || pull_request(client, proposal, is_new).await).await?);
    Ok(done)
}

/// Paths and branches that a URL would change in silence are refused.
fn check(proposal: &Proposal) -> Result<(), GithubError> {
    let paths = proposal.files.iter().map(|file| &file.path);
    for path in paths.chain([&proposal.base, &proposal.branch]) {
        if path.split('/').any(|part| part.is_empty() || matches!(part, "." | "..")) {
            return Err(GithubError::Settings(format!("{path:?} is no path or branch of a repository")));
        }
    }
    if proposal.base == proposal.branch {
        return Err(GithubError::Settings("the branch of a proposal is not its base".to_owned()));
    }
    Ok(())
}

async fn differs(client: &Client, branch: &str, files: &[ProposedFile]) -> Result<bool, GithubError> {
    for file in files {
        if blob(client, branch, &file.path).await?.is_none_or(|sha| sha != blob_of(&file.text)) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The name of a file's blob on a branch; none when it is not there. It says whether the file is the same whatever its
/// size: above 1 MB GitHub does not give its text.
async fn blob(client: &Client, branch: &str, path: &str) -> Result<Option<String>, ReadError> {
    let path = client.repo(&format!("contents/{path}"));
    Ok(client.find::<Content>(&path, &[("ref", branch)]).await?.map(|found| found.sha))
}

/// The name that git gives to a blob of this text (gitformat-pack, "Object names"; `git hash-object`).
fn blob_of(text: &str) -> String {
    let mut hash = Sha1::new();
    hash.update(format!("blob {}\0", text.len()));
    hash.update(text);
    hex(&hash.finalize())
}

/// Makes the branch from its base when it is missing.
async fn branch(client: &Client, proposal: &Proposal) -> Result<bool, GithubError> {
    let head = |branch: &str| client.repo(&format!("git/ref/heads/{branch}"));
    if client.find::<Reference>(&head(&proposal.branch), &[]).await?.is_some() {
        return Ok(false);
    }
    let base: Reference = client.get(&head(&proposal.base), &[]).await?;
    let body = json!({ "ref": format!("refs/heads/{}", proposal.branch), "sha": base.object.sha });
    match client.write(Method::POST, &client.repo("git/refs"), &body).await {
        Ok(_) => Ok(true),
        Err(WriteError::Refused(refusal)) if refusal.says("already exists") => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Writes the file when it is another on the branch.
async fn write_file(client: &Client, branch: &str, file: &ProposedFile) -> Result<bool, GithubError> {
    let present = blob(client, branch, &file.path).await?;
    if present.as_ref().is_some_and(|sha| *sha == blob_of(&file.text)) {
        return Ok(false);
    }
    let mut body = json!({
        "message": file.message,
        "content": BASE64_STANDARD.encode(&file.text),
        "branch": branch,
    });
    if let Some(sha) = present {
        body["sha"] = json!(sha);
    }
    let path = client.repo(&format!("contents/{}", file.path));
    match client.write(Method::PUT, &path, &body).await {
        Ok(_) => Ok(true),
        // Somebody wrote between look and write: look again.
        Err(WriteError::Refused(refusal)) if refusal.status == 409 => {
            Err(WriteError::Ambiguous { request: refusal.request.clone(), cause: refusal.message.clone() }
                .into())
        }
        Err(error) => Err(error.into()),
    }
}

/// The pull request of the branch: the open one, with its text as it should be; else a new one. `is_new`: whether the branch
/// got anything now. Without that, one that a person closed stays closed.
async fn pull_request(
    client: &Client,
    proposal: &Proposal,
    is_new: bool,
) -> Result<PullRequest, GithubError> {
    let path = client.repo("pulls");
    let head = format!("{}:{}", client.repository().owner, proposal.branch);
    let query = [("state", "all"), ("head", head.as_str()), ("base", proposal.base.as_str())];
    let pulls: Vec<Pull> = client.get_all(&path, &query, 5).await?;
    if let Some(pull) = pulls.iter().filter(|p| p.state == "open").min_by_key(|p| p.number) {
        return Ok(PullRequest { state: refresh(client, proposal, pull).await?, ..pull.shown() });
    }
    let newest = pulls.iter().max_by_key(|p| p.number);
    // The text lists the sweeps: another one means that an earlier run wrote files and could not ask for them.
    let is_answered = |p: &&Pull| p.merged_at.is_none() && !is_new && p.says(&proposal.body);
    if let Some(declined) = newest.filter(is_answered) {
        return Ok(PullRequest { state: PullState::Declined, ..declined.shown() });
    }
    let body = json!({
        "title": proposal.title,
        "body": proposal.body,
        "head": proposal.branch,
        "base": proposal.base,
    });
    let lost = |cause: String| WriteError::Ambiguous { request: format!("POST {path}"), cause };
    match client.write(Method::POST, &path, &body).await {
        Ok(answer) => {
            let pull: Pull = serde_json::from_value(answer).map_err(|e| lost(e.to_string()))?;
            Ok(PullRequest { state: PullState::Opened, ..pull.shown() })
        }
        // Another runner was faster: look again.
        Err(WriteError::Refused(refusal)) if refusal.says("already exists") => {
            Err(lost(refusal.message.clone()).into())
        }
        Err(error) => Err(error.into()),
    }
}

/// Gives an open pull request the text that says what it holds now. A pull request is an issue, too.
async fn refresh(client: &Client, proposal: &Proposal, pull: &Pull) -> Result<PullState, GithubError> {
    if pull.says(&proposal.body) {
        return Ok(PullState::Unchanged);
    }
    let path = client.repo(&format!("issues/{}", pull.number));
    client.write(Method::PATCH, &path, &json!({ "body": proposal.body })).await?;
    Ok(PullState::Updated)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blob_has_the_name_that_git_gives_it() {
        // `git hash-object` of an empty file, and of `hello\n`.
        assert_eq!(blob_of(""), "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391");
        assert_eq!(blob_of("hello\n"), "ce013625030ba8dba906f756967f9e9ca394464a");
    }

    #[test]
    fn paths_that_a_url_would_change_are_refused() {
        let with = |path: &str| Proposal {
            base: "main".into(),
            branch: "tollgate/baseline".into(),
            title: String::new(),
            body: String::new(),
            files: vec![ProposedFile { path: path.into(), text: String::new(), message: String::new() }],
        };
        assert!(check(&with("baselines/host.json")).is_ok());
        for bad in ["", "/etc/passwd", "a/../b", "a//b", "./a", ".."] {
            assert!(check(&with(bad)).is_err(), "{bad}");
        }
        assert!(check(&Proposal { branch: "main".into(), ..with("a") }).is_err());
    }
}
