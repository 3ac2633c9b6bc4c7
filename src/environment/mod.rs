//! Floor 3: where trials run.

pub mod agent;
