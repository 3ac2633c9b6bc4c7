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
    for (column, found) in [("workload", workload), ("metric", metric)] {
        if found.is_empty() || found.chars().any(char::is_control) {
            return Err(bad(column, found, "a name of one line that is not empty"));
        }
    }
    let renamed = map.rename.get_key_value(environment);
    let environment = match renamed {
        Some((_, to)) => to.clone(),
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
    let better = map.better.get(metric).copied().or_else(|| direction(metric, unit));
    let better = better.ok_or_else(|| Wrong::undirected(line, metric))?;
    Ok(Reading {
        line,
        workload: name(workload),
        case: name(variant),
        metric: metric.to_owned(),
        unit: unit.to_owned(),
        better,
        value,
        environment: Some(environment),
        renamed: renamed.map(|(from, _)| from.clone()),
        round: Round::Sweep(round),
    })
}

const BYTES: &[&str] =
    &["B/s", "KB/s", "MB/s", "GB/s", "kB/s", "KiB/s", "MiB/s", "GiB/s", "bit/s", "Kb/s", "Mb/s", "Gb/s"];
const EVENTS: &[&str] = &["1/s", "ops/s", "req/s", "requests/s", "transactions/s", "tps"];
const TIMES: &[&str] = &["s", "ms", "us", "ns", "sec", "msec", "usec", "nsec"];

/// Metrics of which more is better: names (the whole, or what stands behind the last dots) and units. A part of a name says nothing
/// (`flat` is no latency, `failed_requests` no throughput), and a unit alone neither (a run time is as long as somebody asked).
const RATES: &[(&[&str], &[&str])] = &[
    (&["bw", "throughput", "bandwidth"], BYTES),
    (&["copy_best_rate", "scale_best_rate", "add_best_rate", "triad_best_rate"], BYTES),
    (&["iops"], &["IOPS", "1/s"]),
    (&["requests", "transactions", "operations", "ops"], EVENTS),
    (&["gups"], &["GUP/s"]),
    (&["gflops"], &["GFLOPS", "Gflops", "GFlops"]),
];

/// Metrics of which less is better. Those that are distributed have a statistic behind their name: `clat_mean`, `lat_p99.90`.
const COSTS: &[(&[&str], &[&str])] = &[
    (&["lat", "slat", "clat", "latency", "rtt"], TIMES),
    (&["cpu_usr_pct", "cpu_sys_pct"], &["%"]),
    (&["ctx"], &["count"]),
];

/// The direction of a known metric: `copy_best_rate` in GB/s, `seq-read-1.read.clat_p99.00` in us.
fn direction(metric: &str, unit: &str) -> Option<Better> {
    let name = without_statistic(metric);
    let known = |table: &[(&[&str], &[&str])]| {
        table.iter().any(|(names, units)| units.contains(&unit) && names.iter().any(|known| is(name, known)))
    };
    match (known(RATES), known(COSTS)) {
        (true, false) => Some(Better::Higher),
        (false, true) => Some(Better::Lower),
        _ => None,
    }
}

/// A name without the `_mean`, `_stdev`, `_max` or `_p99.90` at its end, of a time only: a rate's spread is no rate.
fn without_statistic(metric: &str) -> &str {
    let Some((name, statistic)) = metric.rsplit_once('_') else { return metric };
    let percentile = statistic.strip_prefix('p').is_some_and(|p| p.parse::<f64>().is_ok());
    let distributed = COSTS[0].0.iter().any(|known| is(name, known));
    if distributed && (percentile || matches!(statistic, "mean" | "avg" | "stdev" | "min" | "max")) {
        name
    } else {
        metric
    }
}

/// Whether a metric is `known`, of a job or not: `bw`, `seq-read-1.read.bw`.
fn is(metric: &str, known: &str) -> bool {
    metric.strip_suffix(known).is_some_and(|before| before.is_empty() || before.ends_with('.'))
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
            ("stream,kvm,a,,GB/s,1,1", "column `metric`: found \"\""),
            (",kvm,a,gups,GUP/s,1,1", "column `workload`: found \"\""),
            ("stream,kvm,a,b,GB/s,1", "not CSV"),
        ] {
            let wrong = read(&format!("{HEADER}{row}\n"), &Map::default()).expect_err(row);
            assert!(wrong.line == 2 && wrong.why.contains(word), "{wrong:?}");
        }
        assert!(read("a,b\n", &Map::default()).is_err_and(|w| w.line == 1 && w.why.contains("expected")));
    }

    #[test]
    fn directions_are_known_or_said_but_never_guessed() {
        for (metric, unit, better) in [
            ("sequential-fill.write.bw", "KB/s", Some(Better::Higher)),
            ("copy_best_rate", "GB/s", Some(Better::Higher)),
            ("gups", "GUP/s", Some(Better::Higher)),
            ("x.read.lat_stdev", "us", Some(Better::Lower)),
            ("x.read.clat_p99.90", "us", Some(Better::Lower)),
            ("x.cpu_usr_pct", "%", Some(Better::Lower)),
            ("x.ctx", "count", Some(Better::Lower)),
            // What names or units alone would say wrongly.
            ("flat_rate", "1/s", None),
            ("relative_throughput", "%", None),
            ("lat", "1/s", None),
            ("translations", "1/s", None),
            ("failed_requests", "1/s", None),
            ("cache_hits", "%", None),
            ("bw_stdev", "KB/s", None),
            ("runtime", "s", None),
            ("errors", "1/s", None),
        ] {
            assert_eq!(direction(metric, unit), better, "{metric} in {unit}");
        }
        let row = format!("{HEADER}web,native,f,flat_rate,1/s,1,9\n");
        let wrong = read(&row, &Map::default()).expect_err("unknown");
        assert!(wrong.line == 2 && wrong.why.contains("[better] \"flat_rate\""), "{wrong:?}");
        let map = Map { better: [("flat_rate".to_owned(), Better::Lower)].into(), ..Map::default() };
        assert_eq!(read(&row, &map).expect("said")[0].better, Better::Lower);
    }
}
