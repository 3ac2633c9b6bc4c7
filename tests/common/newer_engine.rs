//! Debian trixie's engine.

use crate::debian::{self, run};
use std::fs;
use std::path::PathBuf;
use std::process::Command;

const SUITE: &str = "trixie";
const PACKAGES: [&str; 3] = ["docker.io", "containerd", "runc"];

/// The directory with `usr/sbin/dockerd` and the rest, or why there is none.
pub fn unpacked() -> Result<PathBuf, String> {
    debian::unpacked(&format!("engine-of-{SUITE}"), SUITE, &PACKAGES, |root| {
        for program in ["usr/sbin/dockerd", "usr/bin/containerd"] {
            run(Command::new(root.join(program)).arg("--version"))?;
        }
        // Trixie's runc may need a newer C library than this host has; the engine takes the host's then.
        if run(Command::new(root.join("usr/sbin/runc")).arg("--version")).is_err() {
            for program in ["usr/sbin/runc", "usr/bin/runc"] {
                let _ = fs::remove_file(root.join(program));
            }
        }
        Ok(())
    })
}
