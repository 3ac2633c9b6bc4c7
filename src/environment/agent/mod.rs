//! Talking to the agent inside an environment.

pub mod client;
pub mod embedded;
pub mod process;

pub use client::{AgentClient, AgentError};
