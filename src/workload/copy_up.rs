//! copy-up: the first write to a file of a lower layer. The blog post asks whether a driver copies the file or the block.
//!
//! Each trial runs in a fresh instance, because a layer copies a file up only once. Where the data directory is in the
//! layer, the image's links in it lead to files of a lower layer; elsewhere (a volume, natively) they are copies, made
//! before. The full profile also has a file of 1 GiB, and files below 20 and 100 layers. Both are in images that are loaded
//! for it, so that the bench image stays small.

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

/// A file: its size in names, the seconds of a trial, and the parser that knows its size.
struct File {
    size: &'static str,
    trial_s: f64,
    parse: fn(&CommandReport<'_>) -> Values,
}

/// Those of the bench image.
const FILES: [File; 2] = [
    File { size: "1m", trial_s: 0.3, parse: parse::<{ 1 << 20 }> },
    File { size: "64m", trial_s: 0.6, parse: parse::<{ 64 << 20 }> },
];
/// That of the images with more layers, and only of those.
const LARGE: File = File { size: "1g", trial_s: 3.0, parse: parse::<{ 1 << 30 }> };

/// Makes the large file `$0/copyup-1g` out of copies of the other, which is how the one in the images is made; not with cat, which
/// may share blocks (`copy_file_range`(2)). In a layer the link is there already.
const MAKE_LARGE: &str = r#"
set -e
test ! -L "$0/copyup-1g" || exit 0
i=0
while [ $i -lt 16 ]; do
    dd if=/usr/share/tollgate/copyup/64m bs=1M status=none
    i=$((i + 1))
done > "$0/copyup-1g"
sync "$0/copyup-1g"
"#;

impl Workload for CopyUp {
    fn name(&self) -> &'static str {
        NAME
    }

    fn packages(&self) -> &'static [&'static str] {
        &[]
    }

    fn cases(&self, Size { profile, .. }: Size) -> Vec<Case> {
        let mut cases: Vec<Case> = FILES.iter().map(|file| bench(profile, file)).collect();
        if profile == Profile::Full {
            cases.push(large());
        }
        cases
    }
}

/// A file of the bench image.
fn bench(profile: Profile, file: &File) -> Case {
    let (path, source) = (path(file), format!("/usr/share/tollgate/copyup/{}", file.size));
    Case {
        environments: Places::of(profile, &["docker", "docker+layer"]).drivers_of_fresh().layers().all(),
        // In a layer this prepares the instance that stays up, and no fresh one.
        prepare: vec![CommandTemplate::agent(
            &["first-write", "--file", &path, "--prepare-from", &source],
            300,
        )],
        ..case(file)
    }
}

/// The file of the images with more layers.
fn large() -> Case {
    Case {
        environments: Places::of(Profile::Full, &["docker"]).layers().all(),
        prepare: vec![CommandTemplate::new(&["sh", "-c", MAKE_LARGE, "{data}"], 600)],
        ..case(&LARGE)
    }
}

fn path(file: &File) -> String {
    format!("{{data}}/copyup-{}", file.size)
}

fn case(file: &File) -> Case {
    Case {
        workload: NAME,
        name: format!("file-{}", file.size),
        metrics: metrics(),
        environments: Vec::new(),
        prepare: Vec::new(),
        server: None,
        trial: Trial::Command(CommandTrial {
            placement: Placement::Fresh { memory_mib: None },
            command: CommandTemplate::agent(&["first-write", "--file", &path(file)], 300),
            parse: file.parse,
        }),
        slices: 1,
        share: 0.5,
        trial_s: file.trial_s,
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
