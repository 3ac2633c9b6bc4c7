//! Proofs: that an environment is what its label says.

use super::environment::EnvironmentName;
use serde::{Deserialize, Serialize};

/// One claim of an environment's label, checked against counters and state (never against what was asked for).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof {
    /// Whose label.
    pub environment: EnvironmentName,
    /// What the label claims: `the data directory is a volume, not the container's layer`.
    pub claim: String,
    /// What was seen.
    pub observed: String,
    /// Whether what was seen supports the claim.
    pub holds: bool,
}
