//! The configuration as it stands in a file: every key may be absent, none may be unknown.

use super::{Accel, Acceptance, Feed, Setting, Switch, Thp, WatchMode};
use crate::model::{CpuList, EnvironmentName, HostClass};
use crate::workload;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::PathBuf;

macro_rules! raw {
    ($(#[$doc:meta])* $name:ident { $($field:ident: $type:ty,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Default, PartialEq, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub(super) struct $name {
            $(pub(super) $field: Option<$type>,)*
        }

        impl $name {
            /// Takes from `below` what is absent here.
            pub(super) fn over(self, below: Self) -> Self {
                Self { $($field: Layer::layer(self.$field, below.$field),)* }
            }
        }

        impl Layer for $name {
            fn layer(upper: Option<Self>, lower: Option<Self>) -> Option<Self> {
                match (upper, lower) {
                    (Some(upper), Some(lower)) => Some(upper.over(lower)),
                    (upper, lower) => upper.or(lower),
                }
            }
        }
    };
}

/// How a value of one file lies over that of another.
pub(super) trait Layer: Sized {
    fn layer(upper: Option<Self>, lower: Option<Self>) -> Option<Self> {
        upper.or(lower)
    }
}

impl Layer for bool {}
impl Layer for u32 {}
impl Layer for f64 {}
impl Layer for [u16; 2] {}
impl Layer for String {}
impl Layer for PathBuf {}
impl Layer for HostClass {}
impl Layer for CpuList {}
impl Layer for Accel {}
impl Layer for Acceptance {}
impl Layer for Switch {}
impl Layer for Thp {}
impl Layer for Setting {}
impl Layer for Vec<String> {}
impl Layer for Vec<EnvironmentName> {}
impl Layer for Vec<PathBuf> {}
impl Layer for WatchMode {}
impl Layer for Vec<Feed> {}
impl Layer for workload::Profile {}
impl Layer for BTreeMap<String, Schedule> {}

raw!(
    /// The whole file.
    Raw {
        host_class: HostClass,
        state: PathBuf,
        baselines: PathBuf,
        policy: PathBuf,
        profile: Profiles,
        docker: Docker,
        kvm: Kvm,
        processors: Processors,
        image: Image,
        network: Network,
        gate: Gate,
        github: Github,
        limits: Limits,
        tuning: Tuning,
        watch: Watch,
    }
);
raw!(
    /// `[profile]`.
    Profiles { smoke: Profile, standard: Profile, full: Profile, }
);
raw!(
    /// `[profile.*]`.
    Profile {
        rounds: u32,
        warmup_rounds: u32,
        budget: String,
        memory_mib: u32,
        workloads: Vec<String>,
        environments: Vec<EnvironmentName>,
    }
);
raw!(
    /// `[docker]`.
    Docker { socket: PathBuf, engine_dir: PathBuf, }
);
raw!(
    /// `[kvm]`.
    Kvm {
        accel: Accel,
        probe_timeout_s: u32,
        boot_timeout_s: u32,
        cpus: u32,
        kernel: PathBuf,
        modules: PathBuf,
    }
);
raw!(
    /// `[processors]`.
    Processors { system: CpuList, client: CpuList, }
);
raw!(
    /// `[image]`.
    Image { suite: String, mirror: String, min_free_gib: u32, }
);
raw!(
    /// `[network]`.
    Network { ports: [u16; 2], }
);
raw!(
    /// `[gate]`.
    Gate { accept: Acceptance, min_baseline: u32, }
);
raw!(
    /// `[github]`.
    Github { repository: String, api_url: String, login: String, allow_forks: bool, }
);
raw!(
    /// `[limits]`.
    Limits { trial_output_kib: u32, max_failed_share: f64, server_ready_s: u32, }
);
raw!(
    /// `[tuning]`.
    Tuning {
        apply: bool,
        governor: String,
        turbo: Switch,
        thp: Thp,
        swappiness: Setting,
        numa_balancing: Switch,
        more_hugepages: u32,
    }
);
raw!(
    /// `[watch]`.
    Watch {
        profile: workload::Profile,
        mode: WatchMode,
        time_zone: String,
        schedules: BTreeMap<String, Schedule>,
        jitter: String,
        quiet_hours: Vec<String>,
        files: Vec<PathBuf>,
        debounce: String,
        look_every: String,
        attempts: u32,
        retry_wait: String,
        follow: Vec<Feed>,
        notices: bool,
        listen: String,
        token_file: PathBuf,
        hook_secret_env: String,
    }
);
raw!(
    /// A value of `[watch.schedules]`.
    Schedule { cron: String, profile: workload::Profile, }
);
