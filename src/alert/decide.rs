//! The state machine: what a gate found, against the issues that are there.
//!
//! | found | the issue | what is done |
//! |---|---|---|
//! | a regression | none | it is opened, with at most so many others; the rest shares one |
//! | the same | open | nothing; a comment when a metric joins, the rise reaches another class, or it failed again while it recovered |
//! | the same | closed, recovered or by a person as done | reopened, unless the failing sweep's components are older than those that resolved it |
//! | the same | closed by a person as not planned | nothing until the rise reaches another class |
//! | all its metrics unchanged or improved | open | a comment; closed when enough sweeps said so |
//! | no data, or nothing sure | any | nothing |
//! | a host that cannot be judged | none, or open for another reason | it is opened, or a comment |
//! | a sweep accepted for its label `tollgate:accept` | open | closed |
//!
//! Issues of one key beside the oldest are closed as duplicates. The same result twice changes nothing the second time.

mod host;

use super::event::Event;
use super::finding::{Finding, Group, Subject, findings, mistrust, name_of};
use super::version::is_older;
use super::{AlertPolicy, Closing, Key, Phase, Record, Scope, ShownIssue, StateReason};
use crate::model::{GateResult, VerdictKind};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// What is to be judged.
#[derive(Debug, Clone, Copy)]
pub struct Situation<'a> {
    /// What the gate found.
    pub result: &'a GateResult,
    /// Our issues as the tracker shows them, of any host, open and closed.
    pub issues: &'a [ShownIssue],
    /// Whom to tell, and when to be silent.
    pub policy: &'a AlertPolicy,
    /// Now, for silences.
    pub now: DateTime<Utc>,
}

/// How the state of an issue changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Transition {
    /// There was none.
    Opened,
    /// These metrics joined it, or its rise reached another class.
    Worse {
        /// `workload/case/metric@environment`.
        joined: Vec<String>,
    },
    /// It failed again before enough sweeps had proved its recovery.
    FailedAgain,
    /// The host is not trusted for another reason than before.
    OtherTrouble,
    /// So many of the needed sweeps proved its recovery.
    Recovering {
        /// How many.
        sweeps: usize,
        /// Of how many.
        of: usize,
    },
    /// Enough sweeps proved it: closed.
    Recovered,
    /// A person accepted the new regime: closed.
    Accepted,
    /// It was closed and failed again.
    Reopened,
    /// An older one has the same key: closed.
    Duplicate {
        /// The older one.
        of: u64,
    },
}

impl Transition {
    /// A word for machines.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Worse { .. } => "worse",
            Self::FailedAgain => "failed-again",
            Self::OtherTrouble => "other-trouble",
            Self::Recovering { .. } => "recovering",
            Self::Recovered => "recovered",
            Self::Accepted => "accepted",
            Self::Reopened => "reopened",
            Self::Duplicate { .. } => "duplicate",
        }
    }

    /// As a record remembers it.
    fn in_short(&self) -> Self {
        match self {
            Self::Worse { .. } => Self::Worse { joined: Vec::new() },
            other => other.clone(),
        }
    }
}

/// What to do with one issue.
#[derive(Debug, Clone, PartialEq)]
pub struct Action<'a> {
    /// Which; none for a new one.
    pub number: Option<u64>,
    /// What happens to it.
    pub transition: Transition,
    /// What it remembers afterwards. Its phase says whether it is open.
    pub record: Record,
    /// What failed, the largest rise first; empty when it recovers.
    pub group: Group<'a>,
    /// Why the host is not trusted; only of [`Scope::Host`].
    pub trouble: Option<String>,
    /// Whether the issue had the label `tollgate:accept`.
    pub labelled: bool,
}

/// All that is to be done, and why the rest is not.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Decided<'a> {
    /// In the order in which it is to be done.
    pub actions: Vec<Action<'a>>,
    /// What was left unsaid, in sentences.
    pub silent: Vec<String>,
}

/// Decides.
pub fn decide<'a>(situation: &Situation<'a>) -> Decided<'a> {
    let mut machine = Machine::new(situation);
    machine.close_duplicates();
    machine.close_accepted();
    let trouble = mistrust(situation.result, situation.policy);
    machine.host(trouble.as_deref());
    if trouble.is_none() && situation.result.sweep.is_some() {
        machine.failing();
        machine.recovering();
    }
    machine.decided
}

struct Machine<'a> {
    situation: Situation<'a>,
    event: Event,
    /// When the judged sweep began, or the gate gave up.
    at: DateTime<Utc>,
    /// Issues of this host class and profile that are open and stay so, by number: the oldest of each key.
    open: BTreeMap<u64, ShownIssue>,
    /// Closed ones that were no duplicates.
    closed: Vec<ShownIssue>,
    decided: Decided<'a>,
}

impl<'a> Machine<'a> {
    fn new(situation: &Situation<'a>) -> Self {
        let result = situation.result;
        let here = |i: &&ShownIssue| {
            let key = &i.record.key;
            key.host_class == result.host_class && (key.profile == result.profile || key.scope == Scope::Host)
        };
        let (open, closed): (Vec<ShownIssue>, Vec<ShownIssue>) =
            situation.issues.iter().filter(here).cloned().partition(|i| i.open);
        let duplicate = |i: &ShownIssue| {
            i.record.phase == Phase::Closed(Closing::Duplicate) || i.reason == Some(StateReason::Duplicate)
        };
        Self {
            situation: *situation,
            event: Event::of(&result.changed),
            at: result.started_at.or(result.failed_at).unwrap_or(situation.now),
            open: open.into_iter().map(|i| (i.number, reopened_by_a_person(i))).collect(),
            closed: closed.into_iter().filter(|i| !duplicate(i)).collect(),
            decided: Decided::default(),
        }
    }

    fn act(&mut self, number: Option<u64>, transition: Transition, record: Record, group: Group<'a>) {
        self.push(Action { number, transition, record, group, trouble: None, labelled: false });
    }

    fn push(&mut self, action: Action<'a>) {
        let record = Record { transition: Some(action.transition.in_short()), ..action.record };
        let is_it = |i: &&ShownIssue| Some(i.number) == action.number;
        let labelled = self.situation.issues.iter().find(is_it).is_some_and(|i| i.accept);
        self.decided.actions.push(Action { record, labelled, ..action });
    }

    fn silent(&mut self, why: String) {
        self.decided.silent.push(why);
    }

    /// Closes an issue, and forgets it for the rest of this decision.
    fn close(&mut self, issue: &ShownIssue, transition: Transition, closing: Closing) {
        self.open.remove(&issue.number);
        let record = Record { phase: Phase::Closed(closing), ..issue.record.clone() };
        let record = match closing {
            Closing::Duplicate => record,
            _ => self.stamped(record),
        };
        self.act(Some(issue.number), transition, record, Vec::new());
    }

    /// With this result as the newest that it knows of.
    fn stamped(&self, record: Record) -> Record {
        Record {
            sweep: self.situation.result.sweep.clone(),
            at: self.at,
            components: self.situation.result.fingerprint.components.clone(),
            ..record
        }
    }

    /// Two runners may have opened one each at the same moment: the oldest stays.
    fn close_duplicates(&mut self) {
        let mut oldest: BTreeMap<String, u64> = BTreeMap::new();
        for issue in self.open.values().cloned().collect::<Vec<_>>() {
            let of = *oldest.entry(issue.record.key.identity()).or_insert(issue.number);
            if of != issue.number {
                self.close(&issue, Transition::Duplicate { of }, Closing::Duplicate);
            }
        }
    }

    /// What a person asked to accept, and this gate did.
    fn close_accepted(&mut self) {
        let asked: Vec<_> = self.open.values().filter(|i| i.accept).cloned().collect();
        let result = self.situation.result;
        for issue in asked {
            let granted = result.is_accepted() && result.accepted_issues.contains(&issue.number);
            if granted && self.at >= issue.record.at {
                self.close(&issue, Transition::Accepted, Closing::Accepted);
            } else {
                self.silent(format!(
                    "#{} is labelled tollgate:accept; the next sweep of {} in which nothing else is wrong closes it",
                    issue.number, result.host_class
                ));
            }
        }
    }

    fn key(&self, scope: Scope) -> Key {
        let result = self.situation.result;
        let event = if scope.is_drift() { Event::default() } else { self.event.clone() };
        Key { host_class: result.host_class.clone(), profile: result.profile.clone(), scope, event }
    }

    /// The record of an issue whose group failed in this result.
    fn failed(&self, key: Key, before: Option<&Record>, group: &Group) -> Record {
        let mut metrics = before.map(|r| r.metrics.clone()).unwrap_or_default();
        metrics.extend(group.iter().map(|f| f.name.clone()));
        let magnitude = group.iter().map(Finding::magnitude).max().unwrap_or(1);
        self.stamped(Record {
            key,
            phase: Phase::Open,
            metrics,
            magnitude: before.map_or(magnitude, |r| r.magnitude.max(magnitude)),
            recovered: BTreeSet::new(),
            sweep: None,
            at: self.at,
            components: BTreeMap::new(),
            trouble: None,
            transition: None,
        })
    }

    /// Every finding to the issue that knows it, or to one of its own.
    fn failing(&mut self) {
        let mut known: BTreeMap<u64, Group> = BTreeMap::new();
        let mut resolved: BTreeMap<u64, (ShownIssue, Group)> = BTreeMap::new();
        let mut fresh: BTreeMap<Scope, Group> = BTreeMap::new();
        for finding in self.heard() {
            if let Some(number) = self.issue_of(&finding) {
                known.entry(number).or_default().push(finding);
            } else if let Some(issue) = self.resolved_issue_of(&finding) {
                resolved.entry(issue.number).or_insert_with(|| (issue, Vec::new())).1.push(finding);
            } else {
                fresh.entry(finding.scope.clone()).or_default().push(finding);
            }
        }
        for (issue, group) in resolved.into_values() {
            self.failing_again(&issue, group);
        }
        let mut fresh: Vec<(Scope, Group)> = fresh.into_iter().collect();
        // The largest rises get the issues that may be opened.
        fresh.sort_by(|(_, a), (_, b)| largest(b).total_cmp(&largest(a)));
        let mut rest: Group = Vec::new();
        let mut opened = 0;
        for (scope, group) in fresh {
            let key = self.key(scope);
            if let Some(issue) = self.newest_closed(|i| self.is_again(i, &key)) {
                self.failing_again(&issue, group);
            } else if opened < self.situation.policy.max_new_issues {
                opened += 1;
                let record = self.failed(key, None, &group);
                self.act(None, Transition::Opened, record, group);
            } else {
                rest.extend(group);
            }
        }
        if let Some(number) = self.rest(rest.clone()) {
            known.entry(number).or_default().extend(rest);
        }
        for (number, group) in known {
            self.still_failing(number, group);
        }
    }

    /// The findings that nobody accepted and no silence covers.
    fn heard(&mut self) -> Vec<Finding<'a>> {
        let Situation { result, policy, now, .. } = self.situation;
        let (mut heard, mut silenced) = (Vec::new(), BTreeMap::<&str, usize>::new());
        for finding in findings(result) {
            if result.is_accepted() && matches!(finding.subject, Subject::Regression(_)) {
                // Accepted because a person asked for it: what it changed is the new regime.
                continue;
            }
            match policy.silence(finding.environment(), finding.family(), finding.metric(), now) {
                Some(silence) => *silenced.entry(silence.reason.as_str()).or_default() += 1,
                None => heard.push(finding),
            }
        }
        for (reason, number) in silenced {
            self.silent(format!("{number} silenced by the policy: {reason}"));
        }
        for over in policy.expired(now) {
            self.silent(format!(
                "a silence is over since {}: take it out of the policy: {}",
                over.until, over.reason
            ));
        }
        heard
    }

    /// The issue that knows a metric and that a person closed, when all that had changed then is changed still: what that
    /// person said of it holds although one component more has changed since.
    fn resolved_issue_of(&self, finding: &Finding) -> Option<ShownIssue> {
        let is_drift = finding.scope.is_drift();
        self.newest_closed(|i| {
            let record = &i.record;
            record.phase == Phase::Open
                && record.key.scope.is_drift() == is_drift
                && record.metrics.contains(&finding.name)
                && !record.key.event.is_none()
                && self.event.includes(&record.key.event)
        })
    }

    /// The open issue that a finding belongs to: one that knows the metric and whose cause may be the same, or one with
    /// its very key.
    fn issue_of(&self, finding: &Finding) -> Option<u64> {
        let key = self.key(finding.scope.clone());
        let same_kind = |i: &ShownIssue| i.record.key.scope.is_drift() == key.scope.is_drift();
        let knows = |i: &&ShownIssue| {
            let event = &i.record.key.event;
            let same_cause = self.event.is_none() || self.event.includes(event);
            same_kind(i) && i.record.metrics.contains(&finding.name) && same_cause
        };
        let joins =
            |i: &&ShownIssue| i.record.key == key || (self.event.is_none() && i.record.key.same_place(&key));
        let open = || self.open.values();
        open().find(knows).or_else(|| open().find(joins)).map(|i| i.number)
    }

    fn still_failing(&mut self, number: u64, group: Group<'a>) {
        let Some(issue) = self.open.remove(&number) else { return };
        if self.at < issue.record.at {
            return self.silent(format!("#{number} knows of a newer sweep than this one"));
        }
        let record = self.failed(issue.record.key.clone(), Some(&issue.record), &group);
        if record.state() == issue.state {
            return;
        }
        let joined: Vec<String> = record.metrics.difference(&issue.record.metrics).cloned().collect();
        let worse = !joined.is_empty() || record.magnitude > issue.record.magnitude;
        let transition = if worse || issue.record.recovered.is_empty() {
            Transition::Worse { joined }
        } else {
            Transition::FailedAgain
        };
        self.act(Some(number), transition, record, group);
    }

    /// Whether a closed issue was about what `key` is about now.
    fn is_again(&self, issue: &ShownIssue, key: &Key) -> bool {
        let recovered = issue.record.phase == Phase::Closed(Closing::Recovered);
        let closed_by_a_person = issue.record.phase == Phase::Open;
        let accepted = issue.record.phase == Phase::Closed(Closing::Accepted);
        // A rise from the regime that was accepted is another one.
        (issue.record.key == *key && !accepted)
            || (self.event.is_none() && (recovered || closed_by_a_person) && issue.record.key.same_place(key))
    }

    fn newest_closed(&self, fits: impl Fn(&ShownIssue) -> bool) -> Option<ShownIssue> {
        self.closed.iter().filter(|i| fits(i)).max_by_key(|i| (i.closed_at, i.number)).cloned()
    }

    /// A group whose issue is closed.
    fn failing_again(&mut self, issue: &ShownIssue, group: Group<'a>) {
        let (number, old) = (issue.number, &issue.record);
        let record = self.failed(old.key.clone(), Some(old), &group);
        let not_planned = issue.reason == Some(StateReason::NotPlanned);
        // A person may close an issue while the sweep that failed is the newest there is.
        let before = issue.closed_at.filter(|_| old.phase == Phase::Open).map_or(old.at, |at| at.max(old.at));
        let why = if self.at <= before {
            format!("#{number} was closed after this sweep began")
        } else if not_planned && record.magnitude <= old.magnitude {
            format!("#{number} was closed as not planned, and the rise is of the same class")
        } else if is_older(&record.components, &old.components) {
            format!("#{number} was resolved with newer components than those that failed here")
        } else {
            return self.act(Some(number), Transition::Reopened, record, group);
        };
        self.silent(why);
    }

    /// What is beyond the issues that one run may open goes into one more; the number of that, where it is open already.
    fn rest(&mut self, group: Group<'a>) -> Option<u64> {
        if group.is_empty() {
            return None;
        }
        let key = self.key(Scope::Rest);
        if let Some(issue) = self.open.values().find(|i| i.record.key == key) {
            return Some(issue.number);
        }
        if let Some(issue) = self.newest_closed(|i| i.record.key == key) {
            self.failing_again(&issue, group);
        } else {
            let record = self.failed(key, None, &group);
            self.act(None, Transition::Opened, record, group);
        }
        None
    }

    /// The issues whose metrics did not fail: those of which all are proven to be back.
    fn recovering(&mut self) {
        let Situation { result, policy, .. } = self.situation;
        let Some(sweep) = &result.sweep else { return };
        let kinds: BTreeMap<String, VerdictKind> =
            result.judgement.verdicts.iter().map(|v| (name_of(v), v.verdict)).collect();
        let drifting: BTreeSet<String> =
            findings(result).into_iter().filter(|f| f.scope.is_drift()).map(|f| f.name).collect();
        for issue in self.open.values().cloned().collect::<Vec<_>>() {
            let old = &issue.record;
            let back = |metric: &String| match (&old.key.scope, kinds.get(metric)) {
                (Scope::Drift { .. }, Some(kind)) => !drifting.contains(metric) && kind.is_compared(),
                (_, Some(kind)) => matches!(kind, VerdictKind::Unchanged | VerdictKind::Improved),
                (_, None) => false,
            };
            let newer = self.at > old.at && !old.recovered.contains(sweep);
            if old.metrics.is_empty() || !newer || !old.metrics.iter().all(back) {
                continue;
            }
            let mut record = self.stamped(old.clone());
            record.recovered.insert(sweep.clone());
            let (sweeps, of) = (record.recovered.len(), policy.recovered_sweeps);
            if sweeps >= of {
                record.phase = Phase::Closed(Closing::Recovered);
                self.act(Some(issue.number), Transition::Recovered, record, Vec::new());
            } else {
                self.act(Some(issue.number), Transition::Recovering { sweeps, of }, record, Vec::new());
            }
        }
    }
}

/// An issue that we closed and a person opened again begins anew: nothing of its recovery counts.
fn reopened_by_a_person(issue: ShownIssue) -> ShownIssue {
    if issue.record.phase == Phase::Open {
        return issue;
    }
    let record = Record { phase: Phase::Open, recovered: BTreeSet::new(), ..issue.record };
    ShownIssue { state: record.state(), record, ..issue }
}

fn largest(group: &Group) -> f64 {
    group.iter().map(|f| f.thresholds).fold(0.0, f64::max)
}
