//! What the trial of a case does on a started environment, and what its result is worth.

use super::run::{Runner, Slot};
use super::trial;
use crate::environment::image::DATA;
use crate::model::{CgroupMemory, EnvironmentName, HostCost, Latencies};
use crate::workload::{
    self, Case, CommandReport, CommandTemplate, CommandTrial, Placement, Target, Trial, Values,
};
use std::collections::BTreeMap;
use std::time::Instant;
use tollgate_agent::protocol::{Exec, ExecResult, Usage};

impl Runner<'_> {
    /// What the trial of a case does, on an environment that has its turn.
    pub(super) async fn perform(
        &mut self,
        case: &Case,
        round: u32,
        environment: &EnvironmentName,
    ) -> Result<Done, String> {
        let limit = self.limits.output_bytes;
        let Some(slot) = self.slots.get_mut(environment) else {
            return Err("the environment is not running".to_owned());
        };
        let target = target(slot, case, round);
        let begun = Instant::now();
        match &case.trial {
            Trial::Command(CommandTrial { placement: Placement::Fresh { memory_mib }, command, .. }) => {
                let fleet = slot.session.fleet();
                let trial::InFresh { result, cgroup } =
                    trial::in_fresh(fleet.as_ref(), *memory_mib, command, &target, limit).await?;
                Ok(Done::Command { result, cgroup })
            }
            Trial::Command(CommandTrial { placement, command, .. }) => {
                let agent = match (placement, &mut self.client) {
                    (Placement::Client, Some(client)) => &mut client.client,
                    (Placement::Client, None) => return Err("there is no network client".to_owned()),
                    _ => slot.session.agent(),
                };
                let result = agent.exec(exec(command, &target, limit)).await.map_err(|e| e.to_string())?;
                Ok(Done::Command { result, cgroup: None })
            }
            Trial::Instances(instances) => {
                let fleet = slot.session.fleet();
                let report = trial::instances(fleet.as_ref(), instances, &target, limit).await?;
                Ok(Done::Harness(wall(begun), (instances.parse)(&report)))
            }
            Trial::Load(load) => {
                let tar = trial::tar_of(load, &slot.rootfs, &slot.scratch).await?;
                let begun = Instant::now();
                let fleet = slot.session.fleet();
                let report = trial::load(fleet.as_ref(), &tar).await?;
                Ok(Done::Harness(wall(begun), Ok((load.parse)(&report))))
            }
        }
    }
}

/// What a trial has done.
pub(super) enum Done {
    /// A command ran to its end.
    Command { result: ExecResult, cgroup: Option<CgroupMemory> },
    /// The harness did it, and took so long.
    Harness(Usage, Values),
}

impl Done {
    pub(super) fn usage(&self) -> Usage {
        match self {
            Self::Command { result, .. } => result.usage,
            Self::Harness(usage, _) => *usage,
        }
    }

    /// How the latencies of a command are distributed, where its workload tells.
    pub(super) fn latencies(&self, case: &Case) -> Latencies {
        let Self::Command { result, .. } = self else { return Latencies::new() };
        let workload = workload::all().into_iter().find(|w| w.name() == case.workload);
        workload.map(|w| w.latencies(&result.stdout)).unwrap_or_default()
    }

    /// The values, or why there are none. A value that cannot be a measurement is none.
    pub(super) fn values(self, case: &Case, host: Option<HostCost>) -> Result<Vec<f64>, String> {
        let values = match (self, &case.trial) {
            (Self::Command { result, cgroup }, Trial::Command(trial)) => {
                if let Some(why) = failure(case.trial.what(), &result) {
                    return Err(why);
                }
                (trial.parse)(&CommandReport { result: &result, host, cgroup })
            }
            (Self::Harness(_, values), _) => values,
            (Self::Command { .. }, _) => return Err("a command ran for a trial that has none".to_owned()),
        };
        measurements(case, values.map_err(|e| e.to_string())?)
    }
}

/// The harness's own clock around what it did.
fn wall(begun: Instant) -> Usage {
    Usage { wall_ns: u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX), ..Usage::default() }
}

pub(super) fn at_client(case: &Case) -> bool {
    matches!(&case.trial, Trial::Command(trial) if trial.placement == Placement::Client)
}

/// The values of the placeholders for the timed command.
pub(super) fn target(slot: &Slot, case: &Case, round: u32) -> Target {
    let address = slot.session.server_address();
    let host = if at_client(case) { address.client } else { address.inside };
    Target { host: host.to_string(), slice: round % case.slices.max(1), ..inside(slot, case, host) }
}

/// The placeholders as a command inside sees them.
pub(super) fn inside(slot: &Slot, case: &Case, host: std::net::Ipv4Addr) -> Target {
    let port = |suffix: &str| {
        let server = case.server.as_ref();
        server.and_then(|s| slot.ports.get(&format!("{}{suffix}", s.name))).copied().unwrap_or(0)
    };
    Target { data: DATA.to_owned(), host: host.to_string(), port: port(""), port2: port(SECOND), slice: 0 }
}

/// Ending of the name under which a server's second port is kept.
pub const SECOND: &str = "/2";

pub(super) fn exec(command: &CommandTemplate, target: &Target, output_limit: usize) -> Exec {
    Exec {
        argv: command.fill(target),
        env: BTreeMap::new(),
        cwd: None,
        timeout_ms: u64::from(command.timeout_s) * 1000,
        output_limit,
    }
}

/// Why a command's result is no success.
pub(super) fn failure(argv0: &str, result: &ExecResult) -> Option<String> {
    let last = |text: &str| {
        text.lines().rev().find(|l| !l.trim().is_empty()).unwrap_or("it printed nothing").to_owned()
    };
    let words = if result.stderr.trim().is_empty() { last(&result.stdout) } else { last(&result.stderr) };
    if result.timed_out {
        return Some(format!("{argv0} did not end in time and was killed: {words}"));
    }
    match (result.code, result.signal) {
        (Some(0), _) => None,
        (Some(code), _) => Some(format!("{argv0} ended with exit code {code}: {words}")),
        (None, signal) => Some(format!("{argv0} was ended by signal {}: {words}", signal.unwrap_or(0))),
    }
}

/// Values that can be measurements, one a metric.
fn measurements(case: &Case, values: Vec<f64>) -> Result<Vec<f64>, String> {
    if values.len() != case.metrics.len() {
        return Err(format!("{} values for {} metrics", values.len(), case.metrics.len()));
    }
    for (value, metric) in values.iter().zip(&case.metrics) {
        if !metric.scale.accepts(*value) {
            return Err(format!("{} is {value}, which cannot be a measurement", metric.metric));
        }
    }
    Ok(values)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sweep::fixtures::{case, exec_result};

    #[test]
    fn garbage_zero_and_failure_give_no_value() {
        let case = case("a", &["native", "docker"]);
        let values = |case: &Case, result: &ExecResult| {
            Done::Command { result: result.clone(), cgroup: None }.values(case, None)
        };
        assert_eq!(values(&case, &exec_result("12.5\n", 0)), Ok(vec![12.5]));
        assert!(values(&case, &exec_result("", 0)).expect_err("nothing").contains("expected a number"));
        assert!(values(&case, &exec_result("banana", 0)).expect_err("garbage").contains("banana"));
        assert!(values(&case, &exec_result("0", 0)).expect_err("zero").contains("cannot be a measurement"));
        assert!(values(&case, &exec_result("NaN", 0)).is_err());
        let failed = values(&case, &exec_result("first\nno space left on device\n", 28)).expect_err("failed");
        assert!(failed.contains("exit code 28") && failed.contains("no space left"), "{failed}");
    }
}
