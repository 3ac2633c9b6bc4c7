//! What the tests with a real engine and a real guest share.
#![allow(dead_code, reason = "each test file uses a part of it")]

pub mod bed;
pub mod stage;

use std::path::{Path, PathBuf};
use tokio::sync::{Mutex, MutexGuard};

/// Whether a real test may run. Prints why it is skipped; with `TOLLGATE_REQUIRE_REAL=1` a skip is a failure.
pub fn real(missing: Option<String>) -> bool {
    let Some(why) = missing else { return true };
    assert!(std::env::var_os("TOLLGATE_REQUIRE_REAL").is_none_or(|v| v != "1"), "required, but {why}");
    eprintln!("skipped: {why}");
    false
}

/// Why tests that need root cannot run.
pub fn no_root() -> Option<String> {
    (!rustix::process::geteuid().is_root()).then(|| "this test needs root".to_owned())
}

/// Why tests that need everything (root, Docker, QEMU, mmdebstrap) cannot run.
pub fn not_everything() -> Option<String> {
    let program = |name: &str| {
        std::env::var_os("PATH").is_some_and(|p| std::env::split_paths(&p).any(|d| d.join(name).exists()))
            || Path::new("/usr/sbin").join(name).exists()
    };
    no_root()
        .or_else(|| {
            (!Path::new("/var/run/docker.sock").exists()).then(|| "there is no Docker engine".to_owned())
        })
        .or_else(|| {
            ["qemu-system-x86_64", "mmdebstrap", "mke2fs", "ip"]
                .into_iter()
                .find(|p| !program(p))
                .map(|p| format!("{p} is not installed; `tollgate provision` installs it"))
        })
}

/// Where tests keep the bench image, so that it is built once.
pub fn image_cache() -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("images")
}

/// Real tests have the host to themselves: they share the bench image, and sweeps exclude each other.
pub async fn alone() -> MutexGuard<'static, ()> {
    static HOST: Mutex<()> = Mutex::const_new(());
    HOST.lock().await
}
