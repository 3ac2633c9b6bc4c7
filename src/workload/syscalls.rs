//! syscalls: cheap system calls, context switches and new processes, where seccomp and nested page tables show.
//!
//! stress-ng with a fixed number of operations; it times them itself, without its own start. Its stressor `get` is
//! not here: it looks up the host's name, which a name server answers in one environment and a file in another
//! (100 ms a call against none). `dup`, `rlimit` and `yield` are not here since what they do depends on limits and
//! CPUs of the environment.

use super::{
    Case, CommandReport, CommandTemplate, CommandTrial, Emulation, ParseError, Placement, Places, Profile,
    Size, Trial, Values, Workload,
};
use crate::model::{Better, Family, MetricSpec, Scale};

/// The workload.
#[derive(Debug)]
pub struct Syscalls;

const TOOL: &str = "stress-ng";

const NULL: &str = "operations per second on /dev/null (stress-ng(1), --null; one is some ten calls of lseek, fcntl, \
                    write, mmap and others that hardly do anything): what seccomp adds to every system call";
const SWITCH: &str = "context switches per second between two processes over a pipe (stress-ng(1), --switch): the \
                      scheduler and, in a guest, the interrupts between its CPUs";
const FORK: &str = "processes made and ended per second (stress-ng(1), --fork): page tables are copied, which nested \
                    paging makes dearer";
const CPU_COST: &str = "user and system time per operation (stress-ng(1), --metrics): the work itself, without \
                        waiting, so it tells slower calls from a busy host";

const HANDED_OVER: &str =
    "an emulator takes from 1 to more than 60 s to hand over between its CPUs 20,000 times";

impl Workload for Syscalls {
    fn name(&self) -> &'static str {
        "syscalls"
    }

    fn packages(&self) -> &'static [&'static str] {
        &["stress-ng"]
    }

    fn cases(&self, Size { profile, .. }: Size) -> Vec<Case> {
        // 100 to 200 ms natively; the study's length in the full profile.
        let longer = if profile == Profile::Full { 150 } else { 1 };
        let emulation = Emulation::LeftOut(HANDED_OVER);
        vec![
            case(profile, "null", 10_000 * longer, NULL, parse_null),
            Case { emulation, ..case(profile, "switch", 20_000 * longer, SWITCH, parse_switch) },
            case(profile, "fork", 300 * longer, FORK, parse_fork),
        ]
    }
}

fn case(
    profile: Profile,
    stressor: &str,
    operations: u32,
    about: &'static str,
    parse: fn(&CommandReport<'_>) -> Values,
) -> Case {
    let (which, ops) = (format!("--{stressor}"), format!("--{stressor}-ops"));
    let operations = operations.to_string();
    // Standard output as stress-ng can open it: a guest's /dev has no stdout.
    let report = ["--metrics", "--yaml", "/proc/self/fd/1", "--temp-path", "/tmp"];
    let argv = [&[TOOL, &which, "1", &ops, &operations], &report[..]].concat();
    Case {
        workload: "syscalls",
        name: stressor.to_owned(),
        metrics: vec![
            metric("operations", "1/s", Better::Higher, about),
            metric("cpu-cost", "CPU-us/op", Better::Lower, CPU_COST),
        ],
        environments: Places::of(profile, &["docker", "kvm"]).unconfined().runtimes().tuned().all(),
        prepare: Vec::new(),
        server: None,
        trial: Trial::Command(CommandTrial {
            placement: Placement::Inside,
            command: CommandTemplate::new(&argv, if profile == Profile::Full { 1800 } else { 60 }),
            parse,
        }),
        slices: 1,
        share: 1.0,
        trial_s: if profile == Profile::Full { 20.0 } else { 0.15 },
        emulation: Emulation::Runs,
    }
}

fn metric(metric: &'static str, unit: &'static str, better: Better, about: &'static str) -> MetricSpec {
    MetricSpec {
        metric,
        unit,
        better,
        family: Family::Cpu,
        resolution: 0.0,
        scale: Scale::Ratio,
        tail: false,
        about,
    }
}

fn parse_null(report: &CommandReport<'_>) -> Values {
    parse(&report.result.stdout, "null")
}

fn parse_switch(report: &CommandReport<'_>) -> Values {
    parse(&report.result.stdout, "switch")
}

fn parse_fork(report: &CommandReport<'_>) -> Values {
    parse(&report.result.stdout, "fork")
}

/// Operations a second of wall time, and CPU time an operation, from the YAML of `--metrics`.
fn parse(stdout: &str, stressor: &str) -> Values {
    let none = |why: String| ParseError::new(TOOL, None, stdout, why);
    let head = format!("- stressor: {stressor}");
    let start = stdout.lines().position(|l| l.trim() == head);
    let start = start.ok_or_else(|| none(format!("expected the metrics of the stressor {stressor}")))?;
    let number = |key: &str| {
        let mut fields = stdout
            .lines()
            .enumerate()
            .skip(start + 1)
            .take_while(|(_, l)| !l.trim_start().starts_with("- ") && !l.trim().is_empty());
        let found = fields.find_map(|(i, l)| Some((i, l, l.trim().strip_prefix(key)?.strip_prefix(": ")?)));
        let (index, line, text) = found.ok_or_else(|| none(format!("expected {key} of {stressor}")))?;
        match text.parse::<f64>() {
            Ok(value) if value >= 0.0 && value.is_finite() => Ok((index, line, value)),
            _ => Err(ParseError::new(TOOL, Some(index + 1), line, "expected a number")),
        }
    };
    let above_zero = |key: &str| {
        let (index, line, value) = number(key)?;
        if value > 0.0 {
            return Ok(value);
        }
        Err(ParseError::new(TOOL, Some(index + 1), line, "expected more than 0"))
    };
    let (operations, wall_s) = (above_zero("bogo-ops")?, above_zero("wall-clock-time")?);
    let cpu_s = number("user-time")?.2 + number("system-time")?.2;
    Ok(vec![operations / wall_s, cpu_s * 1e6 / operations])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::captured;

    #[test]
    fn captured_output_gives_rate_and_cost() {
        let fork = parse(captured!("stress-ng-0.15.06-fork.yaml"), "fork").expect("fork");
        assert!((fork[0] - 1_880.45).abs() < 0.01 && (fork[1] - 526.92).abs() < 0.01, "{fork:?}");
        let null = parse(captured!("stress-ng-0.15.06-null.yaml"), "null").expect("null");
        assert!((null[0] - 23_124.31).abs() < 0.1, "{null:?}");
    }

    #[test]
    fn no_metrics_another_stressor_and_damaged_numbers_are_errors() {
        let fork = captured!("stress-ng-0.15.06-fork.yaml");
        assert!(parse(fork, "null").expect_err("another").to_string().contains("stressor null"));
        assert!(parse(captured!("stress-ng-0.15.06-no-metrics.yaml"), "null").is_err());
        let damaged = fork.replace("bogo-ops: 300", "bogo-ops: many");
        assert!(parse(&damaged, "fork").expect_err("damaged").line.is_some());
        let nothing = fork.replace("bogo-ops: 300", "bogo-ops: 0");
        assert!(parse(&nothing, "fork").expect_err("nothing").to_string().contains("more than 0"));
        let cut = fork.find("user-time").map(|at| &fork[..at]).expect("a field");
        assert!(parse(cut, "fork").is_err());
    }
}
