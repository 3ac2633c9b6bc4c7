//! Floor 3: sweeps on disk. One JSON file a sweep, written whole or not at all.
//!
//! Measured sweeps are in `<state>/sweeps/`; accepted ones are copied to `<baselines>/<host class>/<profile>/`,
//! which is made to be kept in git.

mod listing;
mod text;

use crate::durable;
use crate::model::format::SWEEP_FORMAT;
use crate::model::{AcceptedBy, Fingerprint, HostClass, Sweep, SweepId};
use serde::Deserialize;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

pub use listing::Places;
pub use text::to_text;

/// Why a sweep cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The filesystem.
    #[error("{path}: {source}")]
    Io {
        /// Which file or directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is no sweep.
    #[error("{path}, line {line}: {why}; restore the file or remove it with `tollgate baseline reject`")]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// Which line, from 1.
        line: usize,
        /// What is wrong.
        why: String,
    },
    /// Another version.
    #[error(
        "{path} has format {found}, this tollgate knows {SWEEP_FORMAT}; use the version that wrote it, or reject it"
    )]
    Format {
        /// Which file.
        path: PathBuf,
        /// Its format.
        found: u64,
    },
    /// A file that is not where its content belongs.
    #[error(
        "{path} holds sweep {found}; a baseline's file is named after its sweep and lies under its host class and profile"
    )]
    Misplaced {
        /// Which file.
        path: PathBuf,
        /// What it holds.
        found: String,
    },
    /// No such sweep.
    #[error("there is no sweep {sweep} in {places}; `tollgate baseline list` shows what there is")]
    Unknown {
        /// Which.
        sweep: SweepId,
        /// Where it was looked for.
        places: String,
    },
}

/// The two directories.
#[derive(Debug, Clone)]
pub struct DirectoryStore {
    sweeps: PathBuf,
    baselines: PathBuf,
}

impl DirectoryStore {
    /// Sweeps below `state`, baselines below `baselines`. Nothing is made before something is written.
    pub fn new(state: &Path, baselines: &Path) -> Self {
        Self { sweeps: state.join("sweeps"), baselines: baselines.to_owned() }
    }

    fn measured(&self, sweep: &SweepId) -> PathBuf {
        self.sweeps.join(format!("{sweep}.json"))
    }

    fn accepted_path(&self, sweep: &Sweep) -> PathBuf {
        self.class(&sweep.host_class, &sweep.profile).join(format!("{}.json", sweep.sweep))
    }

    fn class(&self, host_class: &HostClass, profile: &str) -> PathBuf {
        self.baselines.join(host_class.as_str()).join(profile)
    }

    /// Keeps a measured sweep.
    pub fn save(&self, sweep: &Sweep) -> Result<PathBuf, StoreError> {
        write(&self.measured(&sweep.sweep), sweep)
    }

    /// A measured or accepted sweep by its id.
    pub fn load(&self, sweep: &SweepId) -> Result<Sweep, StoreError> {
        let path = self.measured(sweep);
        if path.exists() {
            return read(&path);
        }
        let name = format!("{sweep}.json");
        match self.files()?.into_iter().find(|p| p.file_name().is_some_and(|n| n == name.as_str())) {
            Some(path) => read(&path),
            None => Err(StoreError::Unknown {
                sweep: sweep.clone(),
                places: format!("{} and {}", self.sweeps.display(), self.baselines.display()),
            }),
        }
    }

    /// The newest measured sweeps, newest first, at most so many files of them; one that cannot be read is passed over.
    pub fn newest(&self, most: usize) -> Result<Vec<Sweep>, StoreError> {
        // Names begin with the time.
        Ok(json_files(&self.sweeps)?.iter().rev().take(most).filter_map(|path| read(path).ok()).collect())
    }

    /// Copies a sweep to the baselines.
    pub fn accept(&self, mut sweep: Sweep, accepted: AcceptedBy) -> Result<PathBuf, StoreError> {
        sweep.accepted = Some(accepted);
        write(&self.accepted_path(&sweep), &sweep)
    }

    /// Removes a sweep from the baselines; the measured one stays. A damaged file can be removed, too.
    pub fn reject(&self, sweep: &SweepId) -> Result<PathBuf, StoreError> {
        let name = format!("{sweep}.json");
        let found = self.files()?.into_iter().find(|p| p.file_name().is_some_and(|n| n == name.as_str()));
        let path = found.ok_or_else(|| StoreError::Unknown {
            sweep: sweep.clone(),
            places: self.baselines.display().to_string(),
        })?;
        fs::remove_file(&path).map_err(|source| StoreError::Io { path: path.clone(), source })?;
        Ok(path)
    }

    /// The baselines of a host class and profile, oldest first.
    pub fn baselines(&self, host_class: &HostClass, profile: &str) -> Result<Vec<Sweep>, StoreError> {
        let mut sweeps = Vec::new();
        for path in json_files(&self.class(host_class, profile))? {
            let sweep = read(&path)?;
            if self.accepted_path(&sweep) != path {
                let found = format!("{} of {}/{}", sweep.sweep, sweep.host_class, sweep.profile);
                return Err(StoreError::Misplaced { path, found });
            }
            sweeps.push(sweep);
        }
        sweeps.sort_by(|a, b| (a.started_at, &a.sweep).cmp(&(b.started_at, &b.sweep)));
        Ok(sweeps)
    }

    /// The newest baseline of a host class and profile. Reads one file, however many there are.
    pub fn newest_baseline(
        &self,
        host_class: &HostClass,
        profile: &str,
    ) -> Result<Option<Sweep>, StoreError> {
        // Names begin with the time.
        json_files(&self.class(host_class, profile))?.last().map(|path| read(path)).transpose()
    }

    /// How many baselines a host class and profile has. Reads none.
    pub fn accepted(&self, host_class: &HostClass, profile: &str) -> Result<usize, StoreError> {
        Ok(json_files(&self.class(host_class, profile))?.len())
    }

    /// All baselines of all host classes and profiles, oldest first.
    pub fn all_baselines(&self) -> Result<Vec<Sweep>, StoreError> {
        let mut sweeps = self.files()?.iter().map(|p| read(p)).collect::<Result<Vec<_>, _>>()?;
        sweeps.sort_by(|a, b| (a.started_at, &a.sweep).cmp(&(b.started_at, &b.sweep)));
        Ok(sweeps)
    }

    fn files(&self) -> Result<Vec<PathBuf>, StoreError> {
        let mut files = Vec::new();
        for class in directories(&self.baselines)? {
            for profile in directories(&class)? {
                files.extend(json_files(&profile)?);
            }
        }
        Ok(files)
    }
}

fn entries(dir: &Path) -> Result<Vec<PathBuf>, StoreError> {
    let fail = |source| StoreError::Io { path: dir.to_owned(), source };
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(fail(e)),
    };
    let mut paths = entries.map(|e| e.map(|e| e.path())).collect::<io::Result<Vec<_>>>().map_err(fail)?;
    paths.sort();
    Ok(paths)
}

fn directories(dir: &Path) -> Result<Vec<PathBuf>, StoreError> {
    Ok(entries(dir)?.into_iter().filter(|p| p.is_dir()).collect())
}

fn json_files(dir: &Path) -> Result<Vec<PathBuf>, StoreError> {
    let hidden = |p: &Path| p.file_name().is_some_and(|n| n.to_string_lossy().starts_with('.'));
    Ok(entries(dir)?
        .into_iter()
        .filter(|p| p.extension().is_some_and(|e| e == "json") && !hidden(p))
        .collect())
}

fn write(path: &Path, sweep: &Sweep) -> Result<PathBuf, StoreError> {
    let fail = |source| StoreError::Io { path: path.to_owned(), source };
    let text = to_text(sweep).map_err(|e| fail(e.into()))?;
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(fail)?;
    }
    durable::write(path, text.as_bytes(), 0o644).map_err(fail)?;
    Ok(path.to_owned())
}

/// What a sweep is of, without what it measured.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Head {
    /// Its id.
    pub sweep: SweepId,
    /// Whose.
    pub host_class: HostClass,
    /// Its profile.
    pub profile: String,
    /// Whether it is of chosen cells only.
    #[serde(default)]
    pub partial: bool,
    /// What the host was made of.
    pub fingerprint: Fingerprint,
}

/// The head of a sweep's file. Passes over the samples without keeping them.
pub fn head(path: &Path) -> Result<Head, StoreError> {
    let text = fs::read_to_string(path).map_err(|source| StoreError::Io { path: path.to_owned(), source })?;
    serde_json::from_str(&text).map_err(|e| damaged(path, &e))
}

fn damaged(path: &Path, error: &serde_json::Error) -> StoreError {
    StoreError::Damaged { path: path.to_owned(), line: error.line(), why: error.to_string() }
}

/// A sweep from any file, such as a recorded one.
pub fn read(path: &Path) -> Result<Sweep, StoreError> {
    let text = fs::read_to_string(path).map_err(|source| StoreError::Io { path: path.to_owned(), source })?;
    let value: serde_json::Value = serde_json::from_str(&text).map_err(|e| damaged(path, &e))?;
    match value["format"].as_u64() {
        Some(found) if found != u64::from(SWEEP_FORMAT) => {
            Err(StoreError::Format { path: path.to_owned(), found })
        }
        // From the text once more, so that an error has its line.
        _ => serde_json::from_str(&text).map_err(|e| damaged(path, &e)),
    }
}

#[cfg(test)]
mod tests;
