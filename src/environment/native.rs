//! `native`: the bench image as a chroot on the host, the reference of every toll.

use super::agent::process::{AgentProcess, Place};
use super::agent::{AgentClient, AgentError};
use super::fleet::{Begun, Ended, Fleet, Instance, InstanceOptions, ms_since};
use super::image::DATA;
use super::proof::{Proofs, mark, marker_inside};
use super::{Context, Environment, EnvironmentError, ServerAddress, Session, Unavailable};
use crate::command;
use crate::model::{CgroupMemory, EnvironmentName, Proof};
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
        let fleet = NativeFleet {
            agent: context.agent.clone(),
            rootfs: context.image.rootfs(),
            data,
            scratch: context.scratch.clone(),
            sweep: context.sweep.clone(),
        };
        Ok(Box::new(NativeSession {
            process: fleet.start().await?,
            sweep: context.sweep.clone(),
            host_address: context.host_address,
            fleet: Arc::new(fleet),
        }))
    }
}

struct NativeSession {
    process: AgentProcess,
    sweep: String,
    host_address: Ipv4Addr,
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
        Ok(proofs.all)
    }

    fn fleet(&self) -> Arc<dyn Fleet> {
        self.fleet.clone()
    }

    async fn stop(self: Box<Self>) -> Result<(), EnvironmentError> {
        self.process.stop().await;
        Ok(())
    }
}

/// Agents in the same chroot: what a container is compared with is a process.
struct NativeFleet {
    agent: PathBuf,
    rootfs: PathBuf,
    data: PathBuf,
    scratch: PathBuf,
    sweep: String,
}

impl NativeFleet {
    async fn start(&self) -> Result<AgentProcess, AgentError> {
        let place = Place { root: Some(&self.rootfs), binds: vec![(&self.data, DATA)], netns: None };
        AgentProcess::start(&self.agent, &place, &self.sweep).await
    }

    fn unpacked(&self, number: u32) -> PathBuf {
        self.scratch.join(format!("loaded-{number}"))
    }
}

#[async_trait]
impl Fleet for NativeFleet {
    async fn launch(&self, _options: InstanceOptions) -> Result<Box<dyn Instance>, EnvironmentError> {
        let begun = Instant::now();
        let process = self.start().await?;
        let times = Begun { create_ms: 0.0, start_ms: ms_since(begun) };
        Ok(Box::new(NativeInstance { process, times }))
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
        None
    }

    async fn stop(self: Box<Self>) -> Result<Ended, EnvironmentError> {
        let begun = Instant::now();
        self.process.stop().await;
        Ok(Ended { stop_ms: ms_since(begun), remove_ms: 0.0 })
    }
}
