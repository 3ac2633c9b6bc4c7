//! Parquet of `import` and `export`, where this build has it (cargo feature `parquet`).

#[cfg(not(feature = "parquet"))]
pub use absent::{check, read, write};
#[cfg(feature = "parquet")]
pub use present::{check, read, write};

#[cfg(feature = "parquet")]
mod present {
    use crate::cli::{Failure, compare, output};
    use crate::model::SweepSamples;
    use crate::samples;
    use std::io::IsTerminal as _;
    use std::path::Path;

    /// Whether it can be written to `path`, or without one to standard output.
    pub fn check(path: Option<&Path>) -> Result<(), Failure> {
        if path.is_none() && std::io::stdout().is_terminal() {
            return Err(Failure::usage("Parquet is nothing for a terminal: name a file with --output"));
        }
        Ok(())
    }

    /// The sweeps of a file.
    pub fn read(path: &Path) -> Result<Vec<SweepSamples>, Failure> {
        let name = path.display().to_string();
        let bytes = std::fs::read(path).map_err(|e| Failure::usage(format!("{name}: {e}")))?;
        samples::from_parquet(bytes, &name, compare::latest()).map_err(Failure::usage)
    }

    /// Writes sweeps into a file, or to standard output where no file is named.
    pub fn write(sweeps: &[SweepSamples], path: Option<&Path>) -> Result<(), Failure> {
        let bytes = samples::to_parquet(sweeps).map_err(Failure::usage)?;
        output::deliver_bytes(path, &bytes)
    }
}

#[cfg(not(feature = "parquet"))]
mod absent {
    use crate::cli::Failure;
    use crate::model::SweepSamples;
    use std::path::Path;

    fn absent() -> Failure {
        Failure::usage(
            "this tollgate was built without Parquet: build it with `cargo build --release --features parquet`, \
             or use the samples CSV, which pandas and DuckDB read, too",
        )
    }

    /// Always that it cannot.
    pub fn check(_: Option<&Path>) -> Result<(), Failure> {
        Err(absent())
    }

    /// Always that it cannot.
    pub fn read(_: &Path) -> Result<Vec<SweepSamples>, Failure> {
        Err(absent())
    }

    /// Always that it cannot.
    pub fn write(_: &[SweepSamples], _: Option<&Path>) -> Result<(), Failure> {
        Err(absent())
    }
}
