//! Chromium clicks through the dashboard and takes its pictures: `tests/browser/walk.mjs`, with what `packaging/browser.sh` installs.
//! The pictures are in `target/tmp/dashboard`.

#[path = "common/dashboard.rs"]
mod dashboard;
#[path = "common/recorded.rs"]
mod recorded;

use dashboard::{Setup, busy};
use recorded::id;
use std::path::{Path, PathBuf};
use tokio::process::Command;

/// The directories of playwright and of node.
fn tools() -> Result<(PathBuf, PathBuf), String> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/browser.sh");
    let ran = std::process::Command::new(script).output().map_err(|e| e.to_string())?;
    let said = String::from_utf8_lossy(&ran.stdout);
    let mut lines = said.lines().map(PathBuf::from);
    match (ran.status.success(), lines.next(), lines.next()) {
        (true, Some(playwright), Some(node)) => Ok((playwright, node)),
        _ => Err(String::from_utf8_lossy(&ran.stderr).into_owned()),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn chromium_finds_nothing_wrong() {
    let (playwright, node) = match tools() {
        Ok(found) => found,
        Err(why) => {
            let required = std::env::var_os("TOLLGATE_REQUIRE_REAL").is_some_and(|v| v == "1");
            assert!(!required, "required, but {why}");
            eprintln!("skipped: {why}");
            return;
        }
    };
    let at = Setup { status: busy(), ..Setup::regressed() }.start().await;
    std::fs::write(at.state().join("state/alerts.json"), dashboard::alerts()).expect("written");
    // A module finds others beside itself.
    let walk = playwright.join("walk.mjs");
    std::fs::copy(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser/walk.mjs"), &walk)
        .expect("copied");
    let pictures = Path::new(env!("CARGO_TARGET_TMPDIR")).join("dashboard");
    let ended = Command::new("node")
        .arg(walk)
        .arg(format!("http://{}", at.address))
        .arg(&pictures)
        .env("PATH", format!("{}:{}", node.display(), std::env::var("PATH").unwrap_or_default()))
        .env("SWEEP", id(8))
        .env("BEFORE", id(5))
        .output()
        .await
        .expect("node");
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success(), "{said}");
    assert!(pictures.join("overview-phone-dark.png").exists());
    at.stop().await;
}
