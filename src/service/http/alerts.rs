//! The alerts of this host, where there is no tracker that has them: `<state>/alerts.json`.

use super::problem::Problem;
use crate::alert::{Closing, Phase, Record};
use crate::config::Config;
use crate::model::SweepId;
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

/// Where the issues are, where there is a repository.
pub(super) fn tracker(config: &Config) -> Option<String> {
    let repository = config.github.repository.as_deref()?;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '/');
    if !repository.chars().all(plain) {
        return None;
    }
    let api = config.github.api_url.as_deref().unwrap_or("https://api.github.com");
    // GitHub's own API has a host of its own, that of a server is below it.
    let site = match api.trim_end_matches('/').trim_end_matches("/api/v3") {
        "https://api.github.com" => "https://github.com",
        server if server.starts_with("https://") => server,
        _ => return None,
    };
    Some(format!("{site}/{repository}/issues?q=is%3Aissue+label%3A{LABEL}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tracker_is_that_of_the_configuration() {
        let with = |text: &str| Config::resolve(Some(("t", text))).expect("valid");
        let search = "/issues?q=is%3Aissue+label%3Atollgate";
        assert_eq!(tracker(&with("")), None);
        let own = with("[github]\nrepository = \"a/b\"\n");
        assert_eq!(tracker(&own), Some(format!("https://github.com/a/b{search}")));
        let server = with("[github]\nrepository = \"a/b\"\napi_url = \"https://git.lab/api/v3\"\n");
        assert_eq!(tracker(&server), Some(format!("https://git.lab/a/b{search}")));
        assert_eq!(tracker(&with("[github]\nrepository = \"a/\\\"b\"\n")), None);
    }
}
