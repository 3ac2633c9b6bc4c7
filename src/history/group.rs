//! The sweeps of one host class and profile, column by column.

use crate::judge::{self, cells};
use crate::model::{
    AcceptedBy, Better, CellState, Change, Comparability, Component, EnvironmentName, HostClass, MetricInfo,
    Scale, Series, SeriesKey, Sweep, SweepId,
};
use chrono::{DateTime, Utc};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Whose sweeps are compared with each other.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct GroupKey {
    /// Host class.
    pub host_class: HostClass,
    /// Profile, as the sweep says it: it may hold anything.
    pub profile: String,
}

/// Who accepted a sweep as a baseline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Acceptance {
    /// When.
    pub at: DateTime<Utc>,
    /// Who.
    pub by: String,
    /// Why.
    pub reason: String,
}

/// One sweep without its numbers.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Head {
    /// Its id.
    pub sweep: SweepId,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// When it ended.
    pub finished_at: DateTime<Utc>,
    /// Rounds planned for a case.
    pub rounds: u32,
    /// Whether it is one of chosen cells.
    pub partial: bool,
    /// `kvm`, `tcg` or none.
    pub accelerator: Option<String>,
    /// Wall time, seconds.
    pub wall_s: f64,
    /// Share of it that is the harness's own.
    pub harness_share: f64,
    /// Cells that were measured.
    pub cells_ok: usize,
    /// Cells that failed.
    pub cells_failed: usize,
    /// Who accepted it; none where nobody did.
    pub accepted: Option<Acceptance>,
    /// Versions of the components. Most sweeps share them with the one before.
    #[serde(serialize_with = "shared")]
    pub components: Arc<BTreeMap<Component, String>>,
    /// What must be equal for two sweeps to be comparable.
    #[serde(skip)]
    pub comparability: Arc<Comparability>,
    /// Series whose regime begins here.
    #[serde(skip)]
    pub regimes: BTreeSet<SeriesKey>,
}

impl Head {
    /// Whether what it says of a series may be compared with what `now` says: the same suite and image, and of virtual machines the same
    /// accelerator.
    pub fn is_comparable(&self, now: &Self, key: &SeriesKey) -> bool {
        judge::incomparable(&self.comparability, &now.comparability, &key.environment).is_none()
    }
}

fn shared<S: serde::Serializer>(
    components: &Arc<BTreeMap<Component, String>>,
    to: S,
) -> Result<S::Ok, S::Error> {
    components.as_ref().serialize(to)
}

/// One series over all sweeps of its group; as many numbers as the group has sweeps, NaN where one has none.
#[derive(Debug, Clone)]
pub struct Track {
    /// Unit, direction, family.
    pub info: MetricInfo,
    /// Medians over the rounds, in the unit.
    pub medians: Vec<f32>,
    /// Tolls, percent.
    pub tolls: Vec<f32>,
}

impl Track {
    /// Whether it is shown by its tolls rather than by its values.
    pub fn is_tolled(&self) -> bool {
        self.info.scale == Scale::Ratio && self.tolls.iter().any(|t| t.is_finite())
    }

    /// What is shown of it: tolls, or values where there are none.
    pub fn shown(&self) -> &[f32] {
        if self.is_tolled() { &self.tolls } else { &self.medians }
    }
}

/// The sweeps of one host class and profile.
#[derive(Debug, Clone, Default)]
pub struct Group {
    /// In order of their beginning.
    pub heads: Vec<Head>,
    /// Every series that any of them has.
    pub tracks: BTreeMap<SeriesKey, Track>,
}

impl GroupKey {
    /// The group that a sweep belongs to.
    pub fn of(sweep: &Sweep) -> Self {
        Self { host_class: sweep.host_class.clone(), profile: sweep.profile.clone() }
    }
}

impl From<&AcceptedBy> for Acceptance {
    fn from(by: &AcceptedBy) -> Self {
        Self { at: by.at, by: by.by.clone(), reason: by.reason.clone() }
    }
}

impl Group {
    /// The newest sweep that is not one of chosen cells.
    pub fn newest(&self) -> Option<(usize, &Head)> {
        self.heads.iter().enumerate().rev().find(|(_, head)| !head.partial)
    }

    /// Where a sweep stands.
    pub fn position(&self, sweep: &SweepId) -> Option<usize> {
        self.heads.iter().position(|h| h.sweep == *sweep)
    }

    /// The environments of its series, native first.
    pub fn environments(&self) -> BTreeSet<&EnvironmentName> {
        self.tracks.keys().map(|k| &k.environment).collect()
    }

    /// The components that sweep `at` has and the one before it had not; the suite's parameters are told by the second value.
    pub fn changes_at(&self, at: usize) -> (Vec<Change>, bool) {
        let Some((before, now)) = at.checked_sub(1).and_then(|b| self.heads.get(b)).zip(self.heads.get(at))
        else {
            return (Vec::new(), false);
        };
        let (old, new) = (&before.components, &now.components);
        let changed = Component::ALL
            .into_iter()
            .filter(|c| old.get(c) != new.get(c))
            .map(|component| Change {
                component,
                before: old.get(&component).cloned(),
                after: new.get(&component).cloned(),
            })
            .collect();
        (changed, before.comparability.parameters != now.comparability.parameters)
    }

    /// Adds a sweep, or replaces it.
    pub fn insert(&mut self, sweep: &Sweep) {
        self.remove(&sweep.sweep);
        let at = self.heads.partition_point(|h| (h.started_at, &h.sweep) < (sweep.started_at, &sweep.sweep));
        let head = self.head_of(sweep, at);
        self.heads.insert(at, head);
        let length = self.heads.len();
        for track in self.tracks.values_mut() {
            track.medians.insert(at, f32::NAN);
            track.tolls.insert(at, f32::NAN);
        }
        let mut known: BTreeMap<(&str, &str, &str, &EnvironmentName), &Series> = BTreeMap::new();
        for s in &sweep.series {
            known.insert((&s.workload, &s.case, &s.metric, &s.environment), s);
        }
        // What was tried and failed is no series; what other sweeps know of it stays.
        for cell in cells(sweep).into_iter().filter(|c| c.median.is_some()) {
            let name = (cell.workload.as_str(), cell.case.as_str(), cell.metric.as_str(), &cell.environment);
            let Some(series) = known.get(&name) else { continue };
            let key = SeriesKey { metric: series.key(), environment: cell.environment.clone() };
            let track = self.tracks.entry(key).or_insert_with(|| Track::empty(series, length));
            track.info = info(series);
            track.medians[at] = narrow(cell.median);
            track.tolls[at] = narrow(cell.toll_pct);
        }
    }

    /// Forgets a sweep, and the series that only it had; false where it is not here.
    pub fn remove(&mut self, sweep: &SweepId) -> bool {
        let Some(at) = self.position(sweep) else { return false };
        self.heads.remove(at);
        for track in self.tracks.values_mut() {
            track.medians.remove(at);
            track.tolls.remove(at);
        }
        self.tracks.retain(|_, t| t.medians.iter().any(|m| m.is_finite()));
        true
    }

    /// Takes a sweep's acceptance away, where it is here.
    pub fn reject(&mut self, sweep: &SweepId) {
        if let Some(at) = self.position(sweep) {
            self.heads[at].accepted = None;
            self.heads[at].regimes.clear();
        }
    }

    fn head_of(&self, sweep: &Sweep, at: usize) -> Head {
        let neighbour = at.checked_sub(1).and_then(|b| self.heads.get(b)).or_else(|| self.heads.get(at));
        let components = neighbour
            .filter(|h| *h.components == sweep.fingerprint.components)
            .map_or_else(|| Arc::new(sweep.fingerprint.components.clone()), |h| Arc::clone(&h.components));
        let own = Comparability::from(sweep);
        let comparability = neighbour
            .filter(|h| *h.comparability == own)
            .map_or_else(|| Arc::new(own.clone()), |h| Arc::clone(&h.comparability));
        let count = |state| sweep.cells.iter().filter(|c| c.state == state).count();
        Head {
            sweep: sweep.sweep.clone(),
            started_at: sweep.started_at,
            finished_at: sweep.finished_at,
            rounds: sweep.rounds,
            partial: sweep.partial,
            accelerator: sweep.accelerator.clone(),
            wall_s: sweep.timing.wall_s,
            harness_share: sweep.timing.harness_share(),
            cells_ok: count(CellState::Ok),
            cells_failed: count(CellState::MeasurementFailed),
            accepted: sweep.accepted.as_ref().map(Acceptance::from),
            components,
            comparability,
            regimes: sweep.accepted.iter().flat_map(|a| a.regimes.iter().cloned()).collect(),
        }
    }
}

impl Track {
    fn empty(series: &Series, length: usize) -> Self {
        Self { info: info(series), medians: vec![f32::NAN; length], tolls: vec![f32::NAN; length] }
    }
}

fn info(series: &Series) -> MetricInfo {
    MetricInfo {
        unit: series.unit.clone(),
        better: series.better,
        family: series.family,
        tail: series.tail,
        resolution: series.resolution,
        scale: series.scale,
    }
}

/// Seven digits are more than a page shows.
#[expect(
    clippy::cast_possible_truncation,
    reason = "what is beyond a float's range is infinite, and shown as unknown"
)]
fn narrow(value: Option<f64>) -> f32 {
    value.map_or(f32::NAN, |v| v as f32)
}

/// The word for a direction in a sentence.
pub fn better_is(better: Better) -> &'static str {
    match better {
        Better::Higher => "higher is better",
        Better::Lower => "lower is better",
    }
}
