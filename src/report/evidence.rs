//! What stands behind a result, for page and table: how tolls went before, and the rounds and costs of the judged sweep.

use super::past::{Line, Past};
use crate::history::{Group, GroupKey, Head, Track};
use crate::judge::{self, Policy};
use crate::model::{Cell, CellState, EnvironmentName, Scale, Series, SeriesKey, Sweep, SweepId};

/// Everything that stands behind a result. The report is complete without it, but has no histories.
#[derive(Debug, Clone)]
pub struct Evidence {
    /// The judged sweep: rounds, costs of the trials, latencies.
    pub sweep: Sweep,
    /// The sweeps of chosen cells that confirmed it, in order of time.
    pub fresh: Vec<Sweep>,
    /// The sweeps of its host class and profile up to these, all of them among them.
    pub history: Group,
    /// The thresholds that hold.
    pub policy: Policy,
}

impl Evidence {
    /// Of the judged sweep and those before it, in any order. Others than of its host class and profile are left out, and
    /// so are later ones: the page tells what was known.
    pub fn of<'a>(sweep: &Sweep, before: impl IntoIterator<Item = &'a Sweep>, policy: Policy) -> Self {
        let mut evidence = Self::alone(sweep, policy);
        before.into_iter().for_each(|b| evidence.add(b));
        evidence
    }

    /// Of the judged sweep alone.
    pub fn alone(sweep: &Sweep, policy: Policy) -> Self {
        let mut history = Group::default();
        history.insert(sweep);
        Self { sweep: sweep.clone(), fresh: Vec::new(), history, policy }
    }

    /// Adds the sweeps that confirmed it: a verdict's numbers are theirs, too.
    #[must_use]
    pub fn confirmed_by(mut self, fresh: Vec<Sweep>) -> Self {
        for sweep in fresh.iter().filter(|f| GroupKey::of(f) == GroupKey::of(&self.sweep)) {
            self.history.insert(sweep);
        }
        self.fresh = fresh;
        self.fresh.sort_by_key(|s| s.started_at);
        self
    }

    /// The sweeps that the verdicts are on.
    pub fn judged(&self) -> Vec<&SweepId> {
        std::iter::once(&self.sweep).chain(&self.fresh).map(|s| &s.sweep).collect()
    }

    /// Adds an earlier sweep; sweeps that can be let go one after another need not be in memory together.
    pub fn add(&mut self, before: &Sweep) {
        if GroupKey::of(before) == GroupKey::of(&self.sweep) && before.started_at < self.sweep.started_at {
            self.history.insert(before);
        }
    }

    /// The tolls of the sweeps that the judge compares: of the accepted ones before, and of the judged ones. Holes where a sweep is not
    /// comparable with the newest.
    pub fn past(&self) -> Past {
        let judged = self.judged();
        let is_compared = |head: &Head| {
            judged.contains(&&head.sweep)
                || head.accepted.is_some() && head.started_at < self.sweep.started_at
        };
        let heads = &self.history.heads;
        let compared: Vec<usize> = (0..heads.len()).filter(|i| is_compared(&heads[*i])).collect();
        let Some(now) = heads.last() else { return Past::default() };
        let line = |(key, track): (&SeriesKey, &Track)| {
            let toll = |i: &usize| {
                if heads[*i].is_comparable(now, key) { f64::from(track.tolls[*i]) } else { f64::NAN }
            };
            let threshold = self.policy.threshold(key, &track.info);
            let threshold_pct = (threshold.scale == Scale::Ratio).then_some(threshold.shown);
            (key.clone(), Line { tolls: compared.iter().map(toll).collect(), threshold_pct })
        };
        Past::new(self.history.tracks.iter().filter(|(_, track)| track.is_tolled()).map(line))
    }

    /// What a history shows of each round of the newest judged sweep that measured it: tolls in percent where it shows tolls,
    /// else values.
    pub fn shown_rounds(&self, key: &SeriesKey, tolled: bool) -> Vec<f64> {
        let newest_first = self.fresh.iter().rev().chain([&self.sweep]);
        let Some((series, native)) = newest_first.into_iter().find_map(|s| rounds(s, key)) else {
            return Vec::new();
        };
        match native.filter(|_| tolled) {
            None => series.measured().collect(),
            Some(native) => judge::round_tolls(series, native).into_iter().map(judge::percent).collect(),
        }
    }
}

/// The rounds of a series in a sweep and native's; none where its cell failed, since those are no figure of it.
fn rounds<'a>(sweep: &'a Sweep, key: &SeriesKey) -> Option<(&'a Series, Option<&'a Series>)> {
    let metric = &key.metric;
    let find = |environment: &EnvironmentName| {
        let is_ok = |c: &&Cell| {
            c.workload == metric.workload && c.case == metric.case && c.environment == *environment
        };
        sweep.cells.iter().find(is_ok).filter(|c| c.state == CellState::Ok)?;
        sweep.series.iter().find(|s| s.environment == *environment && s.key() == *metric)
    };
    let native = find(&EnvironmentName::NATIVE).filter(|_| !key.environment.is_native());
    Some((find(&key.environment)?, native))
}
