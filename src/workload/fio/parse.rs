//! Reads fio's JSON.

use super::TOOL;
use crate::model::Latencies;
use crate::workload::{ParseError, told_by};
use serde::Deserialize;
use std::collections::BTreeMap;

/// What the jobs of a trial did together.
#[derive(Debug)]
pub(super) struct Measured {
    /// Requests a second.
    pub iops: f64,
    /// Megabytes (10^6) a second.
    pub megabytes: f64,
    /// Median completion latency, us.
    pub p50: f64,
    /// Its 99th percentile, us.
    pub p99: f64,
    /// CPU time of the jobs per request, us.
    pub cpu: f64,
}

#[derive(Debug, Deserialize)]
struct Output {
    jobs: Vec<Job>,
}

#[derive(Debug, Deserialize)]
struct Job {
    error: i32,
    /// Of all jobs of a group together; the shares of CPU time are of this.
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
    /// Nanoseconds by percentile, which has six decimals.
    percentile: Option<BTreeMap<String, f64>>,
}

impl Clat {
    fn us(&self, percentile: f64) -> Option<f64> {
        self.percentile.as_ref()?.get(&format!("{percentile:.6}")).map(|ns| ns / 1e3)
    }
}

/// What the reads of a trial did.
pub(super) fn reads(stdout: &str) -> Result<Measured, ParseError> {
    let job = job(stdout)?;
    measured(stdout, &job, &job.read, &[&job.read])
}

/// What the writes of a trial did.
pub(super) fn writes(stdout: &str) -> Result<Measured, ParseError> {
    let job = job(stdout)?;
    measured(stdout, &job, &job.write, &[&job.write])
}

/// What reads and writes did together; the latencies are those of the reads.
pub(super) fn both(stdout: &str) -> Result<Measured, ParseError> {
    let job = job(stdout)?;
    measured(stdout, &job, &job.read, &[&job.read, &job.write])
}

/// How the completion latencies are distributed: of the reads, where there are any.
pub(super) fn latencies(stdout: &str) -> Result<Latencies, ParseError> {
    let job = job(stdout)?;
    let side = if job.read.total_ios > 0.0 { &job.read } else { &job.write };
    Ok(told_by(side.total_ios).filter_map(|p| Some((p, side.clat_ns.us(p)?))).collect())
}

fn none(stdout: &str, why: impl Into<String>) -> ParseError {
    ParseError::new(TOOL, None, stdout, why)
}

/// The only job, or the only group of jobs.
fn job(stdout: &str) -> Result<Job, ParseError> {
    // fio may print notes before the JSON.
    let start = if stdout.starts_with("{\n") { Some(0) } else { stdout.find("\n{\n").map(|at| at + 1) };
    let start = start.ok_or_else(|| none(stdout, "expected a JSON object"))?;
    let before = stdout[..start].matches('\n').count();
    let mut output: Output = serde_json::from_str(&stdout[start..]).map_err(|e| {
        let line = before + e.line();
        let text = stdout.lines().nth(line.saturating_sub(1)).unwrap_or_default();
        ParseError::new(TOOL, Some(line), text, e.to_string())
    })?;
    let jobs = output.jobs.len();
    match (output.jobs.pop(), jobs) {
        (Some(job), 1) if job.error == 0 => Ok(job),
        (Some(job), 1) => Err(none(stdout, format!("the job ended with error {}", job.error))),
        _ => Err(none(stdout, format!("expected one job, found {jobs}"))),
    }
}

fn measured(
    stdout: &str,
    job: &Job,
    latency: &Direction,
    counted: &[&Direction],
) -> Result<Measured, ParseError> {
    if counted.iter().any(|d| d.total_ios <= 0.0) {
        return Err(none(stdout, "the job completed no I/O of its kind"));
    }
    let us = |percentile: f64| {
        let missing = || none(stdout, format!("expected latency percentile {percentile:.6}"));
        latency.clat_ns.us(percentile).ok_or_else(missing)
    };
    let sum = |of: fn(&Direction) -> f64| counted.iter().map(|d| of(d)).sum::<f64>();
    Ok(Measured {
        iops: sum(|d| d.iops),
        megabytes: sum(|d| d.bw_bytes) / 1e6,
        p50: us(50.0)?,
        p99: us(99.0)?,
        cpu: (job.usr_cpu + job.sys_cpu) / 100.0 * job.runtime_ms * 1e3 / sum(|d| d.total_ios),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::captured;

    #[test]
    fn captured_output_gives_the_percentiles_that_it_has_requests_for() {
        let l = latencies(captured!("fio-3.33-randread.json")).expect("reads");
        assert!(l.is_sorted_by(|a, b| a.0 < b.0 && a.1 <= b.1) && l.iter().any(|(p, _)| *p > 98.0), "{l:?}");
        // 3 requests cannot tell the slowest hundredth.
        let few = latencies(captured!("fio-3.33-seqread-qd1.json")).expect("reads");
        assert!(few.len() < l.len() || few.is_empty(), "{few:?}");
    }

    #[test]
    fn captured_output_gives_rates_latencies_and_cost() {
        let m = reads(captured!("fio-3.33-randread.json")).expect("reads");
        assert!(m.iops > 1000.0 && m.p50 > 10.0 && m.p99 >= m.p50 && m.cpu > 0.0);
        let m = writes(captured!("fio-3.33-write.json")).expect("writes");
        assert!(m.megabytes > 10.0, "{}", m.megabytes);
        let m = reads(captured!("fio-3.33-seqread-qd1.json")).expect("reads");
        assert!((m.p50 - 995.328).abs() < 1e-9 && m.megabytes > 900.0, "{m:?}");
    }

    #[test]
    fn a_group_of_jobs_is_taken_together() {
        let m = reads(captured!("fio-3.33-randread-x8.json")).expect("reads");
        assert!((m.iops - 69_014.851_485).abs() < 1e-3, "{m:?}");
        // 6.55 % of the 1603 ms of eight jobs, for 13,941 requests.
        assert!((m.cpu - 7.53).abs() < 0.01, "{m:?}");
        let mixed = both(captured!("fio-3.33-mixed-x8.json")).expect("both");
        assert!((mixed.iops - (55_575.609_756 + 23_887.804_878)).abs() < 1e-3, "{mixed:?}");
        assert!((mixed.p50 - 3063.808).abs() < 1e-9, "the reads' latency: {mixed:?}");
    }

    #[test]
    fn a_report_of_the_other_direction_is_an_error() {
        assert!(reads(captured!("fio-3.33-write.json")).is_err());
        assert!(both(captured!("fio-3.33-randread-x8.json")).is_err());
    }

    #[test]
    fn notes_before_the_json_are_passed_over() {
        let text = format!(
            "note: {{both}} iodepth >= 1 and synchronous I/O engine\n{}",
            captured!("fio-3.33-randread.json")
        );
        assert!(reads(&text).is_ok());
    }

    #[test]
    fn an_error_of_the_job_and_cut_output_are_failures() {
        assert!(writes(captured!("fio-3.33-error.json")).is_err());
        let whole = captured!("fio-3.33-randread.json");
        let cut = reads(&whole[..whole.len() / 2]).expect_err("cut");
        assert!(cut.line.is_some(), "{cut}");
        assert!(reads("").is_err() && reads("fio: command not found").is_err());
        assert!(reads("{\n\"jobs\":[]}").expect_err("no job").to_string().contains("one job"));
    }
}
