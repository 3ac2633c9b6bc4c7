//! Finds the journal of an interrupted sweep and checks that going on with it makes sense.

use super::PipelineError;
use crate::model::{Change, Component, Fingerprint, HostClass, SweepId};
use crate::sweep::journal::Line;
use crate::sweep::{Header, Journal, Recorded};
use crate::watch::queue::differences;
use crate::workload::Profile;
use chrono::Utc;
use std::path::{Path, PathBuf};

/// Where a sweep's journal is.
pub fn journal_path(state: &Path, sweep: &SweepId) -> PathBuf {
    state.join("journals").join(format!("{sweep}.jsonl"))
}

/// The newest sweep of `profile` that was not recorded: its journal has no end, or its record is missing. One that never will
/// be, since the host changed meanwhile, is passed over; a damaged journal on the way is an error.
pub fn unfinished(state: &Path, profile: Profile) -> Result<Option<SweepId>, PipelineError> {
    let entries = std::fs::read_dir(state.join("journals")).into_iter().flatten().flatten();
    let mut ids: Vec<SweepId> = entries
        .filter_map(|e| e.file_name().to_string_lossy().strip_suffix(".jsonl")?.parse().ok())
        .filter(|id: &SweepId| !state.join("sweeps").join(format!("{id}.json")).exists())
        .collect();
    ids.sort();
    for id in ids.into_iter().rev() {
        let recorded = Recorded::read(&journal_path(state, &id))?;
        if recorded.header.profile == profile && recorded.changed().is_none() {
            return Ok(Some(id));
        }
    }
    Ok(None)
}

fn sentence(change: &Change) -> String {
    let shown = |v: &Option<String>| v.clone().unwrap_or_else(|| "absent".to_owned());
    format!("{} changed from {} to {}", change.component, shown(&change.before), shown(&change.after))
}

/// An error when the host is another one at the end of a sweep than it was when that began, for which whoever watches it may
/// not have looked yet. The journal says so then, so that nobody goes on with it when the change is taken back. As for a look,
/// what vanished is no change.
pub fn check_end(journal: &Path, header: &Header, now: &Fingerprint) -> Result<(), PipelineError> {
    let changes = differences(&header.fingerprint.components, &now.components);
    if changes.is_empty() {
        return Ok(());
    }
    let why = changes.iter().map(sentence).collect::<Vec<_>>().join(", ");
    let (mut open, _) = Journal::resume(journal)?;
    open.append(&Line::Changed { at: Utc::now(), why: why.clone() })?;
    open.sync()?;
    Err(PipelineError::Changed { sweep: header.sweep.clone(), why })
}

/// An error when the host is not what it was when the sweep began, or was found to be another one at its end.
pub fn check(
    recorded: &Recorded,
    host_class: &HostClass,
    now: &Fingerprint,
    bench_image: &str,
    plan: &str,
) -> Result<(), PipelineError> {
    let header = &recorded.header;
    let stale = |why: String| Err(PipelineError::Stale { sweep: header.sweep.clone(), why });
    if let Some(why) = recorded.changed() {
        return stale(format!("the host changed while it was measured: {why}"));
    }
    if header.host_class != *host_class {
        return stale(format!("it began on host class {}, this is {host_class}", header.host_class));
    }
    if header.bench_image != bench_image {
        return stale("the bench image is another one".to_owned());
    }
    let changes = now.changes_since(&header.fingerprint);
    if let Some(change) = changes.iter().find(|c| c.component != Component::BenchImage) {
        return stale(sentence(change));
    }
    if header.plan != plan {
        return stale("this version of tollgate plans it differently".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sweep::fixtures;

    fn fingerprint(components: &[(Component, &str)]) -> Fingerprint {
        let components = components.iter().map(|(c, v)| (*c, (*v).to_owned())).collect();
        Fingerprint { components, ..Fingerprint::default() }
    }

    #[test]
    fn a_host_that_changed_before_the_end_of_a_sweep_leaves_a_journal_that_nobody_goes_on_with() {
        let dir = tempfile::tempdir().expect("a directory");
        let before = fingerprint(&[(Component::Runc, "1.1.5"), (Component::Qemu, "7.2")]);
        let header = Header { fingerprint: before.clone(), ..fixtures::header() };
        let path = journal_path(dir.path(), &header.sweep);
        Journal::create(&path, header.clone()).expect("created");
        let resumed = || {
            let recorded = Recorded::read(&path).expect("read");
            check(&recorded, &header.host_class, &before, &header.bench_image, &header.plan)
        };
        check_end(&path, &header, &before).expect("the same");
        let image =
            [(Component::Runc, "1.1.5"), (Component::BenchImage, "abc"), (Component::GuestKernel, "6.1")];
        check_end(&path, &header, &fingerprint(&image)).expect("QEMU vanished, and the sweep made the image");
        resumed().expect("the host is what it was");
        assert_eq!(unfinished(dir.path(), header.profile).expect("read").as_ref(), Some(&header.sweep));

        let upgraded = fingerprint(&[(Component::Runc, "1.2.0"), (Component::Qemu, "7.2")]);
        let error = check_end(&path, &header, &upgraded).expect_err("it changed");
        assert!(error.to_string().contains("runc changed from 1.1.5 to 1.2.0"), "{error}");
        assert!(!error.is_usage(), "nobody asked for something wrong");
        let error = resumed().expect_err("also when it was taken back");
        assert!(matches!(error, PipelineError::Stale { .. }), "{error}");
        assert_eq!(unfinished(dir.path(), header.profile).expect("read"), None);
    }
}
