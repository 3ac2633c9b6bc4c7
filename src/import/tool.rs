//! The formats. A new one is one file and one line in each match.

mod bmf;
mod fio_json;
mod fio_text;
mod gups;
mod hpcc;
mod linpack;
mod nuttcp;
mod redis;
mod stream;
mod sysbench;
mod trials;

use super::reading::number;
use super::{ImportError, Map, Reading};
use clap::ValueEnum;

/// A format of results.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Tool {
    /// `workload,environment,variant,metric,unit,trial,value`: trials with their environment and number.
    Trials,
    /// fio's JSON (`--output-format=json`).
    FioJson,
    /// fio's text, of version 2 and 3.
    FioText,
    /// redis-benchmark's `--csv`, with and without latencies, and its text of any version, `-q` too.
    Redis,
    /// sysbench's text, 0.4 to 1.0.
    Sysbench,
    /// hpcc's `hpccoutf.txt`: the summary at its end.
    Hpcc,
    /// STREAM's table.
    Stream,
    /// `RandomAccess`' line of GUP/s.
    Gups,
    /// Intel Linpack's table of trials.
    Linpack,
    /// nuttcp's line, `-fparse` or not.
    Nuttcp,
    /// Bencher Metric Format.
    Bmf,
}

impl Tool {
    /// The name of the tool, for messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Trials => "a trials CSV",
            Self::FioJson | Self::FioText => "fio",
            Self::Redis => "redis-benchmark",
            Self::Sysbench => "sysbench",
            Self::Hpcc => "hpcc",
            Self::Stream => "STREAM",
            Self::Gups => "RandomAccess",
            Self::Linpack => "Intel Linpack",
            Self::Nuttcp => "nuttcp",
            Self::Bmf => "Bencher Metric Format",
        }
    }

    /// What is looked for in its output.
    fn expected(self) -> &'static str {
        match self {
            Self::Trials => "a header `workload,environment,variant,metric,unit,trial,value` and rows",
            Self::FioJson => "an object with `jobs`",
            Self::FioText => {
                "lines such as `job: (groupid=0, jobs=1): err= 0` and `read: IOPS=...` or `read : io=..., iops=...`"
            }
            Self::Redis => {
                "`\"GET\",\"15748.03\"`, a heading `====== GET ======` and `... requests per second`, or `GET: ... requests per second`"
            }
            Self::Sysbench => "`transactions: N (N per sec.)`",
            Self::Hpcc => "lines such as `HPL_Tflops=...` after `Begin of Summary section.`",
            Self::Stream => "lines such as `Copy: 41286.9 ...`",
            Self::Gups => "a line with `[GUP/s]`, or `GUPs`",
            Self::Linpack => "lines of `Size LDA Align. Time(s) GFlops ...`",
            Self::Nuttcp => "`rate_Mbps=...` or `... sec = ... Mbps`",
            Self::Bmf => "an object of benchmarks, each an object of measures with a `value`",
        }
    }

    /// Reads the text of a file. An empty list is an error: too little must not be read as nothing wrong.
    pub(super) fn read(self, file: &str, text: &str, map: &Map) -> Result<Vec<Reading>, ImportError> {
        let found = match self {
            Self::Trials => trials::read(text, map),
            Self::FioJson => fio_json::read(text),
            Self::FioText => fio_text::read(text),
            Self::Redis => redis::read(text),
            Self::Sysbench => sysbench::read(text),
            Self::Hpcc => hpcc::read(text),
            Self::Stream => stream::read(text),
            Self::Gups => gups::read(text),
            Self::Linpack => linpack::read(text),
            Self::Nuttcp => nuttcp::read(text),
            Self::Bmf => bmf::read(text, map),
        };
        let readings =
            found.map_err(|Wrong { line, why }| ImportError::Line { file: file.to_owned(), line, why })?;
        if readings.is_empty() {
            let (tool, expected) = (self.name(), self.expected());
            return Err(ImportError::Nothing { file: file.to_owned(), tool, expected });
        }
        Ok(readings)
    }
}

/// A line that says something else than it should.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wrong {
    line: usize,
    why: String,
}

impl Wrong {
    fn at(line: usize, why: impl Into<String>) -> Self {
        Self { line, why: why.into() }
    }

    /// Of JSON.
    fn json(error: &serde_json::Error) -> Self {
        Self::at(error.line().max(1), format!("no JSON of this format: {error}"))
    }

    /// Of a field of JSON that is there and says something else than a number.
    fn field(line: usize, name: &str, found: &serde_json::Value) -> Self {
        let shown: String = found.to_string().chars().take(40).collect();
        Self::at(line, format!("{name}: found {shown}, expected a number"))
    }

    /// Of a metric whose direction neither the format nor the mapping file says: a guess could turn a verdict round.
    fn undirected(line: usize, metric: &str) -> Self {
        let remedy = format!("say it in the mapping file: [better] {metric:?} = \"lower\"");
        Self::at(line, format!("whether more or less of {metric:?} is better is not known; {remedy}"))
    }

    /// Of a number.
    fn number(line: usize, found: &str) -> Self {
        let shown: String = found.chars().take(40).collect();
        Self::at(line, format!("found {shown:?}, expected a number"))
    }
}

/// The lines of a text with their numbers, from 1, as a terminal shows them at the end: progress that ends in a carriage return is
/// written over by what follows it.
fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    (1..).zip(text.lines().map(|line| line.rsplit('\r').next().unwrap_or(line)))
}

/// A rate. None at all is a run that failed, and below zero is what tools write for a part that was not run.
fn positive(line: usize, text: &str) -> Result<f64, Wrong> {
    let value = number(text).ok_or_else(|| Wrong::number(line, text.trim()))?;
    if value > 0.0 {
        Ok(value)
    } else {
        Err(Wrong::at(line, format!("found {value}, which is no rate: expected a number above zero")))
    }
}

/// The text between two marks of a line.
fn between<'a>(line: &'a str, before: &str, after: &str) -> Option<&'a str> {
    let (_, rest) = line.split_once(before)?;
    Some(rest.split_once(after).map_or(rest, |(inside, _)| inside).trim())
}
