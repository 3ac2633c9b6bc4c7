//! redis-benchmark: `--csv` of version 7 (with latencies) and before (rates only), its text, and that of `-q`.

use super::{Wrong, between, lines, positive};
use crate::import::Reading;
use crate::import::reading::{name, number, reading};
use crate::model::Better;

const RATE: (&str, Better) = ("1/s", Better::Higher);
const TIME: (&str, Better) = ("ms", Better::Lower);

pub(super) fn read(text: &str) -> Result<Vec<Reading>, Wrong> {
    if text.trim_start().starts_with('"') { csv(text) } else { prose(text) }
}

fn csv(text: &str) -> Result<Vec<Reading>, Wrong> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text.as_bytes());
    let mut latencies: Option<(usize, usize)> = None;
    let mut columns = None;
    let mut found = Vec::new();
    // The reader takes the end of the text for the end of a field.
    if text.matches('"').count() % 2 == 1 {
        return Err(Wrong::at(
            lines(text).count(),
            "the output breaks off within a field: a quotation mark is open",
        ));
    }
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
            columns = Some(record.len());
            continue;
        }
        if let Some(n) = columns.filter(|n| *n != record.len()) {
            return Err(Wrong::at(
                line,
                format!("found {} fields, expected the {n} of the heading", record.len()),
            ));
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
    let mut state = Prose::default();
    let mut found = Vec::new();
    for ((line, shown), raw) in lines(text).zip(text.lines()) {
        let text = shown.trim();
        if let Some(name) = text.strip_prefix("======").and_then(|t| t.strip_suffix("======")) {
            let name = name.trim().to_owned();
            state.end(Some(&name))?;
            state = Prose { without_rate: Some((line, name.clone())), test: Some(name), ..Prose::default() };
            continue;
        }
        if let Some((before, after)) = text.split_once(" requests per second") {
            let rate = rate(line, state.test.as_deref(), before, after)?;
            state.ran(rate.first().map(|r| r.case.as_str()))?;
            found.extend(rate);
            let without_times = before.starts_with("throughput summary:").then_some(line);
            state = Prose { without_times, test: state.test, ..Prose::default() };
            continue;
        }
        if let Some(test) = progress(raw) {
            state.ran(Some(test))?;
            state.running = Some((line, test.to_owned()));
        }
        let Some(name) = &state.test else { continue };
        if text.starts_with("avg") && text.contains("p50") {
            state.columns = Some(text.split_whitespace().map(str::to_owned).collect());
        } else if let Some(columns) = state.columns.take() {
            found.extend(percentiles((line, "redis", name), &columns, text)?);
            state.without_times = None;
        }
    }
    state.end(None)?;
    Ok(found)
}

/// What was said of a test, and what must still follow.
#[derive(Default)]
struct Prose {
    /// The test of the last heading.
    test: Option<String>,
    /// Line and test of a heading below which no rate stood so far.
    without_rate: Option<(usize, String)>,
    /// Line and test of progress after which neither heading nor rate came so far.
    running: Option<(usize, String)>,
    /// Line of a `throughput summary:`, of which the latencies are to come.
    without_times: Option<usize>,
    /// Columns of the percentiles that come next.
    columns: Option<Vec<String>>,
}

impl Prose {
    /// Refuses a test that ended while it ran, where `next` is what comes instead; its own heading or rate may stand on a line
    /// below its progress, where the carriage returns got lost.
    fn ran(&self, next: Option<&str>) -> Result<(), Wrong> {
        let ended = self.running.as_ref().filter(|(_, test)| next.map(name) != Some(name(test)));
        ended.map_or(Ok(()), breaks_off)
    }

    /// Refuses a test that ends before its result.
    fn end(&self, next: Option<&str>) -> Result<(), Wrong> {
        self.without_rate.as_ref().map_or(Ok(()), breaks_off)?;
        self.ran(next)?;
        let why = "the output breaks off after it: no numbers below `latency summary (msec):`";
        self.without_times.map_or(Ok(()), |line| Err(Wrong::at(line, why)))
    }
}

fn breaks_off((line, test): &(usize, String)) -> Result<(), Wrong> {
    let why = format!("test {test:?} breaks off: no line `... requests per second` after this one");
    Err(Wrong::at(*line, why))
}

/// The test whose progress a line ends with: `SET: rps=34462.2 (overall: ...)`, before version 6 `SET: 34462.20`. What is shown of
/// the line says less: progress ends in a carriage return.
fn progress(raw: &str) -> Option<&str> {
    let last = raw.rsplit('\r').map(str::trim).find(|part| !part.is_empty())?;
    let (test, rest) = last.split_once(": rps=").or_else(|| last.rsplit_once(": "))?;
    let is_rate = rest.contains("(overall:") || (rest.contains('.') && number(rest).is_some());
    is_rate.then_some(test)
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
        let two = of(include_str!("../../../tests/fixtures/tool_output/redis-benchmark-old-five-tests.txt"));
        let wanted = [
            ("set", 114_293.71),
            ("get", 81_234.77),
            ("incr", 68_458.59),
            ("lpush", 88_109.25),
            ("lpop", 71_994.96),
        ];
        assert_eq!(two, wanted.map(|(test, rate)| row(test, "requests", rate)));
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

    /// The end of a text at each of its lines, and the number of that line.
    fn cuts(text: &str) -> impl Iterator<Item = (usize, String)> {
        (1..text.lines().count()).map(|n| (n, text.lines().take(n).flat_map(|l| [l, "\n"]).collect()))
    }

    #[test]
    fn a_test_without_its_result_is_refused_wherever_the_text_breaks_off() {
        let text = include_str!("../../../tests/fixtures/tool_output/redis-benchmark-7.0.15-set-get.txt");
        let line_of = |mark: &str| text.lines().position(|l| l.contains(mark)).expect(mark) + 1;
        let set = [line_of("====== SET ======"), line_of("throughput summary: 31872.51")];
        let get = [line_of("====== GET ======"), line_of("throughput summary: 19811.79")];
        let mut named: Vec<Option<usize>> = Vec::new();
        for (n, cut) in cuts(text) {
            match read(&cut) {
                Ok(found) => {
                    // Behind the numbers of the latencies.
                    assert_eq!(found.len(), if n < get[0] { 3 } else { 6 }, "{n}");
                    named.push(None);
                }
                Err(wrong) => {
                    assert!(wrong.why.contains("breaks off"), "{n}: {wrong:?}");
                    named.push(Some(wrong.line));
                }
            }
        }
        for (n, named) in (1..).zip(named) {
            let whole = |[_, rate]: [usize; 2]| n >= rate + 3;
            let of = |[heading, rate]: [usize; 2]| if n < rate { heading } else { rate };
            let last = if n < get[0] { set } else { get };
            assert_eq!(named, (!whole(last)).then(|| of(last)), "{n}");
        }
        // Before version 6 nothing follows a rate, so that the first of two tests may end at the next one's heading.
        let two = include_str!("../../../tests/fixtures/tool_output/redis-benchmark-old-five-tests.txt");
        let lost = two.replace("81234.77 requests per second\n", "");
        let line = two.lines().position(|l| l.contains("GET")).expect("there") + 1;
        let wrong = read(&lost).expect_err("GET has no rate");
        assert!(wrong.line == line && wrong.why.contains("test \"GET\" breaks off"), "{wrong:?}");
        // Carriage returns that became line feeds in a copy.
        let copied = "GET: 1137382.75\nGET: 1264822.12\n====== GET ======\n81234.77 requests per second\n";
        assert_eq!(of(copied), [row("get", "requests", 81234.77)]);
        let lost = "SET: 1137382.75\nSET: 1264822.12\nGET: 81.5\nGET: 81234.77 requests per second\n";
        assert!(read(lost).is_err_and(|w| w.line == 2 && w.why.contains("test \"SET\" breaks off")));
        let wrong = read("81.0 requests per second\n====== GET ======\n").expect_err("no heading");
        assert_eq!(wrong.line, 1);
    }

    #[test]
    fn quiet_output_and_csv_that_break_off_are_refused() {
        let quiet = include_str!("../../../tests/fixtures/tool_output/redis-benchmark-7.0.15-quiet.txt");
        for end in ["GET: rps=7615.1 ", "GET: 17072.13 requests"] {
            let (before, _) = quiet.split_once(end).expect("there");
            let five = quiet.split_once('\n').expect("two lines").0.to_owned() + "\nGET: 1234.50\r";
            let running = format!("{before}GET: rps=1.0 (overall: 1.0) avg_msec=2.0 (overall: 2.0)");
            for cut in [before.to_owned(), running, format!("{before}\n"), five] {
                let wrong = read(&cut).expect_err("GET has no rate");
                assert!(wrong.line == 2 && wrong.why.contains("test \"GET\" breaks off"), "{wrong:?}");
            }
        }
        let csv = include_str!("../../../tests/fixtures/tool_output/redis-benchmark-7.0.15-get.csv");
        let (cut, _) = csv.trim_end().rsplit_once(',').expect("fields");
        for cut in [cut, &cut[..cut.len() - 1], "\"SET\",\"81234"] {
            assert!(read(cut).is_err_and(|w| w.line == cut.lines().count()), "{cut:?}");
        }
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
        let two = of(include_str!("../../../tests/fixtures/tool_output/redis-benchmark-2.4.2-quiet.txt"));
        assert_eq!(two.len(), 15);
        assert_eq!(two[0], row("ping-inline", "requests", 200_803.22));
        assert_eq!(two[10], row("lpush-again-in-order-to-bench-lrange", "requests", 200_000.0));
    }
}
