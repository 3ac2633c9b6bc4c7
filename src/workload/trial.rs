//! Kinds of trials, and what each kind gives its parser.

use super::ParseError;
use super::command::CommandTemplate;
use crate::model::{CgroupMemory, HostCost};
use tollgate_agent::protocol::ExecResult;

/// One value a metric, in the order of the case's metrics.
pub type Values = Result<Vec<f64>, ParseError>;

/// Where the timed command of a case runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Placement {
    /// In the environment itself.
    Inside,
    /// In the client's network namespace, against the server in the environment.
    Client,
    /// In a fresh instance of the environment that is started for this trial and removed after it, outside the
    /// measured time. Its data directory is that of the environment, unless that is in the layer.
    Fresh {
        /// Its memory limit, MiB; the environment's own when absent.
        memory_mib: Option<u32>,
    },
}

/// What a trial does.
#[derive(Debug, Clone)]
pub enum Trial {
    /// Runs a command, timed by the agent beside which it runs.
    Command(CommandTrial),
    /// Starts instances of the environment, lets each run a command, looks at them, and removes them. The harness takes
    /// the times, because nothing inside exists before the first or after the last of them.
    Instances(InstancesTrial),
    /// Loads an image into the environment's engine (natively: unpacks it) and removes it.
    Load(LoadTrial),
}

/// A timed command.
#[derive(Debug, Clone)]
pub struct CommandTrial {
    /// Where it runs.
    pub placement: Placement,
    /// What runs.
    pub command: CommandTemplate,
    /// Reads what it printed and cost.
    pub parse: fn(&CommandReport<'_>) -> Values,
}

/// What is known after a timed command that ended with exit code 0.
#[derive(Debug, Clone, Copy)]
pub struct CommandReport<'a> {
    /// What it printed, and what its own processes used.
    pub result: &'a ExecResult,
    /// What the whole host did meanwhile; none where the host does not tell.
    pub host: Option<HostCost>,
    /// What the cgroup of the fresh instance accounted; none elsewhere, and in a guest.
    pub cgroup: Option<CgroupMemory>,
}

/// Instances of an environment, started and removed within one trial.
#[derive(Debug, Clone)]
pub struct InstancesTrial {
    /// How many.
    pub count: u32,
    /// How many are started, and later removed, at the same time.
    pub parallel: u32,
    /// Run in each, one after another, once all are up and before anything is looked at.
    pub settle: Option<CommandTemplate>,
    /// Run in each after that, one after another.
    pub each: Option<CommandTemplate>,
    /// Seconds that the whole trial may take.
    pub timeout_s: u32,
    /// Reads the times and sizes.
    pub parse: fn(&InstancesReport) -> Values,
}

/// When an instance did what, milliseconds. A step that an environment does not have takes 0.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct InstanceTimes {
    /// How many instances were up when this one was begun.
    pub present: u32,
    /// Until it exists, not running yet.
    pub create_ms: f64,
    /// From then to the first byte from inside.
    pub start_ms: f64,
    /// From the request to end until it has ended.
    pub stop_ms: f64,
    /// From then until nothing of it is left.
    pub remove_ms: f64,
}

/// What is known after the instances of a trial are gone.
#[derive(Debug, Clone, PartialEq)]
pub struct InstancesReport {
    /// One element an instance, in the order in which they were begun.
    pub instances: Vec<InstanceTimes>,
    /// From the beginning of the first until all were up, seconds.
    pub up_s: f64,
    /// From the request to the first to end until nothing was left, seconds.
    pub down_s: f64,
    /// Proportional set size (proc(5), smaps) of everything that was there for an instance, all together, MiB: its
    /// processes, its shim, its QEMU.
    pub pss_mib: f64,
    /// By how much the proportional set size of the engine's daemons grew, MiB; 0 where there is no engine.
    pub daemons_mib: f64,
    /// By how much the host's page cache grew while the commands ran (`Cached` of /proc/meminfo), MiB.
    pub cached_mib: f64,
    /// What each command printed.
    pub outputs: Vec<ExecResult>,
}

/// An image to be loaded.
#[derive(Debug, Clone)]
pub struct LoadTrial {
    /// Directories of the bench image that it holds; all of it when empty.
    pub of: &'static [&'static str],
    /// Reads the time.
    pub parse: fn(&LoadReport) -> Vec<f64>,
}

/// What is known after an image was loaded.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LoadReport {
    /// From the first byte to the end, seconds.
    pub seconds: f64,
    /// Size of the tar, bytes.
    pub bytes: u64,
}

impl Trial {
    /// For messages: the program, or what the harness does.
    pub fn what(&self) -> &str {
        match self {
            Self::Command(trial) => trial.command.argv.first().map_or("nothing", String::as_str),
            Self::Instances(_) => "instances",
            Self::Load(_) => "load",
        }
    }

    /// Everything that must be equal for two trials to be comparable, as text to be hashed.
    pub fn parameters(&self) -> String {
        match self {
            Self::Command(CommandTrial { placement, command, .. }) => format!("{placement:?} {command:?}"),
            Self::Instances(InstancesTrial { count, parallel, settle, each, .. }) => {
                format!("instances {count} {parallel} {settle:?} {each:?}")
            }
            Self::Load(LoadTrial { of, .. }) => format!("load {of:?}"),
        }
    }

    /// Whether it runs in what stands for the whole sweep, rather than in something fresh.
    pub fn runs_in_what_stands(&self) -> bool {
        matches!(self, Self::Command(CommandTrial { placement: Placement::Inside | Placement::Client, .. }))
    }

    /// The commands that it runs.
    pub fn commands(&self) -> Vec<&CommandTemplate> {
        match self {
            Self::Command(trial) => vec![&trial.command],
            Self::Instances(trial) => trial.settle.iter().chain(&trial.each).collect(),
            Self::Load(_) => Vec::new(),
        }
    }
}

/// Reports for the tests of workloads.
#[cfg(test)]
pub(super) mod fixtures {
    use super::*;
    use tollgate_agent::protocol::Usage;

    /// Of instances that took 10 + 100 + 20 + 10 ms each.
    pub fn report(count: u32) -> InstancesReport {
        let times = |present| InstanceTimes {
            present,
            create_ms: 10.0,
            start_ms: 100.0,
            stop_ms: 20.0,
            remove_ms: 10.0,
        };
        let output = ExecResult {
            code: Some(0),
            signal: None,
            timed_out: false,
            stdout: String::new(),
            stderr: String::new(),
            stdout_bytes: 0,
            stderr_bytes: 0,
            usage: Usage::default(),
        };
        let n = f64::from(count);
        InstancesReport {
            instances: (0..count).map(times).collect(),
            up_s: 0.11 * n,
            down_s: 0.03 * n,
            pss_mib: 8.0 * n,
            daemons_mib: n,
            cached_mib: 64.0 * n,
            outputs: vec![output; count as usize],
        }
    }
}
