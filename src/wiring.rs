//! Floor 4: the only place that names concrete environments and stores.

use crate::config::{Accel, Config};
use crate::environment::docker::DockerEnvironment;
use crate::environment::image::Recipe;
use crate::environment::kvm::{self, Accelerator, Decided, Kvm, Settings, TrialBoot};
use crate::environment::native::Native;
use crate::environment::{Environment, EnvironmentError};
use crate::host::{memory, processors};
use crate::model::{Base, CpuList, EnvironmentName};
use crate::store::DirectoryStore;
use crate::sweep::plan;
use crate::workload::{self, Case, Profile, Size};
use std::path::Path;

/// The environment called `name`.
pub fn environment(name: &EnvironmentName, config: &Config, profile: Profile) -> Box<dyn Environment> {
    match name.base() {
        Base::Native => Box::new(Native),
        Base::Docker => Box::new(
            DockerEnvironment::new(name.clone(), config.docker_socket.clone())
                .with_engine_dir(config.docker_engine_dir.clone())
                .with_data_mib(guest(config, profile).data_mib.into()),
        ),
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

/// Memory of every environment, MiB.
pub fn memory_mib(config: &Config, profile: Profile) -> u32 {
    config.profile(profile).memory_mib.unwrap_or_else(|| {
        // Two guests may stand beside the system under test. In coarse steps, because a kernel that reserves some
        // more must not make the baselines incomparable.
        let quarter = memory::total_kib(Path::new("/")).unwrap_or(0) / 1024 / 4;
        u32::try_from(quarter / 256 * 256).unwrap_or(u32::MAX).max(512)
    })
}

/// The processors of the system under test, and of the network client.
pub fn processors(config: &Config) -> (CpuList, CpuList) {
    let root = Path::new("/");
    let online = processors::online(root).unwrap_or_else(CpuList::first);
    let (system, client) = processors::split_for_client(root, &online);
    (config.system_cpus.clone().unwrap_or(system), config.client_cpus.clone().unwrap_or(client))
}

/// Room for the data of an environment that keeps it in a filesystem of its own, MiB.
fn data_mib(profile: Profile) -> u32 {
    if profile == Profile::Full { 24 * 1024 } else { 2048 }
}

fn guest(config: &Config, profile: Profile) -> Settings {
    let kvm = &config.kvm;
    let (system, _) = processors(config);
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
        memory_mib: memory_mib(config, profile),
        cpus: kvm.cpus.unwrap_or(u32::try_from(system.count()).unwrap_or(1)),
        processors: system,
        data_mib: data_mib(profile),
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
pub fn all_cases(config: &Config, profile: Profile) -> Vec<Case> {
    cases_of(Size { profile, memory_mib: memory_mib(config, profile) })
}

/// All cases of a size.
pub fn cases_of(size: Size) -> Vec<Case> {
    workload::all().iter().flat_map(|w| w.cases(size)).collect()
}

/// Digest of everything of a profile that two comparable sweeps must share: all its cases, and the guest's shape.
pub fn parameters(config: &Config, profile: Profile) -> String {
    let guest = guest(config, profile);
    let (system, client) = processors(config);
    let shape = format!(
        "{} MiB, processors {system}, client {client}; guest: {} CPUs, data {} MiB",
        guest.memory_mib, guest.cpus, guest.data_mib
    );
    plan::parameters(&all_cases(config, profile), &shape)
}
