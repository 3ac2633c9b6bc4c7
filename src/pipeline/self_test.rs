//! What the judge says of the stored baselines themselves.

use crate::judge::{self, Policy};
use crate::model::{SelfTest, Sweep, SweepSamples};

/// The self-test of stored baselines; none without any, since then there is nothing to say of them.
pub fn of(baselines: &[Sweep], policy: &Policy) -> Option<SelfTest> {
    let samples: Vec<SweepSamples> = baselines.iter().map(SweepSamples::from).collect();
    (!samples.is_empty()).then(|| judge::self_test(&samples, policy))
}
