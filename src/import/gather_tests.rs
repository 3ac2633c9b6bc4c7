use super::*;

fn environment(name: &str) -> EnvironmentName {
    name.parse().expect("an environment")
}

/// The rounds of what `files` (environment and text) give, as `metric@environment round=value`.
fn rounds(tool: Tool, files: &[(&str, &str)]) -> Result<Vec<String>, ImportError> {
    let host_class = Some("lab".parse().expect("a host class"));
    let mut import = Import::new(Origin { host_class, ..Origin::default() });
    for (i, (name, text)) in files.iter().enumerate() {
        import.origin.environment = Some(environment(name));
        import.add(tool, &format!("{i}.txt"), text)?;
    }
    let series = import.finish(DateTime::UNIX_EPOCH)?.series;
    let row = |(key, values): (SeriesKey, BTreeMap<u32, f64>)| {
        let values: Vec<String> = values.iter().map(|(round, value)| format!("{round}={value}")).collect();
        format!("{}@{} {}", key.metric.metric, key.environment, values.join(" "))
    };
    Ok(series.into_iter().map(row).collect())
}

#[test]
fn a_value_that_a_file_lacks_shifts_no_later_one() {
    let both = |value: u32| {
        format!(r#"{{"a": {{"latency": {{"value": {value}}}, "throughput": {{"value": {value}}}}}}}"#)
    };
    let one = |value: u32| format!(r#"{{"a": {{"latency": {{"value": {value}}}}}}}"#);
    let texts = [
        ("native", both(1)),
        ("docker", both(2)),
        ("native", one(3)),
        ("docker", both(4)),
        ("native", both(5)),
    ];
    let files: Vec<(&str, &str)> = texts.iter().map(|(name, text)| (*name, text.as_str())).collect();
    assert_eq!(
        rounds(Tool::Bmf, &files),
        Ok([
            "latency@native 1=1 2=3 3=5",
            "latency@docker 1=2 2=4",
            "throughput@native 1=1 3=5",
            "throughput@docker 1=2 2=4"
        ]
        .map(str::to_owned)
        .to_vec())
    );
}

#[test]
fn what_cannot_be_a_measurement_is_refused_with_its_line_by_every_format() {
    let fio = include_str!("../../tests/fixtures/tool_output/fio-3.33-randrw.txt");
    let json = r#"{"jobs":[{"jobname":"w","error":0,"write":{"total_ios":5,"bw":-7,"iops":-1}}]}"#;
    let trials = "workload,environment,variant,metric,unit,trial,value\nx,native,a,gups,GUP/s,1,-4\n";
    for (tool, text, found) in [
        (Tool::FioText, fio.replace("IOPS=4822", "IOPS=0"), "found 0 1/s as read-iops, which is no rate"),
        (Tool::FioJson, json.to_owned(), "found -1 1/s as write-iops"),
        (Tool::Trials, trials.to_owned(), "which is no rate"),
        (Tool::Bmf, r#"{"a": {"throughput": {"value": 0}}}"#.to_owned(), "found 0 1/s as throughput"),
        (
            Tool::Bmf,
            r#"{"a": {"latency": {"value": -4}}}"#.to_owned(),
            "found -4 ns as latency, which is no time",
        ),
    ] {
        let wrong = rounds(tool, &[("native", &text)]).expect_err(found);
        let ImportError::Line { why, .. } = &wrong else { panic!("{tool:?}: {wrong}") };
        assert!(why.contains(found), "{tool:?}: {why}");
    }
    assert!(
        rounds(Tool::Bmf, &[("native", r#"{"a": {"latency": {"value": 0}}}"#)]).is_ok(),
        "below its resolution"
    );
}

#[test]
fn a_series_has_one_value_in_a_file() {
    let job = "job: (groupid=0, jobs=1): err= 0: pid=1: today\n  read: IOPS=10, BW=1MiB/s (1MB/s)(1MiB/1s)\n";
    let fio = format!("{job}{job}Run status group 0 (all jobs):\n");
    let json = r#"{"jobs":[{"jobname":"j","error":0,"read":{"iops":1,"bw":1}},{"jobname":"j","error":0,"read":{"iops":1,"bw":1}}]}"#;
    let bmf = r#"{"A b": {"latency": {"value": 1}}, "a-b": {"latency": {"value": 2}}}"#;
    for (tool, text) in [
        (Tool::FioText, fio.as_str()),
        (Tool::FioJson, json),
        (Tool::Bmf, bmf),
        (Tool::Stream, "Copy: 1000 0\nScale: 1 0\nAdd: 1 0\nTriad: 1 0\nCopy: 1001 0\n"),
    ] {
        let twice = rounds(tool, &[("native", text)]).expect_err("two values");
        assert!(matches!(twice, ImportError::Twice { .. }), "{tool:?}: {twice}");
        assert!(twice.to_string().contains("a file is a round"), "{twice}");
    }
}

#[test]
fn read_only_and_read_write_are_two_cases() {
    let both = concat!(
        include_str!("../../tests/fixtures/tool_output/sysbench-1.0.20-read-only.txt"),
        include_str!("../../tests/fixtures/tool_output/sysbench-1.0.20-read-write.txt")
    );
    let found = rounds(Tool::Sysbench, &[("native", both)]).expect("read");
    assert_eq!(found.len(), 4, "{found:?}");
    assert!(found.contains(&"transactions@native 1=1391.43".to_owned()), "{found:?}");
}

#[test]
fn trials_of_a_file_are_rounds_and_files_go_on_beside_each_other() {
    let table = |values: &[u32]| {
        let row = |v: &u32| format!("100 100 1 0.1 {v} 0 0 pass");
        let head = "Size LDA Align. Time(s) GFlops Residual Residual(norm) Check".to_owned();
        std::iter::once(head).chain(values.iter().map(row)).collect::<Vec<_>>().join("\n")
            + "\n\nPerformance Summary (GFlops)\n"
    };
    let (three, two) = (table(&[1, 2, 3]), table(&[4, 5]));
    let files = [("native", two.as_str()), ("docker", &three), ("native", &three), ("docker", &two)];
    assert_eq!(
        rounds(Tool::Linpack, &files),
        Ok(["gflops@native 1=4 2=5 4=1 5=2 6=3", "gflops@docker 1=1 2=2 3=3 4=4 5=5"]
            .map(str::to_owned)
            .to_vec())
    );
}

#[test]
fn a_round_that_is_numbered_is_there_once() {
    let row = "workload,environment,variant,metric,unit,trial,value\nstream,kvm,a,copy_best_rate,GB/s,2,41\n";
    assert_eq!(rounds(Tool::Trials, &[("native", row)]), Ok(vec!["copy_best_rate@kvm 2=41".to_owned()]));
    let twice = rounds(Tool::Trials, &[("native", row), ("native", row)]).expect_err("there");
    assert!(twice.to_string().contains("1.txt: line 2: round 2 of"), "{twice}");
}

#[test]
fn a_key_of_the_mapping_file_that_fits_nothing_is_named() {
    let map = |text: &str| Map::read("map.toml", text).expect("a map");
    let row = "workload,environment,variant,metric,unit,trial,value\nstream,gce,a,hits,%,1,41\n";
    let of = |text: &str| {
        let host_class = Some("lab".parse().expect("a host class"));
        let mut import = Import::new(Origin { host_class, map: map(text), ..Origin::default() });
        import.add(Tool::Trials, "a/run.csv", row)?;
        import.finish(DateTime::UNIX_EPOCH).map(|sweep| sweep.series.len())
    };
    let used =
        "[environments]\n\"run.csv\" = \"native\"\n[rename]\ngce = \"kvm\"\n[better]\nhits = \"higher\"\n";
    assert_eq!(of(used), Ok(1));
    for (from, to, named) in [
        ("hits =", "misses = \"lower\"\nhits =", "--map: [better] \"misses\" fits nothing"),
        ("gce =", "aws = \"kvm\"\ngce =", "--map: [rename] \"aws\" fits nothing"),
        ("run.csv", "un.csv", "--map: [environments] \"un.csv\" fits nothing"),
    ] {
        let unused = of(&used.replace(from, to)).expect_err(named).to_string();
        assert!(unused.contains(named), "{unused}");
    }
}
