//! Why a file is not imported: what, where, what to do.

/// A file that cannot be understood. Nothing of it is taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ImportError {
    /// A line that says something else than it should.
    #[error("{file}: line {line}: {why}")]
    Line {
        /// The file.
        file: String,
        /// From 1.
        line: usize,
        /// What is wrong with it, and what was expected.
        why: String,
    },
    /// Nothing in it that the format knows.
    #[error("{file}: no result of {tool} in it: {expected}; is --format right?")]
    Nothing {
        /// The file.
        file: String,
        /// The format's name.
        tool: &'static str,
        /// What was looked for.
        expected: &'static str,
    },
    /// What the file does not say and nobody else said.
    #[error("{file}: it does not say its {what}; give --{option} or a mapping file (--map)")]
    Unsaid {
        /// The file.
        file: String,
        /// Environment, host class, ...
        what: &'static str,
        /// The option that says it.
        option: &'static str,
    },
    /// Two values for one round.
    #[error(
        "{file}: line {line}: {sample} is there already; a file is a round, with one value of each series, unless it numbers \
         its trials (fio's jobs of one name: --group_reporting, or names of their own)"
    )]
    Twice {
        /// The file.
        file: String,
        /// From 1.
        line: usize,
        /// Which sample.
        sample: String,
    },
    /// A key of the mapping file that does nothing.
    #[error("--map: [{table}] {key:?} fits nothing that was imported; correct it or leave it out")]
    Unused {
        /// The table.
        table: &'static str,
        /// The key.
        key: String,
    },
}
