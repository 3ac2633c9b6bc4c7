//! Each row of the table in [`super::decide`].

use super::fixtures::{at, judged, record, result, shown, unmeasured, upgraded};
use super::*;
use crate::model::Family::{Database, Disk, Network};
use crate::model::VerdictKind::{Improved, Inconclusive, MeasurementFailed, Missing, Regressed, Unchanged};
use crate::model::{Drift, DriftKind, FalseAlarms, GateResult, SelfTest, Verdict};

fn deciding<'a>(result: &'a GateResult, issues: &'a [ShownIssue], policy: &'a AlertPolicy) -> Decided<'a> {
    decide(&Situation { result, issues, policy, now: at(1000) })
}

/// What happens to which issue.
fn said(result: &GateResult, issues: &[ShownIssue]) -> Vec<(Option<u64>, Transition)> {
    let policy = AlertPolicy::default();
    deciding(result, issues, &policy).actions.into_iter().map(|a| (a.number, a.transition)).collect()
}

fn nat(kind: crate::model::VerdictKind, change: f64) -> Verdict {
    judged("get", "docker+nat", Network, kind, change)
}

fn regressed(n: i64) -> GateResult {
    result(n, "26.1.5", upgraded("26.1.5"), vec![nat(Regressed, 7.0)])
}

fn closed(issue: ShownIssue, reason: StateReason, n: i64) -> ShownIssue {
    ShownIssue { open: false, reason: Some(reason), closed_at: Some(at(n)), ..issue }
}

/// As it is once the machine has acted on it.
fn after(number: u64, result: &GateResult, issues: &[ShownIssue]) -> ShownIssue {
    let policy = AlertPolicy::default();
    let decided = deciding(result, issues, &policy);
    let action = decided.actions.into_iter().next().expect("an action");
    let open = action.record.phase == Phase::Open;
    let issue = shown(number, action.record);
    if open { issue } else { closed(issue, StateReason::Completed, result.started_at.map_or(0, |_| 900)) }
}

#[test]
fn a_regression_opens_one_issue_for_each_environment_and_family() {
    let verdicts = vec![
        nat(Regressed, 7.0),
        judged("set", "docker+nat", Network, Regressed, 9.0),
        judged("get", "docker+nat", Database, Regressed, 6.0),
        judged("get", "docker", Network, Unchanged, 0.1),
    ];
    let result = result(5, "26.1.5", upgraded("26.1.5"), verdicts);
    let policy = AlertPolicy::default();
    let decided = deciding(&result, &[], &policy);
    let opened: Vec<(String, usize)> =
        decided.actions.iter().map(|a| (a.record.key.scope.to_string(), a.group.len())).collect();
    assert_eq!(opened, [("docker+nat/network".to_owned(), 2), ("docker+nat/database".to_owned(), 1)]);
    assert!(decided.actions.iter().all(|a| a.transition == Transition::Opened && a.number.is_none()));
}

#[test]
fn the_same_again_changes_nothing_also_with_other_numbers_and_one_upgrade_more() {
    let open = [after(7, &regressed(5), &[])];
    assert_eq!(said(&regressed(5), &open), []);
    let other = result(6, "26.1.6", upgraded("26.1.6"), vec![nat(Regressed, 8.5)]);
    assert_eq!(said(&other, &open), []);
}

#[test]
fn a_metric_that_joins_and_a_larger_class_are_news() {
    let open = [after(7, &regressed(5), &[])];
    let more = vec![nat(Regressed, 7.0), judged("set", "docker+nat", Network, Regressed, 9.0)];
    let joined = Transition::Worse { joined: vec!["redis/set/requests@docker+nat".into()] };
    assert_eq!(said(&result(6, "26.1.5", upgraded("26.1.5"), more), &open), [(Some(7), joined)]);
    let larger = result(6, "26.1.5", upgraded("26.1.5"), vec![nat(Regressed, 12.0)]);
    assert_eq!(said(&larger, &open), [(Some(7), Transition::Worse { joined: vec![] })]);
}

#[test]
fn another_event_is_another_cause_but_what_an_issue_knows_stays_with_it() {
    let open = [after(7, &regressed(5), &[])];
    let kernel = |verdicts| {
        let mut changed = upgraded("26.1.5");
        let component = crate::model::Component::Kernel;
        let (before, after) = (Some("6.1".to_owned()), Some("6.12".to_owned()));
        changed.push(crate::model::Change { component, before, after });
        result(6, "26.1.5", changed, verdicts)
    };
    assert_eq!(said(&kernel(vec![nat(Regressed, 7.0)]), &open), []);
    let new = kernel(vec![nat(Regressed, 7.0), judged("set", "docker+nat", Network, Regressed, 9.0)]);
    assert_eq!(said(&new, &open), [(None, Transition::Opened)]);
    let from_another_regime = result(6, "28.5.2", Vec::new(), vec![nat(Regressed, 7.0)]);
    assert_eq!(said(&from_another_regime, &open), [], "the regime moved and it still fails");
}

#[test]
fn two_proven_sweeps_close_it_and_nothing_less_does() {
    let open = [after(7, &regressed(5), &[])];
    let back = |n, kind| result(n, "26.1.5", Vec::new(), vec![nat(kind, 0.2)]);
    for unsure in [Inconclusive, MeasurementFailed, Missing] {
        assert_eq!(said(&back(6, unsure), &open), [], "{unsure:?}");
    }
    assert_eq!(said(&result(6, "26.1.5", Vec::new(), vec![]), &open), [], "not measured at all");
    assert_eq!(said(&back(4, Unchanged), &open), [], "an older sweep");
    let once = [after(7, &back(6, Unchanged), &open)];
    assert_eq!(said(&back(6, Unchanged), &open), [(Some(7), Transition::Recovering { sweeps: 1, of: 2 })]);
    assert_eq!(said(&back(6, Unchanged), &once), [], "the same sweep counts once");
    assert_eq!(said(&back(7, Improved), &once), [(Some(7), Transition::Recovered)]);
    assert_eq!(said(&regressed(7), &once), [(Some(7), Transition::FailedAgain)]);
}

#[test]
fn a_relapse_reopens_and_older_components_do_not() {
    let open = [after(7, &regressed(5), &[])];
    let back = |n| result(n, "26.1.6", Vec::new(), vec![nat(Unchanged, 0.2)]);
    let once = [after(7, &back(6), &open)];
    let over = [after(7, &back(7), &once)];
    assert_eq!(over[0].record.phase, Phase::Closed(Closing::Recovered));
    assert_eq!(said(&back(8), &over), []);
    let relapse = |n, engine, changed| result(n, engine, changed, vec![nat(Regressed, 7.0)]);
    assert_eq!(said(&relapse(9, "26.1.6", Vec::new()), &over), [(Some(7), Transition::Reopened)]);
    assert_eq!(said(&relapse(9, "26.1.7", Vec::new()), &over), [(Some(7), Transition::Reopened)]);
    assert_eq!(said(&relapse(9, "26.1.5", upgraded("26.1.5")), &over), [], "resolved with a newer engine");
    assert_eq!(said(&relapse(6, "26.1.6", Vec::new()), &over), [], "a sweep from before");
    let next =
        upgraded("28.5.2").into_iter().map(|c| crate::model::Change { before: Some("26.1.6".into()), ..c });
    let next = result(9, "28.5.2", next.collect(), vec![nat(Regressed, 7.0)]);
    assert_eq!(said(&next, &over), [(None, Transition::Opened)], "another upgrade is another cause");
}

#[test]
fn what_a_person_opens_again_needs_its_sweeps_anew() {
    let open = [after(7, &regressed(5), &[])];
    let back = |n| result(n, "26.1.5", Vec::new(), vec![nat(Unchanged, 0.2)]);
    let once = [after(7, &back(6), &open)];
    let over = after(7, &back(7), &once);
    let again = [ShownIssue { open: true, reason: None, closed_at: None, ..over }];
    assert_eq!(said(&back(8), &again), [(Some(7), Transition::Recovering { sweeps: 1, of: 2 })]);
    assert_eq!(said(&regressed(8), &again), [], "it says so already");
}

#[test]
fn not_planned_is_silent_until_the_class_rises() {
    let issue = closed(after(7, &regressed(5), &[]), StateReason::NotPlanned, 6);
    assert_eq!(said(&regressed(8), std::slice::from_ref(&issue)), []);
    let larger = result(8, "26.1.5", upgraded("26.1.5"), vec![nat(Regressed, 21.0)]);
    assert_eq!(said(&larger, &[issue]), [(Some(7), Transition::Reopened)]);
}

#[test]
fn not_planned_holds_although_one_component_more_changes() {
    let issue = closed(after(7, &regressed(5), &[]), StateReason::NotPlanned, 6);
    let kernel = crate::model::Change {
        component: crate::model::Component::Kernel,
        before: Some("6.1".into()),
        after: Some("6.12".into()),
    };
    let both: Vec<_> = upgraded("26.1.5").into_iter().chain([kernel.clone()]).collect();
    let again = result(8, "26.1.5", both.clone(), vec![nat(Regressed, 7.0)]);
    assert_eq!(said(&again, std::slice::from_ref(&issue)), []);
    let worse = result(8, "26.1.5", both.clone(), vec![nat(Regressed, 31.0)]);
    assert_eq!(said(&worse, std::slice::from_ref(&issue)), [(Some(7), Transition::Reopened)]);
    let other = judged("set", "docker+nat", Network, Regressed, 7.0);
    let more = result(8, "26.1.5", both, vec![nat(Regressed, 7.0), other.clone()]);
    assert_eq!(
        said(&more, std::slice::from_ref(&issue)),
        [(None, Transition::Opened)],
        "of another metric it says nothing"
    );
    let only_kernel = result(8, "20.10.24", vec![kernel], vec![nat(Regressed, 7.0)]);
    assert_eq!(
        said(&only_kernel, &[issue]),
        [(None, Transition::Opened)],
        "what changed then is back: another cause"
    );
}

#[test]
fn closed_as_done_by_a_person_is_reopened_by_a_later_sweep_only() {
    let issue = closed(after(7, &regressed(5), &[]), StateReason::Completed, 8);
    assert_eq!(said(&regressed(7), std::slice::from_ref(&issue)), []);
    assert_eq!(said(&regressed(9), &[issue]), [(Some(7), Transition::Reopened)]);
}

#[test]
fn the_oldest_of_two_with_one_key_stays() {
    let issue = after(7, &regressed(5), &[]);
    let twin = ShownIssue { number: 9, ..issue.clone() };
    let back = result(6, "26.1.5", Vec::new(), vec![nat(Unchanged, 0.2)]);
    let duplicate = (Some(9), Transition::Duplicate { of: 7 });
    let both = [twin, issue];
    assert_eq!(said(&regressed(6), &both), std::slice::from_ref(&duplicate));
    let recovering = (Some(7), Transition::Recovering { sweeps: 1, of: 2 });
    assert_eq!(said(&back, &both), [duplicate, recovering]);
}

#[test]
fn an_accepted_sweep_closes_what_a_person_labelled() {
    let asked = ShownIssue { accept: true, ..after(7, &regressed(5), &[]) };
    let unheard =
        deciding(&regressed(6), std::slice::from_ref(&asked), &AlertPolicy::default()).silent.join("");
    assert!(unheard.contains("#7 is labelled tollgate:accept"), "{unheard}");
    let baseline = Some("accepted as baseline: a file, by the label tollgate:accept on #7".to_owned());
    let accepted = GateResult { baseline: baseline.clone(), accepted_issues: vec![7], ..regressed(6) };
    assert_eq!(said(&accepted, std::slice::from_ref(&asked)), [(Some(7), Transition::Accepted)]);
    let for_another = GateResult { baseline, accepted_issues: vec![9], ..regressed(6) };
    assert_eq!(said(&for_another, std::slice::from_ref(&asked)), [], "accepted for another reason");
    let done = [after(7, &accepted, &[asked])];
    let relapse = result(9, "26.1.5", Vec::new(), vec![nat(Regressed, 7.0)]);
    assert_eq!(
        said(&relapse, &done),
        [(None, Transition::Opened)],
        "a rise from the new regime is a new one"
    );
    let same_key = result(9, "26.1.5", upgraded("26.1.5"), vec![nat(Regressed, 7.0)]);
    assert_eq!(said(&same_key, &done), [(None, Transition::Opened)], "also with the same key");
}

#[test]
fn a_flood_opens_five_issues_and_one_for_the_rest_which_knows_it_later() {
    let environments = ["docker", "docker+nat", "docker+layer", "docker+unconfined"];
    let verdicts: Vec<Verdict> = environments
        .iter()
        .flat_map(|e| [Network, Disk].map(|family| judged("get", e, family, Regressed, 7.0)))
        .collect();
    let flood = result(5, "26.1.5", upgraded("26.1.5"), verdicts);
    // Names tell metrics apart, whatever their family: these pairs share one.
    let policy = AlertPolicy { max_new_issues: 2, ..AlertPolicy::default() };
    let decided = deciding(&flood, &[], &policy);
    let scopes: Vec<String> = decided.actions.iter().map(|a| a.record.key.scope.to_string()).collect();
    assert_eq!((scopes.len(), scopes.last().map(String::as_str)), (3, Some("rest")));
    assert_eq!(decided.actions.iter().map(|a| a.group.len()).sum::<usize>(), 8);
    let issues: Vec<ShownIssue> =
        (1..).zip(&decided.actions).map(|(n, a)| shown(n, a.record.clone())).collect();
    assert_eq!(deciding(&flood, &issues, &policy).actions, []);
}

#[test]
fn a_whole_environment_is_one_issue() {
    let common = |case, family| Verdict { common: true, ..judged(case, "docker", family, Regressed, 9.0) };
    let all = vec![common("get", Network), common("set", Disk), common("del", Database)];
    let result = result(5, "26.1.5", upgraded("26.1.5"), all);
    let policy = AlertPolicy::default();
    let decided = deciding(&result, &[], &policy);
    let [action] = &decided.actions[..] else { panic!("{decided:?}") };
    assert_eq!((action.record.key.scope.to_string(), action.group.len()), ("docker/whole".into(), 3));
}

#[test]
fn a_silence_covers_until_its_day_is_over() {
    let policy: AlertPolicy = toml::from_str(
        "[[silence]]\nenvironment = \"docker+nat\"\nuntil = \"2026-11-30\"\nreason = \"new switch\"\n",
    )
    .expect("readable");
    let result = regressed(5);
    let on = |now| decide(&Situation { result: &result, issues: &[], policy: &policy, now });
    let silent = on("2026-11-30T23:00:00Z".parse().expect("a time"));
    assert!(silent.actions.is_empty() && silent.silent[0].contains("new switch"), "{silent:?}");
    assert_eq!(on("2026-12-01T00:00:00Z".parse().expect("a time")).actions.len(), 1);
}

#[test]
fn a_host_that_cannot_measure_has_one_issue_and_closes_no_other() {
    let open = after(7, &regressed(5), &[]);
    let down = unmeasured(6, "no Docker engine answers");
    assert_eq!(said(&down, std::slice::from_ref(&open)), [(None, Transition::Opened)]);
    let policy = AlertPolicy::default();
    let decided = deciding(&down, std::slice::from_ref(&open), &policy);
    assert_eq!(decided.actions[0].trouble.as_deref(), Some("no Docker engine answers"));
    let host = shown(8, decided.actions[0].record.clone());
    assert_eq!(host.record.at, at(6), "when the gate gave up, not when it was told");
    let both = [open, host];
    assert_eq!(said(&unmeasured(7, "no Docker engine answers"), &both), []);
    assert_eq!(said(&unmeasured(7, "the disk is full"), &both), [(Some(8), Transition::OtherTrouble)]);
    let full =
        |n, tail| unmeasured(n, &format!("/s/journals/20261125T{tail}.jsonl: no space left, 3 MiB free"));
    let full_disk = [after(8, &full(6, "010000Z-3fa2c1"), &[])];
    assert_eq!(said(&full(7, "020000Z-bed001"), &full_disk), [], "the same, of another sweep");
    assert_eq!(said(&unmeasured(5, "the disk is full"), &both), [], "an older outage");
    assert_eq!(said(&regressed(8), &both), [(Some(8), Transition::Recovered)]);
}

#[test]
fn a_host_has_one_issue_for_all_profiles_and_the_one_that_failed_must_be_judged_again() {
    let down = unmeasured(6, "no Docker engine answers");
    let open = [after(8, &down, &[])];
    let smoke = |result: GateResult| GateResult { profile: "smoke".into(), ..result };
    assert_eq!(said(&smoke(unmeasured(7, "no Docker engine answers")), &open), [], "one cause, one issue");
    assert_eq!(said(&smoke(result(8, "26.1.5", Vec::new(), vec![nat(Unchanged, 0.1)])), &open), []);
    let back = result(9, "26.1.5", Vec::new(), vec![nat(Unchanged, 0.1)]);
    assert_eq!(said(&back, &open), [(Some(8), Transition::Recovered)]);
    let over = [after(8, &back, &open)];
    assert_eq!(said(&smoke(unmeasured(10, "no engine")), &over), [(Some(8), Transition::Reopened)]);
}

#[test]
fn outages_are_told_apart_by_their_time() {
    let notice = |n| super::payload::delivery(&after(8, &unmeasured(n, "no engine"), &[]).record);
    assert_eq!(notice(6), notice(6));
    assert_ne!(notice(6), notice(7));
}

#[test]
fn a_host_whose_own_baselines_raise_alarms_is_not_trusted() {
    let rate =
        |low| FalseAlarms { alarms: 9, of: 10, rate_pct: 90.0, ci95_pct: [low, 99.0], independent: 10 };
    let noisy = |low| GateResult {
        self_test: Some(SelfTest {
            version: 1,
            host_class: None,
            profile: None,
            sweeps: 30,
            suites: Some(rate(low)),
            screened_suites: None,
            families: vec![],
            reason: None,
        }),
        ..regressed(5)
    };
    let policy = AlertPolicy::default();
    let (loud, calm) = (noisy(55.0), noisy(4.0));
    let decided = deciding(&loud, &[], &policy);
    assert_eq!(decided.actions.len(), 1);
    assert!(decided.actions[0].trouble.as_deref().is_some_and(|t| t.contains("too noisy")), "{decided:?}");
    assert!(decided.silent[0].contains("farm-a is not trusted"), "{decided:?}");
    assert_eq!(deciding(&calm, &[], &policy).actions[0].record.key.scope.to_string(), "docker+nat/network");
}

#[test]
fn a_drift_has_an_issue_of_its_own_which_closes_when_it_is_not_seen_any_more() {
    let drift = Drift {
        workload: "redis".into(),
        case: "get".into(),
        metric: "requests".into(),
        environment: "docker+nat".parse().expect("a name"),
        kind: DriftKind::Trend,
        change_pct: 6.0,
        p: 1e-6,
        sweeps: 30,
        since: vec![],
        reason: "it rose".into(),
    };
    let mut drifting = result(5, "26.1.5", Vec::new(), vec![nat(Inconclusive, 1.0)]);
    drifting.judgement.drifts = vec![drift];
    let open = [after(7, &drifting, &[])];
    assert_eq!(open[0].record.key.scope.to_string(), "docker+nat/drift-network");
    let both = GateResult {
        judgement: crate::model::Judgement {
            drifts: drifting.judgement.drifts.clone(),
            ..regressed(6).judgement
        },
        ..regressed(6)
    };
    assert_eq!(
        said(&both, &open),
        [(None, Transition::Opened)],
        "a regression of the metric is another issue"
    );
    let over = result(6, "26.1.5", Vec::new(), vec![nat(Inconclusive, 1.0)]);
    assert_eq!(said(&over, &open), [(Some(7), Transition::Recovering { sweeps: 1, of: 2 })]);
}

#[test]
fn nothing_swept_says_nothing() {
    let nothing = GateResult {
        sweep: None,
        started_at: None,
        baseline: None,
        ..result(6, "26.1.5", Vec::new(), Vec::new())
    };
    assert_eq!(said(&nothing, &[after(7, &regressed(5), &[])]), []);
}

#[test]
fn issues_of_other_hosts_and_profiles_are_left_alone() {
    let mut other = record("docker+nat", 3);
    other.key.host_class = "farm-b".parse().expect("a name");
    let mut smoke = record("docker+nat", 3);
    smoke.key.profile = "smoke".into();
    let issues = [shown(1, other), shown(2, smoke)];
    assert_eq!(said(&regressed(5), &issues), [(None, Transition::Opened)]);
    assert_eq!(said(&result(6, "26.1.5", Vec::new(), vec![nat(Unchanged, 0.0)]), &issues), []);
}
