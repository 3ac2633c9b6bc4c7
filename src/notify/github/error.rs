//! What went wrong with GitHub: what, where, what to do. No error holds a token.

use chrono::{DateTime, Utc};
use std::fmt;

/// GitHub understood a request and did not do it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Method and path, without the query.
    pub request: String,
    /// HTTP status.
    pub status: u16,
    /// What GitHub says, one line.
    pub message: String,
    /// What it says of single fields (422).
    pub fields: Vec<FieldError>,
}

/// One entry of `errors` in an answer of status 422.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(default)]
pub struct FieldError {
    /// `Issue`, `Label`, ...
    pub resource: String,
    /// The field, empty when it is none.
    pub field: String,
    /// `missing`, `invalid`, `already_exists`, `custom`, ...
    pub code: String,
    /// Free text, with code `custom`.
    pub message: String,
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [&self.resource, &self.field, &self.code, &self.message];
        f.write_str(&parts.into_iter().filter(|p| !p.is_empty()).cloned().collect::<Vec<_>>().join(" "))
    }
}

impl Refusal {
    /// Whether some field has this code, such as `already_exists`.
    pub fn has_code(&self, code: &str) -> bool {
        self.fields.iter().any(|field| field.code == code)
    }

    /// Whether GitHub's words, in the message or in a field, hold `words`, in any case.
    pub fn says(&self, words: &str) -> bool {
        let words = words.to_lowercase();
        let fields = self.fields.iter().map(|field| &field.message);
        fields.chain([&self.message]).any(|text| text.to_lowercase().contains(&words))
    }

    /// Whether the same request will be refused for ever, whatever a person repairs in settings and permissions.
    pub fn is_for_good(&self) -> bool {
        matches!(self.status, 400 | 413 | 414 | 422)
    }

    fn advice(&self) -> String {
        let permission = permission(&self.request);
        match self.status {
            401 => "the token is wrong, revoked or over its time: give a new one".to_owned(),
            403 if self.says("create pull requests") || self.says("create or approve pull requests") => {
                "allow GitHub Actions to create pull requests in the repository's settings (Actions, General)"
                    .to_owned()
            }
            403 => format!("the token probably lacks the permission `{permission}`"),
            404 if self.request.ends_with("/installation") => {
                "the App is not installed in this repository, or the repository's name is wrong".to_owned()
            }
            404 => format!(
                "it is not there, or the token may not see it: check the repository's name and the permission \
                 `{permission}`"
            ),
            410 if self.request.contains("/issues") => {
                "enable issues in the repository's settings, or route alerts elsewhere".to_owned()
            }
            301 | 302 | 307 | 308 => {
                "the repository was renamed or moved: set its new name, also in GITHUB_REPOSITORY".to_owned()
            }
            422 => "this is a fault of tollgate or of its templates".to_owned(),
            _ => "see what GitHub says".to_owned(),
        }
    }
}

/// Permission of the job's token or App that a request needs, from its path.
fn permission(request: &str) -> String {
    let (method, path) = request.split_once(' ').unwrap_or(("GET", request));
    let mut segments = path.split('/').skip_while(|segment| *segment != "repos").skip(3);
    let scope = match segments.next() {
        Some("check-runs") => "checks",
        Some("commits") if path.ends_with("/check-runs") => "checks",
        Some("commits") if path.ends_with("/pulls") => "pull-requests",
        Some("pulls") => "pull-requests",
        Some("statuses") => "statuses",
        Some("actions") => "actions",
        Some("issues" | "labels") => "issues",
        None => "metadata",
        Some(_) => "contents",
    };
    let access = if method == "GET" { "read" } else { "write" };
    // A pull request's comments are an issue's to the API; either permission opens them.
    let or =
        if path.contains("/comments") { format!("` or `pull-requests: {access}") } else { String::new() };
    format!("{scope}: {access}{or}")
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GitHub refused {} with {}", self.request, self.status)?;
        if !self.message.is_empty() {
            write!(f, " ({})", self.message)?;
        }
        for field in &self.fields {
            write!(f, ", {field}")?;
        }
        write!(f, "; {}", self.advice())
    }
}

/// A rate limit that lasts longer than the cap on waiting.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "GitHub's rate limit stops {request} until {} UTC, longer than the {cap_seconds} s that tollgate waits; run \
     it again then",
    until.format("%Y-%m-%d %H:%M:%S")
)]
pub struct RateLimited {
    /// Method and path.
    pub request: String,
    /// When it ends.
    pub until: DateTime<Utc>,
    /// The cap, seconds.
    pub cap_seconds: u64,
}

/// A read that gave nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// Refused.
    #[error("{0}")]
    Refused(Box<Refusal>),
    /// Over the cap on waiting.
    #[error("{0}")]
    RateLimited(RateLimited),
    /// No useful answer, also after repeating.
    #[error(
        "no answer to {request} after {attempts} attempts: {cause}; check the network and GitHub's status page"
    )]
    Unanswered {
        /// Method and path.
        request: String,
        /// How often it was sent.
        attempts: u32,
        /// The last failure.
        cause: String,
    },
    /// An answer that is not what the API describes.
    #[error("unexpected answer to {request}: {cause}; check that the API's URL is GitHub's")]
    Unexpected {
        /// Method and path.
        request: String,
        /// What is wrong with it.
        cause: String,
    },
}

/// A write that is not known to be done. The transport never repeats one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    /// Not done: refused.
    #[error("{0}")]
    Refused(Box<Refusal>),
    /// Not done: over the cap on waiting.
    #[error("{0}")]
    RateLimited(RateLimited),
    /// Done or not: look before trying again.
    #[error(
        "it is not known whether {request} was done: {cause}; the next run looks and repeats it if it was not"
    )]
    Ambiguous {
        /// Method and path.
        request: String,
        /// What happened instead of an answer.
        cause: String,
    },
    /// Certainly not done: there was no connection.
    #[error("could not send {request}: {cause}; check the network, the proxy and the API's URL")]
    NotSent {
        /// Method and path.
        request: String,
        /// Why.
        cause: String,
    },
}

impl From<ReadError> for WriteError {
    /// Of a read that had to go before the write, such as that of an App's token: the write was not sent.
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Refused(refusal) => Self::Refused(refusal),
            ReadError::RateLimited(limited) => Self::RateLimited(limited),
            ReadError::Unanswered { request, cause, .. } | ReadError::Unexpected { request, cause } => {
                Self::NotSent { request, cause }
            }
        }
    }
}

/// Any failure of a conversation with GitHub.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GithubError {
    /// The settings are wrong; nothing was sent.
    #[error("cannot talk to GitHub: {0}")]
    Settings(String),
    /// A text is longer than GitHub takes; nothing was sent.
    #[error("{what} has {length} characters, GitHub takes {limit}; render a shorter form")]
    TooLong {
        /// Which text.
        what: &'static str,
        /// Its length, characters.
        length: usize,
        /// The most, characters.
        limit: usize,
    },
    /// A read failed.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A write failed.
    #[error(transparent)]
    Write(#[from] WriteError),
}

impl GithubError {
    /// The refusal, when it is one.
    pub fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Read(ReadError::Refused(refusal)) | Self::Write(WriteError::Refused(refusal)) => {
                Some(refusal)
            }
            _ => None,
        }
    }

    /// The HTTP status of the refusal.
    pub fn status(&self) -> Option<u16> {
        self.refusal().map(|refusal| refusal.status)
    }

    /// Whether the same job fails for ever, so that it must not block those behind it.
    pub fn is_for_good(&self) -> bool {
        matches!(self, Self::TooLong { .. }) || self.refusal().is_some_and(Refusal::is_for_good)
    }

    /// Whether a step that looks before it writes may simply be done again.
    pub fn may_step_again(&self) -> bool {
        matches!(self, Self::Write(WriteError::Ambiguous { .. } | WriteError::NotSent { .. }))
    }
}

/// Refuses a text that GitHub would refuse.
pub(super) fn within(what: &'static str, text: &str, limit: usize) -> Result<(), GithubError> {
    let length = text.chars().count();
    if length > limit { Err(GithubError::TooLong { what, length, limit }) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(request: &str, status: u16, message: &str) -> String {
        Refusal { request: request.into(), status, message: message.into(), fields: Vec::new() }.to_string()
    }

    #[test]
    fn refusals_say_what_where_and_what_to_do() {
        let field = FieldError {
            resource: "Issue".into(),
            field: "title".into(),
            code: "missing_field".into(),
            message: String::new(),
        };
        let fields = Refusal {
            request: "POST /repos/o/r/issues".into(),
            status: 422,
            message: "Validation Failed".into(),
            fields: vec![field],
        };
        let moved = "POST /repos/o/r/check-runs";
        let all = [
            refusal("GET /repos/o/r/issues", 401, "Bad credentials"),
            refusal(moved, 403, "Resource not accessible by personal access token"),
            refusal("POST /repos/o/r/issues/5/comments", 403, "Resource not accessible by integration"),
            refusal(
                "POST /repos/o/r/pulls",
                403,
                "GitHub Actions is not permitted to create or approve pull requests",
            ),
            refusal("GET /api/v3/repos/o/r/commits/abc/check-runs", 404, "Not Found"),
            refusal("GET /repos/o/r/installation", 404, "Not Found"),
            refusal("POST /repos/o/r/issues", 410, "Issues are disabled for this repo"),
            refusal(moved, 301, ""),
            fields.to_string(),
            ReadError::Unanswered { request: "GET /user".into(), attempts: 5, cause: "timed out".into() }
                .to_string(),
            WriteError::Ambiguous { request: moved.into(), cause: "502".into() }.to_string(),
            WriteError::NotSent { request: moved.into(), cause: "connection refused".into() }.to_string(),
            RateLimited {
                request: moved.into(),
                until: DateTime::from_timestamp(1_800_000_000, 0).expect("a time"),
                cap_seconds: 900,
            }
            .to_string(),
        ];
        insta::assert_snapshot!(all.join("\n"));
    }
}
