//! rr: request and response with one transaction outstanding, the study's netperf figures, where a guest took 80 % longer
//! for a round trip and NAT twice as long.
//!
//! The agent's own (`tollgate-agent bench rr`), because Debian has no netperf. The client runs in a network namespace of
//! its own, so every transaction crosses a wire. The full profile adds sockperf's ping-pong of the same size beside it,
//! so that the agent's figures can be checked against a tool that others know.

use super::{
    Case, CommandReport, CommandTemplate, CommandTrial, Emulation, ParseError, Placement, Places, Profile,
    Server, Size, Trial, Values, Workload, agent_report, told_by,
};
use crate::model::{Better, Family, Latencies, MetricSpec, Scale};
use serde::Deserialize;

/// The workload.
#[derive(Debug)]
pub struct Rr;

const NAME: &str = "rr";
const SOCKPERF: &str = "sockperf";

impl Workload for Rr {
    fn name(&self) -> &'static str {
        NAME
    }

    fn packages(&self) -> &'static [&'static str] {
        &[SOCKPERF]
    }

    fn cases(&self, Size { profile, .. }: Size) -> Vec<Case> {
        let (ms, trial_s) = match profile {
            Profile::Smoke => ("100", 0.11),
            Profile::Standard => ("250", 0.26),
            Profile::Full => ("60000", 60.0),
        };
        let server = CommandTemplate::agent(&["rr-server", "--listen", "{host}", "--port", "{port}"], 600);
        let mut cases = Vec::new();
        for proto in ["tcp", "udp"] {
            let command = CommandTemplate::agent(
                &[
                    NAME,
                    "--proto",
                    proto,
                    "--host",
                    "{host}",
                    "--port",
                    "{port}",
                    "--ms",
                    ms,
                    "--request",
                    "100",
                    "--response",
                    "200",
                ],
                120,
            );
            let (server, parse) = (server.clone(), if proto == "tcp" { parse_tcp } else { parse_udp });
            cases.push(case(profile, (proto, NAME, server), (command, parse), trial_s));
        }
        if profile == Profile::Full {
            let server =
                CommandTemplate::new(&[SOCKPERF, "server", "--tcp", "-i", "{host}", "-p", "{port}"], 600);
            let command = CommandTemplate::new(
                &[
                    SOCKPERF,
                    "ping-pong",
                    "--tcp",
                    "-i",
                    "{host}",
                    "-p",
                    "{port}",
                    "-m",
                    "100",
                    "-t",
                    "60",
                    "--full-rtt",
                ],
                120,
            );
            cases.push(case(profile, (SOCKPERF, SOCKPERF, server), (command, parse_sockperf), trial_s));
        }
        cases
    }

    fn latencies(&self, stdout: &str) -> Latencies {
        latencies(stdout)
    }
}

/// `name` of the case, name and command of its server; the trial's command and its parser.
fn case(
    profile: Profile,
    (name, server_name, server): (&str, &'static str, CommandTemplate),
    (command, parse): (CommandTemplate, fn(&CommandReport<'_>) -> Values),
    trial_s: f64,
) -> Case {
    Case {
        workload: NAME,
        name: name.to_owned(),
        metrics: metrics(),
        environments: Places::of(profile, &["docker", "docker+nat", "kvm"]).proxy().runtimes().tuned().all(),
        prepare: Vec::new(),
        server: Some(Server { name: server_name, before: Vec::new(), command: server, second_port: false }),
        trial: Trial::Command(CommandTrial { placement: Placement::Client, command, parse }),
        slices: 1,
        share: 1.0,
        trial_s,
        emulation: Emulation::Runs,
    }
}

fn metrics() -> Vec<MetricSpec> {
    let metric = |metric: &'static str, unit, better, about| MetricSpec {
        metric,
        unit,
        better,
        family: Family::Network,
        resolution: 0.0,
        scale: Scale::Ratio,
        tail: metric == "p99",
        about,
    };
    vec![
        metric(
            "transactions",
            "1/s",
            Better::Higher,
            "transactions of one client per second (netperf's TCP_RR and UDP_RR): the mean round trip, which chatty \
             protocols pay for each question",
        ),
        metric(
            "p50",
            "us",
            Better::Lower,
            "median round trip: a guest cost about 80 % and NAT about 100 % in the study (RC25482, figure 3)",
        ),
        metric(
            "p99",
            "us",
            Better::Lower,
            "99th percentile of the round trip: what interrupts, vCPU scheduling and connection tracking do to the \
             slowest (Dean and Barroso, The Tail at Scale, 2013)",
        ),
    ]
}

/// What is shown of a trial and not judged.
#[derive(Debug, Deserialize)]
struct Distribution {
    transactions: u64,
    /// Percentile and latency, us; the agent of an older bench image tells none.
    #[serde(default)]
    latencies_us: Latencies,
}

fn latencies(stdout: &str) -> Latencies {
    // sockperf's output is none of JSON.
    let Ok(told) = serde_json::from_str::<Distribution>(stdout) else { return Latencies::new() };
    let known: Vec<f64> = told_by(told.transactions as f64).collect();
    told.latencies_us.into_iter().filter(|(p, _)| known.contains(p)).collect()
}

#[derive(Debug, Deserialize)]
struct Output {
    proto: String,
    transactions_per_second: f64,
    p50_us: f64,
    p99_us: f64,
    transactions: u64,
    lost: u64,
}

fn parse_tcp(report: &CommandReport<'_>) -> Values {
    parse(report, "tcp")
}

fn parse_udp(report: &CommandReport<'_>) -> Values {
    parse(report, "udp")
}

fn parse(report: &CommandReport<'_>, proto: &str) -> Values {
    let output: Output = agent_report::read(NAME, report.result)?;
    let wrong = |why: String| Err(ParseError::new(NAME, Some(1), &report.result.stdout, why));
    if output.proto != proto {
        return wrong(format!("expected transactions over {proto}, found {}", output.proto));
    }
    // Each loss costs a wait of 200 ms; with many, the figures are those of the waiting.
    if output.lost * 100 > output.transactions {
        return wrong(format!("{} losses in {} transactions", output.lost, output.transactions));
    }
    Ok(vec![output.transactions_per_second, output.p50_us, output.p99_us])
}

/// sockperf ends with exit code 0 also when it could not connect, and says so on standard output.
fn parse_sockperf(report: &CommandReport<'_>) -> Values {
    let stdout = &report.result.stdout;
    let numbered = || stdout.lines().zip(1..);
    let error = numbered().find(|(line, _)| line.contains("ERROR"));
    if let Some((line, number)) = error {
        return Err(ParseError::new(SOCKPERF, Some(number), line, "it reports an error"));
    }
    let valid = value(stdout, "[Valid Duration] RunTime=", " sec")?;
    let messages = value(stdout, "ReceivedMessages=", "")?;
    // Half a round trip would stand there as "Latency is".
    value(stdout, "Summary: Round trip is ", " usec")?;
    if valid <= 0.0 {
        return Err(ParseError::new(SOCKPERF, None, stdout, "expected a duration above zero"));
    }
    let [p50, p99] = ["percentile 50.000 =", "percentile 99.000 ="].map(|name| value(stdout, name, ""));
    Ok(vec![messages / valid, p50?, p99?])
}

/// The number between `before` and `after` in the last line that has both, which is that of the valid duration.
fn value(stdout: &str, before: &str, after: &str) -> Result<f64, ParseError> {
    let found =
        stdout.lines().zip(1..).filter_map(|(line, number)| Some((line, number, line.split_once(before)?.1)));
    let Some((line, number, rest)) = found.last() else {
        return Err(ParseError::new(SOCKPERF, None, stdout, format!("expected a line with {before:?}")));
    };
    let text = if after.is_empty() { rest } else { rest.split(after).next().unwrap_or_default() };
    let wrong = |e: std::num::ParseFloatError| ParseError::new(SOCKPERF, Some(number), line, e.to_string());
    text.trim().parse().map_err(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::agent_report::fixtures::{printed, report};
    use crate::workload::captured;

    #[test]
    fn captured_output_gives_rate_and_latencies() {
        let (tcp, udp) = (printed(captured!("agent-rr-tcp.json")), printed(captured!("agent-rr-udp.json")));
        assert_eq!(parse_tcp(&report(&tcp, None)), Ok(vec![15_738.535_667_895_809, 28.8635, 1552.3835]));
        assert_eq!(parse_udp(&report(&udp, None)), Ok(vec![58_516.396_560_299_82, 15.8395, 24.7675]));
        assert!(parse_tcp(&report(&udp, None)).expect_err("UDP").to_string().contains("over tcp, found udp"));
    }

    #[test]
    fn many_losses_are_no_measurement() {
        let lossy = captured!("agent-rr-udp.json").replace("\"lost\":0", "\"lost\":500");
        let error = parse_udp(&report(&printed(&lossy), None)).expect_err("lossy").to_string();
        assert!(error.contains("500 losses"), "{error}");
        let one = captured!("agent-rr-udp.json").replace("\"lost\":0", "\"lost\":1");
        assert!(parse_udp(&report(&printed(&one), None)).is_ok());
    }

    #[test]
    fn captured_ping_pong_gives_rate_and_latencies_of_the_valid_duration() {
        let output = printed(captured!("sockperf-3.7-ping-pong.txt"));
        let values = parse_sockperf(&report(&output, None)).expect("parses");
        assert_eq!(values, [65_446.0 / 1.550, 23.499, 32.719]);
    }

    #[test]
    fn a_refused_connection_half_round_trips_and_cut_output_are_errors() {
        let refused = printed(captured!("sockperf-3.7-refused.txt"));
        let error = parse_sockperf(&report(&refused, None)).expect_err("refused").to_string();
        assert!(error.contains("Connection refused") && error.contains("line 2"), "{error}");
        let whole = captured!("sockperf-3.7-ping-pong.txt");
        let half = printed(&whole.replace("Round trip is", "Latency is"));
        assert!(parse_sockperf(&report(&half, None)).is_err());
        let cut = printed(&whole[..whole.find("percentile 50.000").expect("there")]);
        assert!(parse_sockperf(&report(&cut, None)).expect_err("cut").to_string().contains("50.000"));
        let damaged = printed(&whole.replace("23.499", "fast"));
        assert!(parse_sockperf(&report(&damaged, None)).expect_err("damaged").line.is_some());
    }
}
