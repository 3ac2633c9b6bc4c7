//! A sweep's surroundings without a sweep: namespaces, bench image, scratch directory.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;
use tollgate::environment::agent::embedded;
use tollgate::environment::docker::private::{EnginePlace, EnginePool};
use tollgate::environment::docker::{clean, engine};
use tollgate::environment::image::{BenchImage, Recipe};
use tollgate::environment::kvm::{Accelerator, Decided, Kvm, Settings};
use tollgate::environment::{Context, GuestLink, Limits};
use tollgate::host::HostLock;
use tollgate::host::netns::{self, NetworkPlan, PREFIX};
use tollgate::model::{CpuList, SweepId};
use tollgate_agent::protocol::Exec;

/// The host's engine.
pub const SOCKET: &str = "/var/run/docker.sock";

/// The surroundings, and the lock that keeps a `clean` elsewhere from taking them for leftovers.
pub struct Stage {
    pub context: Context,
    pub plan: NetworkPlan,
    pub state: tempfile::TempDir,
    _lock: HostLock,
}

/// Makes them.
pub async fn stage() -> Stage {
    let state = tempfile::Builder::new().prefix("tollgate-test").tempdir().expect("a directory");
    let sweep = SweepId::new(chrono::Utc::now(), std::process::id() * 31 + rand_tail());
    let lock = HostLock::acquire(state.path(), Path::new("/"), &sweep, chrono::Utc::now()).expect("the lock");
    let plan = NetworkPlan::for_host(&sweep).await.expect("a network plan");
    netns::setup(&plan).await.expect("namespaces");
    let image = image().await;
    let scratch = state.path().join("scratch").join(sweep.as_str());
    std::fs::create_dir_all(&scratch).expect("scratch");
    let context = Context {
        sweep: sweep.to_string(),
        image,
        agent: embedded::install(state.path()).expect("the agent"),
        scratch,
        limits: Limits { memory_mib: 1024, cpus: CpuList::new(0..2).expect("two") },
        host_address: plan.host_address,
        guest: GuestLink {
            netns: Path::new("/run/netns").join(&plan.guest_namespace),
            tap: plan.guests[0].tap.clone(),
            mac: plan.guests[0].mac.clone(),
            address: plan.guests[0].address,
            prefix: PREFIX,
        },
        engines: EnginePool::new(EnginePlace {
            netns: Path::new("/run/netns").join(&plan.engine_namespace),
            address: plan.engine_address,
        }),
        ports: BTreeMap::from([("redis".to_owned(), free_port())]),
    };
    Stage { context, plan, state, _lock: lock }
}

/// The bench image, built unless it is cached.
pub async fn image() -> BenchImage {
    let packages: Vec<&str> = tollgate::workload::all().iter().flat_map(|w| w.packages()).copied().collect();
    let recipe = Recipe::new("bookworm", None, &packages, 2048);
    BenchImage::get(&super::image_cache(), &recipe, &|s| eprintln!("{s}")).await.expect("an image")
}

fn rand_tail() -> u32 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970").subsec_nanos()
}

pub fn free_port() -> u16 {
    std::net::TcpListener::bind("0.0.0.0:0").expect("a port").local_addr().expect("an address").port()
}

impl Stage {
    /// Takes them down; nothing of ours may be left.
    pub async fn end(self) {
        netns::teardown(&self.plan).await.expect("torn down");
        let docker = engine::connect(Path::new(SOCKET)).await.expect("the engine");
        let left = clean::find(&docker, |sweep| sweep == self.context.sweep).await.expect("a list");
        assert_eq!(left, [], "nothing of ours is left in the engine");
        drop(self.state);
    }
}

/// A command with generous limits.
pub fn exec(argv: &[&str]) -> Exec {
    Exec {
        argv: argv.iter().map(|a| (*a).to_owned()).collect(),
        env: BTreeMap::new(),
        cwd: None,
        timeout_ms: 60_000,
        output_limit: 100_000,
    }
}

/// A small guest.
pub fn kvm(state: &Path, accelerator: Option<Accelerator>) -> Kvm {
    kvm_of("qemu-system-x86_64", state, accelerator)
}

/// The same with another program as QEMU.
pub fn kvm_of(program: &str, state: &Path, accelerator: Option<Accelerator>) -> Kvm {
    let settings = Settings {
        program: program.to_owned(),
        device: "/dev/kvm".into(),
        accelerator: accelerator.map(Decided::chosen),
        probe_timeout: Duration::from_secs(20),
        boot_timeout: Duration::from_secs(120),
        memory_mib: 768,
        cpus: 2,
        processors: CpuList::new(0..2).expect("two"),
        data_mib: 256,
        kernel: None,
        modules: None,
        remember: state.join("accelerator.json"),
    };
    Kvm::new("kvm".parse().expect("a name"), settings)
}
