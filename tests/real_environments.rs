//! Every environment with a real Docker engine and a real QEMU guest: it starts, its label is proven, a lie is
//! caught, and nothing is left behind.

mod common;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tollgate::environment::agent::embedded;
use tollgate::environment::docker::{DockerEnvironment, clean, engine};
use tollgate::environment::image::{BenchImage, Recipe};
use tollgate::environment::kvm::{Accelerator, Kvm, Settings};
use tollgate::environment::native::Native;
use tollgate::environment::{Context, Environment, GuestLink};
use tollgate::host::netns::{self, NetworkPlan, PREFIX};
use tollgate::model::{EnvironmentName, SweepId};
use tollgate_agent::protocol::{Exec, Start};

const SOCKET: &str = "/var/run/docker.sock";

/// A sweep's surroundings without a sweep.
struct Stage {
    context: Context,
    plan: NetworkPlan,
    state: tempfile::TempDir,
}

async fn stage() -> Stage {
    let state = tempfile::Builder::new().prefix("tollgate-test").tempdir().expect("a directory");
    let sweep = SweepId::new(chrono::Utc::now(), std::process::id() * 31 + rand_tail());
    let plan = NetworkPlan::for_host(&sweep).await.expect("a network plan");
    netns::setup(&plan).await.expect("namespaces");
    let packages: Vec<&str> = tollgate::workload::all().iter().flat_map(|w| w.packages()).copied().collect();
    let recipe = Recipe::new("bookworm", None, &packages, 2048);
    let image =
        BenchImage::get(&common::image_cache(), &recipe, &|s| eprintln!("{s}")).await.expect("an image");
    let scratch = state.path().join("scratch");
    std::fs::create_dir_all(&scratch).expect("scratch");
    let context = Context {
        sweep: sweep.to_string(),
        image,
        agent: embedded::install(state.path()).expect("the agent"),
        scratch,
        host_address: plan.host_address,
        guest: GuestLink {
            netns: Path::new("/run/netns").join(&plan.guest_namespace),
            tap: plan.tap.clone(),
            address: plan.guest_address,
            prefix: PREFIX,
        },
        ports: BTreeMap::from([("redis".to_owned(), free_port())]),
    };
    Stage { context, plan, state }
}

fn rand_tail() -> u32 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970").subsec_nanos()
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("0.0.0.0:0").expect("a port").local_addr().expect("an address").port()
}

impl Stage {
    async fn end(self) {
        netns::teardown(&self.plan).await.expect("torn down");
        let docker = engine::connect(Path::new(SOCKET)).await.expect("the engine");
        let left = clean::find(&docker, |sweep| sweep == self.context.sweep).await.expect("a list");
        assert_eq!(left, [], "nothing of ours is left in the engine");
        drop(self.state);
    }
}

fn exec(argv: &[&str]) -> Exec {
    Exec {
        argv: argv.iter().map(|a| (*a).to_owned()).collect(),
        env: BTreeMap::new(),
        cwd: None,
        timeout_ms: 60_000,
        output_limit: 100_000,
    }
}

fn kvm(state: &Path, accelerator: Option<Accelerator>) -> Kvm {
    let settings = Settings {
        accelerator,
        probe_timeout: Duration::from_secs(20),
        boot_timeout: Duration::from_secs(120),
        memory_mib: 768,
        cpus: 2,
        data_mib: 256,
        remember: state.join("accelerator.json"),
    };
    Kvm::new("kvm".parse().expect("a name"), settings)
}

/// Starts, proves, uses and stops one environment.
async fn exercise(environment: &dyn Environment, stage: &Stage) {
    let name = environment.name().to_string();
    environment.check().await.unwrap_or_else(|u| panic!("{name}: {u}"));
    let mut session = environment.start(&stage.context).await.unwrap_or_else(|e| panic!("{name}: {e}"));
    for proof in session.prove(0).await.expect("proofs") {
        assert!(proof.holds, "{name}: {proof:?}");
    }
    let port = stage.context.ports["redis"];
    let address = session.server_address();
    session
        .agent()
        .start(Start {
            name: "redis".into(),
            argv: [
                "redis-server",
                "--port",
                &port.to_string(),
                "--bind",
                &address.listen.to_string(),
                "--save",
                "",
                "--protected-mode",
                "no",
            ]
            .map(str::to_owned)
            .to_vec(),
            env: BTreeMap::new(),
            ready_tcp: Some(format!("{}:{port}", address.inside)),
            ready_timeout_ms: 60_000,
        })
        .await
        .unwrap_or_else(|e| panic!("{name}: {e}"));
    let written =
        session.agent().exec(exec(&["sh", "-c", "echo hello > /data/x && cat /data/x"])).await.expect("runs");
    assert_eq!((written.stdout.as_str(), written.code), ("hello\n", Some(0)), "{name}");
    let netns = PathBuf::from("/run/netns").join(&stage.plan.client_namespace);
    let ping = tollgate::command::run(&[
        "nsenter",
        &format!("--net={}", netns.display()),
        "chroot",
        &stage.context.image.rootfs().to_string_lossy(),
        "redis-cli",
        "-h",
        &address.client.to_string(),
        "-p",
        &port.to_string(),
        "ping",
    ])
    .await
    .unwrap_or_else(|e| panic!("{name}: {e}"));
    assert_eq!(ping.trim(), "PONG", "{name}");
    session.rest().await.expect("rests");
    session.wake().await.expect("wakes");
    let mut times = Vec::new();
    for _ in 0..50 {
        let begun = std::time::Instant::now();
        session.agent().exec(exec(&["/bin/true"])).await.expect("runs");
        times.push(begun.elapsed());
    }
    times.sort();
    eprintln!("{name}: dispatch median {:?}", times[25]);
    session.stop().await.unwrap_or_else(|e| panic!("{name}: {e}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn native_and_docker_environments_are_what_they_say() {
    if !common::real(common::not_everything()) {
        return;
    }
    let stage = stage().await;
    exercise(&Native, &stage).await;
    for name in ["docker", "docker+nat", "docker+layer"] {
        exercise(&DockerEnvironment::new(name.parse().expect("a name"), SOCKET.into()), &stage).await;
    }
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_is_what_it_says_and_kvm_that_hangs_falls_back_to_tcg() {
    if !common::real(common::not_everything()) {
        return;
    }
    let stage = stage().await;
    let guest = kvm(stage.state.path(), None);
    exercise(&guest, &stage).await;
    let remembered = std::fs::read_to_string(stage.state.path().join("accelerator.json"));
    if let Ok(text) = remembered {
        assert!(text.contains("why"), "{text}");
    }
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_container_on_the_host_network_that_is_called_nat_is_caught() {
    if !common::real(common::not_everything()) {
        return;
    }
    let stage = stage().await;
    let name: EnvironmentName = "docker".parse().expect("a name");
    let environment = DockerEnvironment::new(name, SOCKET.into());
    let mut session = environment.start(&stage.context).await.expect("starts");
    let here = session.agent().describe("/data").await.expect("a description");
    let mut proofs = tollgate::environment::proof::Proofs::of(&"docker+nat".parse().expect("a name"));
    proofs.namespace(&here, "net", false);
    assert!(!proofs.all[0].holds, "the host's network is no NAT");
    session.stop().await.expect("stops");
    stage.end().await;
}
