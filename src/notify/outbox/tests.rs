use super::*;
use proptest::prelude::*;
use serde_json::json;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::atomic::Ordering::Relaxed;

fn at() -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000, 0).expect("a time")
}

fn ids(pending: &Pending) -> Vec<u64> {
    pending.jobs.iter().map(|entry| entry.id).collect()
}

#[test]
fn jobs_wait_in_order_each_route_by_itself() {
    let dir = tempfile::tempdir().expect("tempdir");
    let outbox = Outbox::new(dir.path());
    for (route, n) in [("github", 1), ("slack", 2), ("github", 3)] {
        outbox.push(route, json!({ "n": n }), at()).expect("pushed");
    }
    let turn = outbox.turn().expect("free");
    let github = turn.pending("github").expect("readable");
    assert_eq!(github.jobs.iter().map(|e| e.job["n"].clone()).collect::<Vec<_>>(), [json!(1), json!(3)]);
    assert_eq!(ids(&turn.all().expect("readable")), [1, 2, 3]);
    turn.done(1).expect("there");
    assert!(matches!(turn.done(1), Err(OutboxError::Gone { id: 1 })));
    assert_eq!(ids(&turn.pending("github").expect("readable")), [3]);
    let mode = fs::metadata(dir.path().join("outbox/000000000003-github.json")).expect("there").permissions();
    assert_eq!(mode.mode() & 0o777, 0o600);
}

#[test]
fn a_number_is_never_given_twice() {
    let dir = tempfile::tempdir().expect("tempdir");
    let outbox = Outbox::new(dir.path());
    let push = || outbox.push("r", json!(0), at()).expect("pushed");
    let first = push();
    outbox.turn().expect("free").done(first).expect("there");
    assert_eq!((first, push()), (1, 2));
    fs::write(dir.path().join("outbox/next"), "garbage").expect("written");
    assert_eq!(push(), 3);
}

#[test]
fn a_job_goes_on_with_what_was_found_out() {
    let dir = tempfile::tempdir().expect("tempdir");
    let outbox = Outbox::new(dir.path());
    let id = outbox.push("r", json!({ "done": [] }), at()).expect("pushed");
    let turn = outbox.turn().expect("free");
    turn.failed(id, "once", at()).expect("noted");
    turn.update(id, json!({ "done": [1] })).expect("kept");
    let entry = turn.all().expect("readable").jobs.remove(0);
    assert_eq!((entry.job, entry.attempts), (json!({ "done": [1] }), 1));
    assert!(matches!(turn.update(9, json!(0)), Err(OutboxError::Gone { id: 9 })));
}

#[test]
fn a_failure_is_counted_and_its_secrets_are_hidden() {
    let dir = tempfile::tempdir().expect("tempdir");
    let outbox = Outbox::new(dir.path()).hiding([Secret::new("ghp_secret")]);
    let id = outbox.push("r", json!(0), at()).expect("pushed");
    let turn = outbox.turn().expect("free");
    let delivery = turn.all().expect("readable").jobs[0].delivery.clone();
    turn.failed(id, "first", at()).expect("noted");
    turn.failed(id, "401 for ghp_secret", at()).expect("noted");
    let entry = turn.all().expect("readable").jobs.remove(0);
    assert_eq!((entry.attempts, entry.last_attempt, entry.delivery), (2, Some(at()), delivery));
    assert_eq!(entry.last_error.as_deref(), Some("401 for ***"));
}

#[test]
fn a_refused_job_makes_way_and_is_kept() {
    let dir = tempfile::tempdir().expect("tempdir");
    let outbox = Outbox::new(dir.path());
    let poison = outbox.push("r", json!("poison"), at()).expect("pushed");
    let next = outbox.push("r", json!("next"), at()).expect("pushed");
    let turn = outbox.turn().expect("free");
    let dead = turn.refused(poison, "422", at()).expect("moved");
    assert_eq!(ids(&turn.all().expect("readable")), [next]);
    let kept: Entry = serde_json::from_slice(&fs::read(dead).expect("there")).expect("a job");
    assert_eq!((kept.job, kept.last_error.as_deref()), (json!("poison"), Some("422")));
}

#[test]
fn damaged_files_are_set_aside_and_told() {
    let dir = tempfile::tempdir().expect("tempdir");
    let outbox = Outbox::new(dir.path());
    for _ in 0..4 {
        outbox.push("r", json!(0), at()).expect("pushed");
    }
    let file = |id: u64| dir.path().join(format!("outbox/{id:012}-r.json"));
    fs::write(file(1), "{\"half").expect("written");
    fs::copy(file(4), file(2)).expect("copied");
    fs::remove_file(file(3)).expect("removed");
    fs::create_dir(file(3)).expect("made");
    let turn = outbox.turn().expect("free");
    let all = turn.all().expect("not fatal");
    assert_eq!((ids(&all), all.damaged.len()), (vec![4], 3));
    assert!(all.damaged.iter().all(|d| d.path.exists() && !d.reason.is_empty()));
    assert_eq!(turn.all().expect("readable").damaged, []);
    drop(turn);
    assert_eq!(outbox.push("r", json!(0), at()).expect("pushed"), 5);
}

#[test]
fn one_sends_while_others_may_push() {
    let dir = tempfile::tempdir().expect("tempdir");
    let (one, two) = (Outbox::new(dir.path()), Outbox::new(dir.path()));
    let turn = one.turn().expect("free");
    let busy = two.turn().expect_err("held").to_string();
    assert!(busy.starts_with("another process sends"), "{busy}");
    two.push("r", json!(0), at()).expect("pushed");
    assert_eq!(ids(&turn.all().expect("readable")), [1]);
    drop(turn);
    two.turn().expect("free again");
}

#[test]
fn many_threads_push_different_numbers() {
    let dir = tempfile::tempdir().expect("tempdir");
    let push = || {
        let outbox = Outbox::new(dir.path());
        (0..20).map(|_| outbox.push("r", json!(0), at()).expect("pushed")).collect::<Vec<_>>()
    };
    let mut all: Vec<u64> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(push)).collect();
        threads.into_iter().flat_map(|t| t.join().expect("thread")).collect()
    });
    all.sort_unstable();
    assert_eq!(all, (1..=80).collect::<Vec<_>>());
}

#[test]
fn a_route_is_a_plain_name() {
    let dir = tempfile::tempdir().expect("tempdir");
    for bad in ["", "../x", "A", "a b", "a/b", &"a".repeat(65)] {
        let error = Outbox::new(dir.path()).push(bad, json!(0), at()).expect_err(bad);
        assert!(matches!(error, OutboxError::Route { .. }));
    }
}

#[derive(Debug, Clone)]
enum Op {
    Push(bool),
    Done(usize),
    Failed(usize),
    Refused(usize),
}

/// What is known of a job: its payload, its route, its failed attempts.
type Model = BTreeMap<u64, (u32, &'static str, u32)>;

fn ops() -> impl Strategy<Value = Vec<(Op, Option<u32>)>> {
    let op = prop_oneof![
        3 => any::<bool>().prop_map(Op::Push),
        1 => (0_usize..8).prop_map(Op::Done),
        1 => (0_usize..8).prop_map(Op::Failed),
        1 => (0_usize..8).prop_map(Op::Refused),
    ];
    proptest::collection::vec((op, proptest::option::weighted(0.4, 0_u32..5)), 1..25)
}

/// Waiting and dead jobs as they lie on the disk after a restart.
fn reality(dir: &Path) -> (Model, Model) {
    let outbox = Outbox::new(dir);
    let all = outbox.turn().expect("the dead hold nothing").all().expect("readable");
    assert_eq!(all.damaged, [], "a crash damages nothing");
    let note = |entry: Entry| {
        let route = if entry.route == "a" { "a" } else { "b" };
        (
            entry.id,
            (u32::try_from(entry.job.as_u64().expect("a number")).expect("small"), route, entry.attempts),
        )
    };
    let dead = fs::read_dir(dir.join("outbox/dead")).into_iter().flatten().flatten();
    let dead = dead.filter(|e| !e.file_name().to_string_lossy().starts_with('.'));
    let dead = dead.map(|e| serde_json::from_slice(&fs::read(e.path()).expect("read")).expect("whole"));
    (all.jobs.into_iter().map(note).collect(), dead.map(note).collect())
}

/// A turn as soon as it is free: a process that another test begins at this moment holds, until it runs, whatever this one has open.
fn turn(outbox: &Outbox) -> Turn<'_> {
    let mut tries = 0;
    loop {
        match outbox.turn() {
            Err(OutboxError::Busy { .. }) if tries < 200 => tries += 1,
            other => return other.expect("free"),
        }
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(80))]
    /// After a crash at any point of any operation, that operation happened or it did not, and no other job knows of it.
    #[test]
    fn no_crash_loses_or_doubles_a_job(ops in ops()) {
        let dir = tempfile::tempdir().expect("tempdir");
        let (mut waiting, mut dead, mut highest) = (Model::new(), Model::new(), 0);
        for (payload, (op, crash)) in (0_u32..).zip(ops) {
            let outbox = Outbox::new(dir.path());
            outbox.files.left.store(crash.unwrap_or(u32::MAX), Relaxed);
            let pick = |n: usize| waiting.keys().nth(n % waiting.len().max(1)).copied();
            let (mut next, mut next_dead) = (waiting.clone(), dead.clone());
            let mut pushed = None;
            let result = match op {
                Op::Push(a) => {
                    let route = if a { "a" } else { "b" };
                    pushed = Some((payload, route, 0));
                    outbox.push(route, json!(payload), at()).map(|id| {
                        next.insert(id, (payload, route, 0));
                    })
                }
                Op::Done(n) => {
                    let Some(id) = pick(n) else { continue };
                    next.remove(&id);
                    turn(&outbox).done(id)
                }
                Op::Failed(n) => {
                    let Some(id) = pick(n) else { continue };
                    next.get_mut(&id).expect("there").2 += 1;
                    turn(&outbox).failed(id, "no", at())
                }
                Op::Refused(n) => {
                    let Some(id) = pick(n) else { continue };
                    let mut job = next.remove(&id).expect("there");
                    job.2 += 1;
                    next_dead.insert(id, job);
                    turn(&outbox).refused(id, "never", at()).map(drop)
                }
            };
            drop(outbox);
            let real = reality(dir.path());
            prop_assert!(result.is_ok() || crash.is_some(), "what a crash leaves is in nobody's way: {:?}", result);
            if result.is_ok() {
                prop_assert_eq!(&real, &(next, next_dead));
            } else {
                let mut without = real.clone();
                if let Some(pushed) = pushed {
                    let new: Vec<u64> = real.0.keys().filter(|id| !waiting.contains_key(id)).copied().collect();
                    prop_assert!(new.len() <= 1 && new.iter().all(|id| real.0[id] == pushed));
                    without.0.retain(|id, _| waiting.contains_key(id));
                    prop_assert_eq!(&without, &(waiting, dead));
                } else {
                    prop_assert!(real == (waiting, dead) || real == (next, next_dead));
                }
            }
            for id in real.0.keys().filter(|id| !real.1.contains_key(id)) {
                highest = highest.max(*id);
            }
            if let (Some(pushed), true) = (pushed, result.is_ok()) {
                prop_assert_eq!(real.0.get(&highest), Some(&pushed), "the newest has the highest number");
            }
            (waiting, dead) = real;
        }
    }
}
