//! The state machine: what is offered, against the issues that are there.
//!
//! | offered | the issue | what is done |
//! |---|---|---|
//! | something | none | it is opened |
//! | the same | open | nothing |
//! | a version that it does not have | open | edited, with a comment |
//! | anything else that differs | open | edited |
//! | nothing more | open | a comment, and closed |
//! | something | closed by us, or by a person as done | reopened |
//! | nothing that it does not have | closed by a person as not planned | nothing |
//! | a version that it does not have | closed by a person as not planned | reopened |
//!
//! Open ones beside the oldest are closed as duplicates. The same statement twice changes nothing the second time.

use super::{Memory, Phase, Shown, Statement, offered};
use crate::alert::StateReason;
use crate::model::Component;
use crate::watch::Candidate;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// How the state of the issue changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Transition {
    /// There was none.
    Opened,
    /// A version is offered that was not.
    Joined,
    /// Something else differs: edited, and nothing is said.
    Edited,
    /// It was closed, and something is offered.
    Reopened,
    /// Nothing is left: closed.
    Closed,
    /// An older one says the same: closed.
    Duplicate {
        /// The older one.
        of: u64,
    },
}

impl Transition {
    /// A word for machines.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Joined => "joined",
            Self::Edited => "edited",
            Self::Reopened => "reopened",
            Self::Closed => "closed",
            Self::Duplicate { .. } => "duplicate",
        }
    }

    /// Whether people are told beyond what the body says.
    pub fn is_news(self) -> bool {
        self != Self::Edited
    }
}

/// What to do with one issue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Action {
    /// Which; none for a new one.
    pub number: Option<u64>,
    /// What happens to it.
    pub transition: Transition,
    /// What it remembers afterwards. Its phase says whether it is open.
    pub memory: Memory,
    /// Candidates that it did not have.
    pub joined: Vec<Candidate>,
    /// What became of those that it has no more.
    pub left: Vec<Left>,
}

/// A candidate that is none any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Left {
    /// It.
    pub candidate: Candidate,
    /// What the host has of the component now, where that is another version than before; none where it was not
    /// upgraded but is not offered any more.
    pub now: Option<String>,
}

/// All that is to be done, and why the rest is not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Decided {
    /// In the order in which it is to be done.
    pub actions: Vec<Action>,
    /// What was left unsaid, in sentences.
    pub silent: Vec<String>,
}

/// Decides.
pub fn decide(statement: &Statement, shown: &[Shown]) -> Decided {
    let mut decided = Decided::default();
    let ours = shown.iter().filter(|i| i.memory.host_class == statement.host_class);
    let (mut open, closed): (Vec<&Shown>, Vec<&Shown>) = ours.partition(|i| i.open);
    open.sort_by_key(|i| i.number);
    let is_duplicate =
        |i: &&&Shown| i.memory.phase == Phase::Duplicate || i.reason == Some(StateReason::Duplicate);
    let last = closed.iter().filter(|i| !is_duplicate(i)).max_by_key(|i| i.number).copied();
    for other in open.iter().skip(1) {
        let transition = Transition::Duplicate { of: open[0].number };
        let memory = Memory { phase: Phase::Duplicate, transition, ..other.memory.clone() };
        decided.actions.push(act(Some(other), transition, Memory { at: statement.at, ..memory }));
    }
    let standing = open.first().copied().or(last);
    let now = remembered(statement, standing);
    let nothing = now.candidates.is_empty();
    match (open.first(), last) {
        (Some(issue), _) if nothing && issue.memory.phase == Phase::Open => {
            let candidates = issue.memory.candidates.clone();
            let closed = Memory { phase: Phase::Closed, candidates, ..now };
            decided.actions.push(act(Some(issue), Transition::Closed, closed));
        }
        (Some(issue), _) if nothing => {
            decided
                .silent
                .push(format!("#{} was opened again by a person, and nothing is offered", issue.number));
        }
        (Some(issue), _) if now.state() == issue.memory.state() => {}
        (Some(issue), _) => {
            let is_new = !now.offered().is_subset(&issue.memory.offered());
            let transition = if is_new { Transition::Joined } else { Transition::Edited };
            decided.actions.push(act(Some(issue), transition, now));
        }
        (None, _) if nothing => {}
        (None, Some(issue)) => {
            let known = now.offered().is_subset(&issue.memory.offered());
            if known && issue.reason == Some(StateReason::NotPlanned) {
                let number = issue.number;
                decided
                    .silent
                    .push(format!("#{number} was closed as not planned, and nothing new is offered"));
            } else {
                decided.actions.push(act(Some(issue), Transition::Reopened, now));
            }
        }
        (None, None) => decided.actions.push(act(None, Transition::Opened, now)),
    }
    decided
}

/// What an issue would remember of this statement, were it open: what is offered now, and of the sources that were not heard
/// what they offered before. A component that the host does not have at this moment is one whose engine is stopped, or is
/// being upgraded: what is offered for it stays, too.
fn remembered(statement: &Statement, before: Option<&Shown>) -> Memory {
    let stands = before.filter(|i| i.open && i.memory.phase == Phase::Open);
    let kept = stands.into_iter().flat_map(|i| &i.memory.candidates);
    let is_known = |c: &&Candidate| {
        !statement.unheard.contains(&c.source) && statement.components.contains_key(&c.component)
    };
    let kept = kept.filter(|c| !is_known(c));
    let mut candidates: Vec<Candidate> = statement.candidates.iter().chain(kept).cloned().collect();
    candidates
        .sort_by(|a, b| (a.component, &a.source, &a.offered).cmp(&(b.component, &b.source, &b.offered)));
    candidates.dedup_by(|a, b| (a.component, &a.source, &a.offered) == (b.component, &b.source, &b.offered));
    Memory {
        host_class: statement.host_class.clone(),
        phase: Phase::Open,
        candidates,
        components: statement.components.clone(),
        at: statement.at,
        transition: Transition::Opened,
    }
}

fn act(issue: Option<&Shown>, transition: Transition, memory: Memory) -> Action {
    let before = issue.map(|i| &i.memory);
    let is_open = memory.phase == Phase::Open;
    let now = if is_open { offered(&memory.candidates) } else { BTreeSet::new() };
    let had = before.map(Memory::offered).unwrap_or_default();
    let is_known = |c: &&Candidate| had.contains(&(c.component, c.offered.as_str()));
    let joined = memory.candidates.iter().filter(|c| is_open && !is_known(c)).cloned().collect();
    let gone = before.into_iter().flat_map(|m| &m.candidates);
    let gone = gone.filter(|c| !now.contains(&(c.component, c.offered.as_str())));
    let version = |of: &BTreeMap<Component, String>, c: &Candidate| of.get(&c.component).cloned();
    let left = gone.map(|c| {
        let was = before.and_then(|m| version(&m.components, c));
        Left {
            candidate: c.clone(),
            now: version(&memory.components, c).filter(|now| Some(now) != was.as_ref()),
        }
    });
    let left = left.collect();
    Action {
        number: issue.map(|i| i.number),
        transition,
        memory: Memory { transition, ..memory },
        joined,
        left,
    }
}
