//! Which sweeps there are, without reading them: files are named after their sweep.

use super::{DirectoryStore, StoreError, directories, json_files};
use crate::model::{HostClass, SweepId};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Where a sweep is kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Places {
    /// Among the measured ones.
    pub measured: Option<PathBuf>,
    /// Among the accepted ones.
    pub accepted: Option<PathBuf>,
}

impl Places {
    /// The file that says most: an accepted one also says who accepted it.
    pub fn best(&self) -> Option<&Path> {
        self.accepted.as_deref().or(self.measured.as_deref())
    }
}

impl DirectoryStore {
    /// All sweeps by their id, which begins with their time. Files with other names are none.
    pub fn listing(&self) -> Result<BTreeMap<SweepId, Places>, StoreError> {
        let mut all: BTreeMap<SweepId, Places> = BTreeMap::new();
        for path in json_files(&self.sweeps)? {
            if let Some(id) = id_of(&path) {
                all.entry(id).or_default().measured = Some(path);
            }
        }
        for path in self.files()? {
            if let Some(id) = id_of(&path) {
                all.entry(id).or_default().accepted = Some(path);
            }
        }
        Ok(all)
    }

    /// The files of the accepted sweeps of a host class and profile, oldest first by their names.
    pub fn accepted_files(&self, class: &HostClass, profile: &str) -> Result<Vec<PathBuf>, StoreError> {
        let wanted = self.class(class, profile);
        // A profile's name from a file may hold anything; only what is listed is read.
        for directory in directories(&self.baselines.join(class.as_str()))? {
            if directory == wanted {
                return json_files(&directory);
            }
        }
        Ok(Vec::new())
    }
}

fn id_of(path: &Path) -> Option<SweepId> {
    path.file_stem()?.to_str()?.parse().ok()
}
