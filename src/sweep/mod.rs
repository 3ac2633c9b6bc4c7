//! Floor 4: R rounds of everything. A plan is made, run with a journal, and assembled into a record.

mod cells;
#[cfg(test)]
pub(crate) mod fixtures;
pub mod forecast;
pub mod journal;
mod perform;
pub mod plan;
mod prepare;
pub mod progress;
pub mod record;
pub mod run;
mod trial;

pub use forecast::Forecast;
pub use journal::{Header, Journal, JournalError, Recorded};
pub use perform::SECOND;
pub use plan::{CellSet, Plan, Rounds};
pub use progress::{PlannedCell, Progress, Silent, Step};
pub use run::{Crew, Limits, SweepError};
