//! The hidden first line by which a text of ours is known again.

use super::Record;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Longest marker that is read. A body holds 65,536 characters.
const LONGEST: usize = 64 * 1024;

/// What a text of ours is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The body of an issue.
    Issue,
    /// A comment on an issue that tells of one change of its state.
    Event,
    /// The comment on a pull request.
    PullRequest,
    /// The pull request that proposes baselines.
    Proposal,
    /// The body of the issue about candidate upgrades.
    Candidates,
}

impl Kind {
    const ALL: [Self; 5] = [Self::Issue, Self::Event, Self::PullRequest, Self::Proposal, Self::Candidates];

    fn as_str(self) -> &'static str {
        match self {
            Self::Issue => "issue",
            Self::Event => "event",
            Self::PullRequest => "pull-request",
            Self::Proposal => "proposal",
            Self::Candidates => "candidates",
        }
    }
}

/// `<!-- tollgate:v1 kind=issue key=... state=... data=... -->`. Anybody can paste one, so that it counts only
/// together with our own authorship.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marker {
    /// What the text is.
    pub kind: Kind,
    /// Which one.
    pub key: String,
    /// Digest of what it says; equal ones need no write.
    pub state: String,
    /// What it remembers, as base64url of JSON; empty for nothing.
    data: String,
}

const HEAD: &str = "<!-- tollgate:v1 ";
const TAIL: &str = " -->";

impl Marker {
    /// A marker without data. Characters of `key` and `state` that could end it are replaced.
    pub fn new(kind: Kind, key: &str, state: &str) -> Self {
        Self { kind, key: plain(key), state: plain(state), data: String::new() }
    }

    /// That of an issue, with its record.
    pub fn of(record: &Record) -> Self {
        Self::with(Kind::Issue, &record.key.to_string(), &record.state(), record)
    }

    /// One that remembers something.
    pub fn with(kind: Kind, key: &str, state: &str, memory: &impl Serialize) -> Self {
        Self { data: encode(memory), ..Self::new(kind, key, state) }
    }

    /// What an issue remembers; none where the data is not that of this version.
    pub fn record(&self) -> Option<Record> {
        self.memory()
    }

    /// What it remembers, of another kind; none where the data is not that.
    pub fn memory<T: DeserializeOwned>(&self) -> Option<T> {
        decode(&self.data)
    }

    /// A body with this marker in its first line, in place of the one that is there, and the rest as it is.
    pub fn over(&self, body: &str) -> String {
        let rest = if Self::read(body).is_some() {
            body.split_once('\n').map_or("", |(_, rest)| rest)
        } else {
            body
        };
        format!("{}\n{rest}", self.line())
    }

    /// The marker in the first line of a body, whatever its line ends are.
    pub fn read(body: &str) -> Option<Self> {
        let line = body.trim_start_matches('\u{feff}').lines().next()?.trim_end();
        if line.len() > LONGEST {
            return None;
        }
        let inner = line.strip_prefix(HEAD)?.strip_suffix(TAIL)?;
        let mut fields = inner.split(' ').map(|field| field.split_once('='));
        let mut next = |name: &str| match fields.next() {
            Some(Some((found, value))) if found == name => Some(value.to_owned()),
            _ => None,
        };
        let word = next("kind")?;
        let kind = Kind::ALL.into_iter().find(|k| k.as_str() == word)?;
        let (key, state) = (next("key")?, next("state")?);
        let data = next("data").unwrap_or_default();
        (plain(&key) == key && plain(&state) == state).then_some(Self { kind, key, state, data })
    }

    /// The line, without its end.
    pub fn line(&self) -> String {
        let data = if self.data.is_empty() { String::new() } else { format!(" data={}", self.data) };
        format!("{HEAD}kind={} key={} state={}{data}{TAIL}", self.kind.as_str(), self.key, self.state)
    }
}

/// Only characters that mean nothing in HTML, with no two dashes in a row.
fn plain(text: &str) -> String {
    let allowed =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | ':' | '+' | '=' | '/' | '@' | '-');
    let mut out: String = text.chars().map(|c| if allowed(c) { c } else { '_' }).take(1000).collect();
    while out.contains("--") {
        out = out.replace("--", "-_");
    }
    out
}

fn encode(value: &impl Serialize) -> String {
    // Our own types always serialise.
    let text = serde_json::to_vec(value).unwrap_or_default();
    // `--` would end the comment for some readers; base64url has both `-` and `_`.
    URL_SAFE_NO_PAD.encode(text).replace('-', "~")
}

fn decode<T: DeserializeOwned>(data: &str) -> Option<T> {
    let bytes = URL_SAFE_NO_PAD.decode(data.replace('~', "-")).ok()?;
    serde_json::from_slice(&bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::fixtures::record;
    use proptest::prelude::*;

    #[test]
    fn a_record_survives_its_marker() {
        let record = record("docker+nat", 3);
        let body = format!("{}\r\nThe text\r\n", Marker::of(&record).line());
        let read = Marker::read(&body).expect("a marker");
        assert_eq!(read.record(), Some(record.clone()));
        assert_eq!((read.key, read.state), (record.key.to_string(), record.state()));
    }

    #[test]
    fn other_first_lines_are_no_markers() {
        let line = Marker::new(Kind::PullRequest, "v1/a", "1").line();
        for bad in [
            "",
            "hello",
            "<!-- tollgate:v2 kind=issue key=a state=b -->",
            "<!-- tollgate:v1 kind=issue key=a -->",
            "<!-- tollgate:v1 kind=song key=a state=b -->",
            &format!(" {line}"),
            &format!("text\n{line}"),
        ] {
            assert_eq!(Marker::read(bad), None, "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn no_key_ends_the_comment(key in any::<String>(), state in "[ -~]{0,40}") {
            let line = Marker::new(Kind::Event, &key, &state).line();
            prop_assert!(!line.trim_start_matches("<!--").trim_end_matches("-->").contains("--"));
            prop_assert!(!line.contains('\n'));
            prop_assert_eq!(Marker::read(&line).map(|m| m.line()), Some(line));
        }

        #[test]
        fn any_text_can_be_read(body in any::<String>()) {
            let _ = Marker::read(&body).and_then(|m| m.record());
            let _ = Marker::read(&format!("{HEAD}kind=issue key=a state=b data={body}{TAIL}")).and_then(|m| m.record());
        }
    }
}
