//! Chromium clicks through the dashboard and takes its pictures: `tests/browser/walk.mjs`, with what `packaging/browser.sh` installs.
//! The pictures are in `target/tmp/dashboard`.

#[path = "common/browser.rs"]
mod browser;
#[path = "common/dashboard.rs"]
mod dashboard;
#[path = "common/recorded.rs"]
mod recorded;

use dashboard::{Setup, busy};
use recorded::id;
use std::path::Path;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn chromium_finds_nothing_wrong() {
    let Some(tools) = browser::tools() else { return };
    let at = Setup { status: busy(), ..Setup::regressed() }.start().await;
    std::fs::write(at.state().join("state/alerts.json"), dashboard::alerts()).expect("written");
    let pictures = Path::new(env!("CARGO_TARGET_TMPDIR")).join("dashboard");
    let (to, address) = (pictures.clone(), format!("http://{}", at.address));
    let walk = move || {
        tools.run("walk.mjs", |node| {
            node.arg(address).arg(to).env("SWEEP", id(8)).env("BEFORE", id(5));
        });
    };
    tokio::task::spawn_blocking(walk).await.expect("nothing is wrong");
    assert!(pictures.join("overview-phone-dark.png").exists());
    at.stop().await;
}
