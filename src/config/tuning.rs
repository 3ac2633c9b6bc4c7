//! `[tuning]`: what a sweep may set on the host while it runs.

use super::{Invalid, invalid, part, raw, within};
use serde::{Deserialize, Serialize};

/// A switch of the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Switch {
    /// Switched on.
    On,
    /// Switched off.
    Off,
    /// Left as it is.
    Keep,
}

/// Transparent huge pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Thp {
    /// For all memory.
    Always,
    /// For memory that asks for it (madvise(2)).
    Madvise,
    /// For none.
    Never,
    /// Left as they are.
    Keep,
}

/// A number, or the word that leaves the host's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, expecting = "expected a whole number or \"keep\"")]
pub enum Setting {
    /// This number.
    Number(u32),
    /// The host's own.
    Word(Keep),
}

/// The word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Keep {
    /// The host's value stays.
    Keep,
}

/// What a sweep sets while it runs; what is absent is left alone. Nothing is set unless `apply`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tuning {
    /// Whether anything is set at all.
    pub apply: bool,
    /// Frequency governor.
    pub governor: Option<String>,
    /// Whether processors may exceed their nominal frequency.
    pub turbo: Option<bool>,
    /// Transparent huge pages: the kernel's word.
    pub thp: Option<&'static str>,
    /// `vm.swappiness`.
    pub swappiness: Option<u32>,
    /// `kernel.numa_balancing`.
    pub numa_balancing: Option<bool>,
    /// Huge pages that are reserved in addition.
    pub more_hugepages: Option<u64>,
}

impl Tuning {
    pub(super) fn from_raw(raw: Option<raw::Tuning>) -> Result<Self, Invalid> {
        let raw = part(raw, "tuning")?;
        let switch = |value, key: &str| {
            part(value, key).map(|switch| match switch {
                Switch::On => Some(true),
                Switch::Off => Some(false),
                Switch::Keep => None,
            })
        };
        let governor = part(raw.governor, "tuning.governor")?;
        if governor.is_empty() || !governor.bytes().all(|b| b.is_ascii_lowercase() || b == b'_') {
            let why =
                format!("{governor:?} is no governor: expected a word like \"performance\", or \"keep\"");
            return Err(invalid("tuning.governor", why));
        }
        let swappiness = match part(raw.swappiness, "tuning.swappiness")? {
            Setting::Number(number) => Some(within(Some(number), "tuning.swappiness", 0, 200)?),
            Setting::Word(Keep::Keep) => None,
        };
        let more = within(raw.more_hugepages, "tuning.more_hugepages", 0, 1 << 20)?;
        Ok(Self {
            apply: part(raw.apply, "tuning.apply")?,
            governor: (governor != "keep").then_some(governor),
            turbo: switch(raw.turbo, "tuning.turbo")?,
            thp: match part(raw.thp, "tuning.thp")? {
                Thp::Always => Some("always"),
                Thp::Madvise => Some("madvise"),
                Thp::Never => Some("never"),
                Thp::Keep => None,
            },
            swappiness,
            numa_balancing: switch(raw.numa_balancing, "tuning.numa_balancing")?,
            more_hugepages: (more > 0).then_some(more.into()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::Config;

    fn error(text: &str) -> String {
        Config::resolve(Some(("tollgate.toml", text))).expect_err("an error").to_string()
    }

    #[test]
    fn nothing_is_tuned_unless_asked_for_and_each_knob_can_be_kept() {
        assert!(!Config::resolve(None).expect("valid").tuning.apply);
        let text = "[tuning]\napply = true\ngovernor = \"keep\"\nturbo = \"on\"\nthp = \"keep\"\nswappiness = \"keep\"\n\
                    numa_balancing = \"keep\"\nmore_hugepages = 512\n";
        let tuning = Config::resolve(Some(("f", text))).expect("valid").tuning;
        assert_eq!((tuning.apply, tuning.turbo, tuning.more_hugepages), (true, Some(true), Some(512)));
        assert_eq!((tuning.governor, tuning.thp, tuning.swappiness), (None, None, None));
        assert_eq!(tuning.numa_balancing, None);
    }

    #[test]
    fn mistakes_are_named_with_their_place() {
        let text = error("[tuning]\nswappiness = \"low\"\n");
        assert!(
            text.starts_with("tollgate.toml:2:") && text.contains("a whole number or \"keep\""),
            "{text}"
        );
        let text = error("[tuning]\nswappiness = 201\n");
        assert!(text.contains("201 is not in 0 to 200"), "{text}");
        let text = error("[tuning]\ngovernor = \"../x\"\n");
        assert!(text.contains("is no governor"), "{text}");
        let text = error("[tuning]\ntuned = true\n");
        assert!(text.contains("tuned"), "{text}");
    }
}
