//! A result on GitHub.

use super::{Job, Notifier, NotifyError, Place, Report};
use crate::alert::check as said;
use crate::alert::render::{Context, title};
use crate::alert::{Action, Kind, Marker, Phase, Situation, Transition, decide, digest, findings};
use crate::model::{GateResult, HostClass};
use crate::notify::github::check::{self, Annotation, CheckReport, Level, Shown};
use crate::notify::github::issues::{self, Board};
use crate::notify::github::pull_request::{self, Done, Sticky};
use crate::notify::github::{Client, GithubError};
use crate::notify::outbox::Turn;
use crate::pipeline::accept::AcceptRequest;
use crate::report;

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
    Ok(asked.map(|i| AcceptRequest { issue: i.number, metrics: i.record.metrics }).collect())
}

impl Notifier {
    /// Says a result where it belongs. `begun`: an earlier run may have said a part of it.
    pub(super) async fn to_github(
        &self,
        turn: &Turn<'_>,
        job: &Job,
        begun: bool,
        report: &mut Report,
    ) -> Result<(), NotifyError> {
        let client = self.github.as_ref().ok_or(NotifyError::NoGithub)?;
        let sha = match &job.place {
            Place::Issues { head_sha } => {
                self.issues(client, turn, job, begun, report).await?;
                head_sha.as_deref()
            }
            Place::PullRequests { numbers, head_sha } => {
                for number in numbers {
                    self.comment(client, job, *number, report).await?;
                }
                if numbers.is_empty() {
                    report.silent.push("no open pull request has this commit".to_owned());
                }
                Some(head_sha.as_str())
            }
            Place::Commit { head_sha } => Some(head_sha.as_str()),
        };
        match sha {
            Some(sha) => self.check(client, job, sha, report).await,
            None => Ok(()),
        }
    }

    async fn issues(
        &self,
        client: &Client,
        turn: &Turn<'_>,
        job: &Job,
        begun: bool,
        report: &mut Report,
    ) -> Result<(), NotifyError> {
        let result = &job.result;
        let context = Context { result, policy: &self.policy, run_url: job.run_url.as_deref() };
        for look in 0..LOOKS {
            let board = issues::board(client).await?;
            if look == 0 && begun {
                self.announce_again(turn, result, &board)?;
            }
            let situation =
                Situation { result, issues: &board.issues, policy: &self.policy, now: self.clock.now() };
            let decided = decide(&situation);
            if look == 0 {
                report.silent.extend(decided.silent);
                if !decided.actions.is_empty() {
                    issues::ensure_labels(client).await?;
                }
            }
            let mut opened = false;
            for action in &decided.actions {
                let word = action.transition.as_str();
                let changed = issues::apply(client, &board, action, &self.templates, &context).await?;
                let Some(changed) = changed else {
                    report.silent.push("an issue was deleted meanwhile".to_owned());
                    continue;
                };
                opened |= action.transition == Transition::Opened;
                report.said.push(format!("{word}: {}", changed.url));
                let title = title(action, result);
                self.announce(turn, action, result, &title, Some(&changed.url))?;
            }
            if !opened {
                break;
            }
        }
        Ok(())
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

    /// A run that died after it changed an issue did not call the webhooks. The notice has the identity that it would have
    /// had, so that a receiver drops it if it knows it.
    fn announce_again(&self, turn: &Turn<'_>, result: &GateResult, board: &Board) -> Result<(), NotifyError> {
        if self.hooks.is_empty() || result.sweep.is_none() {
            return Ok(());
        }
        let ours = |i: &&crate::alert::ShownIssue| {
            let key = &i.record.key;
            key.host_class == result.host_class
                && key.profile == result.profile
                && i.record.sweep == result.sweep
        };
        for issue in board.issues.iter().filter(ours) {
            let record = issue.record.clone();
            let transition = match record.phase {
                Phase::Closed(_) => Transition::Recovered,
                Phase::Open if record.recovered.is_empty() => Transition::Opened,
                Phase::Open => {
                    let (sweeps, of) = (record.recovered.len(), self.policy.recovered_sweeps);
                    Transition::Recovering { sweeps, of }
                }
            };
            let group = findings(result).into_iter().filter(|f| record.metrics.contains(&f.name)).collect();
            let action = Action { number: Some(issue.number), transition, record, group, trouble: None };
            let title = title(&action, result);
            self.announce(turn, &action, result, &title, None)?;
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
        let text = report::gate_markdown(result);
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
            summary: report::gate_markdown(result),
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
