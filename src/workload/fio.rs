//! fio: block I/O of the data directory, the study's figures 4 to 6.
//!
//! Direct I/O through libaio, so that the page cache of one environment does not stand against the disk of another.
//! The file is written whole before the first trial. fio takes about 0.4 s around each slice for its own start
//! and end; what it reports covers the slice only.

use super::{
    Case, CommandReport, CommandTemplate, CommandTrial, Emulation, ParseError, Placement, Places, Profile,
    Trial, Values, Workload,
};
use crate::model::{Better, Family, MetricSpec, Scale};
use serde::Deserialize;

/// The workload.
#[derive(Debug)]
pub struct Fio;

const TOOL: &str = "fio";

impl Workload for Fio {
    fn name(&self) -> &'static str {
        TOOL
    }

    fn packages(&self) -> &'static [&'static str] {
        &["fio"]
    }

    fn cases(&self, profile: Profile) -> Vec<Case> {
        let (size, runtime) = match profile {
            Profile::Smoke => ("256M", "200ms"),
            Profile::Standard => ("256M", "300ms"),
            Profile::Full => ("16G", "60s"),
        };
        vec![
            case(profile, "randread-qd16", "randread", "4k", size, runtime),
            case(profile, "randwrite-qd16", "randwrite", "4k", size, runtime),
            case(profile, "seqwrite-qd16", "write", "1M", size, runtime),
        ]
    }
}

fn case(profile: Profile, name: &str, rw: &str, block: &str, size: &str, runtime: &str) -> Case {
    let file = ["--filename={data}/tollgate.fio", "--ioengine=libaio", "--direct=1"];
    let size = format!("--size={size}");
    let mut layout = vec![
        TOOL,
        "--name=layout",
        "--rw=write",
        "--bs=1M",
        "--iodepth=4",
        "--end_fsync=1",
        "--output-format=json",
    ];
    layout.extend(file);
    layout.push(&size);
    let (mode, block, runtime) =
        (format!("--rw={rw}"), format!("--bs={block}"), format!("--runtime={runtime}"));
    let mut trial = vec![TOOL, "--name=trial", "--iodepth=16", "--time_based", "--allow_file_create=0"];
    // The offsets of a round are the same in every environment; fio takes the seed with randrepeat off only.
    trial.extend(["--norandommap", "--randrepeat=0", "--randseed=1{slice}"]);
    // One clock everywhere, and no check of all CPUs' counters at each start.
    trial.extend(["--clocksource=clock_gettime", "--percentile_list=50:99"]);
    trial.extend(["--eta=never", "--output-format=json", &mode, &block, &runtime, &size]);
    trial.extend(file);
    Case {
        workload: TOOL,
        name: name.to_owned(),
        metrics: if name.starts_with("seq") { sequential() } else { random() },
        environments: Places::of(profile, &["docker", "docker+layer", "kvm"]).drivers().tuned().all(),
        prepare: vec![CommandTemplate::new(&layout, 600)],
        server: None,
        trial: Trial::Command(CommandTrial {
            placement: Placement::Inside,
            command: CommandTemplate::new(&trial, 120),
            parse: match rw {
                "randread" => parse_random_read,
                "randwrite" => parse_random_write,
                _ => parse_sequential_write,
            },
        }),
        slices: 64,
        share: 1.0,
        trial_s: if profile == Profile::Full { 62.0 } else { 0.7 },
        emulation: Emulation::Runs,
    }
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

const CLAT_P50: &str =
    "median of the completion latency (fio(1), clat): what one request waits, which queues hide";
const CLAT_P99: &str = "99th percentile of the completion latency (fio(1), clat): KVM cost 138 % of latency in the \
                        study (RC25482, figure 6)";
const CPU_COST: &str = "CPU time of fio's own process per I/O (fio(1), usr_cpu and sys_cpu of the job's runtime): the \
                        cost that throughput hides while the disk is the bottleneck";

fn random() -> Vec<MetricSpec> {
    let iops = "completed 4 KiB requests per second at queue depth 16 (fio(1)): the study's figure 5, where Docker \
                cost nothing and KVM half";
    vec![
        metric("iops", "1/s", Better::Higher, iops),
        metric("clat-p50", "us", Better::Lower, CLAT_P50),
        metric("clat-p99", "us", Better::Lower, CLAT_P99),
        metric("cpu-cost", "CPU-us/IO", Better::Lower, CPU_COST),
    ]
}

fn sequential() -> Vec<MetricSpec> {
    let throughput =
        "bytes written per second in 1 MiB requests at queue depth 16 (fio(1)): the study's figure 4";
    vec![
        metric("throughput", "MB/s", Better::Higher, throughput),
        metric("clat-p50", "us", Better::Lower, CLAT_P50),
        metric("clat-p99", "us", Better::Lower, CLAT_P99),
    ]
}

#[derive(Debug, Deserialize)]
struct Output {
    jobs: Vec<Job>,
}

#[derive(Debug, Deserialize)]
struct Job {
    error: i32,
    #[serde(rename = "job_runtime")]
    runtime_ms: f64,
    usr_cpu: f64,
    sys_cpu: f64,
    read: Direction,
    write: Direction,
}

#[derive(Debug, Deserialize)]
struct Direction {
    bw_bytes: f64,
    iops: f64,
    total_ios: f64,
    clat_ns: Clat,
}

#[derive(Debug, Deserialize)]
struct Clat {
    percentile: Option<Percentiles>,
}

#[derive(Debug, Deserialize)]
struct Percentiles {
    #[serde(rename = "50.000000")]
    p50: f64,
    #[serde(rename = "99.000000")]
    p99: f64,
}

/// What one job did: rate, latencies in us, CPU-us per I/O.
struct Measured {
    iops: f64,
    megabytes: f64,
    p50: f64,
    p99: f64,
    cpu: f64,
}

fn read(stdout: &str, direction: &str) -> Result<Measured, ParseError> {
    let none = |why: String| ParseError::new(TOOL, None, stdout, why);
    // fio may print notes before the JSON.
    let start = if stdout.starts_with("{\n") { Some(0) } else { stdout.find("\n{\n").map(|at| at + 1) };
    let start = start.ok_or_else(|| none("expected a JSON object".to_owned()))?;
    let before = stdout[..start].matches('\n').count();
    let output: Output = serde_json::from_str(&stdout[start..]).map_err(|e| {
        let line = before + e.line();
        let text = stdout.lines().nth(line.saturating_sub(1)).unwrap_or_default();
        ParseError::new(TOOL, Some(line), text, e.to_string())
    })?;
    let [job] = &output.jobs[..] else {
        return Err(none(format!("expected one job, found {}", output.jobs.len())));
    };
    if job.error != 0 {
        return Err(none(format!("the job ended with error {}", job.error)));
    }
    let did = if direction == "read" { &job.read } else { &job.write };
    let percentiles =
        did.clat_ns.percentile.as_ref().ok_or_else(|| none("expected latency percentiles".to_owned()))?;
    if did.total_ios <= 0.0 {
        return Err(none("the job completed no I/O of its kind".to_owned()));
    }
    Ok(Measured {
        iops: did.iops,
        megabytes: did.bw_bytes / 1e6,
        p50: percentiles.p50 / 1e3,
        p99: percentiles.p99 / 1e3,
        cpu: (job.usr_cpu + job.sys_cpu) / 100.0 * job.runtime_ms * 1e3 / did.total_ios,
    })
}

fn parse_random_read(report: &CommandReport<'_>) -> Values {
    let m = read(&report.result.stdout, "read")?;
    Ok(vec![m.iops, m.p50, m.p99, m.cpu])
}

fn parse_random_write(report: &CommandReport<'_>) -> Values {
    let m = read(&report.result.stdout, "write")?;
    Ok(vec![m.iops, m.p50, m.p99, m.cpu])
}

fn parse_sequential_write(report: &CommandReport<'_>) -> Values {
    let m = read(&report.result.stdout, "write")?;
    Ok(vec![m.megabytes, m.p50, m.p99])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::captured;

    #[test]
    fn captured_output_gives_rates_latencies_and_cost() {
        let m = read(captured!("fio-3.33-randread.json"), "read").expect("reads");
        assert!(m.iops > 1000.0 && m.p50 > 10.0 && m.p99 >= m.p50 && m.cpu > 0.0);
        let m = read(captured!("fio-3.33-write.json"), "write").expect("writes");
        assert!(m.megabytes > 10.0, "{}", m.megabytes);
    }

    #[test]
    fn a_report_of_the_other_direction_is_an_error() {
        assert!(read(captured!("fio-3.33-write.json"), "read").is_err());
    }

    #[test]
    fn notes_before_the_json_are_passed_over() {
        let text = format!(
            "note: {{both}} iodepth >= 1 and synchronous I/O engine\n{}",
            captured!("fio-3.33-randread.json")
        );
        assert!(read(&text, "read").is_ok());
    }

    #[test]
    fn an_error_of_the_job_and_cut_output_are_failures() {
        assert!(read(captured!("fio-3.33-error.json"), "write").is_err());
        let whole = captured!("fio-3.33-randread.json");
        let cut = read(&whole[..whole.len() / 2], "read").map(|m| m.iops).expect_err("cut");
        assert!(cut.line.is_some(), "{cut}");
        assert!(read("", "read").is_err() && read("fio: command not found", "read").is_err());
        assert!(
            read("{\n\"jobs\":[]}", "read")
                .map(|m| m.iops)
                .expect_err("no job")
                .to_string()
                .contains("one job")
        );
    }
}
