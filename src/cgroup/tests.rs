//! Fake hierarchies: directories whose files do not appear by themselves.

use super::*;
use std::collections::BTreeMap;

fn put(root: &Path, path: &str, text: &str) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().expect("parent")).expect("mkdir");
    fs::write(path, text).expect("write");
}

fn get(root: &Path, path: &str) -> String {
    fs::read_to_string(root.join(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// A host with version 1 on which cpuset and memory are apart.
fn one(root: &Path) {
    put(root, "sys/fs/cgroup/memory/cgroup.procs", "");
    put(root, "sys/fs/cgroup/cpuset/cgroup.procs", "");
    put(root, "sys/fs/cgroup/cpuset/cpuset.cpus", "0-3\n");
    put(root, "sys/fs/cgroup/cpuset/cpuset.mems", "0-1\n");
    put(root, "sys/fs/cgroup/unified/cgroup.controllers", "hugetlb\n");
}

/// A host with version 2.
fn two(root: &Path) {
    put(root, "sys/fs/cgroup/cgroup.controllers", "cpuset cpu io memory\n");
    put(root, "sys/fs/cgroup/cgroup.subtree_control", "cpu memory\n");
}

fn sweep() -> SweepId {
    "20260101T000000Z-00cafe".parse().expect("id")
}

fn limits() -> Limits {
    Limits { memory_bytes: Some(1 << 30), cpus: Some("0-1,3".parse().expect("list")) }
}

const GROUP: &str = "tollgate-20260101T000000Z-00cafe/native";

/// The kernel's files go with their group; those of a fake one have to be taken out.
fn empty(directory: &Path) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        if entry.path().is_dir() { empty(&entry.path()) } else { fs::remove_file(entry.path()).expect("rm") }
    }
}

#[tokio::test]
async fn version_1_has_a_directory_in_each_hierarchy() {
    let dir = tempfile::tempdir().expect("tempdir");
    let root = dir.path().canonicalize().expect("real");
    one(&root);
    let mut group = Cgroup::create(&root, &sweep(), "native", &limits()).expect("made");
    let file =
        |controller: &str, name: &str| get(&root, &format!("sys/fs/cgroup/{controller}/{GROUP}/{name}"));
    assert_eq!(file("memory", "memory.limit_in_bytes"), "1073741824");
    assert_eq!(
        (file("cpuset", "cpuset.cpus"), file("cpuset", "cpuset.mems")),
        ("0-1,3".into(), "0-1".into())
    );
    let parent = root.join("sys/fs/cgroup/cpuset").join(format!("{PREFIX}{}", sweep()));
    assert_eq!(fs::read_to_string(parent.join("cpuset.cpus")).expect("set"), "0-3");
    let procs = ["memory", "cpuset"].map(|c| root.join(format!("sys/fs/cgroup/{c}/{GROUP}/cgroup.procs")));
    assert_eq!(group.procs_files(), procs);
    group.add(4711).expect("moved");
    assert!(procs.iter().all(|path| fs::read_to_string(path).expect("written") == "4711"));
    put(&root, &format!("sys/fs/cgroup/memory/{GROUP}/memory.usage_in_bytes"), "4096\n");
    put(&root, &format!("sys/fs/cgroup/memory/{GROUP}/memory.max_usage_in_bytes"), "8192\n");
    let used = MemoryUse { usage_bytes: 4096, peak_bytes: Some(8192), limit_bytes: Some(1 << 30) };
    assert_eq!(group.memory().expect("read"), used);
    assert!(group.reset_peak().expect("written"));
    assert_eq!(file("memory", "memory.max_usage_in_bytes"), "0");
    // Again, as after an interruption; another group keeps the sweep's directory.
    let other = Cgroup::create(&root, &sweep(), "client", &Limits::default()).expect("made");
    let again = Cgroup::create(&root, &sweep(), "native", &limits()).expect("made again");
    empty(&root.join("sys/fs/cgroup/cpuset").join(format!("{PREFIX}{}", sweep())));
    empty(&root.join("sys/fs/cgroup/memory").join(format!("{PREFIX}{}", sweep())));
    again.remove().await.expect("removed");
    assert_eq!(find(&root).len(), 1, "the other one is still in memory");
    other.remove().await.expect("removed");
    group.remove().await.expect("nothing to remove");
    assert_eq!(find(&root), []);
}

#[tokio::test]
async fn version_2_has_one_directory_and_enables_what_is_missing() {
    let dir = tempfile::tempdir().expect("tempdir");
    two(dir.path());
    let mut group = Cgroup::create(dir.path(), &sweep(), "kvm+tuned", &limits()).expect("made");
    let parent = format!("sys/fs/cgroup/tollgate-{}", sweep());
    assert_eq!(get(dir.path(), "sys/fs/cgroup/cgroup.subtree_control"), "+cpuset");
    assert_eq!(get(dir.path(), &format!("{parent}/cgroup.subtree_control")), "+memory +cpuset");
    assert_eq!(get(dir.path(), &format!("{parent}/kvm+tuned/memory.max")), "1073741824");
    assert_eq!(group.procs_files(), [dir.path().join(format!("{parent}/kvm+tuned/cgroup.procs"))]);
    put(dir.path(), &format!("{parent}/kvm+tuned/memory.current"), "12288\n");
    let used = MemoryUse { usage_bytes: 12_288, peak_bytes: None, limit_bytes: Some(1 << 30) };
    assert_eq!(group.memory().expect("read"), used);
    assert!(!group.reset_peak().expect("asked"), "this kernel has no memory.peak");
    put(dir.path(), &format!("{parent}/kvm+tuned/memory.peak"), "20480\n");
    put(dir.path(), &format!("{parent}/kvm+tuned/memory.max"), "max\n");
    let used = group.memory().expect("read");
    assert_eq!((used.peak_bytes, used.limit_bytes), (Some(20_480), None));
    empty(&dir.path().join(parent));
    group.remove().await.expect("removed");
    assert_eq!(find(dir.path()), []);
}

#[test]
fn what_cannot_be_is_said_and_nothing_is_left() {
    let dir = tempfile::tempdir().expect("tempdir");
    let error =
        Cgroup::create(dir.path(), &sweep(), "native", &limits()).expect_err("no controller").to_string();
    assert!(error.contains("has no memory controller") && error.contains("mount -t cgroup"), "{error}");
    for name in ["", "..", "a/b", "-x", "a b"] {
        assert!(matches!(Cgroup::create(dir.path(), &sweep(), name, &limits()), Err(CgroupError::Name(_))));
    }
    two(dir.path());
    // A set of which the groups above leave a part.
    put(dir.path(), &format!("sys/fs/cgroup/{GROUP}/cpuset.cpus.effective"), "0\n");
    let error = Cgroup::create(dir.path(), &sweep(), "native", &limits()).expect_err("not taken").to_string();
    assert!(error.contains("cpuset.cpus.effective holds \"0\" after \"0-1,3\""), "{error}");
    // Handing down fails.
    fs::remove_file(dir.path().join("sys/fs/cgroup/cgroup.subtree_control")).expect("rm");
    fs::create_dir(dir.path().join("sys/fs/cgroup/cgroup.subtree_control")).expect("mkdir");
    fs::remove_dir_all(dir.path().join(format!("sys/fs/cgroup/tollgate-{}", sweep()))).expect("rm");
    let error =
        Cgroup::create(dir.path(), &sweep(), "native", &limits()).expect_err("a directory").to_string();
    assert!(
        error.contains("cannot enable +memory +cpuset in") && error.contains("inside a container"),
        "{error}"
    );
    assert_eq!(find(dir.path()), []);
}

#[test]
fn the_memory_of_a_process_is_that_of_its_group() {
    let dir = tempfile::tempdir().expect("tempdir");
    one(dir.path());
    put(dir.path(), "proc/7/cgroup", "4:memory:/docker/abc\n0::/\n");
    for (name, value) in [("usage", "4096\n"), ("max_usage", "8192\n"), ("limit", "9223372036854771712\n")] {
        put(dir.path(), &format!("sys/fs/cgroup/memory/docker/abc/memory.{name}_in_bytes"), value);
    }
    let used = MemoryUse { usage_bytes: 4096, peak_bytes: Some(8192), limit_bytes: None };
    assert_eq!(memory_of(dir.path(), 7).expect("read"), used);
    put(dir.path(), "sys/fs/cgroup/memory/docker/abc/memory.usage_in_bytes", "lots\n");
    put(dir.path(), "proc/8/cgroup", "4:memory:/../../x\n");
    put(dir.path(), "proc/9/cgroup", "4:memory:/gone\n");
    let errors: BTreeMap<u32, String> =
        (6..10).map(|pid| (pid, memory_of(dir.path(), pid).expect_err("no memory").to_string())).collect();
    for (pid, why) in
        [(6, "has ended"), (7, "but \"lots\""), (8, "cgroup namespace"), (9, "/gone/memory.usage")]
    {
        assert!(errors[&pid].contains(why), "{errors:#?}");
    }
}

#[tokio::test]
async fn what_sweeps_left_is_found_by_its_name_and_goes_with_what_is_in_it() {
    let dir = tempfile::tempdir().expect("tempdir");
    one(dir.path());
    for path in [GROUP, "tollgate-../x", "tollgate-", "tollgated", "other/tollgate-20260101T000000Z-00cafe"] {
        fs::create_dir_all(dir.path().join("sys/fs/cgroup/memory").join(path).join("deep")).expect("mkdir");
    }
    std::os::unix::fs::symlink("memory", dir.path().join("sys/fs/cgroup/linked")).expect("symlink");
    let found = find(dir.path());
    assert_eq!(found.len(), 1, "{found:?}");
    remove_tree(&found[0].1).await.expect("removed");
    remove_tree(&found[0].1).await.expect("nothing to remove");
    assert_eq!(find(dir.path()), []);
    put(dir.path(), "proc/7/cgroup", &format!("9:cpu:/\n4:memory:/{GROUP}\n"));
    put(dir.path(), "proc/8/cgroup", "4:memory:/docker/tollgate-20260101T000000Z-00cafe\n");
    assert_eq!((sweep_of(dir.path(), 7), sweep_of(dir.path(), 8)), (Some(sweep()), None));
}
