//! Tollgate: the continuous regression monitor for the overhead of Docker and KVM.
//!
//! The floors of this crate, lowest first, and the rule that a module imports only lower floors or its own
//! subtree, are told in `docs/architecture.md` and held by `tests/architecture.rs`.
#![forbid(unsafe_code)]

mod actions;
pub mod alert;
pub mod cgroup;
pub mod cli;
pub mod command;
pub mod config;
pub mod durable;
pub mod environment;
pub mod exit;
mod files;
pub mod history;
pub mod host;
pub mod import;
pub mod judge;
pub mod model;
pub mod notify;
pub mod pipeline;
pub mod report;
pub mod samples;
pub mod service;
pub mod stats;
pub mod store;
pub mod sweep;
pub mod watch;
pub mod wiring;
pub mod workload;
