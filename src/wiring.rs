//! Floor 4: the only place that names concrete environments and stores.

use crate::config::{Accel, Config};
use crate::environment::docker::DockerEnvironment;
use crate::environment::image::Recipe;
use crate::environment::kvm::{self, Accelerator, Decided, Kvm, Settings, TrialBoot};
use crate::environment::native::Native;
use crate::environment::{Environment, EnvironmentError};
use crate::model::{Base, EnvironmentName};
use crate::store::DirectoryStore;
use crate::sweep::plan;
use crate::workload::{self, Case, Profile};

/// The environment called `name`.
pub fn environment(name: &EnvironmentName, config: &Config, profile: Profile) -> Box<dyn Environment> {
    match name.base() {
        Base::Native => Box::new(Native),
        Base::Docker => Box::new(DockerEnvironment::new(name.clone(), config.docker_socket.clone())),
        Base::Kvm => Box::new(Kvm::new(name.clone(), guest(config, profile))),
    }
}

/// The accelerator of this host's guests.
pub async fn accelerator(
    config: &Config,
    profile: Profile,
    trial: &TrialBoot<'_>,
) -> Result<Decided, EnvironmentError> {
    kvm::decide(&guest(config, profile), trial).await
}

fn guest(config: &Config, profile: Profile) -> Settings {
    let kvm = &config.kvm;
    let host_cpus = std::thread::available_parallelism().map_or(1, |n| u32::try_from(n.get()).unwrap_or(1));
    Settings {
        program: "qemu-system-x86_64".to_owned(),
        device: "/dev/kvm".into(),
        accelerator: match kvm.accel {
            Accel::Auto => None,
            Accel::Kvm => Some(Decided::chosen(Accelerator::Kvm)),
            Accel::Tcg => Some(Decided::chosen(Accelerator::Tcg)),
        },
        probe_timeout: kvm.probe_timeout,
        boot_timeout: kvm.boot_timeout,
        memory_mib: kvm.memory_mib,
        cpus: kvm.cpus.unwrap_or(host_cpus),
        // fio's file and some room for the filesystem.
        data_mib: if profile == Profile::Full { 20 * 1024 } else { 512 },
        kernel: kvm.kernel.clone(),
        modules: kvm.modules.clone(),
        remember: config.state.join("accelerator.json"),
    }
}

/// The bench image that all workloads together need: the same for every profile and selection, so that every
/// sweep of a host has the same.
pub fn recipe(config: &Config) -> Recipe {
    let packages: Vec<&str> = workload::all().iter().flat_map(|w| w.packages()).copied().collect();
    Recipe::new(&config.image.suite, config.image.mirror.as_deref(), &packages, config.image.min_free_mib)
}

/// Where sweeps are kept.
pub fn store(config: &Config) -> DirectoryStore {
    DirectoryStore::new(&config.state, &config.baselines)
}

/// All cases of a profile.
pub fn all_cases(profile: Profile) -> Vec<Case> {
    workload::all().iter().flat_map(|w| w.cases(profile)).collect()
}

/// Digest of everything of a profile that two comparable sweeps must share: all its cases, and the guest's shape.
pub fn parameters(config: &Config, profile: Profile) -> String {
    let guest = guest(config, profile);
    let shape = format!("guest: {} MiB, {} CPUs, data {} MiB", guest.memory_mib, guest.cpus, guest.data_mib);
    plan::parameters(&all_cases(profile), &shape)
}
