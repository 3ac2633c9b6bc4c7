//! Which hooks were here before.

use super::HttpError;
use crate::durable;
use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// Hooks that are remembered. A hook that is older than a thousand others only leads to a look at the host.
const KEPT: usize = 1024;
/// Longest line of the file: a signature has 64 characters, a delivery at most [`super::hook::LONGEST_DELIVERY`].
const LINE: usize = 128;

/// The newest hooks, by their delivery and by their signature: the delivery is not signed, so that a recorded hook with
/// another one would look new.
#[derive(Debug)]
pub(super) struct Seen {
    path: PathBuf,
    lines: VecDeque<String>,
}

impl Seen {
    /// What the file remembers; nothing where there is none.
    pub fn open(path: &Path) -> Result<Self, HttpError> {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(e) if e.kind() == ErrorKind::NotFound => String::new(),
            Err(source) => return Err(HttpError::Seen { path: path.to_owned(), source }),
        };
        let mut lines: VecDeque<String> =
            text.lines().filter(|l| !l.is_empty() && l.len() <= LINE).map(str::to_owned).collect();
        lines.drain(..lines.len().saturating_sub(2 * KEPT));
        Ok(Self { path: path.to_owned(), lines })
    }

    /// Whether the delivery or the signature was here.
    pub fn knows(&self, delivery: &str, signature: &str) -> bool {
        self.lines.iter().any(|l| l == delivery || l == signature)
    }

    /// Remembers both, in the file before anything follows from them.
    pub fn remember(&mut self, delivery: &str, signature: &str) -> io::Result<()> {
        self.lines.push_back(delivery.to_owned());
        self.lines.push_back(signature.to_owned());
        while self.lines.len() > 2 * KEPT {
            self.lines.pop_front();
        }
        let mut text = String::new();
        for line in &self.lines {
            text.push_str(line);
            text.push('\n');
        }
        if let Some(parent) = self.path.parent() {
            std::fs::create_dir_all(parent)?;
        }
        durable::write(&self.path, text.as_bytes(), 0o600)
    }

    /// Forgets the newest, which led to nothing.
    pub fn forget_newest(&mut self) {
        self.lines.truncate(self.lines.len().saturating_sub(2));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_seen_is_known_after_a_restart_and_the_oldest_is_forgotten() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("state/seen");
        let mut seen = Seen::open(&path).expect("nothing yet");
        seen.remember("d-1", "aa").expect("written");
        let again = Seen::open(&path).expect("read");
        assert!(again.knows("d-1", "other") && again.knows("other", "aa") && !again.knows("d-2", "bb"));
        seen.forget_newest();
        assert!(!seen.knows("d-1", "aa"));
        seen.lines = (0..2 * KEPT).map(|i| format!("old-{i}")).collect();
        seen.remember("d-2", "bb").expect("written");
        assert!(seen.lines.len() == 2 * KEPT && !seen.knows("old-0", "old-1") && seen.knows("old-2", ""));
    }
}
