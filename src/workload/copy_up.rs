//! copy-up: the first write to a file of a lower layer. The blog post asks whether a driver copies the file or the block.
//!
//! Each trial runs in a fresh instance, because a layer copies a file up only once. Where the data directory is in the
//! layer, the image's links in it lead to files of a lower layer; elsewhere (a volume, natively) they are copies, made
//! before. How deep the lower layer lies is not varied: the bench image is imported, and so has one layer.

use super::{
    Case, CommandReport, CommandTemplate, CommandTrial, Emulation, Placement, Places, Profile, Size, Trial,
    Values, Workload, agent_report,
};
use crate::model::{Better, Family, MetricSpec, Scale};
use serde::Deserialize;

/// The workload.
#[derive(Debug)]
pub struct CopyUp;

const NAME: &str = "copy-up";
/// The largest file that the bench image holds for it is 64 MiB.
const SIZES: [(&str, f64); 2] = [("1m", 0.3), ("64m", 0.6)];

impl Workload for CopyUp {
    fn name(&self) -> &'static str {
        NAME
    }

    fn packages(&self) -> &'static [&'static str] {
        &[]
    }

    fn cases(&self, Size { profile, .. }: Size) -> Vec<Case> {
        SIZES.iter().map(|(size, trial_s)| case(profile, size, *trial_s)).collect()
    }
}

fn case(profile: Profile, size: &str, trial_s: f64) -> Case {
    let (file, source) = (format!("{{data}}/copyup-{size}"), format!("/usr/share/tollgate/copyup/{size}"));
    Case {
        workload: NAME,
        name: format!("file-{size}"),
        metrics: metrics(),
        environments: Places::of(profile, &["docker", "docker+layer"]).drivers_of_fresh().all(),
        // In a layer this prepares the instance that stays up, and no fresh one.
        prepare: vec![CommandTemplate::agent(
            &["first-write", "--file", &file, "--prepare-from", &source],
            300,
        )],
        server: None,
        trial: Trial::Command(CommandTrial {
            placement: Placement::Fresh { memory_mib: None },
            command: CommandTemplate::agent(&["first-write", "--file", &file], 300),
            parse: if size == "1m" { parse::<{ 1 << 20 }> } else { parse::<{ 64 << 20 }> },
        }),
        slices: 1,
        share: 0.5,
        trial_s,
        emulation: Emulation::Runs,
    }
}

fn metrics() -> Vec<MetricSpec> {
    let metric = |metric, unit, about| MetricSpec {
        metric,
        unit,
        better: Better::Lower,
        family: Family::Disk,
        resolution: 0.0,
        scale: Scale::Ratio,
        tail: false,
        about,
    };
    vec![
        metric(
            "first-write",
            "ms",
            "open, write 4 KiB and close, the first time (kernel's overlayfs.rst, copy_up): drivers that copy whole files \
             pay for the file's size, those that copy blocks do not",
        ),
        metric(
            "second-write",
            "us",
            "the same once more (kernel's overlayfs.rst): what a driver costs once the file is in the writable layer, \
             which should be nothing",
        ),
    ]
}

#[derive(Debug, Deserialize)]
struct Output {
    first_write_ms: f64,
    second_write_us: f64,
    bytes: u64,
}

fn parse<const BYTES: u64>(report: &CommandReport<'_>) -> Values {
    let output: Output = agent_report::read(NAME, report.result)?;
    if output.bytes != BYTES {
        let why = format!("expected a file of {BYTES} bytes, found one of {}", output.bytes);
        return Err(super::ParseError::new(NAME, Some(1), &report.result.stdout, why));
    }
    Ok(vec![output.first_write_ms, output.second_write_us])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::agent_report::fixtures::{printed, report};
    use crate::workload::captured;

    #[test]
    fn captured_output_gives_both_times() {
        let output = printed(captured!("agent-first-write.json"));
        let values = parse::<{ 64 << 20 }>(&report(&output, None)).expect("parses");
        let [first, second] = values[..] else { panic!("{values:?}") };
        assert_eq!(format!("{first:.4} ms {second:.2} us"), "0.0185 ms 5.73 us");
    }

    #[test]
    fn a_file_of_another_size_is_an_error() {
        let output = printed(captured!("agent-first-write.json"));
        let error = parse::<{ 1 << 20 }>(&report(&output, None)).expect_err("64 MiB").to_string();
        assert!(error.contains("67108864") && error.contains("1048576"), "{error}");
    }
}
