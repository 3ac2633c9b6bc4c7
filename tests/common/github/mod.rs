//! A GitHub of our own for tests: it keeps state, and it holds every request and every answer against GitHub's own
//! description, which the environment variable `TOLLGATE_GITHUB_OPENAPI` names.
//!
//! ```ignore
//! #[path = "common/github/mod.rs"]
//! mod github;
//!
//! if !common::real(github::missing()) {
//!     return;
//! }
//! let fake = FakeGitHub::start();
//! let token = fake.job_token();
//! fake.inject(When::nth(1, "POST", "/repos/*/*/issues"), Fault::After(502));
//! // ... a client at fake.url() with the token, for the repository REPO ...
//! fake.person("alice").close(1, Reason::NotPlanned);
//! assert_eq!(fake.open_issues().len(), 0);
//! ```
//! It runs in a thread of its own, so a test may block. When it is dropped it panics if the contract was violated.
//! What is not described and enforced here: bodies, titles and texts that are too long, tokens and permissions, paging,
//! rate limits, and what closes, reopens and labels an issue.
#![allow(dead_code, unused_imports, reason = "each test file uses a part of it")]

pub mod answer;
mod ask;
pub mod auth;
pub mod canary;
pub mod contract;
mod endpoints;
pub mod faults;
pub mod limits;
mod log;
mod people;
mod reply;
mod server;
pub mod state;
mod view;
mod wire;

pub use ask::{Asker, Got};
pub use auth::Kind;
pub use contract::missing;
pub use endpoints::{LONGEST_BODY, does};
pub use faults::{Fault, Storm, When};
pub use log::Request;
pub use people::{Person, Reason};
pub use state::{EventKind, Item};

use axum::Router;
use chrono::{DateTime, TimeDelta, Utc};
use limits::Limits;
use server::Shared;
use state::{App, Author, Clock, Repo, World};
use std::{
    collections::{BTreeMap, HashMap},
    fs,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard},
    thread::JoinHandle,
};
use tokio::sync::oneshot;

/// The repository that is there at the beginning, with a commit on `main`.
pub const REPO: &str = "acme/widgets";

/// Author of what a workflow job's token writes.
pub const JOB_LOGIN: &str = "github-actions[bot]";

/// Number and slug of the app, and number of its installation for [`REPO`].
pub const APP_ID: u64 = 4_711;
pub const APP_SLUG: &str = "tollgate-app";
pub const INSTALLATION: u64 = 77;

/// A running fake. Share a reference: everything takes `&self`.
pub struct FakeGitHub {
    shared: Arc<Shared>,
    url: String,
    stop: Mutex<Option<(oneshot::Sender<()>, JoinHandle<()>)>>,
}

impl FakeGitHub {
    /// Starts at a free port of 127.0.0.1, as api.github.com would answer.
    ///
    /// # Panics
    /// Without GitHub's description: ask [`missing`] first.
    pub fn start() -> Self {
        Self::start_at("")
    }

    /// Starts with the API below a path, as GitHub Enterprise Server has it at `/api/v3`.
    pub fn start_at(base_path: &str) -> Self {
        let contract = contract::Contract::get();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        listener.set_nonblocking(true).expect("a socket");
        let url = format!("http://{}{base_path}", listener.local_addr().expect("an address"));
        let world = Mutex::new(World::new(&url));
        let shared = Arc::new(Shared { world, contract, base_path: base_path.to_owned() });
        let (stop, stopped) = oneshot::channel::<()>();
        let app = Router::new().fallback(server::serve).with_state(Arc::clone(&shared));
        let app = app.into_make_service_with_connect_info::<wire::Scissors>();
        let thread = std::thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            // The runtime takes all connections with it when it ends.
            runtime.block_on(async {
                let door = wire::Door(tokio::net::TcpListener::from_std(listener).expect("a socket"));
                tokio::select! {
                    _ = async { axum::serve(door, app).await } => {}
                    _ = stopped => {}
                }
            });
        });
        Self { shared, url, stop: Mutex::new(Some((stop, thread))) }
    }

    /// Base of the API, without a slash at the end: what `GITHUB_API_URL` says.
    pub fn url(&self) -> &str {
        &self.url
    }

    pub fn world(&self) -> MutexGuard<'_, World> {
        self.shared.world()
    }

    /// Ends it: from now on nobody answers at its address. State and requests can still be looked at.
    pub fn stop(&self) {
        let running = self.stop.lock().expect("no thread panicked").take();
        if let Some((stop, thread)) = running {
            let _ = stop.send(());
            thread.join().expect("the fake's thread");
        }
    }

    /// A token of a workflow job, with every permission.
    pub fn job_token(&self) -> String {
        self.token(Kind::Job, JOB_LOGIN, &[])
    }

    /// A token of a person, with every permission.
    pub fn personal_token(&self, login: &str) -> String {
        self.token(Kind::Personal, login, &[])
    }

    /// A token with these permissions only, such as `("issues", "read")`; none named gives all, with write.
    pub fn token(&self, kind: Kind, login: &str, permissions: &[(&str, &str)]) -> String {
        let app = match kind {
            Kind::Personal => None,
            Kind::Job => Some("github-actions".to_owned()),
            Kind::Installation | Kind::App => Some(APP_SLUG.to_owned()),
        };
        let named: BTreeMap<_, _> =
            permissions.iter().map(|(name, level)| ((*name).to_owned(), (*level).to_owned())).collect();
        let permissions = if named.is_empty() { auth::all_permissions() } else { named };
        let author = Author { login: login.to_owned(), app };
        let secret = secret(if kind == Kind::Personal { "ghp" } else { "ghs" });
        let token = auth::Token { kind, author, permissions, expires: None, revoked: false };
        self.world().tokens.insert(secret.clone(), token);
        secret
    }

    /// From now on the token gets 401.
    pub fn revoke(&self, secret: &str) {
        self.world().tokens.get_mut(secret).expect("a token of this fake").revoked = true;
    }

    /// Every token so far, to look for in logs, reports and errors.
    pub fn secrets(&self) -> Vec<String> {
        self.world().tokens.keys().cloned().collect()
    }

    /// The private key of the app [`APP_ID`].
    pub fn app_key() -> PathBuf {
        fixture("app-key.pem")
    }

    /// Lets one thing go wrong. The earliest injected that is due wins.
    pub fn inject(&self, when: When, fault: Fault) {
        self.world().faults.inject(when, fault);
    }

    /// Lets random requests go wrong.
    pub fn storm(&self, storm: Storm) {
        self.world().faults.storm(storm);
    }

    /// No faults any more.
    pub fn calm(&self) {
        self.world().faults.clear();
    }

    /// Moves the fake's time forward: limits, expiry, `updated_at`. It begins as the host's.
    pub fn advance(&self, by: TimeDelta) {
        let mut world = self.world();
        world.clock.ahead += by;
    }

    /// Holds the fake's time still; [`FakeGitHub::advance`] still moves it.
    pub fn freeze(&self, at: DateTime<Utc>) {
        self.world().clock = Clock { frozen: Some(at), ahead: TimeDelta::zero() };
    }

    /// Changes the rate limits.
    pub fn limit(&self, change: impl FnOnce(&mut Limits)) {
        change(&mut self.world().limits);
    }

    /// Lists show what was created only after this time, as an eventually consistent GitHub would. Off at first.
    pub fn let_lists_lag(&self, by: TimeDelta) {
        self.world().lists_lag = by;
    }

    /// Issues of [`REPO`] are disabled: 410.
    pub fn disable_issues(&self) {
        self.world().repos.get_mut(REPO).expect("the repository").issues_enabled = false;
    }

    /// What did not keep to GitHub's description, in requests and in answers.
    pub fn violations(&self) -> Vec<String> {
        self.world().violations.clone()
    }

    /// Takes them: a test that provokes a violation expects it, so that the end of the fake does not complain.
    pub fn take_violations(&self) -> Vec<String> {
        std::mem::take(&mut self.world().violations)
    }

    pub fn assert_contract(&self) {
        let violations = self.violations();
        assert!(violations.is_empty(), "not as GitHub describes it:\n{}", violations.join("\n"));
    }
}

impl Drop for FakeGitHub {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        self.stop();
        self.assert_contract();
    }
}

impl World {
    fn new(base: &str) -> Self {
        let clock = Clock::default();
        let repo = Repo::new(REPO, clock.now());
        Self {
            base: base.to_owned(),
            repos: BTreeMap::from([(REPO.to_owned(), repo)]),
            tokens: HashMap::new(),
            app: App {
                id: APP_ID,
                slug: APP_SLUG.to_owned(),
                public_key: fs::read(fixture("app-key.pub.pem")).expect("the public key"),
                installations: BTreeMap::from([(INSTALLATION, REPO.to_owned())]),
            },
            limits: Limits::default(),
            faults: faults::Faults::default(),
            log: Vec::new(),
            violations: Vec::new(),
            lists_lag: TimeDelta::zero(),
            next_id: 1_000,
            clock,
        }
    }
}

fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/github").join(name)
}

/// A token nobody else has, in the form of GitHub's.
fn secret(prefix: &str) -> String {
    format!("{prefix}_{:032x}0000", rand::random::<u128>())
}
