//! Names of sweeps and host classes. Both become path components, so both are restricted.

use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// A name that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} {name:?} cannot be used: {why}")]
pub struct NameError {
    /// Which kind of name.
    pub what: &'static str,
    /// The name as given.
    pub name: String,
    /// What is wrong with it and what is allowed.
    pub why: &'static str,
}

/// Whether `name` is safe as one path component and in Docker labels: 1 to 100 of `[a-z0-9._-]`
/// (and upper case), not beginning with a dot or dash.
fn check(what: &'static str, name: &str) -> Result<(), NameError> {
    let why = if name.is_empty() || name.len() > 100 {
        "it must have 1 to 100 characters"
    } else if !name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-')) {
        "only letters, digits, '.', '_' and '-' are allowed"
    } else if name.starts_with(['.', '-']) {
        "it must begin with a letter, a digit or '_'"
    } else {
        return Ok(());
    };
    Err(NameError { what, name: name.to_owned(), why })
}

macro_rules! name_type {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl FromStr for $name {
            type Err = NameError;
            fn from_str(s: &str) -> Result<Self, NameError> {
                check($what, s).map(|()| Self(s.to_owned()))
            }
        }
        impl TryFrom<String> for $name {
            type Error = NameError;
            fn try_from(s: String) -> Result<Self, NameError> {
                s.parse()
            }
        }
        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }
    };
}

name_type!(
    /// Identifies one sweep: `20261123T123456Z-1a2b3c`, its start in UTC and six hexadecimal digits.
    SweepId,
    "sweep id"
);
name_type!(
    /// Name under which hosts are comparable. Baselines belong to it.
    HostClass,
    "host class"
);

impl SweepId {
    /// Makes the id of a sweep that starts at `at`; `tail` tells sweeps of the same second apart.
    pub fn new(at: chrono::DateTime<chrono::Utc>, tail: u32) -> Self {
        Self(format!("{}-{:06x}", at.format("%Y%m%dT%H%M%SZ"), tail & 0x00ff_ffff))
    }

    /// The last six characters: short enough for interface names (15 characters at most).
    pub fn tail(&self) -> &str {
        // Names are ASCII, so any index is a character boundary.
        &self.0[self.0.len().saturating_sub(6)..]
    }
}

impl HostClass {
    /// A usable name from free text, such as a CPU model: lower case, everything else becomes one dash.
    pub fn slug(text: &str) -> Result<Self, NameError> {
        let mut out = String::with_capacity(text.len());
        for c in text.chars().flat_map(char::to_lowercase) {
            if c.is_ascii_alphanumeric() || c == '.' {
                out.push(c);
            } else if !out.ends_with('-') {
                out.push('-');
            }
        }
        let name: String = out.trim_matches(['-', '.']).chars().take(100).collect();
        name.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_leave_their_directory_are_refused() {
        for bad in ["", "..", "a/b", "../x", ".hidden", "-x", "a b", "a\n"] {
            assert!(bad.parse::<HostClass>().is_err(), "{bad:?}");
        }
        assert!("intel-xeon-2c-24g".parse::<HostClass>().is_ok());
    }

    #[test]
    fn a_slug_of_a_cpu_model_is_a_host_class() {
        let class = HostClass::slug("Intel(R) Xeon(R) @ 2.90GHz, 2 cores").expect("slug");
        assert_eq!(class.as_str(), "intel-r-xeon-r-2.90ghz-2-cores");
    }

    #[test]
    fn the_tail_of_a_sweep_id_fits_an_interface_name() {
        let at = chrono::DateTime::UNIX_EPOCH;
        let id = SweepId::new(at, 0xabc);
        assert_eq!(id.as_str(), "19700101T000000Z-000abc");
        assert_eq!(id.tail(), "000abc");
    }
}
