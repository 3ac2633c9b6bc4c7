//! A fake root and a state directory with what a crash leaves.

use super::*;
use chrono::DateTime;

fn write(path: &Path, text: impl AsRef<[u8]>) {
    fs::create_dir_all(path.parent().expect("parent")).expect("mkdir");
    fs::write(path, text).expect("write");
}

fn process(root: &Path, pid: u32, environ: &str) {
    let directory = root.join(format!("proc/{pid}"));
    write(&directory.join("environ"), environ);
    write(&directory.join("comm"), "sleep\n");
    let stat = format!("{pid} (sleep) S 1 1 1 0 -1 4 1 2 3 4 5 6 7 8 20 0 1 0 {pid}00 1 2 3\n");
    write(&directory.join("stat"), stat);
}

const DEAD: &str = "20260101T000000Z-00dead";
const LIVE: &str = "20260101T000000Z-00beef";

fn host(dir: &Path) -> (PathBuf, PathBuf) {
    let (root, state) = (dir.join("root"), dir.canonicalize().expect("real").join("state"));
    process(&root, 900_001, &format!("A=1\0TOLLGATE_SWEEP={DEAD}\0"));
    process(&root, 900_002, &format!("TOLLGATE_SWEEP={LIVE}\0"));
    process(&root, 900_003, "TOLLGATE_SWEEPER=20260101T000000Z-00dead\0PATH=/bin\0");
    process(&root, 900_004, "TOLLGATE_SWEEP=../etc\0");
    process(&root, std::process::id(), &format!("TOLLGATE_SWEEP={DEAD}\0"));
    for name in
        ["tgc00dead", "tgg00dead", "tge00dead", "tgc00beef", "tgx00dead", "tgc00DEAD", "tgc00deadf", "other"]
    {
        write(&root.join("run/netns").join(name), "");
    }
    for name in ["tgh00dead", "tgh00beef", "docker0", "tgb0", "eth0"] {
        write(&root.join("sys/class/net").join(name).join("mtu"), "1500");
    }
    let at = state.display();
    let mounts = format!(
        "1 0 8:1 / / rw - ext4 /dev/sda rw\n2 1 7:0 / {at}/scratch/{DEAD}/disk rw - xfs /dev/loop0 rw\n\
         3 1 7:1 / {at}/scratch/{LIVE}/disk rw - xfs /dev/loop1 rw\n\
         4 2 0:9 / {at}/scratch/{DEAD}/disk/proc rw - proc proc rw\n\
         5 1 0:9 / {at}/images/building-1/proc rw - proc proc rw\n\
         6 1 0:9 / {at}/images/abc/root/proc rw - proc proc rw\n7 1 0:9 / {at}s/scratch/x rw - proc proc rw\n"
    );
    write(&root.join("proc/self/mountinfo"), mounts);
    let loops = [
        format!("{at}/scratch/{DEAD}/disk.img (deleted)"),
        format!("{at}/scratch/{LIVE}/disk.img"),
        "/srv/other.img".to_owned(),
    ];
    for (number, file) in loops.iter().enumerate() {
        write(&root.join(format!("sys/block/loop{number}/loop/backing_file")), format!("{file}\n"));
    }
    for name in [DEAD, LIVE] {
        write(&state.join("scratch").join(name).join("file"), "x");
    }
    for name in [DEAD, LIVE] {
        fs::create_dir_all(root.join(format!("sys/fs/cgroup/memory/tollgate-{name}/native"))).expect("mkdir");
    }
    // In the group of a dead sweep, with an environment that says nothing.
    process(&root, 900_005, "PATH=/bin\0");
    write(&root.join("proc/900005/cgroup"), format!("4:memory:/tollgate-{DEAD}/engines/e0/abc\n0::/\n"));
    write(&state.join("scratch/.hidden/file"), "x");
    std::os::unix::fs::symlink("/etc", state.join("scratch/20260101T000000Z-00f00d")).expect("symlink");
    (root, state)
}

fn texts(state: &Path, root: &Path) -> Vec<String> {
    let found = find(state, root).expect("found");
    assert!(found.is_sorted_by_key(Leftover::kind), "{found:?}");
    found
        .iter()
        .map(|l| l.to_string().replace(&state.display().to_string(), "STATE"))
        .map(|text| text.replace(&root.display().to_string(), "ROOT"))
        .collect()
}

#[test]
fn only_what_the_dead_left_is_found() {
    let dir = tempfile::tempdir().expect("tempdir");
    let (root, state) = host(dir.path());
    // The living sweep belongs to another process, as far as its marker tells.
    let lock =
        HostLock::acquire(&dir.path().join("other"), &root, &LIVE.parse().expect("id"), DateTime::UNIX_EPOCH)
            .expect("lock");
    let marker = root.join("run/tollgate").join(LIVE);
    let text = fs::read_to_string(&marker).expect("marker");
    fs::write(&marker, text.replace(&format!("\"pid\":{}", std::process::id()), "\"pid\":1")).expect("write");
    assert_eq!(
        texts(&state, &root),
        [
            "process 900001 (sleep)",
            "process 900005 (sleep)",
            &format!("control group ROOT/sys/fs/cgroup/memory/tollgate-{DEAD}"),
            "network namespace tgc00dead",
            "network namespace tge00dead",
            "network namespace tgg00dead",
            "network link tgh00dead",
            "mount STATE/images/building-1/proc",
            &format!("mount STATE/scratch/{DEAD}/disk/proc"),
            &format!("mount STATE/scratch/{DEAD}/disk"),
            &format!("loop device /dev/loop0 of STATE/scratch/{DEAD}/disk.img"),
            &format!("directory STATE/scratch/{DEAD}"),
        ]
    );
    drop(lock);
    assert!(texts(&state, &root).contains(&"process 900002 (sleep)".to_owned()));
}

#[test]
fn who_holds_the_lock_finds_what_its_own_earlier_attempt_left() {
    let dir = tempfile::tempdir().expect("tempdir");
    let (root, state) = host(dir.path());
    let _lock =
        HostLock::acquire(&state, &root, &DEAD.parse().expect("id"), DateTime::UNIX_EPOCH).expect("lock");
    let found = texts(&state, &root);
    assert!(found.contains(&format!("directory STATE/scratch/{DEAD}")), "{found:?}");
    assert!(found.contains(&"mount STATE/images/building-1/proc".to_owned()), "{found:?}");
}

#[test]
fn an_empty_host_has_no_leftovers() {
    let dir = tempfile::tempdir().expect("tempdir");
    assert!(texts(&dir.path().join("none"), dir.path()).is_empty());
}

#[tokio::test]
async fn a_scratch_directory_goes_and_what_its_links_point_to_stays() {
    let dir = tempfile::tempdir().expect("tempdir");
    let root = dir.path().join("root");
    let state = dir.path().join("state");
    write(&dir.path().join("precious/file"), "x");
    let scratch = state.join("scratch").join(DEAD);
    fs::create_dir_all(&scratch).expect("mkdir");
    std::os::unix::fs::symlink(dir.path().join("precious"), scratch.join("link")).expect("symlink");
    let found = find(&state, &root).expect("found");
    assert_eq!(found.len(), 1);
    assert!(remove_all(&found).await.is_empty());
    assert!(!scratch.exists() && dir.path().join("precious/file").exists());
    remove(&found[0]).await.expect("gone already");
}

#[tokio::test]
async fn a_process_with_another_start_is_not_killed() {
    let mut child = std::process::Command::new("sleep").arg("60").spawn().expect("sleep");
    let start_ticks = processes::start_ticks(Path::new("/"), child.id()).expect("start");
    let leftover =
        |start_ticks| Leftover(What::Process { pid: child.id(), start_ticks, command: "sleep".into() });
    remove(&leftover(start_ticks + 1)).await.expect("another process");
    assert!(!processes::is_zombie(Path::new("/"), child.id()));
    remove(&leftover(start_ticks)).await.expect("killed");
    assert!(!child.wait().expect("wait").success());
}
