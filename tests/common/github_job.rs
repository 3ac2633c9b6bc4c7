//! A fake of GitHub as a job sees it, for the tests of the fake itself.

use crate::common;
use crate::github::{self, Asker, FakeGitHub, REPO};

/// A fake with the token of a job, or why there is none.
pub fn fake() -> Option<(FakeGitHub, Asker)> {
    if !common::real(github::missing()) {
        return None;
    }
    let fake = FakeGitHub::start();
    let job = fake.ask_as(&fake.job_token());
    Some((fake, job))
}

pub fn at(path: &str) -> String {
    format!("/repos/{REPO}{path}")
}
