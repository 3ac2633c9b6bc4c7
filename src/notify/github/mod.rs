//! GitHub: the client, and what is shown there that is not an issue.

mod client;
pub mod error;
mod policy;
mod settings;
pub(crate) mod transport;

pub use client::{Client, JOB_LOGIN};
pub use error::{GithubError, ReadError, Refusal, WriteError};
pub use settings::{Limits, Repository, Settings};
pub use transport::Auth;
