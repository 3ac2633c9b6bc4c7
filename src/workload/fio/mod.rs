//! fio: block I/O of the data directory, the study's figures 4 to 6.
//!
//! Direct I/O through libaio, so that the page cache of one environment does not stand against the disk of another.
//! The file is written whole before the first trial. What fio reports covers the slice only; a quarter of a second
//! more goes by around each: 26 ms until its libraries are loaded, 65 ms for the calibration of its CPU clock, which
//! it does also when it uses another clock, and 100 ms of sleep until it looks whether its jobs are ready
//! (`strace -f -r`). No option of fio 3.33 avoids them. Threads instead of processes make no difference either.

mod parse;

use super::{
    Case, CommandReport, CommandTemplate, CommandTrial, Emulation, Placement, Places, Profile, Size, Trial,
    Values, Workload,
};
use crate::model::{Better, EnvironmentName, Family, Latencies, MetricSpec, Scale};

/// The workload.
#[derive(Debug)]
pub struct Fio;

const TOOL: &str = "fio";

/// A case as a row of the suite's table.
struct Shape {
    name: &'static str,
    /// fio's `rw`.
    mode: &'static str,
    kind: Kind,
    depth: u32,
    jobs: u32,
    smoke: bool,
}

/// Which metrics a case has.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    SequentialRead,
    SequentialWrite,
    RandomRead,
    RandomWrite,
    Mixed,
}

/// The study's requests: sequential ones of 1 MiB (its figure 4), random ones of 4 KiB (figures 5 and 6), a mix.
const SHAPES: [Shape; 11] = [
    shape("randread-qd16", "randread", Kind::RandomRead, 16, 1, true),
    shape("randread-qd16-x8", "randread", Kind::RandomRead, 16, 8, false),
    shape("randwrite-qd16", "randwrite", Kind::RandomWrite, 16, 1, true),
    shape("randwrite-qd16-x8", "randwrite", Kind::RandomWrite, 16, 8, false),
    shape("mixed-qd32-x8", "randrw", Kind::Mixed, 32, 8, false),
    shape("seqread-qd1", "read", Kind::SequentialRead, 1, 1, false),
    shape("seqread-qd2", "read", Kind::SequentialRead, 2, 1, false),
    shape("seqread-qd16", "read", Kind::SequentialRead, 16, 1, false),
    shape("seqwrite-qd1", "write", Kind::SequentialWrite, 1, 1, false),
    shape("seqwrite-qd2", "write", Kind::SequentialWrite, 2, 1, false),
    shape("seqwrite-qd16", "write", Kind::SequentialWrite, 16, 1, true),
];

const fn shape(
    name: &'static str,
    mode: &'static str,
    kind: Kind,
    depth: u32,
    jobs: u32,
    smoke: bool,
) -> Shape {
    Shape { name, mode, kind, depth, jobs, smoke }
}

impl Workload for Fio {
    fn name(&self) -> &'static str {
        TOOL
    }

    fn packages(&self) -> &'static [&'static str] {
        &["fio"]
    }

    fn cases(&self, Size { profile, .. }: Size) -> Vec<Case> {
        let wanted = SHAPES.iter().filter(|shape| profile != Profile::Smoke || shape.smoke);
        wanted.map(|shape| case(profile, shape)).collect()
    }

    fn latencies(&self, stdout: &str) -> Latencies {
        parse::latencies(stdout).unwrap_or_default()
    }
}

fn case(profile: Profile, shape: &Shape) -> Case {
    let (size, runtime) = match profile {
        Profile::Smoke => ("256M", "200ms"),
        Profile::Standard => ("256M", "300ms"),
        Profile::Full => ("16G", "60s"),
    };
    Case {
        workload: TOOL,
        name: shape.name.to_owned(),
        metrics: metrics(shape.kind),
        environments: environments(profile, shape),
        prepare: vec![layout(size)],
        server: None,
        trial: Trial::Command(CommandTrial {
            placement: Placement::Inside,
            command: trial(shape, size, runtime),
            parse: parser(shape.kind),
        }),
        slices: 64,
        share: if shape.smoke || profile == Profile::Full { 1.0 } else { 0.5 },
        trial_s: if profile == Profile::Full { 60.3 } else { 0.6 },
        emulation: if shape.smoke || profile == Profile::Full {
            Emulation::Runs
        } else {
            Emulation::LeftOut("the cases of the smoke profile tell what an emulated disk costs")
        },
    }
}

/// The axes are where they tell most: in the cases of the smoke profile and in the mix. In the full profile, everywhere.
fn environments(profile: Profile, shape: &Shape) -> Vec<EnvironmentName> {
    let places = Places::of(profile, &["docker", "docker+layer", "kvm"]);
    if shape.smoke || shape.kind == Kind::Mixed || profile == Profile::Full {
        return places.drivers().tuned().all();
    }
    places.all()
}

fn file(size: &str) -> [String; 4] {
    [
        "--filename={data}/tollgate.fio".to_owned(),
        "--ioengine=libaio".to_owned(),
        "--direct=1".to_owned(),
        format!("--size={size}"),
    ]
}

/// Writes the file whole, so that no trial meets blocks that were never written.
fn layout(size: &str) -> CommandTemplate {
    let job = ["--name=layout", "--rw=write", "--bs=1M", "--iodepth=4", "--end_fsync=1"];
    let mut argv = vec![TOOL.to_owned()];
    argv.extend(job.map(str::to_owned));
    argv.push("--output-format=json".to_owned());
    argv.extend(file(size));
    CommandTemplate { argv, timeout_s: 600 }
}

fn trial(shape: &Shape, size: &str, runtime: &str) -> CommandTemplate {
    let mut argv = vec![TOOL.to_owned(), "--name=trial".to_owned()];
    argv.extend(["--time_based", "--allow_file_create=0"].map(str::to_owned));
    // The offsets of a round are the same in every environment; fio takes the seed with randrepeat off only.
    argv.extend(["--norandommap", "--randrepeat=0", "--randseed=1{slice}"].map(str::to_owned));
    // One clock everywhere, no check of all CPUs' counters at each start, and no walk through sysfs, which differs.
    argv.extend(["--clocksource=clock_gettime", "--disk_util=0"].map(str::to_owned));
    argv.extend(
        ["--percentile_list=50:90:95:99:99.9", "--eta=never", "--output-format=json"].map(str::to_owned),
    );
    let sequential = matches!(shape.kind, Kind::SequentialRead | Kind::SequentialWrite);
    argv.push(format!("--rw={}", shape.mode));
    argv.push(format!("--bs={}", if sequential { "1M" } else { "4k" }));
    argv.push(format!("--iodepth={}", shape.depth));
    argv.push(format!("--runtime={runtime}"));
    if shape.jobs > 1 {
        argv.extend([format!("--numjobs={}", shape.jobs), "--group_reporting".to_owned()]);
    }
    if shape.kind == Kind::Mixed {
        argv.push("--rwmixread=70".to_owned());
    }
    argv.extend(file(size));
    CommandTemplate { argv, timeout_s: 180 }
}

fn parser(kind: Kind) -> fn(&CommandReport<'_>) -> Values {
    match kind {
        Kind::SequentialRead => |r| sequential(parse::reads(&r.result.stdout)),
        Kind::SequentialWrite => |r| sequential(parse::writes(&r.result.stdout)),
        Kind::RandomRead => |r| random(parse::reads(&r.result.stdout)),
        Kind::RandomWrite => |r| random(parse::writes(&r.result.stdout)),
        Kind::Mixed => |r| random(parse::both(&r.result.stdout)),
    }
}

fn sequential(measured: Result<parse::Measured, super::ParseError>) -> Values {
    measured.map(|m| vec![m.megabytes, m.p50, m.p99])
}

fn random(measured: Result<parse::Measured, super::ParseError>) -> Values {
    measured.map(|m| vec![m.iops, m.p50, m.p99, m.cpu])
}

const CLAT_P50: &str =
    "median of the completion latency (fio(1), clat): what one request waits, which queues hide";
const CLAT_P99: &str = "99th percentile of the completion latency (fio(1), clat): KVM cost 138 % of latency in the \
                        study (RC25482, figure 6)";
const CPU_COST: &str = "CPU time of fio's own jobs per I/O (fio(1), usr_cpu and sys_cpu of their runtime): the cost \
                        that throughput hides while the disk is the bottleneck";
const IOPS: &str = "completed 4 KiB requests per second (fio(1)): the study's figure 5, where Docker cost nothing and \
                    KVM half";
const THROUGHPUT: &str =
    "bytes per second in 1 MiB requests (fio(1)): the study's figure 4, where KVM cost 3 to 17 %";
const MIXED_P50: &str = "median of the completion latency of the reads of the mix (fio(1), clat): what readers wait \
                         beside writers";
const MIXED_P99: &str = "99th percentile of the completion latency of the reads of the mix (fio(1), clat): what the \
                         slowest readers wait beside writers";

fn metrics(kind: Kind) -> Vec<MetricSpec> {
    match kind {
        // No CPU cost: fio counts whole milliseconds, and a slice with few large requests can show 0.
        Kind::SequentialRead | Kind::SequentialWrite => vec![
            metric("throughput", "MB/s", Better::Higher, THROUGHPUT),
            metric("clat-p50", "us", Better::Lower, CLAT_P50),
            metric("clat-p99", "us", Better::Lower, CLAT_P99),
        ],
        Kind::RandomRead | Kind::RandomWrite => four(CLAT_P50, CLAT_P99),
        Kind::Mixed => four(MIXED_P50, MIXED_P99),
    }
}

fn four(p50: &'static str, p99: &'static str) -> Vec<MetricSpec> {
    vec![
        metric("iops", "1/s", Better::Higher, IOPS),
        metric("clat-p50", "us", Better::Lower, p50),
        metric("clat-p99", "us", Better::Lower, p99),
        metric("cpu-cost", "CPU-us/IO", Better::Lower, CPU_COST),
    ]
}

fn metric(metric: &'static str, unit: &'static str, better: Better, about: &'static str) -> MetricSpec {
    MetricSpec {
        metric,
        unit,
        better,
        family: Family::Disk,
        resolution: 0.0,
        scale: Scale::Ratio,
        tail: metric.ends_with("p99"),
        about,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn smoke_keeps_three_cases_and_the_others_have_the_whole_table() {
        let names = |profile| Fio.cases(Size::of(profile)).into_iter().map(|c| c.name).collect::<Vec<_>>();
        assert_eq!(names(Profile::Smoke), ["randread-qd16", "randwrite-qd16", "seqwrite-qd16"]);
        assert_eq!(names(Profile::Standard).len(), 11);
    }

    #[test]
    fn a_trial_asks_for_what_its_name_says() {
        for (name, words) in [
            (
                "mixed-qd32-x8",
                ["--rw=randrw", "--rwmixread=70", "--iodepth=32", "--numjobs=8", "--group_reporting"],
            ),
            ("seqread-qd2", ["--rw=read", "--bs=1M", "--iodepth=2", "--runtime=300ms", "--direct=1"]),
        ] {
            let case = Fio
                .cases(Size::of(Profile::Standard))
                .into_iter()
                .find(|c| c.name == name)
                .expect("is there");
            let Trial::Command(trial) = &case.trial else { panic!("a command") };
            for word in words {
                assert!(trial.command.argv.iter().any(|a| a == word), "{name} lacks {word}");
            }
        }
    }
}
