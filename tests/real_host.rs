//! The host module on this very host: namespaces, leftovers, lock, probe. Needs root.

mod common;

use chrono::Utc;
use std::{
    collections::BTreeSet,
    fs,
    io::{Read as _, Write as _},
    net::TcpListener,
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};
use tollgate::{
    host::{HostLock, NetworkPlan, Preflight, Probe, Provision, leftovers, netns},
    model::{Component, SweepId},
};

fn root() -> bool {
    common::real(common::no_root())
}

/// A sweep's id that no other test has.
fn sweep() -> SweepId {
    let nanos = Utc::now().timestamp_subsec_nanos();
    SweepId::new(Utc::now(), nanos ^ std::process::id().rotate_left(12))
}

fn run(command: &[&str]) -> (bool, String) {
    let output = Command::new(command[0]).args(&command[1..]).output().expect(command[0]);
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&text).into_owned())
}

/// Commands that undo what a test did, however it ends; what is undone already is no error.
#[derive(Default)]
struct Undo(Vec<Vec<String>>);

impl Undo {
    fn push(&mut self, command: &[&str]) {
        self.0.push(command.iter().map(|word| (*word).to_owned()).collect());
    }

    fn network(&mut self, plan: &NetworkPlan) {
        self.push(&["ip", "link", "delete", &plan.host_link]);
        self.push(&["ip", "netns", "delete", &plan.client_namespace]);
        self.push(&["ip", "netns", "delete", &plan.guest_namespace]);
        self.push(&["ip", "netns", "delete", &plan.engine_namespace]);
    }
}

impl Drop for Undo {
    fn drop(&mut self) {
        for command in self.0.iter().rev() {
            let _ = Command::new(&command[0]).args(&command[1..]).output();
        }
    }
}

/// All links and namespaces of the host whose names contain `tail`.
fn traces(tail: &str) -> Vec<String> {
    let names =
        ["/sys/class/net", "/run/netns"].into_iter().filter_map(|path| fs::read_dir(path).ok()).flatten();
    let names = names.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    names.filter(|name| name.contains(tail)).collect()
}

fn in_client(plan: &NetworkPlan, script: &str) -> (bool, String) {
    let [nsenter, net] = plan.in_client();
    run(&[&nsenter, &net, "timeout", "5", "bash", "-c", script])
}

#[tokio::test]
async fn a_network_is_made_used_and_removed_without_a_trace() {
    if !root() {
        return;
    }
    let (sweep, mut undo) = (sweep(), Undo::default());
    let plan = NetworkPlan::for_host(&sweep).await.expect("plan");
    undo.network(&plan);
    netns::setup(&plan).await.expect("made");
    // What an interrupted sweep left does not hinder its resumption.
    netns::setup(&plan).await.expect("made again");

    let server = TcpListener::bind((plan.host_address, 0)).expect("an address of the host");
    let port = server.local_addr().expect("bound").port();
    let answer = std::thread::spawn(move || {
        let (mut stream, from) = server.accept().expect("client");
        stream.write_all(b"over the wire\n").expect("write");
        from.ip()
    });
    let script = format!("read -r line < /dev/tcp/{}/{port}; echo $line", plan.host_address);
    let (ok, text) = in_client(&plan, &script);
    assert!(ok && text == "over the wire\n", "{text}");
    assert_eq!(answer.join().expect("server"), plan.client_address);

    // An address on the wire answers at once that no one listens; an absent wire would say nothing.
    for address in [plan.bridge_address, plan.engine_address] {
        let (ok, text) = in_client(&plan, &format!(": < /dev/tcp/{address}/9"));
        assert!(!ok && text.contains("refused"), "{text}");
    }
    let [nsenter, net] = plan.in_guest();
    let (_, ports) = run(&[&nsenter, &net, "ip", "-o", "link", "show", "master", &plan.bridge]);
    assert!(
        plan.guests.iter().all(|g| ports.contains(&g.tap)) && ports.contains(&plan.bridge_port),
        "{ports}"
    );

    // A second sweep finds another subnet.
    let other = NetworkPlan::for_host(&sweep).await.expect("plan");
    assert_ne!(other.host_address, plan.host_address);

    netns::teardown(&plan).await.expect("removed");
    netns::teardown(&plan).await.expect("nothing to remove");
    assert_eq!(traces(sweep.tail()), [""; 0]);
}

#[tokio::test]
async fn a_network_that_cannot_be_made_leaves_nothing_and_says_why() {
    if !root() {
        return;
    }
    let (sweep, mut undo) = (sweep(), Undo::default());
    let mut plan = NetworkPlan::choose(&sweep, &BTreeSet::new()).expect("plan");
    "a-name-that-is-too-long".clone_into(&mut plan.guests[0].tap);
    undo.network(&plan);
    let error = netns::setup(&plan).await.expect_err("too long").to_string();
    assert!(error.contains("`ip -n") && error.contains("a-name-that-is-too-long"), "{error}");
    assert_eq!(traces(sweep.tail()), [""; 0]);
}

/// Ends a child however the test ends.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn sleeper(prefix: &[&str], trap: &str, sweep: Option<&SweepId>) -> Killed {
    // A signal that is ignored stays so over exec: one process, no child to be left behind.
    let script = format!("{trap} echo ready; exec sleep 1000");
    let words = [prefix, &["bash", "-c", &script]].concat();
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).stdout(Stdio::piped()).stderr(Stdio::null());
    command.env_remove(leftovers::SWEEP_VARIABLE);
    command.envs(sweep.map(|sweep| (leftovers::SWEEP_VARIABLE, sweep.as_str())));
    let mut child = Killed(command.spawn().expect("bash"));
    let mut ready = [0; 6];
    child.0.stdout.as_mut().expect("piped").read_exact(&mut ready).expect("ready");
    child
}

#[tokio::test]
async fn what_a_crashed_sweep_left_is_found_and_removed() {
    if !root() {
        return;
    }
    let (sweep, root, mut undo) = (sweep(), Path::new("/"), Undo::default());
    let dir = tempfile::tempdir().expect("tempdir");
    let state = dir.path().canonicalize().expect("real");
    let plan = NetworkPlan::for_host(&sweep).await.expect("plan");
    undo.network(&plan);
    netns::setup(&plan).await.expect("made");
    let mut polite = sleeper(&[], "", Some(&sweep));
    let mut stubborn = sleeper(&[], "trap '' TERM;", Some(&sweep));
    let [nsenter, net] = plan.in_guest();
    let mut inside = sleeper(&[&nsenter, &net], "", None);
    let innocent = sleeper(&[], "", None);
    let scratch = state.join("scratch").join(sweep.as_str());
    let mounted = scratch.join("disk");
    let mount_point = mounted.to_str().expect("utf-8");
    fs::create_dir_all(&mounted).expect("mkdir");
    undo.push(&["umount", "-l", mount_point]);
    assert!(run(&["mount", "-t", "tmpfs", "none", mount_point]).0);
    fs::write(mounted.join("file"), "x").expect("write");
    let image = scratch.join("disk.img");
    fs::File::create(&image).expect("image").set_len(1 << 20).expect("size");
    let (looped, device) = run(&["losetup", "-f", "--show", image.to_str().expect("utf-8")]);
    if looped {
        undo.push(&["losetup", "-d", device.trim()]);
    }

    // Others use this host too: only what is of this test is looked at.
    let pids = [&polite, &stubborn, &inside].map(|child| format!("process {} ", child.0.id()));
    let is_ours = |text: &str| text.contains(sweep.tail()) || pids.iter().any(|pid| text.starts_with(pid));
    let find = || {
        let found = leftovers::find(&state, root).expect("found");
        found.into_iter().filter(|leftover| is_ours(&leftover.to_string())).collect::<Vec<_>>()
    };

    // While another process holds the lock of this sweep, nothing of it is left over.
    let lock = HostLock::acquire(&state, root, &sweep, Utc::now()).expect("lock");
    let marker = Path::new("/run/tollgate").join(sweep.as_str());
    let text = fs::read_to_string(&marker).expect("marker");
    let other = text.replace(&format!("\"pid\":{}", std::process::id()), "\"pid\":1");
    fs::write(&marker, &other).expect("write");
    fs::write(lock.path(), other).expect("write");
    assert_eq!(find(), []);
    drop(lock);
    assert!(!marker.exists());

    let found = find();
    let texts: Vec<String> = found.iter().map(ToString::to_string).collect();
    for pid in &pids {
        assert!(texts.iter().any(|text| text.starts_with(pid)), "{pid}: {texts:#?}");
    }
    let innocent_pid = format!("process {} ", innocent.0.id());
    let all = leftovers::find(&state, root).expect("found");
    assert!(!all.iter().any(|leftover| leftover.to_string().starts_with(&innocent_pid)));
    for expected in [
        format!("network namespace {}", plan.client_namespace),
        format!("network namespace {}", plan.guest_namespace),
        format!("network namespace {}", plan.engine_namespace),
        format!("network link {}", plan.host_link),
        format!("mount {}", mounted.display()),
        format!("directory {}", scratch.display()),
    ] {
        assert!(texts.contains(&expected), "{expected}: {texts:#?}");
    }
    let loop_device = format!("loop device {} of {}", device.trim(), image.display());
    assert!(!looped || texts.contains(&loop_device), "{texts:#?}");

    let failed = leftovers::remove_all(&found).await;
    assert!(failed.is_empty(), "{failed:?}");
    for child in [&mut polite, &mut stubborn, &mut inside] {
        assert!(!child.0.wait().expect("ended").success());
    }
    assert_eq!(find(), []);
    assert_eq!(traces(sweep.tail()), [""; 0]);
    assert!(!scratch.exists() && Path::new(&format!("/proc/{}", innocent.0.id())).exists());
    assert!(!fs::read_to_string("/proc/self/mountinfo").expect("mounts").contains(sweep.as_str()));
    // Removing what is gone is no error.
    assert!(leftovers::remove_all(&found).await.is_empty());
}

#[tokio::test]
async fn this_host_has_a_kernel_findings_and_a_list_of_needs() {
    let root = Path::new("/");
    let dir = tempfile::tempdir().expect("tempdir");
    let probe = Probe::new(root).with_state(dir.path());
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").expect("release");
    assert!(probe.components()[&Component::Kernel].starts_with(release.trim()));
    assert!(probe.context().contains_key("state-filesystem"));
    let mut preflight = Preflight::new(root, dir.path());
    preflight.watch = Duration::from_millis(50);
    assert!(preflight.run().await.iter().any(|finding| finding.name == "free-disk"));
    let needs = Provision::new(root, dir.path()).needs().await;
    assert!(!needs.iter().any(|need| need.tool == "tar"), "{needs:?}");
}

#[tokio::test]
async fn a_provisioned_host_is_left_as_it_is() {
    let dir = tempfile::tempdir().expect("tempdir");
    let provision = Provision::new(Path::new("/"), dir.path());
    let unmet = !provision.needs().await.is_empty();
    if !common::real(unmet.then(|| "the host is not provisioned (`tollgate provision`)".to_owned())) {
        return;
    }
    let mut said = Vec::new();
    provision.provision(&mut |line| said.push(line.to_owned())).await.expect("nothing to do");
    // What this release does not have is told each time.
    assert!(said.iter().all(|line| line.starts_with("not available here: ")), "{said:?}");
}
