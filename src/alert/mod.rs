//! Floor 2: what is said to people because of verdicts. Pure: verdicts, what a tracker shows, and a policy go in; actions
//! and texts come out.
//!
//! [`findings`] groups what a gate found by cause, [`decide`] compares the groups with the issues that are there, and
//! [`render`] makes texts from the templates in `alerts/templates/`. Nothing is remembered anywhere else: an issue
//! carries its own [`Record`] in a hidden first line ([`Marker`]), so that any runner can go on where another stopped.

pub mod candidates;
pub mod check;
mod decide;
mod digest;
mod event;
mod finding;
pub mod intake;
mod key;
mod marker;
pub mod payload;
mod policy;
mod record;
pub mod render;
mod version;
mod view;

#[cfg(test)]
mod decide_tests;
#[cfg(test)]
pub(crate) mod fixtures;
#[cfg(test)]
mod render_tests;
#[cfg(test)]
mod world_tests;

pub use decide::{Action, Decided, Situation, Transition, decide};
pub use digest::digest;
pub use event::Event;
pub use finding::{Finding, Group, Subject, findings, magnitude_of, mistrust, name_of};
pub use key::{Key, Scope};
pub use marker::{Kind, Marker};
pub use policy::{AlertError, AlertPolicy, Format as WebhookFormat, Route, Silence, Webhook};
pub use record::{Closing, Phase, Record, ShownIssue, StateReason};
