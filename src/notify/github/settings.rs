//! Where GitHub is, who talks to it, and how patiently.

use super::error::GithubError;
use super::policy::one_line;
use super::transport::Auth;
use reqwest::Url;
use std::{fmt, str::FromStr, time::Duration};

/// `owner/name`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repository {
    /// User or organisation.
    pub owner: String,
    /// The repository.
    pub name: String,
}

impl FromStr for Repository {
    type Err = GithubError;

    fn from_str(text: &str) -> Result<Self, GithubError> {
        let good = |part: &str| {
            !part.is_empty()
                && !matches!(part, "." | "..")
                && part.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
        };
        match text.split_once('/') {
            Some((owner, name)) if good(owner) && good(name) => {
                Ok(Self { owner: owner.to_owned(), name: name.to_owned() })
            }
            _ => {
                Err(GithubError::Settings(format!("{:?} is no repository; write owner/name", one_line(text))))
            }
        }
    }
}

impl fmt::Display for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.owner, self.name)
    }
}

/// How patient the client is.
#[derive(Debug, Clone)]
pub struct Limits {
    /// For a connection.
    pub connect_timeout: Duration,
    /// For a request with its whole answer.
    pub request_timeout: Duration,
    /// How often a read is sent, and how often a step that looks before it writes is taken.
    pub attempts: u32,
    /// Wait after the first failed attempt; it doubles.
    pub first_wait: Duration,
    /// Longest wait between two attempts.
    pub longest_wait: Duration,
    /// All attempts of one read and their waits together.
    pub total_time: Duration,
    /// The longest that one request waits for rate limits.
    pub rate_limit_wait: Duration,
    /// Seed of the scatter of the waits.
    pub seed: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(10),
            request_timeout: Duration::from_secs(30),
            attempts: 5,
            first_wait: Duration::from_secs(1),
            longest_wait: Duration::from_secs(30),
            total_time: Duration::from_secs(180),
            rate_limit_wait: Duration::from_secs(900),
            seed: rand::random(),
        }
    }
}

/// Where GitHub is and who talks to it.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `https://api.github.com`, or `https://<host>/api/v3` of GitHub Enterprise (`GITHUB_API_URL`).
    pub api_url: String,
    /// The repository.
    pub repository: Repository,
    /// Token or App.
    pub auth: Auth,
    /// Own login, where [`super::Client::login`] cannot find it out: a token that another step got from an App.
    pub login: Option<String>,
    /// Patience.
    pub limits: Limits,
}

/// The API's URL, checked. Errors never repeat it: somebody may have put a password into it.
pub(super) fn base_url(text: &str) -> Result<Url, GithubError> {
    let wrong = |why: &str| {
        GithubError::Settings(format!(
            "the API's URL {why}; github.com's is https://api.github.com, GitHub Enterprise's ends in /api/v3"
        ))
    };
    let url = Url::parse(text.trim()).map_err(|e| wrong(&format!("is no URL ({e})")))?;
    if !matches!(url.scheme(), "https" | "http") || !url.has_host() {
        return Err(wrong("does not begin with https://"));
    }
    if !url.username().is_empty()
        || url.password().is_some()
        || url.query().is_some()
        || url.fragment().is_some()
    {
        return Err(wrong("has a user, a query or a fragment"));
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repository_is_owner_and_name() {
        assert_eq!("o-1/a.b_c".parse::<Repository>().expect("good").to_string(), "o-1/a.b_c");
        for bad in ["", "o", "o/", "/r", "o/r/x", "o/..", "o/r?x", "o /r"] {
            let error = bad.parse::<Repository>().expect_err(bad).to_string();
            assert!(error.contains("write owner/name"), "{error}");
        }
    }

    #[test]
    fn a_wrong_url_is_not_repeated() {
        assert_eq!(base_url("https://ghe.example/api/v3/").expect("good").path(), "/api/v3/");
        for bad in ["", "api.github.com", "ftp://hunter2/", "https://me:hunter2@h/", "https://h/?t=hunter2"] {
            let error = base_url(bad).expect_err(bad).to_string();
            assert!(error.contains("https://api.github.com") && !error.contains("hunter2"), "{error}");
        }
    }
}
