//! A result on GitHub.

use super::telling::Telling;
use super::{Job, Notifier, NotifyError, Place, Report};
use crate::alert::check as said;
use crate::alert::render::{Context, title};
use crate::alert::{Action, Kind, Marker, Situation, Transition, decide, digest, findings};
use crate::model::HostClass;
use crate::notify::github::check::{self, Annotation, CheckReport, Level, Shown};
use crate::notify::github::issues::{self, Applied, Board};
use crate::notify::github::pull_request::{self, Done, Sticky};
use crate::notify::github::{Client, GithubError};
use crate::pipeline::accept::AcceptRequest;
use crate::report;
use std::collections::BTreeSet;

/// A view of the issues may be old: another runner may have opened one since. So often it is read again.
const LOOKS: usize = 3;
/// Annotations of a check.
const ANNOTATIONS: usize = 200;

/// What people asked to accept for a host class and profile, by the label on issues of ours.
pub async fn accept_requests(
    client: &Client,
    host_class: &HostClass,
    profile: &str,
) -> Result<Vec<AcceptRequest>, GithubError> {
    let board = issues::board(client).await?;
    let asked = board.issues.into_iter().filter(|i| {
        i.open && i.accept && i.record.key.host_class == *host_class && i.record.key.profile == profile
    });
    let request = |i: crate::alert::ShownIssue| AcceptRequest {
        issue: i.number,
        magnitude: i.record.magnitude,
        is_drift: i.record.key.scope.is_drift(),
        metrics: i.record.metrics,
    };
    Ok(asked.map(request).collect())
}

/// The first thing that was refused, while the others went on.
#[derive(Default)]
struct Refused(Option<NotifyError>);

impl Refused {
    /// Whether a step went well; an error that would stop the others, too, ends it all.
    fn take<T>(&mut self, step: Result<T, NotifyError>) -> Result<Option<T>, NotifyError> {
        match step {
            Ok(done) => Ok(Some(done)),
            Err(error) if error.is_refusal() || error.is_for_good() => {
                // What can still be mended decides: the job waits for that.
                if self.0.as_ref().is_none_or(|kept| kept.is_for_good() && !error.is_for_good()) {
                    self.0 = Some(error);
                }
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    fn end(self) -> Result<(), NotifyError> {
        self.0.map_or(Ok(()), Err)
    }
}

impl Notifier {
    /// Says a result where it belongs. What is refused of it does not keep the rest from being said.
    pub(super) async fn to_github(
        &self,
        mut telling: Telling<'_>,
        report: &mut Report,
    ) -> Result<(), NotifyError> {
        let client = self.github.as_ref().ok_or(NotifyError::NoGithub)?;
        let mut refused = Refused::default();
        let sha = match telling.place(Some(client)).await? {
            Place::Issues { head_sha } => {
                let told = self.issues(client, &mut telling, report).await;
                refused.take(told)?;
                head_sha
            }
            Place::PullRequests { numbers, head_sha } => {
                for number in &numbers {
                    let told = self.comment(client, &telling.job, *number, report).await;
                    refused.take(told)?;
                }
                if numbers.is_empty() {
                    report.silent.push("no open pull request has this commit".to_owned());
                }
                Some(head_sha)
            }
            Place::Commit { head_sha } => Some(head_sha),
        };
        if let Some(sha) = sha {
            let checked = self.check(client, &telling.job, &sha, report).await;
            refused.take(checked)?;
        }
        refused.end()
    }

    async fn issues(
        &self,
        client: &Client,
        telling: &mut Telling<'_>,
        report: &mut Report,
    ) -> Result<(), NotifyError> {
        let result = telling.job.result.clone();
        let mut refused = Refused::default();
        // A list may be late, and shows what was opened a moment ago only later.
        let mut opened: BTreeSet<String> = BTreeSet::new();
        let mut is_settled = false;
        for look in 0..LOOKS {
            let board = issues::board(client).await?;
            if look == 0 && telling.begun {
                self.announce_opened(telling, &board)?;
            }
            let now = self.clock.now();
            let situation = Situation { result: &result, issues: &board.issues, policy: &self.policy, now };
            let decided = decide(&situation);
            if look == 0 {
                report.silent.extend(decided.silent);
                if !decided.actions.is_empty() {
                    issues::ensure_labels(client).await?;
                }
            }
            let run_url = telling.job.run_url.clone();
            let context = Context { result: &result, policy: &self.policy, run_url: run_url.as_deref() };
            let (mut look_again, mut overtaken) = (false, false);
            for action in &decided.actions {
                let is_new = action.number.is_none();
                if is_new && !opened.insert(action.record.key.identity()) {
                    continue;
                }
                let done = self.act((client, &board), telling, action, &context, report).await;
                let was_faster = refused.take(done)?.unwrap_or(false);
                overtaken |= was_faster;
                look_again |= was_faster || is_new;
            }
            is_settled = !overtaken;
            if !look_again {
                break;
            }
        }
        refused.end()?;
        if is_settled { Ok(()) } else { Err(NotifyError::Overtaken) }
    }

    /// Does one thing that was decided, and tells webhooks of it. Whether somebody was faster, so that it has to be decided anew.
    async fn act(
        &self,
        (client, board): (&Client, &Board),
        telling: &mut Telling<'_>,
        action: &Action<'_>,
        context: &Context<'_>,
        report: &mut Report,
    ) -> Result<bool, NotifyError> {
        if let Some(number) = action.number {
            if !issues::is_due(client, board, action).await? {
                return Ok(true);
            }
            // Before the issue is changed: a change that was made does not come up again.
            self.announce(telling, action, board.url(number))?;
        }
        match issues::apply(client, board, action, &self.templates, context).await? {
            Applied::Gone => report.silent.push("an issue was deleted meanwhile".to_owned()),
            Applied::Overtaken => return Ok(true),
            Applied::Done(changed) => {
                report.said.push(format!("{}: {}", action.transition.as_str(), changed.url));
                report.trouble.extend(changed.trouble);
                if action.number.is_none() {
                    // Only now it has an address.
                    self.announce(telling, action, Some(&changed.url))?;
                }
            }
        }
        Ok(false)
    }

    pub(super) async fn preview_issues(&self, client: &Client, job: &Job) -> Result<Report, NotifyError> {
        let result = &job.result;
        let board = issues::board(client).await?;
        let decided =
            decide(&Situation { result, issues: &board.issues, policy: &self.policy, now: self.clock.now() });
        let mut report = Report { silent: decided.silent, ..Report::default() };
        for action in &decided.actions {
            let title = title(action, result);
            let number = action.number.map(|n| format!("#{n} ")).unwrap_or_default();
            report.said.push(format!("would be {}: {number}{title}", action.transition.as_str()));
        }
        Ok(report)
    }

    /// A run that died after it opened an issue, or that had another outbox, may not have called the webhooks. The notice has
    /// the identity that it would have had, so that a receiver drops it if it knows it.
    fn announce_opened(&self, telling: &mut Telling<'_>, board: &Board) -> Result<(), NotifyError> {
        let result = telling.job.result.clone();
        let when = result.started_at.or(result.failed_at);
        let ours = |i: &&crate::alert::ShownIssue| {
            let record = &i.record;
            record.key.host_class == result.host_class
                && record.key.profile == result.profile
                && record.sweep == result.sweep
                && Some(record.at) == when
        };
        for issue in board.issues.iter().filter(ours) {
            let record = issue.record.clone();
            let Some(transition) = record.transition.clone() else { continue };
            if matches!(transition, Transition::Duplicate { .. }) {
                continue;
            }
            let group = findings(&result).into_iter().filter(|f| record.metrics.contains(&f.name)).collect();
            let (number, trouble) = (Some(issue.number), None);
            let action = Action { number, transition, record, group, trouble, labelled: issue.accept };
            self.announce(telling, &action, board.url(issue.number))?;
        }
        Ok(())
    }

    async fn comment(
        &self,
        client: &Client,
        job: &Job,
        number: u64,
        report: &mut Report,
    ) -> Result<(), NotifyError> {
        let result = &job.result;
        let key = format!("v1/{}/{}", result.host_class, result.profile);
        let text = report::gate_markdown(result, None);
        let link = job.run_url.as_ref().map(|url| format!("\n[The run and its reports]({url})\n"));
        let text = format!("{text}{}", link.unwrap_or_default());
        let state = digest(&text, 8);
        let first_line = Marker::new(Kind::PullRequest, &key, &state).line();
        let marker = format!("{} ", first_line.split(" state=").next().unwrap_or(&first_line));
        let body = format!("{first_line}\n{text}");
        let stuck = pull_request::stick(client, &Sticky { number, marker: &marker, body: &body }).await?;
        report.said.push(match stuck.done {
            Done::Unchanged => format!("unchanged: {}", stuck.url),
            Done::Created | Done::Updated => format!("commented: {}", stuck.url),
        });
        Ok(())
    }

    async fn check(
        &self,
        client: &Client,
        job: &Job,
        sha: &str,
        report: &mut Report,
    ) -> Result<(), NotifyError> {
        let result = &job.result;
        let annotation = |r: said::Remark| Annotation {
            path: self.policy_path.clone(),
            start_line: r.line,
            end_line: r.line,
            annotation_level: if r.regressed { Level::Failure } else { Level::Warning },
            message: if r.message.is_empty() { r.title.clone() } else { r.message },
            title: r.title,
        };
        let remarks = said::remarks(result, &self.policy_text, ANNOTATIONS);
        let run = result.sweep.as_ref().map_or("none", |s| s.as_str());
        let shown = CheckReport {
            name: format!("tollgate ({}, {})", result.host_class, result.profile),
            head_sha: sha.to_owned(),
            external_id: run.to_owned(),
            conclusion: said::conclusion(result),
            title: said::title(result),
            summary: report::gate_markdown(result, None),
            text: String::new(),
            annotations: if self.policy_text.is_empty() {
                Vec::new()
            } else {
                remarks.into_iter().map(annotation).collect()
            },
            details_url: job.run_url.clone(),
        };
        match check::publish(client, &shown).await? {
            Shown::Check { written: true, .. } => report.said.push(format!("check at {sha}")),
            Shown::Check { .. } => {}
            Shown::Status { because } => {
                report.said.push(format!("commit status at {sha}, no check: {because}"));
            }
            Shown::SummaryOnly { because } => report.silent.push(format!("no check at {sha}: {because}")),
        }
        Ok(())
    }
}
