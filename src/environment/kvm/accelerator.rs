//! What runs a guest's instructions here: decided by a real boot, since an existing /dev/kvm proves nothing.

use super::Settings;
use super::machine::{Boot, Machine, Shape};
use crate::environment::EnvironmentError;
use crate::environment::image::{BenchImage, GuestKernel};
use crate::{command, durable};
use serde::{Deserialize, Serialize};
use std::path::Path;

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

/// An accelerator, and why it is this one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decided {
    /// Which.
    pub accelerator: Accelerator,
    /// Why.
    pub why: String,
}

impl Decided {
    /// By the operator.
    pub fn chosen(accelerator: Accelerator) -> Self {
        Self { accelerator, why: "chosen in the configuration".to_owned() }
    }
}

/// What a trial boot is made with.
#[derive(Debug, Clone, Copy)]
pub struct TrialBoot<'a> {
    /// The agent's program on the host.
    pub agent: &'a Path,
    /// The bench image.
    pub image: &'a BenchImage,
    /// The sweep's id.
    pub sweep: &'a str,
    /// Where the trial guest's files are.
    pub dir: &'a Path,
}

/// The accelerator that works here: the chosen one, the one remembered for this boot of the host, or what a trial boot
/// under KVM says.
pub async fn decide(settings: &Settings, trial: &TrialBoot<'_>) -> Result<Decided, EnvironmentError> {
    if let Some(decided) = &settings.accelerator {
        return Ok(decided.clone());
    }
    let device = &settings.device;
    if let Err(e) = std::fs::File::options().read(true).write(true).open(device) {
        let why = format!("{} cannot be opened: {e}", device.display());
        return Ok(Decided { accelerator: Accelerator::Tcg, why });
    }
    let situation = situation(settings, trial.image).await?;
    if let Some(known) = recall(&settings.remember, &situation) {
        return Ok(known);
    }
    let decided = try_kvm(settings, trial).await?;
    remember(&settings.remember, &situation, &decided);
    Ok(decided)
}

/// Guests may hang or abort under /dev/kvm. A guest that answers proves it.
async fn try_kvm(settings: &Settings, trial: &TrialBoot<'_>) -> Result<Decided, EnvironmentError> {
    let shape = Shape {
        program: settings.program.clone(),
        memory_mib: settings.memory_mib,
        cpus: settings.cpus,
        processors: settings.processors.clone(),
        tuned: None,
    };
    let TrialBoot { agent, image, sweep, dir } = *trial;
    let kernel = &settings.guest_kernel(image, dir)?;
    let accelerator = Accelerator::Kvm;
    let boot = Boot { agent, kernel, image, sweep, dir, accelerator, shape: &shape, link: None };
    match Machine::boot(&boot, settings.probe_timeout).await {
        Ok(machine) => {
            machine.stop().await?;
            Ok(Decided { accelerator: Accelerator::Kvm, why: "a guest booted under KVM".to_owned() })
        }
        Err(error) => {
            let forget = settings.remember.display();
            let why = format!("no guest boots under KVM here: {error} (delete {forget} to try again)");
            Ok(Decided { accelerator: Accelerator::Tcg, why })
        }
    }
}

/// What a remembered trial boot depends on: this boot of the host, QEMU, and the guest's kernel.
async fn situation(settings: &Settings, image: &BenchImage) -> Result<String, EnvironmentError> {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let version = command::run(&[settings.program.as_str(), "--version"]).await?;
    let version = version.lines().next().unwrap_or_default();
    let own = settings.kernel.as_deref().and_then(GuestKernel::version);
    let kernel = own.unwrap_or_else(|| image.manifest.kernel_package.clone());
    Ok(format!("{} {version} {kernel}", boot.trim()))
}

#[derive(Serialize, Deserialize)]
struct Remembered {
    situation: String,
    accelerator: Accelerator,
    why: String,
}

fn recall(path: &Path, situation: &str) -> Option<Decided> {
    let known: Remembered = serde_json::from_slice(&std::fs::read(path).ok()?).ok()?;
    let Remembered { situation: of, accelerator, why } = known;
    (of == situation).then_some(Decided { accelerator, why })
}

fn remember(path: &Path, situation: &str, decided: &Decided) {
    let Decided { accelerator, why } = decided.clone();
    let known = Remembered { situation: situation.to_owned(), accelerator, why };
    let written = serde_json::to_vec_pretty(&known)
        .map_err(std::io::Error::from)
        .and_then(|text| durable::write(path, &text, 0o644));
    if let Err(error) = written {
        tracing::warn!(path = %path.display(), %error, "the result of the trial boot is not remembered");
    }
}
