//! The command line's grammar: the commands, and what all of them take. What each takes is beside it, by theme.

mod exchange;
mod measure;
mod results;
mod service;

pub use exchange::{ExportArgs, ExportFormat, ImportArgs, ImportFormat};
pub use measure::{DoctorArgs, FingerprintArgs, GateArgs, ListArgs, Selection, SweepArgs};
pub use results::{BaselineCommand, Files, JudgeArgs, PowerArgs, Reference, ReportArgs, ReportFormat};
pub use service::{CleanArgs, NotifyArgs, TriggerArgs, WatchArgs};

use clap::{Args, Parser, Subcommand, ValueEnum};
pub use clap_complete::Shell;
use std::path::PathBuf;

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
Examples: tollgate import --format fio-json --map lab.toml run*-native.json run*-docker.json --output lab.csv
          tollgate import --format redis --environment docker --host-class lab \
              --started-at 2026-11-26T12:00:00Z docker.txt --output docker.csv
          tollgate import --format samples native.csv docker.csv --output lab.csv    (of one start: one sweep)
A toll needs native beside the environment, in one sweep: lab.toml says which file is of which environment.
A wrong line is named, and then nothing is written.";

const EXPORT_EXAMPLES: &str = "\
Examples: tollgate export SWEEP --output sweep.csv
          tollgate export --format parquet --output sweep.parquet";

const WATCH_EXAMPLES: &str = "\
Examples: tollgate watch --check-config
          tollgate watch --state /var/lib/tollgate --log-format json
Stops on SIGTERM and SIGINT: a sweep is abandoned at once, the host is clean, and the next start goes on with it. SIGHUP makes it look.
Environment: as for `tollgate notify`; without it results are kept for the dashboard and told to the policy's webhooks.";

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

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_grammar_is_sound() {
        Cli::command().debug_assert();
    }
}
