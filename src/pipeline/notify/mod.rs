//! From a judged result to those who should know: GitHub's issues, comments and checks, and webhooks.
//!
//! Every result becomes a job in the outbox first, and is taken out when everything about it was said. What is said follows from
//! the result and from what the tracker shows, so that a job that is done again after a crash finds its own work and
//! does only the rest.

mod candidates;
mod github;
mod hooks;
mod local;
mod place;
mod propose;
mod telling;

pub use github::accept_requests;
pub use hooks::Hook;
pub use place::{Origin, Place};
pub use propose::propose;
pub use telling::Job;

use super::PipelineError;
use crate::alert::AlertPolicy;
use crate::alert::render::{TemplateError, Templates};
use crate::notify::github::issues::IssueError;
use crate::notify::github::{Client, GithubError};
use crate::notify::outbox::{Entry, Outbox, OutboxError, Turn};
use crate::notify::webhook::{Sender, WebhookError};
use crate::notify::{Clock, Secret};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use telling::Telling;

/// Route of the jobs that go to GitHub.
const GITHUB: &str = "github";
/// Route of the jobs whose memory is a file of this host: there is no GitHub.
const LOCAL: &str = "local";
/// Seconds that a process waits for another one that sends.
const TURN_S: u32 = 120;

/// Why something could not be told.
#[derive(Debug, thiserror::Error)]
pub enum NotifyError {
    /// GitHub.
    #[error(transparent)]
    Github(#[from] GithubError),
    /// A template.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// A webhook.
    #[error(transparent)]
    Webhook(#[from] WebhookError),
    /// The outbox.
    #[error(transparent)]
    Outbox(#[from] OutboxError),
    /// A file of the state directory.
    #[error("{path}: {source}")]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// What the outbox holds is not what this version wrote.
    #[error("a job of the outbox cannot be read: {0}")]
    Job(serde_json::Error),
    /// A webhook of the policy has no address or no secret.
    #[error(
        "webhook {name}: the environment variable {variable} is not set; set it to the webhook's address or secret"
    )]
    NoAddress {
        /// Which webhook.
        name: String,
        /// Which variable.
        variable: String,
    },
    /// Others change the issues.
    #[error("the issues were changed by others each time they were read; the next run looks again")]
    Overtaken,
    /// A job for GitHub, without GitHub.
    #[error("no repository or token: set GITHUB_REPOSITORY and GITHUB_TOKEN")]
    NoGithub,
}

impl From<IssueError> for NotifyError {
    fn from(error: IssueError) -> Self {
        match error {
            IssueError::Github(e) => Self::Github(e),
            IssueError::Template(e) => Self::Template(e),
        }
    }
}

impl NotifyError {
    /// Whether the same job fails for ever, so that it must not block those behind it.
    fn is_for_good(&self) -> bool {
        match self {
            Self::Github(e) => e.is_for_good(),
            Self::Webhook(e) => e.is_for_good(),
            Self::Job(_) | Self::Template(TemplateError::TooLong { .. }) => true,
            // Templates and addresses are mended by a person; the job waits for that.
            _ => false,
        }
    }

    /// Whether only this thing was refused, as a locked issue is: others may go through, and need not wait for it. A wrong
    /// token refuses everything.
    fn is_refusal(&self) -> bool {
        matches!(self, Self::Github(e) if e.status().is_some_and(|status| status != 401))
    }
}

/// What was said, and what was not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// What was done, in sentences.
    pub said: Vec<String>,
    /// What was left unsaid, and why.
    pub silent: Vec<String>,
    /// What could not be sent and waits in the outbox, with the reason.
    pub waiting: Vec<String>,
    /// What will never be taken, with the file that keeps it.
    pub refused: Vec<String>,
    /// What was done, but will go wrong the next time unless somebody mends it.
    pub trouble: Vec<String>,
}

impl Report {
    /// Whether everything that can be said was said; the rest needs a person.
    pub fn needs_a_person(&self) -> bool {
        self.waiting.is_empty() && !(self.refused.is_empty() && self.trouble.is_empty())
    }

    /// Whether everything that was to be said was said.
    pub fn is_complete(&self) -> bool {
        self.waiting.is_empty() && self.refused.is_empty() && self.trouble.is_empty()
    }
}

/// Tells results.
pub struct Notifier {
    policy: AlertPolicy,
    templates: Templates,
    policy_text: String,
    policy_path: String,
    github: Option<Client>,
    hooks: Vec<Hook>,
    sender: Sender,
    outbox: Outbox,
    state: PathBuf,
    clock: Arc<dyn Clock>,
}

/// What a [`Notifier`] works with.
pub struct Parts {
    /// Whom to tell, and when to be silent.
    pub policy: AlertPolicy,
    /// Path of the policy, for annotations; as it stands in the repository.
    pub policy_path: String,
    /// Its text.
    pub policy_text: String,
    /// Texts.
    pub templates: Templates,
    /// The repository; none where alerts go to webhooks only.
    pub github: Option<Client>,
    /// Webhooks.
    pub hooks: Vec<Hook>,
    /// State directory.
    pub state: PathBuf,
    /// What no file may hold.
    pub secrets: Vec<Secret>,
    /// Time.
    pub clock: Arc<dyn Clock>,
}

impl Notifier {
    /// Opens the outbox. Sends nothing yet.
    pub fn new(parts: Parts) -> Result<Self, NotifyError> {
        let Parts { policy, policy_path, policy_text, templates, github, hooks, state, secrets, clock } =
            parts;
        let limits = crate::notify::github::Limits::default();
        let sender = Sender::new(limits, Arc::clone(&clock))?;
        let outbox = Outbox::new(&state).hiding(secrets);
        Ok(Self { policy, templates, policy_text, policy_path, github, hooks, sender, outbox, state, clock })
    }

    /// The repository that it tells, if any.
    pub fn github(&self) -> Option<&Client> {
        self.github.as_ref()
    }

    /// Whether anybody hears what it tells, beyond this host's own memory.
    pub fn is_heard(&self) -> bool {
        self.github.is_some() || !self.hooks.is_empty()
    }

    /// Keeps a result in the outbox. When this returns, a crash does not lose it. The number of its job; none when the same
    /// waits there already, perhaps told in part.
    pub fn keep(&self, job: &Job) -> Result<Option<u64>, NotifyError> {
        let route = if self.github.is_some() { GITHUB } else { LOCAL };
        let value = serde_json::to_value(job).map_err(NotifyError::Job)?;
        let same = |waiting: &Value| Job::IDENTITY.iter().all(|field| waiting[field] == value[field]);
        if self.outbox.has(route, same)? {
            return Ok(None);
        }
        Ok(Some(self.outbox.push(route, value, self.clock.now())?))
    }

    /// Says everything that the outbox holds, each route in order. `fresh` is the job of this very run, which no earlier
    /// run can have begun.
    pub async fn flush(&self, fresh: Option<u64>) -> Result<Report, NotifyError> {
        let mut report = Report::default();
        let mut waits = 0;
        let turn = loop {
            match self.outbox.turn() {
                // It may have looked before our job was there.
                Err(OutboxError::Busy { .. }) if waits < TURN_S => {
                    waits += 1;
                    self.clock.sleep(Duration::from_secs(1)).await;
                }
                Err(error @ OutboxError::Busy { .. }) => {
                    report.waiting.push(error.to_string());
                    return Ok(report);
                }
                turn => break turn?,
            }
        };
        self.results(&turn, fresh, &mut report).await?;
        self.candidates(&turn, &mut report).await?;
        self.webhooks(&turn, &mut report).await?;
        Ok(report)
    }

    /// The results, oldest first. The first that fails for now stops those behind it, unless only it was refused.
    async fn results(
        &self,
        turn: &Turn<'_>,
        fresh: Option<u64>,
        report: &mut Report,
    ) -> Result<(), NotifyError> {
        let pending = turn.all()?;
        report.refused.extend(pending.damaged.iter().map(|d| format!("{}: {}", d.path.display(), d.reason)));
        let results = pending.jobs.into_iter().filter(|e| e.route == GITHUB || e.route == LOCAL);
        let mut blocked: BTreeSet<String> = BTreeSet::new();
        for entry in results {
            if blocked.contains(&entry.route) {
                report.waiting.push(format!("result {} waits behind it", entry.id));
                continue;
            }
            let told = match Telling::new(turn, &entry, fresh == Some(entry.id)) {
                Ok(telling) if entry.route == GITHUB => self.to_github(telling, report).await,
                Ok(telling) => self.to_this_host(telling, report).await,
                Err(error) => Err(error),
            };
            if self.settle(turn, &entry, told, report)? {
                blocked.insert(entry.route);
            }
        }
        Ok(())
    }

    /// What a result would say on GitHub's issues now. Changes nothing.
    pub async fn preview(&self, job: &Job) -> Result<Report, NotifyError> {
        match (&self.github, job.origin.place(self.github.as_ref()).await?) {
            (Some(client), Place::Issues { .. }) => self.preview_issues(client, job).await,
            (_, place) => {
                let said = vec![match place {
                    Place::PullRequests { numbers, head_sha } => {
                        format!("would comment on pull requests {numbers:?} and check {head_sha}")
                    }
                    Place::Commit { head_sha } => format!("would check {head_sha}"),
                    Place::Issues { .. } => "would decide against the alerts of this host".to_owned(),
                }];
                Ok(Report { said, ..Report::default() })
            }
        }
    }

    /// Writes down how a job went; whether it blocks those behind it.
    fn settle(
        &self,
        turn: &Turn<'_>,
        entry: &Entry,
        told: Result<(), NotifyError>,
        report: &mut Report,
    ) -> Result<bool, NotifyError> {
        let now = self.clock.now();
        match told {
            Ok(()) => turn.done(entry.id)?,
            Err(error) if error.is_for_good() => {
                let kept = turn.refused(entry.id, &error.to_string(), now)?;
                report.refused.push(format!("{error}; kept in {}", kept.display()));
            }
            Err(error) => {
                turn.failed(entry.id, &error.to_string(), now)?;
                report.waiting.push(error.to_string());
                return Ok(!error.is_refusal());
            }
        }
        Ok(false)
    }
}

/// The templates that lie beside the policy, in place of the built-in ones.
pub fn templates(policy: &Path) -> Result<Templates, PipelineError> {
    let dir = policy.parent().unwrap_or_else(|| Path::new(".")).join("templates");
    let mut own = Vec::new();
    for name in Templates::names() {
        let path = dir.join(name);
        match std::fs::read_to_string(&path) {
            Ok(text) => own.push((name.to_owned(), text)),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
            Err(e) => return Err(PipelineError::io(&path)(e)),
        }
    }
    Templates::new(own).map_err(|e| PipelineError::Usage(e.to_string()))
}
