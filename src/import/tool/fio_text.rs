//! fio's text, of version 2 (`read : io=16384MB, bw=750994KB/s, iops=733, runt=...`) and 3 (`read: IOPS=35.2k, BW=137MiB/s (144MB/s)...`).

use super::{Wrong, between, lines};
use crate::import::Reading;
use crate::import::reading::{number, reading};
use crate::model::Better;

/// What the lines below a heading belong to.
#[derive(Default)]
struct Place {
    job: Option<String>,
    direction: &'static str,
    /// Microseconds of the unit of the percentiles that follow; none outside of them.
    percentiles: Option<f64>,
}

pub(super) fn read(text: &str) -> Result<Vec<Reading>, Wrong> {
    let mut place = Place::default();
    let mut found = Vec::new();
    for (line, text) in lines(text) {
        let trimmed = text.trim();
        if let Some((job, rest)) = trimmed.split_once(": (groupid=") {
            place = Place { job: Some(job.to_owned()), ..Place::default() };
            if between(rest, "err=", ":").is_some_and(|e| e.split_whitespace().next() != Some("0")) {
                return Err(Wrong::at(line, format!("job {job:?} ended with an error")));
            }
            continue;
        }
        let Some(job) = place.job.clone() else { continue };
        let at = (line, "fio", job.as_str());
        if let Some((direction, rest)) = direction(trimmed) {
            place = Place { direction, percentiles: None, ..place };
            found.extend(rates(at, direction, rest)?);
        } else if let Some(unit) = trimmed.strip_prefix("clat percentiles (") {
            place.percentiles = Some(microseconds(unit.trim_end_matches([')', ':', ' ']), line)?);
        } else if let Some(factor) = place.percentiles {
            if !trimmed.starts_with('|') {
                place.percentiles = None;
                continue;
            }
            found.extend(percentiles(at, place.direction, trimmed, factor)?);
        }
    }
    Ok(found)
}

/// `read : io=...` or `write: IOPS=...`; not `read` of the summary by groups (`READ: bw=`).
fn direction(line: &str) -> Option<(&'static str, &str)> {
    for direction in ["read", "write"] {
        if let Some(rest) = line.strip_prefix(direction)
            && let Some(rest) = rest.trim_start().strip_prefix(':')
        {
            return Some((direction, rest));
        }
    }
    None
}

fn rates(at: (usize, &str, &str), direction: &str, rest: &str) -> Result<Vec<Reading>, Wrong> {
    let wrong = |found: &str| Wrong::number(at.0, found);
    let mut found = Vec::new();
    let iops = between(rest, "IOPS=", ",").or_else(|| between(rest, "iops=", ","));
    if let Some(iops) = iops {
        let value = number(iops.trim()).ok_or_else(|| wrong(iops))?;
        found.push(reading(at, &format!("{direction}-iops"), ("1/s", Better::Higher), value));
    }
    let bandwidth = between(rest, "BW=", " ").or_else(|| between(rest, "bw=", ","));
    if let Some(bandwidth) = bandwidth {
        let value = megabytes(bandwidth).ok_or_else(|| wrong(bandwidth))?;
        found.push(reading(at, &format!("{direction}-throughput"), ("MB/s", Better::Higher), value));
    }
    Ok(found)
}

/// `750994KB/s` (of 1024 bytes, in version 2), `137MiB/s`, `1.2GB/s`: megabytes of 10^6.
fn megabytes(text: &str) -> Option<f64> {
    let text = text.trim().trim_end_matches("/s");
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let bytes = match text[digits.len()..].to_ascii_lowercase().as_str() {
        "b" => 1.0,
        "kb" | "kib" => 1024.0,
        "mb" | "mib" => 1024.0 * 1024.0,
        "gb" | "gib" => 1024.0 * 1024.0 * 1024.0,
        _ => return None,
    };
    number(digits).map(|n| n * bytes / 1e6)
}

/// Microseconds of a unit.
fn microseconds(unit: &str, line: usize) -> Result<f64, Wrong> {
    match unit {
        "nsec" => Ok(1e-3),
        "usec" => Ok(1.0),
        "msec" => Ok(1e3),
        other => Err(Wrong::at(line, format!("found the unit {other:?}, expected nsec, usec or msec"))),
    }
}

/// `|  1.00th=[  100],  5.00th=[  120], ... 50.00th=[ 1020],`
fn percentiles(
    at: (usize, &str, &str),
    direction: &str,
    line: &str,
    factor: f64,
) -> Result<Vec<Reading>, Wrong> {
    let mut found = Vec::new();
    for (name, mark) in [("p50", "50.00th=["), ("p99", "99.00th=[")] {
        // Not that of 95.50th.
        let Some(value) = line.split([',', '|']).find_map(|f| f.trim().strip_prefix(mark)) else { continue };
        let value = value.trim_end_matches(']').trim();
        let number = number(value).ok_or_else(|| Wrong::number(at.0, value))?;
        found.push(reading(at, &format!("{direction}-{name}"), ("us", Better::Lower), number * factor));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: &str = "\
sequential-fill: (g=0): rw=write, bs=1M-1M/1M-1M, ioengine=libaio, iodepth=1
fio-2.0.8
Starting 1 process

sequential-fill: (groupid=0, jobs=1): err= 0: pid=4711: Fri Jul 18 12:00:00 2014
  write: io=16384MB, bw=750994KB/s, iops=733 , runt= 22340msec
    slat (usec): min=54 , max=1180 , avg=150.29, stdev=53.44
    clat (usec): min=616 , max=5003 , avg=1210.89, stdev=210.10
    clat percentiles (usec):
     |  1.00th=[  900],  5.00th=[  980], 10.00th=[ 1004], 20.00th=[ 1048],
     | 30.00th=[ 1096], 40.00th=[ 1144], 50.00th=[ 1192], 60.00th=[ 1224],
     | 99.00th=[ 1896], 99.50th=[ 2160], 99.90th=[ 2992], 99.95th=[ 3440],
  cpu          : usr=4.33%, sys=7.87%, ctx=16400, majf=0, minf=25

Run status group 0 (all jobs):
  WRITE: io=16384MB, aggrb=750994KB/s, minb=750994KB/s, maxb=750994KB/s, mint=22340msec, maxt=22340msec
";

    const THREE: &str = "\
randread: (groupid=0, jobs=1): err= 0: pid=12: Mon Nov 23 13:50:59 2026
  read: IOPS=35.2k, BW=137MiB/s (144MB/s)(41.2MiB/300msec)
    clat percentiles (nsec):
     | 50.00th=[440320], 99.00th=[823296], 99.50th=[999424]
";

    #[test]
    fn versions_two_and_three_say_the_same_things() {
        let of = |text: &str| -> Vec<(String, f64)> {
            read(text).expect("read").into_iter().map(|r| (r.metric, (r.value * 1e3).round() / 1e3)).collect()
        };
        let two = of(TWO);
        let wanted = [
            ("write-iops", 733.0),
            ("write-throughput", 769.018),
            ("write-p50", 1192.0),
            ("write-p99", 1896.0),
        ];
        assert_eq!(two, wanted.map(|(n, v)| (n.to_owned(), v)));
        let three = of(THREE);
        let wanted = [
            ("read-iops", 35_200.0),
            ("read-throughput", 143.655),
            ("read-p50", 440.32),
            ("read-p99", 823.296),
        ];
        assert_eq!(three, wanted.map(|(n, v)| (n.to_owned(), v)));
    }

    #[test]
    fn a_failed_job_and_a_broken_number_are_named() {
        let failed = THREE.replace("err= 0", "err= 5");
        assert!(read(&failed).is_err_and(|w| w.line == 1 && w.why.contains("randread")));
        let broken = TWO.replace("iops=733", "iops=fast");
        assert!(read(&broken).is_err_and(|w| w.line == 6 && w.why.contains("fast")));
        assert_eq!(read("Run status group 0\n  READ: bw=1MiB/s\n"), Ok(Vec::new()));
    }
}
