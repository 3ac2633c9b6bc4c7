//! bulk-tcp: one-way streams over TCP with nuttcp, the study's part on network bandwidth. At line rate everywhere, the CPU is the metric.
//!
//! The client is in a network namespace of its own and opens every connection itself, also the one that it receives
//! on (`-F`), because a published port and a guest let nothing else through. nuttcp's server takes a control and a
//! data port and listens on all addresses: it has no option for one.

use super::{
    Case, CommandReport, CommandTemplate, CommandTrial, Emulation, ParseError, Placement, Places, Profile,
    Server, Size, Trial, Values, Workload,
};
use crate::model::{Better, Family, MetricSpec, Scale};

/// The workload.
#[derive(Debug)]
pub struct BulkTcp;

const TOOL: &str = "nuttcp";
const MIB: f64 = 1024.0 * 1024.0;

/// Which way the bytes go, as seen from the environment.
#[derive(Clone, Copy)]
enum Direction {
    Receive,
    Send,
}

impl Workload for BulkTcp {
    fn name(&self) -> &'static str {
        "bulk-tcp"
    }

    fn packages(&self) -> &'static [&'static str] {
        &["nuttcp"]
    }

    fn cases(&self, Size { profile, .. }: Size) -> Vec<Case> {
        let mut cases =
            vec![case(profile, "receive", Direction::Receive, 1), case(profile, "send", Direction::Send, 1)];
        if profile == Profile::Full {
            cases.push(case(profile, "receive-x4", Direction::Receive, 4));
            cases.push(case(profile, "send-x4", Direction::Send, 4));
        }
        cases
    }
}

fn case(profile: Profile, name: &str, direction: Direction, flows: u32) -> Case {
    let (seconds, trial_s) = match profile {
        Profile::Smoke => ("0.3", 0.37),
        Profile::Standard => ("0.5", 0.57),
        Profile::Full => ("60", 60.2),
    };
    let places = if flows == 1 {
        Places::of(profile, &["docker", "docker+nat", "kvm"]).proxy()
    } else {
        // Each flow has a data port of its own, from nuttcp's usual one on, and only one is published.
        Places::of(profile, &["docker", "kvm"])
    };
    Case {
        workload: "bulk-tcp",
        name: name.to_owned(),
        metrics: metrics(),
        // nuttcp's server moves no byte under gVisor.
        environments: places.runtimes_but(&["runsc"]).tuned().all(),
        prepare: Vec::new(),
        server: Some(server()),
        trial: Trial::Command(CommandTrial {
            placement: Placement::Client,
            command: client(direction, flows, seconds),
            parse,
        }),
        slices: 1,
        share: 1.0,
        trial_s,
        emulation: Emulation::Runs,
    }
}

/// In the foreground, so that it can be stopped, and without the right to pass a stream on to a third host.
fn server() -> Server {
    // It ends when a connection breaks in the middle; the next trial shall find it again.
    let again = "while :; do nuttcp -S --nofork --no3rdparty -P \"$0\"; sleep 0.1; done";
    Server {
        name: "bulk-tcp",
        before: Vec::new(),
        command: CommandTemplate::new(&["sh", "-c", again, "{port}"], 600),
        second_port: true,
    }
}

fn client(direction: Direction, flows: u32, seconds: &str) -> CommandTemplate {
    let time = format!("-T{seconds}");
    let mut argv = vec![TOOL, "-fparse", "-P", "{port}", &time];
    match direction {
        Direction::Receive => argv.push("-t"),
        Direction::Send => argv.extend(["-r", "-F"]),
    }
    let several = format!("-N{flows}");
    if flows == 1 {
        argv.extend(["-p", "{port2}"]);
    } else {
        argv.push(&several);
    }
    argv.push("{host}");
    CommandTemplate::new(&argv, 120)
}

fn metrics() -> Vec<MetricSpec> {
    let metric = |metric, unit, better, resolution, about| MetricSpec {
        metric,
        unit,
        better,
        family: Family::Network,
        resolution,
        scale: Scale::Ratio,
        tail: false,
        about,
    };
    vec![
        metric(
            "throughput",
            "Gb/s",
            Better::Higher,
            0.0,
            "bits of payload per second, as the receiver counts them (nuttcp(1)): line rate everywhere in the study, \
             so that a loss here is a large one (RC25482, section on nuttcp)",
        ),
        metric(
            "cpu-cost",
            "CPU-s/GB",
            Better::Lower,
            // The kernel counts in ticks of 10 ms; a slice carries about 1 GB.
            0.01,
            "time that the whole host was busy (proc(5), /proc/stat) per 10^9 bytes of payload, both ends and all \
             between them: the study's figure 2, where NAT and virtual machines cost most",
        ),
    ]
}

fn parse(report: &CommandReport<'_>) -> Values {
    let moved = moved(&report.result.stdout)?;
    let host = report.host.ok_or_else(|| {
        ParseError::new(
            TOOL,
            None,
            &report.result.stdout,
            "the host's busy time is not known; is /proc/stat readable?",
        )
    })?;
    Ok(vec![moved.gigabits_per_s, host.busy_us as f64 / 1e6 / moved.gigabytes])
}

#[derive(Debug, PartialEq)]
struct Moved {
    gigabits_per_s: f64,
    gigabytes: f64,
}

/// From `megabytes=484.7316 real_seconds=0.21 rate_Mbps=19821.3108 ...`, where a megabyte is 2^20 bytes.
fn moved(stdout: &str) -> Result<Moved, ParseError> {
    let found = stdout.lines().enumerate().find(|(_, l)| l.starts_with("megabytes="));
    let Some((index, line)) = found else {
        return Err(ParseError::new(TOOL, None, stdout, "expected a line megabytes=... rate_Mbps=..."));
    };
    let number = |key: &str| {
        let field = line.split_whitespace().find_map(|f| f.strip_prefix(key));
        match field.and_then(|f| f.parse::<f64>().ok()) {
            Some(value) if value > 0.0 && value.is_finite() => Ok(value),
            _ => {
                let why = format!("expected {key} with a number above 0");
                Err(ParseError::new(TOOL, Some(index + 1), line, why))
            }
        }
    };
    Ok(Moved { gigabits_per_s: number("rate_Mbps=")? / 1e3, gigabytes: number("megabytes=")? * MIB / 1e9 })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::captured;

    #[test]
    fn captured_output_gives_rate_and_bytes() {
        let sent = moved(captured!("nuttcp-6.1.2-transmit.txt")).expect("moved");
        assert!((sent.gigabits_per_s - 27.667_494_9).abs() < 1e-9, "{sent:?}");
        assert!((sent.gigabytes - 0.690_487_296).abs() < 1e-9, "{sent:?}");
        assert!(moved(captured!("nuttcp-6.1.2-receive.txt")).is_ok());
        assert!(moved(captured!("nuttcp-6.1.2-four-flows.txt")).expect("moved").gigabytes > 3.0);
    }

    #[test]
    fn nothing_moved_no_server_and_damaged_numbers_are_errors() {
        let nothing = moved(captured!("nuttcp-6.1.2-nothing.txt")).expect_err("nothing");
        assert!(nothing.line == Some(1) && nothing.to_string().contains("above 0"), "{nothing}");
        let refused = moved(captured!("nuttcp-6.1.2-refused.txt")).expect_err("refused");
        assert!(refused.line.is_none(), "{refused}");
        let damaged =
            captured!("nuttcp-6.1.2-transmit.txt").replace("rate_Mbps=27667.4949", "rate_Mbps=fast");
        assert!(moved(&damaged).is_err() && moved("").is_err());
    }

    #[test]
    fn four_flows_are_not_asked_of_a_published_port() {
        for case in BulkTcp.cases(Size::of(Profile::Full)) {
            let nat = case.environments.iter().any(|e| e.to_string().contains("+nat"));
            assert_eq!(nat, !case.name.ends_with("x4"), "{}", case.name);
        }
    }
}
