//! The command line's grammar.

use crate::config::parse_duration;
use crate::import::Tool;
use crate::model::{EnvironmentName, HostClass, SweepId};
use crate::workload::Profile;
use chrono::{DateTime, Utc};
use clap::builder::{ArgPredicate, PossibleValue};
use clap::{Args, Parser, Subcommand, ValueEnum};
pub use clap_complete::Shell;
use std::path::PathBuf;
use std::sync::LazyLock;
use std::time::Duration;

const AFTER_HELP: &str = "\
Examples: tollgate doctor                          (what can this host run?)
          tollgate gate --provision                (installs what is missing, measures, judges)
          tollgate report --format html --output report.html
Exit codes: 0 passed or nothing changed; 1 regressed; 2 usage or configuration; 3 could not measure, or
what could not be sent waits; 4 inconclusive (only with --strict); 5 a receiver refuses for good (only
notify and gate --notify); 10 changed (only fingerprint --diff).";

const JUDGE_EXAMPLES: &str = "\
Examples: tollgate judge --baseline before.csv --candidate after.csv --format json
          tollgate judge --self-test --profile smoke";

const GATE_EXAMPLES: &str = "\
Examples: tollgate gate --provision --profile smoke
          tollgate gate --output out && cat out/report.md
          tollgate gate --notify                   (a host of its own, with GITHUB_REPOSITORY and GITHUB_TOKEN)
          tollgate gate --replay first.json fresh1.json fresh2.json --no-record   (recorded sweeps, nothing is measured)";

const REPORT_EXAMPLES: &str = "\
Examples: tollgate report --format html --output report.html
          tollgate report --reference rc25482 --format html --output beside-2014.html
          tollgate report --baseline before.csv --candidate after.csv --format junit";

const NOTIFY_EXAMPLES: &str = "\
Examples: tollgate notify --result out/result.json
          tollgate notify --result out/result.json --dry-run
          tollgate notify                          (says only what earlier runs could not)
Environment:
  GITHUB_REPOSITORY, GITHUB_API_URL   where (in GitHub Actions both are there already)
  GITHUB_TOKEN                        who, or TOLLGATE_GITHUB_TOKEN_FILE, or an App:
                                      TOLLGATE_GITHUB_APP_ID with TOLLGATE_GITHUB_APP_KEY_FILE
  TOLLGATE_GITHUB_LOGIN               whom it writes as, for a token that another step got from an App";

const IMPORT_EXAMPLES: &str = "\
Examples: tollgate import --format fio-json --environment docker --host-class lab run*.json --output docker.csv
          tollgate import --format samples before.csv after.csv --output all.csv
A wrong line is named, and then nothing is written.";

const EXPORT_EXAMPLES: &str = "\
Examples: tollgate export SWEEP --output sweep.csv
          tollgate export --format parquet --output sweep.parquet";

const WATCH_EXAMPLES: &str = "\
Examples: tollgate watch --check-config
          tollgate watch --state /var/lib/tollgate --log-format json
Stops on SIGTERM and SIGINT: a sweep is abandoned at once, the host is clean, and the next start goes on with it. SIGHUP makes it look.
Environment: as for `tollgate notify`; without it results are kept for the dashboard and told to the policy's webhooks.";

const PROPOSE_EXAMPLES: &str = "\
Example: tollgate baseline propose --base main
Opens (or updates) one pull request with the accepted sweeps that the base does not have. Needs the permissions
contents: write and pull-requests: write.";

const POWER_EXAMPLES: &str = "\
Examples: tollgate power --profile smoke
          tollgate power --rounds 50 --fresh 4     (what would be seen with so many?)
          tollgate power --baseline before.csv --format json";

/// The continuous regression monitor for the overhead of Docker and KVM.
#[derive(Debug, Parser)]
#[command(version, about, after_help = AFTER_HELP, max_term_width = 110)]
pub struct Cli {
    /// Options of every command.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Options of every command.
#[derive(Debug, Args)]
pub struct Global {
    /// Configuration file [default: tollgate.toml, when it is there]
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// State directory: bench image, journals, sweeps [default: /var/lib/tollgate]
    #[arg(long, global = true, value_name = "DIR")]
    pub state: Option<PathBuf>,
    /// Directory of accepted sweeps [default: baselines]
    #[arg(long, global = true, value_name = "DIR")]
    pub baselines: Option<PathBuf>,
    /// How the log on standard error is written
    #[arg(long, global = true, value_enum, value_name = "FORMAT", default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,
    /// Says more (twice: much more)
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
}

/// How the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// Lines for people.
    Text,
    /// A JSON object a line, with the spans that it happened in.
    Json,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Sweeps if a component changed, judges, reports: the CI job
    #[command(after_help = GATE_EXAMPLES)]
    Gate(GateArgs),
    /// Measures, without judging
    #[command(
        after_help = "Example: tollgate sweep --only redis --environments docker,docker+nat --rounds 50"
    )]
    Sweep(SweepArgs),
    /// Judges stored sweeps against the baselines, or one samples CSV against another
    #[command(after_help = JUDGE_EXAMPLES)]
    Judge(JudgeArgs),
    /// Says which changes the stored baselines let be seen, and what it takes to see more
    #[command(after_help = POWER_EXAMPLES)]
    Power(PowerArgs),
    /// Tells a result of `gate` to GitHub and webhooks: the half of the CI job that holds a write token
    #[command(after_help = NOTIFY_EXAMPLES)]
    Notify(NotifyArgs),
    /// Writes the report of a stored sweep, or of two samples CSVs
    #[command(after_help = REPORT_EXAMPLES)]
    Report(ReportArgs),
    /// Makes a samples CSV of what tools printed elsewhere
    #[command(after_help = IMPORT_EXAMPLES)]
    Import(ImportArgs),
    /// Makes a samples CSV of measured sweeps, or Parquet
    #[command(after_help = EXPORT_EXAMPLES)]
    Export(ExportArgs),
    /// Lists, shows, accepts and rejects baselines
    #[command(subcommand, after_help = "Example: tollgate baseline list")]
    Baseline(BaselineCommand),
    /// Lists what a profile measures, and which of it this host can run
    #[command(after_help = "Example: tollgate list --profile smoke --format json")]
    List(ListArgs),
    /// Prints what this host is made of
    #[command(after_help = "Example: tollgate fingerprint --diff; test $? = 10 && echo changed")]
    Fingerprint(FingerprintArgs),
    /// Says what this host can run, how noisy it is, and what to change
    #[command(after_help = "Example: tollgate doctor --noise 60")]
    Doctor(DoctorArgs),
    /// Installs and starts what is missing: Docker, QEMU, mmdebstrap
    #[command(after_help = "Example: sudo tollgate provision")]
    Provision,
    /// Watches this host, and measures when something changed: the service
    #[command(after_help = WATCH_EXAMPLES)]
    Watch(WatchArgs),
    /// Asks the service of this host to look, or to measure
    #[command(after_help = "Example: tollgate trigger --always --profile smoke")]
    Trigger(TriggerArgs),
    /// Removes what crashed runs left on the host
    #[command(after_help = "Example: tollgate clean --dry-run")]
    Clean(CleanArgs),
    /// Prints completions for a shell
    #[command(after_help = "Example: tollgate completions bash > /etc/bash_completion.d/tollgate")]
    Completions {
        /// Which
        shell: Shell,
    },
    /// Writes manual pages
    #[command(after_help = "Example: tollgate man /usr/local/share/man/man1")]
    Man {
        /// Where to; made when it is missing
        #[arg(value_name = "DIR")]
        directory: PathBuf,
    },
}

/// How a result is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// A table for people.
    Text,
    /// Documented JSON (docs/formats.md).
    Json,
}

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

/// Of `notify`.
#[derive(Debug, Args)]
pub struct NotifyArgs {
    /// The result.json of a gate; without it only what waits in the outbox is sent
    #[arg(long, value_name = "FILE")]
    pub result: Option<PathBuf>,
    /// Says what would be done, and does nothing
    #[arg(long, requires = "result")]
    pub dry_run: bool,
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

/// Two samples CSVs.
#[derive(Debug, Args)]
pub struct Files {
    /// Samples CSV of the baseline
    #[arg(long = "baseline", value_name = "CSV", requires = "candidate")]
    pub baseline: Option<PathBuf>,
    /// Samples CSV of the candidate sweeps
    #[arg(long, value_name = "CSV", requires = "baseline")]
    pub candidate: Option<PathBuf>,
}

/// Of `judge`.
#[derive(Debug, Args)]
pub struct JudgeArgs {
    /// Two files instead of stored sweeps.
    #[command(flatten)]
    pub files: Files,
    /// The sweeps to judge, in order of time: the first screens, the others confirm
    #[arg(value_name = "SWEEP", conflicts_with = "baseline", required_unless_present_any = ["baseline", "self_test"])]
    pub sweeps: Vec<SweepId>,
    /// Judges the baselines themselves (or those of --baseline), in which nothing changed: the rate of false alarms
    #[arg(long, conflicts_with_all = ["sweeps", "candidate", "strict"])]
    pub self_test: bool,
    /// Whose baselines the self-test judges
    #[arg(long, value_enum, default_value_t = Profile::Smoke, requires = "self_test", conflicts_with_all = ["baseline", "sweeps"])]
    pub profile: Profile,
    /// How the result is printed
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
    /// An inconclusive result is a failure (exit code 4)
    #[arg(long)]
    pub strict: bool,
}

/// Of `power`.
#[derive(Debug, Args)]
pub struct PowerArgs {
    /// Whose baselines
    #[arg(long, value_enum, default_value_t = Profile::Smoke, conflicts_with = "baseline")]
    pub profile: Profile,
    /// Samples CSV of the baseline instead of stored sweeps
    #[arg(long, value_name = "CSV")]
    pub baseline: Option<PathBuf>,
    /// Rounds of a sweep instead of the measured ones
    #[arg(long, value_parser = clap::value_parser!(u32).range(3..=1000))]
    pub rounds: Option<u32>,
    /// Fresh sweeps that confirm
    #[arg(long, value_name = "K", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=30))]
    pub fresh: u32,
    /// How the result is printed
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

/// How a report is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ReportFormat {
    /// One self-contained page.
    Html,
    /// For job summaries and issues.
    Markdown,
    /// Documented JSON.
    Json,
    /// `JUnit`'s XML: a test for each metric.
    Junit,
    /// The samples themselves, as a samples CSV.
    Csv,
    /// For `node_exporter`'s textfile collector.
    #[value(name = "openmetrics")]
    OpenMetrics,
}

/// Of `report`.
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// Two files instead of a stored sweep.
    #[command(flatten)]
    pub files: Files,
    /// The sweep [default: the newest measured one]
    #[arg(value_name = "SWEEP", conflicts_with = "baseline")]
    pub sweep: Option<SweepId>,
    /// How it is written [with --reference: Markdown, unless it says html]
    #[arg(long, value_enum, default_value_t = ReportFormat::Html, default_value_if("reference", ArgPredicate::IsPresent, "markdown"))]
    pub format: ReportFormat,
    /// Sets the tolls beside those of a study, as Markdown or HTML
    #[arg(long, value_enum, conflicts_with = "baseline")]
    pub reference: Option<Reference>,
    /// Where to [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// A study to compare with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Reference {
    /// IBM's of 2014.
    Rc25482,
}

/// What `import` reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImportFormat {
    /// What is a samples CSV already.
    Samples,
    /// The same as Parquet.
    Parquet,
    /// What a tool printed.
    Tool(Tool),
}

impl ValueEnum for ImportFormat {
    fn value_variants<'a>() -> &'a [Self] {
        static ALL: LazyLock<Vec<ImportFormat>> = LazyLock::new(|| {
            let tools = Tool::value_variants().iter().copied().map(ImportFormat::Tool);
            [ImportFormat::Samples, ImportFormat::Parquet].into_iter().chain(tools).collect()
        });
        &ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        match self {
            Self::Samples => Some(PossibleValue::new("samples").help("Samples CSV, several files into one")),
            Self::Parquet => Some(PossibleValue::new("parquet").help(PARQUET_HELP)),
            Self::Tool(tool) => tool.to_possible_value(),
        }
    }
}

/// How `export` writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ExportFormat {
    /// Samples CSV.
    Csv,
    #[value(help = PARQUET_HELP)]
    /// Parquet, for pandas and `DuckDB`.
    Parquet,
}

const PARQUET_HELP: &str = if cfg!(feature = "parquet") {
    "Samples as Parquet, for pandas and DuckDB"
} else {
    "Samples as Parquet; not in this build (cargo feature parquet)"
};

/// Of `import`.
#[derive(Debug, Args)]
pub struct ImportArgs {
    /// What to read; each file is a round, unless it numbers its trials
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
    /// What the files are
    #[arg(long, value_enum)]
    pub format: ImportFormat,
    /// Where it was measured: docker+nat
    #[arg(long, value_name = "NAME")]
    pub environment: Option<EnvironmentName>,
    /// Host class that it is of
    #[arg(long, value_name = "NAME")]
    pub host_class: Option<HostClass>,
    /// When it was measured: 2014-07-21T12:00:00Z [default: now]
    #[arg(long, value_name = "TIME")]
    pub started_at: Option<DateTime<Utc>>,
    /// Mapping file: host class, time, environments by file name, directions of metrics (docs/formats.md)
    #[arg(long, value_name = "FILE")]
    pub map: Option<PathBuf>,
    /// Where to [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// Of `export`.
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// The sweeps [default: the newest measured one]
    #[arg(value_name = "SWEEP")]
    pub sweeps: Vec<SweepId>,
    /// How they are written
    #[arg(long, value_enum, default_value_t = ExportFormat::Csv)]
    pub format: ExportFormat,
    /// Where to [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// Of `baseline`.
#[derive(Debug, Subcommand)]
pub enum BaselineCommand {
    /// Lists the accepted sweeps of all host classes
    #[command(after_help = "Example: tollgate baseline list --format json")]
    List {
        /// How the result is printed
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
    /// Shows one sweep
    #[command(after_help = "Example: tollgate baseline show 20261123T205047Z-dfb0c3")]
    Show {
        /// Which
        sweep: SweepId,
        /// How the result is printed
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
    /// Makes measured sweeps baselines; what they changed is right from then on
    #[command(
        after_help = "Example: tollgate baseline accept SWEEP FRESH1 FRESH2 --reason \"overlay2 -> btrfs, wanted\""
    )]
    Accept {
        /// Which; a sweep together with the fresh ones that confirmed it
        #[arg(value_name = "SWEEP", required = true)]
        sweeps: Vec<SweepId>,
        /// Why, for those who come later
        #[arg(long, default_value = "accepted by hand")]
        reason: String,
    },
    /// Proposes the accepted sweeps in a pull request
    #[command(after_help = PROPOSE_EXAMPLES)]
    Propose {
        /// Branch that the pull request asks to change
        #[arg(long, value_name = "BRANCH", default_value = "main")]
        base: String,
        /// Branch of the proposal
        #[arg(long, value_name = "BRANCH", default_value = "tollgate/baselines")]
        branch: String,
        /// Directory of the baselines in the repository
        #[arg(long, value_name = "DIR", default_value = "baselines")]
        into: String,
    },
    /// Takes a sweep out of the baselines
    #[command(after_help = "Example: tollgate baseline reject 20261123T205047Z-dfb0c3")]
    Reject {
        /// Which
        sweep: SweepId,
    },
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

/// Of `watch`.
#[derive(Debug, Args)]
pub struct WatchArgs {
    /// Says whether the configuration can be used and what it means, and ends
    #[arg(long)]
    pub check_config: bool,
    /// Address of the dashboard [default: watch.listen, 127.0.0.1:9417]
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Option<std::net::SocketAddr>,
}

/// Of `trigger`.
#[derive(Debug, Args)]
pub struct TriggerArgs {
    /// Measures also when no component changed, and in quiet hours
    #[arg(long)]
    pub always: bool,
    /// Size of the sweep [default: the service's]
    #[arg(long, value_enum, requires = "always")]
    pub profile: Option<Profile>,
}

/// Of `clean`.
#[derive(Debug, Args)]
pub struct CleanArgs {
    /// Says what would be removed, and removes nothing
    #[arg(long)]
    pub dry_run: bool,
    /// How the result is printed
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_grammar_is_sound() {
        Cli::command().debug_assert();
    }
}
