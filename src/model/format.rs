//! Versions of the files and JSON documents that tollgate writes. A change of meaning is a new version;
//! `docs/formats.md` tells their history.

/// Of `baselines/**/<sweep>.json` and `sweeps/<sweep>.json`.
pub const SWEEP_FORMAT: u32 = 1;
/// Of a sweep's journal.
pub const JOURNAL_FORMAT: u32 = 2;
/// Of `judge --format json`.
pub const JUDGEMENT_FORMAT: u32 = 1;
/// Of `gate --format json`.
pub const GATE_FORMAT: u32 = 1;
/// Of `list --format json`.
pub const LIST_FORMAT: u32 = 1;
/// Of `fingerprint --format json`.
pub const FINGERPRINT_FORMAT: u32 = 1;
/// Of `judge --self-test --format json`.
pub const SELF_TEST_FORMAT: u32 = 1;
/// Of `power --format json`.
pub const POWER_FORMAT: u32 = 1;
