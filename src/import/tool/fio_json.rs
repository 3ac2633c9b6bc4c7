//! fio's JSON, of any version that writes it.

use super::{Wrong, lines};
use crate::import::Reading;
use crate::import::reading::reading;
use crate::model::Better;
use serde_json::Value;

pub(super) fn read(text: &str) -> Result<Vec<Reading>, Wrong> {
    // Warnings go before the object. Empty lines in their place keep the numbers of the lines.
    let before = text.lines().take_while(|line| !line.trim_start().starts_with('{')).count();
    let object: String = text.lines().skip(before).flat_map(|line| [line, "\n"]).collect();
    if object.is_empty() {
        return Ok(Vec::new());
    }
    let object = "\n".repeat(before) + &object;
    let value: Value = serde_json::from_str(&object).map_err(|e| Wrong::json(&e))?;
    let mut names = lines(&object).filter(|(_, text)| text.contains("\"jobname\"")).map(|(line, _)| line);
    let mut found = Vec::new();
    for job in value["jobs"].as_array().into_iter().flatten() {
        let line = names.next().unwrap_or(before + 1);
        let name = job["jobname"].as_str().unwrap_or_default();
        if job["error"].as_i64().is_some_and(|code| code != 0) {
            return Err(Wrong::at(line, format!("job {name:?} ended with error {}", job["error"])));
        }
        let so_far = found.len();
        for direction in ["read", "write"] {
            found.extend(of_direction((line, "fio", name), direction, &job[direction])?);
        }
        if found.len() == so_far {
            return Err(Wrong::at(line, format!("job {name:?} neither read nor wrote anything")));
        }
    }
    Ok(found)
}

/// What a job read, or what it wrote; nothing of a direction that it did not use.
fn of_direction(place: (usize, &str, &str), direction: &str, of: &Value) -> Result<Vec<Reading>, Wrong> {
    let used = match number_of(place, &of["total_ios"], "total_ios")? {
        Some(total) => Some(total),
        None => number_of(place, &of["iops"], "iops")?,
    };
    if used.is_none_or(|n| n <= 0.0) {
        return Ok(Vec::new());
    }
    let missing = |name: &str| Wrong::at(place.0, format!("job {:?}: {direction} has no {name}", place.2));
    let number = |value: &Value, name: &str| number_of(place, value, &format!("{direction}: {name}"));
    let metric = |name: &str| format!("{direction}-{name}");
    let iops = number(&of["iops"], "iops")?.ok_or_else(|| missing("iops"))?;
    // Bytes since version 3, KiB/s in every version.
    let bytes = match number(&of["bw_bytes"], "bw_bytes")? {
        Some(bytes) => bytes,
        None => number(&of["bw"], "bw")?.ok_or_else(|| missing("bw"))? * 1024.0,
    };
    let mut found = vec![
        reading(place, &metric("iops"), ("1/s", Better::Higher), iops),
        reading(place, &metric("throughput"), ("MB/s", Better::Higher), bytes / 1e6),
    ];
    // Nanoseconds since 3, microseconds before; none where the job was told not to keep them.
    let (clat, factor) = match (&of["clat_ns"], &of["clat"]) {
        (ns, _) if ns.is_object() => (ns, 1e-3),
        (_, us) => (us, 1.0),
    };
    for (name, percentile) in [("p50", "50.000000"), ("p99", "99.000000")] {
        if let Some(time) = number(&clat["percentile"][percentile], percentile)? {
            found.push(reading(place, &metric(name), ("us", Better::Lower), time * factor));
        }
    }
    Ok(found)
}

/// A number that may be absent; something else in its place is an error.
fn number_of((line, _, job): (usize, &str, &str), of: &Value, name: &str) -> Result<Option<f64>, Wrong> {
    match of {
        Value::Null => Ok(None),
        other => {
            other.as_f64().map(Some).ok_or_else(|| Wrong::field(line, &format!("job {job:?}: {name}"), other))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fio_3_printed() {
        let found =
            read(include_str!("../../../tests/fixtures/tool_output/fio-3.33-randread.json")).expect("read");
        let names: Vec<&str> = found.iter().map(|r| r.metric.as_str()).collect();
        assert_eq!(names, ["read-iops", "read-throughput", "read-p50", "read-p99"]);
        assert!(found.iter().all(|r| r.case == "randread" && r.value > 0.0), "{found:?}");
    }

    #[test]
    fn a_failed_job_and_half_a_file_are_no_results() {
        let failed = include_str!("../../../tests/fixtures/tool_output/fio-3.33-error.json");
        let wrong = read(failed).expect_err("an error is no zero");
        let line = failed.lines().position(|l| l.contains("\"jobname\"")).expect("named") + 1;
        assert_eq!((wrong.line, wrong.why.contains("neither read nor wrote")), (line, true), "{wrong:?}");
        assert!(read("{ \"jobs\": [").is_err_and(|w| w.why.contains("JSON")));
        assert_eq!(read("nothing"), Ok(Vec::new()));
    }

    #[test]
    fn fio_2_counts_in_microseconds_and_kibibytes() {
        let text = r#"{"jobs":[{"jobname":"w","error":0,"write":{"bw":1000,"iops":250.5,"clat":{"percentile":{"50.000000":120,"99.000000":800}}},"read":{"iops":0}}]}"#;
        let values: Vec<f64> = read(text).expect("read").iter().map(|r| r.value).collect();
        assert_eq!(values, [250.5, 1.024, 120.0, 800.0]);
    }

    #[test]
    fn what_is_no_number_is_no_absence() {
        let job = |read: &str| {
            format!("fio: a warning\nfio: {{2}}\n{{\"jobs\":[\n{{\"jobname\":\"w\",\"read\":{read}}}]}}")
        };
        for (read_, word) in [
            (r#"{"total_ios":9,"iops":"fast","bw":1}"#, "read: iops: found \"fast\""),
            (r#"{"iops":"fast","bw":1}"#, "iops: found \"fast\""),
            (r#"{"iops":1,"bw":[]}"#, "bw: found []"),
            (r#"{"iops":1}"#, "no bw"),
            (r#"{"total_ios":9,"bw":1}"#, "no iops"),
            (r#"{"iops":1,"bw":1,"clat":{"percentile":{"99.000000":"x"}}}"#, "99.000000: found"),
            (r#"{"iops":0}"#, "neither read nor wrote"),
        ] {
            let wrong = read(&job(read_)).expect_err(word);
            assert!(wrong.line == 4 && wrong.why.contains(word), "{wrong:?}");
        }
        assert_eq!(read(&job(r#"{"iops":1,"bw":1}"#)).expect("whole")[0].line, 4);
    }

    #[test]
    fn lines_are_counted_from_the_beginning_of_the_file() {
        let wrong = read("fio: a warning\nfio: another\n{\n\"jobs\": [,]\n}\n").expect_err("no JSON");
        assert!(wrong.line == 4 && wrong.why.contains("at line 4"), "{wrong:?}");
    }
}
