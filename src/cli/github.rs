//! What the environment says of GitHub: the job's event, its files, and the token.

use super::Failure;
use crate::actions::Event;
use crate::config::Config;
use crate::notify::github::{Auth, Client, Limits, Settings};
use crate::notify::{Secret, SystemClock};
use crate::pipeline::notify::Origin;
use crate::service::http::Tracker;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

/// The job that this process is part of. Outside of GitHub Actions everything is absent but what the user set.
#[derive(Debug)]
pub struct Job {
    /// The event; the default one outside of Actions.
    pub event: Event,
    /// Whether it is a job of GitHub Actions.
    pub is_actions: bool,
    sha: Option<String>,
    branch: Option<String>,
    repository: Option<String>,
    api_url: Option<String>,
    server_url: Option<String>,
    run: Option<String>,
    summary: Option<PathBuf>,
    output: Option<PathBuf>,
    auth: Option<Auth>,
    login: Option<String>,
    is_rerun: bool,
    /// What no file may hold.
    pub secrets: Vec<Secret>,
}

/// An environment variable that says something.
pub(super) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|v| !v.trim().is_empty())
}

/// A secret from a file.
fn secret_of(variable_name: &str, path: &str) -> Result<Secret, Failure> {
    let text =
        std::fs::read_to_string(path).map_err(|e| Failure::usage(format!("{variable_name}: {path}: {e}")))?;
    Ok(Secret::new(text.trim()))
}

/// The token, or the App.
fn auth() -> Result<Option<Auth>, Failure> {
    const FILE: &str = "TOLLGATE_GITHUB_TOKEN_FILE";
    const ID: &str = "TOLLGATE_GITHUB_APP_ID";
    const KEY: &str = "TOLLGATE_GITHUB_APP_KEY_FILE";
    match (variable(ID), variable(KEY)) {
        (Some(id), Some(path)) => {
            let id = id.parse().map_err(|_| Failure::usage(format!("{ID}: expected the App's number")))?;
            return Ok(Some(Auth::App { id, key: secret_of(KEY, &path)? }));
        }
        (None, None) => {}
        _ => return Err(Failure::usage(format!("{ID} and {KEY} belong together; one of them is not set"))),
    }
    if let Some(path) = variable(FILE) {
        return Ok(Some(Auth::Token(secret_of(FILE, &path)?)));
    }
    Ok(variable("GITHUB_TOKEN").map(|token| Auth::Token(Secret::new(token.trim()))))
}

impl Job {
    /// Reads the environment, and the event's file.
    pub fn read() -> Result<Self, Failure> {
        let is_actions = variable("GITHUB_ACTIONS").is_some_and(|v| v == "true");
        let event = match (is_actions, variable("GITHUB_EVENT_PATH")) {
            (true, Some(path)) => {
                let bad =
                    |e: &dyn std::fmt::Display| Failure::usage(format!("GITHUB_EVENT_PATH: {path}: {e}"));
                let text = std::fs::read_to_string(&path).map_err(|e| bad(&e))?;
                Event::read(&variable("GITHUB_EVENT_NAME").unwrap_or_default(), &text).map_err(|e| bad(&e))?
            }
            (true, None) => {
                return Err(Failure::usage(
                    "GITHUB_ACTIONS is true, but GITHUB_EVENT_PATH is not set, so that nobody can tell whose code this is",
                ));
            }
            (false, _) => Event::default(),
        };
        let auth = auth()?;
        let secrets = match &auth {
            Some(Auth::Token(secret) | Auth::App { key: secret, .. }) => vec![secret.clone()],
            None => Vec::new(),
        };
        let of_job = |name: &str| variable(name).filter(|_| is_actions);
        Ok(Self {
            sha: of_job("GITHUB_SHA"),
            branch: of_job("GITHUB_REF_NAME"),
            run: of_job("GITHUB_RUN_ID"),
            summary: of_job("GITHUB_STEP_SUMMARY").map(PathBuf::from),
            output: of_job("GITHUB_OUTPUT").map(PathBuf::from),
            repository: variable("GITHUB_REPOSITORY"),
            api_url: variable("GITHUB_API_URL"),
            server_url: variable("GITHUB_SERVER_URL"),
            login: variable("TOLLGATE_GITHUB_LOGIN"),
            is_rerun: of_job("GITHUB_RUN_ATTEMPT").is_some_and(|attempt| attempt != "1"),
            event,
            is_actions,
            auth,
            secrets,
        })
    }

    /// How GitHub is reached; none where no repository or no token is known.
    fn settings(&self, config: &Config) -> Result<Option<Settings>, Failure> {
        let repository = config.github.repository.as_ref().or(self.repository.as_ref());
        let (Some(repository), Some(auth)) = (repository, &self.auth) else { return Ok(None) };
        let api_url = config.github.api_url.clone().or_else(|| self.api_url.clone());
        Ok(Some(Settings {
            api_url: api_url.unwrap_or_else(|| "https://api.github.com".to_owned()),
            repository: repository.parse().map_err(Failure::usage)?,
            auth: auth.clone(),
            login: self.login.clone().or_else(|| config.github.login.clone()),
            limits: Limits::default(),
        }))
    }

    /// The client for the repository; none where no repository or no token is known.
    pub fn client(&self, config: &Config) -> Result<Option<Client>, Failure> {
        let Some(settings) = self.settings(config)? else { return Ok(None) };
        Client::new(settings, Arc::new(SystemClock)).map(Some).map_err(Failure::usage)
    }

    /// Where alerts are issues; none where they stay on this host.
    pub fn tracker(&self, config: &Config) -> Result<Option<Tracker>, Failure> {
        let settings = self.settings(config)?;
        Ok(settings.map(|Settings { repository, api_url, .. }| Tracker { repository, api_url }))
    }

    /// What a result of this job needs to find its place.
    pub fn origin(&self) -> Origin {
        let (event, branch, sha) = (self.event.clone(), self.branch.clone(), self.sha.clone());
        Origin { event, branch, sha, is_rerun: self.is_rerun }
    }

    /// The page of the run that measured.
    pub fn run_url(&self) -> Option<String> {
        let run = self.event.run.map(|id| id.to_string()).or_else(|| self.run.clone())?;
        let server = self.server_url.as_deref().unwrap_or("https://github.com").trim_end_matches('/');
        Some(format!("{server}/{}/actions/runs/{run}", self.repository.as_ref()?))
    }

    /// Appends to the step's summary and outputs, where there are any.
    pub fn say(&self, summary: &str, outputs: &str) -> Result<(), Failure> {
        for (path, text) in [(&self.summary, summary), (&self.output, outputs)] {
            let Some(path) = path else { continue };
            let file = std::fs::OpenOptions::new().append(true).create(true).open(path);
            file.and_then(|mut file| file.write_all(text.as_bytes()))
                .map_err(|e| Failure::host(format!("{}: {e}", path.display())))?;
        }
        Ok(())
    }
}
