//! `kvm`: a QEMU guest with virtio disk and network, under KVM where that works and under TCG elsewhere.

pub mod machine;
pub mod qmp;

use super::agent::AgentClient;
use super::image::DATA;
use super::proof::Proofs;
use super::{Context, Environment, EnvironmentError, ServerAddress, Session, Unavailable};
use crate::model::{EnvironmentName, Proof};
use crate::{command, durable};
use async_trait::async_trait;
use machine::{Machine, Shape};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What runs the guest's instructions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Accelerator {
    /// The processor, through /dev/kvm.
    Kvm,
    /// QEMU's translator. Its tolls are the emulator's, not KVM's.
    Tcg,
}

impl std::fmt::Display for Accelerator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Kvm => "kvm",
            Self::Tcg => "tcg",
        })
    }
}

/// How guests are run.
#[derive(Debug, Clone)]
pub struct Settings {
    /// QEMU's program.
    pub program: String,
    /// The device whose absence makes a trial boot needless.
    pub device: PathBuf,
    /// The accelerator, or none to try KVM and fall back to TCG.
    pub accelerator: Option<Accelerator>,
    /// How long a trial boot under KVM may take.
    pub probe_timeout: Duration,
    /// How long a boot may take.
    pub boot_timeout: Duration,
    /// Memory of the guest, MiB.
    pub memory_mib: u32,
    /// CPUs of the guest.
    pub cpus: u32,
    /// Size of the data disk, MiB.
    pub data_mib: u32,
    /// Where the result of a trial boot is remembered, for as long as the host is up.
    pub remember: PathBuf,
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

    fn shape(&self, complete: bool) -> Shape {
        let Settings { program, memory_mib, cpus, .. } = &self.settings;
        Shape { program: program.clone(), memory_mib: *memory_mib, cpus: *cpus, complete }
    }

    /// The accelerator that works here, and why.
    async fn accelerator(&self, context: &Context) -> Result<(Accelerator, String), EnvironmentError> {
        if let Some(chosen) = self.settings.accelerator {
            return Ok((chosen, "chosen in the configuration".to_owned()));
        }
        let device = &self.settings.device;
        if let Err(e) = std::fs::File::options().read(true).write(true).open(device) {
            return Ok((Accelerator::Tcg, format!("{} cannot be opened: {e}", device.display())));
        }
        let situation = situation(&self.settings.program, context).await?;
        if let Some(known) = recall(&self.settings.remember, &situation) {
            return Ok(known);
        }
        // /dev/kvm proves nothing: guests may hang or abort under it. A guest that answers proves it.
        let dir = context.scratch.join("kvm-probe");
        let shape = self.shape(false);
        let (verdict, why) =
            match Machine::boot(context, &dir, Accelerator::Kvm, &shape, self.settings.probe_timeout).await {
                Ok(machine) => {
                    machine.stop().await?;
                    (Accelerator::Kvm, "a guest booted under KVM".to_owned())
                }
                Err(error) => {
                    let forget = self.settings.remember.display();
                    (
                        Accelerator::Tcg,
                        format!("no guest boots under KVM here: {error} (delete {forget} to try again)"),
                    )
                }
            };
        remember(&self.settings.remember, &situation, verdict, &why);
        Ok((verdict, why))
    }
}

/// What a remembered trial boot depends on: this boot of the host, QEMU, and the guest's kernel.
async fn situation(program: &str, context: &Context) -> Result<String, EnvironmentError> {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let version = command::run(&[program, "--version"]).await?;
    let version = version.lines().next().unwrap_or_default();
    Ok(format!("{} {version} {}", boot.trim(), context.image.manifest.kernel_package))
}

#[derive(Serialize, Deserialize)]
struct Remembered {
    situation: String,
    accelerator: Accelerator,
    why: String,
}

fn recall(path: &Path, situation: &str) -> Option<(Accelerator, String)> {
    let known: Remembered = serde_json::from_slice(&std::fs::read(path).ok()?).ok()?;
    (known.situation == situation).then_some((known.accelerator, known.why))
}

fn remember(path: &Path, situation: &str, accelerator: Accelerator, why: &str) {
    let known = Remembered { situation: situation.to_owned(), accelerator, why: why.to_owned() };
    let written = serde_json::to_vec_pretty(&known)
        .map_err(std::io::Error::from)
        .and_then(|text| durable::write(path, &text, 0o644));
    if let Err(error) = written {
        tracing::warn!(path = %path.display(), %error, "the result of the trial boot is not remembered");
    }
}

#[async_trait]
impl Environment for Kvm {
    fn name(&self) -> &EnvironmentName {
        &self.name
    }

    async fn check(&self) -> Result<(), Unavailable> {
        match command::run(&[self.settings.program.as_str(), "--version"]).await {
            Ok(_) => Ok(()),
            Err(error) => Err(Unavailable {
                reason: format!("QEMU cannot be run: {error}"),
                remedy: "install qemu-system-x86, or run `tollgate provision`".to_owned(),
            }),
        }
    }

    async fn start(&self, context: &Context) -> Result<Box<dyn Session>, EnvironmentError> {
        // sun_path of unix(7) holds 108 bytes; the longest socket is `<scratch>/kvm-probe/agent`.
        let longest = context.scratch.join("kvm-probe/agent");
        if longest.as_os_str().len() > 107 {
            let why = format!("{} is too long for a socket; choose a shorter --state", longest.display());
            return Err(EnvironmentError::Guest(why));
        }
        let (accelerator, why) = self.accelerator(context).await?;
        tracing::info!(%accelerator, why, "accelerator of the guest");
        let dir = context.scratch.join(self.name.to_string().replace('+', "-"));
        std::fs::create_dir_all(&dir).map_err(EnvironmentError::io(&dir))?;
        let data = dir.join("data.raw").display().to_string();
        command::run(&["mke2fs", "-q", "-t", "ext4", "-F", &data, &format!("{}M", self.settings.data_mib)])
            .await?;
        let machine =
            Machine::boot(context, &dir, accelerator, &self.shape(true), self.settings.boot_timeout).await?;
        Ok(Box::new(KvmSession {
            name: self.name.clone(),
            machine,
            accelerator,
            why,
            cpus: self.settings.cpus,
            address: context.guest.address,
            resting: false,
        }))
    }
}

struct KvmSession {
    name: EnvironmentName,
    machine: Machine,
    accelerator: Accelerator,
    why: String,
    cpus: u32,
    address: Ipv4Addr,
    resting: bool,
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
            here.cpus == self.cpus,
            format!("{} of {}", here.cpus, self.cpus),
        );
        let data = &here.data;
        let observed = format!("{} on {} ({})", data.source, data.path, data.fstype);
        proofs.claim(
            "the data directory is a virtio disk",
            data.path == DATA && data.source == "/dev/vdb",
            observed,
        );
        proofs.claim("its agent is PID 1", here.pid == 1, format!("pid {}", here.pid));
        Ok(proofs.all)
    }

    fn facts(&self) -> BTreeMap<String, String> {
        let facts = [("accelerator", self.accelerator.to_string()), ("accelerator-reason", self.why.clone())];
        facts.map(|(k, v)| (k.to_owned(), v)).into()
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
    use crate::environment::image::{BenchImage, Manifest};
    use std::os::unix::fs::PermissionsExt;

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
            data_mib: 16,
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
            ports: BTreeMap::new(),
        };
        (Kvm::new("kvm".parse().expect("a name"), settings), context)
    }

    #[tokio::test]
    async fn kvm_that_hangs_falls_back_to_tcg_and_is_remembered() {
        let dir = tempfile::tempdir().expect("a directory");
        let (kvm, context) = fake(dir.path(), "exec sleep 1000");
        let (accelerator, why) = kvm.accelerator(&context).await.expect("decided");
        assert_eq!(accelerator, Accelerator::Tcg);
        assert!(why.contains("no guest boots under KVM here"), "{why}");
        let begun = std::time::Instant::now();
        assert_eq!(kvm.accelerator(&context).await.expect("recalled"), (accelerator, why));
        assert!(begun.elapsed() < Duration::from_millis(600), "no second trial boot");
    }

    #[tokio::test]
    async fn kvm_that_aborts_falls_back_to_tcg_with_its_last_words() {
        let dir = tempfile::tempdir().expect("a directory");
        let (kvm, context) = fake(dir.path(), "echo cannot set up MSRs >&2; exit 1");
        let (accelerator, why) = kvm.accelerator(&context).await.expect("decided");
        assert_eq!(accelerator, Accelerator::Tcg);
        assert!(why.contains("cannot set up MSRs"), "{why}");
    }

    #[tokio::test]
    async fn without_the_device_nothing_is_booted() {
        let dir = tempfile::tempdir().expect("a directory");
        let (mut kvm, context) = fake(dir.path(), "exec sleep 1000");
        kvm.settings.device = dir.path().join("no-kvm");
        let (accelerator, why) = kvm.accelerator(&context).await.expect("decided");
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
