//! The service as a program that runs, and ends with the test.
#![allow(dead_code, reason = "each test file uses a part of it")]

use std::fs;
use std::path::PathBuf;
use std::process::Child;
use std::time::{Duration, Instant};

/// `tollgate watch`.
pub struct Running {
    pub child: Child,
    /// Where it writes its log.
    pub log: PathBuf,
}

impl Running {
    /// Waits until something is so; for a minute, while it runs.
    pub fn wait(&mut self, what: &str, is: impl Fn() -> bool) {
        self.wait_or(is, || what.to_owned());
    }

    /// The same; `what` says what was waited for, and what there was instead.
    pub fn wait_or(&mut self, is: impl Fn() -> bool, what: impl Fn() -> String) {
        let began = Instant::now();
        while !is() {
            let ended = self.child.try_wait().expect("a status");
            let log = || fs::read_to_string(&self.log).unwrap_or_default();
            assert!(
                ended.is_none() && began.elapsed() < Duration::from_secs(60),
                "{}: {ended:?} {}",
                what(),
                log()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    pub fn stop(mut self) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("told to stop");
        assert!(self.child.wait().expect("it ends").success());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
