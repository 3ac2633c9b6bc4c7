//! Readings of several files, gathered into one sweep.

use super::{ImportError, Map, Reading, Round, Tool};
use crate::model::{
    Better, Comparability, EnvironmentName, HostClass, MetricInfo, MetricKey, SeriesKey, SweepId,
    SweepSamples,
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
    taken: Taken,
}

/// What was taken of whole files.
#[derive(Debug, Clone, Default)]
struct Taken {
    metrics: BTreeMap<MetricKey, MetricInfo>,
    series: BTreeMap<SeriesKey, BTreeMap<Place, f64>>,
    /// How many files each environment has. What one file lacks must not shift the pairs of later ones, so that files are
    /// counted, not values.
    files: BTreeMap<EnvironmentName, u32>,
    /// Keys of the mapping file that fitted something.
    used: BTreeSet<(&'static str, String)>,
}

/// Where a value stands: which file of its environment, from 1, and which trial of the file, from 1. Of a format that numbers the
/// rounds of the sweep, all files count as the first.
type Place = (u32, u32);

impl Import {
    /// Without samples.
    pub fn new(origin: Origin) -> Self {
        Self { origin, ..Self::default() }
    }

    /// Takes a file of a tool. With an error nothing of it is taken.
    pub fn add(&mut self, tool: Tool, file: &str, text: &str) -> Result<usize, ImportError> {
        let readings = tool.read(file, text, &self.origin.map)?;
        let said = self.origin.environment.clone().or_else(|| self.origin.map.environment(file).cloned());
        let mut taken = self.taken.clone();
        self.origin.map.note(&mut taken.used, file, &readings);
        let mut environments = BTreeSet::new();
        for reading in &readings {
            let environment = reading.environment.clone().or_else(|| said.clone()).ok_or_else(|| {
                ImportError::Unsaid { file: file.to_owned(), what: "environment", option: "environment" }
            })?;
            taken.take(file, reading, &environment)?;
            environments.insert(environment);
        }
        for environment in environments {
            *taken.files.entry(environment).or_default() += 1;
        }
        self.taken = taken;
        Ok(readings.len())
    }

    /// The sweep of everything that was taken. `now` is its time where nobody said one.
    pub fn finish(self, now: DateTime<Utc>) -> Result<SweepSamples, ImportError> {
        let Origin { host_class, started_at, map, .. } = self.origin;
        if let Some((table, key)) = map.unused(&self.taken.used) {
            return Err(ImportError::Unused { table, key: key.to_owned() });
        }
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
            series: self.taken.rounds(),
            metrics: self.taken.metrics,
            failed: BTreeMap::new(),
            regimes: BTreeSet::new(),
        })
    }
}

/// Why a value is none of its metric: a rate that is not above zero is a run that failed, and no time is below zero.
fn no_measurement(reading: &Reading) -> Option<String> {
    let Reading { metric, unit, value, .. } = reading;
    let is_time = ["ns", "us", "ms", "s"].contains(&unit.as_str());
    match reading.better {
        Better::Higher if *value <= 0.0 => {
            Some(format!("found {value} {unit} as {metric}, which is no rate: expected a number above zero"))
        }
        Better::Lower if is_time && *value < 0.0 => Some(format!(
            "found {value} {unit} as {metric}, which is no time: expected a number not below zero"
        )),
        _ => None,
    }
}

impl Taken {
    /// Takes a value of the file that comes next in `environment`.
    fn take(
        &mut self,
        file: &str,
        reading: &Reading,
        environment: &EnvironmentName,
    ) -> Result<(), ImportError> {
        let Reading { line, workload, case, metric, unit, better, value, round, .. } = reading;
        let key = MetricKey::new(workload.as_str(), case.as_str(), metric.as_str());
        if let Some(why) = no_measurement(reading) {
            return Err(ImportError::Line { file: file.to_owned(), line: *line, why });
        }
        let info = self.metrics.entry(key.clone()).or_insert_with(|| info_of(&key, unit.clone(), *better));
        if info.unit != *unit {
            let why = format!("{key} is in {unit} here, and in {} before", info.unit);
            return Err(ImportError::Line { file: file.to_owned(), line: *line, why });
        }
        let this = self.files.get(environment).map_or(1, |before| before + 1);
        let (place, sample) = match *round {
            Round::File => ((this, 1), format!("{key} in {environment}")),
            Round::Trial(n) => ((this, n), format!("trial {n} of {key} in {environment}")),
            Round::Sweep(n) => ((1, n), format!("round {n} of {key} in {environment}")),
        };
        let series = SeriesKey { metric: key, environment: environment.clone() };
        if self.series.entry(series).or_default().insert(place, *value).is_some() {
            return Err(ImportError::Twice { file: file.to_owned(), line: *line, sample });
        }
        Ok(())
    }

    /// Every series by round. The nth files of all environments stand beside each other, and take as many rounds as the one of
    /// them with the most trials has.
    fn rounds(&self) -> BTreeMap<SeriesKey, BTreeMap<u32, f64>> {
        let mut trials: BTreeMap<u32, u32> = BTreeMap::new();
        for (file, trial) in self.series.values().flat_map(BTreeMap::keys) {
            let most = trials.entry(*file).or_default();
            *most = (*most).max(*trial);
        }
        let before = |file: u32| trials.range(..file).map(|(_, most)| most).sum::<u32>();
        let of = |values: &BTreeMap<Place, f64>| {
            values.iter().map(|((file, trial), value)| (before(*file) + trial, *value)).collect()
        };
        self.series.iter().map(|(key, values)| (key.clone(), of(values))).collect()
    }
}

#[cfg(test)]
#[path = "gather_tests.rs"]
mod tests;
