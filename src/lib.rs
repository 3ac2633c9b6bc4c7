//! Tollgate
