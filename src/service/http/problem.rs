//! Why a request has no answer, as a page or as JSON.

use super::pages;
use crate::pipeline::PipelineError;
use crate::store::StoreError;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde_json::json;

/// Why a request has no answer. Nothing in it tells where files are.
#[derive(Debug, thiserror::Error)]
pub(super) enum Problem {
    /// There is nothing of this name.
    #[error("there is no {0} here")]
    Nothing(&'static str),
    /// The question cannot be understood.
    #[error("{0}")]
    Question(String),
    /// Another host's name.
    #[error("this address answers to localhost only: set a token to reach it by another name")]
    Host,
    /// No token.
    #[error("a token is needed: Authorization: Bearer TOKEN, or the token as the password")]
    Token,
    /// Too many at once.
    #[error("too many requests at once: try again in a moment")]
    Busy,
    /// A stored file.
    #[error("a stored sweep cannot be read or judged: the service's log says why")]
    Store(#[source] PipelineError),
    /// A file of the state directory.
    #[error("{0} cannot be read: the service's log says why")]
    File(&'static str),
    /// A fault of ours.
    #[error("the answer could not be made: this is a fault of tollgate")]
    Broken,
}

/// Whether a path is answered in JSON.
pub(super) fn is_api(path: &str) -> bool {
    path.starts_with("/api/") || path == "/hook"
}

impl Problem {
    fn status(&self) -> StatusCode {
        match self {
            Self::Nothing(_) => StatusCode::NOT_FOUND,
            Self::Question(_) => StatusCode::BAD_REQUEST,
            Self::Host => StatusCode::MISDIRECTED_REQUEST,
            Self::Token => StatusCode::UNAUTHORIZED,
            Self::Busy => StatusCode::SERVICE_UNAVAILABLE,
            Self::Store(_) | Self::File(_) | Self::Broken => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The answer, in JSON or as a page.
    pub fn answer(&self, api: bool) -> Response {
        if let Self::Store(error) = self {
            tracing::warn!(%error, "a stored sweep cannot be shown");
        }
        let status = self.status();
        let mut answer = if api {
            let body = json!({ "error": self.to_string() }).to_string();
            (status, [(header::CONTENT_TYPE, "application/json")], body).into_response()
        } else {
            pages::problem(status, &self.to_string())
        };
        let headers = answer.headers_mut();
        if status == StatusCode::UNAUTHORIZED {
            let ask = HeaderValue::from_static("Basic realm=\"tollgate\", charset=\"UTF-8\"");
            headers.insert(header::WWW_AUTHENTICATE, ask);
        }
        if status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
        }
        answer
    }
}

impl From<PipelineError> for Problem {
    fn from(error: PipelineError) -> Self {
        match error {
            PipelineError::Store(StoreError::Unknown { .. }) => Self::Nothing("such sweep"),
            error => Self::Store(error),
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        PipelineError::from(error).into()
    }
}
