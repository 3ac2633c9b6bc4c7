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

/// The newest sweep of `profile` whose journal has no end.
pub fn unfinished(state: &Path, profile: Profile) -> Option<SweepId> {
    let mut ids: Vec<SweepId> = std::fs::read_dir(state.join("journals"))
        .ok()?
        .flatten()
        .filter_map(|e| e.file_name().to_string_lossy().strip_suffix(".jsonl")?.parse().ok())
        .collect();
    ids.sort();
    ids.into_iter().rev().find(|id| {
        Recorded::read(&journal_path(state, id))
            .is_ok_and(|r| r.header.profile == profile && r.finished_at().is_none())
    })
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
