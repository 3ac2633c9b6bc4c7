//! Knobs of this very host: set, verified, restored, also after a kill. Needs root.

mod common;

use chrono::Utc;
use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
};
use tollgate::{
    host::{
        Tuning, Wanted,
        tuning::{Guard, Record},
    },
    model::SweepId,
};

const SWAPPINESS: &str = "/proc/sys/vm/swappiness";
const HUGEPAGES: &str = "/proc/sys/vm/nr_hugepages";
const THP: &str = "/sys/kernel/mm/transparent_hugepage/enabled";
const KNOBS: [&str; 3] = [SWAPPINESS, HUGEPAGES, THP];

fn value(path: &str) -> String {
    fs::read_to_string(path).expect(path).trim().to_owned()
}

/// Puts the values of the beginning back, however a test ends.
struct AsBefore(Vec<(&'static str, String)>);

impl AsBefore {
    fn remember() -> Self {
        Self(KNOBS.into_iter().map(|path| (path, value(path))).collect())
    }

    fn holds(&self) -> bool {
        self.0.iter().all(|(path, text)| value(path) == *text)
    }
}

impl Drop for AsBefore {
    fn drop(&mut self) {
        for (path, text) in self.0.iter().filter(|(path, text)| value(path) != *text) {
            let chosen = text.split(' ').find_map(|word| word.strip_prefix('[')?.strip_suffix(']'));
            let _ = fs::write(path, chosen.unwrap_or(text));
        }
    }
}

fn missing() -> Option<String> {
    let lacks = KNOBS.into_iter().find(|path| !Path::new(path).exists());
    common::no_root().or_else(|| lacks.map(|path| format!("this host has no {path}")))
}

/// Values that the host does not have now.
fn wanted(before: &AsBefore) -> Wanted {
    let (swappiness, thp) = (&before.0[0].1, &before.0[2].1);
    Wanted {
        swappiness: Some(if swappiness == "11" { 12 } else { 11 }),
        thp: Some(if thp.contains("[never]") { "madvise" } else { "never" }.to_owned()),
        more_hugepages: Some(3),
        ..Wanted::default()
    }
}

fn sweep() -> SweepId {
    SweepId::new(Utc::now(), Utc::now().timestamp_subsec_nanos())
}

fn apply(state: &Path, wanted: &Wanted) -> Guard {
    Tuning::of_host(Path::new("/"), wanted).apply(state, &sweep()).expect("tuned")
}

#[tokio::test]
async fn knobs_of_this_host_are_set_watched_and_restored() {
    if !common::real(missing()) {
        return;
    }
    let _alone = common::alone().await;
    let before = AsBefore::remember();
    let wanted = wanted(&before);
    let dir = tempfile::tempdir().expect("tempdir");
    let guard = apply(dir.path(), &wanted);
    assert_eq!(value(SWAPPINESS), wanted.swappiness.expect("wanted").to_string());
    assert!(value(THP).contains(&format!("[{}]", wanted.thp.as_deref().expect("wanted"))));
    let pages: u64 = before.0[1].1.parse().expect("a number");
    assert_eq!(value(HUGEPAGES), (pages + 3).to_string());
    assert_eq!(guard.verify(), [""; 0]);
    fs::write(SWAPPINESS, "77").expect("somebody else");
    assert!(guard.verify()[0].contains("is 77 now"), "{:?}", guard.verify());
    let done = guard.restore().expect("restored");
    assert_eq!((done.restored.len(), done.foreign.len(), done.failed.len()), (2, 1, 0), "{done:?}");
    assert_eq!(value(SWAPPINESS), "77");
    fs::write(SWAPPINESS, &before.0[0].1).expect("somebody else");
    assert!(before.holds());
    // Dropped instead of restored.
    drop(apply(dir.path(), &wanted));
    assert!(before.holds() && Record::read(dir.path()).expect("readable").is_none());
}

#[tokio::test]
async fn a_value_that_the_kernel_refuses_is_named_and_nothing_stays() {
    if !common::real(missing()) {
        return;
    }
    let _alone = common::alone().await;
    let before = AsBefore::remember();
    let dir = tempfile::tempdir().expect("tempdir");
    let wanted = Wanted { swappiness: Some(999), ..wanted(&before) };
    let error = Tuning::of_host(Path::new("/"), &wanted).apply(dir.path(), &sweep()).expect_err("refused");
    assert!(error.to_string().starts_with("swappiness cannot be set to \"999\""), "{error}");
    assert!(before.holds() && Record::read(dir.path()).expect("readable").is_none());
}

#[tokio::test]
async fn what_a_killed_process_tuned_clean_restores() {
    const CHILD: &str = "TOLLGATE_TEST_TUNE_AND_DIE";
    if let Some(state) = std::env::var_os(CHILD) {
        let wanted = wanted(&AsBefore::remember());
        let _guard = apply(Path::new(&state), &wanted);
        Command::new("kill").args(["-9", &std::process::id().to_string()]).status().expect("kill");
        panic!("survived");
    }
    if !common::real(missing()) {
        return;
    }
    let _alone = common::alone().await;
    let before = AsBefore::remember();
    let dir = tempfile::tempdir().expect("tempdir");
    let program = std::env::current_exe().expect("this test");
    let mut child = Command::new(program);
    child.args(["--exact", "what_a_killed_process_tuned_clean_restores"]).env(CHILD, dir.path());
    let status = child.stdout(Stdio::null()).stderr(Stdio::null()).status().expect("started");
    assert!(!status.success() && !before.holds(), "{status}: it was killed while the host was tuned");
    // No engine is asked: only this test's state directory is to be cleaned.
    let settings = dir.path().join("tollgate.toml");
    let text = format!("state = {:?}\n[docker]\nsocket = \"/nowhere/docker.sock\"\n", dir.path());
    fs::write(&settings, text).expect("written");
    let clean = |more: &[&str]| {
        // What other tests and sweeps have on this host is hidden: knobs are the only thing of it that is seen.
        let mut command = Command::new("unshare");
        let hide =
            "for d in /run /sys/fs/cgroup /sys/class/net; do mount -t tmpfs none $d; done; exec \"$@\"";
        command.args(["--mount", "--net", "--pid", "--fork", "--mount-proc", "sh", "-c", hide, "sh"]);
        command.args([env!("CARGO_BIN_EXE_tollgate"), "clean"]).args(more).arg("--config").arg(&settings);
        let output = command.output().expect("tollgate");
        String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
    };
    let text = clean(&["--dry-run"]);
    assert!(text.contains("would remove tuning: swappiness from") && !before.holds(), "{text}");
    let text = clean(&[]);
    assert!(text.contains("removed tuning: swappiness from") && text.contains("hugepages from"), "{text}");
    assert!(before.holds() && Record::read(dir.path()).expect("readable").is_none());
    assert!(!clean(&[]).contains("tuning"));
}
