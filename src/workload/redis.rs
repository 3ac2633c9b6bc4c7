//! Redis: many small requests over a network, the study's figures 9 and 10, where NAT showed.
//!
//! The client runs in a network namespace of its own, so every request crosses a wire. Nothing is written to disk.

use super::{
    Case, CommandReport, CommandTemplate, CommandTrial, Emulation, ParseError, Placement, Places, Profile,
    Server, Size, Trial, Values, Workload,
};
use crate::model::{Better, Family, MetricSpec, Scale};
use serde::Deserialize;

/// The workload.
#[derive(Debug)]
pub struct Redis;

const TOOL: &str = "redis-benchmark";

impl Workload for Redis {
    fn name(&self) -> &'static str {
        "redis"
    }

    fn packages(&self) -> &'static [&'static str] {
        &["redis-server", "redis-tools"]
    }

    fn cases(&self, Size { profile, .. }: Size) -> Vec<Case> {
        // Ten times what an emulated guest needs: a client whose server is gone hangs.
        let timeout_s = if profile == Profile::Full { 3600 } else { 30 };
        let counts: &[(u32, u32)] = match profile {
            Profile::Smoke => &[(1, 1000), (50, 2500)],
            Profile::Standard => &[(1, 2000), (50, 5000)],
            // From one client to as many as the study had.
            Profile::Full => &[(1, 500_000), (10, 500_000), (50, 500_000), (120, 500_000)],
        };
        let tests = ["get", "set"];
        tests
            .iter()
            .flat_map(|test| counts.iter().map(move |(c, n)| case(profile, test, *c, *n, timeout_s)))
            .collect()
    }
}

fn case(profile: Profile, test: &str, connections: u32, requests: u32, timeout_s: u32) -> Case {
    let (c, n) = (connections.to_string(), requests.to_string());
    let benchmark = |c: &str, n: &str, test: &str| {
        CommandTemplate::new(
            &[TOOL, "-h", "{host}", "-p", "{port}", "-d", "50", "--csv", "-c", c, "-n", n, "-t", test],
            timeout_s,
        )
    };
    let server = CommandTemplate::new(
        &[
            "redis-server",
            "--port",
            "{port}",
            "--bind",
            "{host}",
            "--protected-mode",
            "no",
            "--save",
            "",
            "--appendonly",
            "no",
            "--daemonize",
            "no",
            "--dir",
            "/tmp",
        ],
        600,
    );
    Case {
        workload: "redis",
        name: format!("{test}-c{connections}"),
        metrics: metrics(),
        environments: Places::of(profile, &["docker", "docker+nat", "kvm"]).proxy().runtimes().tuned().all(),
        // GET reads the value that this SET wrote: redis-benchmark uses one key unless told otherwise.
        prepare: vec![benchmark("1", "1", "set")],
        server: Some(Server { name: "redis", before: Vec::new(), command: server, second_port: false }),
        trial: Trial::Command(CommandTrial {
            placement: Placement::Client,
            command: benchmark(&c, &n, test),
            parse: if test == "get" { parse_get } else { parse_set },
        }),
        slices: 1,
        share: 1.0,
        trial_s: if profile == Profile::Full { 15.0 } else { 0.2 },
        emulation: Emulation::Runs,
    }
}

fn metrics() -> Vec<MetricSpec> {
    let metric = |metric, unit, better, tail, about| MetricSpec {
        metric,
        unit,
        better,
        family: Family::Database,
        // redis-benchmark counts latencies in steps of 8 us.
        resolution: if unit == "ms" { 0.008 } else { 0.0 },
        scale: Scale::Ratio,
        tail,
        about,
    };
    vec![
        metric(
            "requests",
            "1/s",
            Better::Higher,
            false,
            "requests answered per second (redis-benchmark): NAT cost 22 to 48 % in the study (RC25482, figure 9)",
        ),
        metric(
            "p50",
            "ms",
            Better::Lower,
            false,
            "median latency of a request, with a resolution of 8 us (redis-benchmark): the round trip that each hop of \
             the network path lengthens",
        ),
        metric(
            "p99",
            "ms",
            Better::Lower,
            true,
            "99th percentile of the latency of a request (redis-benchmark): what scheduling and interrupts do to the \
             slowest",
        ),
    ]
}

#[derive(Debug, Deserialize)]
struct Row {
    test: String,
    rps: f64,
    p50_latency_ms: f64,
    p99_latency_ms: f64,
}

fn parse_get(report: &CommandReport<'_>) -> Values {
    parse(&report.result.stdout, "GET")
}

fn parse_set(report: &CommandReport<'_>) -> Values {
    parse(&report.result.stdout, "SET")
}

fn parse(stdout: &str, test: &str) -> Values {
    let header = stdout.lines().position(|line| line.starts_with("\"test\",\"rps\""));
    let Some(header) = header else {
        return Err(ParseError::new(TOOL, None, stdout, "expected the header \"test\",\"rps\",..."));
    };
    let table: String = stdout.lines().skip(header).collect::<Vec<_>>().join("\n");
    let mut rows = csv::Reader::from_reader(table.as_bytes());
    for (index, row) in rows.deserialize::<Row>().enumerate() {
        let line = header + index + 2;
        let excerpt = stdout.lines().nth(line - 1).unwrap_or_default();
        let row = row.map_err(|e| ParseError::new(TOOL, Some(line), excerpt, e.to_string()))?;
        if row.test == test {
            return Ok(vec![row.rps, row.p50_latency_ms, row.p99_latency_ms]);
        }
    }
    Err(ParseError::new(TOOL, None, stdout, format!("expected a row {test}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::captured;

    #[test]
    fn captured_output_gives_rate_and_latencies() {
        let set = parse(captured!("redis-benchmark-7.0.15-set.csv"), "SET").expect("parses");
        assert_eq!(set, [41_666.67, 0.599, 3.511]);
        assert_eq!(parse(captured!("redis-benchmark-7.0.15-get.csv"), "GET").expect("parses").len(), 3);
    }

    #[test]
    fn another_test_no_connection_and_damaged_rows_are_errors() {
        let set = captured!("redis-benchmark-7.0.15-set.csv");
        assert!(parse(set, "GET").expect_err("no GET").to_string().contains("GET"));
        let refused = parse(captured!("redis-benchmark-7.0.15-refused.txt"), "GET").expect_err("refused");
        assert!(refused.to_string().contains("Connection refused"), "{refused}");
        let damaged = set.replace("41666.67", "fast");
        assert_eq!(parse(&damaged, "SET").expect_err("damaged").line, Some(2));
        assert!(parse("", "GET").is_err());
    }
}
