//! Finds the journal of an interrupted sweep and checks that going on with it makes sense.

use super::PipelineError;
use crate::model::{Component, Fingerprint, HostClass, SweepId};
use crate::sweep::{Header, Recorded};
use crate::workload::Profile;
use std::path::{Path, PathBuf};

/// Where a sweep's journal is.
pub fn journal_path(state: &Path, sweep: &SweepId) -> PathBuf {
    state.join("journals").join(format!("{sweep}.jsonl"))
}

/// The newest sweep of `profile` that was not recorded: its journal has no end, or its record is missing. A
/// damaged journal on the way is an error rather than passed over.
pub fn unfinished(state: &Path, profile: Profile) -> Result<Option<SweepId>, PipelineError> {
    let entries = std::fs::read_dir(state.join("journals")).into_iter().flatten().flatten();
    let mut ids: Vec<SweepId> = entries
        .filter_map(|e| e.file_name().to_string_lossy().strip_suffix(".jsonl")?.parse().ok())
        .filter(|id: &SweepId| !state.join("sweeps").join(format!("{id}.json")).exists())
        .collect();
    ids.sort();
    for id in ids.into_iter().rev() {
        if Recorded::read(&journal_path(state, &id))?.header.profile == profile {
            return Ok(Some(id));
        }
    }
    Ok(None)
}

/// An error when the host is not what it was when the sweep began.
pub fn check(
    header: &Header,
    host_class: &HostClass,
    now: &Fingerprint,
    bench_image: &str,
    plan: &str,
) -> Result<(), PipelineError> {
    let stale = |why: String| Err(PipelineError::Stale { sweep: header.sweep.clone(), why });
    if header.host_class != *host_class {
        return stale(format!("it began on host class {}, this is {host_class}", header.host_class));
    }
    if header.bench_image != bench_image {
        return stale("the bench image is another one".to_owned());
    }
    let changes = now.changes_since(&header.fingerprint);
    if let Some(change) = changes.iter().find(|c| c.component != Component::BenchImage) {
        let shown = |v: &Option<String>| v.clone().unwrap_or_else(|| "absent".to_owned());
        return stale(format!(
            "{} changed from {} to {}",
            change.component,
            shown(&change.before),
            shown(&change.after)
        ));
    }
    if header.plan != plan {
        return stale("this version of tollgate plans it differently".to_owned());
    }
    Ok(())
}
