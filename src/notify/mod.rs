//! Floor 3: what Tollgate tells others: GitHub, webhooks, and the outbox of what could not be told yet.
//!
//! [`github::Client`] is the transport for everything on GitHub:
//!
//! ```no_run
//! # async fn f() -> Result<(), tollgate::notify::github::GithubError> {
//! use std::sync::Arc;
//! use tollgate::notify::github::{Auth, Client, Limits, Settings};
//! use tollgate::notify::{Secret, SystemClock};
//!
//! let settings = Settings {
//!     api_url: "https://api.github.com".into(),
//!     repository: "owner/name".parse()?,
//!     auth: Auth::Token(Secret::new("ghp_...")),
//!     login: None,
//!     limits: Limits::default(),
//! };
//! let client = Client::new(settings, Arc::new(SystemClock))?;
//! let query = [("labels", "tollgate"), ("state", "all")];
//! let issues: Vec<serde_json::Value> = client.get_all(&client.repo("issues"), &query, 100).await?;
//! # Ok(())
//! # }
//! ```
//!
//! Reads are repeated. A write never is, because it may have been done although its answer was lost: `write`
//! returns `Ambiguous` then, and the caller looks its marker up before it tries again. `Client::settle` does just that with
//! a step that looks first: `client.settle(async || { look; write }).await`.

pub mod github;
pub mod outbox;
mod pace;
mod secret;
pub mod webhook;

pub use pace::{Clock, SystemClock};
pub use secret::Secret;
