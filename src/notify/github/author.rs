//! Who wrote a text: only what is ours may be believed and changed.

use serde::Deserialize;

/// An account, as it stands beside what it wrote.
#[derive(Debug, Deserialize)]
pub(super) struct User {
    login: String,
}

impl User {
    pub(super) fn login(&self) -> &str {
        &self.login
    }
}

/// Whether `user` is `login`; GitHub ignores case.
pub(super) fn by(user: Option<&User>, login: &str) -> bool {
    user.is_some_and(|user| user.login.eq_ignore_ascii_case(login))
}
