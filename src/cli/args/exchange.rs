//! What `import` and `export` take.

use crate::import::Tool;
use crate::model::{EnvironmentName, HostClass, SweepId};
use chrono::{DateTime, Utc};
use clap::builder::PossibleValue;
use clap::{Args, ValueEnum};
use std::path::PathBuf;
use std::sync::LazyLock;

/// What `import` reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImportFormat {
    /// What is a samples CSV already.
    Samples,
    /// The same as Parquet.
    Parquet,
    /// What a tool printed.
    Tool(Tool),
}

impl ValueEnum for ImportFormat {
    fn value_variants<'a>() -> &'a [Self] {
        static ALL: LazyLock<Vec<ImportFormat>> = LazyLock::new(|| {
            let tools = Tool::value_variants().iter().copied().map(ImportFormat::Tool);
            [ImportFormat::Samples, ImportFormat::Parquet].into_iter().chain(tools).collect()
        });
        &ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        match self {
            Self::Samples => Some(PossibleValue::new("samples").help("Samples CSV, several files into one")),
            Self::Parquet => Some(PossibleValue::new("parquet").help(PARQUET_HELP)),
            Self::Tool(tool) => tool.to_possible_value(),
        }
    }
}

/// How `export` writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ExportFormat {
    /// Samples CSV.
    Csv,
    #[value(help = PARQUET_HELP)]
    /// Parquet, for pandas and `DuckDB`.
    Parquet,
}

const PARQUET_HELP: &str = if cfg!(feature = "parquet") {
    "Samples as Parquet, for pandas and DuckDB"
} else {
    "Samples as Parquet; not in this build (cargo feature parquet)"
};

/// Of `import`.
#[derive(Debug, Args)]
pub struct ImportArgs {
    /// What to read; each file is a round, unless it numbers its trials
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
    /// What the files are
    #[arg(long, value_enum)]
    pub format: ImportFormat,
    /// Where it was measured: docker+nat
    #[arg(long, value_name = "NAME")]
    pub environment: Option<EnvironmentName>,
    /// Host class that it is of
    #[arg(long, value_name = "NAME")]
    pub host_class: Option<HostClass>,
    /// When it was measured: 2014-07-21T12:00:00Z [default: now]
    #[arg(long, value_name = "TIME")]
    pub started_at: Option<DateTime<Utc>>,
    /// Mapping file: host class, time, environments by file name, directions of metrics (docs/formats.md)
    #[arg(long, value_name = "FILE")]
    pub map: Option<PathBuf>,
    /// Where to [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// Of `export`.
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// The sweeps [default: the newest measured one]
    #[arg(value_name = "SWEEP")]
    pub sweeps: Vec<SweepId>,
    /// How they are written
    #[arg(long, value_enum, default_value_t = ExportFormat::Csv)]
    pub format: ExportFormat,
    /// Where to [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}
