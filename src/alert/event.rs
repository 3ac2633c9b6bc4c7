//! The change event: which components left the accepted regime.

use super::digest;
use crate::model::{Change, Component};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// The components that differ from the newest accepted baseline, each with the version that it left.
///
/// The version that it came to is not part of it: while a regression stands, its sweeps join no baseline, and one
/// upgrade more is the same departure from the same regime, not another cause.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Event(BTreeSet<(Component, Option<String>)>);

impl Event {
    /// Of what changed.
    pub fn of(changed: &[Change]) -> Self {
        Self(changed.iter().map(|c| (c.component, c.before.clone())).collect())
    }

    /// Whether no component changed.
    pub fn is_none(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether everything that changed in `other` changed here, too.
    pub fn includes(&self, other: &Self) -> bool {
        self.0.is_superset(&other.0)
    }

    /// A short name: `none`, or eight hexadecimal digits.
    pub fn digest(&self) -> String {
        if self.is_none() {
            return "none".to_owned();
        }
        let mut text = String::new();
        for (component, before) in &self.0 {
            text.push_str(component.as_str());
            text.push(if before.is_some() { '\u{1}' } else { '\u{2}' });
            text.push_str(before.as_deref().unwrap_or_default());
            text.push('\0');
        }
        digest(text, 4)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(changes: &[(Component, Option<&str>, &str)]) -> Event {
        let changes: Vec<Change> = changes
            .iter()
            .map(|(component, before, after)| Change {
                component: *component,
                before: before.map(str::to_owned),
                after: Some((*after).to_owned()),
            })
            .collect();
        Event::of(&changes)
    }

    #[test]
    fn one_upgrade_more_is_the_same_event_and_another_component_another_one() {
        let first = event(&[(Component::DockerEngine, Some("20.10.24"), "26.1.5")]);
        let next = event(&[(Component::DockerEngine, Some("20.10.24"), "28.5.2")]);
        assert_eq!((&first, first.digest()), (&next, next.digest()));
        let both = event(&[
            (Component::Kernel, Some("6.1"), "6.12"),
            (Component::DockerEngine, Some("20.10.24"), "26.1.5"),
        ]);
        assert!(both.includes(&first) && !first.includes(&both));
        assert_ne!(both.digest(), first.digest());
    }

    #[test]
    fn a_component_that_was_absent_is_not_one_with_an_empty_version() {
        let absent = event(&[(Component::Runc, None, "1.3")]);
        let empty = event(&[(Component::Runc, Some(""), "1.3")]);
        assert_ne!(absent.digest(), empty.digest());
        assert_eq!(Event::default().digest(), "none");
    }
}
