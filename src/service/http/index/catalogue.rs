//! What is known of the store: the history of each host class and profile, and the verdicts on its newest sweep.

use super::Judged;
use crate::history::{self, GroupKey, Head};
use crate::model::{EnvironmentName, MetricKey, SeriesKey, Sweep, SweepId};
use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::Arc;

/// The sweeps of one host class and profile, and what the newest one says.
#[derive(Debug, Clone, Default)]
pub struct Group {
    history: history::Group,
    /// The verdicts on the newest whole sweep; none until it was judged.
    pub judged: Option<Arc<Judged>>,
}

impl Group {
    /// See [`history::Group::reject`].
    pub fn reject(&mut self, sweep: &SweepId) {
        self.history.reject(sweep);
    }
}

/// Judged or not, it is a history.
impl Deref for Group {
    type Target = history::Group;

    fn deref(&self) -> &history::Group {
        &self.history
    }
}

/// Everything that is known.
#[derive(Debug, Clone, Default)]
pub struct Catalogue {
    /// By host class and profile.
    pub groups: BTreeMap<GroupKey, Group>,
    /// Files that cannot be read, and why.
    pub damaged: BTreeMap<String, String>,
    /// Sweeps that are not read yet.
    pub unread: usize,
}

impl Catalogue {
    /// Adds a sweep, or replaces it.
    pub fn insert(&mut self, sweep: &Sweep) -> GroupKey {
        let key = GroupKey::of(sweep);
        self.groups.entry(key.clone()).or_default().history.insert(sweep);
        key
    }

    /// Forgets a sweep.
    pub fn remove(&mut self, sweep: &SweepId) {
        for group in self.groups.values_mut() {
            group.history.remove(sweep);
        }
        self.groups.retain(|_, group| !group.heads.is_empty());
    }

    /// A group by the names that a request gives.
    pub fn group(&self, class: &str, profile: &str) -> Option<(&GroupKey, &Group)> {
        self.groups.iter().find(|(k, _)| k.host_class.as_str() == class && k.profile == profile)
    }

    /// The group and the head of a sweep.
    pub fn head(&self, sweep: &SweepId) -> Option<(&GroupKey, &Head)> {
        self.groups.iter().find_map(|(key, group)| {
            let at = group.position(sweep)?;
            Some((key, &group.heads[at]))
        })
    }
}

/// A series as a request names it.
pub fn series_key(workload: &str, case: &str, metric: &str, environment: EnvironmentName) -> SeriesKey {
    SeriesKey { metric: MetricKey::new(workload, case, metric), environment }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Component;
    use crate::store::read;
    use std::path::Path;

    fn example(name: &str) -> Sweep {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("baselines/amd-epyc-2c-24g/smoke");
        read(&dir.join(format!("{name}.json"))).expect("an example")
    }

    fn nat() -> SeriesKey {
        series_key("rr", "tcp", "p50", "docker+nat".parse().expect("a name"))
    }

    #[test]
    fn whatever_the_order_of_arrival_the_columns_are_in_order_of_time() {
        let names = ["20261123T145712Z-9821bf", "20261123T151304Z-cca071", "20261123T205047Z-dfb0c3"];
        let sweeps = names.map(example);
        let (mut straight, mut shuffled) = (Catalogue::default(), Catalogue::default());
        for i in [0, 1, 2] {
            straight.insert(&sweeps[i]);
        }
        // One of them twice: it is replaced.
        for i in [2, 0, 1, 0] {
            shuffled.insert(&sweeps[i]);
        }
        let (a, b) = (straight.groups.values().next(), shuffled.groups.values().next());
        let (a, b) = a.zip(b).expect("a group");
        assert_eq!(a.heads, b.heads);
        assert_eq!(a.heads.iter().map(|h| h.sweep.as_str()).collect::<Vec<_>>(), names);
        for (key, track) in &a.tracks {
            // NaN is not equal to itself.
            assert_eq!(format!("{track:?}"), format!("{:?}", b.tracks[key]));
            assert_eq!(track.medians.len(), 3);
        }
        assert!(a.tracks[&nat()].is_tolled() && a.tracks[&nat()].tolls[2] > 0.0);
    }

    #[test]
    fn a_sweep_that_goes_leaves_nothing() {
        let sweep = example("20261123T205047Z-dfb0c3");
        let mut catalogue = Catalogue::default();
        let key = catalogue.insert(&sweep);
        assert_eq!(catalogue.head(&sweep.sweep).map(|(k, _)| k.clone()), Some(key));
        catalogue.remove(&sweep.sweep);
        assert!(catalogue.groups.is_empty());
    }

    #[test]
    fn changes_are_those_of_neighbours() {
        let old = example("20261123T172454Z-9fad18");
        let mut new = example("20261123T205047Z-dfb0c3");
        new.parameters.clone_from(&old.parameters);
        new.bench_image.clone_from(&old.bench_image);
        new.accelerator.clone_from(&old.accelerator);
        new.fingerprint.components.clone_from(&old.fingerprint.components);
        new.fingerprint.components.insert(Component::Runc, "9.9".into());
        let mut catalogue = Catalogue::default();
        catalogue.insert(&old);
        catalogue.insert(&new);
        let group = catalogue.groups.values().next().expect("one");
        let (changed, parameters) = group.changes_at(1);
        assert_eq!(changed.len(), 1);
        assert_eq!((changed[0].component, changed[0].after.as_deref()), (Component::Runc, Some("9.9")));
        assert!(!parameters && group.changes_at(0).0.is_empty());
        assert!(Arc::ptr_eq(&group.heads[0].comparability, &group.heads[1].comparability));
    }
}
