//! `import` and `export` with the real program: the trials of 2014, what tools printed, and a round trip.

#[path = "common/recorded.rs"]
mod recorded;

use recorded::Recorded;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Output;

fn run(dir: &Path, args: &[&str]) -> Output {
    recorded::tollgate(dir).args(args).output().expect("runs")
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// Mean of each series of a samples CSV: `workload/case/metric@environment`.
fn means(csv: &str) -> BTreeMap<String, f64> {
    let mut all: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for line in csv.lines().skip(1) {
        let f: Vec<&str> = line.split(',').collect();
        all.entry(format!("{}/{}/{}@{}", f[4], f[5], f[6], f[9]))
            .or_default()
            .push(f[10].parse().expect("a number"));
    }
    let mean =
        |values: Vec<f64>| values.iter().sum::<f64>() / f64::from(u32::try_from(values.len()).expect("few"));
    all.into_iter().map(|(k, v)| (k, mean(v))).collect()
}

/// Says something on standard error itself, since the test harness keeps what tests that pass print.
fn said(what: &str) {
    use std::io::Write;
    writeln!(std::io::stderr(), "{what}").expect("written");
}

#[test]
fn the_trials_of_2014_give_the_means_that_were_published() {
    // They are their authors', and not part of this project: whoever has them says where.
    let Some(trials) = std::env::var_os("TOLLGATE_RC25482").map(PathBuf::from) else {
        said("skipped: the trials of 2014 are not compared; TOLLGATE_RC25482 says where they are");
        return;
    };
    let dir = tempfile::tempdir().expect("a directory");
    std::fs::write(dir.path().join("map.toml"), "[rename]\ngce = \"kvm+cloud=gce\"\n").expect("written");
    let of = |file: &str| {
        let path = trials.join(file);
        let readable = std::fs::read_to_string(&path);
        let readable = readable.unwrap_or_else(|e| panic!("TOLLGATE_RC25482: {}: {e}", path.display()));
        let path = path.display().to_string();
        let mut args = vec!["import", "--format", "trials", "--host-class", "rc25482"];
        args.extend(["--started-at", "2014-07-21T00:00:00Z", &path]);
        if readable.contains(",gce,") {
            args.extend(["--map", "map.toml"]);
        }
        let ran = run(dir.path(), &args);
        assert_eq!(ran.status.code(), Some(0), "{}", text(&ran));
        means(&String::from_utf8_lossy(&ran.stdout))
    };
    let stream = of("stream.csv");
    for (kernel, mean) in [("copy", 41.27), ("scale", 41.25), ("add", 45.79), ("triad", 45.60)] {
        let found = stream[&format!("stream/2socket-interleave/{kernel}_best_rate@native")];
        assert!((found - mean).abs() < 0.005, "{kernel}: {found}");
    }
    let random = of("randomaccess.csv");
    let native = |case: &str| random[&format!("randomaccess/{case}/gups@native")];
    assert!((native("2socket-interleave") - 0.01261).abs() < 5e-6, "{}", native("2socket-interleave"));
    assert!((native("1socket-localalloc") - 0.04579).abs() < 5e-6, "{}", native("1socket-localalloc"));
    let linpack = of("linpack.csv")["linpack/2socket-interleave/gflops@native"];
    assert!((linpack - 290.8).abs() < 0.05, "{linpack}");
    assert!(of("fio.csv").len() > 100);
}

#[test]
fn what_is_exported_is_imported_and_exported_the_same() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = dir.path().join("state/sweeps");
    std::fs::create_dir_all(&store).expect("made");
    let sweep = Recorded { hour: 3, engine: "26.1.5", nat: 1.0 };
    std::fs::write(store.join(format!("{}.json", recorded::id(3))), sweep.sweep().to_string())
        .expect("written");
    let exported = run(dir.path(), &["export", "--output", "a.csv"]);
    assert_eq!(exported.status.code(), Some(0), "{}", text(&exported));
    let imported = run(dir.path(), &["import", "--format", "samples", "a.csv", "--output", "b.csv"]);
    assert_eq!(imported.status.code(), Some(0), "{}", text(&imported));
    let read = |name: &str| std::fs::read_to_string(dir.path().join(name)).expect("written");
    assert_eq!(read("a.csv"), read("b.csv"));
    assert!(read("a.csv").lines().count() > 100);
    for (option, value) in [
        ("--environment", "docker"),
        ("--host-class", "lab"),
        ("--started-at", "2026-01-01T00:00:00Z"),
        ("--map", "map.toml"),
    ] {
        let ran = run(dir.path(), &["import", "--format", "samples", option, value, "a.csv"]);
        assert_eq!((ran.status.code(), ran.stdout.len()), (Some(2), 0), "{}", text(&ran));
        assert!(text(&ran).contains(&format!("{option}: samples say")), "{}", text(&ran));
    }
    let id = recorded::id(3);
    let again = run(dir.path(), &["export", &id, &id]);
    assert_eq!((again.status.code(), again.stdout.len()), (Some(2), 0), "{}", text(&again));
    assert!(text(&again).contains("is named twice"), "{}", text(&again));
    let twice = run(dir.path(), &["import", "--format", "samples", "a.csv", "b.csv"]);
    assert_eq!(twice.status.code(), Some(2), "{}", text(&twice));
    assert!(text(&twice).contains("is in two of the files"), "{}", text(&twice));
}

#[test]
fn environments_that_were_imported_one_by_one_are_one_sweep() {
    let dir = tempfile::tempdir().expect("a directory");
    let stream = |name: &str, copy: u32| {
        let text =
            format!("Copy: {copy} 0 0 0\nScale: {copy} 0 0 0\nAdd: {copy} 0 0 0\nTriad: {copy} 0 0 0\n");
        std::fs::write(dir.path().join(name), text).expect("written");
    };
    let import = |environment: &str, start: &str, input: &str, out: &str| {
        let args = ["import", "--format", "stream", "--environment", environment, "--host-class", "lab"];
        let rest = ["--started-at", start, input, "--output", out];
        run(dir.path(), &[&args[..], &rest].concat())
    };
    stream("native.txt", 1000);
    stream("docker.txt", 900);
    let (then, other) = ("2026-01-01T00:00:00Z", "2026-01-01T00:00:01Z");
    for (environment, start, out) in
        [("native", then, "native.csv"), ("docker", then, "docker.csv"), ("docker", other, "later.csv")]
    {
        let made = import(environment, start, &format!("{environment}.txt"), out);
        assert_eq!(made.status.code(), Some(0), "{}", text(&made));
    }
    let joined = run(dir.path(), &["import", "--format", "samples", "native.csv", "docker.csv"]);
    assert_eq!(joined.status.code(), Some(0), "{}", text(&joined));
    let rows = String::from_utf8(joined.stdout).expect("text");
    let sweeps: std::collections::BTreeSet<&str> =
        rows.lines().skip(1).filter_map(|row| row.split(',').nth(1)).collect();
    assert_eq!((rows.lines().count(), sweeps.len()), (9, 1), "{rows}");
    let two = run(dir.path(), &["import", "--format", "samples", "native.csv", "later.csv"]);
    let rows = text(&two).lines().count();
    assert!(two.status.success() && rows == 9, "another start is another sweep: {}", text(&two));
    let twice = run(dir.path(), &["import", "--format", "samples", "native.csv", "native.csv"]);
    assert!(text(&twice).contains("both with stream/stream/add in native"), "{}", text(&twice));
    // What `judge` would refuse.
    let late = import("native", "2062-01-01T00:00:00Z", "native.txt", "late.csv");
    assert_eq!(late.status.code(), Some(2), "{}", text(&late));
    assert!(!dir.path().join("late.csv").exists());
}

#[test]
fn files_of_a_tool_are_rounds_and_can_be_judged() {
    let dir = tempfile::tempdir().expect("a directory");
    let write = |name: &str, copy: f64| {
        let kernels = format!("Copy: {copy} 0 0 0\nScale: {copy} 0 0 0\nAdd: {copy} 0 0 0\n");
        std::fs::write(dir.path().join(name), format!("{kernels}Triad: {} 0 0 0\n", copy * 0.9))
            .expect("written");
    };
    for round in 0..4 {
        write(&format!("native{round}.txt"), 40_000.0 + f64::from(round));
        write(&format!("docker{round}.txt"), 39_000.0 + f64::from(round));
    }
    std::fs::write(
        dir.path().join("map.toml"),
        "host_class = \"lab\"\nstarted_at = \"2026-01-01T00:00:00Z\"\n[environments]\n\"native0.txt\" = \"native\"\n\
         \"native1.txt\" = \"native\"\n\"native2.txt\" = \"native\"\n\"native3.txt\" = \"native\"\n\".txt\" = \"docker\"\n",
    )
    .expect("written");
    let files: Vec<String> =
        ["native", "docker"].iter().flat_map(|e| (0..4).map(move |n| format!("{e}{n}.txt"))).collect();
    let mut args = vec!["import", "--format", "stream", "--map", "map.toml", "--output", "lab.csv"];
    args.extend(files.iter().map(String::as_str));
    let ran = run(dir.path(), &args);
    assert_eq!(ran.status.code(), Some(0), "{}", text(&ran));
    let judged =
        run(dir.path(), &["judge", "--baseline", "lab.csv", "--candidate", "lab.csv", "--format", "json"]);
    assert!(text(&judged).contains("\"stream\""), "{}", text(&judged));
}

#[test]
fn a_wrong_line_is_named_and_nothing_is_written() {
    let dir = tempfile::tempdir().expect("a directory");
    let good = "Copy: 1 0 0 0\nScale: 1 0 0 0\nAdd: 1 0 0 0\nTriad: 1 0 0 0\n";
    std::fs::write(dir.path().join("good.txt"), good).expect("written");
    std::fs::write(dir.path().join("bad.txt"), good.replace("Triad: 1", "Triad: fast")).expect("written");
    std::fs::write(dir.path().join("cut.txt"), good.replace("Triad: 1 0 0 0\n", "")).expect("written");
    let common = ["import", "--format", "stream", "--host-class", "lab", "--output", "out.csv"];
    for (more, word) in [
        (&["--environment", "native", "good.txt", "bad.txt"][..], "bad.txt: line 4: found \"fast\""),
        (&["--environment", "native", "good.txt", "cut.txt"][..], "cut.txt: line 3: no line `Triad:`"),
        (&["good.txt"][..], "give --environment or a mapping file"),
        (&["--environment", "native", "missing.txt"][..], "missing.txt: "),
    ] {
        let ran = run(dir.path(), &[&common[..], more].concat());
        assert_eq!(ran.status.code(), Some(2), "{}", text(&ran));
        assert!(text(&ran).contains(word), "{}", text(&ran));
        assert!(!dir.path().join("out.csv").exists());
    }
    let header = "workload,environment,variant,metric,unit,trial,value";
    std::fs::write(dir.path().join("empty.csv"), format!("{header}\nstream,kvm,a,,GB/s,1,1\n"))
        .expect("written");
    let ran = run(dir.path(), &["import", "--format", "trials", "--host-class", "lab", "empty.csv"]);
    assert_eq!((ran.status.code(), ran.stdout.len()), (Some(2), 0), "{}", text(&ran));
    assert!(text(&ran).contains("empty.csv: line 2: column `metric`"), "{}", text(&ran));
    let nothing = run(
        dir.path(),
        &["import", "--format", "fio-text", "--environment", "native", "--host-class", "lab", "good.txt"],
    );
    assert!(text(&nothing).contains("no result of fio in it"), "{}", text(&nothing));
}

#[test]
fn what_tools_printed_is_imported_from_the_files_as_they_are() {
    let dir = tempfile::tempdir().expect("a directory");
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tool_output");
    let mut said = String::new();
    for (format, file) in [
        ("fio-text", "fio-2-randrw.txt"),
        ("fio-text", "fio-3.33-randrw.txt"),
        ("hpcc", "hpcc-1.5.0-n400-two-processes.txt"),
        ("stream", "stream-5.10-two-threads.txt"),
        ("gups", "hpcc-1.5.0-n400-two-processes.txt"),
        ("linpack", "linpack-intel-2020.txt"),
        ("linpack", "linpack-intel-2017-unfinished.txt"),
        ("bmf", "bmf-documentation.json"),
        ("bmf", "bmf-v1-documentation.json"),
        ("redis", "redis-benchmark-old-five-tests.txt"),
        ("redis", "redis-benchmark-2.4.2-quiet.txt"),
        ("redis", "redis-benchmark-7.0.15-set-get.txt"),
        ("redis", "redis-benchmark-7.0.15-refused.txt"),
        ("sysbench", "sysbench-1.0.20-read-write.txt"),
    ] {
        std::fs::copy(fixtures.join(file), dir.path().join(file)).expect("copied");
        let common =
            ["--host-class", "lab", "--environment", "native", "--started-at", "2026-01-01T00:00:00Z"];
        let ran = run(dir.path(), &[&["import", "--format", format][..], &common, &[file]].concat());
        let output = text(&ran);
        // The columns that the command line says are the same in all lines.
        let rows = output
            .lines()
            .map(|l| l.strip_prefix("lab,20260101T000000Z-000000,2026-01-01T00:00:00Z,").unwrap_or(l));
        let rows = rows.filter(|l| !l.starts_with("host_class,")).flat_map(|l| [l, "\n"]).collect::<String>();
        let code = ran.status.code().unwrap_or(-1);
        said.extend(["# ", format, " ", file, ": ", &code.to_string(), "\n", &rows, "\n"]);
    }
    insta::assert_snapshot!(said);
}

/// A stored sweep below `dir`.
fn stored(dir: &Path) {
    let store = dir.join("state/sweeps");
    std::fs::create_dir_all(&store).expect("made");
    let sweep = Recorded { hour: 3, engine: "26.1.5", nat: 1.0 };
    std::fs::write(store.join(format!("{}.json", recorded::id(3))), sweep.sweep().to_string())
        .expect("written");
}

#[cfg(feature = "parquet")]
#[test]
fn parquet_and_back_is_the_same_csv() {
    let dir = tempfile::tempdir().expect("a directory");
    stored(dir.path());
    for args in [
        &["export", "--output", "a.csv"][..],
        &["export", "--format", "parquet", "--output", "a.parquet"],
        &["import", "--format", "parquet", "a.parquet", "--output", "b.csv"],
    ] {
        let ran = run(dir.path(), args);
        assert_eq!(ran.status.code(), Some(0), "{args:?}: {}", text(&ran));
    }
    let read = |name: &str| std::fs::read_to_string(dir.path().join(name)).expect("written");
    assert_eq!(read("a.csv"), read("b.csv"));
    let piped = run(dir.path(), &["export", "--format", "parquet"]);
    assert_eq!(piped.stdout, std::fs::read(dir.path().join("a.parquet")).expect("written"));
    let wrong = run(dir.path(), &["import", "--format", "parquet", "a.csv", "--output", "c.csv"]);
    assert_eq!(wrong.status.code(), Some(2), "{}", text(&wrong));
    assert!(text(&wrong).contains("a.csv: not readable as Parquet") && !dir.path().join("c.csv").exists());
}

#[cfg(not(feature = "parquet"))]
#[test]
fn without_the_feature_parquet_says_how_to_get_it() {
    let dir = tempfile::tempdir().expect("a directory");
    stored(dir.path());
    for args in [&["export", "--format", "parquet"][..], &["import", "--format", "parquet", "x.parquet"]] {
        let ran = run(dir.path(), args);
        assert_eq!(ran.status.code(), Some(2), "{}", text(&ran));
        assert!(text(&ran).contains("cargo build --release --features parquet"), "{}", text(&ran));
        assert!(ran.stdout.is_empty());
    }
}
