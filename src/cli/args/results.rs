//! What the commands take that judge, report and accept what was measured.

use super::Format;
use crate::model::SweepId;
use crate::workload::Profile;
use clap::builder::ArgPredicate;
use clap::{Args, Subcommand, ValueEnum};
use std::path::PathBuf;

const PROPOSE_EXAMPLES: &str = "\
Example: tollgate baseline propose --base main
Opens (or updates) one pull request with the accepted sweeps that the base does not have. Needs the permissions
contents: write and pull-requests: write.";

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
