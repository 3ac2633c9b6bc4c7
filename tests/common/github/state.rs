//! What the fake knows: repositories and everything in them. Answers are built from it (`answer`), never kept.

use super::{answer::user_id, auth::Token, faults::Faults, limits::Limits, log::Request};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, HashMap};

pub type Time = DateTime<Utc>;

/// Everything, under one lock.
pub struct World {
    /// Base of the API, without a slash at the end.
    pub base: String,
    pub clock: Clock,
    pub repos: BTreeMap<String, Repo>,
    pub tokens: HashMap<String, Token>,
    pub app: App,
    pub limits: Limits,
    pub faults: Faults,
    pub log: Vec<Request>,
    pub violations: Vec<String>,
    /// What was created within this time is not in lists yet.
    pub lists_lag: TimeDelta,
    pub next_id: u64,
}

/// The time of the fake: the host's, moved forward by tests.
#[derive(Default)]
pub struct Clock {
    pub ahead: TimeDelta,
    pub frozen: Option<Time>,
}

/// The app that `POST /app/installations/{id}/access_tokens` knows.
pub struct App {
    pub id: u64,
    pub slug: String,
    pub public_key: Vec<u8>,
    /// Which repositories it is installed for, by the installation's number.
    pub installations: BTreeMap<u64, String>,
}

pub struct Repo {
    pub id: u64,
    pub owner: String,
    pub name: String,
    pub issues_enabled: bool,
    /// Whether workflows may open pull requests; GitHub's own default is no.
    pub actions_may_open_pulls: bool,
    pub collaborators: Vec<String>,
    pub created: Time,
    pub items: BTreeMap<u64, Item>,
    pub comments: BTreeMap<u64, Comment>,
    pub labels: Vec<Label>,
    pub checks: BTreeMap<u64, Check>,
    pub statuses: Vec<Status>,
    /// Full name (`refs/heads/main`) to the commit.
    pub refs: BTreeMap<String, String>,
    pub commits: BTreeMap<String, Commit>,
    pub runs: BTreeMap<u64, Run>,
    pub dispatches: Vec<Dispatch>,
}

/// An issue, or a pull request, which is an issue too.
#[derive(Debug, Clone)]
pub struct Item {
    pub id: u64,
    pub number: u64,
    pub title: String,
    pub body: Option<String>,
    pub author: Author,
    pub open: bool,
    pub state_reason: Option<String>,
    /// Names as the repository spells them.
    pub labels: Vec<String>,
    pub assignees: Vec<String>,
    pub created: Time,
    pub updated: Time,
    pub closed: Option<(Time, String)>,
    pub events: Vec<Event>,
    pub pull: Option<Pull>,
}

/// Who wrote something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Author {
    pub login: String,
    /// The slug of the app it was done through.
    pub app: Option<String>,
}

#[derive(Debug, Clone)]
pub struct Event {
    pub id: u64,
    pub at: Time,
    pub actor: Author,
    pub kind: EventKind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventKind {
    Labeled(String),
    Unlabeled(String),
    Closed(Option<String>),
    Reopened,
    Renamed { from: String, to: String },
}

#[derive(Debug, Clone)]
pub struct Comment {
    pub id: u64,
    pub issue: u64,
    pub author: Author,
    pub body: String,
    pub created: Time,
    pub updated: Time,
}

#[derive(Debug, Clone)]
pub struct Label {
    pub id: u64,
    pub name: String,
    pub color: String,
    pub description: Option<String>,
}

#[derive(Debug, Clone)]
pub struct Pull {
    /// Branch of the change.
    pub head: String,
    /// The owner of the fork that it comes from.
    pub fork: Option<String>,
    pub head_sha: String,
    pub base: String,
    pub draft: bool,
}

#[derive(Debug, Clone)]
pub struct Check {
    pub id: u64,
    pub app: String,
    pub head_sha: String,
    pub name: String,
    pub status: String,
    pub conclusion: Option<String>,
    pub details_url: Option<String>,
    pub external_id: Option<String>,
    pub started: Time,
    pub completed: Option<Time>,
    pub title: Option<String>,
    pub summary: Option<String>,
    pub text: Option<String>,
    /// Of all requests: each adds to those before.
    pub annotations: Vec<Value>,
}

#[derive(Debug, Clone)]
pub struct Status {
    pub id: u64,
    pub sha: String,
    pub state: String,
    pub context: String,
    pub description: Option<String>,
    pub target_url: Option<String>,
    pub creator: Author,
    pub created: Time,
}

#[derive(Debug, Clone)]
pub struct Commit {
    pub sha: String,
    pub parent: Option<String>,
    pub message: String,
    pub author: String,
    pub at: Time,
    pub files: BTreeMap<String, Vec<u8>>,
}

#[derive(Debug, Clone)]
pub struct Run {
    pub id: u64,
    pub workflow: String,
    /// What started it, such as `pull_request`.
    pub event: String,
    pub head_branch: String,
    pub head_sha: String,
    pub conclusion: String,
    pub created: Time,
    pub artifacts: Vec<(u64, String, u64)>,
}

/// A `repository_dispatch` or a `workflow_dispatch`.
#[derive(Debug, Clone)]
pub struct Dispatch {
    /// The event's type, or the workflow.
    pub name: String,
    /// The branch; a repository's dispatch has none.
    pub git_ref: Option<String>,
    pub payload: Value,
    pub sender: Author,
}

impl Clock {
    pub fn now(&self) -> Time {
        self.frozen.unwrap_or_else(Utc::now) + self.ahead
    }
}

impl World {
    pub fn id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    pub fn now(&self) -> Time {
        self.clock.now()
    }

    /// The repository of a request. GitHub's names know no case.
    pub fn repo_key(&self, owner: &str, name: &str) -> Option<String> {
        let wanted = format!("{owner}/{name}");
        self.repos.keys().find(|key| key.eq_ignore_ascii_case(&wanted)).cloned()
    }
}

impl Repo {
    pub fn new(full_name: &str, created: Time) -> Self {
        let (owner, name) = full_name.split_once('/').expect("owner/name");
        let mut repo = Self {
            id: user_id(full_name),
            owner: owner.to_owned(),
            name: name.to_owned(),
            issues_enabled: true,
            actions_may_open_pulls: true,
            collaborators: Vec::new(),
            created,
            items: BTreeMap::new(),
            comments: BTreeMap::new(),
            labels: Vec::new(),
            checks: BTreeMap::new(),
            statuses: Vec::new(),
            refs: BTreeMap::new(),
            commits: BTreeMap::new(),
            runs: BTreeMap::new(),
            dispatches: Vec::new(),
        };
        let files = BTreeMap::from([("README.md".to_owned(), b"# Of the fake\n".to_vec())]);
        let first = repo.commit(None, "Begin", owner, created, files);
        repo.refs.insert("refs/heads/main".into(), first);
        for (id, (name, color)) in
            (1..).zip([("bug", "d73a4a"), ("duplicate", "cfd3d7"), ("wontfix", "ffffff")])
        {
            let description = Some("made with the repository".to_owned());
            repo.labels.push(Label { id, name: name.into(), color: color.into(), description });
        }
        repo
    }

    pub fn full_name(&self) -> String {
        format!("{}/{}", self.owner, self.name)
    }

    /// Adds a commit; its name is a digest of what is in it.
    pub fn commit(
        &mut self,
        parent: Option<&str>,
        message: &str,
        author: &str,
        at: Time,
        files: BTreeMap<String, Vec<u8>>,
    ) -> String {
        let text = format!("{parent:?} {message} {author} {at:?} {} {files:?}", self.commits.len());
        let sha = hex(&text.into_bytes());
        let commit = Commit {
            sha: sha.clone(),
            parent: parent.map(str::to_owned),
            message: message.to_owned(),
            author: author.to_owned(),
            at,
            files,
        };
        self.commits.insert(sha.clone(), commit);
        sha
    }

    /// The commit that a branch, a tag, a full reference or an abbreviated SHA names.
    pub fn resolve(&self, name: &str) -> Option<&Commit> {
        let full = [
            name.to_owned(),
            format!("refs/{name}"),
            format!("refs/heads/{name}"),
            format!("refs/tags/{name}"),
        ];
        let named = full.iter().find_map(|n| self.refs.get(n));
        let by_sha = || {
            let mut found = self.commits.keys().filter(|sha| name.len() >= 7 && sha.starts_with(name));
            found.next().filter(|_| found.next().is_none())
        };
        self.commits.get(named.or_else(by_sha)?)
    }

    /// The label of that name, whatever its case.
    pub fn label(&self, name: &str) -> Option<&Label> {
        self.labels.iter().find(|l| l.name.to_lowercase() == name.to_lowercase())
    }

    /// The label as the repository spells it; made when it is not there, as GitHub does.
    pub fn label_or_new(&mut self, name: &str, id: u64) -> String {
        if let Some(label) = self.label(name) {
            return label.name.clone();
        }
        let label = Label { id, name: name.to_owned(), color: "ededed".into(), description: None };
        self.labels.push(label);
        name.to_owned()
    }

    /// What GitHub says of an author beside each text.
    pub fn association(&self, login: &str) -> &'static str {
        if login == self.owner {
            "OWNER"
        } else if self.collaborators.iter().any(|c| c == login) {
            "COLLABORATOR"
        } else {
            "NONE"
        }
    }

    pub fn next_number(&self) -> u64 {
        self.items.keys().next_back().map_or(1, |last| last + 1)
    }

    pub fn comments_of(&self, issue: u64) -> impl Iterator<Item = &Comment> {
        self.comments.values().filter(move |c| c.issue == issue)
    }

    /// The commit at the head of a pull request.
    pub fn head_of<'a>(&'a self, pull: &'a Pull) -> &'a str {
        let moved = self.refs.get(&format!("refs/heads/{}", pull.head)).filter(|_| pull.fork.is_none());
        moved.unwrap_or(&pull.head_sha)
    }

    /// Whether a commit is `other` or comes after it.
    pub fn descends(&self, sha: &str, other: &str) -> bool {
        let mut at = Some(sha);
        while let Some(sha) = at {
            if sha == other {
                return true;
            }
            at = self.commits.get(sha).and_then(|c| c.parent.as_deref());
        }
        false
    }
}

/// A name like git's: 40 hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    Sha256::digest(bytes).iter().take(20).fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
