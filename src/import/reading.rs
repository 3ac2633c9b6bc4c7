//! One value as a tool's output says it.

use crate::model::{Better, EnvironmentName};

/// One value.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// Line of the file, from 1.
    pub line: usize,
    /// Workload: `fio`.
    pub workload: String,
    /// Case: the job's or test's name.
    pub case: String,
    /// Metric: `iops`.
    pub metric: String,
    /// Unit.
    pub unit: String,
    /// Direction.
    pub better: Better,
    /// The value, in `unit`.
    pub value: f64,
    /// Where, in a format that says it.
    pub environment: Option<EnvironmentName>,
    /// What the file calls the environment, where the mapping file gives it another name.
    pub renamed: Option<String>,
    /// Which round it is of.
    pub round: Round,
}

/// How a format says which values stand beside each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Round {
    /// It does not: a file is a round.
    File,
    /// A file has several trials, and this is the nth, from 1.
    Trial(u32),
    /// The format numbers the rounds of the sweep, from 1, whatever file they are in.
    Sweep(u32),
}

/// A reading of a tool that measures one thing in one place.
pub(super) fn reading(
    (line, workload, case): (usize, &str, &str),
    metric: &str,
    (unit, better): (&str, Better),
    value: f64,
) -> Reading {
    Reading {
        line,
        workload: workload.to_owned(),
        case: name(case),
        metric: metric.to_owned(),
        unit: unit.to_owned(),
        better,
        value,
        environment: None,
        renamed: None,
        round: Round::File,
    }
}

/// A name for a case from what a person called a job: lower case, and one dash for everything that is no letter, digit, dot
/// or underscore.
pub(super) fn name(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.trim().chars().flat_map(char::to_lowercase) {
        if c.is_ascii_alphanumeric() || matches!(c, '.' | '_') {
            out.push(c);
        } else if !out.ends_with('-') {
            out.push('-');
        }
    }
    let out = out.trim_matches('-');
    if out.is_empty() { "default".to_owned() } else { out.to_owned() }
}

/// A number as tools print it: `1234.5`, `12.3k`, with the unit letter that follows resolved by a thousand. No tool groups digits, so
/// that a comma is a decimal one of another locale, or something else altogether.
pub(super) fn number(text: &str) -> Option<f64> {
    let text = text.trim();
    let (digits, factor) = match text.chars().next_back()? {
        'k' | 'K' => (&text[..text.len() - 1], 1e3),
        'm' | 'M' => (&text[..text.len() - 1], 1e6),
        'g' | 'G' => (&text[..text.len() - 1], 1e9),
        _ => (text, 1.0),
    };
    digits.trim().parse::<f64>().ok().filter(|n| n.is_finite()).map(|n| n * factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers() {
        assert_eq!(name("Sequential Fill (1M)"), "sequential-fill-1m");
        assert_eq!(
            (name(" -- ").as_str(), name("LPUSH (needed to benchmark LRANGE)").as_str()),
            ("default", "lpush-needed-to-benchmark-lrange")
        );
        assert_eq!(
            (number("35.2k"), number("1234.5"), number("733 ")),
            (Some(35_200.0), Some(1_234.5), Some(733.0))
        );
        assert_eq!((number("41286,9"), number("1,234.5")), (None, None));
        assert_eq!((number(""), number("k"), number("n/a"), number("inf")), (None, None, None, None));
    }
}
