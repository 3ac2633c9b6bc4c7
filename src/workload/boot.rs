//! boot: how long until the first byte comes from inside, one instance at a time.

use super::{
    Case, Emulation, InstancesReport, InstancesTrial, ParseError, Places, Profile, Size, Trial, Values,
    Workload,
};
use crate::model::{Better, Family, MetricSpec, Scale};

/// The workload.
#[derive(Debug)]
pub struct Boot;

const NAME: &str = "boot";

impl Workload for Boot {
    fn name(&self) -> &'static str {
        NAME
    }

    fn packages(&self) -> &'static [&'static str] {
        &[]
    }

    fn cases(&self, Size { profile, .. }: Size) -> Vec<Case> {
        vec![Case {
            workload: NAME,
            name: "first-byte".to_owned(),
            metrics: vec![MetricSpec {
                metric: "time",
                unit: "ms",
                better: Better::Lower,
                family: Family::Lifecycle,
                resolution: 0.0,
                scale: Scale::Ratio,
                tail: false,
                about: "from the request to the first byte from inside (the agent's hello): what a cold start adds to the \
                        first answer; natively, a process in a chroot",
            }],
            environments: Places::of(profile, &["docker", "kvm"]).runtimes().all(),
            prepare: Vec::new(),
            server: None,
            trial: Trial::Instances(InstancesTrial {
                count: 1,
                parallel: 1,
                settle: None,
                each: None,
                timeout_s: 180,
                parse,
            }),
            slices: 1,
            share: if profile == Profile::Full { 1.0 } else { 0.3 },
            trial_s: 0.4,
            emulation: Emulation::Runs,
        }]
    }
}

fn parse(report: &InstancesReport) -> Values {
    match &report.instances[..] {
        [one] => Ok(vec![one.create_ms + one.start_ms]),
        other => {
            Err(ParseError::new(NAME, None, "", format!("expected one instance, found {}", other.len())))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::trial::fixtures::report;

    #[test]
    fn the_time_is_that_of_creating_and_starting() {
        assert_eq!(parse(&report(1)), Ok(vec![110.0]));
        assert!(parse(&report(2)).is_err() && parse(&report(0)).is_err());
    }
}
