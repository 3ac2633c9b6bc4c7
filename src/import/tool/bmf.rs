//! Bencher Metric Format: `{"benchmark": {"measure": {"value": 88.0, ...}}}`,
//! <https://bencher.dev/docs/reference/bencher-metric-format/>.

use super::Wrong;
use crate::import::reading::name;
use crate::import::{Map, Reading, Round};
use crate::model::Better;
use serde_json::Value;

pub(super) fn read(text: &str, map: &Map) -> Result<Vec<Reading>, Wrong> {
    let value: Value = serde_json::from_str(text).map_err(|e| Wrong::json(&e))?;
    let Some(benchmarks) = value.as_object() else {
        return Err(Wrong::at(1, "expected an object of benchmarks"));
    };
    let mut found = Vec::new();
    for (benchmark, measures) in benchmarks {
        let line = line_of(text, benchmark);
        let measures = measures.as_object().ok_or_else(|| {
            let version =
                if measures.is_array() { "; version 1 of the format, with arrays, is not read" } else { "" };
            Wrong::at(line, format!("benchmark {benchmark:?}: expected an object of measures{version}"))
        })?;
        for (measure, value) in measures {
            let number = value["value"].as_f64().ok_or_else(|| {
                Wrong::at(line, format!("benchmark {benchmark:?}: measure {measure:?} has no number `value`"))
            })?;
            found.push(of_measure((line, benchmark), measure, number, map)?);
        }
    }
    Ok(found)
}

/// Bencher's own measures have units; of others the mapping file must say the direction.
fn of_measure(
    (line, benchmark): (usize, &str),
    measure: &str,
    value: f64,
    map: &Map,
) -> Result<Reading, Wrong> {
    let known = match measure {
        "latency" => Some(("ns", Better::Lower)),
        "throughput" => Some(("1/s", Better::Higher)),
        "build-time" => Some(("s", Better::Lower)),
        "file-size" => Some(("B", Better::Lower)),
        _ => None,
    };
    let said = map.better.get(measure).map(|better| ("1", *better));
    let (unit, better) = known
        .map(|(unit, better)| (unit, said.map_or(better, |s| s.1)))
        .or(said)
        .ok_or_else(|| Wrong::undirected(line, measure))?;
    // A command's path, `/bin/sh -c ./build.sh`, begins with one and names no workload before it.
    let parts = benchmark.split_once('/').filter(|(workload, _)| !workload.trim().is_empty());
    let (workload, case) = parts.unwrap_or((benchmark, "default"));
    Ok(Reading {
        line,
        workload: name(workload),
        case: name(case),
        metric: name(measure),
        unit: unit.to_owned(),
        better,
        value,
        environment: None,
        renamed: None,
        round: Round::File,
    })
}

/// The line on which a benchmark is named.
fn line_of(text: &str, benchmark: &str) -> usize {
    // As JSON writes it.
    let quoted = serde_json::to_string(benchmark).unwrap_or_default();
    text.find(&quoted).map_or(1, |at| text[..at].matches('\n').count() + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_documentation() {
        let text = include_str!("../../../tests/fixtures/tool_output/bmf-documentation.json");
        let found = read(text, &Map::default()).expect("read");
        let row = |r: &Reading| {
            format!("{}: {}/{}/{} {} {}", r.line, r.workload, r.case, r.metric, r.value, r.unit)
        };
        let mut rows: Vec<String> = found.iter().map(row).collect();
        rows.sort_unstable();
        let wanted = [
            "14: bin-sh-c-.-my_build_script.sh/default/build-time 87 s",
            "19: my_binary/default/file-size 42 B",
            "2: benchmark_name/default/latency 88 ns",
            "2: benchmark_name/default/throughput 5.55 1/s",
        ];
        assert_eq!(rows, wanted);
    }

    #[test]
    fn another_version_of_the_format_is_named() {
        let text = include_str!("../../../tests/fixtures/tool_output/bmf-v1-documentation.json");
        let wrong = read(text, &Map::default()).expect_err("arrays");
        assert!(wrong.line == 2 && wrong.why.contains("version 1 of the format"), "{wrong:?}");
    }

    #[test]
    fn known_measures_have_units_and_others_need_a_direction() {
        let text = "{\n \"redis/get c1\": { \"latency\": { \"value\": 88.5, \"lower_value\": 80.0 } },\n \"size\": { \"pages\": { \"value\": 3 } }\n}";
        let wrong = read(text, &Map::default()).expect_err("pages");
        assert!(wrong.line == 3 && wrong.why.contains("[better] \"pages\""), "{wrong:?}");
        let map = Map { better: [("pages".to_owned(), Better::Lower)].into(), ..Map::default() };
        let found = read(text, &map).expect("read");
        let redis = found.iter().find(|r| r.workload == "redis").expect("there");
        assert_eq!((redis.case.as_str(), redis.unit.as_str(), redis.value), ("get-c1", "ns", 88.5));
        assert!(read("[]", &map).is_err());
        assert!(read("{\"a\": {\"latency\": {}}}", &map).is_err_and(|w| w.why.contains("no number")));
    }
}
