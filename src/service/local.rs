//! Mode `local`: this host measures, as `gate --notify` does.

use super::board::Board;
use super::runner::{Order, Ran, Runner};
use crate::alert::candidates::Statement;
use crate::config::Config;
use crate::model::GateResult;
use crate::pipeline::accept::AcceptRequest;
use crate::pipeline::gate::{Conditions, gate};
use crate::pipeline::resume::journal_path;
use crate::pipeline::sweep::Request;
use crate::pipeline::{self, PipelineError};
use crate::sweep::SweepError;
use crate::watch::Finished;
use crate::workload::Profile;
use async_trait::async_trait;
use clap::ValueEnum as _;
use tokio_util::sync::CancellationToken;

/// Says results, and is asked what people accept.
#[async_trait(?Send)]
pub trait Voice {
    /// Tells a result. What cannot be told now is kept: that comes first, before anybody is waited for.
    async fn tell(&self, result: &GateResult) -> Result<(), String>;
    /// Tells what was kept.
    async fn tell_kept(&self) -> Result<(), String>;
    /// Tells what is offered. What cannot be told now is kept; an error when not even that worked.
    async fn tell_offered(&self, offered: Statement) -> Result<(), String>;
    /// What people asked to accept.
    async fn accepted(&self, profile: Profile) -> Vec<AcceptRequest>;
}

/// Measures here.
pub struct Local<'a> {
    /// Settings.
    pub config: &'a Config,
    /// Who tells the results.
    pub voice: &'a dyn Voice,
}

#[async_trait(?Send)]
impl Runner for Local<'_> {
    async fn run(&self, order: &Order, board: &Board, cancel: &CancellationToken) -> Ran {
        let Ok(profile) = Profile::from_str(&order.job.profile, false) else {
            let why = format!("there is no profile {:?}", order.job.profile);
            return Ran::Failed { why, for_good: true };
        };
        let begun = journal_path(&self.config.state, &order.sweep).exists();
        let name = Some(order.sweep.clone());
        let request = if begun {
            Request { resume: Some(name), ..Request::default() }
        } else {
            Request { id: name, ..Request::default() }
        };
        let accept = tokio::select! {
            accept = self.voice.accepted(profile) => accept,
            () = cancel.cancelled() => return Ran::Stopped,
        };
        let conditions = Conditions { always: true, record: true, budget: None, accept };
        match gate(self.config, profile, &request, conditions, board, cancel).await {
            Ok(result) => self.judged(result, cancel).await,
            Err(error) => failure(&error, begun),
        }
    }

    async fn gave_up(&self, over: &Finished) -> Result<(), String> {
        // A host that cannot measure is told of like one that regressed, or nobody would notice.
        let class = pipeline::host_class(self.config);
        let fingerprint = pipeline::fingerprint(self.config).await;
        let why = over.detail.clone().unwrap_or_default();
        // With the time at which it ended, so that saying it once more is saying the same.
        let result = GateResult::not_measured(class, &over.job.profile, fingerprint, why, over.ended);
        kept(self.voice.tell(&result)).await
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

impl Local<'_> {
    async fn judged(&self, result: GateResult, cancel: &CancellationToken) -> Ran {
        // What is not told when the service stops, or the host changed, is in the outbox: telling begins with that, and is
        // asked first.
        let told = tokio::select! {
            biased;
            told = self.voice.tell(&result) => told.err(),
            () = cancel.cancelled() => Some("the job was stopped meanwhile; it waits in the outbox".to_owned()),
        };
        if let Some(error) = &told {
            tracing::error!(error, "the result could not be told");
        }
        let untold = told.map(|error| format!("not told: {error}"));
        let detail = [result.baseline, untold].into_iter().flatten().collect::<Vec<_>>().join("; ");
        Ran::Judged {
            decision: result.judgement.decision,
            sweep: result.sweep,
            components: result.fingerprint.components,
            detail: (!detail.is_empty()).then_some(detail),
        }
    }
}

/// Tells; an error only when it may not even be kept. Telling begins with keeping, before it waits for anybody, so that this
/// fails at once or not at all.
async fn kept(mut telling: impl Future<Output = Result<(), String>> + Unpin) -> Result<(), String> {
    let at_once = tokio::select! {
        biased;
        told = &mut telling => Some(told),
        () = std::future::ready(()) => None,
    };
    if let Some(told) = at_once {
        return told;
    }
    if let Err(error) = telling.await {
        tracing::error!(error, "it is kept, but nobody could be told yet that this host cannot measure");
    }
    Ok(())
}

/// What an error means for the job. `begun` is whether it was to go on with a sweep.
fn failure(error: &PipelineError, begun: bool) -> Ran {
    let why = error.to_string();
    match error {
        PipelineError::Confirming { source, .. } => match failure(source, false) {
            Ran::Failed { for_good, .. } => Ran::Failed { why, for_good },
            other => other,
        },
        PipelineError::Sweep(SweepError::Cancelled) => Ran::Stopped,
        PipelineError::Lock(_) | PipelineError::Busy(_) => Ran::Busy(why),
        PipelineError::Changed { .. } => Ran::Stale(why),
        PipelineError::Stale { .. } | PipelineError::Journal(_) if begun => Ran::Stale(why),
        error => Ran::Failed { why, for_good: error.is_usage() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::SweepId;

    fn sweep() -> SweepId {
        "20261125T120000Z-000001".parse().expect("a name")
    }

    #[tokio::test]
    async fn what_fails_at_once_is_not_kept_and_what_fails_later_is() {
        let full = || Err("no space left".to_owned());
        assert_eq!(kept(std::future::ready(full())).await, full());
        assert_eq!(kept(std::future::ready(Ok(()))).await, Ok(()));
        let later = Box::pin(async {
            tokio::task::yield_now().await;
            Err("no connection".to_owned())
        });
        assert_eq!(kept(later).await, Ok(()));
    }

    #[test]
    fn errors_mean_what_they_should_for_a_job() {
        let cancelled = || PipelineError::Sweep(SweepError::Cancelled);
        assert_eq!(failure(&cancelled(), false), Ran::Stopped);
        let confirming = PipelineError::Confirming { kept: vec![sweep()], source: Box::new(cancelled()) };
        assert_eq!(failure(&confirming, true), Ran::Stopped);
        assert!(matches!(failure(&PipelineError::Busy("x".into()), false), Ran::Busy(_)));
        let stale = PipelineError::Stale { sweep: sweep(), why: "runc changed".into() };
        assert!(matches!(failure(&stale, true), Ran::Stale(_)));
        let changed = || PipelineError::Changed { sweep: sweep(), why: "runc changed".into() };
        assert!(matches!(failure(&changed(), false), Ran::Stale(_)));
        let confirming = PipelineError::Confirming { kept: vec![sweep()], source: Box::new(changed()) };
        assert!(matches!(failure(&confirming, false), Ran::Stale(_)), "the whole job begins anew");
        let usage = PipelineError::Usage("no such case".into());
        assert!(matches!(failure(&usage, false), Ran::Failed { for_good: true, .. }));
        let full = PipelineError::io(std::path::Path::new("/x"))(std::io::ErrorKind::StorageFull.into());
        assert!(matches!(failure(&full, true), Ran::Failed { for_good: false, .. }));
    }
}
