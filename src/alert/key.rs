//! What makes two alerts the same one.

use super::Event;
use crate::model::{EnvironmentName, Family, HostClass};
use serde::{Deserialize, Serialize};
use std::fmt;

/// What an issue is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "about")]
pub enum Scope {
    /// The metrics of one family in one environment.
    Family {
        /// Where.
        environment: EnvironmentName,
        /// Which; none where a result of an older version does not say.
        family: Option<Family>,
    },
    /// One environment that moved as a whole.
    Whole {
        /// Which.
        environment: EnvironmentName,
    },
    /// Slow drifts of one family in one environment.
    Drift {
        /// Where.
        environment: EnvironmentName,
        /// Which.
        family: Option<Family>,
    },
    /// What one run found beyond the issues that it may open.
    Rest,
    /// The host: it could not measure, or its baselines cannot be trusted.
    Host,
}

impl Scope {
    /// The environment, where it is about one.
    pub fn environment(&self) -> Option<&EnvironmentName> {
        match self {
            Self::Family { environment, .. }
            | Self::Whole { environment }
            | Self::Drift { environment, .. } => Some(environment),
            Self::Rest | Self::Host => None,
        }
    }

    /// The family, where it is about one.
    pub fn family(&self) -> Option<Family> {
        match self {
            Self::Family { family, .. } | Self::Drift { family, .. } => *family,
            _ => None,
        }
    }

    /// Whether it is about slow drifts.
    pub fn is_drift(&self) -> bool {
        matches!(self, Self::Drift { .. })
    }

    /// Whether it closes by itself when its metrics are proven to be back. A drift or a host's trouble is over when it
    /// is not seen any more.
    pub fn is_of_verdicts(&self) -> bool {
        !matches!(self, Self::Host | Self::Drift { .. })
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let family = |family: &Option<Family>| family.map_or("other", Family::as_str);
        match self {
            Self::Family { environment, family: of } => write!(f, "{environment}/{}", family(of)),
            Self::Whole { environment } => write!(f, "{environment}/whole"),
            Self::Drift { environment, family: of } => write!(f, "{environment}/drift-{}", family(of)),
            Self::Rest => f.write_str("rest"),
            Self::Host => f.write_str("host"),
        }
    }
}

/// The key of an alert: host class, profile, scope and change event. At most one open issue has it.
///
/// The profile is part of it because the sweeps of each have baselines of their own: what *smoke* proves does not
/// close what *standard* found.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Key {
    /// Whose baselines.
    pub host_class: HostClass,
    /// Which profile's.
    pub profile: String,
    /// What it is about.
    pub scope: Scope,
    /// What changed.
    pub event: Event,
}

impl Key {
    /// What at most one open issue has: the key, but that a host's trouble is one, whatever profile met it.
    pub fn identity(&self) -> String {
        match self.scope {
            Scope::Host => format!("v1/{}/host", self.host_class),
            _ => self.to_string(),
        }
    }

    /// Whether `other` is about the same, whatever changed.
    pub fn same_place(&self, other: &Self) -> bool {
        (&self.host_class, &self.profile, &self.scope) == (&other.host_class, &other.profile, &other.scope)
    }
}

impl fmt::Display for Key {
    /// In characters that a marker may hold: `v1/farm-a/smoke/docker+nat/network/1a2b3c4d`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-') { c } else { '_' };
        let profile: String = self.profile.chars().take(40).map(plain).collect();
        write!(f, "v1/{}/{profile}/{}/{}", self.host_class, self.scope, self.event.digest())
    }
}
