//! What is to be measured, and why.

use crate::model::Change;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// Which of two jobs comes first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Priority {
    /// Nobody waits for it.
    Low,
    /// Something changed.
    #[default]
    Normal,
    /// A person asked: it does not wait for the end of quiet hours.
    High,
}

/// Why something is to be measured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "why")]
pub enum Reason {
    /// Components are others than those that were last dealt with.
    Change {
        /// Which.
        changed: Vec<Change>,
    },
    /// It was time.
    Schedule {
        /// Name of the schedule.
        name: String,
    },
    /// A person asked on this host.
    Trigger {
        /// How.
        by: String,
    },
    /// The baseline has too few sweeps to judge by.
    NoBaseline,
}

impl Reason {
    /// How urgent it is.
    pub fn priority(&self) -> Priority {
        match self {
            Self::Trigger { .. } => Priority::High,
            Self::Change { .. } => Priority::Normal,
            Self::Schedule { .. } | Self::NoBaseline => Priority::Low,
        }
    }

    /// Whether it stands whatever the host turns out to be made of: somebody asked, or it was time.
    pub fn is_unconditional(&self) -> bool {
        !matches!(self, Self::Change { .. } | Self::NoBaseline)
    }

    /// It in words.
    pub fn sentence(&self) -> String {
        let version = |v: &Option<String>| v.clone().unwrap_or_else(|| "absent".to_owned());
        match self {
            Self::Change { changed } => {
                let each: Vec<String> = changed
                    .iter()
                    .map(|c| format!("{} from {} to {}", c.component, version(&c.before), version(&c.after)))
                    .collect();
                format!("changed: {}", each.join(", "))
            }
            Self::Schedule { name } => format!("schedule {name}"),
            Self::Trigger { by } => format!("asked for: {by}"),
            Self::NoBaseline => "the baseline has too few sweeps".to_owned(),
        }
    }
}

/// Something that is to be measured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// Its number: higher than that of every job before it.
    pub id: u64,
    /// Which profile.
    pub profile: String,
    /// Why.
    pub reason: Reason,
    /// How urgent.
    pub priority: Priority,
    /// Since when it waits.
    pub queued_at: DateTime<Utc>,
    /// Not to be started earlier.
    pub not_before: Option<DateTime<Utc>>,
    /// How often it failed.
    pub attempts: u32,
    /// Why it failed last, or what it waits for.
    pub last_error: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Component;

    #[test]
    fn a_reason_is_told_in_words_and_kept_as_it_was() {
        let changed = vec![
            Change {
                component: Component::DockerEngine,
                before: Some("26.1.5".into()),
                after: Some("28.0.1".into()),
            },
            Change { component: Component::Qemu, before: None, after: Some("7.2".into()) },
        ];
        let reasons = [
            Reason::Change { changed },
            Reason::Schedule { name: "nightly".into() },
            Reason::Trigger { by: "tollgate trigger".into() },
            Reason::NoBaseline,
        ];
        assert_eq!(
            reasons[0].sentence(),
            "changed: docker-engine from 26.1.5 to 28.0.1, qemu from absent to 7.2"
        );
        for reason in reasons {
            let text = serde_json::to_string(&reason).expect("JSON");
            assert_eq!(serde_json::from_str::<Reason>(&text).expect("the same"), reason, "{text}");
        }
    }
}
