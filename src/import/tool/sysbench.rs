//! sysbench's text: `transactions: 500 (1391.43 per sec.)` in every version, and the percentile that it was asked for, the 95th
//! unless somebody said another.

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
            run.end()?;
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
            run.end()?;
            let rate = between(text, "(", "per sec").unwrap_or_default();
            let value = positive(line, rate)?;
            found.push(reading(at, "transactions", ("1/s", Better::Higher), value));
            run.without_percentile = Some(line);
        }
        if let Some((percentile, time)) = percentile(text) {
            let time = time.trim().trim_end_matches("ms");
            let value = number(time).ok_or_else(|| Wrong::number(line, time))?;
            found.push(reading(at, &format!("p{percentile}"), ("ms", Better::Lower), value));
        } else if !text.starts_with("percentile stats:") {
            continue;
        }
        // `percentile stats: disabled` says itself that there is none.
        run.without_percentile = None;
    }
    run.end()?;
    Ok(found)
}

/// Which percentile a line is of, and the rest of it: `95th percentile:  5.28`, or `approx.  95 percentile:   12.30ms` of 0.4.
fn percentile(text: &str) -> Option<(u8, &str)> {
    let (before, time) = text.split_once(" percentile:")?;
    let which = before.strip_prefix("approx.").or_else(|| before.strip_suffix("th"))?;
    which.trim().parse().ok().map(|which| (which, time))
}

/// What a run was, as far as it says so. No version names its script; the queries that it counts tell.
#[derive(Default)]
struct Run {
    threads: Option<String>,
    reads: Option<f64>,
    writes: Option<f64>,
    /// Line of a rate after which no percentile stood so far.
    without_percentile: Option<usize>,
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

    /// Refuses a run that ends before its percentile.
    fn end(&self) -> Result<(), Wrong> {
        let why =
            "the run breaks off after it: neither a line `95th percentile:` nor `percentile stats: disabled`";
        self.without_percentile.map_or(Ok(()), |line| Err(Wrong::at(line, why)))
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

    #[test]
    fn another_percentile_has_its_own_name_and_none_is_said_or_refused() {
        let text = include_str!("../../../tests/fixtures/tool_output/sysbench-1.0.20-read-only.txt");
        let rate = text.lines().position(|l| l.contains("transactions:")).expect("there") + 1;
        let line = "         95th percentile:                        5.28\n";
        assert!(text.contains(line));
        let with = |other: &str| read(&text.replace(line, other));
        let names = |found: Vec<Reading>| found.into_iter().map(|r| r.metric).collect::<Vec<_>>();
        let other = with("         99th percentile:                        8.43\n");
        assert_eq!(other.map(names), Ok(vec!["transactions".to_owned(), "p99".to_owned()]));
        // With --percentile=0.
        let disabled = with("         percentile stats:               disabled\n");
        assert_eq!(disabled.map(names), Ok(vec!["transactions".to_owned()]));
        let wrong = with("").expect_err("no line");
        assert!(wrong.line == rate && wrong.why.contains("95th percentile:"), "{wrong:?}");
        let last = text.lines().position(|l| l.contains("percentile")).expect("there");
        for n in rate..=last {
            let cut: String = text.lines().take(n).flat_map(|l| [l, "\n"]).collect();
            assert!(read(&cut).is_err_and(|w| w.line == rate && w.why.contains("breaks off")), "{n}");
            let next = format!("{cut}{text}");
            assert!(read(&next).is_err_and(|w| w.line == rate), "{n}");
        }
    }
}
