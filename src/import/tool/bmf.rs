//! Bencher Metric Format, <https://bencher.dev/docs/reference/bencher-metric-format/>. Version 0 is
//! `{"benchmark": {"measure": {"value": 88.0, ...}}}`; version 1 has a benchmark once for each choice of parameters:
//! `{"benchmark": [{"parameters": {"op": "read"}, "measures": {"measure": {"value": 88.0, ...}}}]}`.

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
    for (benchmark, results) in benchmarks {
        let at = At { line: line_of(text, benchmark), benchmark, parameters: None };
        match results {
            Value::Object(measures) => of_benchmark(&at, measures, map, &mut found)?,
            Value::Array(entries) => {
                for entry in entries {
                    let measures = entry["measures"]
                        .as_object()
                        .ok_or_else(|| at.wrong("an entry without `measures`"))?;
                    let at = At { parameters: parameters(&at, &entry["parameters"])?, ..at };
                    of_benchmark(&at, measures, map, &mut found)?;
                }
            }
            _ => return Err(at.wrong("expected an object of measures, or an array of them with parameters")),
        }
    }
    Ok(found)
}

/// Whose measures they are.
struct At<'a> {
    line: usize,
    benchmark: &'a str,
    /// `op-read-size_mb-16`; none without parameters.
    parameters: Option<String>,
}

impl At<'_> {
    fn wrong(&self, why: &str) -> Wrong {
        Wrong::at(self.line, format!("benchmark {:?}: {why}", self.benchmark))
    }

    /// Workload and case.
    fn names(&self) -> (String, String) {
        // A command's path, `/bin/sh -c ./build.sh`, begins with one and names no workload before it.
        let parts = self.benchmark.split_once('/').filter(|(workload, _)| !workload.trim().is_empty());
        let (workload, case) = match (parts, self.parameters.as_deref()) {
            (Some((workload, case)), None) => (workload, case.to_owned()),
            (Some((workload, case)), Some(chosen)) => (workload, format!("{case}-{chosen}")),
            (None, chosen) => (self.benchmark, chosen.unwrap_or("default").to_owned()),
        };
        (name(workload), name(&case))
    }
}

/// In the order of the file. What has other parameters is another case.
fn parameters(at: &At<'_>, value: &Value) -> Result<Option<String>, Wrong> {
    let chosen = match value {
        Value::Null => return Ok(None),
        Value::Object(chosen) => chosen,
        _ => return Err(at.wrong("`parameters` is no object")),
    };
    let words = chosen.iter().map(|(key, value)| match value {
        Value::String(text) => Ok(format!("{key}-{text}")),
        Value::Number(_) | Value::Bool(_) => Ok(format!("{key}-{value}")),
        _ => Err(at.wrong(&format!("parameter {key:?} is no text, number or bool"))),
    });
    let words = words.collect::<Result<Vec<_>, _>>()?;
    Ok((!words.is_empty()).then(|| words.join("-")))
}

fn of_benchmark(
    at: &At<'_>,
    measures: &serde_json::Map<String, Value>,
    map: &Map,
    found: &mut Vec<Reading>,
) -> Result<(), Wrong> {
    for (measure, value) in measures {
        let number = value["value"]
            .as_f64()
            .ok_or_else(|| at.wrong(&format!("measure {measure:?} has no number `value`")))?;
        found.push(of_measure(at, measure, number, map)?);
    }
    Ok(())
}

/// Bencher's own measures have units; of others the mapping file must say the direction.
fn of_measure(at: &At<'_>, measure: &str, value: f64, map: &Map) -> Result<Reading, Wrong> {
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
        .ok_or_else(|| Wrong::undirected(at.line, measure))?;
    let (workload, case) = at.names();
    Ok(Reading {
        line: at.line,
        workload,
        case,
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
    fn parameters_of_version_1_are_cases() {
        let text = include_str!("../../../tests/fixtures/tool_output/bmf-v1-documentation.json");
        let found = read(text, &Map::default()).expect("read");
        let row = |r: &Reading| format!("{}/{}/{} {}", r.workload, r.case, r.metric, r.value);
        let wanted = [
            "benchmark_name/default/latency 88",
            "benchmark_name/op-read-size_mb-16/latency 132",
            "benchmark_name/op-read-size_mb-16/throughput 5.55",
            "benchmark_name/op-read-size_mb-32/latency 261",
            "benchmark_name/op-read-size_mb-32/throughput 5.42",
        ];
        assert_eq!(found.iter().map(row).collect::<Vec<_>>(), wanted);
        let named = text.replace("benchmark_name", "redis/get");
        assert_eq!(
            row(&read(&named, &Map::default()).expect("read")[1]),
            "redis/get-op-read-size_mb-16/latency 132"
        );
        for (was, is, why) in [
            ("\"op\": \"read\"", "\"op\": [1]", "parameter \"op\" is no text"),
            ("\"measures\"", "\"results\"", "an entry without `measures`"),
            ("\"value\": 132.0", "\"value\": \"132\"", "measure \"latency\" has no number"),
        ] {
            let wrong = read(&text.replace(was, is), &Map::default()).expect_err(why);
            assert!(wrong.line == 2 && wrong.why.contains(why), "{wrong:?}");
        }
        let other = read("{\"b\": 3}", &Map::default()).expect_err("a number");
        assert!(other.why.contains("an object of measures"), "{other:?}");
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
