//! Sequences of runs, faults and people against a tracker in memory: no two open issues of one key, nothing closed
//! without proof, nothing lost.

use super::fixtures::{at, judged, result, unmeasured, upgraded};
use super::*;
use crate::model::Family::{Database, Network};
use crate::model::{GateResult, Verdict, VerdictKind};
use proptest::prelude::*;
use std::collections::BTreeMap;

/// What is lost on the way to the tracker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    None,
    /// The write was not done, and the run ends.
    Before,
    /// It was done, but the run did not hear of it and ends.
    After,
}

/// What a sweep saw of each of two metrics.
#[derive(Debug, Clone, Copy)]
enum Seen {
    Failed(u8),
    Back,
    Unsure,
    Absent,
}

#[derive(Debug, Clone)]
enum Step {
    /// A sweep with these verdicts, with an engine that was upgraded or not; the fault hits the write of that number.
    Sweep {
        network: Seen,
        database: Seen,
        upgraded: bool,
        fault: Fault,
        write: usize,
    },
    /// Two runners decide on the same view, then both act.
    Race {
        network: Seen,
    },
    Unmeasured,
    /// A person closes the newest open issue.
    Close(StateReason),
    /// A person reopens the newest closed one.
    Reopen,
    /// The last result is delivered once more.
    Again,
}

fn seen() -> impl Strategy<Value = Seen> {
    prop_oneof![
        (1..4_u8).prop_map(Seen::Failed),
        Just(Seen::Back),
        Just(Seen::Back),
        Just(Seen::Unsure),
        Just(Seen::Absent)
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let fault = prop_oneof![3 => Just(Fault::None), 1 => Just(Fault::Before), 1 => Just(Fault::After)];
    prop_oneof![
        6 => (seen(), seen(), any::<bool>(), fault, 0..3_usize).prop_map(|(network, database, upgraded, fault, write)| {
            Step::Sweep { network, database, upgraded, fault, write }
        }),
        1 => seen().prop_map(|network| Step::Race { network }),
        1 => Just(Step::Unmeasured),
        1 => prop_oneof![Just(StateReason::NotPlanned), Just(StateReason::Completed)].prop_map(Step::Close),
        1 => Just(Step::Reopen),
        1 => Just(Step::Again),
    ]
}

#[derive(Default)]
struct World {
    issues: Vec<ShownIssue>,
    /// Who closed it last: us, or a person.
    ours: BTreeMap<u64, bool>,
    hour: i64,
}

impl World {
    fn do_it(&mut self, action: &Action) {
        let open = action.record.phase == Phase::Open;
        let number = action.number.unwrap_or(self.issues.len() as u64 + 1);
        let mut issue = fixtures::shown(number, action.record.clone());
        if !open {
            issue.open = false;
            let duplicate = action.record.phase == Phase::Closed(Closing::Duplicate);
            issue.reason = Some(if duplicate { StateReason::Duplicate } else { StateReason::Completed });
            issue.closed_at = Some(at(self.hour));
            self.ours.insert(number, true);
        }
        match action.number {
            None => self.issues.push(issue),
            Some(number) => self.issues[usize::try_from(number).expect("small") - 1] = issue,
        }
    }

    /// One run; the fault hits one of its writes. Says whether it came to its end.
    fn run(&mut self, result: &GateResult, fault: Fault, write: usize) -> bool {
        let before = self.issues.clone();
        let policy = AlertPolicy::default();
        let decided = decide(&Situation { result, issues: &before, policy: &policy, now: at(self.hour) });
        for (n, action) in decided.actions.iter().enumerate() {
            check_closing(action, result, &before);
            let hit = n == write && fault != Fault::None;
            if !(hit && fault == Fault::Before) {
                self.do_it(action);
            }
            if hit {
                return false;
            }
        }
        true
    }

    /// The run, repeated until it comes to its end, as the outbox does.
    fn deliver(&mut self, result: &GateResult, fault: Fault, write: usize) {
        if !self.run(result, fault, write) {
            assert!(self.run(result, Fault::None, 0));
        }
        let policy = AlertPolicy::default();
        let again = decide(&Situation { result, issues: &self.issues, policy: &policy, now: at(self.hour) });
        assert_eq!(again.actions, [], "the same result twice");
        let mut keys: Vec<String> =
            self.issues.iter().filter(|i| i.open).map(|i| i.record.key.to_string()).collect();
        let all = keys.len();
        keys.sort();
        keys.dedup();
        assert_eq!(keys.len(), all, "two open issues with one key");
        self.check_told(result);
    }

    /// Every regression that was found has an issue that knows it, open or closed by a person's will.
    fn check_told(&self, result: &GateResult) {
        let regressed = result.judgement.verdicts.iter().filter(|v| v.verdict == VerdictKind::Regressed);
        for name in regressed.map(finding::name_of) {
            let knows = |i: &&ShownIssue| i.record.metrics.contains(&name);
            let told = self.issues.iter().filter(knows).any(|i| {
                i.open || i.reason == Some(StateReason::NotPlanned) || i.closed_at >= result.started_at
            });
            assert!(told, "{name} is lost");
        }
    }
}

/// We close only what this very result proves to be back, or duplicates.
fn check_closing(action: &Action, result: &GateResult, before: &[ShownIssue]) {
    if action.record.phase != Phase::Closed(Closing::Recovered) || action.record.key.scope == Scope::Host {
        return;
    }
    let old = &before[usize::try_from(action.number.expect("it is there")).expect("small") - 1];
    assert!(old.open && old.record.recovered.len() + 1 >= 2);
    for metric in &old.record.metrics {
        let found = result.judgement.verdicts.iter().find(|v| finding::name_of(v) == *metric);
        let kind = found.map(|v| v.verdict);
        assert!(matches!(kind, Some(VerdictKind::Unchanged | VerdictKind::Improved)), "{metric}: {kind:?}");
    }
}

fn verdict(family: crate::model::Family, seen: Seen) -> Option<Verdict> {
    let case = family.as_str();
    let of = |kind, change| Some(judged(case, "docker+nat", family, kind, change));
    match seen {
        Seen::Failed(n) => of(VerdictKind::Regressed, 6.0 * f64::from(n)),
        Seen::Back => of(VerdictKind::Unchanged, 0.1),
        Seen::Unsure => of(VerdictKind::Inconclusive, 2.0),
        Seen::Absent => None,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn no_sequence_of_runs_faults_and_people_doubles_loses_or_closes_without_proof(
        steps in proptest::collection::vec(step(), 1..25)
    ) {
        let mut world = World::default();
        let mut last: Option<GateResult> = None;
        for step in steps {
            world.hour += 1;
            let hour = world.hour;
            let sweep = |network, database, new: bool| {
                let verdicts = [verdict(Network, network), verdict(Database, database)];
                let changed = if new { upgraded("26.1.5") } else { Vec::new() };
                result(hour, "26.1.5", changed, verdicts.into_iter().flatten().collect())
            };
            match step {
                Step::Sweep { network, database, upgraded, fault, write } => {
                    let result = sweep(network, database, upgraded);
                    world.deliver(&result, fault, write);
                    last = Some(result);
                }
                Step::Race { network } => {
                    let result = sweep(network, Seen::Absent, true);
                    let view = world.issues.clone();
                    let policy = AlertPolicy::default();
                    let decided = decide(&Situation { result: &result, issues: &view, policy: &policy, now: at(hour) });
                    for action in decided.actions.iter().chain(&decided.actions) {
                        world.do_it(action);
                    }
                    world.deliver(&result, Fault::None, 0);
                    last = Some(result);
                }
                Step::Unmeasured => {
                    let open: Vec<u64> = world.issues.iter().filter(|i| i.open).map(|i| i.number).collect();
                    world.run(&unmeasured(hour, "no engine"), Fault::None, 0);
                    prop_assert!(open.iter().all(|n| world.issues[usize::try_from(*n).expect("small") - 1].open));
                }
                Step::Close(reason) => {
                    if let Some(issue) = world.issues.iter_mut().rev().find(|i| i.open) {
                        (issue.open, issue.reason, issue.closed_at) = (false, Some(reason), Some(at(hour)));
                    }
                }
                Step::Reopen => {
                    let closed = |i: &&mut ShownIssue| !i.open && i.reason != Some(StateReason::Duplicate);
                    if let Some(issue) = world.issues.iter_mut().rev().find(closed) {
                        (issue.open, issue.reason, issue.closed_at) = (true, None, None);
                    }
                }
                Step::Again => {
                    if let Some(result) = &last {
                        world.run(result, Fault::None, 0);
                    }
                }
            }
        }
    }
}
