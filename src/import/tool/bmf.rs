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
            Wrong::at(line, format!("benchmark {benchmark:?}: expected an object of measures"))
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
    let (workload, case) = benchmark.split_once('/').unwrap_or((benchmark, "default"));
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
