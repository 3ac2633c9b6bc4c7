//! xz: a compressor, the study's PXZ. CPU and memory caches, hardly a system call.
//!
//! One thread on one slice of the bench image's corpus; in the full profile also, as PXZ did, all CPUs on 1 GiB.

use super::{
    Case, CommandReport, CommandTemplate, CommandTrial, Emulation, ParseError, Placement, Places, Profile,
    Size, Trial, Values, Workload,
};
use crate::model::{Better, Family, MetricSpec, Scale};

/// The workload.
#[derive(Debug)]
pub struct Xz;

const MIB: f64 = 1024.0 * 1024.0;
const TOOL: &str = "xz";

impl Workload for Xz {
    fn name(&self) -> &'static str {
        TOOL
    }

    fn packages(&self) -> &'static [&'static str] {
        &["xz-utils"]
    }

    fn cases(&self, Size { profile, .. }: Size) -> Vec<Case> {
        match profile {
            Profile::Smoke => vec![slice(profile, "slice-256k", "256k", parse::<262_144>)],
            Profile::Standard => vec![slice(profile, "slice-1m", "1m", parse::<1_048_576>)],
            Profile::Full => vec![slice(profile, "slice-1m", "1m", parse::<1_048_576>), parallel(profile)],
        }
    }
}

/// One thread on a slice of the corpus.
fn slice(profile: Profile, name: &str, size: &str, parse: fn(&CommandReport<'_>) -> Values) -> Case {
    // The name of the file is "$0", so that no part of it is read as shell.
    let script = "exec xz -T1 -6 -k -c -v \"$0\" > /dev/null";
    let file = format!("/usr/share/tollgate/corpus/{size}-{{slice}}");
    Case {
        workload: TOOL,
        name: name.to_owned(),
        metrics: metrics(ONE_THREAD),
        environments: Places::of(profile, &["docker", "kvm"]).runtimes().tuned().all(),
        prepare: Vec::new(),
        server: None,
        trial: Trial::Command(CommandTrial {
            placement: Placement::Inside,
            command: CommandTemplate::new(&["sh", "-c", script, &file], 60),
            parse,
        }),
        slices: 16,
        share: 1.0,
        trial_s: if profile == Profile::Smoke { 0.13 } else { 0.5 },
        emulation: Emulation::Runs,
    }
}

/// All CPUs on 1 GiB: the corpus 64 times over. Its 16 MiB are more than preset 6 looks back, so that a copy is as
/// hard as the original.
fn parallel(profile: Profile) -> Case {
    let make = "i=0; while [ $i -lt 64 ]; do cat /usr/share/tollgate/corpus/1m-*; i=$((i+1)); done > \"$0\"";
    let trial = "exec xz -T0 -6 -k -c -v \"$0\" > /dev/null";
    let file = "{data}/tollgate.xz-input";
    Case {
        name: "parallel-1g".to_owned(),
        metrics: metrics(ALL_CPUS),
        prepare: vec![CommandTemplate::new(&["sh", "-c", make, file], 600)],
        trial: Trial::Command(CommandTrial {
            placement: Placement::Inside,
            command: CommandTemplate::new(&["sh", "-c", trial, file], 7200),
            parse: parse::<1_073_741_824>,
        }),
        slices: 1,
        share: 0.3,
        trial_s: 300.0,
        emulation: Emulation::LeftOut("an emulator needs the better part of an hour for 1 GiB"),
        ..slice(profile, "parallel-1g", "1m", parse::<1_073_741_824>)
    }
}

const ONE_THREAD: &str = "input bytes per second of wall time (xz(1), preset 6, one thread): the study's PXZ figure \
                          (RC25482, table I), where Docker cost 4 % and KVM 22 %";
const ALL_CPUS: &str = "input bytes per second of wall time (xz(1), preset 6, as many threads as CPUs): the study's \
                        PXZ figure (RC25482, table I), where Docker cost 4 % and KVM 22 %";

fn metrics(throughput: &'static str) -> Vec<MetricSpec> {
    vec![
        MetricSpec {
            metric: "throughput",
            unit: "MB/s",
            better: Better::Higher,
            family: Family::Cpu,
            resolution: 0.0,
            scale: Scale::Ratio,
            tail: false,
            about: throughput,
        },
        MetricSpec {
            metric: "cpu-cost",
            unit: "CPU-s/GiB",
            better: Better::Lower,
            family: Family::Cpu,
            resolution: 0.0,
            scale: Scale::Ratio,
            tail: false,
            about: "user and system time of xz (getrusage(2)) per GiB of input: the work itself, without waiting, so \
                    it tells slower execution from stolen time",
        },
    ]
}

fn parse<const EXPECTED: u32>(report: &CommandReport<'_>) -> Values {
    let result = report.result;
    let bytes = input_bytes(&result.stderr)?;
    if (bytes - f64::from(EXPECTED)).abs() > 0.5 {
        let why = format!("expected an input of {EXPECTED} bytes, it read {bytes}");
        return Err(ParseError::new(TOOL, None, &result.stderr, why));
    }
    let usage = result.usage;
    let cpu_s = (usage.user_us + usage.system_us) as f64 / 1e6;
    Ok(vec![bytes / 1e6 / (usage.wall_ns as f64 / 1e9), cpu_s / (bytes / MIB / 1024.0)])
}

/// The input's size from `FILE: 78.7 KiB / 256.0 KiB = 0.307`, which xz -v prints at the end.
fn input_bytes(stderr: &str) -> Result<f64, ParseError> {
    let found = stderr.lines().enumerate().find(|(_, line)| line.contains(" / "));
    let Some((index, line)) = found else {
        return Err(ParseError::new(
            TOOL,
            None,
            stderr,
            "expected a line like FILE: 78.7 KiB / 256.0 KiB = 0.307",
        ));
    };
    let bad = |why: &str| ParseError::new(TOOL, Some(index + 1), line, why);
    if line.contains(" %, ") {
        return Err(bad("it did not come to its end"));
    }
    let input = line.split(" / ").nth(1).and_then(|r| r.split(" = ").next());
    let mut words = input.ok_or_else(|| bad("expected the input's size after \" / \""))?.split_whitespace();
    let number = words.next().map(|n| n.replace(',', "")).and_then(|n| n.parse::<f64>().ok());
    let unit = match words.next() {
        Some("B") => 1.0,
        Some("KiB") => 1024.0,
        Some("MiB") => MIB,
        Some("GiB") => MIB * 1024.0,
        _ => return Err(bad("expected a size in B, KiB, MiB or GiB")),
    };
    match number {
        Some(n) if n > 0.0 => Ok(n * unit),
        _ => Err(bad("expected a size above 0")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::captured;
    use tollgate_agent::protocol::{ExecResult, Usage};

    #[test]
    fn captured_output_gives_the_input_size() {
        assert_eq!(input_bytes(captured!("xz-5.4.1-verbose.txt")), Ok(262_144.0));
        assert_eq!(input_bytes(captured!("xz-5.4.1-verbose-long.txt")), Ok(1_048_576.0));
        assert_eq!(input_bytes("f: 1.0 MiB / 2,048.0 KiB = 0.5, 3.0 MiB/s, 0:01"), Ok(2_097_152.0));
    }

    #[test]
    fn throughput_and_cost_follow_from_size_and_usage() {
        let usage = Usage { wall_ns: 500_000_000, user_us: 400_000, system_us: 100_000, ..Usage::default() };
        let stderr = "f: 1.0 MiB / 1,024.0 KiB = 1.000\n".to_owned();
        let result = ExecResult {
            code: Some(0),
            signal: None,
            timed_out: false,
            stdout: String::new(),
            stdout_bytes: 0,
            stderr_bytes: 0,
            stderr,
            usage,
        };
        let report = CommandReport { result: &result, host: None, cgroup: None };
        let values = parse::<1_048_576>(&report).expect("values");
        assert!(parse::<262_144>(&report).is_err(), "another file was compressed");
        assert!((values[0] - 2.097_152).abs() < 1e-9 && (values[1] - 512.0).abs() < 1e-9, "{values:?}");
    }

    #[test]
    fn other_output_is_an_error_that_shows_it() {
        assert!(input_bytes(captured!("xz-5.4.1-unfinished.txt")).is_err());
        for text in ["", "xz: file: No such file", "f: 1 KiB / many = 1", "f: 0 B / 0 B = ---"] {
            assert!(input_bytes(text).is_err(), "{text}");
        }
        assert!(input_bytes("ok\nf: 1 KiB / x KiB = 1").expect_err("bad").to_string().contains("line 2"));
    }
}
