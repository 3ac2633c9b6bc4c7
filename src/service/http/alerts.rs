//! The alerts of this host, where there is no tracker that has them: `<state>/alerts.json`.

use super::problem::Problem;
use crate::alert::{Closing, Phase, Record};
use crate::config::Config;
use crate::model::SweepId;
use crate::notify::github::Repository;
use crate::notify::github::issues::LABEL;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::io::ErrorKind;

/// An alert as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Shown {
    /// Its number on this host.
    pub number: u64,
    /// Whether it stands.
    pub open: bool,
    /// `open`, `recovered`, `accepted` or `duplicate`.
    pub phase: &'static str,
    /// Its key.
    pub key: String,
    /// Whose baselines.
    pub host_class: String,
    /// Which profile's.
    pub profile: String,
    /// Where; none of a host's own.
    pub environment: Option<String>,
    /// Which metrics, by family.
    pub family: Option<&'static str>,
    /// Every metric that it has been about, `workload/case/metric@environment`.
    pub metrics: Vec<String>,
    /// 1 below twice the threshold, 2 below four times, and so on.
    pub magnitude: u8,
    /// The sweep with which it came to this state.
    pub sweep: Option<SweepId>,
    /// When that began.
    pub at: DateTime<Utc>,
}

#[derive(Deserialize)]
struct Line {
    number: u64,
    record: Record,
}

#[derive(Deserialize)]
struct Board {
    alerts: Vec<Line>,
}

impl From<Line> for Shown {
    fn from(Line { number, record }: Line) -> Self {
        let phase = match record.phase {
            Phase::Open => "open",
            Phase::Closed(Closing::Recovered) => "recovered",
            Phase::Closed(Closing::Accepted) => "accepted",
            Phase::Closed(Closing::Duplicate) => "duplicate",
        };
        let key = &record.key;
        Self {
            number,
            open: record.phase == Phase::Open,
            phase,
            key: key.to_string(),
            host_class: key.host_class.to_string(),
            profile: key.profile.clone(),
            environment: key.scope.environment().map(ToString::to_string),
            family: key.scope.family().map(crate::model::Family::as_str),
            metrics: record.metrics.iter().cloned().collect(),
            magnitude: record.magnitude,
            sweep: record.sweep.clone(),
            at: record.at,
        }
    }
}

/// The open ones first, then the newest.
pub(super) fn read(config: &Config) -> Result<Vec<Shown>, Problem> {
    let path = config.state.join("alerts.json");
    let unreadable = |error: &dyn std::error::Error| {
        tracing::warn!(%error, path = %path.display(), "the alerts cannot be read");
        Problem::File("the list of alerts")
    };
    let bytes = match std::fs::read(&path) {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(unreadable(&e)),
    };
    let board: Board = serde_json::from_slice(&bytes).map_err(|e| unreadable(&e))?;
    let mut alerts: Vec<Shown> = board.alerts.into_iter().map(Shown::from).collect();
    alerts.sort_by_key(|a| (!a.open, std::cmp::Reverse(a.at), a.number));
    Ok(alerts)
}

/// Where alerts are issues. Which of them stand is known there only: people close them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tracker {
    /// Whose issues.
    pub repository: Repository,
    /// Address of the API.
    pub api_url: String,
}

impl Tracker {
    /// The page of the issues; none where the API's address does not tell it.
    pub(super) fn issues(&self) -> Option<String> {
        // GitHub's own API has a host of its own, that of a server is below it.
        let site = match self.api_url.trim_end_matches('/').trim_end_matches("/api/v3") {
            "https://api.github.com" => "https://github.com",
            server if server.starts_with("https://") => server,
            _ => return None,
        };
        Some(format!("{site}/{}/issues?q=is%3Aissue+label%3A{LABEL}", self.repository))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_issues_are_those_of_the_repository() {
        let of = |api_url: &str| {
            let repository = "a/b".parse().expect("a repository");
            Tracker { repository, api_url: api_url.to_owned() }.issues()
        };
        let search = "a/b/issues?q=is%3Aissue+label%3Atollgate";
        assert_eq!(of("https://api.github.com/"), Some(format!("https://github.com/{search}")));
        assert_eq!(of("https://git.lab/api/v3"), Some(format!("https://git.lab/{search}")));
        assert_eq!(of("http://127.0.0.1:1"), None);
    }
}
