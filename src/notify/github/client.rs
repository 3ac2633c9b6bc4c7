//! The client: reads that are repeated, writes that are not, rate limits obeyed up to a cap.

use super::error::{GithubError, RateLimited, ReadError, WriteError};
use super::policy::{self, Answer, Meaning};
use super::settings::{Limits, Repository, Settings, base_url};
use super::transport::{self, Auth, Call, Lost};
use crate::notify::pace::{Backoff, Clock, later, since};
use crate::notify::secret::Secret;
use octocrab::Octocrab;
use reqwest::{Method, Url};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::{fmt, time::Duration};
use tokio::sync::OnceCell;

/// Name of the account that a job's own token writes as.
pub const JOB_LOGIN: &str = "github-actions[bot]";
/// Redirects followed for one request.
const REDIRECTS: u32 = 3;

/// GitHub, for one repository.
pub struct Client {
    base: Url,
    repository: Repository,
    limits: Limits,
    secret: Secret,
    /// The tokens that an App's installation gave, newest last.
    tokens: Mutex<Vec<Secret>>,
    clock: Arc<dyn Clock>,
    backoff: Backoff,
    door: Octocrab,
    is_app: bool,
    installation: OnceCell<Installation>,
    login: OnceCell<String>,
    /// The author of what was written, where that is not whom `login` says.
    author: OnceLock<String>,
}

struct Installation {
    door: Octocrab,
    login: String,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("base", &self.base.as_str())
            .field("repository", &self.repository)
            .finish_non_exhaustive()
    }
}

impl Client {
    /// Sends nothing yet. Must be called inside a tokio runtime.
    pub fn new(settings: Settings, clock: Arc<dyn Clock>) -> Result<Self, GithubError> {
        let Settings { api_url, repository, auth, login, limits } = settings;
        let secret = auth.secret().clone();
        let base = base_url(&api_url)?;
        if secret.is_empty() {
            return Err(GithubError::Settings("the token is empty".to_owned()));
        }
        if matches!(&auth, Auth::Token(token) if !token.expose().bytes().all(|b| b.is_ascii_graphic())) {
            return Err(GithubError::Settings("the token has characters that no token has".to_owned()));
        }
        let door = transport::crab(&base, &auth, &limits)?;
        let backoff = Backoff::new(limits.first_wait, limits.longest_wait, limits.seed);
        let is_app = matches!(auth, Auth::App { .. });
        let login = OnceCell::new_with(login);
        let installation = OnceCell::new();
        let (tokens, author) = (Mutex::default(), OnceLock::new());
        Ok(Self {
            base,
            repository,
            limits,
            secret,
            tokens,
            clock,
            backoff,
            door,
            is_app,
            installation,
            login,
            author,
        })
    }

    /// The repository.
    pub fn repository(&self) -> &Repository {
        &self.repository
    }

    /// The clock that it was given.
    pub fn clock(&self) -> &dyn Clock {
        &*self.clock
    }

    /// Path of something of the repository: `issues/5` is `/repos/<owner>/<name>/issues/5`. Each part between
    /// slashes is encoded.
    pub fn repo(&self, tail: &str) -> String {
        let mut url = self.base.clone();
        url.set_path("/");
        if let Ok(mut path) = url.path_segments_mut() {
            path.clear()
                .extend(["repos", &self.repository.owner, &self.repository.name])
                .extend(tail.split('/'));
        }
        url.path().to_owned()
    }

    /// Reads one thing. `path` is relative to the API's URL, as [`Client::repo`] makes it; `query` is encoded here.
    pub async fn get<T: DeserializeOwned>(&self, path: &str, query: &[(&str, &str)]) -> Result<T, ReadError> {
        let answer = self.read(&self.target(path, query), path).await?;
        self.parse(path, &answer)
    }

    /// As [`Client::get`]; none when it is not there (404).
    pub async fn find<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, &str)],
    ) -> Result<Option<T>, ReadError> {
        match self.get(path, query).await {
            Ok(found) => Ok(Some(found)),
            Err(ReadError::Refused(refusal)) if refusal.status == 404 => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Reads a list through all its pages. More than `max_pages` of 100 are an error, never a part.
    pub async fn get_all<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, &str)],
        max_pages: usize,
    ) -> Result<Vec<T>, ReadError> {
        Ok(self.get_pages::<Vec<T>>(path, query, max_pages).await?.into_iter().flatten().collect())
    }

    /// The pages themselves, for lists inside an object, such as check runs.
    pub async fn get_pages<P: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, &str)],
        max_pages: usize,
    ) -> Result<Vec<P>, ReadError> {
        let mut query = query.to_vec();
        query.push(("per_page", "100"));
        let mut pages = Vec::new();
        let mut target = self.target(path, &query);
        loop {
            let answer = self.read(&target, path).await?;
            pages.push(self.parse(path, &answer)?);
            let Some(next) = answer.link.as_deref().and_then(policy::next_link) else { return Ok(pages) };
            if pages.len() >= max_pages {
                return Err(self.unexpected(path, &format!("more than {max_pages} pages")));
            }
            target = self.own_target(next).ok_or_else(|| {
                self.unexpected(path, "the link to its next page leads to another host, which gets no token")
            })?;
        }
    }

    /// Writes once. A rate limit is waited for up to the cap, since what it refuses was not done; a redirect
    /// that keeps the method is followed on the same host. Nothing else is repeated: see [`WriteError`].
    /// An empty answer is `null`.
    pub async fn write<B: serde::Serialize + Sync + ?Sized>(
        &self,
        method: Method,
        path: &str,
        body: &B,
    ) -> Result<Value, WriteError> {
        let request = self.named(&method, path);
        let body = serde_json::to_value(body)
            .map_err(|e| WriteError::NotSent { request: request.clone(), cause: e.to_string() })?;
        let body = Some(&body).filter(|body| !body.is_null());
        let mut target = self.target(path, &[]);
        let (mut waited, mut hops) = (Duration::ZERO, 0);
        loop {
            let door = self.door().await?;
            let call = Call::Request { method: &method, target: &target, body };
            let answer = match transport::exchange(door, call, self.limits.request_timeout).await {
                Ok(answer) => answer,
                Err(Lost::NotSent(cause)) => {
                    return Err(WriteError::NotSent { request, cause: self.hide(&cause) });
                }
                Err(Lost::Sent(cause)) => return Err(self.ambiguous(request, &cause)),
            };
            match policy::meaning(&answer, self.clock.now()) {
                Meaning::Done if answer.body.trim().is_empty() => return Ok(Value::Null),
                Meaning::Done => {
                    return serde_json::from_str(&answer.body)
                        .map_err(|_| self.ambiguous(request, "the answer is not JSON"));
                }
                Meaning::Limited { wait } => {
                    self.wait_for_limit(&request, wait, &mut waited)
                        .await
                        .map_err(WriteError::RateLimited)?;
                }
                Meaning::Broken => return Err(self.ambiguous(request, &self.said(&answer))),
                Meaning::Moved { location, keeps_method: true } if hops < REDIRECTS => {
                    hops += 1;
                    let Some(moved) = self.own_target(&location) else {
                        return Err(WriteError::Refused(Box::new(self.refusal(&request, &answer))));
                    };
                    target = moved;
                }
                Meaning::Moved { .. } | Meaning::Refused => {
                    return Err(WriteError::Refused(Box::new(self.refusal(&request, &answer))));
                }
            }
        }
    }

    /// Takes a step that looks before it writes, again while its write was ambiguous or not sent, with growing
    /// waits, as often as the limits allow. The last error is returned.
    pub async fn settle<T>(
        &self,
        mut step: impl AsyncFnMut() -> Result<T, GithubError>,
    ) -> Result<T, GithubError> {
        let mut attempt = 1;
        loop {
            match step().await {
                Err(error) if error.may_step_again() && attempt < self.limits.attempts => {
                    tracing::debug!(attempt, "looking again: {error}");
                    self.clock.sleep(self.backoff.after(attempt)).await;
                    attempt += 1;
                }
                result => return result,
            }
        }
    }

    /// The account that writes, as it stands in `user.login` of what it wrote: the token's user, the App's
    /// `<slug>[bot]`, or [`JOB_LOGIN`] when the token is no user's. Asked once.
    pub async fn login(&self) -> Result<&str, ReadError> {
        #[derive(Deserialize)]
        struct User {
            login: String,
        }
        let find = async || {
            if self.is_app {
                return Ok(self.installation().await?.login.clone());
            }
            match self.get::<User>("/user", &[]).await {
                Ok(user) => Ok(user.login),
                // A job's token may not ask who it is.
                Err(ReadError::Refused(refusal)) if refusal.status == 403 => Ok(JOB_LOGIN.to_owned()),
                Err(error) => Err(error),
            }
        };
        if let Some(author) = self.author.get() {
            return Ok(author);
        }
        self.login.get_or_try_init(find).await.map(String::as_str)
    }

    /// From now on [`Client::login`] is the author of what was really written.
    pub(super) fn is_called(&self, author: &str) {
        self.author.get_or_init(|| author.to_owned());
    }

    /// Who talks: the token, or the installation with a token that is good for a while.
    async fn door(&self) -> Result<&Octocrab, ReadError> {
        if !self.is_app {
            return Ok(&self.door);
        }
        let door = &self.installation().await?.door;
        let answer = self.repeat(door, Call::Token, "POST /app/installations/access_tokens").await?;
        if let Some(token) = answer.token {
            let mut tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
            if !tokens.contains(&token) {
                tokens.push(token);
            }
        }
        Ok(door)
    }

    async fn installation(&self) -> Result<&Installation, ReadError> {
        #[derive(Deserialize)]
        struct Found {
            id: u64,
            app_slug: String,
        }
        let path = self.repo("installation");
        let find = async || {
            let target = self.target(&path, &[]);
            let answer = self.follow(&self.door, &target, &path).await?;
            let found: Found = self.parse(&path, &answer)?;
            let door = transport::installation(&self.door, found.id)
                .map_err(|e| self.unexpected(&path, &e.to_string()))?;
            Ok(Installation { door, login: format!("{}[bot]", found.app_slug) })
        };
        self.installation.get_or_try_init(find).await
    }

    async fn read(&self, target: &str, path: &str) -> Result<Answer, ReadError> {
        self.follow(self.door().await?, target, path).await
    }

    /// Reads, following redirects on the same host.
    async fn follow(&self, door: &Octocrab, target: &str, path: &str) -> Result<Answer, ReadError> {
        let request = self.named(&Method::GET, path);
        let mut target = target.to_owned();
        for _ in 0..=REDIRECTS {
            let call = Call::Request { method: &Method::GET, target: &target, body: None };
            let answer = self.repeat(door, call, &request).await?;
            let Meaning::Moved { location, .. } = policy::meaning(&answer, self.clock.now()) else {
                return Ok(answer);
            };
            target = self
                .own_target(&location)
                .ok_or_else(|| self.unexpected(path, "it redirects to another host, which gets no token"))?;
        }
        Err(self.unexpected(path, "it redirects in circles"))
    }

    /// Repeats what is harmless to repeat until it is answered.
    async fn repeat(&self, door: &Octocrab, call: Call<'_>, request: &str) -> Result<Answer, ReadError> {
        let began = self.clock.now();
        let (mut waited, mut attempt) = (Duration::ZERO, 0);
        loop {
            attempt += 1;
            let cause = match transport::exchange(door, call, self.limits.request_timeout).await {
                Ok(answer) => match policy::meaning(&answer, self.clock.now()) {
                    Meaning::Done | Meaning::Moved { .. } => return Ok(answer),
                    Meaning::Refused => {
                        return Err(ReadError::Refused(Box::new(self.refusal(request, &answer))));
                    }
                    Meaning::Limited { wait } => {
                        self.wait_for_limit(request, wait, &mut waited)
                            .await
                            .map_err(ReadError::RateLimited)?;
                        attempt -= 1;
                        continue;
                    }
                    Meaning::Broken => self.said(&answer),
                },
                Err(lost) => lost.cause(),
            };
            let wait = self.backoff.after(attempt);
            let spent = since(began, later(self.clock.now(), wait)).saturating_sub(waited);
            if attempt >= self.limits.attempts || spent > self.limits.total_time {
                let cause = self.hide(&cause);
                return Err(ReadError::Unanswered { request: request.to_owned(), attempts: attempt, cause });
            }
            tracing::debug!(attempt, "{request}: {}", self.hide(&cause));
            self.clock.sleep(wait).await;
        }
    }

    async fn wait_for_limit(
        &self,
        request: &str,
        wait: Duration,
        waited: &mut Duration,
    ) -> Result<(), RateLimited> {
        let cap = self.limits.rate_limit_wait;
        if waited.saturating_add(wait) > cap {
            let until = policy::until(self.clock.now(), wait);
            return Err(RateLimited { request: request.to_owned(), until, cap_seconds: cap.as_secs() });
        }
        tracing::info!("GitHub's rate limit: {request} waits {} s", wait.as_secs());
        *waited += wait;
        self.clock.sleep(wait).await;
        Ok(())
    }

    /// Path with query below the base.
    fn target(&self, path: &str, query: &[(&str, &str)]) -> String {
        let mut url = self.base.clone();
        url.set_path(&format!("{}{path}", self.base.path().trim_end_matches('/')));
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        path_and_query(&url)
    }

    /// Path and query of a URL on the base's own host; none when it is elsewhere.
    fn own_target(&self, link: &str) -> Option<String> {
        let url = self.base.join(link).ok()?;
        (url.origin() == self.base.origin()).then(|| path_and_query(&url))
    }

    fn named(&self, method: &Method, path: &str) -> String {
        self.hide(&format!("{method} {path}"))
    }

    fn parse<T: DeserializeOwned>(&self, path: &str, answer: &Answer) -> Result<T, ReadError> {
        serde_json::from_str(&answer.body).map_err(|e| self.unexpected(path, &e.to_string()))
    }

    fn unexpected(&self, path: &str, cause: &str) -> ReadError {
        ReadError::Unexpected { request: self.named(&Method::GET, path), cause: self.hide(cause) }
    }

    fn ambiguous(&self, request: String, cause: &str) -> WriteError {
        WriteError::Ambiguous { request, cause: self.hide(cause) }
    }

    /// A text without any secret of this client's.
    fn hide(&self, text: &str) -> String {
        let tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        tokens.iter().fold(self.secret.hide(text), |text, token| token.hide(&text))
    }

    fn said(&self, answer: &Answer) -> String {
        match policy::message(&answer.body) {
            said if said.is_empty() => format!("status {}", answer.status),
            said => self.hide(&format!("status {} ({said})", answer.status)),
        }
    }

    fn refusal(&self, request: &str, answer: &Answer) -> super::error::Refusal {
        let mut refusal = policy::refusal(request, answer);
        refusal.message = self.hide(&refusal.message);
        for field in &mut refusal.fields {
            for text in [&mut field.resource, &mut field.field, &mut field.code, &mut field.message] {
                *text = self.hide(text);
            }
        }
        refusal
    }
}

fn path_and_query(url: &Url) -> String {
    url.query().map_or_else(|| url.path().to_owned(), |query| format!("{}?{query}", url.path()))
}
