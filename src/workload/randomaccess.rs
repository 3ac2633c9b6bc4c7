//! randomaccess: random updates of a large table, the study's GUPS. Each update misses caches and the TLB, so that it shows
//! what a second level of page tables costs.
//!
//! The agent's own build of the published loop (`tollgate-agent bench randomaccess`), because hpcc's runs for seconds.

use super::{
    Case, CommandReport, CommandTemplate, CommandTrial, Emulation, Placement, Places, Profile, Size, Trial,
    Values, Workload, agent_report,
};
use crate::model::{Better, Family, MetricSpec, Scale};
use serde::Deserialize;

/// The workload.
#[derive(Debug)]
pub struct RandomAccess;

const NAME: &str = "randomaccess";

impl Workload for RandomAccess {
    fn name(&self) -> &'static str {
        NAME
    }

    fn packages(&self) -> &'static [&'static str] {
        &[]
    }

    fn cases(&self, size: Size) -> Vec<Case> {
        let profile = size.profile;
        let (mib, ms, trial_s) = match profile {
            Profile::Smoke => (128, "60", 0.2),
            Profile::Standard => (256, "150", 0.5),
            // Half of the memory, as in the study.
            Profile::Full => (size.power_of_two(0.5), "5000", 11.0),
        };
        vec![Case {
            workload: NAME,
            name: format!("table-{mib}m"),
            metrics: vec![MetricSpec {
                metric: "gups",
                unit: "GUP/s",
                better: Better::Higher,
                family: Family::Memory,
                resolution: 0.0,
                scale: Scale::Ratio,
                tail: false,
                about: "10^9 updates of random 8-byte words per second (HPC Challenge, RandomAccess): TLB misses walk two \
                        page tables in a guest; KVM cost 1 to 14 % in the study (RC25482)",
            }],
            environments: Places::of(profile, &["docker", "kvm"]).runtimes().tuned().all(),
            prepare: Vec::new(),
            server: None,
            trial: Trial::Command(CommandTrial {
                placement: Placement::Inside,
                command: CommandTemplate::agent(
                    &["randomaccess", "--mib", &mib.to_string(), "--ms", ms],
                    300,
                ),
                parse,
            }),
            slices: 1,
            share: 1.0,
            trial_s,
            emulation: Emulation::Runs,
        }]
    }
}

#[derive(Debug, Deserialize)]
struct Output {
    gups: f64,
}

fn parse(report: &CommandReport<'_>) -> Values {
    Ok(vec![agent_report::read::<Output>(NAME, report.result)?.gups])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::agent_report::fixtures::{printed, report};
    use crate::workload::captured;

    #[test]
    fn captured_output_gives_gups() {
        let output = printed(captured!("agent-randomaccess.json"));
        let values = parse(&report(&output, None)).expect("parses");
        assert_eq!(values.iter().map(|v| format!("{v:.4}")).collect::<Vec<_>>(), ["0.0944"]);
        assert!(parse(&report(&printed("{\"updates\":3}"), None)).is_err());
    }
}
