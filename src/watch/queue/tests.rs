use super::*;
use crate::model::Decision;
use crate::watch::job::Priority;
use crate::watch::status::FinishedAs;
use proptest::prelude::*;
use std::collections::BTreeSet;

const RETRY: Retry = Retry { attempts: 3, first_wait: Duration::from_secs(60) };

fn at(second: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000 + second, 0).expect("a time")
}

fn engine(version: &str) -> Components {
    [(Component::DockerEngine, version.to_owned())].into()
}

fn sweep(n: u32) -> SweepId {
    SweepId::new(at(n.into()), n)
}

fn seen(queue: &mut Queue, components: &Components, second: i64) -> Observed {
    queue.observe(&Seen { profile: "smoke", components, baseline: None }, at(second))
}

/// A queue that has dealt with engine version 1.
fn settled() -> Queue {
    let mut queue = Queue::new(7);
    queue.ask("smoke", Reason::NoBaseline, at(0));
    begin(&mut queue, &engine("1"), 0);
    queue.judged(Decision::Pass, Some(sweep(0)), engine("1"), None, at(1));
    queue
}

/// Starts what comes next.
fn begin(queue: &mut Queue, components: &Components, second: i64) -> u64 {
    let Next::Start(id) = queue.next(at(second), None) else { panic!("{queue:?}") };
    queue.start(id, sweep(u32::try_from(second).expect("small")), components, at(second)).expect("started");
    id
}

fn outcomes(queue: &Queue) -> Vec<(u64, FinishedAs)> {
    queue.finished().iter().map(|f| (f.job.id, f.outcome)).collect()
}

#[test]
fn a_change_is_a_job_and_its_reverse_cancels_it_out() {
    let mut queue = settled();
    assert_eq!(seen(&mut queue, &engine("1"), 2), Observed::default());
    let observed = seen(&mut queue, &engine("2"), 3);
    assert_eq!(observed.queued, Some(2));
    assert_eq!(queue.waiting()[0].priority, Priority::Normal);
    assert_eq!(seen(&mut queue, &engine("2"), 4), Observed::default(), "it waits already");
    assert_eq!(seen(&mut queue, &engine("3"), 5).queued, Some(2), "the same job, brought up to date");
    assert!(queue.waiting()[0].reason.sentence().contains("from 1 to 3"));
    assert_eq!(seen(&mut queue, &engine("1"), 6).withdrawn, Some(2));
    assert_eq!(queue.next(at(7), None), Next::Nothing);
}

#[test]
fn an_engine_that_is_stopped_is_no_change_and_one_that_comes_back_another_is() {
    let mut queue = settled();
    assert_eq!(seen(&mut queue, &Components::new(), 2), Observed::default());
    assert_eq!(seen(&mut queue, &engine("2"), 3).queued, Some(2));
    let mut with_image = engine("1");
    with_image.insert(Component::BenchImage, "abc".into());
    assert_eq!(seen(&mut queue, &with_image, 4).withdrawn, Some(2), "the sweep itself builds the image");
}

#[test]
fn a_change_while_a_sweep_runs_invalidates_it_and_queues_a_new_one() {
    let mut queue = settled();
    seen(&mut queue, &engine("2"), 2);
    let first = begin(&mut queue, &engine("2"), 3);
    assert_eq!(seen(&mut queue, &engine("2"), 4), Observed::default());
    let observed = seen(&mut queue, &engine("3"), 5);
    assert_eq!((observed.invalidated, observed.queued), (Some(first), Some(3)));
    queue.failed("stopped", false, RETRY, at(6));
    assert_eq!(outcomes(&queue)[0], (first, FinishedAs::Invalidated));
    let second = begin(&mut queue, &engine("3"), 7);
    queue.judged(Decision::Regressed, None, engine("3"), None, at(8));
    assert_eq!(outcomes(&queue)[0], (second, FinishedAs::Judged(Decision::Regressed)));
    assert_eq!(
        seen(&mut queue, &engine("3"), 9),
        Observed::default(),
        "it was measured, although not accepted"
    );
}

#[test]
fn a_change_that_is_taken_back_while_it_is_measured_leaves_nothing_to_do() {
    let mut queue = settled();
    seen(&mut queue, &engine("2"), 2);
    begin(&mut queue, &engine("2"), 3);
    let observed = seen(&mut queue, &engine("1"), 4);
    assert_eq!((observed.invalidated.is_some(), observed.queued), (true, None));
    queue.recover(at(5));
    assert_eq!(queue.next(at(6), None), Next::Nothing);
}

#[test]
fn what_a_person_asked_for_outlives_the_change_it_was_put_to() {
    let mut queue = settled();
    let id = queue.ask("smoke", Reason::Schedule { name: "nightly".into() }, at(2));
    assert_eq!(queue.ask("smoke", Reason::Trigger { by: "me".into() }, at(3)), id, "one job a profile");
    assert_eq!(queue.waiting()[0].priority, Priority::High);
    assert_eq!(seen(&mut queue, &engine("2"), 4).queued, Some(id));
    begin(&mut queue, &engine("2"), 5);
    seen(&mut queue, &engine("1"), 6);
    queue.invalidated(at(7));
    let waiting = queue.waiting();
    assert_eq!(waiting.len(), 1);
    assert_eq!(waiting[0].reason, Reason::Trigger { by: "me".into() });
}

#[test]
fn jobs_run_by_urgency_and_quiet_hours_hold_all_but_what_a_person_asked_for() {
    let mut queue = Queue::new(7);
    let low = queue.ask("full", Reason::Schedule { name: "monthly".into() }, at(0));
    let normal = queue.ask("smoke", Reason::Change { changed: Vec::new() }, at(1));
    let ids = |queue: &Queue| queue.waiting().iter().map(|j| j.id).collect::<Vec<_>>();
    assert_eq!(ids(&queue), [normal, low]);
    assert_eq!(queue.next(at(2), Some(at(100))), Next::Wait(at(100)));
    let high = queue.ask("standard", Reason::Trigger { by: "me".into() }, at(3));
    assert_eq!(queue.next(at(4), Some(at(100))), Next::Start(high));
    queue.start(high, sweep(1), &engine("1"), at(4)).expect("started");
    assert_eq!(queue.next(at(200), None), Next::Nothing, "one at a time");
    assert!(queue.start(low, sweep(2), &engine("1"), at(5)).is_none());
}

#[test]
fn failures_wait_longer_each_time_and_end() {
    let mut queue = settled();
    seen(&mut queue, &engine("2"), 2);
    let id = begin(&mut queue, &engine("2"), 10);
    assert!(!queue.failed("no space", false, RETRY, at(10)));
    assert_eq!(queue.next(at(11), None), Next::Wait(at(70)));
    assert_eq!(begin(&mut queue, &engine("2"), 70), id);
    queue.failed("no space", false, RETRY, at(70));
    assert_eq!(queue.next(at(71), None), Next::Wait(at(190)));
    begin(&mut queue, &engine("2"), 190);
    assert!(queue.failed("no space", false, RETRY, at(191)));
    assert_eq!(outcomes(&queue)[0], (id, FinishedAs::GaveUp));
    assert_eq!(seen(&mut queue, &engine("2"), 192), Observed::default(), "it is not found again at once");
    assert!(seen(&mut queue, &engine("3"), 193).queued.is_some(), "another change is another matter");
}

#[test]
fn what_is_put_off_uses_up_no_attempt_and_is_never_given_up() {
    let mut queue = settled();
    seen(&mut queue, &engine("2"), 2);
    let mut now = 10;
    let mut waits = Vec::new();
    for _ in 0..20 {
        begin(&mut queue, &engine("2"), now);
        queue.put_off("no connection", RETRY.first_wait, at(now));
        assert_eq!(seen(&mut queue, &engine("2"), now), Observed::default(), "it waits as it is");
        let Next::Wait(until) = queue.next(at(now), None) else { panic!("{queue:?}") };
        waits.push((until - at(now)).num_minutes());
        now = (until - at(0)).num_seconds();
    }
    assert_eq!((&waits[..3], waits[19]), (&[1, 2, 4][..], 120));
    let waiting = queue.waiting()[0];
    assert_eq!((waiting.attempts, waiting.last_error.as_deref()), (0, Some("no connection")));
    assert_eq!(queue.settled("smoke").map(|s| &s.components), Some(&engine("1")), "nothing is settled");
    let written = serde_json::to_string(&queue).expect("JSON");
    assert_eq!(serde_json::from_str::<Queue>(&written).expect("the same"), queue);
    begin(&mut queue, &engine("2"), now);
    queue.dispatched(None, at(now));
    assert_eq!(seen(&mut queue, &engine("2"), now + 1), Observed::default());
}

#[test]
fn another_change_ends_the_waiting_after_a_failure() {
    let mut queue = settled();
    seen(&mut queue, &engine("2"), 2);
    begin(&mut queue, &engine("2"), 10);
    queue.failed("no space", false, RETRY, at(10));
    seen(&mut queue, &engine("3"), 11);
    assert!(matches!(queue.next(at(12), None), Next::Start(_)));
    assert_eq!(queue.waiting()[0].attempts, 0);
}

#[test]
fn a_clock_that_was_set_back_does_not_hold_a_job() {
    let mut queue = settled();
    seen(&mut queue, &engine("2"), 2);
    begin(&mut queue, &engine("2"), 10);
    queue.failed("no space", false, RETRY, at(10));
    assert!(matches!(queue.next(at(-40 * 86_400), None), Next::Start(_)));
    assert!(matches!(queue.next(at(-3600), None), Next::Start(_)), "nor by an hour, up to a day");
    let id = begin(&mut queue, &engine("2"), 100);
    queue.busy("another sweep runs", at(160), at(100));
    assert!(matches!(queue.next(at(-3600), None), Next::Start(_)));
    queue.postpone(id, "another sweep runs", at(260), at(200));
    assert_eq!(queue.next(at(201), None), Next::Wait(at(260)));
    assert!(matches!(queue.next(at(199), None), Next::Start(_)));
    let written = serde_json::to_string(&queue).expect("JSON");
    let read: Queue = serde_json::from_str(&written).expect("the same");
    assert!(matches!(read.next(at(199), None), Next::Start(_)), "after a restart, too");
}

#[test]
fn a_busy_host_is_no_failure_and_a_stopped_sweep_is_gone_on_with() {
    let mut queue = settled();
    seen(&mut queue, &engine("2"), 2);
    let id = begin(&mut queue, &engine("2"), 10);
    queue.busy("another sweep runs", at(70), at(10));
    assert_eq!((queue.waiting()[0].attempts, queue.next(at(11), None)), (0, Next::Wait(at(70))));
    assert_eq!(begin(&mut queue, &engine("2"), 71), id);
    assert_eq!(queue.running().map(|r| &r.sweep), Some(&sweep(10)), "the sweep that was begun");
    queue.recover(at(72));
    begin(&mut queue, &engine("2"), 73);
    assert_eq!(queue.running().map(|r| &r.sweep), Some(&sweep(10)));
    queue.stale("the bench image is another one", at(74));
    begin(&mut queue, &engine("2"), 75);
    assert_eq!(queue.running().map(|r| &r.sweep), Some(&sweep(75)), "a new one");
}

#[test]
fn a_newer_baseline_counts_for_more_than_what_was_measured_here_before() {
    let mut queue = settled();
    let newer = Settled { at: at(100), components: engine("2") };
    let older = Settled { at: at(-100), components: engine("2") };
    let now = engine("2");
    let mut observe = |baseline| {
        queue.observe(&Seen { profile: "smoke", components: &now, baseline: Some(baseline) }, at(101))
    };
    assert!(observe(&older).queued.is_some());
    assert!(observe(&newer).withdrawn.is_some(), "somebody else measured and accepted it");
}

#[test]
fn a_baseline_of_a_clock_that_was_ahead_has_nothing_measured_for_ever() {
    let mut queue = settled();
    let ahead = Settled { at: at(9_000_000), components: engine("1") };
    let now = engine("2");
    let observe = |queue: &mut Queue, second| {
        queue.observe(&Seen { profile: "smoke", components: &now, baseline: Some(&ahead) }, at(second))
    };
    assert!(observe(&mut queue, 2).queued.is_some());
    begin(&mut queue, &now, 3);
    queue.judged(Decision::Regressed, None, engine("2"), None, at(4));
    assert_eq!(observe(&mut queue, 5), Observed::default(), "it was measured");
    let mut fresh = Queue::new(7);
    assert!(observe(&mut fresh, 2).queued.is_some(), "where nothing else is known, it is all there is");
}

#[test]
fn a_baseline_that_is_too_small_is_filled_but_not_for_ever() {
    let mut queue = Queue::new(7);
    for n in 0..6 {
        assert!(queue.may_fill_baseline("smoke", 3));
        queue.ask("smoke", Reason::NoBaseline, at(n));
        assert!(!queue.may_fill_baseline("smoke", 3), "one at a time");
        begin(&mut queue, &engine("1"), n);
        queue.judged(Decision::Inconclusive, None, engine("1"), None, at(n));
    }
    assert!(!queue.may_fill_baseline("smoke", 3));
}

#[test]
fn the_file_is_told_apart_from_others_and_holds_everything() {
    let mut queue = settled();
    seen(&mut queue, &engine("2"), 2);
    queue.ask("smoke", Reason::Trigger { by: "me".into() }, at(3));
    begin(&mut queue, &engine("2"), 3);
    queue.schedules.insert("nightly".into(), at(1));
    insta::assert_json_snapshot!(queue);
}

/// Something that happens to a queue.
#[derive(Debug, Clone)]
enum Happens {
    Look(u8),
    Ask(u8, u8),
    Begin,
    End(u8),
    /// The service dies and starts again.
    Crash,
    Later(u16),
}

fn happens() -> impl Strategy<Value = Happens> {
    prop_oneof![
        4 => (0_u8..4).prop_map(Happens::Look),
        2 => (0_u8..2, 0_u8..4).prop_map(|(p, r)| Happens::Ask(p, r)),
        4 => Just(Happens::Begin),
        4 => (0_u8..7).prop_map(Happens::End),
        1 => Just(Happens::Crash),
        2 => (0_u16..500).prop_map(Happens::Later),
    ]
}

fn profile(n: u8) -> &'static str {
    if n == 0 { "smoke" } else { "full" }
}

/// One step of a world with one host and this queue.
fn step(queue: &mut Queue, event: &Happens, host: &mut Components, now: i64, asked: &mut BTreeSet<u64>) {
    match event {
        Happens::Look(version) => {
            *host = if *version == 3 { Components::new() } else { engine(&version.to_string()) };
            let observed = seen(queue, host, now);
            asked.extend(observed.queued);
            if let Some(id) = observed.withdrawn {
                // Only what nobody else wanted is gone.
                assert!(queue.waiting().iter().all(|j| j.id != id || j.reason.is_unconditional()));
                asked.remove(&id);
                asked.extend(queue.waiting().iter().map(|j| j.id));
            }
        }
        Happens::Ask(p, r) => {
            let reason = match r {
                0 => Reason::Schedule { name: "nightly".into() },
                1 => Reason::Trigger { by: "me".into() },
                _ => Reason::NoBaseline,
            };
            asked.insert(queue.ask(profile(*p), reason, at(now)));
        }
        Happens::Begin => {
            if let Next::Start(id) = queue.next(at(now), None) {
                let sweep = sweep(u32::try_from(now).expect("small"));
                queue.start(id, sweep, host, at(now)).expect("it was to start");
            }
        }
        Happens::End(how) => {
            let components = queue.running().map(|r| r.components.clone()).unwrap_or_default();
            match how {
                0 => queue.judged(Decision::Pass, None, components, None, at(now)),
                1 => queue.dispatched(None, at(now)),
                2 | 3 => {
                    queue.failed("it failed", *how == 3, RETRY, at(now));
                }
                6 => queue.put_off("no connection", RETRY.first_wait, at(now)),
                4 => queue.busy("somebody else", at(now + 60), at(now)),
                _ => queue.stale("another image", at(now)),
            }
            // What an invalidated job is asked for again is a new job.
            asked.extend(queue.waiting().iter().map(|j| j.id));
        }
        Happens::Crash => {
            let text = serde_json::to_string(queue).expect("JSON");
            *queue = serde_json::from_str(&text).expect("what was written is read");
            queue.recover(at(now));
            asked.extend(queue.waiting().iter().map(|j| j.id));
        }
        Happens::Later(_) => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]
    #[test]
    fn no_job_is_lost_or_done_twice_whatever_happens(events in proptest::collection::vec(happens(), 1..60)) {
        let mut queue = settled();
        let (mut host, mut now, mut asked) = (engine("1"), 10, BTreeSet::from([1]));
        let mut ended: Vec<u64> = vec![1];
        for event in &events {
            now += if let Happens::Later(seconds) = event { i64::from(*seconds) } else { 1 };
            let before = queue.finished().len();
            step(&mut queue, event, &mut host, now, &mut asked);
            let fresh = queue.finished().len().saturating_sub(before);
            ended.extend(queue.finished()[..fresh].iter().map(|f| f.job.id));
            // Every job is in exactly one place, under one number.
            let mut places: Vec<u64> = queue.waiting().iter().map(|j| j.id).collect();
            places.extend(queue.running().map(|r| r.job.id));
            places.extend(&ended);
            let once: BTreeSet<u64> = places.iter().copied().collect();
            prop_assert_eq!(places.len(), once.len(), "twice: {:?}", queue);
            prop_assert!(asked.is_subset(&once), "lost: {:?} of {:?}", asked.difference(&once), queue);
            let profiles: BTreeSet<&str> = queue.waiting().iter().map(|j| j.profile.as_str()).collect();
            prop_assert_eq!(profiles.len(), queue.waiting().len(), "one waiting job a profile");
        }
        // The host stays as it is, and everything works: what was asked for is done, and nothing is left.
        let components = if host.is_empty() { engine("1") } else { host };
        seen(&mut queue, &components, now);
        for _ in 0..8 {
            now += 100_000;
            if queue.running().is_some() {
                let measured = queue.running().map(|r| r.components.clone()).unwrap_or_default();
                if queue.running().is_some_and(|r| r.invalid) {
                    queue.invalidated(at(now));
                } else {
                    queue.judged(Decision::Pass, None, measured, None, at(now));
                }
            }
            if let Next::Start(id) = queue.next(at(now), None) {
                queue.start(id, sweep(1), &components, at(now));
            }
        }
        prop_assert_eq!(queue.next(at(now), None), Next::Nothing);
        prop_assert_eq!(seen(&mut queue, &components, now), Observed::default(), "{:?}", queue);
    }
}
