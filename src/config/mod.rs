//! Floor 1: the configuration. Pure: the caller reads the file.
//!
//! The embedded, commented `default.toml` lies under the user's `tollgate.toml`, and nothing else does.

mod duration;
mod error;
mod raw;
mod tuning;
mod watch;

pub use duration::parse as parse_duration;
pub use error::ConfigError;
pub use tuning::{Keep, Setting, Switch, Thp, Tuning};
pub use watch::{CronExpression, Feed, QuietHours, Schedule, Watch, WatchMode};

use crate::model::{CpuList, EnvironmentName, HostClass};
use crate::workload;
use raw::Raw;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::time::Duration;

/// The defaults as they are shipped.
pub const DEFAULT: &str = include_str!("default.toml");

/// Which accelerator a guest is asked to have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Accel {
    /// A trial boot decides.
    Auto,
    /// KVM or nothing.
    Kvm,
    /// Emulation.
    Tcg,
}

/// Which sweeps join the baseline by themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Acceptance {
    /// Those without a regression or a suspicion.
    Passing,
    /// None.
    Never,
}

/// The resolved configuration.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Host class; derived by the host's probe when absent.
    pub host_class: Option<HostClass>,
    /// Bench image, journals, sweeps.
    pub state: PathBuf,
    /// Accepted sweeps.
    pub baselines: PathBuf,
    /// Thresholds; the built-in ones when the file is not there.
    pub policy: PathBuf,
    /// Profiles.
    pub profiles: Profiles,
    /// Docker.
    pub docker_socket: PathBuf,
    /// Directory of another engine, from which private ones are started; the host's own when absent.
    pub docker_engine_dir: Option<PathBuf>,
    /// Guests.
    pub kvm: Kvm,
    /// Processors of the system under test; chosen by the host's topology when absent.
    pub system_cpus: Option<CpuList>,
    /// Processors of the network client; the same.
    pub client_cpus: Option<CpuList>,
    /// Bench image.
    pub image: Image,
    /// First and last port for servers.
    pub ports: (u16, u16),
    /// The gate.
    pub gate: Gate,
    /// Where alerts go on GitHub.
    pub github: Github,
    /// Limits.
    pub limits: Limits,
    /// What a sweep sets on the host while it runs.
    pub tuning: Tuning,
    /// The service.
    pub watch: Watch,
}

/// The three profiles.
#[derive(Debug, Clone, PartialEq)]
pub struct Profiles {
    /// Smoke.
    pub smoke: ProfileSettings,
    /// Standard.
    pub standard: ProfileSettings,
    /// Full.
    pub full: ProfileSettings,
}

/// One profile.
#[derive(Debug, Clone, PartialEq)]
pub struct ProfileSettings {
    /// Rounds of every case.
    pub rounds: u32,
    /// Rounds before the first that counts.
    pub warmup_rounds: u32,
    /// Time that a gate may take with all its sweeps; 0 = it never confirms.
    pub budget: Duration,
    /// Memory of every environment, MiB; none = a quarter of the host's.
    pub memory_mib: Option<u32>,
    /// Workloads; all when absent.
    pub workloads: Option<Vec<String>>,
    /// Environments; all when absent.
    pub environments: Option<Vec<EnvironmentName>>,
}

/// Guests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kvm {
    /// Accelerator.
    pub accel: Accel,
    /// Limit of a trial boot.
    pub probe_timeout: Duration,
    /// Limit of a boot.
    pub boot_timeout: Duration,
    /// CPUs; none = as many as the other environments may use.
    pub cpus: Option<u32>,
    /// Kernel to boot instead of the bench image's.
    pub kernel: Option<PathBuf>,
    /// Its modules (`/lib/modules/<release>`); none where everything that a guest needs is built in.
    pub modules: Option<PathBuf>,
}

/// Bench image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// Debian release.
    pub suite: String,
    /// Mirror or sources.
    pub mirror: Option<String>,
    /// Free space that a build needs, MiB.
    pub min_free_mib: u64,
}

/// Where alerts go on GitHub. Tokens are not here: they come from the environment or a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Github {
    /// `owner/name`; that of the job when absent.
    pub repository: Option<String>,
    /// Address of the API; that of the job, or github.com's, when absent.
    pub api_url: Option<String>,
    /// The account that writes, where it cannot be asked for.
    pub login: Option<String>,
    /// Whether a sweep may run for a fork's pull request.
    pub allow_forks: bool,
}

/// The gate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gate {
    /// Which sweeps join the baseline by themselves.
    pub accept: Acceptance,
    /// Sweeps below which it sweeps even when nothing changed.
    pub min_baseline: u32,
}

/// Limits.
#[derive(Debug, Clone, PartialEq)]
pub struct Limits {
    /// Output of a trial that is kept, bytes.
    pub output_bytes: usize,
    /// Largest share of failed rounds of a measured case.
    pub max_failed_share: f64,
    /// How long a server may take to come up.
    pub server_ready: Duration,
}

impl Config {
    /// The defaults, with `user` (a file's name and its text) laid over them.
    pub fn resolve(user: Option<(&str, &str)>) -> Result<Self, ConfigError> {
        let parse = |file: &str, text: &str| {
            toml::from_str::<Raw>(text).map_err(|e| ConfigError::from_toml(file, text, &e))
        };
        let default = parse("default.toml", DEFAULT)?;
        let (file, text) = user.unwrap_or(("default.toml", DEFAULT));
        let raw = match user {
            Some((file, text)) => parse(file, text)?.over(default),
            None => default,
        };
        Self::from_raw(raw).map_err(|Invalid { key, why }| ConfigError::of_value(file, text, &key, &why))
    }

    /// The settings of a profile.
    pub fn profile(&self, profile: workload::Profile) -> &ProfileSettings {
        match profile {
            workload::Profile::Smoke => &self.profiles.smoke,
            workload::Profile::Standard => &self.profiles.standard,
            workload::Profile::Full => &self.profiles.full,
        }
    }

    fn from_raw(raw: Raw) -> Result<Self, Invalid> {
        let profiles = part(raw.profile, "profile")?;
        let docker = part(raw.docker, "docker")?;
        let kvm = part(raw.kvm, "kvm")?;
        let processors = raw.processors.unwrap_or_default();
        let image = part(raw.image, "image")?;
        let network = part(raw.network, "network")?;
        let gate = part(raw.gate, "gate")?;
        let github = part(raw.github, "github")?;
        let limits = part(raw.limits, "limits")?;
        let [first, last] = part(network.ports, "network.ports")?;
        if first < 1024 || last < first || last - first < 20 {
            return Err(invalid(
                "network.ports",
                "expected [first, last], from 1024, at least 20 ports".into(),
            ));
        }
        let cpus = within(kvm.cpus, "kvm.cpus", 0, 1024)?;
        if kvm.modules.is_some() && kvm.kernel.is_none() {
            return Err(invalid("kvm.modules", "modules are those of a kernel: set kvm.kernel, too".into()));
        }
        let share = part(limits.max_failed_share, "limits.max_failed_share")?;
        if !(0.0..1.0).contains(&share) {
            return Err(invalid("limits.max_failed_share", format!("{share} is not in 0 to 1")));
        }
        let seconds = |value, key: &str| within(value, key, 1, 3600).map(|s| Duration::from_secs(s.into()));
        Ok(Self {
            host_class: raw.host_class,
            state: part(raw.state, "state")?,
            baselines: part(raw.baselines, "baselines")?,
            policy: part(raw.policy, "policy")?,
            profiles: Profiles {
                smoke: profile(profiles.smoke, "profile.smoke")?,
                standard: profile(profiles.standard, "profile.standard")?,
                full: profile(profiles.full, "profile.full")?,
            },
            docker_socket: part(docker.socket, "docker.socket")?,
            docker_engine_dir: docker.engine_dir,
            kvm: Kvm {
                accel: part(kvm.accel, "kvm.accel")?,
                probe_timeout: seconds(kvm.probe_timeout_s, "kvm.probe_timeout_s")?,
                boot_timeout: seconds(kvm.boot_timeout_s, "kvm.boot_timeout_s")?,
                cpus: (cpus > 0).then_some(cpus),
                kernel: kvm.kernel,
                modules: kvm.modules,
            },
            system_cpus: processors.system,
            client_cpus: processors.client,
            image: Image {
                suite: part(image.suite, "image.suite")?,
                mirror: image.mirror,
                min_free_mib: u64::from(within(image.min_free_gib, "image.min_free_gib", 1, 1 << 20)?) * 1024,
            },
            ports: (first, last),
            gate: Gate {
                accept: part(gate.accept, "gate.accept")?,
                min_baseline: within(gate.min_baseline, "gate.min_baseline", 1, 30)?,
            },
            github: Github {
                repository: github.repository,
                api_url: github.api_url,
                login: github.login,
                allow_forks: part(github.allow_forks, "github.allow_forks")?,
            },
            limits: Limits {
                output_bytes: within(limits.trial_output_kib, "limits.trial_output_kib", 16, 8192)? as usize
                    * 1024,
                max_failed_share: share,
                server_ready: seconds(limits.server_ready_s, "limits.server_ready_s")?,
            },
            tuning: Tuning::from_raw(raw.tuning)?,
            watch: Watch::from_raw(raw.watch)?,
        })
    }
}

fn profile(raw: Option<raw::Profile>, key: &str) -> Result<ProfileSettings, Invalid> {
    let raw = part(raw, key)?;
    if let Some(unknown) =
        raw.workloads.iter().flatten().find(|name| workload::all().iter().all(|w| w.name() != name.as_str()))
    {
        let known: Vec<&str> = workload::all().iter().map(|w| w.name()).collect();
        return Err(invalid(
            &format!("{key}.workloads"),
            format!("there is no workload {unknown:?}; there are {}", known.join(", ")),
        ));
    }
    let memory = within(raw.memory_mib, &format!("{key}.memory_mib"), 0, 1 << 20)?;
    if (1..512).contains(&memory) {
        return Err(invalid(&format!("{key}.memory_mib"), format!("{memory} is neither 0 nor at least 512")));
    }
    Ok(ProfileSettings {
        memory_mib: (memory > 0).then_some(memory),
        rounds: within(raw.rounds, &format!("{key}.rounds"), 3, 1000)?,
        warmup_rounds: within(raw.warmup_rounds, &format!("{key}.warmup_rounds"), 0, 20)?,
        budget: part(raw.budget, &format!("{key}.budget"))
            .and_then(|text| duration::parse(&text).map_err(|why| invalid(&format!("{key}.budget"), why)))?,
        workloads: raw.workloads,
        environments: raw.environments,
    })
}

/// A value that cannot be meant.
struct Invalid {
    key: String,
    why: String,
}

fn invalid(key: &str, why: String) -> Invalid {
    Invalid { key: key.to_owned(), why }
}

fn part<T>(value: Option<T>, key: &str) -> Result<T, Invalid> {
    value.ok_or_else(|| invalid(key, "it is missing".to_owned()))
}

fn within(value: Option<u32>, key: &str, least: u32, most: u32) -> Result<u32, Invalid> {
    let value = part(value, key)?;
    if (least..=most).contains(&value) {
        return Ok(value);
    }
    Err(invalid(key, format!("{value} is not in {least} to {most}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn error(text: &str) -> String {
        Config::resolve(Some(("tollgate.toml", text))).expect_err("an error").to_string()
    }

    #[test]
    fn the_defaults_hold_and_a_file_lies_over_them() {
        let defaults = Config::resolve(None).expect("the defaults are whole");
        let text = "host_class = \"farm\"\n[profile.smoke]\nrounds = 7\nenvironments = [\"native\", \"docker+nat\"]\n";
        let mine = Config::resolve(Some(("tollgate.toml", text))).expect("valid");
        assert_eq!(mine.profiles.smoke.rounds, 7);
        assert_eq!(mine.profiles.smoke.warmup_rounds, defaults.profiles.smoke.warmup_rounds);
        assert_eq!(mine.profiles.standard, defaults.profiles.standard);
        assert_eq!(mine.host_class.map(|h| h.to_string()).as_deref(), Some("farm"));
    }

    #[test]
    fn an_unknown_key_is_named_with_its_place_and_the_nearest_known_one() {
        insta::assert_snapshot!(error("[profile.smoke]\nronds = 3\n"));
    }

    #[test]
    fn a_wrong_type_is_named_with_its_place() {
        insta::assert_snapshot!(error("state = \"/x\"\n[kvm]\ncpus = \"lots\"\n"));
    }

    #[test]
    fn a_value_out_of_range_is_named_with_its_place() {
        insta::assert_snapshot!(error("[profile.full]\nrounds = 2\n"));
    }

    #[test]
    fn a_budget_that_is_no_time_is_named_with_its_place() {
        insta::assert_snapshot!(error("[profile.smoke]\nbudget = \"a while\"\n"));
    }

    #[test]
    fn the_table_of_a_value_out_of_range_is_the_right_one() {
        let text = error("[profile.smoke]\nrounds = 7\n[profile.full]\nrounds = 2\n");
        assert!(text.starts_with("tollgate.toml:4:1"), "{text}");
    }

    #[test]
    fn a_wrong_word_and_broken_syntax_are_named() {
        insta::assert_snapshot!(error("[kvm]\naccel = \"xen\"\n"));
        insta::assert_snapshot!(error("[kvm\n"));
        insta::assert_snapshot!(error("[profile.smoke]\nworkloads = [\"xy\"]\n"));
        insta::assert_snapshot!(error("[profile.smoke]\nenvironments = [\"podman\"]\n"));
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,200}", key in "[a-z_.]{1,20}", value in "\\PC{0,40}") {
            let _ = Config::resolve(Some(("f", &text)));
            let _ = Config::resolve(Some(("f", &format!("{key} = {value}\n[kvm]\n{key} = {value}"))));
        }
    }
}
