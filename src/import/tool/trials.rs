//! Trials in a CSV: `workload,environment,variant,metric,unit,trial,value`, as the logs of RC25482 were written down.

use super::Wrong;
use crate::import::reading::name;
use crate::import::{Map, Reading, Round};
use crate::model::Better;

const COLUMNS: [&str; 7] = ["workload", "environment", "variant", "metric", "unit", "trial", "value"];

pub(super) fn read(text: &str, map: &Map) -> Result<Vec<Reading>, Wrong> {
    let mut csv = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text.as_bytes());
    let header = csv.headers().map_err(|e| Wrong::at(1, format!("not CSV: {e}")))?.clone();
    if header.is_empty() {
        return Ok(Vec::new());
    }
    if header.iter().ne(COLUMNS) {
        let found: Vec<&str> = header.iter().collect();
        return Err(Wrong::at(1, format!("found {:?}, expected {:?}", found.join(","), COLUMNS.join(","))));
    }
    csv.into_records()
        .map(|record| {
            let record = record.map_err(|e| {
                let line = e.position().map_or(0, |p| usize::try_from(p.line()).unwrap_or_default());
                Wrong::at(line, format!("not CSV: {e}"))
            })?;
            let line = record.position().map_or(0, |p| usize::try_from(p.line()).unwrap_or_default());
            row(line, &record, map)
        })
        .collect()
}

fn row(line: usize, record: &csv::StringRecord, map: &Map) -> Result<Reading, Wrong> {
    let [workload, environment, variant, metric, unit, trial, value] =
        std::array::from_fn(|i| record.get(i).unwrap_or_default());
    let bad = |column: &str, found: &str, expected: &str| {
        Wrong::at(line, format!("column `{column}`: found {found:?}, expected {expected}"))
    };
    let environment = match map.rename.get(environment) {
        Some(renamed) => renamed.clone(),
        None => environment.parse().map_err(|e| {
            bad(
                "environment",
                environment,
                &format!("an environment ({e}), or one that `[rename]` of --map names"),
            )
        })?,
    };
    let round =
        trial.parse().ok().filter(|n| *n > 0).ok_or_else(|| bad("trial", trial, "a whole number from 1"))?;
    let number = value.parse().ok().filter(|n: &f64| n.is_finite());
    let value = number.ok_or_else(|| bad("value", value, "a decimal number"))?;
    // What a metric is called goes before its unit: `cpu_usr_pct` is no throughput.
    let better = map.better.get(metric).copied().unwrap_or_else(|| better(metric, unit));
    Ok(Reading {
        line,
        workload: name(workload),
        case: name(variant),
        metric: metric.to_owned(),
        unit: unit.to_owned(),
        better,
        value,
        environment: Some(environment),
        round: Round::Sweep(round),
    })
}

/// Times, shares and counts are costs; the rest is a rate.
fn better(metric: &str, unit: &str) -> Better {
    let unit = unit.to_ascii_lowercase();
    let cost = matches!(unit.as_str(), "s" | "ms" | "us" | "ns" | "msec" | "usec" | "nsec" | "%" | "count");
    if cost || metric.contains("lat") { Better::Lower } else { Better::Higher }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "workload,environment,variant,metric,unit,trial,value\n";

    #[test]
    fn a_trial_keeps_its_number_and_a_wrong_line_is_named() {
        let text = format!(
            "{HEADER}stream,kvm,2socket-interleave,copy_best_rate,GB/s,3,41.2869\nfio,native,f,read.clat_p99.00,us,1,9\n"
        );
        let found = read(&text, &Map::default()).expect("read");
        assert_eq!(
            (found[0].round, found[0].value, found[0].better),
            (Round::Sweep(3), 41.2869, Better::Higher)
        );
        assert_eq!((found[1].line, found[1].better), (3, Better::Lower));
        for (row, word) in [
            ("stream,kvm,a,b,GB/s,0,1", "column `trial`"),
            ("stream,kvm,a,b,GB/s,1,fast", "column `value`: found \"fast\""),
            ("stream,???,a,b,GB/s,1,1", "column `environment`"),
            ("stream,kvm,a,b,GB/s,1", "not CSV"),
        ] {
            let wrong = read(&format!("{HEADER}{row}\n"), &Map::default()).expect_err(row);
            assert!(wrong.line == 2 && wrong.why.contains(word), "{wrong:?}");
        }
        assert!(read("a,b\n", &Map::default()).is_err_and(|w| w.line == 1 && w.why.contains("expected")));
    }
}
