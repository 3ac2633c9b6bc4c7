//! stream: memory bandwidth, the study's table of STREAM, where Docker cost nothing and KVM 1 to 3 %.
//!
//! The agent's own build of the four kernels (`tollgate-agent bench stream`), because those that a package brings
//! (hpcc) run for seconds and cannot alternate. Arrays of 64 MiB or more, so that caches hold little of them.

use super::{
    Case, CommandReport, CommandTemplate, CommandTrial, Emulation, Placement, Places, Profile, Size, Trial,
    Values, Workload, agent_report,
};
use crate::model::{Better, Family, MetricSpec, Scale};
use serde::Deserialize;

/// The workload.
#[derive(Debug)]
pub struct Stream;

const NAME: &str = "stream";

impl Workload for Stream {
    fn name(&self) -> &'static str {
        NAME
    }

    fn packages(&self) -> &'static [&'static str] {
        &[]
    }

    fn cases(&self, Size { profile, memory_mib }: Size) -> Vec<Case> {
        match profile {
            Profile::Smoke => vec![case(profile, "t1", 1, 192, 60, 0.2)],
            Profile::Standard => vec![case(profile, "t1", 1, 192, 150, 0.35)],
            Profile::Full => {
                let mib = memory_mib / 8 * 3;
                vec![case(profile, "t1", 1, mib, 2000, 2.5), case(profile, "all", 0, mib, 2000, 2.5)]
            }
        }
    }
}

/// `threads` 0: one for each processor. `mib` of the three arrays together.
fn case(profile: Profile, name: &str, threads: u32, mib: u32, ms: u32, trial_s: f64) -> Case {
    let (threads, mib, ms) = (threads.to_string(), mib.to_string(), ms.to_string());
    let args = ["stream", "--mib", &mib, "--ms", &ms, "--threads", &threads];
    Case {
        workload: NAME,
        name: name.to_owned(),
        metrics: metrics(),
        environments: Places::of(profile, &["docker", "kvm"]).runtimes().tuned().all(),
        prepare: Vec::new(),
        server: None,
        trial: Trial::Command(CommandTrial {
            placement: Placement::Inside,
            command: CommandTemplate::agent(&args, 120),
            parse,
        }),
        slices: 1,
        share: 1.0,
        trial_s,
        emulation: match profile {
            // 3 s a trial where it is 0.2 s natively, and the memory waits for the arithmetic.
            Profile::Smoke | Profile::Standard => {
                Emulation::LeftOut("emulated floating point hides the memory's bandwidth")
            }
            Profile::Full => Emulation::Runs,
        },
    }
}

fn metrics() -> Vec<MetricSpec> {
    let metric = |metric, about| MetricSpec {
        metric,
        unit: "GB/s",
        better: Better::Higher,
        family: Family::Memory,
        resolution: 0.0,
        scale: Scale::Ratio,
        tail: false,
        about,
    };
    vec![
        metric(
            "copy",
            "c = a, two words moved for an element (McCalpin, STREAM): bandwidth without arithmetic; 41.3 GB/s in the \
             study (RC25482)",
        ),
        metric(
            "scale",
            "b = 3 c, two words moved for an element (McCalpin, STREAM): bandwidth with a multiplication; 41.3 GB/s in \
             the study (RC25482)",
        ),
        metric(
            "add",
            "c = a + b, three words moved for an element (McCalpin, STREAM): bandwidth with two reads; 45.8 GB/s in the \
             study (RC25482)",
        ),
        metric(
            "triad",
            "a = b + 3 c, three words moved for an element (McCalpin, STREAM): the customary figure; Docker cost nothing \
             and KVM 1.3 to 3 % in the study (RC25482)",
        ),
    ]
}

#[derive(Debug, Deserialize)]
struct Output {
    #[serde(rename = "copy_gb_s")]
    copy: f64,
    #[serde(rename = "scale_gb_s")]
    scale: f64,
    #[serde(rename = "add_gb_s")]
    add: f64,
    #[serde(rename = "triad_gb_s")]
    triad: f64,
}

fn parse(report: &CommandReport<'_>) -> Values {
    let output: Output = agent_report::read(NAME, report.result)?;
    Ok(vec![output.copy, output.scale, output.add, output.triad])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::agent_report::fixtures::{printed, report};
    use crate::workload::captured;

    #[test]
    fn captured_output_gives_four_rates_in_order() {
        let output = printed(captured!("agent-stream.json"));
        let values = parse(&report(&output, None)).expect("parses");
        let [copy, scale, add, triad] = values[..] else { panic!("{values:?}") };
        assert_eq!(format!("{copy:.1} {scale:.1} {add:.1} {triad:.1}"), "17.7 19.0 21.1 20.9");
    }

    #[test]
    fn a_missing_rate_is_an_error_that_shows_the_output() {
        let cut = captured!("agent-stream.json").replace("triad_gb_s", "tirad_gb_s");
        let error = parse(&report(&printed(&cut), None)).expect_err("no triad").to_string();
        assert!(error.contains("triad_gb_s") && error.contains("copy_gb_s"), "{error}");
    }
}
