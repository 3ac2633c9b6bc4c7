//! A fake host on which knobs are plain files, and any sequence of what can happen to them.

use super::super::files;
use super::*;
use proptest::prelude::*;
use std::{collections::BTreeMap, fs};

const THP: &str = "/sys/kernel/mm/transparent_hugepage/enabled";
const SWAPPINESS: &str = "/proc/sys/vm/swappiness";
const HUGEPAGES: &str = "/proc/sys/vm/nr_hugepages";
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";
const GOVERNORS: [&str; 2] = [
    "/sys/devices/system/cpu/cpufreq/policy0/scaling_governor",
    "/sys/devices/system/cpu/cpufreq/policy1/scaling_governor",
];

fn write(root: &Path, path: &str, text: &str) {
    let path = files::under(root, path);
    fs::create_dir_all(path.parent().expect("parent")).expect("mkdir");
    fs::write(path, text).expect("write");
}

fn value(root: &Path, path: &str) -> String {
    let text = files::value(root, path).expect(path);
    if text.contains('[') { "madvise".to_owned() } else { text }
}

/// A root and a state directory.
fn host() -> (tempfile::TempDir, PathBuf, PathBuf) {
    let dir = tempfile::tempdir().expect("tempdir");
    let root = dir.path().join("root");
    write(&root, BOOT_ID, "a-boot\n");
    for (path, text) in initial() {
        write(&root, path, text);
    }
    // The fake file does not keep the words that are not chosen.
    write(&root, THP, "always [madvise] never\n");
    let state = dir.path().join("state");
    (dir, root, state)
}

fn initial() -> BTreeMap<&'static str, &'static str> {
    [
        (GOVERNORS[0], "powersave"),
        (GOVERNORS[1], "schedutil"),
        (THP, "madvise"),
        (SWAPPINESS, "60"),
        (HUGEPAGES, "4"),
    ]
    .into()
}

fn sweep() -> SweepId {
    "20260101T000000Z-00cafe".parse().expect("id")
}

fn wanted() -> Wanted {
    Wanted {
        governor: Some("performance".to_owned()),
        turbo: Some(false),
        thp: Some("never".to_owned()),
        swappiness: Some(10),
        numa_balancing: Some(false),
        more_hugepages: Some(512),
    }
}

fn apply(root: &Path, state: &Path, wanted: &Wanted) -> Result<Guard, TuningError> {
    Tuning::of_host(root, wanted).apply(state, &sweep())
}

#[test]
fn what_the_host_has_is_set_verified_and_restored() {
    let (_dir, root, state) = host();
    let tuning = Tuning::of_host(&root, &wanted());
    let text = tuning.describe(&wanted());
    assert_eq!(text, "governor performance, thp never, swappiness 10, hugepages +512");
    let guard = apply(&root, &state, &wanted()).expect("tuned");
    assert_eq!(value(&root, GOVERNORS[1]), "performance");
    assert_eq!((value(&root, SWAPPINESS), value(&root, HUGEPAGES)), ("10".into(), "516".into()));
    assert_eq!(Tuning::of_host(&root, &wanted()).describe(&wanted()), text, "the same while it is tuned");
    assert_eq!(guard.verify(), [""; 0]);
    let second = apply(&root, &state, &wanted()).expect_err("pending").to_string();
    assert!(second.contains("tuning.json is of sweep 20260101T000000Z-00cafe"), "{second}");
    write(&root, SWAPPINESS, "33");
    assert_eq!(guard.verify(), ["swappiness was set to 10 and is 33 now: somebody else changed it"]);
    let done = guard.restore().expect("restored");
    assert_eq!(done.restored.len(), 4);
    assert!(done.restored.contains(&"tuning: governor of policy1 from performance to schedutil".to_owned()));
    assert!(done.foreign[0].starts_with("swappiness is 33 and stays so: it was 60 before"), "{done:?}");
    assert_eq!((value(&root, SWAPPINESS), value(&root, THP)), ("33".into(), "madvise".into()));
    assert_eq!(Record::read(&state).expect("readable"), None);
}

#[test]
fn turbo_has_two_kinds_of_switches() {
    let (_dir, root, _) = host();
    let turbo = Wanted { turbo: Some(false), ..Wanted::default() };
    write(&root, "/sys/devices/system/cpu/cpufreq/boost", "1\n");
    let describe = || Tuning::of_host(&root, &turbo);
    assert_eq!((describe().knobs[0].set.as_str(), describe().describe(&turbo).as_str()), ("0", "turbo off"));
    write(&root, "/sys/devices/system/cpu/intel_pstate/no_turbo", "0\n");
    assert_eq!((describe().knobs[0].set.as_str(), describe().describe(&turbo).as_str()), ("1", "turbo off"));
    assert_eq!(Tuning::of_host(&root, &Wanted::default()).describe(&turbo), "nothing to tune");
}

#[test]
fn a_knob_that_does_not_take_is_named_and_all_is_restored() {
    let (_dir, root, state) = host();
    // A file of the kernel's that makes another number of 0 (proc(5), /proc/pid/timerslack_ns).
    fs::remove_file(files::under(&root, SWAPPINESS)).expect("rm");
    std::os::unix::fs::symlink("/proc/self/timerslack_ns", files::under(&root, SWAPPINESS)).expect("symlink");
    let before = value(&root, SWAPPINESS);
    let error =
        apply(&root, &state, &Wanted { swappiness: Some(0), ..wanted() }).expect_err("not taken").to_string();
    assert!(error.starts_with("swappiness does not take \"0\": /proc/sys/vm/swappiness holds"), "{error}");
    assert_eq!((value(&root, GOVERNORS[0]), value(&root, THP)), ("powersave".into(), "madvise".into()));
    assert_eq!((value(&root, HUGEPAGES), value(&root, SWAPPINESS)), ("4".into(), before));
    assert_eq!(Record::read(&state).expect("readable"), None);
}

#[test]
fn another_boot_and_a_damaged_record_change_nothing() {
    let (_dir, root, state) = host();
    apply(&root, &state, &wanted()).expect("tuned").crash();
    write(&root, BOOT_ID, "another-boot\n");
    let record = Record::read(&state).expect("readable").expect("there");
    assert_eq!(record.pending(&root), [""; 0]);
    assert_eq!(record.restore(&root, &state).expect("read"), Restored::default());
    assert_eq!((value(&root, SWAPPINESS), Record::read(&state).expect("gone")), ("10".into(), None));
    for text in ["", "{}", "{\"version\":2,\"sweep\":\"a\",\"boot_id\":\"b\",\"knobs\":[]}"] {
        fs::write(state.join("tuning.json"), text).expect("write");
        let error = apply(&root, &state, &wanted()).expect_err("damaged").to_string();
        assert!(error.contains("tuning.json is damaged"), "{error}");
    }
    fs::remove_file(state.join("tuning.json")).expect("rm");
    fs::remove_file(files::under(&root, BOOT_ID)).expect("rm");
    assert!(matches!(apply(&root, &state, &wanted()), Err(TuningError::BootId)));
}

#[test]
fn pages_that_were_half_reserved_when_it_was_killed_are_given_back() {
    let (_dir, root, state) = host();
    apply(&root, &state, &wanted()).expect("tuned").crash();
    write(&root, HUGEPAGES, "100");
    let done =
        Record::read(&state).expect("readable").expect("there").restore(&root, &state).expect("restored");
    assert!(done.foreign.is_empty() && value(&root, HUGEPAGES) == "4", "{done:?}");
}

/// What can happen.
#[derive(Debug, Clone)]
enum Event {
    Apply(Wanted),
    /// The process is killed after so many knobs were set; none while it was restoring from the last.
    Killed(usize),
    Restore,
    Drop,
    Recover,
    /// Somebody else sets a knob to a value that tuning never sets.
    Foreign(&'static str, &'static str),
}

fn event() -> impl Strategy<Value = Event> {
    let wanted =
        (any::<bool>(), any::<bool>(), any::<bool>(), 0_u64..3).prop_map(|(governor, thp, swap, pages)| {
            Wanted {
                governor: governor.then(|| "performance".to_owned()),
                thp: thp.then(|| "never".to_owned()),
                swappiness: swap.then_some(10),
                more_hugepages: Some(pages * 100),
                ..Wanted::default()
            }
        });
    prop_oneof![
        4 => wanted.prop_map(Event::Apply),
        2 => (0_usize..6).prop_map(Event::Killed),
        2 => Just(Event::Restore),
        1 => Just(Event::Drop),
        2 => Just(Event::Recover),
        2 => proptest::sample::select(vec![
            (GOVERNORS[0], "ondemand"), (GOVERNORS[1], "userspace"), (THP, "always"), (SWAPPINESS, "33"),
            (HUGEPAGES, "7000"), (SWAPPINESS, "60"), (HUGEPAGES, "2"),
        ])
        .prop_map(|(path, text)| Event::Foreign(path, text)),
    ]
}

fn recover(root: &Path, state: &Path) {
    if let Some(record) = Record::read(state).expect("readable") {
        record.restore(root, state).expect("restored");
    }
}

proptest! {
    // Each case syncs files.
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn whatever_happens_the_values_at_the_end_are_those_of_the_beginning(
        events in proptest::collection::vec(event(), 1..30),
    ) {
        let (_dir, root, state) = host();
        let mut expected = initial();
        let mut guard: Option<Guard> = None;
        for event in events {
            match event {
                Event::Apply(wanted) if guard.is_none() => {
                    recover(&root, &state);
                    let tuned = apply(&root, &state, &wanted).expect("tuned");
                    prop_assert_eq!(tuned.verify(), Vec::<String>::new());
                    guard = Some(tuned);
                }
                Event::Apply(_) => {}
                Event::Killed(set) => if let Some(tuned) = guard.take() {
                    // As if it had not come further than `set` knobs, or had restored the others before.
                    for knob in tuned.record.knobs.iter().skip(set) {
                        knob.restore(&root).expect("restored");
                    }
                    tuned.crash();
                },
                Event::Restore => if let Some(tuned) = guard.take() {
                    let done = tuned.restore().expect("restored");
                    prop_assert!(done.failed.is_empty());
                },
                Event::Drop => drop(guard.take()),
                Event::Recover => if guard.is_none() { recover(&root, &state) },
                Event::Foreign(path, text) => {
                    write(&root, path, text);
                    expected.insert(path, text);
                }
            }
        }
        drop(guard);
        recover(&root, &state);
        for (path, text) in expected {
            prop_assert_eq!((path, value(&root, path)), (path, text.to_owned()));
        }
        prop_assert_eq!(Record::read(&state).expect("readable"), None);
    }
}
