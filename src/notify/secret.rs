//! A secret that no log, error or file shows.

use std::fmt;

/// What stands in a secret's place.
const HIDDEN: &str = "***";
/// A line of a secret shorter than this is no secret by itself: hiding it would only garble texts.
const SHORTEST_LINE: usize = 8;

/// A token, a key, a URL that is its own password. Shown as `***`, never serialised; only [`Secret::expose`]
/// gives it away.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Without the space around it: files of tokens end with a newline.
    pub fn new(text: impl AsRef<str>) -> Self {
        Self(text.as_ref().trim().to_owned())
    }

    /// The secret itself, for the one who must send it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// `text` with `***` wherever the secret, or a long line of it, stood.
    pub fn hide(&self, text: &str) -> String {
        if self.0.is_empty() {
            return text.to_owned();
        }
        let hidden = text.replace(&self.0, HIDDEN);
        let lines = self.0.lines().map(str::trim).filter(|line| line.len() >= SHORTEST_LINE);
        lines.fold(hidden, |hidden, line| hidden.replace(line, HIDDEN))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HIDDEN)
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HIDDEN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_shows_a_secret() {
        let secret = Secret::new("ghp_abcdef0123456789\n");
        assert_eq!(secret.expose(), "ghp_abcdef0123456789");
        assert_eq!(format!("{secret} {secret:?} {:?}", Some(&secret)), "*** *** Some(***)");
        assert_eq!(secret.hide("Bad token ghp_abcdef0123456789!"), "Bad token ***!");
        assert_eq!(Secret::new("").hide("nothing"), "nothing");
    }

    #[test]
    fn a_line_of_a_key_is_hidden_too() {
        let key = Secret::new("-----BEGIN KEY-----\nMIIEpAIBAAKCAQEA\nab\n-----END KEY-----");
        assert_eq!(key.hide("cannot read MIIEpAIBAAKCAQEA, ab"), "cannot read ***, ab");
    }
}
