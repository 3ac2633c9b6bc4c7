//! fio's JSON, of any version that writes it.

use super::Wrong;
use crate::import::Reading;
use crate::import::reading::reading;
use crate::model::Better;
use serde_json::Value;

pub(super) fn read(text: &str) -> Result<Vec<Reading>, Wrong> {
    // Warnings go before the object.
    let begin = text.find('{').unwrap_or(text.len());
    let before = text[..begin].lines().count().max(1);
    let Some(object) = text.get(begin..).filter(|t| !t.is_empty()) else { return Ok(Vec::new()) };
    let value: Value = serde_json::from_str(object).map_err(|e| Wrong::json(&e))?;
    let mut found = Vec::new();
    for job in value["jobs"].as_array().into_iter().flatten() {
        let name = job["jobname"].as_str().unwrap_or_default();
        if job["error"].as_i64().is_some_and(|code| code != 0) {
            return Err(Wrong::at(before, format!("job {name:?} ended with error {}", job["error"])));
        }
        for direction in ["read", "write"] {
            found.extend(of_direction((before, "fio", name), direction, &job[direction]));
        }
    }
    Ok(found)
}

fn of_direction(place: (usize, &str, &str), direction: &str, of: &Value) -> Vec<Reading> {
    if of["total_ios"].as_f64().or(of["iops"].as_f64()).is_none_or(|n| n <= 0.0) {
        return Vec::new();
    }
    let metric = |name: &str| format!("{direction}-{name}");
    let mut found = Vec::new();
    let mut add = |name: &str, unit: &str, better, value: Option<f64>| {
        found.extend(value.map(|v| reading(place, &metric(name), (unit, better), v)));
    };
    add("iops", "1/s", Better::Higher, of["iops"].as_f64());
    // KiB/s in every version, bytes since 3.
    let bandwidth = of["bw_bytes"].as_f64().or(of["bw"].as_f64().map(|kib| kib * 1024.0));
    add("throughput", "MB/s", Better::Higher, bandwidth.map(|bytes| bytes / 1e6));
    // Nanoseconds since 3, microseconds before.
    let (clat, factor) = match (&of["clat_ns"], &of["clat"]) {
        (ns, _) if ns.is_object() => (ns, 1e-3),
        (_, us) => (us, 1.0),
    };
    for (name, percentile) in [("p50", "50.000000"), ("p99", "99.000000")] {
        add(name, "us", Better::Lower, clat["percentile"][percentile].as_f64().map(|t| t * factor));
    }
    found
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
        assert!(read(failed).map_or(true, |found| found.is_empty()), "an error is no zero");
        assert!(read("{ \"jobs\": [").is_err_and(|w| w.why.contains("JSON")));
        assert_eq!(read("nothing"), Ok(Vec::new()));
    }

    #[test]
    fn fio_2_counts_in_microseconds_and_kibibytes() {
        let text = r#"{"jobs":[{"jobname":"w","error":0,"write":{"bw":1000,"iops":250.5,"clat":{"percentile":{"50.000000":120,"99.000000":800}}},"read":{"iops":0}}]}"#;
        let values: Vec<f64> = read(text).expect("read").iter().map(|r| r.value).collect();
        assert_eq!(values, [250.5, 1.024, 120.0, 800.0]);
    }
}
