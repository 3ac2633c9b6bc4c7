//! Mode `dispatch`: a job of GitHub Actions on this host's runner measures; the service only wakes it.

use super::board::Board;
use super::local::Voice;
use super::runner::{Order, Ran, Runner};
use crate::alert::candidates::Statement;
use crate::model::{Component, HostClass};
use crate::notify::github::{Client, WriteError};
use crate::watch::{Finished, Reason};
use async_trait::async_trait;
use reqwest::Method;
use serde_json::json;
use tokio_util::sync::CancellationToken;

/// Wakes the workflow.
pub struct Dispatch<'a> {
    /// The repository.
    pub client: &'a Client,
    /// Of this host.
    pub class: HostClass,
    /// Who tells what is offered.
    pub voice: &'a dyn Voice,
}

/// The event that `.github/workflows/sweep.yml` listens for. Its gate compares the components itself, so that what
/// has no event of its own is told by one that comes near.
fn event(reason: &Reason) -> &'static str {
    let Reason::Change { changed } = reason else { return "docker-upgrade" };
    let any = |of: &[Component]| changed.iter().any(|c| of.contains(&c.component));
    if any(&[Component::DockerEngine, Component::Containerd, Component::Runc]) {
        "docker-upgrade"
    } else if any(&[Component::StorageDriver]) {
        "storage-driver-upgrade"
    } else {
        "kernel-upgrade"
    }
}

/// What an error means for the job. An outage ends and a token is renewed, and nobody finds a change again that was given up;
/// so only what GitHub refuses whatever is mended ends a job.
fn failure(error: &WriteError) -> Ran {
    let why = error.to_string();
    match error {
        WriteError::Refused(refusal) if refusal.is_for_good() => Ran::Failed { why, for_good: true },
        // An ambiguous one may have been taken. Once more does no harm: the gate finds nothing changed then.
        WriteError::Refused(_)
        | WriteError::RateLimited(_)
        | WriteError::Ambiguous { .. }
        | WriteError::NotSent { .. } => Ran::PutOff(why),
    }
}

#[async_trait(?Send)]
impl Runner for Dispatch<'_> {
    async fn run(&self, order: &Order, _: &Board, cancel: &CancellationToken) -> Ran {
        let event = event(&order.job.reason);
        let body = json!({
            "event_type": event,
            "client_payload": {
                "host_class": self.class,
                "profile": order.job.profile,
                "reason": order.job.reason.sentence(),
            },
        });
        let path = self.client.repo("dispatches");
        let written = tokio::select! {
            written = self.client.write(Method::POST, &path, &body) => written,
            () = cancel.cancelled() => return Ran::Stopped,
        };
        match written {
            Ok(_) => Ran::Dispatched(format!("{event} to {}", self.client.repository())),
            Err(error) => failure(&error),
        }
    }

    async fn gave_up(&self, over: &Finished) -> Result<(), String> {
        let why = over.detail.as_deref().unwrap_or_default();
        tracing::error!(job = over.job.id, why, "GitHub could not be asked to measure");
        Ok(())
    }

    async fn tell_waiting(&self) {
        if let Err(error) = self.voice.tell_kept().await {
            tracing::warn!(error, "what waits in the outbox could not be told");
        }
    }

    async fn tell_offered(&self, offered: Statement) -> Result<(), String> {
        self.voice.tell_offered(offered).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Change;
    use crate::notify::github::Refusal;

    #[test]
    fn only_what_github_never_takes_ends_a_job() {
        let refused = |status| {
            let request = "POST /repos/o/r/dispatches".to_owned();
            failure(&WriteError::Refused(Box::new(Refusal {
                request,
                status,
                message: String::new(),
                fields: Vec::new(),
            })))
        };
        for status in [401, 403, 404, 429, 500, 502, 503] {
            assert!(matches!(refused(status), Ran::PutOff(_)), "{status}");
        }
        assert!(matches!(refused(422), Ran::Failed { for_good: true, .. }));
        let (request, cause) = ("POST /x".to_owned(), "connection refused".to_owned());
        let lost = WriteError::Ambiguous { request: request.clone(), cause: cause.clone() };
        assert!(matches!(failure(&lost), Ran::PutOff(_)));
        assert!(matches!(failure(&WriteError::NotSent { request, cause }), Ran::PutOff(_)));
    }

    #[test]
    fn each_change_has_an_event_that_the_workflow_listens_for() {
        let workflow = include_str!("../../.github/workflows/sweep.yml");
        for component in Component::ALL {
            let changed = vec![Change { component, before: None, after: Some("2".into()) }];
            let event = event(&Reason::Change { changed });
            let types =
                workflow.lines().find(|l| l.trim_start().starts_with("types: [docker")).expect("types");
            assert!(types.contains(event), "{event}");
        }
        let driver =
            Change { component: Component::StorageDriver, before: None, after: Some("btrfs".into()) };
        assert_eq!(event(&Reason::Change { changed: vec![driver.clone()] }), "storage-driver-upgrade");
        let both = vec![driver, Change { component: Component::Runc, before: None, after: Some("2".into()) }];
        assert_eq!(event(&Reason::Change { changed: both }), "docker-upgrade");
        assert_eq!(event(&Reason::NoBaseline), "docker-upgrade");
    }
}
