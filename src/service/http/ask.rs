//! What requests ask for. Names come from sweeps and may hold anything, so they stand in the query and not in the path.

use super::index::{Catalogue, Group, series_key};
use super::pages::metric::MOST;
use super::problem::Problem;
use crate::history::GroupKey;
use crate::model::{EnvironmentName, SeriesKey, SweepId};
use axum::extract::Query;
use axum::extract::rejection::QueryRejection;
use serde::Deserialize;

/// A query that may not be understood.
pub(super) type Asked<T> = Result<Query<T>, QueryRejection>;

/// The query, or what is wrong with it.
pub(super) fn asked<T>(query: Asked<T>) -> Result<T, Problem> {
    query.map(|Query(of)| of).map_err(|e| Problem::Question(e.body_text()))
}

/// `class` and `profile`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OfGroup {
    class: String,
    profile: String,
}

impl OfGroup {
    /// The group, where there is one.
    pub fn find<'a>(&self, catalogue: &'a Catalogue) -> Result<(&'a GroupKey, &'a Group), Problem> {
        group(catalogue, &self.class, &self.profile)
    }
}

fn group<'a>(
    catalogue: &'a Catalogue,
    class: &str,
    profile: &str,
) -> Result<(&'a GroupKey, &'a Group), Problem> {
    catalogue.group(class, profile).ok_or(Problem::Nothing("such host class and profile"))
}

/// A metric, and what of it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OfMetric {
    class: String,
    profile: String,
    workload: String,
    case: String,
    metric: String,
    environment: Option<EnvironmentName>,
    /// The sweep whose rounds are shown.
    pub rounds: Option<SweepId>,
    /// `rounds`: only these.
    pub part: Option<String>,
    /// How many sweeps: a number, or `all`.
    last: Option<String>,
}

impl OfMetric {
    /// The group, where there is one.
    pub fn group<'a>(&self, catalogue: &'a Catalogue) -> Result<(&'a GroupKey, &'a Group), Problem> {
        group(catalogue, &self.class, &self.profile)
    }

    /// The series: of the environment that is asked for, else of the one whose toll is the largest, which a person
    /// most likely wants to see.
    pub fn series(&self, group: &Group) -> Result<SeriesKey, Problem> {
        let of = |e: EnvironmentName| series_key(&self.workload, &self.case, &self.metric, e);
        if let Some(environment) = &self.environment {
            let key = of(environment.clone());
            return group.tracks.contains_key(&key).then_some(key).ok_or(Problem::Nothing("such series"));
        }
        let toll = |key: &SeriesKey| {
            let track = group.tracks.get(key)?;
            track.tolls.iter().rev().copied().find(|t| t.is_finite())
        };
        group
            .environments()
            .into_iter()
            .map(|e| of(e.clone()))
            .filter(|key| group.tracks.contains_key(key))
            .max_by(|a, b| toll(a).unwrap_or(f32::MIN).total_cmp(&toll(b).unwrap_or(f32::MIN)))
            .ok_or(Problem::Nothing("such metric"))
    }

    /// Sweeps that are shown at most.
    pub fn most(&self) -> Result<usize, Problem> {
        match self.last.as_deref() {
            None => Ok(MOST),
            Some("all") => Ok(usize::MAX),
            Some(n) => n
                .parse()
                .ok()
                .filter(|n| *n > 0)
                .ok_or_else(|| Problem::Question("last is neither a number above 0 nor all".to_owned())),
        }
    }
}

/// Two sweeps.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OfPair {
    pub from: Option<SweepId>,
    pub to: Option<SweepId>,
}

/// A list of sweeps.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OfList {
    class: Option<String>,
    profile: Option<String>,
    /// At most so many, the newest.
    pub limit: Option<usize>,
}

impl OfList {
    /// Whether a group is asked for.
    pub fn takes(&self, key: &GroupKey) -> bool {
        self.class.as_ref().is_none_or(|c| c == key.host_class.as_str())
            && self.profile.as_ref().is_none_or(|p| *p == key.profile)
    }
}

/// A sweep's id from a path.
pub(super) fn sweep_id(text: &str) -> Result<SweepId, Problem> {
    text.parse().map_err(|_| Problem::Nothing("such sweep"))
}
