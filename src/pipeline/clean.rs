//! Removes what crashed sweeps left, on the host and in the engine. Touches only what carries our label, and
//! nothing of a sweep that is alive.

use super::{PipelineError, tuning};
use crate::config::Config;
use crate::environment::EnvironmentError;
use crate::environment::docker::{clean as containers, engine};
use crate::host::{HostLock, leftovers};
use bollard::Docker;
use std::path::Path;

/// What was removed and what could not be.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Cleaned {
    /// Removed, one line each.
    pub removed: Vec<String>,
    /// Not removed, with the reason.
    pub failed: Vec<String>,
    /// Left as it is for a reason, told once.
    pub told: Vec<String>,
}

/// Cleans up. With `dry_run` nothing is removed; `removed` then says what would be.
pub async fn clean(config: &Config, dry_run: bool) -> Result<Cleaned, PipelineError> {
    let root = Path::new("/");
    let mut cleaned = Cleaned::default();
    // Containers first: their processes and mounts go with them.
    match engine::connect(&config.docker_socket).await {
        Ok(docker) => {
            if let Err(error) = clean_engine(&docker, dry_run, &mut cleaned).await {
                cleaned.failed.push(format!("the Docker engine's part: {error}"));
            }
        }
        // Without an engine nothing of ours can be in it; one that does not answer may hold something.
        Err(why) if config.docker_socket.exists() => {
            cleaned.failed.push(format!("the Docker engine's part: {why}"));
        }
        Err(_) => {}
    }
    let found = leftovers::find(&config.state, root)?;
    let failed = if dry_run { Vec::new() } else { leftovers::remove_all(&found).await };
    for leftover in &found {
        let failure = failed.iter().find(|(l, _)| l == leftover);
        cleaned.note(leftover, failure.map_or(Ok(()), |(_, e)| Err(e.to_string())));
    }
    tuning::clean(config, dry_run, &mut cleaned);
    Ok(cleaned)
}

async fn clean_engine(docker: &Docker, dry_run: bool, cleaned: &mut Cleaned) -> Result<(), EnvironmentError> {
    let living = HostLock::living(Path::new("/"));
    let dead = |sweep: &str| living.iter().all(|l| l.is_ours() || l.sweep.as_str() != sweep);
    for leftover in containers::find(docker, dead).await? {
        let outcome = if dry_run { Ok(()) } else { containers::remove(docker, &leftover).await };
        cleaned.note(&leftover, outcome.map_err(|e| e.to_string()));
    }
    Ok(())
}

impl Cleaned {
    fn note(&mut self, what: &impl std::fmt::Display, outcome: Result<(), String>) {
        match outcome {
            Ok(()) => self.removed.push(what.to_string()),
            Err(why) => self.failed.push(format!("{what}: {why}")),
        }
    }
}
