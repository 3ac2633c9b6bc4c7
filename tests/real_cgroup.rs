//! Control groups on this very host: limits that hold, memory that is counted, groups that go. Needs root.

mod common;

use chrono::Utc;
use std::{
    io::Read as _,
    path::Path,
    process::{Child, Command, Stdio},
};
use tollgate::{
    cgroup::{self, Cgroup, Limits},
    host::{leftovers, processors},
    model::{CpuList, SweepId},
};

const LIMIT: u64 = 96 << 20;

/// Why groups with limits cannot be tried.
fn missing() -> Option<String> {
    let controllers = std::fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let there = controllers.contains(":memory:") || Path::new("/sys/fs/cgroup/cgroup.controllers").exists();
    common::no_root().or_else(|| (!there).then(|| "this host has no memory controller".to_owned()))
}

fn sweep() -> SweepId {
    SweepId::new(Utc::now(), Utc::now().timestamp_subsec_nanos() ^ std::process::id().rotate_left(12))
}

/// A shell that has moved itself into the group; killed when the test ends.
struct Inside(Child);

impl Inside {
    fn start(group: &Cgroup, script: &str) -> Self {
        let files = group.procs_files();
        let moves: Vec<String> = files.iter().map(|file| format!("echo $$ > {}", file.display())).collect();
        let mut command = Command::new("bash");
        command.args(["-c", &format!("{} && echo ready && {script}", moves.join(" && "))]);
        command.env_remove(leftovers::SWEEP_VARIABLE).stdout(Stdio::piped());
        let mut child = Self(command.spawn().expect("bash"));
        let mut ready = [0; 6];
        child.0.stdout.as_mut().expect("piped").read_exact(&mut ready).expect("moved");
        child
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn limits_hold_memory_is_counted_and_the_group_goes() {
    if !common::real(missing()) {
        return;
    }
    let (root, sweep) = (Path::new("/"), sweep());
    let last = processors::online(root).expect("processors").iter().last().expect("one");
    let cpus = CpuList::new([last]).expect("one");
    let limits = Limits { memory_bytes: Some(LIMIT), cpus: Some(cpus.clone()) };
    let mut group = Cgroup::create(root, &sweep, "native", &limits).expect("made");
    assert_eq!(group.memory().expect("read").limit_bytes, Some(LIMIT));

    // The set of processors holds, and 40 MB that a child keeps in memory show.
    let mut small = Inside::start(&group, "head -c 60M /dev/zero | tail -c 40M > /dev/null; exec sleep 1000");
    let status = std::fs::read_to_string(format!("/proc/{}/status", small.0.id())).expect("alive");
    assert!(status.contains(&format!("Cpus_allowed_list:\t{cpus}\n")), "{status}");
    let at_least = |bytes: u64| {
        let used = group.memory().expect("read");
        used.peak_bytes.unwrap_or(used.usage_bytes) >= bytes
    };
    for _ in 0..500 {
        if at_least(40 << 20) {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    assert!(at_least(40 << 20), "{:?}", group.memory());
    // Until only `sleep` is left.
    while std::fs::read_to_string(format!("/proc/{}/comm", small.0.id())).expect("alive") != "sleep\n" {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    let by_pid = cgroup::memory_of(root, small.0.id()).expect("read");
    assert_eq!(by_pid.limit_bytes, Some(LIMIT));
    if group.reset_peak().expect("asked") {
        let used = group.memory().expect("read");
        assert!(used.peak_bytes.is_some_and(|peak| peak < 40 << 20), "{used:?}");
    }

    // What needs more than the limit is killed by the kernel.
    let mut large = Inside::start(&group, "head -c 400M /dev/zero | tail -c 300M > /dev/null");
    assert!(!large.0.wait().expect("ended").success());
    let used = group.memory().expect("read");
    assert!(used.peak_bytes.is_none_or(|peak| peak <= LIMIT && peak > LIMIT / 2), "{used:?}");

    // A group in use is not removed; its process is known by it.
    let leftover: Vec<String> = leftovers::find(Path::new("/nowhere"), root)
        .expect("found")
        .iter()
        .map(ToString::to_string)
        .filter(|text| {
            text.contains(sweep.as_str()) || text.starts_with(&format!("process {} ", small.0.id()))
        })
        .collect();
    assert!(leftover.len() >= 2 && leftover[0].starts_with("process"), "{leftover:?}");
    let error = group.remove().await.expect_err("busy").to_string();
    assert!(error.contains("tollgate-"), "{error}");
    small.0.kill().expect("killed");
    small.0.wait().expect("ended");
    let again = Cgroup::create(root, &sweep, "native", &limits).expect("there already");
    again.remove().await.expect("removed");
    assert!(!groups_of_sweeps().iter().any(|name| name.contains(sweep.as_str())));
}

/// Groups of sweeps in all hierarchies.
fn groups_of_sweeps() -> Vec<String> {
    let found = leftovers::find(Path::new("/nowhere"), Path::new("/")).expect("found");
    found.iter().map(ToString::to_string).filter(|text| text.starts_with("control group")).collect()
}

#[tokio::test]
async fn a_group_of_a_dead_sweep_is_removed_with_its_process() {
    if !common::real(missing()) {
        return;
    }
    let (root, sweep) = (Path::new("/"), sweep());
    let cpus = processors::online(root);
    let group = Cgroup::create(root, &sweep, "native", &Limits { memory_bytes: None, cpus }).expect("made");
    let mut inside = Inside::start(&group, "exec sleep 1000");
    let own = format!("process {} ", inside.0.id());
    let found: Vec<_> = leftovers::find(Path::new("/nowhere"), root)
        .expect("found")
        .into_iter()
        .filter(|left| left.to_string().contains(sweep.as_str()) || left.to_string().starts_with(&own))
        .collect();
    assert_eq!(found.len(), 1 + group.procs_files().len(), "{found:?}");
    let failed = leftovers::remove_all(&found).await;
    assert!(failed.is_empty(), "{failed:?}");
    assert!(!inside.0.wait().expect("ended").success());
    assert!(group.procs_files().iter().all(|file| !file.parent().expect("parent").exists()));
}
