//! `native`: the bench image as a chroot on the host, the reference of every toll.

use super::agent::process::{AgentProcess, Place};
use super::agent::{AgentClient, AgentError};
use super::fleet::{Begun, Ended, Fleet, Instance, InstanceOptions, ms_since};
use super::image::DATA;
use super::proof::{Proofs, mark, marker_inside};
use super::{Context, Environment, EnvironmentError, Limits, ServerAddress, Session, Unavailable};
use crate::cgroup::{self, Cgroup};
use crate::command;
use crate::model::{CgroupMemory, CpuList, EnvironmentName, NameError, Proof, SweepId};
use async_trait::async_trait;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

/// The chroot on the host.
#[derive(Debug)]
pub struct Native;

#[async_trait]
impl Environment for Native {
    fn name(&self) -> &EnvironmentName {
        const { &EnvironmentName::NATIVE }
    }

    async fn check(&self) -> Result<(), Unavailable> {
        if rustix::process::geteuid().is_root() {
            return Ok(());
        }
        Err(Unavailable { reason: "a chroot needs root".into(), remedy: "run tollgate as root".into() })
    }

    async fn start(&self, context: &Context) -> Result<Box<dyn Session>, EnvironmentError> {
        let data = context.scratch.join("native");
        std::fs::create_dir_all(&data).map_err(EnvironmentError::io(&data))?;
        mark(&data, &context.sweep).map_err(EnvironmentError::io(&data))?;
        let limits = cgroup::Limits {
            memory_bytes: Some(u64::from(context.limits.memory_mib) << 20),
            cpus: Some(context.limits.cpus.clone()),
        };
        let group = Cgroup::create(Path::new("/"), &sweep_id(&context.sweep)?, "native", &limits)?;
        let fleet = NativeFleet {
            group: group.procs_files(),
            cpus: context.limits.cpus.clone(),
            agent: context.agent.clone(),
            rootfs: context.image.rootfs(),
            data,
            scratch: context.scratch.clone(),
            sweep: context.sweep.clone(),
        };
        Ok(Box::new(NativeSession {
            process: fleet.start(&fleet.group).await?,
            sweep: context.sweep.clone(),
            host_address: context.host_address,
            limits: context.limits.clone(),
            group,
            fleet: Arc::new(fleet),
        }))
    }
}

struct NativeSession {
    process: AgentProcess,
    sweep: String,
    host_address: Ipv4Addr,
    limits: Limits,
    group: Cgroup,
    fleet: Arc<NativeFleet>,
}

#[async_trait]
impl Session for NativeSession {
    fn agent(&mut self) -> &mut AgentClient {
        &mut self.process.client
    }

    fn server_address(&self) -> ServerAddress {
        let host = self.host_address;
        ServerAddress { listen: host, inside: host, client: host }
    }

    async fn prove(&mut self, _network_trials: u32) -> Result<Vec<Proof>, EnvironmentError> {
        let here = self.process.client.describe(DATA).await?;
        let mut proofs = Proofs::of(&EnvironmentName::NATIVE);
        for kind in ["net", "pid", "cgroup", "ipc", "uts"] {
            proofs.namespace(&here, kind, true);
        }
        let seen = marker_inside(&mut self.process.client).await;
        proofs.data_is_scratch(&here, &self.sweep, seen.as_deref());
        let release = rustix::system::uname().release().to_string_lossy().into_owned();
        proofs.claim(
            "runs on the host's kernel",
            here.kernel_release == release,
            here.kernel_release.clone(),
        );
        let limit = self.group.memory()?.limit_bytes;
        let wanted = u64::from(self.limits.memory_mib) << 20;
        proofs.claim(
            "has the memory limit and the processors of the other environments",
            limit == Some(wanted) && here.cpus as usize == self.limits.cpus.count(),
            format!("limit {limit:?} of {wanted} bytes, {} of {} CPUs", here.cpus, self.limits.cpus.count()),
        );
        Ok(proofs.all)
    }

    fn fleet(&self) -> Arc<dyn Fleet> {
        self.fleet.clone()
    }

    async fn stop(self: Box<Self>) -> Result<(), EnvironmentError> {
        self.process.stop().await;
        Ok(self.group.remove().await?)
    }
}

fn sweep_id(text: &str) -> Result<SweepId, EnvironmentError> {
    text.parse().map_err(|e: NameError| EnvironmentError::Guest(e.to_string()))
}

/// Agents in the same chroot: what a container is compared with is a process.
struct NativeFleet {
    /// The files that put a process into the environment's control group.
    group: Vec<PathBuf>,
    cpus: CpuList,
    agent: PathBuf,
    rootfs: PathBuf,
    data: PathBuf,
    scratch: PathBuf,
    sweep: String,
}

impl NativeFleet {
    async fn start(&self, group: &[PathBuf]) -> Result<AgentProcess, AgentError> {
        let place = Place {
            root: Some(&self.rootfs),
            binds: vec![(&self.data, DATA)],
            groups: group,
            ..Place::default()
        };
        AgentProcess::start(&self.agent, &place, &self.sweep).await
    }

    fn own_group(&self, number: u32, memory_mib: u32) -> Result<Cgroup, EnvironmentError> {
        let limits =
            cgroup::Limits { memory_bytes: Some(u64::from(memory_mib) << 20), cpus: Some(self.cpus.clone()) };
        let name = format!("native-i{number}");
        let mut group = Cgroup::create(Path::new("/"), &sweep_id(&self.sweep)?, &name, &limits)?;
        // One that an earlier trial left has its peak.
        group.reset_peak()?;
        Ok(group)
    }

    fn unpacked(&self, number: u32) -> PathBuf {
        self.scratch.join(format!("loaded-{number}"))
    }
}

#[async_trait]
impl Fleet for NativeFleet {
    async fn launch(&self, options: InstanceOptions) -> Result<Box<dyn Instance>, EnvironmentError> {
        // One with a limit of its own is in a group of its own; the others are in that of the environment.
        let own = options.memory_mib.map(|mib| self.own_group(options.number, mib)).transpose()?;
        let begun = Instant::now();
        let files = own.as_ref().map(Cgroup::procs_files);
        let started = self.start(files.as_deref().unwrap_or(&self.group)).await;
        let times = Begun { create_ms: 0.0, start_ms: ms_since(begun) };
        match (started, own) {
            (Ok(process), group) => Ok(Box::new(NativeInstance { process, group, times })),
            (Err(error), Some(group)) => {
                group.remove().await?;
                Err(error.into())
            }
            (Err(error), None) => Err(error.into()),
        }
    }

    async fn discard(&self, _number: u32) {
        // A process whose start is given up is killed with it.
    }

    async fn daemons(&self) -> Vec<u32> {
        Vec::new()
    }

    async fn load(&self, tar: &Path, number: u32) -> Result<(), EnvironmentError> {
        let to = self.unpacked(number);
        std::fs::create_dir_all(&to).map_err(EnvironmentError::io(&to))?;
        let (tar, to) = (tar.display().to_string(), to.display().to_string());
        command::run(&["tar", "--numeric-owner", "-xpf", &tar, "-C", &to]).await?;
        Ok(())
    }

    async fn unload(&self, number: u32) -> Result<(), EnvironmentError> {
        let dir = self.unpacked(number);
        match std::fs::remove_dir_all(&dir) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(EnvironmentError::io(&dir)(e)),
            _ => Ok(()),
        }
    }
}

struct NativeInstance {
    process: AgentProcess,
    group: Option<Cgroup>,
    times: Begun,
}

#[async_trait]
impl Instance for NativeInstance {
    fn agent(&mut self) -> &mut AgentClient {
        &mut self.process.client
    }

    fn begun(&self) -> Begun {
        self.times
    }

    fn processes(&self) -> Vec<u32> {
        self.process.id().into_iter().collect()
    }

    fn memory(&self) -> Option<CgroupMemory> {
        let memory = self.group.as_ref()?.memory().ok()?;
        Some(CgroupMemory { limit: memory.limit_bytes, before: memory.usage_bytes, peak: memory.peak_bytes })
    }

    async fn stop(self: Box<Self>) -> Result<Ended, EnvironmentError> {
        let begun = Instant::now();
        self.process.stop().await;
        let stop_ms = ms_since(begun);
        if let Some(group) = self.group {
            group.remove().await?;
        }
        Ok(Ended { stop_ms, remove_ms: 0.0 })
    }
}
