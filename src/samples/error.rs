//! What can be wrong with a samples CSV. Every message names the file and says what to do.

use super::COLUMNS;

/// A samples CSV that cannot be used: always a mistake in the file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SamplesError {
    /// No header, or a header without rows.
    #[error("{file}: no samples in it; expected a header `{}` and one row a sample", COLUMNS.join(","))]
    Empty {
        /// The file.
        file: String,
    },
    /// A column that the format does not have.
    #[error("{file}: line 1: unknown column {column:?}{}; the columns are {}", hint(nearest.as_deref()), COLUMNS.join(","))]
    UnknownColumn {
        /// The file.
        file: String,
        /// The column as written.
        column: String,
        /// The column that may have been meant.
        nearest: Option<String>,
    },
    /// A column that the format needs.
    #[error("{file}: line 1: column `{column}` is missing; the columns are {}", COLUMNS.join(","))]
    MissingColumn {
        /// The file.
        file: String,
        /// The missing column.
        column: String,
    },
    /// A column named twice.
    #[error("{file}: line 1: column `{column}` is there twice; remove one")]
    DuplicateColumn {
        /// The file.
        file: String,
        /// The column.
        column: String,
    },
    /// A row that is longer or shorter than the header.
    #[error("{file}: line {line}: {found} fields, expected {expected} as in the header")]
    FieldCount {
        /// The file.
        file: String,
        /// The row's line.
        line: u64,
        /// Fields of the row.
        found: usize,
        /// Columns of the header.
        expected: usize,
    },
    /// A field that does not say what its column means.
    #[error("{file}: line {line}: column `{column}`: found {found:?}, expected {expected}")]
    BadField {
        /// The file.
        file: String,
        /// The row's line.
        line: u64,
        /// The column.
        column: &'static str,
        /// The text found, shortened when long.
        found: String,
        /// What the column takes.
        expected: String,
    },
    /// The same sample twice.
    #[error("{file}: line {line}: {sample} is already on line {first}; keep one of them")]
    DuplicateRow {
        /// The file.
        file: String,
        /// The second row's line.
        line: u64,
        /// The first row's line.
        first: u64,
        /// Which sample.
        sample: String,
    },
    /// Two rows that cannot both be true: a metric in two units, a sweep on two host classes.
    #[error("{file}: line {line}: the {subject} is {found:?}, but {before:?} on line {first}")]
    Contradiction {
        /// The file.
        file: String,
        /// The second row's line.
        line: u64,
        /// The first row's line.
        first: u64,
        /// The column that differs, and of which sweep or metric: `unit of metric redis/get/ops`.
        subject: String,
        /// Its text on this line.
        found: String,
        /// Its text on the first line.
        before: String,
    },
    /// Not CSV.
    #[error("{file}: line {line}: not CSV: {why}")]
    Syntax {
        /// The file.
        file: String,
        /// Where.
        line: u64,
        /// What the reader of CSV says.
        why: String,
    },
}

/// The question that follows a name that may be misspelt.
fn hint(nearest: Option<&str>) -> String {
    nearest.map_or_else(String::new, |n| format!(" (did you mean `{n}`?)"))
}

/// At most 60 characters of what was found, so that a message stays one.
pub(super) fn shorten(text: &str) -> String {
    const LONGEST: usize = 60;
    if text.chars().count() <= LONGEST {
        return text.to_owned();
    }
    text.chars().take(LONGEST).chain("...".chars()).collect()
}
