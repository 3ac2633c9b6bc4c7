//! Samples CSV to samples.

use super::{COLUMNS, SamplesError, error::shorten, table::Table};
use crate::model::{Better, MetricKey, SweepSamples};
use chrono::{DateTime, Utc};
use csv::StringRecord;

/// Reads the text of a samples CSV. `file` is only its name in messages.
///
/// Sweeps come in order of `started_at`, then id. A value may be any number: NaN, infinite, zero and negative ones are
/// failed rounds, which is the judge's to say. Space around fields, a byte order mark and CRLF are harmless.
pub fn parse(text: &str, file: &str) -> Result<Vec<SweepSamples>, SamplesError> {
    parse_until(text, file, DateTime::<Utc>::MAX_UTC)
}

/// The same; a sweep that began after `latest` is an error: the clock of the host that wrote it is wrong, or its year is.
pub fn parse_until(text: &str, file: &str, latest: DateTime<Utc>) -> Result<Vec<SweepSamples>, SamplesError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader =
        csv::ReaderBuilder::new().flexible(true).trim(csv::Trim::Headers).from_reader(text.as_bytes());
    let header = reader.headers().map_err(|e| syntax(&e, file))?.clone();
    let columns = Columns::of(&header, file)?;
    let mut table = Table::until(latest);
    let mut record = StringRecord::new();
    while reader.read_record(&mut record).map_err(|e| syntax(&e, file))? {
        let line = record.position().map_or(0, csv::Position::line);
        if record.len() != header.len() {
            let (found, expected) = (record.len(), header.len());
            return Err(SamplesError::FieldCount { file: file.to_owned(), line, found, expected });
        }
        table.add(&Row { file, line, record: &record, columns: &columns })?;
    }
    if table.is_empty() {
        return Err(SamplesError::Empty { file: file.to_owned() });
    }
    Ok(table.into_sweeps())
}

fn syntax(error: &csv::Error, file: &str) -> SamplesError {
    let line = error.position().map_or(0, csv::Position::line);
    SamplesError::Syntax { file: file.to_owned(), line, why: error.to_string() }
}

/// Where each of [`COLUMNS`] stands in the header.
struct Columns([usize; COLUMNS.len()]);

impl Columns {
    fn of(header: &StringRecord, file: &str) -> Result<Self, SamplesError> {
        if header.iter().all(str::is_empty) {
            return Err(SamplesError::Empty { file: file.to_owned() });
        }
        let mut at = [None; COLUMNS.len()];
        for (i, name) in header.iter().enumerate() {
            let Some(known) = COLUMNS.iter().position(|c| *c == name) else {
                let nearest = nearest(name).map(str::to_owned);
                return Err(SamplesError::UnknownColumn {
                    file: file.to_owned(),
                    column: shorten(name),
                    nearest,
                });
            };
            if at[known].replace(i).is_some() {
                return Err(SamplesError::DuplicateColumn { file: file.to_owned(), column: name.to_owned() });
            }
        }
        let mut columns = [0; COLUMNS.len()];
        for ((place, found), name) in columns.iter_mut().zip(at).zip(COLUMNS) {
            *place = found.ok_or_else(|| SamplesError::MissingColumn {
                file: file.to_owned(),
                column: name.to_owned(),
            })?;
        }
        Ok(Self(columns))
    }
}

/// The column most like `name`, when one is.
fn nearest(name: &str) -> Option<&'static str> {
    const LIKE: f64 = 0.75;
    let name = name.to_lowercase();
    COLUMNS
        .into_iter()
        .map(|c| (strsim::jaro_winkler(c, &name), c))
        .filter(|(like, _)| *like >= LIKE)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, c)| c)
}

/// One row, and what is needed to complain of it.
pub(super) struct Row<'a> {
    pub file: &'a str,
    pub line: u64,
    record: &'a StringRecord,
    columns: &'a Columns,
}

impl Row<'_> {
    /// The text of a column without space around it (the reader of CSV would copy every record to trim it); empty when
    /// there is none of that name.
    pub fn text(&self, column: &'static str) -> &str {
        let known = COLUMNS.iter().position(|c| *c == column);
        known.and_then(|i| self.record.get(self.columns.0[i])).unwrap_or_default().trim()
    }

    /// The error of a field that does not say what its column means.
    pub fn bad(&self, column: &'static str, expected: impl Into<String>) -> SamplesError {
        SamplesError::BadField {
            file: self.file.to_owned(),
            line: self.line,
            column,
            found: shorten(self.text(column)),
            expected: expected.into(),
        }
    }

    /// A name of a workload, case or metric.
    fn name(&self, column: &'static str) -> Result<String, SamplesError> {
        let text = self.text(column);
        if text.is_empty() || text.chars().any(char::is_control) {
            return Err(self.bad(column, "a name of one line that is not empty"));
        }
        Ok(text.to_owned())
    }

    pub fn unit(&self) -> Result<String, SamplesError> {
        let text = self.text("unit");
        if text.chars().any(char::is_control) {
            return Err(self.bad("unit", "a unit on one line, such as MB/s"));
        }
        Ok(text.to_owned())
    }

    pub fn parsed<T: std::str::FromStr<Err: std::fmt::Display>>(
        &self,
        column: &'static str,
    ) -> Result<T, SamplesError> {
        self.text(column).parse().map_err(|e: T::Err| self.bad(column, format!("a usable name ({e})")))
    }

    pub fn started_at(&self) -> Result<DateTime<Utc>, SamplesError> {
        DateTime::parse_from_rfc3339(self.text("started_at"))
            .map(|at| at.with_timezone(&Utc))
            .map_err(|_| self.bad("started_at", "a time as in RFC 3339, such as 2026-11-23T12:34:56Z"))
    }

    pub fn round(&self) -> Result<u32, SamplesError> {
        match self.text("round").parse() {
            Ok(round) if round > 0 => Ok(round),
            _ => Err(self.bad("round", "a whole number from 1")),
        }
    }

    pub fn better(&self) -> Result<Better, SamplesError> {
        match self.text("better") {
            "higher" => Ok(Better::Higher),
            "lower" => Ok(Better::Lower),
            _ => Err(self.bad("better", "`higher` or `lower`")),
        }
    }

    pub fn value(&self) -> Result<f64, SamplesError> {
        self.text("value")
            .parse()
            .map_err(|_| self.bad("value", "a decimal number such as 12.5 (NaN where the round failed)"))
    }

    pub fn metric(&self) -> Result<MetricKey, SamplesError> {
        Ok(MetricKey::new(self.name("workload")?, self.name("case")?, self.name("metric")?))
    }

    /// Refuses a second text for what can have only one.
    pub fn same<T: PartialEq>(
        &self,
        (now, before, first): (&T, &T, u64),
        column: &'static str,
        text: impl Fn(&T) -> String,
        subject: impl Fn() -> String,
    ) -> Result<(), SamplesError> {
        if now == before {
            return Ok(());
        }
        Err(SamplesError::Contradiction {
            file: self.file.to_owned(),
            line: self.line,
            first,
            subject: format!("{column} of {}", subject()),
            found: text(now),
            before: text(before),
        })
    }
}

#[cfg(test)]
#[path = "parse_tests.rs"]
mod tests;
