//! Readings of several files, gathered into one sweep.

use super::{ImportError, Map, Reading, Tool};
use crate::model::{
    Comparability, EnvironmentName, HostClass, MetricInfo, MetricKey, SeriesKey, SweepId, SweepSamples,
};
use crate::samples::info_of;
use chrono::{DateTime, Utc};
use std::collections::{BTreeMap, BTreeSet};

/// What is said on the command line of all files together; a mapping file says the rest.
#[derive(Debug, Clone, Default)]
pub struct Origin {
    /// Comparable hosts.
    pub host_class: Option<HostClass>,
    /// Where.
    pub environment: Option<EnvironmentName>,
    /// When it was measured.
    pub started_at: Option<DateTime<Utc>>,
    /// The rest.
    pub map: Map,
}

/// The samples so far.
#[derive(Debug, Default)]
pub struct Import {
    origin: Origin,
    metrics: BTreeMap<MetricKey, MetricInfo>,
    series: BTreeMap<SeriesKey, BTreeMap<u32, f64>>,
}

impl Import {
    /// Without samples.
    pub fn new(origin: Origin) -> Self {
        Self { origin, ..Self::default() }
    }

    /// Takes a file of a tool. With an error nothing of it is taken.
    pub fn add(&mut self, tool: Tool, file: &str, text: &str) -> Result<usize, ImportError> {
        let readings = tool.read(file, text, &self.origin.map)?;
        let said = self.origin.environment.clone().or_else(|| self.origin.map.environment(file).cloned());
        // Of a file that does not number its trials, every series goes on with its next round.
        let (mut metrics, mut series) = (self.metrics.clone(), self.series.clone());
        for reading in &readings {
            let environment = reading.environment.clone().or_else(|| said.clone()).ok_or_else(|| {
                ImportError::Unsaid { file: file.to_owned(), what: "environment", option: "environment" }
            })?;
            take(&mut metrics, &mut series, (file, reading), &environment)?;
        }
        (self.metrics, self.series) = (metrics, series);
        Ok(readings.len())
    }

    /// The sweep of everything that was taken. `now` is its time where nobody said one.
    pub fn finish(self, now: DateTime<Utc>) -> Result<SweepSamples, ImportError> {
        let Origin { host_class, started_at, map, .. } = self.origin;
        let host_class = host_class.or(map.host_class).ok_or_else(|| ImportError::Unsaid {
            file: "import".to_owned(),
            what: "host class",
            option: "host-class",
        })?;
        let started_at = started_at.or(map.started_at).unwrap_or(now);
        Ok(SweepSamples {
            sweep: SweepId::new(started_at, 0),
            host_class,
            started_at,
            comparability: Comparability::default(),
            metrics: self.metrics,
            series: self.series,
            failed: BTreeMap::new(),
            regimes: BTreeSet::new(),
        })
    }
}

fn take(
    metrics: &mut BTreeMap<MetricKey, MetricInfo>,
    series: &mut BTreeMap<SeriesKey, BTreeMap<u32, f64>>,
    (file, reading): (&str, &Reading),
    environment: &EnvironmentName,
) -> Result<(), ImportError> {
    let Reading { line, workload, case, metric, unit, better, value, round, .. } = reading;
    let key = MetricKey::new(workload.as_str(), case.as_str(), metric.as_str());
    let info = metrics.entry(key.clone()).or_insert_with(|| info_of(&key, unit.clone(), *better));
    if info.unit != *unit {
        let why = format!("{key} is in {unit} here, and in {} before", info.unit);
        return Err(ImportError::Line { file: file.to_owned(), line: *line, why });
    }
    let rounds =
        series.entry(SeriesKey { metric: key.clone(), environment: environment.clone() }).or_default();
    let round = round.unwrap_or_else(|| rounds.keys().next_back().map_or(1, |last| last + 1));
    if rounds.insert(round, *value).is_some() {
        let sample = format!("round {round} of {key} in {environment}");
        return Err(ImportError::Twice { file: file.to_owned(), line: *line, sample });
    }
    Ok(())
}
