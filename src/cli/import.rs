//! `import` and `export`: what tools printed, and measured sweeps, as files of samples.

use super::args::{ExportArgs, ExportFormat, ImportArgs, ImportFormat};
use super::{Failure, compare, output, parquet};
use crate::config::Config;
use crate::exit::Outcome;
use crate::import::{Import, Map, Origin, Tool};
use crate::model::SweepSamples;
use crate::{samples, wiring};
use chrono::Utc;
use std::path::Path;

/// Reads every file before it writes anything: nothing is half imported.
pub fn import(args: &ImportArgs) -> Result<Outcome, Failure> {
    let sweeps = match args.format {
        ImportFormat::Tool(tool) => vec![of_tool(tool, args)?],
        ImportFormat::Samples => of_samples(args, compare::read_samples)?,
        ImportFormat::Parquet => of_samples(args, parquet::read)?,
    };
    let made = samples::write(&sweeps);
    // What `judge` would refuse tomorrow is refused today.
    samples::parse(&made, "what import made")
        .map_err(|e| Failure::usage(format!("{e}; nothing was written")))?;
    output::deliver(args.output.as_deref(), &made)?;
    Ok(Outcome::Done)
}

fn of_samples(
    args: &ImportArgs,
    read: fn(&Path) -> Result<Vec<SweepSamples>, Failure>,
) -> Result<Vec<SweepSamples>, Failure> {
    for (option, given) in [
        ("--environment", args.environment.is_some()),
        ("--host-class", args.host_class.is_some()),
        ("--started-at", args.started_at.is_some()),
        ("--map", args.map.is_some()),
    ] {
        if given {
            let why = "samples say where, on which host class and when they were measured";
            return Err(Failure::usage(format!("{option}: {why}; leave it out")));
        }
    }
    let mut sweeps: Vec<SweepSamples> = Vec::new();
    for path in &args.files {
        for sweep in read(path)? {
            if sweeps.iter().any(|known| known.sweep == sweep.sweep) {
                let why = format!("sweep {} is in two of the files; leave one out", sweep.sweep);
                return Err(Failure::usage(format!("{}: {why}", path.display())));
            }
            sweeps.push(sweep);
        }
    }
    sweeps.sort_by(|a, b| (a.started_at, &a.sweep).cmp(&(b.started_at, &b.sweep)));
    Ok(sweeps)
}

fn of_tool(tool: Tool, args: &ImportArgs) -> Result<SweepSamples, Failure> {
    let map = match &args.map {
        Some(path) => {
            let name = path.display().to_string();
            let text =
                std::fs::read_to_string(path).map_err(|e| Failure::usage(format!("--map {name}: {e}")))?;
            Map::read(&name, &text).map_err(Failure::usage)?
        }
        None => Map::default(),
    };
    let origin = Origin {
        host_class: args.host_class.clone(),
        environment: args.environment.clone(),
        started_at: args.started_at,
        map,
    };
    let mut import = Import::new(origin);
    for path in &args.files {
        let name = path.display().to_string();
        let bytes = std::fs::read(path).map_err(|e| Failure::usage(format!("{name}: {e}")))?;
        // Tools write what they were given, in any encoding; the numbers are ASCII.
        import.add(tool, &name, &String::from_utf8_lossy(&bytes)).map_err(Failure::usage)?;
    }
    import.finish(Utc::now()).map_err(Failure::usage)
}

/// Measured sweeps as one file of samples.
pub fn export(config: &Config, args: &ExportArgs) -> Result<Outcome, Failure> {
    if args.format == ExportFormat::Parquet {
        // Fails before it reads.
        parquet::check(args.output.as_deref())?;
    }
    let store = wiring::store(config);
    let ids = if args.sweeps.is_empty() { vec![compare::newest(config)?] } else { args.sweeps.clone() };
    let mut sweeps = Vec::new();
    for id in &ids {
        sweeps.push(SweepSamples::from(&store.load(id)?));
    }
    match args.format {
        ExportFormat::Csv => output::deliver(args.output.as_deref(), &samples::write(&sweeps))?,
        ExportFormat::Parquet => parquet::write(&sweeps, args.output.as_deref())?,
    }
    Ok(Outcome::Done)
}
