//! Names of environments: where a trial runs.

use super::id::NameError;
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// What an environment is built on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Base {
    /// A chroot on the host: the reference of every toll.
    Native,
    /// A container.
    Docker,
    /// A virtual machine.
    Kvm,
}

impl Base {
    /// The word that begins the environment's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Docker => "docker",
            Self::Kvm => "kvm",
        }
    }
}

/// Name of an environment: a base and the axes in which it differs from the cheapest of that base,
/// `docker+layer+driver=btrfs`. Axes keep their order; `native` has none.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EnvironmentName {
    base: Base,
    axes: Vec<String>,
}

impl EnvironmentName {
    /// The reference environment.
    pub const NATIVE: Self = Self { base: Base::Native, axes: Vec::new() };

    /// What it is built on.
    pub fn base(&self) -> Base {
        self.base
    }

    /// Whether it is the reference.
    pub fn is_native(&self) -> bool {
        self.base == Base::Native
    }

    /// Whether the axis without a value (`nat`, `layer`, `tuned`) is part of the name.
    pub fn has(&self, axis: &str) -> bool {
        self.axes.iter().any(|a| a == axis)
    }

    /// The value of an axis: `axis("driver")` of `docker+driver=btrfs` is `btrfs`.
    pub fn axis(&self, key: &str) -> Option<&str> {
        self.axes.iter().find_map(|a| a.strip_prefix(key)?.strip_prefix('='))
    }
}

impl FromStr for EnvironmentName {
    type Err = NameError;

    fn from_str(s: &str) -> Result<Self, NameError> {
        let bad = |why| NameError { what: "environment", name: s.to_owned(), why };
        let mut parts = s.split('+');
        let base = match parts.next() {
            Some("native") => Base::Native,
            Some("docker") => Base::Docker,
            Some("kvm") => Base::Kvm,
            _ => return Err(bad("it must begin with native, docker or kvm")),
        };
        let axes: Vec<String> = parts.map(str::to_owned).collect();
        if base == Base::Native && !axes.is_empty() {
            return Err(bad("native is the reference and has no axes"));
        }
        let usable = |a: &String| {
            !a.is_empty()
                && !a.starts_with('=')
                && a.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'=' | b'.' | b'-' | b'_'))
        };
        if s.len() > 100 || !axes.iter().all(usable) {
            return Err(bad("axes are joined by '+': docker+nat, docker+layer+driver=btrfs"));
        }
        Ok(Self { base, axes })
    }
}

impl TryFrom<String> for EnvironmentName {
    type Error = NameError;
    fn try_from(s: String) -> Result<Self, NameError> {
        s.parse()
    }
}

impl From<EnvironmentName> for String {
    fn from(name: EnvironmentName) -> Self {
        name.to_string()
    }
}

impl fmt::Display for EnvironmentName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = self.base.as_str().to_owned();
        for axis in &self.axes {
            text.push('+');
            text.push_str(axis);
        }
        f.pad(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip() {
        for name in ["native", "docker", "docker+nat", "kvm+tuned", "docker+layer+driver=btrfs"] {
            assert_eq!(name.parse::<EnvironmentName>().expect(name).to_string(), name);
        }
    }

    #[test]
    fn axes_are_found_by_name() {
        let env: EnvironmentName = "docker+layer+driver=btrfs".parse().expect("valid");
        assert!(env.has("layer") && !env.has("driver"));
        assert_eq!(env.axis("driver"), Some("btrfs"));
    }

    #[test]
    fn other_names_are_refused() {
        for bad in ["", "podman", "native+nat", "docker+", "docker++nat", "docker+a b", "docker+=x"] {
            assert!(bad.parse::<EnvironmentName>().is_err(), "{bad:?}");
        }
    }
}
