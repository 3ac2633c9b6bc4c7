//! The journal: one JSON line a trial, appended when the trial has ended and synced between rounds, never while
//! a trial runs. What was measured survives whatever ends the sweep.

use super::plan::{CellSet, LeftOut, Rounds};
use crate::model::{EnvironmentName, Fingerprint, HostClass, HostCost, Latencies, Proof, SweepId};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use tollgate_agent::protocol::Usage;

/// First line of a journal: everything that makes the plan anew.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// [`crate::model::format::JOURNAL_FORMAT`].
    pub format: u32,
    /// Sweep.
    pub sweep: SweepId,
    /// Version of tollgate.
    pub tollgate: String,
    /// Host class.
    pub host_class: HostClass,
    /// Profile.
    pub profile: crate::workload::Profile,
    /// Memory of every environment, MiB.
    pub memory_mib: u32,
    /// Rounds.
    pub rounds: u32,
    /// Rounds of the cases that have another number: `workload/case` -> rounds.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub case_rounds: BTreeMap<String, u32>,
    /// Rounds run before the first counted one.
    pub warmup_rounds: u32,
    /// Seed.
    pub seed: u64,
    /// Workloads that take part.
    pub workloads: Vec<String>,
    /// Environments that take part.
    pub environments: Vec<EnvironmentName>,
    /// Environments that were wanted but are not available here: name, reason with remedy.
    pub unavailable: Vec<(EnvironmentName, String)>,
    /// Cells that are not measured although their environment takes part.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<LeftOut>,
    /// The only cells that are measured (native besides), by `workload/case`; all when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cells: Option<CellSet>,
    /// Digest of the plan.
    pub plan: String,
    /// Digest of the profile's parameters ([`super::plan::parameters`]).
    pub parameters: String,
    /// Digest of the bench image.
    pub bench_image: String,
    /// What the host is made of.
    pub fingerprint: Fingerprint,
    /// When the sweep began.
    pub started_at: DateTime<Utc>,
}

impl Header {
    /// The rounds of all cases.
    pub fn rounds(&self) -> Rounds {
        Rounds { nominal: self.rounds, cases: self.case_rounds.clone() }
    }
}

/// One trial.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrialRecord {
    /// Index of its block in the plan.
    pub block: usize,
    /// Workload and case, for people who read journals.
    pub case: String,
    /// Round, from 1.
    pub round: u32,
    /// Where.
    pub environment: EnvironmentName,
    /// Milliseconds since the start of this run of the sweep.
    pub at_ms: u64,
    /// One value a metric of the case, when it succeeded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub values: Option<Vec<f64>>,
    /// How its latencies are distributed, when its workload tells.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub latencies: Latencies,
    /// Why not, when it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    /// What its processes used, when it ran at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    /// What the host did meanwhile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<HostCost>,
}

/// One line of a journal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Line {
    /// The first line.
    Header(Box<Header>),
    /// A run of the sweep begins: the first, or one after an interruption.
    Run {
        /// When.
        at: DateTime<Utc>,
    },
    /// A trial has ended.
    Trial(TrialRecord),
    /// Claims were checked.
    Proofs(Vec<Proof>),
    /// A cell was given up; no more trials of it will come.
    GivenUp {
        /// `workload/case`.
        case: String,
        /// Where.
        environment: EnvironmentName,
        /// Why.
        reason: String,
    },
    /// What the started environments are, for the fingerprint's context: `accelerator` -> `tcg`.
    Facts(BTreeMap<String, String>),
    /// A part of the sweep has ended.
    Ended {
        /// Which.
        part: Part,
        /// Milliseconds since the start of this run.
        at_ms: u64,
    },
    /// The host was another one at the end than at the beginning: the sweep mixes two, and is none.
    Changed {
        /// When that was seen.
        at: DateTime<Utc>,
        /// What changed.
        why: String,
    },
    /// The sweep is complete.
    Finished {
        /// When.
        at: DateTime<Utc>,
        /// Milliseconds since the start of this run.
        at_ms: u64,
    },
}

/// Parts of a sweep, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// Environments are started and proven.
    Starting,
    /// Files are laid out, servers started.
    Preparing,
    /// Rounds that do not count.
    WarmingUp,
    /// Rounds that count.
    Measuring,
}

/// Why a journal cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The filesystem.
    #[error("journal {path}: {source}; what was written so far is kept")]
    Io {
        /// Which journal.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A line in the middle is damaged.
    #[error("journal {path}, line {line}: {why}; the journal is damaged and cannot be resumed")]
    Damaged {
        /// Which journal.
        path: PathBuf,
        /// Which line, from 1.
        line: usize,
        /// What is wrong.
        why: String,
    },
    /// Another version.
    #[error(
        "journal {path} has format {found}, this tollgate knows {known}; finish it with the version that began it"
    )]
    Format {
        /// Which journal.
        path: PathBuf,
        /// Its format.
        found: u64,
        /// Ours.
        known: u32,
    },
}

/// An open journal.
#[derive(Debug)]
pub struct Journal {
    file: File,
    path: PathBuf,
}

impl Journal {
    fn fail(path: &Path) -> impl FnOnce(io::Error) -> JournalError + '_ {
        |source| JournalError::Io { path: path.to_owned(), source }
    }

    /// Begins a journal; one of this name must not exist.
    pub fn create(path: &Path, header: Header) -> Result<Self, JournalError> {
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).map_err(Self::fail(path))?;
        }
        let file = OpenOptions::new().append(true).create_new(true).open(path).map_err(Self::fail(path))?;
        let mut journal = Self { file, path: path.to_owned() };
        journal.append(&Line::Header(Box::new(header)))?;
        journal.sync()?;
        Ok(journal)
    }

    /// Opens a journal to go on with it and returns what it holds. Half a last line is cut off.
    pub fn resume(path: &Path) -> Result<(Self, Recorded), JournalError> {
        let text = std::fs::read(path).map_err(Self::fail(path))?;
        let whole = text.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
        let recorded = Recorded::parse(path, &text[..whole])?;
        let file = OpenOptions::new().append(true).open(path).map_err(Self::fail(path))?;
        file.set_len(whole as u64).map_err(Self::fail(path))?;
        Ok((Self { file, path: path.to_owned() }, recorded))
    }

    /// Appends a line in one write.
    pub fn append(&mut self, line: &Line) -> Result<(), JournalError> {
        let mut text = serde_json::to_vec(line).map_err(|e| Self::fail(&self.path)(e.into()))?;
        text.push(b'\n');
        self.file.write_all(&text).map_err(Self::fail(&self.path))
    }

    /// Waits until everything is on the disk.
    pub fn sync(&mut self) -> Result<(), JournalError> {
        self.file.sync_data().map_err(Self::fail(&self.path))
    }
}

/// What a journal holds.
#[derive(Debug, Clone, PartialEq)]
pub struct Recorded {
    /// The header.
    pub header: Header,
    /// Everything else, in order.
    pub lines: Vec<Line>,
}

impl Recorded {
    /// Reads a journal without opening it for writing. Half a last line is left out.
    pub fn read(path: &Path) -> Result<Self, JournalError> {
        let text = std::fs::read(path).map_err(Journal::fail(path))?;
        let whole = text.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
        Self::parse(path, &text[..whole])
    }

    fn parse(path: &Path, text: &[u8]) -> Result<Self, JournalError> {
        let damaged = |line, why: String| JournalError::Damaged { path: path.to_owned(), line, why };
        let mut lines = text.split(|b| *b == b'\n').enumerate().filter(|(_, l)| !l.is_empty());
        let (_, first) = lines.next().ok_or_else(|| damaged(1, "there is no header".into()))?;
        let value: serde_json::Value =
            serde_json::from_slice(first).map_err(|e| damaged(1, e.to_string()))?;
        let known = crate::model::format::JOURNAL_FORMAT;
        match value["header"]["format"].as_u64() {
            Some(found) if found == u64::from(known) => {}
            Some(found) => return Err(JournalError::Format { path: path.to_owned(), found, known }),
            None => return Err(damaged(1, "the first line is no header".into())),
        }
        let Line::Header(header) = serde_json::from_value(value).map_err(|e| damaged(1, e.to_string()))?
        else {
            return Err(damaged(1, "the first line is no header".into()));
        };
        let lines = lines
            .map(|(i, l)| serde_json::from_slice(l).map_err(|e| damaged(i + 1, e.to_string())))
            .collect::<Result<_, _>>()?;
        Ok(Self { header: *header, lines })
    }

    /// The trials, in order.
    pub fn trials(&self) -> impl Iterator<Item = &TrialRecord> {
        self.lines.iter().filter_map(|l| if let Line::Trial(t) = l { Some(t) } else { None })
    }

    /// What changed on the host while it was measured, where that was seen at its end.
    pub fn changed(&self) -> Option<&str> {
        self.lines
            .iter()
            .find_map(|l| if let Line::Changed { why, .. } = l { Some(why.as_str()) } else { None })
    }

    /// When the sweep was completed.
    pub fn finished_at(&self) -> Option<DateTime<Utc>> {
        self.lines.iter().find_map(|l| if let Line::Finished { at, .. } = l { Some(*at) } else { None })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sweep::fixtures::{header, trial};
    use proptest::prelude::*;

    fn journal_text() -> (tempfile::TempDir, PathBuf, Vec<u8>) {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("j.jsonl");
        let mut journal = Journal::create(&path, header()).expect("created");
        for round in 1..=3 {
            journal.append(&Line::Trial(trial(0, round, "native", Some(1.5)))).expect("appended");
        }
        journal.sync().expect("synced");
        let text = std::fs::read(&path).expect("read");
        (dir, path, text)
    }

    #[test]
    fn what_was_appended_comes_back() {
        let (_dir, path, _) = journal_text();
        let (mut journal, recorded) = Journal::resume(&path).expect("resumed");
        assert_eq!(recorded.header, header());
        assert_eq!(recorded.trials().count(), 3);
        journal.append(&Line::Finished { at: Utc::now(), at_ms: 1 }).expect("appended");
        assert!(Recorded::read(&path).expect("read").finished_at().is_some());
        assert!(Journal::create(&path, header()).is_err(), "an existing journal is not overwritten");
    }

    #[test]
    fn chosen_cells_and_rounds_of_cases_come_back_and_are_not_written_where_there_are_none() {
        let text = serde_json::to_string(&header()).expect("text");
        assert!(!text.contains("case_rounds") && !text.contains("\"cells\""), "{text}");
        let docker = ["docker".parse().expect("a name")];
        let partial = Header {
            cells: Some([("test/a".to_owned(), docker.into())].into()),
            case_rounds: [("test/a".to_owned(), 7)].into(),
            ..header()
        };
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("j.jsonl");
        Journal::create(&path, partial.clone()).expect("created");
        assert_eq!(Recorded::read(&path).expect("read").header, partial);
    }

    #[test]
    fn damage_in_the_middle_and_another_format_are_named() {
        let (_dir, path, text) = journal_text();
        let damaged = String::from_utf8(text.clone()).expect("text").replacen("{\"trial\"", "{\"tri", 1);
        std::fs::write(&path, damaged).expect("written");
        let error = Journal::resume(&path).expect_err("damaged").to_string();
        assert!(error.contains("line 2"), "{error}");
        let other = String::from_utf8(text).expect("text").replacen("\"format\":2", "\"format\":99", 1);
        std::fs::write(&path, other).expect("written");
        assert!(matches!(Journal::resume(&path), Err(JournalError::Format { found: 99, .. })));
    }

    proptest! {
        #[test]
        fn a_journal_cut_anywhere_after_its_header_loses_at_most_the_last_trial(cut in 0_usize..10_000) {
            let (_dir, path, text) = journal_text();
            let header_end = text.iter().position(|b| *b == b'\n').expect("a line") + 1;
            let cut = header_end + cut % (text.len() - header_end + 1);
            std::fs::write(&path, &text[..cut]).expect("written");
            let (mut journal, recorded) = Journal::resume(&path).expect("resumed");
            let whole = text[header_end..cut].split(|b| *b == b'\n').count() - 1;
            prop_assert_eq!(recorded.trials().count(), whole);
            journal.append(&Line::Trial(trial(0, 9, "docker", None))).expect("appended");
            prop_assert_eq!(Recorded::read(&path).expect("read").trials().count(), whole + 1);
        }
    }
}
