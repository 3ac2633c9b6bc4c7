//! fio's text, of version 2 (`read : io=16384MB, bw=750994KB/s, iops=733, runt=...`) and 3 (`read: IOPS=35.2k, BW=137MiB/s (144MB/s)...`).

use super::{Wrong, between, lines};
use crate::import::Reading;
use crate::import::reading::{number, reading};
use crate::model::Better;

/// What the lines below a heading belong to.
#[derive(Default)]
struct Place {
    job: Option<String>,
    /// The heading's line, until a rate was found below it.
    without_rate: Option<usize>,
    direction: &'static str,
    /// Microseconds of the unit of the percentiles that follow; none outside of them.
    percentiles: Option<f64>,
}

impl Place {
    /// Refuses a job that ends without a rate.
    fn end(&self) -> Result<(), Wrong> {
        let name = self.job.as_deref().unwrap_or_default();
        let why =
            || format!("job {name:?} breaks off, or neither read nor wrote: no line `read:` or `write:`");
        self.without_rate.map_or(Ok(()), |line| Err(Wrong::at(line, why())))
    }
}

pub(super) fn read(text: &str) -> Result<Vec<Reading>, Wrong> {
    let mut place = Place::default();
    let mut found = Vec::new();
    for (line, text) in lines(text) {
        let trimmed = text.trim();
        if let Some((job, rest)) = trimmed.split_once(": (groupid=") {
            place.end()?;
            place = Place { job: Some(job.to_owned()), without_rate: Some(line), ..Place::default() };
            if between(rest, "err=", ":").is_some_and(|e| e.split_whitespace().next() != Some("0")) {
                return Err(Wrong::at(line, format!("job {job:?} ended with an error")));
            }
            continue;
        }
        if trimmed.starts_with("Run status group") {
            place.end()?;
            place = Place::default();
        }
        let Some(job) = place.job.clone() else { continue };
        let at = (line, "fio", job.as_str());
        if let Some((direction, rest)) = direction(trimmed) {
            place = Place { direction, percentiles: None, without_rate: None, ..place };
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
    place.end()?;
    match place.job {
        Some(job) => Err(Wrong::at(
            lines(text).count(),
            format!("the output breaks off after job {job:?}: fio ends with `Run status group`"),
        )),
        None => Ok(found),
    }
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
    let iops = iops.ok_or_else(|| Wrong::at(at.0, "found no `IOPS=` or `iops=`: the line breaks off"))?;
    let value = number(iops).ok_or_else(|| wrong(iops))?;
    found.push(reading(at, &format!("{direction}-iops"), ("1/s", Better::Higher), value));
    // Version 3 writes BW, and means with KB what the standard says; version 2 writes bw, and always means 1024 bytes.
    let bandwidth = match (between(rest, "BW=", " "), between(rest, "bw=", ",")) {
        (Some(new), _) => megabytes(new, 1000.0).ok_or_else(|| wrong(new)),
        (None, Some(old)) => megabytes(old, 1024.0).ok_or_else(|| wrong(old)),
        (None, None) => Err(Wrong::at(at.0, "found no `BW=` or `bw=`: the line breaks off")),
    };
    found.push(reading(at, &format!("{direction}-throughput"), ("MB/s", Better::Higher), bandwidth?));
    Ok(found)
}

/// `750994KB/s`, `137MiB/s`, `1.2GB/s` as megabytes of 10^6; `kilo` is how many bytes the K of KB is, that of KiB being 1024.
fn megabytes(text: &str, kilo: f64) -> Option<f64> {
    let text = text.trim().trim_end_matches("/s");
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let bytes = match text[digits.len()..].to_ascii_lowercase().as_str() {
        "b" => 1.0,
        "kb" => kilo,
        "mb" => kilo.powi(2),
        "gb" => kilo.powi(3),
        "kib" => 1024.0,
        "mib" => 1024.0 * 1024.0,
        "gib" => 1024.0 * 1024.0 * 1024.0,
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

    const TWO: &str = include_str!("../../../tests/fixtures/tool_output/fio-2-randrw.txt");

    const THREE: &str = include_str!("../../../tests/fixtures/tool_output/fio-3.33-randrw.txt");

    #[test]
    fn versions_two_and_three_say_the_same_things() {
        let of = |text: &str| -> Vec<(String, f64)> {
            read(text).expect("read").into_iter().map(|r| (r.metric, (r.value * 1e3).round() / 1e3)).collect()
        };
        let two = of(TWO);
        let wanted = [
            ("read-iops", 566.0),
            ("read-throughput", 2.32),
            ("read-p50", 45.0),
            ("read-p99", 1560.0),
            ("write-iops", 2260.0),
            ("write-throughput", 9.26),
            ("write-p50", 33.0),
            ("write-p99", 1544.0),
        ];
        assert_eq!(two, wanted.map(|(n, v)| (n.to_owned(), v)));
        let three = of(THREE);
        let wanted = [
            ("read-iops", 4822.0),
            ("read-throughput", 19.713),
            ("read-p50", 1172.0),
            ("read-p99", 10_814.0),
            ("write-iops", 2137.0),
            ("write-throughput", 8.756),
            ("write-p50", 1172.0),
            ("write-p99", 13_566.0),
        ];
        assert_eq!(three, wanted.map(|(n, v)| (n.to_owned(), v)));
    }

    #[test]
    fn a_failed_job_and_a_broken_number_are_named() {
        let failed = THREE.replace("err= 0", "err= 5");
        assert!(read(&failed).is_err_and(|w| w.line == 6 && w.why.contains("randrw")));
        let broken = TWO.replace("iops=566", "iops=fast");
        assert!(read(&broken).is_err_and(|w| w.line == 4 && w.why.contains("fast")));
        assert_eq!(read("Run status group 0\n  READ: bw=1MiB/s\n"), Ok(Vec::new()));
    }

    #[test]
    fn a_text_that_breaks_off_anywhere_is_no_result() {
        let job: String = THREE
            .lines()
            .skip_while(|l| !l.contains("(groupid=0"))
            .take_while(|l| !l.is_empty())
            .flat_map(|l| [l, "\n"])
            .collect();
        let two = THREE.replace("\nRun status", &format!("{}\nRun status", job.replace("randrw", "second")));
        assert_eq!(read(&two).expect("whole").iter().filter(|r| r.case == "second").count(), 8);
        let lines: Vec<&str> = two.lines().collect();
        let first = lines.iter().position(|l| l.contains("(groupid=0")).expect("a job") + 1;
        let status = lines.iter().position(|l| l.starts_with("Run status")).expect("there");
        for n in first..=status {
            let wrong = read(&lines[..n].join("\n")).expect_err("cut");
            assert!(wrong.why.contains("breaks off") && wrong.line <= n, "{n}: {wrong:?}");
        }
        let heading = lines.iter().position(|l| l.starts_with("second")).expect("there") + 1;
        let cut = [&lines[..heading], &lines[status..]].concat().join("\n");
        assert!(read(&cut).is_err_and(|w| w.line == heading && w.why.contains("second")));
        let short = THREE.replace(", BW=18.8MiB/s (19.8MB/s)(9664KiB/501msec)", "");
        assert!(read(&short).is_err_and(|w| w.line == 7 && w.why.contains("BW=")));
    }

    #[test]
    fn megabytes_are_decimal_since_version_three_and_mebibytes_never() {
        for (text, kilo, value) in [
            ("144MB/s", 1000.0, 144.0),
            ("1MiB/s", 1000.0, 1.048_576),
            ("1000KB/s", 1024.0, 1.024),
            // As fio 2.0 writes less than a few hundred KB.
            ("269100 B/s", 1024.0, 0.2691),
        ] {
            assert_eq!(megabytes(text, kilo), Some(value), "{text}");
        }
        let decimal = THREE.replace("BW=18.8MiB/s (19.8MB/s)", "BW=144MB/s (137MiB/s)");
        let bandwidth = read(&decimal).expect("read")[1].value;
        assert!((bandwidth - 144.0).abs() < 1e-9, "{bandwidth}");
    }
}
