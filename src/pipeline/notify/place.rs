//! Where a result belongs: issues, a pull request, or a commit only.

use super::NotifyError;
use crate::actions::Event;
use crate::notify::github::{Client, pull_request};
use serde::{Deserialize, Serialize};

/// What is known of a job without asking anybody: enough to find out the place later, on another machine if need be.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// What started the job.
    pub event: Event,
    /// The branch that the job is of.
    pub branch: Option<String>,
    /// The commit that the job is of.
    pub sha: Option<String>,
    /// Whether the job was run before, perhaps on another machine, whose outbox is gone.
    pub is_rerun: bool,
}

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

impl Origin {
    /// The place of a result. Of a `workflow_run` it asks GitHub.
    pub async fn place(&self, client: Option<&Client>) -> Result<Place, NotifyError> {
        let Self { event, branch, sha, .. } = self;
        if let Some(run) = event.run {
            let origin = pull_request::origin(client.ok_or(NotifyError::NoGithub)?, run).await?;
            let ours = client.map(|c| c.repository().to_string().to_lowercase());
            let fork = origin.head_repository.as_ref().map(|r| r.to_lowercase()) != ours;
            let head_sha = origin.head_sha;
            return Ok(if origin.event.starts_with("pull_request") || fork {
                Place::PullRequests { numbers: origin.pull_requests, head_sha }
            } else {
                self.of_branch(event.run_branch.as_deref(), Some(head_sha))
            });
        }
        if let Some(pull) = &event.pull_request {
            return Ok(Place::PullRequests { numbers: vec![pull.number], head_sha: pull.head_sha.clone() });
        }
        Ok(self.of_branch(branch.as_deref(), sha.clone()))
    }

    /// Whether what the job measures is said of the host itself: neither a proposal nor a branch.
    pub fn speaks_for_the_host(&self) -> bool {
        let Self { event, branch, .. } = self;
        let branch = if event.run.is_some() { &event.run_branch } else { branch };
        let place = self.of_branch(branch.as_deref(), Some(String::new()));
        event.pull_request.is_none() && matches!(place, Place::Issues { .. })
    }

    /// Only runs of the default branch speak for a host: what a branch tries out opens no issue.
    fn of_branch(&self, branch: Option<&str>, head_sha: Option<String>) -> Place {
        match (branch, &self.event.default_branch, head_sha) {
            (Some(branch), Some(default), Some(head_sha)) if branch != default => Place::Commit { head_sha },
            (_, _, head_sha) => Place::Issues { head_sha },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_default_branch_opens_issues() {
        let event = Event { default_branch: Some("main".into()), ..Event::default() };
        let of = async |branch: Option<&str>| {
            let branch = branch.map(str::to_owned);
            let origin = Origin { event: event.clone(), branch, sha: Some("abc".into()), is_rerun: false };
            origin.place(None).await.expect("a place")
        };
        assert_eq!(of(Some("main")).await, Place::Issues { head_sha: Some("abc".into()) });
        assert_eq!(of(Some("try")).await, Place::Commit { head_sha: "abc".into() });
        assert_eq!(of(None).await, Place::Issues { head_sha: Some("abc".into()) });
        let speaks = |branch: &str| {
            let branch = Some(branch.to_owned());
            Origin { event: event.clone(), branch, sha: None, is_rerun: false }.speaks_for_the_host()
        };
        assert!(speaks("main") && !speaks("try") && Origin::default().speaks_for_the_host());
        let service = Origin::default().place(None).await.expect("a place");
        assert_eq!(service, Place::Issues { head_sha: None });
    }
}
