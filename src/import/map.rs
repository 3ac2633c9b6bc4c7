//! The mapping file: what files of a format without a place for it belong to.

use crate::model::{Better, EnvironmentName, HostClass};
use chrono::{DateTime, Utc};
use serde::Deserialize;
use std::collections::BTreeMap;

/// A mapping file (TOML).
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Map {
    /// Host class of everything.
    pub host_class: Option<HostClass>,
    /// When it was measured.
    pub started_at: Option<DateTime<Utc>>,
    /// Environment of each file, by the end of its path: `"native.json" = "native"`.
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
        let fits = self.environments.iter().filter(|(end, _)| path.ends_with(end.as_str()));
        fits.max_by_key(|(end, _)| end.len()).map(|(_, environment)| environment)
    }
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
        let wrong = Map::read("map.toml", "host = 1").expect_err("unknown").to_string();
        assert!(wrong.starts_with("map.toml: ") && wrong.contains("host"), "{wrong}");
    }
}
