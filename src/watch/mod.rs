//! Floor 2: what the service knows of itself, and how it is woken. Data only.

pub mod job;
pub mod status;
pub mod wake;

pub use job::{Priority, Reason};
pub use status::{Candidate, Finished, FinishedAs, Job, Mode, Outbox, Pending, Running, Status};
pub use wake::{Debounce, Source, WakeUp};
