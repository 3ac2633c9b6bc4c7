//! What was asked of the fake, for assertions.

use super::auth::Kind;
use serde_json::Value;

/// One request and what became of it. Never the token itself.
#[derive(Debug, Clone)]
pub struct Request {
    pub method: String,
    /// As sent, without the base path and the query.
    pub path: String,
    pub query: String,
    /// GitHub's name of the operation, such as `issues/create`; empty where there is none.
    pub operation: String,
    pub body: Option<Value>,
    /// None where no known token was sent.
    pub token: Option<Kind>,
    pub accept: String,
    /// What was answered; none where the connection was dropped.
    pub status: Option<u16>,
    /// Whether what it asked for was done, also when the answer says otherwise.
    pub done: bool,
    /// The fault that was injected.
    pub fault: Option<String>,
}

impl Request {
    pub fn is_write(&self) -> bool {
        self.method != "GET"
    }
}

impl std::fmt::Display for Request {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.method, self.path)?;
        if !self.query.is_empty() {
            write!(f, "?{}", self.query)?;
        }
        match self.status {
            Some(status) => write!(f, " -> {status}")?,
            None => write!(f, " -> dropped")?,
        }
        match &self.fault {
            Some(fault) => write!(f, " ({fault}{})", if self.done { ", done" } else { "" }),
            None => Ok(()),
        }
    }
}
