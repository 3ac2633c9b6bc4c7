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
use machine::{Machine, QEMU, Shape};
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
        Shape { memory_mib: self.settings.memory_mib, cpus: self.settings.cpus, complete }
    }

    /// The accelerator that works here, and why.
    async fn accelerator(&self, context: &Context) -> Result<(Accelerator, String), EnvironmentError> {
        if let Some(chosen) = self.settings.accelerator {
            return Ok((chosen, "chosen in the configuration".to_owned()));
        }
        if let Err(e) = std::fs::File::options().read(true).write(true).open("/dev/kvm") {
            return Ok((Accelerator::Tcg, format!("/dev/kvm cannot be opened: {e}")));
        }
        let situation = situation(context).await?;
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
                Err(error) => (Accelerator::Tcg, format!("no guest boots under KVM here: {error}")),
            };
        remember(&self.settings.remember, &situation, verdict, &why);
        Ok((verdict, why))
    }
}

/// What a remembered trial boot depends on: this boot of the host, QEMU, and the guest's kernel.
async fn situation(context: &Context) -> Result<String, EnvironmentError> {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let version = command::run(&[QEMU, "--version"]).await?;
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
        match command::run(&[QEMU, "--version"]).await {
            Ok(_) => Ok(()),
            Err(error) => Err(Unavailable {
                reason: format!("QEMU cannot be run: {error}"),
                remedy: "install qemu-system-x86, or run `tollgate provision`".to_owned(),
            }),
        }
    }

    async fn start(&self, context: &Context) -> Result<Box<dyn Session>, EnvironmentError> {
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
