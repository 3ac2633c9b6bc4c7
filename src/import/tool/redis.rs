//! redis-benchmark: `--csv` of version 7 (with latencies) and before (rates only), its text, and that of `-q`.

use super::{Wrong, between, lines, positive};
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
        found.push(reading(at, "requests", RATE, positive(line, field(1))?));
        if let Some((p50, p99)) = latencies {
            found.push(reading(at, "p50", TIME, value(p50)?));
            found.push(reading(at, "p99", TIME, value(p99)?));
        }
    }
    Ok(found)
}

/// `====== GET ======`, then, among others, `81234.77 requests per second` or `throughput summary: 81234.77 requests per
/// second`; percentiles of version 6 and later stand below `latency summary (msec):`. Of `-q` one line a test, which names it.
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
        if let Some((before, after)) = text.split_once(" requests per second") {
            found.extend(rate(line, current.as_deref(), before, after)?);
            continue;
        }
        let Some(name) = &current else { continue };
        if text.starts_with("avg") && text.contains("p50") {
            header = Some(text.split_whitespace().map(str::to_owned).collect());
        } else if let Some(columns) = header.take() {
            found.extend(percentiles((line, "redis", name), &columns, text)?);
        }
    }
    Ok(found)
}

/// `throughput summary: 81234.77` and `81234.77` are the rate of the test of the heading; `GET: 98039.22`, of `-q`, names its test,
/// and from version 6 on `, p50=0.255 msec` follows.
fn rate(line: usize, heading: Option<&str>, before: &str, after: &str) -> Result<Vec<Reading>, Wrong> {
    let (name, rate) = match before.rsplit_once(':') {
        Some((name, rate)) if name.trim() != "throughput summary" => (name.trim(), rate),
        of_heading => {
            let name =
                heading.ok_or_else(|| Wrong::at(line, "found a rate, expected a heading before it"))?;
            (name, of_heading.map_or(before, |(_, rate)| rate))
        }
    };
    let at = (line, "redis", name);
    let mut found = vec![reading(at, "requests", RATE, positive(line, rate)?)];
    if let Some(p50) = between(after, "p50=", "msec") {
        let value = number(p50).ok_or_else(|| Wrong::number(line, p50))?;
        found.push(reading(at, "p50", TIME, value));
    }
    Ok(found)
}

/// The line of numbers below `avg min p50 p95 p99 max`.
fn percentiles(at: (usize, &str, &str), columns: &[String], text: &str) -> Result<Vec<Reading>, Wrong> {
    let fields: Vec<&str> = text.split_whitespace().collect();
    let mut found = Vec::new();
    for metric in ["p50", "p99"] {
        let Some(i) = columns.iter().position(|c| c == metric) else { continue };
        let field = fields.get(i).copied().unwrap_or_default();
        let value = number(field).ok_or_else(|| Wrong::number(at.0, field))?;
        found.push(reading(at, metric, TIME, value));
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

    #[test]
    fn a_rate_belongs_to_the_heading_behind_the_progress() {
        let two = of(include_str!("../../../tests/fixtures/tool_output/redis-benchmark-7.0.15-set-get.txt"));
        assert_eq!(
            two,
            [
                row("set", "requests", 31872.51),
                row("set", "p50", 0.159),
                row("set", "p99", 2.767),
                row("get", "requests", 19811.79),
                row("get", "p50", 0.167),
                row("get", "p99", 6.327)
            ]
        );
        assert!(
            read("81234.77 requests per second\n").is_err_and(|w| w.line == 1 && w.why.contains("heading"))
        );
    }

    #[test]
    fn quiet_lines_name_their_test() {
        let quiet = of(include_str!("../../../tests/fixtures/tool_output/redis-benchmark-7.0.15-quiet.txt"));
        assert_eq!(
            quiet,
            [
                row("set", "requests", 20790.02),
                row("set", "p50", 0.167),
                row("get", "requests", 17072.13),
                row("get", "p50", 0.167)
            ]
        );
        let five = "LRANGE_100 (first 100 elements): 98039.22 requests per second\n";
        assert_eq!(of(five), [row("lrange_100-first-100-elements", "requests", 98039.22)]);
    }
}
