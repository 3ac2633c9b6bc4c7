//! density: what idle instances cost in memory.

use super::{
    Case, Emulation, InstancesReport, InstancesTrial, ParseError, Places, Profile, Size, Trial, Values,
    Workload,
};
use crate::model::{Better, Family, MetricSpec, Scale};

/// The workload.
#[derive(Debug)]
pub struct Density;

const NAME: &str = "density";

impl Workload for Density {
    fn name(&self) -> &'static str {
        NAME
    }

    fn packages(&self) -> &'static [&'static str] {
        &[]
    }

    fn cases(&self, Size { profile, memory_mib }: Size) -> Vec<Case> {
        // Idle guests need some memory each: as many as the host has room for, at most the study's kind of number.
        let count = if profile == Profile::Full { (memory_mib / 64).clamp(5, 200) } else { 5 };
        let emulation = match profile {
            Profile::Full => Emulation::Runs,
            _ => Emulation::LeftOut("five emulated guests take longer than the rest of a round"),
        };
        vec![Case {
            workload: NAME,
            name: format!("idle-{count}"),
            metrics: metrics(),
            environments: Places::of(profile, &["docker", "kvm"]).runtimes().all(),
            prepare: Vec::new(),
            server: None,
            trial: Trial::Instances(InstancesTrial {
                count,
                parallel: 2,
                settle: None,
                each: None,
                timeout_s: 60 + 10 * count,
                parse,
            }),
            slices: 1,
            share: 0.15,
            trial_s: 0.4 * f64::from(count),
            emulation,
        }]
    }
}

fn metrics() -> Vec<MetricSpec> {
    let metric = |metric, scale, about| MetricSpec {
        metric,
        unit: "MiB",
        better: Better::Lower,
        family: Family::Memory,
        resolution: 0.0,
        scale,
        tail: false,
        about,
    };
    vec![
        metric(
            "instance",
            Scale::Ratio,
            "proportional set size (proc(5), smaps) of everything that is there for one idle instance: its process, and \
             its shim or its QEMU: how many fit on a host",
        ),
        metric(
            "daemons",
            Scale::Difference,
            "by how much the engine's daemons grow for one idle instance (proportional set size): the part that no \
             container's own accounting shows; 0 where there is no engine",
        ),
    ]
}

fn parse(report: &InstancesReport) -> Values {
    let count = report.instances.len();
    if count == 0 {
        return Err(ParseError::new(NAME, None, "", "expected instances, found none"));
    }
    Ok(vec![report.pss_mib / count as f64, report.daemons_mib / count as f64])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::trial::fixtures::report;

    #[test]
    fn memory_is_counted_for_each_instance() {
        assert_eq!(parse(&report(5)), Ok(vec![8.0, 1.0]));
        assert!(parse(&report(0)).is_err());
    }
}
