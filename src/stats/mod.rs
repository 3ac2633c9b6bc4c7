//! Floor 1: the statistics of the judge, pure functions of numbers. They know nothing of metrics, sweeps or
//! policies; `docs/statistics.md` tells why these and not the usual ones.

pub mod changepoint;
pub mod fdr;
pub mod interval;
pub mod moderation;
pub mod power;
pub mod robust;
pub mod student;
pub mod trend;
pub mod ttest;

pub use changepoint::change_points;
pub use fdr::benjamini_hochberg;
pub use interval::clopper_pearson;
pub use moderation::{Prior, fit_prior};
pub use trend::Trend;
pub use ttest::{Comparison, Variance};
