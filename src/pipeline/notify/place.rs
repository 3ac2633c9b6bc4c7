//! Where a result belongs: issues, a pull request, or a commit only.

use super::NotifyError;
use crate::actions::Event;
use crate::notify::github::{Client, pull_request};
use serde::{Deserialize, Serialize};

/// Where a result belongs. It is found out from the event and the API, never from the result: that is a stranger's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "where")]
pub enum Place {
    /// The default branch or a host of its own: issues, and a check where the commit is known.
    Issues {
        /// The commit.
        head_sha: Option<String>,
    },
    /// Pull requests: a comment each and a check. Issues stay as they are.
    PullRequests {
        /// Their numbers.
        numbers: Vec<u64>,
        /// The newest commit.
        head_sha: String,
    },
    /// Another branch: a check only.
    Commit {
        /// The commit.
        head_sha: String,
    },
}

/// The place of a result for an event. `branch` and `sha` are those of the job itself.
pub async fn place(
    client: Option<&Client>,
    event: &Event,
    branch: Option<&str>,
    sha: Option<&str>,
) -> Result<Place, NotifyError> {
    if let Some(run) = event.run {
        let origin = pull_request::origin(client.ok_or(NotifyError::NoGithub)?, run).await?;
        let ours = client.map(|c| c.repository().to_string().to_lowercase());
        let fork = origin.head_repository.as_ref().map(|r| r.to_lowercase()) != ours;
        let head_sha = origin.head_sha;
        return Ok(if origin.event.starts_with("pull_request") || fork {
            Place::PullRequests { numbers: origin.pull_requests, head_sha }
        } else {
            of_branch(event, event.run_branch.as_deref(), Some(head_sha))
        });
    }
    if let Some(pull) = &event.pull_request {
        return Ok(Place::PullRequests { numbers: vec![pull.number], head_sha: pull.head_sha.clone() });
    }
    Ok(of_branch(event, branch, sha.map(str::to_owned)))
}

/// Only runs of the default branch speak for a host: what a branch tries out opens no issue.
fn of_branch(event: &Event, branch: Option<&str>, head_sha: Option<String>) -> Place {
    match (branch, &event.default_branch, head_sha) {
        (Some(branch), Some(default), Some(head_sha)) if branch != default => Place::Commit { head_sha },
        (_, _, head_sha) => Place::Issues { head_sha },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_default_branch_opens_issues() {
        let event = Event { default_branch: Some("main".into()), ..Event::default() };
        let of = async |branch| place(None, &event, branch, Some("abc")).await.expect("a place");
        assert_eq!(of(Some("main")).await, Place::Issues { head_sha: Some("abc".into()) });
        assert_eq!(of(Some("try")).await, Place::Commit { head_sha: "abc".into() });
        assert_eq!(of(None).await, Place::Issues { head_sha: Some("abc".into()) });
        let service = place(None, &Event::default(), None, None).await.expect("a place");
        assert_eq!(service, Place::Issues { head_sha: None });
    }
}
