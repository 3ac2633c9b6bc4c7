//! The mapping file: what files of a format without a place for it belong to.

use super::Reading;
use super::reading::name;
use crate::model::{Better, EnvironmentName, HostClass};
use chrono::{DateTime, Utc};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

/// A mapping file (TOML).
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Map {
    /// Host class of everything.
    pub host_class: Option<HostClass>,
    /// When it was measured.
    pub started_at: Option<DateTime<Utc>>,
    /// Environment of each file, by the end of its path, whole words of it: `"native.json" = "native"`.
    pub environments: BTreeMap<String, EnvironmentName>,
    /// Environments of a trials CSV that have another name here: `gce = "kvm+cloud=gce"`.
    pub rename: BTreeMap<String, EnvironmentName>,
    /// Direction of metrics that no tool of the suite has: `"latency" = "lower"`.
    pub better: BTreeMap<String, Better>,
}

/// A mapping file that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}: {why}")]
pub struct MapError {
    /// The file.
    pub file: String,
    /// What is wrong, with its line.
    pub why: String,
}

impl Map {
    /// Reads the text of a mapping file.
    pub fn read(file: &str, text: &str) -> Result<Self, MapError> {
        toml::from_str(text).map_err(|e| MapError { file: file.to_owned(), why: e.to_string() })
    }

    /// The environment of a file: that of the longest end of its path.
    pub fn environment(&self, path: &str) -> Option<&EnvironmentName> {
        let fits = self.environments.iter().filter(|(end, _)| ends_with(path, end));
        fits.max_by_key(|(end, _)| end.len()).map(|(_, environment)| environment)
    }

    /// Notes which keys a file and its readings fit.
    pub(super) fn note(&self, used: &mut BTreeSet<(&'static str, String)>, file: &str, readings: &[Reading]) {
        let ends = self.environments.keys().filter(|end| ends_with(file, end));
        used.extend(ends.map(|end| ("environments", end.clone())));
        for reading in readings {
            let renamed = self.rename.keys().find(|from| reading.renamed.as_ref() == Some(*from));
            used.extend(renamed.map(|from| ("rename", from.clone())));
            let directed = self.better.keys().filter(|m| **m == reading.metric || name(m) == reading.metric);
            used.extend(directed.map(|metric| ("better", metric.clone())));
        }
    }

    /// The first key that nothing imported fits: a misspelt one would be believed to have worked.
    pub(super) fn unused(&self, used: &BTreeSet<(&'static str, String)>) -> Option<(&'static str, &str)> {
        let environments = self.environments.keys().map(|key| ("environments", key));
        let rename = self.rename.keys().map(|key| ("rename", key));
        let better = self.better.keys().map(|key| ("better", key));
        environments
            .chain(rename)
            .chain(better)
            .find(|(table, key)| !used.contains(&(*table, (*key).clone())))
            .map(|(table, key)| (table, key.as_str()))
    }
}

/// Whether a path ends with these whole words: `nat.txt` is no end of `combinat.txt`.
fn ends_with(path: &str, end: &str) -> bool {
    let boundary = ['/', '.', '-', '_'];
    path.strip_suffix(end)
        .is_some_and(|before| before.is_empty() || before.ends_with(boundary) || end.starts_with(boundary))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mapping_names_what_files_do_not_say() {
        let map = Map::read(
            "map.toml",
            "host_class = \"lab\"\n[environments]\n\".json\" = \"native\"\n\"nat.json\" = \"docker+nat\"\n[better]\nlatency = \"lower\"\n",
        )
        .expect("a map");
        assert_eq!(map.environment("a/nat.json").map(ToString::to_string).as_deref(), Some("docker+nat"));
        assert_eq!(map.environment("a/x.json").map(ToString::to_string).as_deref(), Some("native"));
        assert_eq!((map.environment("a.txt"), map.better.get("latency")), (None, Some(&Better::Lower)));
        for (path, fits) in [
            ("nat.json", true),
            ("a/nat.json", true),
            ("docker-nat.json", true),
            ("run_nat.json", true),
            ("1.nat.json", true),
            ("combinat.json", false),
            ("a/nat.json.old", false),
        ] {
            assert_eq!(ends_with(path, "nat.json"), fits, "{path}");
        }
        let wrong = Map::read("map.toml", "host = 1").expect_err("unknown").to_string();
        assert!(wrong.starts_with("map.toml: ") && wrong.contains("host"), "{wrong}");
    }
}
