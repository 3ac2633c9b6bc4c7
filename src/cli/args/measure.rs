//! What the commands take that measure, or say what would be measured.

use super::Format;
use crate::config::parse_duration;
use crate::model::{EnvironmentName, SweepId};
use crate::workload::Profile;
use clap::Args;
use std::path::PathBuf;
use std::time::Duration;

/// What to measure.
#[derive(Debug, Args)]
pub struct Selection {
    /// Size of the sweep
    #[arg(long, value_enum, default_value_t = Profile::Smoke)]
    pub profile: Profile,
    /// Only these workloads or cases: redis,fio/randread-qd16
    #[arg(long, value_delimiter = ',', value_name = "NAME")]
    pub only: Vec<String>,
    /// Only these environments (native is added): docker,docker+nat
    #[arg(long, value_delimiter = ',', value_name = "NAME")]
    pub environments: Option<Vec<EnvironmentName>>,
    /// Rounds instead of the profile's
    #[arg(long, value_parser = clap::value_parser!(u32).range(3..=1000))]
    pub rounds: Option<u32>,
    /// Seed of the random order
    #[arg(long)]
    pub seed: Option<u64>,
    /// Goes on with an interrupted sweep: the newest, or the one named
    #[arg(long, value_name = "SWEEP", num_args = 0..=1, conflicts_with_all = ["only", "environments", "rounds", "seed"])]
    #[expect(clippy::option_option, reason = "absent, given, given with a value")]
    pub resume: Option<Option<SweepId>>,
    /// First installs and starts what is missing
    #[arg(long)]
    pub provision: bool,
    /// How the result is printed
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

/// Of `gate`.
#[derive(Debug, Args)]
pub struct GateArgs {
    /// What to measure.
    #[command(flatten)]
    pub selection: Selection,
    /// Sweeps also when no component changed
    #[arg(long)]
    pub always: bool,
    /// Time for the first sweep and the fresh ones that confirm: 90s, 30m, 2h; 0 = never confirms
    /// [default: the profile's]
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub budget: Option<Duration>,
    /// Never adds the sweep to the baseline
    #[arg(long)]
    pub no_record: bool,
    /// An inconclusive result is a failure (exit code 4)
    #[arg(long)]
    pub strict: bool,
    /// Directory for report.html, report.md and result.json
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub output: PathBuf,
    /// Tells the result to GitHub and webhooks, too, as `tollgate notify` does
    #[arg(long)]
    pub notify: bool,
    /// Sweeps also for a pull request from a fork: a stranger's code runs as root
    #[arg(long)]
    pub allow_fork: bool,
    /// Judges recorded sweeps instead of measuring: the first screens, the others confirm
    #[arg(long, value_name = "FILE", num_args = 1.., conflicts_with_all = ["budget", "provision", "resume", "rounds", "seed", "only", "environments"])]
    pub replay: Vec<PathBuf>,
}

/// Of `sweep`.
#[derive(Debug, Args)]
pub struct SweepArgs {
    /// What to measure.
    #[command(flatten)]
    pub selection: Selection,
    /// Time that it shall take, which chooses the rounds: 20m, 2h [default: the profile's rounds]
    #[arg(long, value_name = "TIME", value_parser = parse_duration, conflicts_with_all = ["rounds", "resume"])]
    pub budget: Option<Duration>,
}

/// Of `list`.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// Which profile
    #[arg(long, value_enum, default_value_t = Profile::Smoke)]
    pub profile: Profile,
    /// How the result is printed
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

/// Of `fingerprint`.
#[derive(Debug, Args)]
pub struct FingerprintArgs {
    /// Compares with the newest accepted baseline; exit code 10 when a component changed
    #[arg(long)]
    pub diff: bool,
    /// Whose baseline
    #[arg(long, value_enum, default_value_t = Profile::Smoke)]
    pub profile: Profile,
    /// How the result is printed
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

/// Of `doctor`.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// Seconds for which the noise of the processors is measured; 0 for not at all
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(0..=600))]
    pub noise: u64,
    /// How the result is printed
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}
