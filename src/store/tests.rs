use super::*;
use crate::model::{Better, EnvironmentName, Family, Fingerprint, Scale, Series, Timing};
use chrono::{DateTime, Duration};

fn sweep(tail: u32) -> Sweep {
    let started_at = DateTime::UNIX_EPOCH + Duration::seconds(tail.into());
    Sweep {
        format: SWEEP_FORMAT,
        sweep: SweepId::new(started_at, tail),
        tollgate: "0.1.0".into(),
        host_class: "farm-a".parse().expect("a name"),
        profile: "smoke".into(),
        parameters: "p".into(),
        bench_image: "b".into(),
        accelerator: Some("tcg".into()),
        seed: u64::MAX,
        rounds: 2,
        partial: false,
        started_at,
        finished_at: started_at,
        resumed: 0,
        fingerprint: Fingerprint::default(),
        timing: Timing { wall_s: 2.0, in_trials_s: 1.5, ..Timing::default() },
        accepted: None,
        proofs: Vec::new(),
        cells: Vec::new(),
        series: vec![Series {
            workload: "xz".into(),
            case: "slice".into(),
            metric: "throughput".into(),
            unit: "MB/s".into(),
            better: Better::Higher,
            family: Family::Cpu,
            tail: false,
            resolution: None,
            scale: Scale::Ratio,
            environment: EnvironmentName::NATIVE,
            values: vec![Some(1.0 / 3.0), None],
        }],
    }
}

fn accepted() -> AcceptedBy {
    AcceptedBy {
        at: DateTime::UNIX_EPOCH,
        by: "a person".into(),
        reason: "a test".into(),
        regimes: Vec::new(),
    }
}

fn store() -> (tempfile::TempDir, DirectoryStore) {
    let dir = tempfile::tempdir().expect("a directory");
    let store = DirectoryStore::new(&dir.path().join("state"), &dir.path().join("baselines"));
    (dir, store)
}

#[test]
fn what_is_saved_and_accepted_comes_back_and_can_be_rejected() {
    let (_dir, store) = store();
    let class = "farm-a".parse().expect("a name");
    assert_eq!(store.baselines(&class, "smoke").expect("empty"), []);
    for tail in [2, 1] {
        store.save(&sweep(tail)).expect("saved");
        store.accept(sweep(tail), accepted()).expect("accepted");
    }
    let baselines = store.baselines(&class, "smoke").expect("read");
    assert_eq!(baselines.iter().map(|s| s.seed).collect::<Vec<_>>(), [u64::MAX; 2]);
    assert!(baselines[0].started_at < baselines[1].started_at && baselines[0].accepted.is_some());
    assert_eq!(store.load(&sweep(1).sweep).expect("measured"), sweep(1));
    store.reject(&sweep(1).sweep).expect("rejected");
    assert_eq!(store.baselines(&class, "smoke").expect("read").len(), 1);
    assert!(matches!(store.reject(&sweep(1).sweep), Err(StoreError::Unknown { .. })));
    assert_eq!(store.load(&sweep(1).sweep).expect("still measured"), sweep(1));
}

#[test]
fn a_file_cut_anywhere_is_an_error_that_names_it() {
    let (_dir, store) = store();
    let path = store.accept(sweep(1), accepted()).expect("accepted");
    let text = fs::read_to_string(&path).expect("read");
    for cut in (0..text.len() - 2).step_by(7) {
        fs::write(&path, &text[..cut]).expect("cut");
        let error = store.baselines(&sweep(1).host_class, "smoke").expect_err("damaged").to_string();
        assert!(error.contains(path.to_str().expect("utf-8")), "{error}");
    }
    store.reject(&sweep(1).sweep).expect("a damaged file can be rejected");
}

#[test]
fn another_version_and_a_misplaced_file_are_named() {
    let (_dir, store) = store();
    let path = store.accept(sweep(1), accepted()).expect("accepted");
    let text = fs::read_to_string(&path).expect("read");
    fs::write(&path, text.replace("\"format\": 1", "\"format\": 7")).expect("written");
    let class = sweep(1).host_class;
    assert!(matches!(store.baselines(&class, "smoke"), Err(StoreError::Format { found: 7, .. })));
    fs::write(&path, text.replace("farm-a", "farm-b")).expect("written");
    assert!(matches!(store.baselines(&class, "smoke"), Err(StoreError::Misplaced { .. })));
}

#[test]
fn the_text_has_a_line_for_each_series() {
    insta::assert_snapshot!(to_text(&sweep(1)).expect("text"));
}

#[test]
fn the_newest_baseline_is_found_without_reading_the_others() {
    let (dir, store) = store();
    let class = sweep(1).host_class;
    assert_eq!(store.newest_baseline(&class, "smoke").expect("none"), None);
    for tail in [1, 3, 2] {
        store.accept(sweep(tail), accepted()).expect("accepted");
    }
    let damaged = dir.path().join(format!("baselines/{class}/smoke/{}.json", sweep(1).sweep));
    fs::write(damaged, "{").expect("damaged");
    let newest = store.newest_baseline(&class, "smoke").expect("read").expect("one");
    assert_eq!(newest.sweep, sweep(3).sweep);
    assert_eq!(store.accepted(&class, "smoke").expect("counted"), 3);
    assert_eq!(store.accepted(&class, "full").expect("counted"), 0);
}
