//! The rows of a samples CSV, gathered into sweeps. Each text of a sweep, metric or environment is kept and checked
//! once, however many rows repeat it.

use super::{SamplesError, guess::info_of, parse::Row};
use crate::model::{
    Comparability, EnvironmentName, HostClass, MetricInfo, MetricKey, SeriesKey, SweepId, SweepSamples,
};
use chrono::{DateTime, Utc};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// What is said once for a sweep, the line that said it first, and its samples.
struct Sweep {
    line: u64,
    id: SweepId,
    host_class: HostClass,
    started_at: DateTime<Utc>,
    /// By index of the metric and of the environment: line and value of each round.
    samples: HashMap<(usize, usize), BTreeMap<u32, (u64, f64)>>,
}

/// What is said once for a metric, and the line that said it first.
struct Metric {
    line: u64,
    key: MetricKey,
    info: MetricInfo,
}

/// Index of the text of several fields that the rows so far have had, each alone a valid one.
#[derive(Default)]
struct Texts {
    known: HashMap<String, usize>,
    /// Reused, so that looking up allocates nothing.
    joined: String,
}

impl Texts {
    /// Looks up `fields`. They are joined by a control character, which no valid field contains, so that no two lists of
    /// fields of which one is valid have the same text.
    fn find(&mut self, fields: &[&str]) -> Option<usize> {
        self.joined.clear();
        for field in fields {
            self.joined.push_str(field);
            self.joined.push('\u{1f}');
        }
        self.known.get(&self.joined).copied()
    }

    /// Gives the fields that were looked up last an index.
    fn learn(&mut self, index: usize) {
        self.known.insert(self.joined.clone(), index);
    }
}

/// The rows so far.
#[derive(Default)]
pub(super) struct Table {
    /// No sweep may begin later.
    latest: DateTime<Utc>,
    sweeps: Vec<Sweep>,
    by_id: BTreeMap<SweepId, usize>,
    sweep_texts: Texts,
    metrics: Vec<Metric>,
    by_key: BTreeMap<MetricKey, usize>,
    metric_texts: Texts,
    environments: Vec<EnvironmentName>,
    environment_texts: Texts,
}

impl Table {
    /// Without rows; sweeps that began after `latest` will be refused.
    pub fn until(latest: DateTime<Utc>) -> Self {
        Self { latest, ..Self::default() }
    }

    /// Whether there was no row.
    pub fn is_empty(&self) -> bool {
        self.sweeps.is_empty()
    }

    /// Takes a row. What is wrong with it is complained of in the order of sweep, metric, environment, round, value.
    pub fn add(&mut self, row: &Row<'_>) -> Result<(), SamplesError> {
        let sweep = self.sweep(row)?;
        let metric = self.metric(row)?;
        let environment = self.environment(row)?;
        let (round, value) = (row.round()?, row.value()?);
        let sweep = &mut self.sweeps[sweep];
        let rounds = sweep.samples.entry((metric, environment)).or_default();
        let Some((first, _)) = rounds.get(&round) else {
            rounds.insert(round, (row.line, value));
            return Ok(());
        };
        let (metric, environment) = (&self.metrics[metric].key, &self.environments[environment]);
        let sample = format!("round {round} of {metric} in {environment} of sweep {}", sweep.id);
        let file = row.file.to_owned();
        Err(SamplesError::DuplicateRow { file, line: row.line, first: *first, sample })
    }

    fn sweep(&mut self, row: &Row<'_>) -> Result<usize, SamplesError> {
        let fields = ["sweep", "host_class", "started_at"].map(|column| row.text(column));
        if let Some(index) = self.sweep_texts.find(&fields) {
            return Ok(index);
        }
        let id: SweepId = row.parsed("sweep")?;
        let (host_class, started_at): (HostClass, _) = (row.parsed("host_class")?, row.started_at()?);
        let index = if let Some(&index) = self.by_id.get(&id) {
            let head = &self.sweeps[index];
            let subject = || format!("sweep {id}");
            row.same((&host_class, &head.host_class, head.line), "host_class", ToString::to_string, subject)?;
            row.same(
                (&started_at, &head.started_at, head.line),
                "started_at",
                DateTime::to_rfc3339,
                subject,
            )?;
            index
        } else {
            if started_at > self.latest {
                let expected =
                    format!("a time not after {}, which no clock has seen yet", self.latest.date_naive());
                return Err(row.bad("started_at", expected));
            }
            self.by_id.insert(id.clone(), self.sweeps.len());
            self.sweeps.push(Sweep { line: row.line, id, host_class, started_at, samples: HashMap::new() });
            self.sweeps.len() - 1
        };
        self.sweep_texts.learn(index);
        Ok(index)
    }

    fn metric(&mut self, row: &Row<'_>) -> Result<usize, SamplesError> {
        let fields = ["workload", "case", "metric", "unit", "better"].map(|column| row.text(column));
        if let Some(index) = self.metric_texts.find(&fields) {
            return Ok(index);
        }
        let key = row.metric()?;
        let (unit, better) = (row.unit()?, row.better()?);
        let index = if let Some(&index) = self.by_key.get(&key) {
            let Metric { line, info, .. } = &self.metrics[index];
            let subject = || format!("metric {key}");
            row.same((&unit, &info.unit, *line), "unit", String::clone, subject)?;
            row.same((&better, &info.better, *line), "better", |b| b.as_str().to_owned(), subject)?;
            index
        } else {
            let info = info_of(&key, unit, better);
            self.by_key.insert(key.clone(), self.metrics.len());
            self.metrics.push(Metric { line: row.line, key, info });
            self.metrics.len() - 1
        };
        self.metric_texts.learn(index);
        Ok(index)
    }

    fn environment(&mut self, row: &Row<'_>) -> Result<usize, SamplesError> {
        if let Some(index) = self.environment_texts.find(&[row.text("environment")]) {
            return Ok(index);
        }
        self.environments.push(row.parsed("environment")?);
        self.environment_texts.learn(self.environments.len() - 1);
        Ok(self.environments.len() - 1)
    }

    /// The sweeps in order of `started_at`, then id.
    pub fn into_sweeps(self) -> Vec<SweepSamples> {
        let (metrics, environments) = (self.metrics, self.environments);
        let mut sweeps: Vec<SweepSamples> =
            self.sweeps.into_iter().map(|sweep| sweep.into_samples(&metrics, &environments)).collect();
        sweeps.sort_by(|a, b| (a.started_at, &a.sweep).cmp(&(b.started_at, &b.sweep)));
        sweeps
    }
}

impl Sweep {
    fn into_samples(self, known: &[Metric], environments: &[EnvironmentName]) -> SweepSamples {
        let mut metrics = BTreeMap::new();
        let mut series = BTreeMap::new();
        for ((metric, environment), rounds) in self.samples {
            let Metric { key, info, .. } = &known[metric];
            metrics.entry(key.clone()).or_insert_with(|| info.clone());
            let key = SeriesKey { metric: key.clone(), environment: environments[environment].clone() };
            series.insert(key, rounds.into_iter().map(|(round, (_, value))| (round, value)).collect());
        }
        SweepSamples {
            host_class: self.host_class,
            sweep: self.id,
            started_at: self.started_at,
            comparability: Comparability::default(),
            metrics,
            series,
            failed: BTreeMap::new(),
            regimes: BTreeSet::new(),
        }
    }
}
