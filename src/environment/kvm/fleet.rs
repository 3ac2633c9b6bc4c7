//! Fresh guests, without network and data disk.

use super::machine::{Boot, Machine, Shape};
use super::{Accelerator, Settings};
use crate::environment::EnvironmentError;
use crate::environment::agent::AgentClient;
use crate::environment::fleet::{Begun, Ended, Fleet, Instance, InstanceOptions, ms_since};
use crate::environment::image::{BenchImage, GuestKernel};
use crate::model::CgroupMemory;
use async_trait::async_trait;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Guests like that of an environment.
pub(super) struct KvmFleet {
    pub(super) settings: Settings,
    pub(super) shape: Shape,
    pub(super) accelerator: Accelerator,
    pub(super) agent: PathBuf,
    pub(super) kernel: GuestKernel,
    pub(super) image: BenchImage,
    pub(super) sweep: String,
    pub(super) dir: PathBuf,
}

#[async_trait]
impl Fleet for KvmFleet {
    async fn launch(&self, options: InstanceOptions) -> Result<Box<dyn Instance>, EnvironmentError> {
        let dir = self.dir.join(format!("i{}", options.number));
        let shape =
            Shape { memory_mib: options.memory_mib.unwrap_or(self.shape.memory_mib), ..self.shape.clone() };
        let boot = Boot {
            agent: &self.agent,
            kernel: &self.kernel,
            image: &self.image,
            sweep: &self.sweep,
            dir: &dir,
            accelerator: self.accelerator,
            shape: &shape,
            link: None,
        };
        let begun = Instant::now();
        let booted = Machine::boot(&boot, self.settings.boot_timeout).await;
        if booted.is_err() {
            self.discard(options.number).await;
        }
        let machine = booted?;
        let times = Begun { create_ms: 0.0, start_ms: ms_since(begun) };
        Ok(Box::new(Guest { machine, dir, times }))
    }

    async fn discard(&self, number: u32) {
        // QEMU is killed with its start.
        let _ = std::fs::remove_dir_all(self.dir.join(format!("i{number}")));
    }

    async fn daemons(&self) -> Vec<u32> {
        Vec::new()
    }

    async fn load(&self, _tar: &Path, _number: u32) -> Result<(), EnvironmentError> {
        Err(EnvironmentError::Guest("a guest loads no images".to_owned()))
    }

    async fn unload(&self, _number: u32) -> Result<(), EnvironmentError> {
        Ok(())
    }
}

struct Guest {
    machine: Machine,
    dir: PathBuf,
    times: Begun,
}

#[async_trait]
impl Instance for Guest {
    fn agent(&mut self) -> &mut AgentClient {
        &mut self.machine.client
    }

    fn begun(&self) -> Begun {
        self.times
    }

    fn processes(&self) -> Vec<u32> {
        self.machine.id().into_iter().collect()
    }

    fn memory(&self) -> Option<CgroupMemory> {
        None
    }

    async fn stop(self: Box<Self>) -> Result<Ended, EnvironmentError> {
        let begun = Instant::now();
        self.machine.stop().await?;
        let stop_ms = ms_since(begun);
        let begun = Instant::now();
        std::fs::remove_dir_all(&self.dir).map_err(EnvironmentError::io(&self.dir))?;
        Ok(Ended { stop_ms, remove_ms: ms_since(begun) })
    }
}
