//! The issue about the host itself.

use super::{Action, Machine, Transition};
use crate::alert::finding::findings;
use crate::alert::{Closing, Event, Key, Record, Scope, ShownIssue, StateReason, digest};

impl Machine<'_> {
    /// Opens, keeps or closes the issue about the host itself. A host class has one: a host in trouble is one cause,
    /// whatever was upgraded and whatever profile met it. What cannot be judged in one profile is not over because another can.
    pub(super) fn host(&mut self, trouble: Option<&str>) {
        let standing = self.open.values().find(|i| i.record.key.scope == Scope::Host).cloned();
        let result = self.situation.result;
        match (trouble, standing) {
            (None, Some(issue)) => {
                let here = issue.record.key.profile == result.profile;
                if here && result.sweep.is_some() && self.at > issue.record.at {
                    self.close(&issue, Transition::Recovered, Closing::Recovered);
                }
            }
            (Some(why), Some(issue)) => {
                let record = self.troubled(issue.record.key.clone(), why);
                if self.at > issue.record.at && record.trouble != issue.record.trouble {
                    self.tell(Some(issue.number), Transition::OtherTrouble, record, why);
                }
            }
            (Some(why), None) => self.in_trouble(why),
            (None, None) => {}
        }
        if trouble.is_some() && !findings(result).is_empty() {
            self.silent(format!("the findings of this result: {} is not trusted", result.host_class));
        }
    }

    /// No issue about it is open.
    fn in_trouble(&mut self, why: &str) {
        let last = self.newest_closed(|i: &ShownIssue| i.record.key.scope == Scope::Host);
        match last {
            Some(issue) if issue.reason == Some(StateReason::NotPlanned) => {
                self.silent(format!("{}: closed as not planned (#{})", issue.record.key, issue.number));
            }
            Some(issue) if issue.record.at >= self.at => {}
            Some(issue) => {
                // It is this profile that has to be judged again now.
                let key = Key { profile: self.situation.result.profile.clone(), ..issue.record.key };
                let record = self.troubled(key, why);
                self.tell(Some(issue.number), Transition::Reopened, record, why);
            }
            None => {
                let key = Key { event: Event::default(), ..self.key(Scope::Host) };
                let record = self.troubled(key, why);
                self.tell(None, Transition::Opened, record, why);
            }
        }
    }

    /// Numbers, sweeps and paths with them differ each time; the rest of the sentence says whether it is the same trouble.
    fn troubled(&self, key: Key, why: &str) -> Record {
        let has_digit = |word: &&str| word.bytes().any(|b| b.is_ascii_digit());
        let words: Vec<&str> = why.split_whitespace().filter(|w| !has_digit(w)).collect();
        Record { trouble: Some(digest(words.join(" "), 4)), ..self.failed(key, None, &Vec::new()) }
    }

    fn tell(&mut self, number: Option<u64>, transition: Transition, record: Record, why: &str) {
        let trouble = Some(why.to_owned());
        self.push(Action { number, transition, record, group: Vec::new(), trouble, labelled: false });
    }
}
