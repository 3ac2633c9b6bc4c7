//! `kvm`: a QEMU guest with virtio disk and network, under KVM where that works and under TCG elsewhere.

mod accelerator;
mod fleet;
pub mod machine;
pub mod qmp;
mod tuned;

pub use accelerator::{Accelerator, Decided, TrialBoot, decide};

use super::agent::AgentClient;
use super::fleet::Fleet;
use super::image::{BenchImage, DATA, GuestKernel, ImageError};
use super::proof::Proofs;
use super::{Context, Environment, EnvironmentError, ServerAddress, Session, Unavailable};
use crate::command;
use crate::model::{CpuList, EnvironmentName, Proof};
use async_trait::async_trait;
use fleet::KvmFleet;
use machine::{Boot, Machine, Shape};
use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// How guests are run.
#[derive(Debug, Clone)]
pub struct Settings {
    /// QEMU's program.
    pub program: String,
    /// The device whose absence makes a trial boot needless.
    pub device: PathBuf,
    /// The accelerator, or none to try KVM and fall back to TCG.
    pub accelerator: Option<Decided>,
    /// How long a trial boot under KVM may take.
    pub probe_timeout: Duration,
    /// How long a boot may take.
    pub boot_timeout: Duration,
    /// Memory of the guest, MiB.
    pub memory_mib: u32,
    /// CPUs of the guest.
    pub cpus: u32,
    /// Processors of the host that it may use.
    pub processors: CpuList,
    /// Size of the data disk, MiB.
    pub data_mib: u32,
    /// Kernel to boot instead of the bench image's.
    pub kernel: Option<PathBuf>,
    /// Its modules; none where everything is built in.
    pub modules: Option<PathBuf>,
    /// Where the result of a trial boot is remembered, for as long as the host is up.
    pub remember: PathBuf,
}

impl Settings {
    /// What guests boot. The initrd of a kernel of the operator's is made in `dir`.
    fn guest_kernel(&self, image: &BenchImage, dir: &Path) -> Result<GuestKernel, ImageError> {
        match &self.kernel {
            Some(vmlinuz) => GuestKernel::own(vmlinuz, self.modules.as_deref(), dir),
            None => Ok(GuestKernel::of_image(image)),
        }
    }
}

/// A guest.
#[derive(Debug)]
pub struct Kvm {
    name: EnvironmentName,
    settings: Settings,
}

impl Kvm {
    /// The environment called `name`, which must be of base `kvm`.
    pub fn new(name: EnvironmentName, settings: Settings) -> Self {
        Self { name, settings }
    }

    fn shape(&self) -> Shape {
        let Settings { program, memory_mib, cpus, processors, .. } = &self.settings;
        let tuned = self.name.has("tuned").then(|| tuned::host_has(*memory_mib));
        Shape {
            program: program.clone(),
            memory_mib: *memory_mib,
            cpus: *cpus,
            processors: processors.clone(),
            tuned,
        }
    }
}

#[async_trait]
impl Environment for Kvm {
    fn name(&self) -> &EnvironmentName {
        &self.name
    }

    async fn check(&self) -> Result<(), Unavailable> {
        if let Err(error) = command::run(&[self.settings.program.as_str(), "--version"]).await {
            return Err(Unavailable {
                reason: format!("QEMU cannot be run: {error}"),
                remedy: "install qemu-system-x86, or run `tollgate provision`".to_owned(),
            });
        }
        let files = self.settings.kernel.iter().chain(&self.settings.modules);
        match files.into_iter().find(|path| !path.exists()) {
            Some(path) => Err(Unavailable {
                reason: format!("the guest's kernel is not there: {} does not exist", path.display()),
                remedy: "correct kvm.kernel and kvm.modules in tollgate.toml".to_owned(),
            }),
            None => Ok(()),
        }
    }

    async fn start(&self, context: &Context) -> Result<Box<dyn Session>, EnvironmentError> {
        // sun_path of unix(7) holds 108 bytes; the longest socket is `<scratch>/kvm-probe/agent`.
        let longest = context.scratch.join("kvm-probe/agent");
        if longest.as_os_str().len() > 107 {
            let why = format!("{} is too long for a socket; choose a shorter --state", longest.display());
            return Err(EnvironmentError::Guest(why));
        }
        let probe = context.scratch.join("kvm-probe");
        let Context { agent, image, sweep, .. } = context;
        let trial = TrialBoot { agent, image, sweep, dir: &probe };
        let Decided { accelerator, why } = decide(&self.settings, &trial).await?;
        tracing::info!(%accelerator, why, "accelerator of the guest");
        let dir = context.scratch.join(self.name.to_string().replace('+', "-"));
        std::fs::create_dir_all(&dir).map_err(EnvironmentError::io(&dir))?;
        let data = dir.join("data.raw").display().to_string();
        command::run(&["mke2fs", "-q", "-t", "ext4", "-F", &data, &format!("{}M", self.settings.data_mib)])
            .await?;
        let shape = self.shape();
        let link = Some(&context.guest);
        let kernel = self.settings.guest_kernel(image, &dir)?;
        let boot = Boot { agent, kernel: &kernel, image, sweep, dir: &dir, accelerator, shape: &shape, link };
        let mut machine = Machine::boot(&boot, self.settings.boot_timeout).await?;
        if shape.tuned.is_some() {
            tuned::pin(&mut machine, &self.settings.processors).await?;
        }
        let fleet = KvmFleet {
            settings: self.settings.clone(),
            shape: shape.clone(),
            accelerator,
            agent: agent.clone(),
            kernel,
            image: image.clone(),
            sweep: sweep.clone(),
            dir,
        };
        Ok(Box::new(KvmSession {
            name: self.name.clone(),
            machine,
            accelerator,
            why,
            shape,
            address: context.guest.address,
            resting: false,
            fleet: Arc::new(fleet),
        }))
    }
}

struct KvmSession {
    name: EnvironmentName,
    machine: Machine,
    accelerator: Accelerator,
    why: String,
    shape: Shape,
    address: Ipv4Addr,
    resting: bool,
    fleet: Arc<KvmFleet>,
}

impl KvmSession {
    async fn ask(&mut self, command: &str) -> Result<serde_json::Value, EnvironmentError> {
        self.machine.qmp.execute(command).await.map_err(|e| EnvironmentError::Guest(e.to_string()))
    }
}

#[async_trait]
impl Session for KvmSession {
    fn agent(&mut self) -> &mut AgentClient {
        &mut self.machine.client
    }

    fn server_address(&self) -> ServerAddress {
        ServerAddress { listen: self.address, inside: self.address, client: self.address }
    }

    async fn wake(&mut self) -> Result<(), EnvironmentError> {
        if self.resting {
            self.ask("cont").await?;
            self.resting = false;
        }
        Ok(())
    }

    async fn rest(&mut self) -> Result<(), EnvironmentError> {
        if !self.resting {
            self.ask("stop").await?;
            self.resting = true;
        }
        Ok(())
    }

    async fn prove(&mut self, _network_trials: u32) -> Result<Vec<Proof>, EnvironmentError> {
        let kvm = self.ask("query-kvm").await?;
        let enabled = kvm["enabled"] == serde_json::Value::Bool(true);
        let here = self.machine.client.describe(DATA).await?;
        let host = rustix::system::uname().release().to_string_lossy().into_owned();
        let mut proofs = Proofs::of(&self.name);
        let claim = format!("its instructions run under {}", self.accelerator);
        proofs.claim(&claim, enabled == (self.accelerator == Accelerator::Kvm), format!("query-kvm: {kvm}"));
        proofs.claim(
            "runs a kernel of its own",
            here.kernel_release != host,
            format!("guest {}, host {host}", here.kernel_release),
        );
        proofs.claim(
            "has the CPUs of its label",
            here.cpus == self.shape.cpus,
            format!("{} of {}", here.cpus, self.shape.cpus),
        );
        let data = &here.data;
        let observed = format!("{} on {} ({})", data.source, data.path, data.fstype);
        proofs.claim(
            "the data directory is a virtio disk",
            data.path == DATA && data.source == "/dev/vdb",
            observed,
        );
        proofs.claim("its agent is PID 1", here.pid == 1, format!("pid {}", here.pid));
        tuned::prove(&mut self.machine, self.shape.tuned, &mut proofs).await?;
        Ok(proofs.all)
    }

    fn facts(&self) -> BTreeMap<String, String> {
        let mut facts = vec![
            ("accelerator".to_owned(), self.accelerator.to_string()),
            ("accelerator-reason".to_owned(), self.why.clone()),
        ];
        facts.extend(self.shape.tuned.map(|t| ("kvm-tuned".to_owned(), tuned::describe(t))));
        facts.into_iter().collect()
    }

    fn fleet(&self) -> Arc<dyn Fleet> {
        self.fleet.clone()
    }

    async fn stop(self: Box<Self>) -> Result<(), EnvironmentError> {
        self.machine.stop().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environment::GuestLink;
    use crate::environment::agent::embedded;
    use crate::environment::docker::private::{EnginePlace, EnginePool};
    use crate::environment::image::Manifest;
    use std::os::unix::fs::PermissionsExt;

    async fn decided(kvm: &Kvm, context: &Context) -> (Accelerator, String) {
        let dir = context.scratch.join("probe");
        let Context { agent, image, sweep, .. } = context;
        let trial = TrialBoot { agent, image, sweep, dir: &dir };
        let Decided { accelerator, why } = decide(&kvm.settings, &trial).await.expect("decided");
        (accelerator, why)
    }

    /// A "QEMU" that knows its version and otherwise does what `script` says.
    fn fake(dir: &Path, script: &str) -> (Kvm, Context) {
        let program = dir.join("qemu");
        let text = format!("#!/bin/sh\ntest \"$1\" = --version && echo QEMU 1 && exit 0\n{script}\n");
        std::fs::write(&program, text).expect("written");
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).expect("executable");
        let settings = Settings {
            program: program.display().to_string(),
            device: "/dev/null".into(),
            accelerator: None,
            probe_timeout: Duration::from_millis(700),
            boot_timeout: Duration::from_secs(1),
            memory_mib: 256,
            cpus: 1,
            processors: CpuList::first(),
            data_mib: 16,
            kernel: None,
            modules: None,
            remember: dir.join("accelerator.json"),
        };
        let manifest = Manifest {
            digest: "d".repeat(64),
            suite: "s".into(),
            kernel_release: "k".into(),
            kernel_package: "p".into(),
            packages: String::new(),
        };
        let context = Context {
            sweep: "test".into(),
            image: BenchImage { dir: dir.to_owned(), manifest },
            agent: embedded::install(dir).expect("installed"),
            scratch: dir.to_owned(),
            host_address: Ipv4Addr::LOCALHOST,
            guest: GuestLink {
                netns: dir.to_owned(),
                tap: "t".into(),
                mac: "52:54:00:00:00:01".into(),
                address: Ipv4Addr::LOCALHOST,
                prefix: 8,
            },
            engines: EnginePool::new(EnginePlace { netns: dir.to_owned(), address: Ipv4Addr::LOCALHOST }),
            limits: crate::environment::Limits { memory_mib: 256, cpus: CpuList::first() },
            ports: BTreeMap::new(),
        };
        (Kvm::new("kvm".parse().expect("a name"), settings), context)
    }

    #[tokio::test]
    async fn kvm_that_hangs_falls_back_to_tcg_and_is_remembered() {
        let dir = tempfile::tempdir().expect("a directory");
        let (kvm, context) = fake(dir.path(), "exec sleep 1000");
        let (accelerator, why) = decided(&kvm, &context).await;
        assert_eq!(accelerator, Accelerator::Tcg);
        assert!(why.contains("no guest boots under KVM here"), "{why}");
        let begun = std::time::Instant::now();
        assert_eq!(decided(&kvm, &context).await, (accelerator, why));
        assert!(begun.elapsed() < Duration::from_millis(600), "no second trial boot");
    }

    #[tokio::test]
    async fn kvm_that_aborts_falls_back_to_tcg_with_its_last_words() {
        let dir = tempfile::tempdir().expect("a directory");
        let (kvm, context) = fake(dir.path(), "echo cannot set up MSRs >&2; exit 1");
        let (accelerator, why) = decided(&kvm, &context).await;
        assert_eq!(accelerator, Accelerator::Tcg);
        assert!(why.contains("cannot set up MSRs"), "{why}");
    }

    #[tokio::test]
    async fn without_the_device_nothing_is_booted() {
        let dir = tempfile::tempdir().expect("a directory");
        let (mut kvm, context) = fake(dir.path(), "exec sleep 1000");
        kvm.settings.device = dir.path().join("no-kvm");
        let (accelerator, why) = decided(&kvm, &context).await;
        assert_eq!(accelerator, Accelerator::Tcg);
        assert!(why.contains("no-kvm cannot be opened"), "{why}");
    }

    #[tokio::test]
    async fn a_missing_qemu_is_unavailable_with_a_remedy() {
        let dir = tempfile::tempdir().expect("a directory");
        let (mut kvm, _) = fake(dir.path(), "");
        kvm.settings.program = "/no/such/qemu".into();
        let why = kvm.check().await.expect_err("missing");
        assert!(why.remedy.contains("qemu-system-x86"), "{why}");
    }
}
