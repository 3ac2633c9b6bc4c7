//! Node, Chromium and what looks at pages, as `packaging/browser.sh` installs them.
#![allow(dead_code, reason = "each test file uses a part of it")]

use std::path::{Path, PathBuf};
use std::process::Command;

/// Where they are.
pub struct Tools {
    modules: PathBuf,
    node: PathBuf,
}

/// Installs what is missing. None, with a line that says so, where that is impossible and not required.
pub fn tools() -> Option<Tools> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/browser.sh");
    let ran = Command::new(script).output().expect("the script starts");
    let said = String::from_utf8_lossy(&ran.stdout);
    let mut lines = said.lines().map(PathBuf::from);
    if let (true, Some(modules), Some(node)) = (ran.status.success(), lines.next(), lines.next()) {
        return Some(Tools { modules, node });
    }
    let why = String::from_utf8_lossy(&ran.stderr);
    let required = std::env::var_os("TOLLGATE_REQUIRE_REAL").is_some_and(|v| v == "1");
    assert!(!required, "required, but {why}");
    eprintln!("skipped: {why}");
    None
}

impl Tools {
    /// Runs a script of tests/browser to its end; what it says on standard error is why the test fails.
    pub fn run(&self, script: &str, with: impl FnOnce(&mut Command)) {
        // A module finds others beside itself.
        let copy = self.modules.join(script);
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser").join(script);
        std::fs::copy(source, &copy).expect("copied");
        let path = format!("{}:{}", self.node.display(), std::env::var("PATH").unwrap_or_default());
        let mut node = Command::new("node");
        node.arg(copy).env("PATH", path);
        with(&mut node);
        let ended = node.output().expect("node starts");
        assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    }
}
