use super::*;
use crate::samples::write;
use ::parquet::record::RowAccessor as _;
use proptest::prelude::*;

const CSV: &str = "\
host_class,sweep,started_at,round,workload,case,metric,unit,better,environment,value
lab,s1,2026-11-23T12:34:56.123456789Z,1,redis,get-c1,requests,1/s,higher,native,84312.25
lab,s1,2026-11-23T12:34:56.123456789Z,1,redis,get-c1,requests,1/s,higher,docker+nat,61000
lab,s1,2026-11-23T12:34:56.123456789Z,2,redis,get-c1,requests,1/s,higher,docker+nat,NaN
lab,s2,2026-11-24T00:00:00Z,7,xz,\"a, b\",cpu,µs,lower,native,-0
";

fn of_csv() -> Vec<SweepSamples> {
    parse_until(CSV, "x.csv", DateTime::<Utc>::MAX_UTC).expect("samples")
}

fn back(bytes: Vec<u8>) -> Result<Vec<SweepSamples>, ParquetSamplesError> {
    from_parquet(bytes, "x.parquet", DateTime::<Utc>::MAX_UTC)
}

/// What the file holds, as a reader that knows nothing of us sees it.
fn rows_of(bytes: Vec<u8>) -> Vec<(String, i64, Option<f64>)> {
    let reader = SerializedFileReader::new(Bytes::from(bytes)).expect("Parquet");
    let mut rows = Vec::new();
    for group in 0..reader.num_row_groups() {
        let group = reader.get_row_group(group).expect("a group");
        // The reader of whole rows does not know nanoseconds: the time is left out.
        let schema = parse_message_type(
            "message samples { required binary environment (STRING); required int32 round (INTEGER(32, false)); optional double value; }",
        )
        .expect("a schema");
        for row in group.get_row_iter(Some(schema)).expect("rows") {
            let row = row.expect("a row");
            let of = |name: &str| row.get_column_iter().position(|(n, _)| n == name).expect("a column");
            let environment = row.get_string(of("environment")).expect("text").clone();
            let round = row.get_uint(of("round")).expect("a number");
            rows.push((environment, i64::from(round), row.get_double(of("value")).ok()));
        }
    }
    rows
}

#[test]
fn the_columns_are_those_of_the_csv_and_a_failed_round_is_null() {
    let bytes = to_parquet(&of_csv()).expect("written");
    let reader = SerializedFileReader::new(Bytes::from(bytes.clone())).expect("Parquet");
    let file = reader.metadata().file_metadata();
    let names: Vec<String> = file.schema_descr().columns().iter().map(|c| c.name().to_owned()).collect();
    assert_eq!(names, COLUMNS);
    let expected = [
        ("docker+nat", 1, Some(61_000.0)),
        ("docker+nat", 2, None),
        ("native", 1, Some(84_312.25)),
        ("native", 7, Some(-0.0)),
    ];
    let mut rows = rows_of(bytes);
    rows.sort_by(|a, b| (&a.0, a.1).cmp(&(&b.0, b.1)));
    assert_eq!(rows, expected.map(|(e, r, v)| (e.to_owned(), r, v)));
}

#[test]
fn samples_come_back_exactly_and_the_same_bytes_are_written_for_them() {
    let samples = of_csv();
    let bytes = to_parquet(&samples).expect("written");
    let again = back(bytes.clone()).expect("read");
    assert_eq!(write(&again), write(&samples));
    assert_eq!(to_parquet(&again).expect("written"), bytes);
}

#[test]
fn what_cannot_be_read_is_an_error_that_names_the_file() {
    let whole = to_parquet(&of_csv()).expect("written");
    for broken in
        [Vec::new(), b"no parquet".to_vec(), whole[..whole.len() / 2].to_vec(), CSV.as_bytes().to_vec()]
    {
        let error = back(broken).expect_err("refused").to_string();
        assert!(error.starts_with("x.parquet: "), "{error}");
    }
    let mut future = of_csv();
    future[0].started_at = DateTime::<Utc>::MAX_UTC;
    let error = to_parquet(&future).expect_err("refused").to_string();
    assert!(error.contains("sweep s1") && error.contains("1678 to 2261"), "{error}");
    let late = from_parquet(whole, "x.parquet", DateTime::<Utc>::UNIX_EPOCH).expect_err("refused");
    assert!(late.to_string().contains("started_at"), "{late}");
}

#[test]
fn another_column_or_type_is_refused_by_name() {
    let file = |schema: &str| {
        let schema = Arc::new(parse_message_type(schema).expect("a schema"));
        let mut writer = SerializedFileWriter::new(Vec::new(), schema, Arc::new(WriterProperties::default()))
            .expect("a file");
        let mut group = writer.next_row_group().expect("a group");
        while let Some(mut column) = group.next_column().expect("a column") {
            match column.untyped() {
                ::parquet::column::writer::ColumnWriter::BoolColumnWriter(w) => {
                    w.write_batch(&[true], None, None)
                }
                ::parquet::column::writer::ColumnWriter::ByteArrayColumnWriter(w) => {
                    w.write_batch(&["lab".into()], None, None)
                }
                _ => unreachable!("only these are used"),
            }
            .expect("written");
            column.close().expect("closed");
        }
        group.close().expect("closed");
        writer.into_inner().expect("bytes")
    };
    let error = back(file("message s { required boolean value; }")).expect_err("refused").to_string();
    assert!(error.contains("column `value` is BOOLEAN, expected text"), "{error}");
    let error =
        back(file("message s { required binary hostclass (STRING); }")).expect_err("refused").to_string();
    assert!(error.contains("unknown column \"hostclass\" (did you mean `host_class`?)"), "{error}");
    let error =
        back(file("message s { required binary host_class (STRING); }")).expect_err("refused").to_string();
    assert!(error.contains("column `sweep` is missing"), "{error}");
}

fn samples() -> impl Strategy<Value = Vec<SweepSamples>> {
    let value = prop_oneof![8 => any::<f64>(), 1 => Just(f64::NAN), 1 => Just(f64::INFINITY)];
    let row = (1..4_u32, "[a-c]", "[a-c]", 0..3_usize, value);
    prop::collection::vec(row, 1..60).prop_map(|rows| {
        let mut csv = format!("{}\n", COLUMNS.join(","));
        let mut seen = std::collections::BTreeSet::new();
        for (round, case, sweep, environment, value) in rows {
            let environment = ["native", "docker", "kvm+tuned"][environment];
            if seen.insert((round, case.clone(), sweep.clone(), environment)) {
                let value = decimal(value);
                let at = "2026-11-24T00:00:00.000000001Z";
                let row =
                    format!("lab,{sweep},{at},{round},fio,{case},iops,1/s,higher,{environment},{value}\n");
                csv.push_str(&row);
            }
        }
        parse_until(&csv, "x.csv", DateTime::<Utc>::MAX_UTC).expect("samples")
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_samples_come_back_exactly(samples in samples()) {
        let again = back(to_parquet(&samples).expect("written")).expect("read");
        prop_assert_eq!(write(&again), write(&samples));
    }

    #[test]
    fn a_damaged_file_is_refused_or_read_and_never_ends_the_process(at: prop::sample::Index, bit in 0..8_u32) {
        let mut bytes = to_parquet(&of_csv()).expect("written");
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        let _ = back(bytes);
    }
}
