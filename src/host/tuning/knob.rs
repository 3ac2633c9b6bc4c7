//! One value of the host that tuning sets: where it is, and how it is read.

use super::{super::files, TuningError, Wanted};
use serde::{Deserialize, Serialize};
use std::{
    fs, io,
    path::{Path, PathBuf},
};

const CPU: &str = "/sys/devices/system/cpu";
const THP: &str = "/sys/kernel/mm/transparent_hugepage/enabled";
const HUGEPAGES: &str = "hugepages";

/// A knob with its value before and the one that is set, as the kernel shows them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Knob {
    /// `swappiness`.
    pub name: String,
    /// Its file, as the host sees it.
    pub path: PathBuf,
    /// Value before.
    pub before: String,
    /// Value that is set.
    pub set: String,
}

/// The wanted knobs that the host has, in the order in which they are set.
pub(super) fn of_host(root: &Path, wanted: &Wanted) -> Vec<Knob> {
    let mut found = Vec::new();
    let mut add = |name: &str, path: String, set: Option<String>| {
        let (Some(set), Some(before)) = (set, read(root, &path)) else { return false };
        found.push(Knob { name: name.to_owned(), path: path.into(), before, set });
        true
    };
    for policy in files::names(root, format!("{CPU}/cpufreq")) {
        if policy.starts_with("policy") {
            add("governor", format!("{CPU}/cpufreq/{policy}/scaling_governor"), wanted.governor.clone());
        }
    }
    let digit = |yes: bool| if yes { "1" } else { "0" }.to_owned();
    // Intel's driver has a switch of its own, the other way round, and none of the general kind.
    if !add("turbo", format!("{CPU}/intel_pstate/no_turbo"), wanted.turbo.map(|on| digit(!on))) {
        add("turbo", format!("{CPU}/cpufreq/boost"), wanted.turbo.map(digit));
    }
    add("thp", THP.to_owned(), wanted.thp.clone());
    add("swappiness", "/proc/sys/vm/swappiness".to_owned(), wanted.swappiness.map(|n| n.to_string()));
    let path = "/proc/sys/kernel/numa_balancing";
    add("numa-balancing", path.to_owned(), wanted.numa_balancing.map(digit));
    let path = "/proc/sys/vm/nr_hugepages";
    let there: Option<u64> = read(root, path).and_then(|text| text.parse().ok());
    let more = wanted.more_hugepages.filter(|more| *more > 0);
    add(
        HUGEPAGES,
        path.to_owned(),
        there.zip(more).map(|(there, more)| there.saturating_add(more).to_string()),
    );
    found
}

/// The value of a knob; of a choice like `always [madvise] never` the chosen word.
fn read(root: &Path, path: impl AsRef<Path>) -> Option<String> {
    let text = files::value(root, path)?;
    let chosen = text.split(' ').find_map(|word| word.strip_prefix('[')?.strip_suffix(']'));
    Some(chosen.map_or_else(|| text.clone(), str::to_owned))
}

/// What became of a knob that was to be restored.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It has its old value, and had it before.
    AsBefore,
    /// It has its old value again.
    Restored,
    /// It has a value that is neither the old nor the set one.
    Foreign(String),
}

impl Knob {
    /// What it is set to, the same on every host that has it.
    pub(super) fn describe(&self, wanted: &Wanted) -> String {
        match (self.name.as_str(), wanted.more_hugepages, wanted.turbo) {
            (HUGEPAGES, Some(more), _) => format!("{HUGEPAGES} +{more}"),
            ("turbo", _, Some(on)) => format!("turbo {}", if on { "on" } else { "off" }),
            ("numa-balancing", ..) => {
                format!("numa-balancing {}", if self.set == "1" { "on" } else { "off" })
            }
            (name, ..) => format!("{name} {}", self.set),
        }
    }

    /// Its value now; none when it cannot be read.
    pub(super) fn read(&self, root: &Path) -> Option<String> {
        read(root, &self.path)
    }

    /// Writes a value, in one call.
    pub(super) fn write(&self, root: &Path, value: &str) -> io::Result<()> {
        fs::write(files::under(root, &self.path), value)
    }

    /// Sets it and reads it back.
    pub(super) fn set(&self, root: &Path) -> Result<(), TuningError> {
        self.take(root, &self.set)
    }

    /// Gives it its old value and reads it back, unless it has a value that was not set here.
    pub(super) fn restore(&self, root: &Path) -> Result<Fate, TuningError> {
        let now = self.read(root).unwrap_or_else(|| "nothing".to_owned());
        if now == self.before {
            return Ok(Fate::AsBefore);
        }
        if !self.is_ours(&now) {
            return Ok(Fate::Foreign(now));
        }
        self.take(root, &self.before).map(|()| Fate::Restored)
    }

    /// Whether a value came from setting this knob. The kernel that reserves huge pages stops anywhere between the
    /// old number and the wanted one when the process is killed.
    pub(super) fn is_ours(&self, now: &str) -> bool {
        let number = |text: &str| text.parse::<u64>().ok();
        let between = || {
            let (now, before, set) = (number(now)?, number(&self.before)?, number(&self.set)?);
            Some((before.min(set)..=before.max(set)).contains(&now))
        };
        now == self.set || (self.name == HUGEPAGES && between() == Some(true))
    }

    fn take(&self, root: &Path, value: &str) -> Result<(), TuningError> {
        if self.read(root).as_deref() == Some(value) {
            return Ok(());
        }
        let (knob, wanted, path) = (self.name.clone(), value.to_owned(), self.path.clone());
        if let Err(source) = self.write(root, value) {
            return Err(TuningError::Set { knob, wanted, path, source });
        }
        match self.read(root) {
            Some(found) if found == value => Ok(()),
            found => {
                let found = found.unwrap_or_else(|| "nothing".to_owned());
                Err(TuningError::NotTaken { knob, wanted, path, found })
            }
        }
    }
}
