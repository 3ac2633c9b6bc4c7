//! One HTTP exchange with GitHub over octocrab, as a token or as an App; never repeated here.

use super::error::GithubError;
use super::policy::{Answer, one_line};
use super::settings::Limits;
use crate::notify::secret::Secret;
use octocrab::models::{AppId, InstallationId};
use octocrab::secrecy::ExposeSecret as _;
use octocrab::{Octocrab, OctocrabBuilder};
use reqwest::header::{HeaderMap, HeaderName};
use reqwest::{Method, Url};
use serde_json::{Value, json};
use std::error::Error;
use std::time::Duration;

/// Who talks to GitHub.
#[derive(Debug, Clone)]
pub enum Auth {
    /// The job's token, a personal one, or one that an App's installation gave.
    Token(Secret),
    /// A GitHub App, which asks for a token of its installation in the repository.
    App {
        /// Its id.
        id: u64,
        /// Its private key, PEM.
        key: Secret,
    },
}

impl Auth {
    /// Its secret.
    pub(super) fn secret(&self) -> &Secret {
        match self {
            Self::Token(secret) | Self::App { key: secret, .. } => secret,
        }
    }
}

/// No answer came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Lost {
    /// There was no connection: certainly not done.
    NotSent(String),
    /// Sent, perhaps done.
    Sent(String),
}

impl Lost {
    pub(super) fn cause(self) -> String {
        match self {
            Self::NotSent(cause) | Self::Sent(cause) => cause,
        }
    }
}

/// What is sent.
#[derive(Debug, Clone, Copy)]
pub(super) enum Call<'a> {
    /// A request; the target is path and query.
    Request { method: &'a Method, target: &'a str, body: Option<&'a Value> },
    /// An installation's new token, when the old one is over.
    Token,
}

/// octocrab with everything off that repeats or redirects.
pub(super) fn crab(base: &Url, auth: &Auth, limits: &Limits) -> Result<Octocrab, GithubError> {
    let wrong = |e: octocrab::Error| GithubError::Settings(one_line(&chain(&e)));
    let header = |name| HeaderName::from_static(name);
    let builder = OctocrabBuilder::new()
        .base_uri(base.as_str().trim_end_matches('/'))
        .map_err(wrong)?
        .set_connect_timeout(Some(limits.connect_timeout))
        .add_header(header("accept"), "application/vnd.github+json".to_owned());
    let builder = match auth {
        Auth::Token(token) => builder.personal_token(token.expose().to_owned()),
        Auth::App { id, key } => builder
            .app_from_rsa_pem(AppId(*id), key.expose())
            // Its own words could quote the key.
            .map_err(|_| {
                GithubError::Settings("the App's private key is not an RSA key in PEM".to_owned())
            })?,
    };
    builder.build().map_err(wrong)
}

/// The App's door to one installation.
pub(super) fn installation(app: &Octocrab, id: u64) -> Result<Octocrab, GithubError> {
    app.installation(InstallationId(id)).map_err(|e| GithubError::Settings(one_line(&chain(&e))))
}

/// One exchange within the time limit.
pub(super) async fn exchange(crab: &Octocrab, call: Call<'_>, timeout: Duration) -> Result<Answer, Lost> {
    match tokio::time::timeout(timeout, perform(crab, call)).await {
        Ok(result) => result,
        Err(_) => Err(Lost::Sent(format!("no whole answer within {} s", timeout.as_secs_f64()))),
    }
}

async fn perform(crab: &Octocrab, call: Call<'_>) -> Result<Answer, Lost> {
    let (method, target, body) = match call {
        Call::Request { method, target, body } => (method, target, body),
        Call::Token => return token(crab).await,
    };
    let sent = match *method {
        Method::GET => crab._get(target).await,
        Method::POST => crab._post(target, body).await,
        Method::PATCH => crab._patch(target, body).await,
        Method::PUT => crab._put(target, body).await,
        Method::DELETE => crab._delete(target, body).await,
        _ => return Err(Lost::NotSent(format!("tollgate sends no {method}"))),
    };
    let response = match sent {
        Ok(response) => response,
        // Of the request for a new token, which octocrab makes by itself: the call was not sent.
        Err(octocrab::Error::GitHub { source, .. }) => return Ok(of_error(&source)),
        Err(error) => return Err(lost(&error)),
    };
    let mut answer = of_headers(response.status().as_u16(), response.headers());
    answer.body = crab.body_to_string(response).await.map_err(|e| Lost::Sent(chain(&e)))?;
    Ok(answer)
}

/// Asks for an installation's token unless the present one is good for two minutes more.
async fn token(crab: &Octocrab) -> Result<Answer, Lost> {
    match crab.installation_token_with_buffer(chrono::Duration::minutes(2)).await {
        Ok(token) => {
            let token = Some(Secret::new(token.expose_secret()));
            Ok(Answer { status: 200, token, ..Answer::default() })
        }
        Err(octocrab::Error::GitHub { source, .. }) => Ok(of_error(&source)),
        Err(error) => Err(lost(&error)),
    }
}

fn of_error(error: &octocrab::GitHubError) -> Answer {
    let mut answer = error.headers.as_ref().map_or_else(Answer::default, |h| of_headers(0, h));
    answer.status = error.status_code.as_u16();
    answer.body = json!({ "message": error.message, "errors": error.errors }).to_string();
    answer
}

fn of_headers(status: u16, headers: &HeaderMap) -> Answer {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    Answer {
        status,
        retry_after: text("retry-after"),
        remaining: text("x-ratelimit-remaining"),
        reset: text("x-ratelimit-reset"),
        date: text("date"),
        link: text("link"),
        location: text("location"),
        body: String::new(),
        token: None,
    }
}

/// Whether the request can have been sent is known to the HTTP client alone.
fn lost(error: &octocrab::Error) -> Lost {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(client) = error.downcast_ref::<hyper_util::client::legacy::Error>() {
            let text = chain(client);
            return if client.is_connect() { Lost::NotSent(text) } else { Lost::Sent(text) };
        }
        cause = error.source();
    }
    Lost::Sent(chain(error))
}

/// An error and its causes in one line, each said once.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let said = error.to_string();
        if !text.contains(&said) {
            text = format!("{text}: {said}");
        }
        cause = error.source();
    }
    one_line(&text)
}
