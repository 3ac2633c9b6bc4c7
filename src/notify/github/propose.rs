//! A branch with files and a pull request for them, through the API alone: no clone, no git.

use super::client::Client;
use super::error::{GithubError, ReadError, WriteError};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use reqwest::Method;
use serde::Deserialize;
use serde_json::json;

/// A file as it shall be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProposedFile {
    /// Path in the repository.
    pub path: String,
    /// Its whole text, below 1 MB, which is what GitHub gives back for comparison.
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
    /// Whether it was opened now.
    pub opened: bool,
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
    #[serde(rename = "content")]
    text: Option<String>,
    encoding: Option<String>,
}

#[derive(Deserialize)]
struct Pull {
    number: u64,
    html_url: String,
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
    done.pull_request = Some(client.settle(async || pull_request(client, proposal).await).await?);
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
        if content(client, branch, &file.path).await?.is_none_or(|(_, text)| text != file.text.as_bytes()) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Blob and bytes of a file on a branch; none when it is not there.
async fn content(client: &Client, branch: &str, path: &str) -> Result<Option<(String, Vec<u8>)>, ReadError> {
    let path = client.repo(&format!("contents/{path}"));
    let Some(found) = client.find::<Content>(&path, &[("ref", branch)]).await? else { return Ok(None) };
    let unexpected =
        |cause: &str| ReadError::Unexpected { request: format!("GET {path}"), cause: cause.to_owned() };
    if found.encoding.as_deref() != Some("base64") {
        return Err(unexpected("the file is over 1 MB, too large to compare"));
    }
    let text: String = found.text.unwrap_or_default().split_whitespace().collect();
    let bytes = BASE64_STANDARD.decode(text).map_err(|_| unexpected("its content is not base64"))?;
    Ok(Some((found.sha, bytes)))
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
    let present = content(client, branch, &file.path).await?;
    if present.as_ref().is_some_and(|(_, bytes)| bytes == file.text.as_bytes()) {
        return Ok(false);
    }
    let mut body = json!({
        "message": file.message,
        "content": BASE64_STANDARD.encode(&file.text),
        "branch": branch,
    });
    if let Some((sha, _)) = present {
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

/// The open pull request of the branch, opened when there is none.
async fn pull_request(client: &Client, proposal: &Proposal) -> Result<PullRequest, GithubError> {
    let path = client.repo("pulls");
    let head = format!("{}:{}", client.repository().owner, proposal.branch);
    let query = [("state", "open"), ("head", head.as_str()), ("base", proposal.base.as_str())];
    let open: Vec<Pull> = client.get_all(&path, &query, 5).await?;
    if let Some(pull) = open.into_iter().min_by_key(|pull| pull.number) {
        return Ok(PullRequest { number: pull.number, url: pull.html_url, opened: false });
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
            Ok(PullRequest { number: pull.number, url: pull.html_url, opened: true })
        }
        // Another runner was faster: look again.
        Err(WriteError::Refused(refusal)) if refusal.says("already exists") => {
            Err(lost(refusal.message.clone()).into())
        }
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
