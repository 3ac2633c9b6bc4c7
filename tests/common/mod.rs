//! What several test programs share.
#![allow(dead_code, reason = "each test program uses a part of it")]

/// Something real that a test needs and a machine may lack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Requirement {
    /// Being root.
    Root,
    /// A program in PATH.
    Program(&'static str),
    /// A path that exists, such as `/dev/kvm` or `/var/run/docker.sock`.
    Path(&'static str),
}

impl Requirement {
    /// Why it is not met; `None` when it is.
    fn missing(self) -> Option<String> {
        match self {
            Self::Root => (!rustix::process::geteuid().is_root()).then(|| "not root".to_owned()),
            Self::Program(name) => {
                let path = std::env::var_os("PATH").unwrap_or_default();
                let found = std::env::split_paths(&path).any(|dir| dir.join(name).is_file());
                (!found).then(|| format!("{name} is not in PATH"))
            }
            Self::Path(path) => (!std::path::Path::new(path).exists()).then(|| format!("there is no {path}")),
        }
    }
}

/// Whether the test can run. When not, says so, and fails where `TOLLGATE_REQUIRE_REAL=1` asks for everything.
#[must_use]
pub fn real(what: Requirement) -> bool {
    let Some(reason) = what.missing() else { return true };
    assert!(
        std::env::var("TOLLGATE_REQUIRE_REAL").as_deref() != Ok("1"),
        "TOLLGATE_REQUIRE_REAL=1, but {reason}"
    );
    println!("skipped: {reason}");
    false
}

/// [`real`] for root.
#[must_use]
pub fn require_root() -> bool {
    real(Requirement::Root)
}
