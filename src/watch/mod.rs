//! Floor 2: what the service decides, purely: which jobs there are, which comes next, and what becomes of them.
//!
//! Time, randomness and what the host is made of are arguments. The service (floor 5) does what is decided here.

pub mod job;
pub mod pending;
pub mod queue;
pub mod schedule;
pub mod status;
pub mod upstream;
pub mod wake;

pub use job::{Priority, Reason};
pub use queue::{Next, Queue, Retry};
pub use status::{Candidate, Finished, FinishedAs, Job, Mode, Outbox, Pending, Running, Status};
pub use wake::{Debounce, Source, WakeUp};
