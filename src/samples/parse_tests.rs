use super::*;
use crate::model::{Comparability, MetricInfo, SeriesKey};
use crate::samples::{guess::info_of, write};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

const HEADER: &str = "host_class,sweep,started_at,round,workload,case,metric,unit,better,environment,value";

fn csv(rows: &[&str]) -> String {
    format!("{HEADER}\n{}\n", rows.join("\n"))
}

fn error(text: &str) -> String {
    parse(text, "b.csv").expect_err("must be refused").to_string()
}

const ROW: &str = "lab,s1,2026-11-23T12:00:00Z,1,redis,get,ops,1/s,higher,native,1000";

#[test]
fn a_sweep_from_the_future_is_refused_with_its_line() {
    let noon = "2026-11-23T12:00:00Z".parse().expect("time");
    let until = |latest| parse_until(&csv(&[ROW]), "b.csv", latest);
    assert!(until(noon).is_ok());
    let late = until(noon - chrono::TimeDelta::days(1)).expect_err("from the future").to_string();
    insta::assert_snapshot!(late, @r#"b.csv: line 2: column `started_at`: found "2026-11-23T12:00:00Z", expected a time not after 2026-11-22, which no clock has seen yet"#);
}

#[test]
fn a_row_is_read() {
    let sweeps = parse(&csv(&[ROW]), "b.csv").expect("valid");
    assert_eq!(sweeps.len(), 1);
    let (key, rounds) = sweeps[0].series.first_key_value().expect("one series");
    assert_eq!((key.metric.to_string().as_str(), rounds[&1]), ("redis/get/ops", 1000.0));
    assert_eq!(sweeps[0].metrics[&key.metric].family, crate::model::Family::Database);
}

#[test]
fn columns_come_in_any_order_with_bom_spaces_and_crlf() {
    let text = "\u{feff}value, environment,better,unit,metric,case,workload,round,started_at,sweep,host_class\r\n\
                1000,native,higher,1/s,ops,get,redis,1,2026-11-23T12:00:00Z,s1,lab\r\n";
    assert_eq!(parse(text, "x"), parse(&csv(&[ROW]), "x"));
}

#[test]
fn failed_rounds_are_read_as_they_are() {
    for value in ["NaN", "inf", "-inf", "0", "-3", "1e999"] {
        let row = ROW.replace(",1000", &format!(",{value}"));
        assert!(parse(&csv(&[&row]), "x").is_ok(), "{value}");
    }
}

#[test]
fn nothing_in_the_file_is_said_so() {
    for text in ["", "\n", "  ", HEADER, "\u{feff}"] {
        assert!(error(text).contains("b.csv: no samples in it"), "{text:?}");
    }
}

#[test]
fn columns_are_checked_by_name() {
    insta::assert_snapshot!(error(&csv(&[ROW]).replacen("environment", "enviroment", 1)), @"b.csv: line 1: unknown column \"enviroment\" (did you mean `environment`?); the columns are host_class,sweep,started_at,round,workload,case,metric,unit,better,environment,value");
    insta::assert_snapshot!(error("sweep,round\ns,1\n"), @"b.csv: line 1: column `host_class` is missing; the columns are host_class,sweep,started_at,round,workload,case,metric,unit,better,environment,value");
    insta::assert_snapshot!(error(&csv(&[ROW]).replacen("case", "metric", 1)), @"b.csv: line 1: column `metric` is there twice; remove one");
}

#[test]
fn wrong_fields_name_line_column_text_and_what_is_expected() {
    let with = |from: &str, to: &str| {
        error(&csv(&[ROW, &ROW.replacen(from, to, 1).replace(",1,redis", ",2,redis")]))
    };
    insta::assert_snapshot!(with(",1000", ",12ms"), @r#"b.csv: line 3: column `value`: found "12ms", expected a decimal number such as 12.5 (NaN where the round failed)"#);
    insta::assert_snapshot!(with("higher", "up"), @r#"b.csv: line 3: column `better`: found "up", expected `higher` or `lower`"#);
    insta::assert_snapshot!(with("2026-11-23T12:00:00Z", "yesterday"), @r#"b.csv: line 3: column `started_at`: found "yesterday", expected a time as in RFC 3339, such as 2026-11-23T12:34:56Z"#);
    insta::assert_snapshot!(with(",1,redis", ",0,redis"), @r#"b.csv: line 3: column `round`: found "0", expected a whole number from 1"#);
    insta::assert_snapshot!(with("native", "podman"), @r#"b.csv: line 3: column `environment`: found "podman", expected a usable name (environment "podman" cannot be used: it must begin with native, docker or kvm)"#);
    insta::assert_snapshot!(with("lab", "../lab"), @r#"b.csv: line 3: column `host_class`: found "../lab", expected a usable name (host class "../lab" cannot be used: only letters, digits, '.', '_' and '-' are allowed)"#);
    insta::assert_snapshot!(with("redis", ""), @r#"b.csv: line 3: column `workload`: found "", expected a name of one line that is not empty"#);
    insta::assert_snapshot!(error(&csv(&["a,b"])), @"b.csv: line 2: 2 fields, expected 11 as in the header");
}

#[test]
fn rows_that_cannot_both_be_true_name_both_lines() {
    let with = |from: &str, to: &str| error(&csv(&[ROW, &ROW.replacen(from, to, 1)]));
    insta::assert_snapshot!(error(&csv(&[ROW, ROW])), @"b.csv: line 3: round 1 of redis/get/ops in native of sweep s1 is already on line 2; keep one of them");
    insta::assert_snapshot!(with("1/s", "ms"), @r#"b.csv: line 3: the unit of metric redis/get/ops is "ms", but "1/s" on line 2"#);
    insta::assert_snapshot!(with("higher", "lower"), @r#"b.csv: line 3: the better of metric redis/get/ops is "lower", but "higher" on line 2"#);
    insta::assert_snapshot!(with("lab", "prod"), @r#"b.csv: line 3: the host_class of sweep s1 is "prod", but "lab" on line 2"#);
    insta::assert_snapshot!(with("12:00:00Z", "13:00:00Z"), @r#"b.csv: line 3: the started_at of sweep s1 is "2026-11-23T13:00:00+00:00", but "2026-11-23T12:00:00+00:00" on line 2"#);
}

/// Samples that a CSV can carry: no comparability, no failed cells, family and tail as guessed, in order.
fn any_samples() -> impl Strategy<Value = Vec<SweepSamples>> {
    let name = "[a-z][a-z0-9,\" .-]{0,6}[a-z\"]";
    let metric = (name, "p?[0-9a-z]{1,4}", "[A-Za-z/%]{0,5}", any::<bool>());
    let environment =
        prop::sample::select(vec!["native", "docker", "docker+layer+driver=btrfs", "kvm+tuned"]);
    let series = (
        any::<prop::sample::Index>(),
        environment,
        prop::collection::btree_map(1..50u32, any::<f64>(), 1..4),
    );
    let sweep = ("[a-z0-9]{1,5}", "[a-z]{1,3}", 0..4_000_000_000_000i64, prop::collection::vec(series, 1..5));
    (prop::collection::vec(metric, 1..4), prop::collection::btree_map("[a-z]{1,4}", sweep, 1..4)).prop_map(
        |(metrics, sweeps)| {
            let metrics: BTreeMap<MetricKey, MetricInfo> = metrics
                .into_iter()
                .map(|(workload, metric, unit, higher)| {
                    let better = if higher { Better::Higher } else { Better::Lower };
                    let key = MetricKey::new(workload, "case", metric);
                    let info = info_of(&key, unit, better);
                    (key, info)
                })
                .collect();
            let all: Vec<_> = metrics.iter().collect();
            let mut out: Vec<SweepSamples> = sweeps
                .into_iter()
                .map(|(id, (_, class, millis, series))| {
                    let mut sweep = SweepSamples {
                        host_class: class.parse().expect("class"),
                        sweep: id.parse().expect("id"),
                        started_at: DateTime::from_timestamp_millis(millis).expect("time"),
                        comparability: Comparability::default(),
                        metrics: BTreeMap::new(),
                        series: BTreeMap::new(),
                        failed: BTreeMap::new(),
                        regimes: BTreeSet::new(),
                    };
                    for (index, environment, rounds) in series {
                        let (metric, info) = all[index.index(all.len())];
                        sweep.metrics.insert(metric.clone(), info.clone());
                        let environment = environment.parse().expect("environment");
                        sweep.series.insert(SeriesKey { metric: metric.clone(), environment }, rounds);
                    }
                    sweep
                })
                .collect();
            out.sort_by(|a, b| (a.started_at, &a.sweep).cmp(&(b.started_at, &b.sweep)));
            out
        },
    )
}

proptest! {
    #[test]
    fn what_is_written_reads_back(samples in any_samples()) {
        let text = write(&samples);
        let back = parse(&text, "x").map_err(|e| TestCaseError::fail(e.to_string()))?;
        // NaN differs from itself; its text does not.
        prop_assert_eq!(format!("{back:?}"), format!("{samples:?}"));
    }

    #[test]
    fn the_order_of_rows_is_free(samples in any_samples(), seed in any::<u64>()) {
        use rand::{SeedableRng, seq::SliceRandom};
        let text = write(&samples);
        let mut rows: Vec<&str> = text.lines().skip(1).collect();
        rows.shuffle(&mut rand_chacha::ChaCha8Rng::seed_from_u64(seed));
        prop_assert_eq!(format!("{:?}", parse(&csv(&rows), "x")), format!("{:?}", Ok::<_, SamplesError>(samples)));
    }

    #[test]
    fn no_text_makes_it_panic(text in any::<String>(), tail in "(.|\n|,|\"){0,200}") {
        let _ = parse(&text, "x");
        let _ = parse(&format!("{HEADER}\n{ROW}\n{tail}"), "x");
    }
}
