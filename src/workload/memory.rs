//! memory: what getting memory costs, and whether a container's accounting of it is right.
//!
//! `faults` touches fresh pages, where a guest pays for two page tables. `accounting` holds memory in a fresh instance
//! with a limit, and compares what the kernel accounted with what was touched. `oom` touches beyond the limit and asks
//! how far from it the process was killed ("Memory inside Linux containers" is what surprises operators most). The
//! two have no guest: there the limit is a machine's memory, and no cgroup counts.

use super::{
    Case, CommandReport, CommandTemplate, CommandTrial, Emulation, ParseError, Placement, Places, Profile,
    Size, Trial, Values, Workload, agent_report,
};
use crate::model::{Better, CgroupMemory, Family, MetricSpec, Scale};
use serde::Deserialize;

/// The workload.
#[derive(Debug)]
pub struct Memory;

const NAME: &str = "memory";
const MIB: f64 = 1024.0 * 1024.0;

impl Workload for Memory {
    fn name(&self) -> &'static str {
        NAME
    }

    fn packages(&self) -> &'static [&'static str] {
        &[]
    }

    fn cases(&self, Size { profile, memory_mib }: Size) -> Vec<Case> {
        let (touched, held) = match profile {
            Profile::Smoke => (128, 128),
            Profile::Standard => (256, 256),
            // Half of the memory.
            Profile::Full => (memory_mib / 2, memory_mib / 2),
        };
        vec![faults(profile, touched), accounting(profile, held), oom(profile, held)]
    }
}

fn faults(profile: Profile, mib: u32) -> Case {
    Case {
        workload: NAME,
        name: format!("faults-{mib}m"),
        metrics: vec![metric(
            "faults",
            "1/s",
            Better::Higher,
            Scale::Ratio,
            "pages of fresh anonymous memory touched per second, each a page fault (getrusage(2), ru_minflt): a guest pays \
             for its own page table and the host's, a container for its cgroup's counter",
        )],
        // gVisor counts no faults.
        environments: Places::of(profile, &["docker", "kvm"]).runtimes_but(&["runsc"]).tuned().all(),
        prepare: Vec::new(),
        server: None,
        trial: Trial::Command(CommandTrial {
            placement: Placement::Inside,
            command: CommandTemplate::agent(&["faults", "--mib", &mib.to_string()], 120),
            parse: parse_faults,
        }),
        slices: 1,
        share: 1.0,
        trial_s: f64::from(mib) / 1000.0,
        emulation: Emulation::Runs,
    }
}

fn accounting(profile: Profile, mib: u32) -> Case {
    let command = CommandTemplate::agent(&["hold", "--mib", &mib.to_string(), "--ms", "20"], 120);
    limited(
        profile,
        format!("accounting-{mib}m"),
        // Room for the memory twice over: the limit shall not be what is seen.
        CommandTrial {
            placement: Placement::Fresh { memory_mib: Some(mib * 2) },
            command,
            parse: parse_accounting,
        },
        metric(
            "error",
            "%",
            Better::Lower,
            Scale::Difference,
            "difference between what the kernel accounted to the instance and what its process touched (kernel's cgroup \
             memory controller): limits, schedulers and bills rest on it",
        ),
        0.4 + f64::from(mib) / 600.0,
    )
}

fn oom(profile: Profile, mib: u32) -> Case {
    let command = CommandTemplate::agent(&["oom", "--mib", &(mib * 2).to_string()], 120);
    limited(
        profile,
        format!("oom-{mib}m"),
        CommandTrial { placement: Placement::Fresh { memory_mib: Some(mib) }, command, parse: parse_oom },
        metric(
            "overshoot",
            "MiB",
            Better::Lower,
            Scale::Difference,
            "distance between the instance's limit and what it had in use when its process was killed, in either \
             direction (kernel's cgroup memory controller): neighbours pay for a late kill, the tenant for an early one",
        ),
        0.4 + f64::from(mib) / 600.0,
    )
}

fn limited(profile: Profile, name: String, trial: CommandTrial, metric: MetricSpec, trial_s: f64) -> Case {
    Case {
        workload: NAME,
        name,
        metrics: vec![metric],
        environments: Places::of(profile, &["docker"]).all(),
        prepare: Vec::new(),
        server: None,
        trial: Trial::Command(trial),
        slices: 1,
        share: 0.3,
        trial_s,
        emulation: Emulation::Runs,
    }
}

fn metric(
    metric: &'static str,
    unit: &'static str,
    better: Better,
    scale: Scale,
    about: &'static str,
) -> MetricSpec {
    MetricSpec { metric, unit, better, family: Family::Memory, resolution: 0.0, scale, tail: false, about }
}

#[derive(Debug, Deserialize)]
struct Faults {
    faults_per_second: f64,
}

#[derive(Debug, Deserialize)]
struct Held {
    held_bytes: f64,
}

#[derive(Debug, Deserialize)]
struct Oom {
    killed: bool,
    touched_mib: f64,
}

fn parse_faults(report: &CommandReport<'_>) -> Values {
    Ok(vec![agent_report::read::<Faults>(NAME, report.result)?.faults_per_second])
}

fn wrong(report: &CommandReport<'_>, why: &str) -> ParseError {
    ParseError::new(NAME, None, &report.result.stdout, why)
}

/// What the instance's cgroup accounted, and its limit in bytes.
fn accounted(report: &CommandReport<'_>) -> Result<(CgroupMemory, u64), ParseError> {
    let cgroup = report.cgroup.ok_or_else(|| wrong(report, "no cgroup accounted the instance's memory"))?;
    let limit = cgroup.limit.ok_or_else(|| wrong(report, "the instance's cgroup has no memory limit"))?;
    Ok((cgroup, limit))
}

fn parse_accounting(report: &CommandReport<'_>) -> Values {
    let held = agent_report::read::<Held>(NAME, report.result)?.held_bytes;
    let (cgroup, _) = accounted(report)?;
    let peak = cgroup.peak.ok_or_else(|| wrong(report, "the kernel does not tell the cgroup's peak"))?;
    if held <= 0.0 {
        return Err(wrong(report, "nothing was held"));
    }
    let counted = peak as f64 - cgroup.before as f64;
    Ok(vec![(counted - held).abs() / held * 100.0])
}

fn parse_oom(report: &CommandReport<'_>) -> Values {
    let output: Oom = agent_report::read(NAME, report.result)?;
    let (cgroup, limit) = accounted(report)?;
    if !output.killed {
        let why = format!("the process was not killed at the limit of {} MiB", limit as f64 / MIB);
        return Err(wrong(report, &why));
    }
    let used = cgroup.before as f64 / MIB + output.touched_mib;
    Ok(vec![(used - limit as f64 / MIB).abs()])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::agent_report::fixtures::{printed, report};
    use crate::workload::captured;

    const fn cgroup(limit_mib: u64, before_kib: u64, peak_kib: u64) -> CgroupMemory {
        CgroupMemory { limit: Some(limit_mib << 20), before: before_kib << 10, peak: Some(peak_kib << 10) }
    }

    #[test]
    fn captured_output_gives_faults_per_second() {
        let output = printed(captured!("agent-faults.json"));
        let values = parse_faults(&report(&output, None)).expect("parses");
        assert_eq!(values.iter().map(|v| format!("{v:.0}")).collect::<Vec<_>>(), ["369423"]);
    }

    #[test]
    fn the_accounting_error_is_a_share_of_what_was_held_in_either_direction() {
        // 256 MiB held.
        let output = printed(captured!("agent-hold.json"));
        let error = |peak_kib| parse_accounting(&report(&output, Some(cgroup(512, 1024, peak_kib))));
        assert_eq!(error(1024 + (256 << 10)), Ok(vec![0.0]));
        assert_eq!(error(1024 + (258 << 10)), Ok(vec![2.0 / 256.0 * 100.0]));
        assert_eq!(error(1024 + (254 << 10)), Ok(vec![2.0 / 256.0 * 100.0]));
    }

    #[test]
    fn the_overshoot_is_the_distance_from_the_limit() {
        // Killed in a cgroup of 256 MiB with 512 KiB in use before, at 255.27 MiB.
        let output = printed(captured!("agent-oom.json"));
        let overshoot = |limit_mib| parse_oom(&report(&output, Some(cgroup(limit_mib, 512, 0))));
        assert_eq!(overshoot(256), Ok(vec![256.0 - 255.269_531_25 - 0.5]));
        assert_eq!(overshoot(250), Ok(vec![255.269_531_25 + 0.5 - 250.0]));
    }

    #[test]
    fn a_limit_that_did_not_hold_and_missing_figures_are_errors() {
        let survived = printed(captured!("agent-oom-survived.json"));
        let error = parse_oom(&report(&survived, Some(cgroup(32, 0, 0)))).expect_err("alive").to_string();
        assert!(error.contains("not killed at the limit of 32 MiB"), "{error}");
        let held = printed(captured!("agent-hold.json"));
        let without = [
            None,
            Some(CgroupMemory { limit: None, ..cgroup(1, 2, 3) }),
            Some(CgroupMemory { peak: None, ..cgroup(1, 2, 3) }),
        ];
        for cgroup in without {
            assert!(parse_accounting(&report(&held, cgroup)).is_err(), "{cgroup:?}");
        }
    }
}
