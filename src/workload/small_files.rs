//! small-files: create, append, read, rename and unlink many small files: the metadata path of storage drivers, where
//! AUFS was slow and overlay copies a file before it is appended to.
//!
//! The agent's own (`tollgate-agent bench small-files`): each step for all files before the next.

use super::{
    Case, CommandReport, CommandTemplate, CommandTrial, Emulation, Placement, Places, Profile, Size, Trial,
    Values, Workload, agent_report,
};
use crate::model::{Better, Family, MetricSpec, Scale};
use serde::Deserialize;

/// The workload.
#[derive(Debug)]
pub struct SmallFiles;

const NAME: &str = "small-files";

impl Workload for SmallFiles {
    fn name(&self) -> &'static str {
        NAME
    }

    fn packages(&self) -> &'static [&'static str] {
        &[]
    }

    fn cases(&self, Size { profile, .. }: Size) -> Vec<Case> {
        let (count, share, trial_s) = match profile {
            Profile::Smoke => ("500", 0.5, 0.4),
            Profile::Standard => ("1000", 0.5, 0.7),
            Profile::Full => ("50000", 1.0, 30.0),
        };
        vec![Case {
            workload: NAME,
            name: format!("files-{count}"),
            metrics: metrics(),
            environments: Places::of(profile, &["docker", "docker+layer", "kvm"]).drivers().tuned().all(),
            prepare: Vec::new(),
            server: None,
            trial: Trial::Command(CommandTrial {
                placement: Placement::Inside,
                command: CommandTemplate::agent(&["small-files", "--dir", "{data}", "--count", count], 1800),
                parse,
            }),
            slices: 1,
            share,
            trial_s,
            emulation: Emulation::Runs,
        }]
    }
}

fn metrics() -> Vec<MetricSpec> {
    let metric = |metric, about| MetricSpec {
        metric,
        unit: "files/s",
        better: Better::Higher,
        family: Family::Disk,
        resolution: 0.0,
        scale: Scale::Ratio,
        tail: false,
        about,
    };
    vec![
        metric(
            "create",
            "files of 1 KiB created per second (open(2), O_CREAT): a storage driver first looks for the name in every \
             layer; what unpacking and building do most",
        ),
        metric(
            "append",
            "files opened and appended to per second (open(2), O_APPEND): the step at which a union filesystem finds the \
             writable copy, and at which AUFS was slow",
        ),
        metric(
            "read",
            "small files opened and read per second from the page cache (read(2)): the lookup through the layers without \
             a disk; what starting a program does most",
        ),
        metric(
            "rename",
            "files renamed within their directory per second (rename(2)): overlay must leave nothing of the old name \
             visible, which costs it more than a plain filesystem",
        ),
        metric(
            "unlink",
            "files removed per second (unlink(2)): overlay checks whether a lower layer needs a whiteout, and the \
             filesystem below frees blocks that were on the disk",
        ),
    ]
}

#[derive(Debug, Deserialize)]
struct Output {
    #[serde(rename = "create_per_second")]
    create: f64,
    #[serde(rename = "append_per_second")]
    append: f64,
    #[serde(rename = "read_per_second")]
    read: f64,
    #[serde(rename = "rename_per_second")]
    rename: f64,
    #[serde(rename = "unlink_per_second")]
    unlink: f64,
}

fn parse(report: &CommandReport<'_>) -> Values {
    let output: Output = agent_report::read(NAME, report.result)?;
    Ok(vec![output.create, output.append, output.read, output.rename, output.unlink])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::agent_report::fixtures::{printed, report};
    use crate::workload::captured;

    #[test]
    fn captured_output_gives_a_rate_for_each_step_in_order() {
        let output = printed(captured!("agent-small-files.json"));
        let values = parse(&report(&output, None)).expect("parses");
        let whole: Vec<String> = values.iter().map(|v| format!("{v:.0}")).collect();
        assert_eq!(whole, ["4491", "134065", "171501", "55660", "417"]);
        let error = parse(&report(&printed("{\"files\":3}"), None)).expect_err("no rate").to_string();
        assert!(error.contains("create_per_second"), "{error}");
    }
}
