//! Environments in engines of the sweep's own, and what must be true of the host's engine and of what is left afterwards.

use crate::common::stage::{SOCKET, Stage};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Instant;
use tollgate::environment::docker::{DockerEnvironment, engine};
use tollgate::environment::{Context, Environment, Session};
use tollgate::model::Proof;
use tollgate_agent::protocol::Start;

pub fn environment(name: &str) -> DockerEnvironment {
    // A newer engine, unpacked with `dpkg -x`, for the containerd snapshotter.
    let newer = std::env::var_os("TOLLGATE_TEST_ENGINE_DIR").map(PathBuf::from);
    let newer = newer.filter(|_| name.contains("containerd"));
    DockerEnvironment::new(name.parse().expect("a name"), SOCKET.into()).with_engine_dir(newer)
}

/// Whether an engine on xfs can be had: not every provisioned host has xfsprogs.
pub async fn has_xfs() -> bool {
    let found = environment("docker+layer+driver=overlay2-xfs").check().await;
    if let Err(why) = &found {
        eprintln!("skipped: {why}");
    }
    found.is_ok()
}

async fn run(argv: &[&str]) -> String {
    tollgate::command::run(argv).await.unwrap_or_else(|e| panic!("{e}"))
}

/// Everything of the host's engine that a private one could harm.
pub async fn host_state() -> BTreeMap<&'static str, String> {
    let docker = engine::connect(Path::new(SOCKET)).await.expect("the host's engine");
    let containers = docker
        .list_containers(Some(
            bollard::query_parameters::ListContainersOptionsBuilder::new().all(true).build(),
        ))
        .await
        .expect("containers");
    let networks = docker.list_networks(None).await.expect("networks");
    let images =
        docker.list_images(None::<bollard::query_parameters::ListImagesOptions>).await.expect("images");
    let ids = |ids: BTreeSet<String>| ids.into_iter().collect::<Vec<_>>().join("\n");
    BTreeMap::from([
        ("docker0", run(&["ip", "-o", "addr", "show", "docker0"]).await),
        ("rules", run(&["iptables", "-S"]).await),
        ("nat rules", run(&["iptables", "-t", "nat", "-S"]).await),
        ("containers", ids(containers.into_iter().filter_map(|c| c.id).collect())),
        ("networks", ids(networks.into_iter().filter_map(|n| n.id).collect())),
        ("images", ids(images.into_iter().map(|i| i.id).collect())),
        ("forwarding", std::fs::read_to_string("/proc/sys/net/ipv4/ip_forward").expect("readable")),
        ("namespaces of docker", std::fs::read_dir("/run/docker").map_or(0, Iterator::count).to_string()),
    ])
}

pub async fn started(name: &str, context: &Context) -> Box<dyn Session> {
    let environment = environment(name);
    environment.check().await.unwrap_or_else(|u| panic!("{name}: {u}"));
    let begun = Instant::now();
    let session = environment.start(context).await.unwrap_or_else(|e| panic!("{name}: {e}"));
    eprintln!("{name}: started in {:?}", begun.elapsed());
    session
}

pub async fn proofs(session: &mut Box<dyn Session>, trials: u32) -> Vec<Proof> {
    session.prove(trials).await.expect("proofs")
}

pub fn refuted(proofs: &[Proof]) -> Vec<&str> {
    proofs.iter().filter(|p| !p.holds).map(|p| p.claim.as_str()).collect()
}

pub async fn stop(name: &str, session: Box<dyn Session>) {
    let begun = Instant::now();
    session.stop().await.unwrap_or_else(|e| panic!("{name}: {e}"));
    eprintln!("{name}: stopped in {:?}", begun.elapsed());
}

/// Nothing of the stage's engines is left: no process, no loop device, no directory, no cgroup.
pub fn assert_gone(stage: &Stage) {
    for entry in std::fs::read_dir("/proc").expect("processes").flatten() {
        let environ = std::fs::read(entry.path().join("environ")).unwrap_or_default();
        let text = String::from_utf8_lossy(&environ).into_owned();
        let ours = text.split('\0').any(|v| {
            v.strip_prefix("TOLLGATE_ENGINE=")
                .is_some_and(|d| Path::new(d).starts_with(&stage.context.scratch))
        });
        assert!(!ours, "{} is left", entry.path().display());
    }
    // The kernel gives a loop device back some time after the last process of its mount namespace has ended.
    let looped = || {
        let devices = std::fs::read_dir("/sys/block").expect("devices").flatten();
        let files = devices.filter_map(|d| std::fs::read_to_string(d.path().join("loop/backing_file")).ok());
        files.filter(|file| Path::new(file).starts_with(&stage.context.scratch)).collect::<Vec<_>>()
    };
    let begun = std::time::Instant::now();
    while !looped().is_empty() && begun.elapsed() < std::time::Duration::from_secs(10) {
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    assert_eq!(looped(), Vec::<String>::new());
    let left: Vec<PathBuf> = std::fs::read_dir(&stage.context.scratch)
        .expect("scratch")
        .flatten()
        .map(|e| e.path())
        .filter(|p| p.join("daemon.json").exists())
        .collect();
    assert!(left.is_empty(), "{left:?}");
    let cgroup = format!("tollgate-{}", stage.context.sweep);
    for hierarchy in std::fs::read_dir("/sys/fs/cgroup").expect("cgroups").flatten() {
        assert!(!hierarchy.path().join(&cgroup).exists(), "{}", hierarchy.path().display());
    }
}

/// A server inside that the client reaches through the sweep's network; true when it answered.
pub async fn serve(name: &str, session: &mut Box<dyn Session>, stage: &Stage, port: u16) -> bool {
    let address = session.server_address();
    let listen = address.listen.to_string();
    let argv = [
        "redis-server",
        "--port",
        &port.to_string(),
        "--bind",
        &listen,
        "--save",
        "",
        "--protected-mode",
        "no",
    ]
    .map(str::to_owned)
    .to_vec();
    let start = Start {
        name: "redis".into(),
        argv,
        env: BTreeMap::new(),
        ready_tcp: Some(format!("{}:{port}", address.inside)),
        ready_timeout_ms: 60_000,
    };
    session.agent().start(start).await.unwrap_or_else(|e| panic!("{name}: {e}"));
    let netns = format!("--net=/run/netns/{}", stage.plan.client_namespace);
    let root = stage.context.image.rootfs();
    let (client, port) = (address.client.to_string(), port.to_string());
    let line =
        ["nsenter", &netns, "chroot", &root.to_string_lossy(), "redis-benchmark", "-h", &client, "-p", &port]
            .into_iter()
            .chain(["-n", "2000", "-t", "get", "-q"])
            .map(str::to_owned)
            .collect::<Vec<_>>();
    let said = tokio::time::timeout(std::time::Duration::from_secs(30), tollgate::command::run(&line)).await;
    said.unwrap_or_else(|_| panic!("{name}: no answer"))
        .unwrap_or_else(|e| panic!("{name}: {e}"))
        .contains("GET")
}
