//! The agent's program, carried inside tollgate.

use crate::durable;
use crate::model::hex;
use sha2::{Digest, Sha256};
use std::io;
use std::path::{Path, PathBuf};

/// The statically linked program, as `build.rs` made it.
pub static AGENT: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/tollgate-agent"));

/// SHA-256 of the program, in hexadecimal.
pub fn digest() -> String {
    hex(&Sha256::digest(AGENT))
}

/// Puts the program into `dir/<first 12 digits of the digest>/tollgate-agent`, unless it is there already.
pub fn install(dir: &Path) -> io::Result<PathBuf> {
    let home = dir.join(&digest()[..12]);
    let path = home.join("tollgate-agent");
    if std::fs::read(&path).is_ok_and(|found| found == AGENT) {
        return Ok(path);
    }
    std::fs::create_dir_all(&home)?;
    durable::write(&path, AGENT, 0o755)?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_installed_program_runs_and_a_damaged_one_is_replaced() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = install(dir.path()).expect("installs");
        std::fs::write(&path, b"damaged").expect("writes");
        assert_eq!(install(dir.path()).expect("installs again"), path);
        let output = std::process::Command::new(&path).arg("--version").output().expect("runs");
        assert!(String::from_utf8_lossy(&output.stdout).starts_with("tollgate-agent "));
    }
}
