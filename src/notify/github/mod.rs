//! GitHub: the client, and what is shown there.

mod author;
pub mod check;
mod client;
pub mod error;
pub mod issues;
pub mod labels;
mod policy;
pub mod propose;
pub mod pull_request;
mod settings;
pub(crate) mod transport;

pub use client::{Client, JOB_LOGIN};
pub use error::{GithubError, ReadError, Refusal, WriteError};
pub use settings::{Limits, Repository, Settings};
pub use transport::Auth;
