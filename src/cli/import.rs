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
    samples::parse_until(&made, "what import made", compare::latest())
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
            match sweeps.iter_mut().find(|known| known.sweep == sweep.sweep) {
                Some(known) => {
                    join(known, sweep).map_err(|why| Failure::usage(format!("{}: {why}", path.display())))?;
                }
                None => sweeps.push(sweep),
            }
        }
    }
    sweeps.sort_by(|a, b| (a.started_at, &a.sweep).cmp(&(b.started_at, &b.sweep)));
    Ok(sweeps)
}

/// A sweep that was imported environment by environment becomes one: native in one file, docker in another.
fn join(known: &mut SweepSamples, other: SweepSamples) -> Result<(), String> {
    let id = other.sweep.clone();
    let differs =
        |what: &str| format!("sweep {id} is in two of the files, with another {what}; they are two sweeps");
    if known.host_class != other.host_class {
        return Err(differs("host class"));
    }
    if known.started_at != other.started_at {
        return Err(differs("start"));
    }
    if let Some(key) = other.series.keys().find(|key| known.series.contains_key(*key)) {
        return Err(format!(
            "sweep {id} is in two of the files, both with {} in {}; leave one out",
            key.metric, key.environment
        ));
    }
    compare::alike(|key| known.metrics.get(key), &other.metrics)?;
    known.metrics.extend(other.metrics);
    known.series.extend(other.series);
    known.failed.extend(other.failed);
    Ok(())
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
    for (i, id) in ids.iter().enumerate() {
        if ids[..i].contains(id) {
            return Err(Failure::usage(format!("sweep {id} is named twice; leave one out")));
        }
        sweeps.push(SweepSamples::from(&store.load(id)?));
    }
    match args.format {
        ExportFormat::Csv => output::deliver(args.output.as_deref(), &samples::write(&sweeps))?,
        ExportFormat::Parquet => parquet::write(&sweeps, args.output.as_deref())?,
    }
    Ok(Outcome::Done)
}
