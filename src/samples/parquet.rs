//! Samples as Apache Parquet, for pandas and `DuckDB`: the columns of the samples CSV, with types. Pure bytes to samples and
//! back; with the cargo feature `parquet` only.
//!
//! Format: <https://parquet.apache.org/docs/file-format/>. What is read may come from another writer: any order of columns, any
//! encoding, Snappy or no compression, time in milli-, micro- or nanoseconds.

use super::write::decimal;
use super::{COLUMNS, SamplesError, parse_until};
use crate::model::{MetricInfo, MetricKey, SweepSamples};
use ::parquet::basic::{Compression, LogicalType, TimeUnit};
use ::parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use ::parquet::data_type::{ByteArray, ByteArrayType, DataType, DoubleType, Int32Type, Int64Type};
use ::parquet::errors::ParquetError;
use ::parquet::file::properties::WriterProperties;
use ::parquet::file::reader::{FileReader, RowGroupReader, SerializedFileReader};
use ::parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use ::parquet::schema::parser::parse_message_type;
use ::parquet::schema::types::ColumnDescriptor;
use bytes::Bytes;
use chrono::{DateTime, SecondsFormat, Utc};
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// In the order of [`COLUMNS`]. A failed round has no value.
const SCHEMA: &str = "message samples {
    required binary host_class (STRING);
    required binary sweep (STRING);
    required int64 started_at (TIMESTAMP(NANOS, true));
    required int32 round (INTEGER(32, false));
    required binary workload (STRING);
    required binary case (STRING);
    required binary metric (STRING);
    required binary unit (STRING);
    required binary better (STRING);
    required binary environment (STRING);
    optional double value;
}";

/// Rows of a row group: what a reader holds at once.
const ROWS: usize = 1 << 17;

/// Values that are read at a time.
const BATCH: usize = 1 << 14;

/// Why samples are no Parquet, or Parquet no samples.
#[derive(Debug, thiserror::Error)]
pub enum ParquetSamplesError {
    /// A time that Parquet's nanoseconds do not reach.
    #[error("sweep {sweep} began at {started_at}; Parquet holds the years 1678 to 2261: export it as CSV")]
    Time {
        /// Which.
        sweep: String,
        /// When.
        started_at: DateTime<Utc>,
    },
    /// What the library says of writing.
    #[error("the samples cannot be written as Parquet: {0}")]
    Write(ParquetError),
    /// The file is damaged, or no Parquet, or in a part of the format that is not read here.
    #[error("{file}: not readable as Parquet: {why}; `tollgate export --format parquet` writes what is")]
    Read {
        /// The file.
        file: String,
        /// What is wrong.
        why: String,
    },
    /// A column of another type.
    #[error("{file}: column `{column}` is {found}, expected {expected}")]
    Column {
        /// The file.
        file: String,
        /// Which.
        column: String,
        /// What it is.
        found: String,
        /// What it must be.
        expected: &'static str,
    },
    /// Its rows are no samples. Row n is line n + 1, as in a CSV with a header.
    #[error(transparent)]
    Samples(#[from] SamplesError),
}

/// The samples of `sweeps` as a Parquet file: rows as [`super::write`] has them, the same bytes for the same samples. NaN, a failed
/// round, becomes null; every other value is kept as it is.
pub fn to_parquet(sweeps: &[SweepSamples]) -> Result<Vec<u8>, ParquetSamplesError> {
    let rows = rows(sweeps)?;
    let failed = ParquetSamplesError::Write;
    let schema = Arc::new(parse_message_type(SCHEMA).map_err(failed)?);
    let properties = WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .set_created_by("tollgate, samples format 1".to_owned())
        .build();
    let mut writer = SerializedFileWriter::new(Vec::new(), schema, Arc::new(properties)).map_err(failed)?;
    for chunk in rows.chunks(ROWS) {
        let mut group = writer.next_row_group().map_err(failed)?;
        write_group(&mut group, chunk).map_err(failed)?;
        group.close().map_err(failed)?;
    }
    writer.into_inner().map_err(failed)
}

/// One sample.
struct Row<'a> {
    sweep: &'a SweepSamples,
    metric: &'a MetricKey,
    info: &'a MetricInfo,
    environment: Arc<str>,
    started_at: i64,
    round: u32,
    value: f64,
}

impl Row<'_> {
    /// The text of a column that holds text.
    fn text(&self, column: &str) -> &str {
        match column {
            "host_class" => self.sweep.host_class.as_str(),
            "sweep" => self.sweep.sweep.as_str(),
            "workload" => &self.metric.workload,
            "case" => &self.metric.case,
            "metric" => &self.metric.metric,
            "unit" => &self.info.unit,
            "better" => self.info.better.as_str(),
            _ => &self.environment,
        }
    }
}

fn rows(sweeps: &[SweepSamples]) -> Result<Vec<Row<'_>>, ParquetSamplesError> {
    let mut rows = Vec::new();
    for sweep in sweeps {
        let started_at = sweep.started_at.timestamp_nanos_opt().ok_or_else(|| ParquetSamplesError::Time {
            sweep: sweep.sweep.to_string(),
            started_at: sweep.started_at,
        })?;
        for (key, rounds) in &sweep.series {
            let Some(info) = sweep.metrics.get(&key.metric) else { continue };
            let environment: Arc<str> = key.environment.to_string().into();
            rows.extend(rounds.iter().map(|(round, value)| Row {
                sweep,
                metric: &key.metric,
                info,
                environment: Arc::clone(&environment),
                started_at,
                round: *round,
                value: *value,
            }));
        }
    }
    Ok(rows)
}

fn write_group<W: Write + Send>(
    group: &mut SerializedRowGroupWriter<'_, W>,
    rows: &[Row<'_>],
) -> Result<(), ParquetError> {
    for column in COLUMNS {
        let Some(mut writer) = group.next_column()? else { break };
        match column {
            "started_at" => {
                let values: Vec<i64> = rows.iter().map(|r| r.started_at).collect();
                writer.typed::<Int64Type>().write_batch(&values, None, None)?;
            }
            "round" => {
                let values: Vec<i32> = rows.iter().map(|r| r.round.cast_signed()).collect();
                writer.typed::<Int32Type>().write_batch(&values, None, None)?;
            }
            "value" => {
                let values: Vec<f64> = rows.iter().map(|r| r.value).filter(|v| !v.is_nan()).collect();
                let levels: Vec<i16> = rows.iter().map(|r| i16::from(!r.value.is_nan())).collect();
                writer.typed::<DoubleType>().write_batch(&values, Some(&levels), None)?;
            }
            text => {
                let values: Vec<ByteArray> = rows.iter().map(|r| ByteArray::from(r.text(text))).collect();
                writer.typed::<ByteArrayType>().write_batch(&values, None, None)?;
            }
        }
        writer.close()?;
    }
    Ok(())
}

/// Reads a Parquet file of samples; `file` is only its name in messages. What a samples CSV may hold, this may, by the same rules
/// ([`super::parse`]): its columns by their names, none else; a null value is a failed round. A sweep that began after `latest`
/// is an error.
pub fn from_parquet(
    bytes: Vec<u8>,
    file: &str,
    latest: DateTime<Utc>,
) -> Result<Vec<SweepSamples>, ParquetSamplesError> {
    let unreadable = |why: String| ParquetSamplesError::Read { file: file.to_owned(), why };
    // A damaged file may make the library panic; it holds nothing that would be left half changed.
    let text = catch_unwind(AssertUnwindSafe(|| to_csv(bytes, file)))
        .map_err(|_| unreadable("it is damaged".to_owned()))?;
    let text = text.map_err(|fault| match fault {
        Fault::Library(error) => unreadable(error.to_string()),
        Fault::Column(error) => error,
    })?;
    Ok(parse_until(&text, file, latest)?)
}

enum Fault {
    Library(ParquetError),
    Column(ParquetSamplesError),
}

impl From<ParquetError> for Fault {
    fn from(error: ParquetError) -> Self {
        Self::Library(error)
    }
}

/// The rows as a samples CSV, whose parser knows all the rules.
fn to_csv(bytes: Vec<u8>, file: &str) -> Result<String, Fault> {
    let reader = SerializedFileReader::new(Bytes::from(bytes))?;
    let schema = reader.metadata().file_metadata().schema_descr_ptr();
    let mut csv = ::csv::Writer::from_writer(Vec::new());
    // Writing to memory cannot fail.
    let _ = csv.write_record(schema.columns().iter().map(|c| c.path().string()));
    for group in 0..reader.num_row_groups() {
        let group = reader.get_row_group(group)?;
        let columns = (0..schema.num_columns())
            .map(|i| texts(group.as_ref(), i, &schema.column(i), file))
            .collect::<Result<Vec<_>, _>>()?;
        let rows = columns.iter().map(Vec::len).max().unwrap_or(0);
        if columns.iter().any(|c| c.len() != rows) {
            return Err(ParquetError::General("its columns have different numbers of rows".to_owned()).into());
        }
        for row in 0..rows {
            let _ = csv.write_record(columns.iter().map(|c| c[row].as_str()));
        }
    }
    Ok(csv.into_inner().ok().and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default())
}

/// The values of a column of a row group as a samples CSV has them.
fn texts(
    group: &dyn RowGroupReader,
    index: usize,
    of: &ColumnDescriptor,
    file: &str,
) -> Result<Vec<String>, Fault> {
    let refused = |found: String, expected| {
        Fault::Column(ParquetSamplesError::Column {
            file: file.to_owned(),
            column: of.path().string(),
            found,
            expected,
        })
    };
    if of.max_rep_level() > 0 {
        return Err(refused("a list".to_owned(), "one value a row"));
    }
    match group.get_column_reader(index)? {
        ColumnReader::ByteArrayColumnReader(reader) => {
            let values = all(reader, of)?.into_iter();
            let text = |v: ByteArray| {
                v.as_utf8().map(str::to_owned).map_err(|_| refused("no UTF-8".to_owned(), "text"))
            };
            values.map(|v| v.map_or_else(|| Ok(String::new()), text)).collect()
        }
        ColumnReader::Int32ColumnReader(reader) => {
            Ok(all(reader, of)?.into_iter().map(|v| v.map(i32::cast_unsigned)).map(shown).collect())
        }
        ColumnReader::Int64ColumnReader(reader) => match of.logical_type_ref() {
            Some(LogicalType::Timestamp(time)) => {
                let at = |v| time_of(v, time.unit);
                Ok(all(reader, of)?
                    .into_iter()
                    .map(|v| v.and_then(at))
                    .map(Option::unwrap_or_default)
                    .collect())
            }
            _ => Ok(all(reader, of)?.into_iter().map(shown).collect()),
        },
        ColumnReader::DoubleColumnReader(reader) => {
            Ok(all(reader, of)?.into_iter().map(|v| decimal(v.unwrap_or(f64::NAN))).collect())
        }
        _ => Err(refused(of.physical_type().to_string(), "text, a whole number, a time or a double")),
    }
}

/// Every value of a column of a row group, none where it is null.
fn all<T: DataType>(
    mut reader: ColumnReaderImpl<T>,
    of: &ColumnDescriptor,
) -> Result<Vec<Option<T::T>>, ParquetError> {
    let full = of.max_def_level();
    let mut all = Vec::new();
    loop {
        let (mut values, mut levels) = (Vec::new(), Vec::new());
        let (records, ..) =
            reader.read_records(BATCH, (full > 0).then_some(&mut levels), None, &mut values)?;
        if records == 0 {
            return Ok(all);
        }
        let mut values = values.into_iter();
        if full > 0 {
            all.extend(levels.into_iter().map(|level| if level == full { values.next() } else { None }));
        } else {
            all.extend(values.map(Some));
        }
    }
}

fn shown<T: ToString>(value: Option<T>) -> String {
    value.map(|v| v.to_string()).unwrap_or_default()
}

/// A time since the epoch as RFC 3339; one without a zone is taken as UTC. None beyond what a calendar holds.
fn time_of(value: i64, unit: TimeUnit) -> Option<String> {
    let at = match unit {
        TimeUnit::MILLIS => DateTime::from_timestamp_millis(value)?,
        TimeUnit::MICROS => DateTime::from_timestamp_micros(value)?,
        TimeUnit::NANOS => DateTime::from_timestamp_nanos(value),
    };
    Some(at.to_rfc3339_opts(SecondsFormat::AutoSi, true))
}

#[cfg(test)]
#[path = "parquet_tests.rs"]
mod tests;
