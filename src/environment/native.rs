//! `native`: the bench image as a chroot on the host, the reference of every toll.

use super::agent::AgentClient;
use super::agent::process::{AgentProcess, Place};
use super::image::DATA;
use super::proof::{Proofs, mark, marker_inside};
use super::{Context, Environment, EnvironmentError, ServerAddress, Session, Unavailable};
use crate::model::{EnvironmentName, Proof};
use async_trait::async_trait;
use std::net::Ipv4Addr;

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
        let rootfs = context.image.rootfs();
        let place = Place { root: Some(&rootfs), binds: vec![(&data, DATA)], netns: None };
        let process = AgentProcess::start(&context.agent, &place, &context.sweep).await?;
        Ok(Box::new(NativeSession {
            process,
            sweep: context.sweep.clone(),
            host_address: context.host_address,
        }))
    }
}

struct NativeSession {
    process: AgentProcess,
    sweep: String,
    host_address: Ipv4Addr,
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

    async fn stop(self: Box<Self>) -> Result<(), EnvironmentError> {
        self.process.stop().await;
        Ok(())
    }
}
