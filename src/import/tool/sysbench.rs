//! sysbench's text: `transactions: 500 (1391.43 per sec.)` in every version, and its 95th percentile.

use super::{Wrong, between, lines, positive};
use crate::import::Reading;
use crate::import::reading::{number, reading};
use crate::model::Better;

pub(super) fn read(text: &str) -> Result<Vec<Reading>, Wrong> {
    let mut run = Run::default();
    let mut found = Vec::new();
    for (line, text) in lines(text) {
        let text = text.trim();
        if let Some(number) = text.strip_prefix("Number of threads:") {
            run = Run { threads: Some(number.trim().to_owned()), ..Run::default() };
        }
        let count = |rest: &str| number(rest).ok_or_else(|| Wrong::number(line, rest.trim()));
        if let Some(rest) = text.strip_prefix("read:") {
            run.reads = Some(count(rest)?);
        } else if let Some(rest) = text.strip_prefix("write:") {
            run.writes = Some(count(rest)?);
        }
        let case = run.case();
        let at = (line, "mysql", case.as_str());
        if text.starts_with("transactions:") {
            let rate = between(text, "(", "per sec").unwrap_or_default();
            let value = positive(line, rate)?;
            found.push(reading(at, "transactions", ("1/s", Better::Higher), value));
        }
        let tail = text.strip_prefix("95th percentile:").or_else(|| {
            // 0.4: `approx.  95 percentile:   12.30ms`
            text.strip_prefix("approx.").and_then(|rest| rest.trim_start().strip_prefix("95 percentile:"))
        });
        if let Some(time) = tail {
            let time = time.trim().trim_end_matches("ms");
            let value = number(time).ok_or_else(|| Wrong::number(line, time))?;
            found.push(reading(at, "p95", ("ms", Better::Lower), value));
        }
    }
    Ok(found)
}

/// What a run was, as far as it says so. No version names its script; the queries that it counts tell.
#[derive(Default)]
struct Run {
    threads: Option<String>,
    reads: Option<f64>,
    writes: Option<f64>,
}

impl Run {
    /// `oltp-read-only-t4`; `oltp` of a text that says neither.
    fn case(&self) -> String {
        let kind = match (self.reads, self.writes) {
            (Some(reads), Some(writes)) if reads > 0.0 && writes > 0.0 => "-read-write",
            (Some(reads), Some(_)) if reads > 0.0 => "-read-only",
            (Some(_), Some(writes)) if writes > 0.0 => "-write-only",
            _ => "",
        };
        let threads = self.threads.as_ref().map(|n| format!("-t{n}")).unwrap_or_default();
        format!("oltp{kind}{threads}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_one_and_nought_point_four() {
        let of = |text: &str| -> Vec<(String, String, f64)> {
            read(text).expect("read").into_iter().map(|r| (r.case, r.metric, r.value)).collect()
        };
        let one = of(include_str!("../../../tests/fixtures/tool_output/sysbench-1.0.20-read-only.txt"));
        let wanted = [("oltp-read-only-t4", "transactions", 1391.43), ("oltp-read-only-t4", "p95", 5.28)];
        assert_eq!(one, wanted.map(|(c, m, v)| (c.to_owned(), m.to_owned(), v)));
        let write = of(include_str!("../../../tests/fixtures/tool_output/sysbench-1.0.20-read-write.txt"));
        assert_eq!(write[0], ("oltp-read-write-t4".to_owned(), "transactions".to_owned(), 760.59));
        let old = "Number of threads: 16\n    transactions:                        10000  (812.33 per sec.)\n         approx.  95 percentile:               23.07ms\n";
        let wanted = [("oltp-t16", "transactions", 812.33), ("oltp-t16", "p95", 23.07)];
        assert_eq!(of(old), wanted.map(|(c, m, v)| (c.to_owned(), m.to_owned(), v)));
        let none = "transactions:      0  (0.00 per sec.)\n";
        assert!(read(none).is_err_and(|w| w.line == 1 && w.why.contains("no rate")));
        let refused = include_str!("../../../tests/fixtures/tool_output/sysbench-1.0.20-refused.txt");
        assert_eq!(read(refused), Ok(Vec::new()));
    }
}
