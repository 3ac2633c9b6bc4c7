//! What `tollgate` and `tollgate-agent` say to each other.
//!
//! The library half of this crate holds only the protocol, so that both sides compile the same types.
//! The program (`main.rs`, feature `agent`) is linked statically, embedded in `tollgate` and started
//! inside every environment.

pub mod protocol;
