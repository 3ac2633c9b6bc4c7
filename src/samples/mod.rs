//! Floor 2: the samples CSV, the interchange format of `judge`, `import` and `export`. Pure text to samples and back;
//! `docs/formats.md` documents the format.

mod error;
mod guess;
#[cfg(feature = "parquet")]
mod parquet;
mod parse;
mod table;
mod write;

pub use error::SamplesError;
pub use guess::{family_of, info_of, is_tail};
#[cfg(feature = "parquet")]
pub use parquet::{ParquetSamplesError, from_parquet, to_parquet};
pub use parse::{parse, parse_until};
pub use write::write;

/// The columns, in the order in which [`write`] writes them; [`parse`] takes them in any order.
pub const COLUMNS: [&str; 11] = [
    "host_class",
    "sweep",
    "started_at",
    "round",
    "workload",
    "case",
    "metric",
    "unit",
    "better",
    "environment",
    "value",
];
