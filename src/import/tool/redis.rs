//! redis-benchmark: `--csv` of version 7 (with latencies) and before (rates only), and its text.

use super::{Wrong, lines};
use crate::import::Reading;
use crate::import::reading::{number, reading};
use crate::model::Better;

const RATE: (&str, Better) = ("1/s", Better::Higher);
const TIME: (&str, Better) = ("ms", Better::Lower);

pub(super) fn read(text: &str) -> Result<Vec<Reading>, Wrong> {
    if text.trim_start().starts_with('"') { csv(text) } else { prose(text) }
}

fn csv(text: &str) -> Result<Vec<Reading>, Wrong> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text.as_bytes());
    let mut latencies: Option<(usize, usize)> = None;
    let mut found = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|e| {
            let line = e.position().map_or(1, |p| usize::try_from(p.line()).unwrap_or(1));
            Wrong::at(line, format!("not CSV: {e}"))
        })?;
        let line = record.position().map_or(1, |p| usize::try_from(p.line()).unwrap_or(1));
        let field = |i: usize| record.get(i).unwrap_or_default();
        if field(0) == "test" {
            let column = |name: &str| record.iter().position(|f| f == name);
            latencies = column("p50_latency_ms").zip(column("p99_latency_ms"));
            continue;
        }
        let at = (line, "redis", field(0));
        let value = |i: usize| number(field(i)).ok_or_else(|| Wrong::number(line, field(i)));
        found.push(reading(at, "requests", RATE, value(1)?));
        if let Some((p50, p99)) = latencies {
            found.push(reading(at, "p50", TIME, value(p50)?));
            found.push(reading(at, "p99", TIME, value(p99)?));
        }
    }
    Ok(found)
}

/// `====== GET ======`, then, among others, `81234.77 requests per second` or `throughput summary: 81234.77 requests per
/// second`; percentiles of version 6 and later stand below `latency summary (msec):`.
fn prose(text: &str) -> Result<Vec<Reading>, Wrong> {
    let mut current: Option<String> = None;
    let mut header: Option<Vec<String>> = None;
    let mut found = Vec::new();
    for (line, text) in lines(text) {
        let text = text.trim();
        if let Some(name) = text.strip_prefix("======").and_then(|t| t.strip_suffix("======")) {
            current = Some(name.trim().to_owned());
            header = None;
            continue;
        }
        let Some(name) = &current else { continue };
        let at = (line, "redis", name.as_str());
        if let Some(rate) = text.strip_suffix("requests per second") {
            let rate = rate.rsplit(':').next().unwrap_or(rate).trim();
            let value = number(rate).ok_or_else(|| Wrong::number(line, rate))?;
            found.push(reading(at, "requests", RATE, value));
        } else if text.starts_with("avg") && text.contains("p50") {
            header = Some(text.split_whitespace().map(str::to_owned).collect());
        } else if let Some(columns) = header.take() {
            let fields: Vec<&str> = text.split_whitespace().collect();
            for metric in ["p50", "p99"] {
                let Some(i) = columns.iter().position(|c| c == metric) else { continue };
                let field = fields.get(i).copied().unwrap_or_default();
                let value = number(field).ok_or_else(|| Wrong::number(line, field))?;
                found.push(reading(at, metric, TIME, value));
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Vec<(String, String, f64)> {
        read(text).expect("read").into_iter().map(|r| (r.case, r.metric, r.value)).collect()
    }

    fn row(case: &str, metric: &str, value: f64) -> (String, String, f64) {
        (case.to_owned(), metric.to_owned(), value)
    }

    #[test]
    fn csv_with_and_without_latencies() {
        let seven = of(include_str!("../../../tests/fixtures/tool_output/redis-benchmark-7.0.15-get.csv"));
        assert_eq!(
            seven,
            [row("get", "requests", 15748.03), row("get", "p50", 0.055), row("get", "p99", 0.103)]
        );
        assert_eq!(of("\"PING_INLINE\",\"81234.77\"\n"), [row("ping_inline", "requests", 81234.77)]);
    }

    #[test]
    fn text_of_every_age() {
        let old = "====== SET ======\n  100000 requests completed in 1.23 seconds\n  50 parallel clients\n\n99.90% <= 1 milliseconds\n81234.77 requests per second\n\n";
        assert_eq!(of(old), [row("set", "requests", 81234.77)]);
        let new = "====== GET ======\nSummary:\n  throughput summary: 5000.25 requests per second\n  latency summary (msec):\n          avg       min       p50       p95       p99       max\n        0.271     0.080     0.263     0.391     0.567     1.039\n";
        assert_eq!(
            of(new),
            [row("get", "requests", 5000.25), row("get", "p50", 0.263), row("get", "p99", 0.567)]
        );
        let refused = include_str!("../../../tests/fixtures/tool_output/redis-benchmark-7.0.15-refused.txt");
        assert_eq!(read(refused), Ok(Vec::new()));
        assert!(read("\"GET\",\"many\"\n").is_err_and(|w| w.line == 1 && w.why.contains("many")));
    }
}
