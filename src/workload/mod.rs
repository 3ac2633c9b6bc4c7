//! Floor 1: what is measured. One file a workload: its cases as data, and its parsers as pure functions.
//!
//! A workload never touches the host. It says which commands to run where, and turns what a command printed
//! and cost into values. To add one: write its file, and add one line to [`all`].

mod agent_report;
mod boot;
mod bulk_tcp;
mod command;
mod copy_up;
mod density;
mod fio;
mod image;
mod lifecycle;
mod linpack;
mod memory;
mod mysql;
mod page_cache;
mod places;
mod randomaccess;
mod redis;
mod rr;
mod small_files;
mod stream;
mod syscalls;
mod trial;
mod xz;

pub use command::{CommandTemplate, Server, Target};
pub use trial::{
    CommandReport, CommandTrial, InstanceTimes, InstancesReport, InstancesTrial, LoadReport, LoadTrial,
    Placement, Trial, Values,
};

use crate::model::{EnvironmentName, Latencies, MetricSpec};
use places::Places;

/// Size of a sweep.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Profile {
    /// About five minutes on two cores with an emulated guest: for trying out and for pull requests.
    Smoke,
    /// Up to an hour on two cores with an emulated guest: nightly and on change.
    Standard,
    /// The sizes of the study, hours.
    Full,
}

impl Profile {
    /// The word used in files and paths.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Smoke => "smoke",
            Self::Standard => "standard",
            Self::Full => "full",
        }
    }
}

/// What cases are sized by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// The profile.
    pub profile: Profile,
    /// Memory of every environment, MiB. The full profile scales the study's sizes to it; the others need 1 GiB.
    pub memory_mib: u32,
}

impl Size {
    /// With 1 GiB, which is what smoke and standard have unless configured.
    pub fn of(profile: Profile) -> Self {
        Self { profile, memory_mib: 1024 }
    }

    /// A share of the memory, MiB, as the largest power of two.
    pub fn power_of_two(self, share: f64) -> u32 {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a u32")]
        let part = (f64::from(self.memory_mib) * share) as u32;
        1 << part.max(1).ilog2()
    }
}

/// One program or study part.
pub trait Workload: Send + Sync {
    /// Its name: `fio`.
    fn name(&self) -> &'static str;
    /// Debian packages that the bench image needs for it.
    fn packages(&self) -> &'static [&'static str];
    /// What it measures.
    fn cases(&self, size: Size) -> Vec<Case>;
    /// How the latencies of a trial are distributed, by what it printed: shown, not judged. Empty where it does not tell.
    fn latencies(&self, _stdout: &str) -> Latencies {
        Latencies::new()
    }
}

/// The percentiles of a latency that are shown.
pub const PERCENTILES: [f64; 5] = [50.0, 90.0, 95.0, 99.0, 99.9];

/// Those of [`PERCENTILES`] of which `requests` know something: at least three of them are beyond.
fn told_by(requests: f64) -> impl Iterator<Item = f64> {
    PERCENTILES.into_iter().filter(move |p| requests * (1.0 - p / 100.0) >= 2.999)
}

/// All workloads, in the order in which they are shown.
pub fn all() -> Vec<&'static dyn Workload> {
    vec![
        &xz::Xz,
        &linpack::Linpack,
        &stream::Stream,
        &randomaccess::RandomAccess,
        &bulk_tcp::BulkTcp,
        &rr::Rr,
        &fio::Fio,
        &redis::Redis,
        &mysql::Mysql,
        &copy_up::CopyUp,
        &small_files::SmallFiles,
        &lifecycle::Lifecycle,
        &boot::Boot,
        &density::Density,
        &memory::Memory,
        &page_cache::PageCache,
        &syscalls::Syscalls,
        &image::Image,
    ]
}

/// Whether a guest runs a case when its instructions are emulated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Emulation {
    /// It does.
    Runs,
    /// It does not, for this reason. The cell is *unavailable* then, and says so.
    LeftOut(&'static str),
}

/// One way of running a workload.
#[derive(Debug, Clone)]
pub struct Case {
    /// Its workload's name.
    pub workload: &'static str,
    /// Its name: `randread-qd16`.
    pub name: String,
    /// What it measures; its trial's parser gives one value for each of them.
    pub metrics: Vec<MetricSpec>,
    /// Where it makes sense, `native` included.
    pub environments: Vec<EnvironmentName>,
    /// Run once in each environment before the first trial, outside the measured time. Cases with equal
    /// preparations share them.
    pub prepare: Vec<CommandTemplate>,
    /// What must be up.
    pub server: Option<Server>,
    /// What is done and timed.
    pub trial: Trial,
    /// How many slices there are: round r works on slice r modulo this, the same in every environment.
    pub slices: u32,
    /// Its rounds as a share of the profile's (0 to 1], for cases whose trials are long. Never fewer than three.
    pub share: f64,
    /// Seconds that one trial takes natively, about: what a budget reckons with before anything was measured here.
    pub trial_s: f64,
    /// Whether an emulated guest runs it.
    pub emulation: Emulation,
}

/// A share of rounds: never fewer than three, where there are as many.
pub fn part_of(rounds: u32, share: f64) -> u32 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a u32")]
    let part = (f64::from(rounds) * share).ceil() as u32;
    part.clamp(rounds.min(3), rounds)
}

impl Case {
    /// Its usual rounds, as a share of the profile's.
    pub fn rounds_of(&self, nominal: u32) -> u32 {
        part_of(nominal, self.share)
    }

    /// Everything that must be equal for two sweeps of this case to be comparable, as text to be hashed.
    pub fn parameters(&self) -> String {
        format!(
            "{} {} {:?} {:?} {} {}",
            self.workload,
            self.name,
            self.prepare,
            self.server,
            self.trial.parameters(),
            self.slices
        )
    }
}

/// What a tool printed is not what its parser knows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{tool} printed something unexpected{}: {why}: {excerpt:?}", line.map(|l| format!(" in line {l}")).unwrap_or_default())]
pub struct ParseError {
    /// Which tool.
    pub tool: &'static str,
    /// Which line of its output, from 1, where that is known.
    pub line: Option<usize>,
    /// The beginning of that line, or of the output.
    pub excerpt: String,
    /// What was expected.
    pub why: String,
}

impl ParseError {
    /// With the excerpt cut to a readable length.
    pub fn new(tool: &'static str, line: Option<usize>, text: &str, why: impl Into<String>) -> Self {
        Self { tool, line, excerpt: text.chars().take(120).collect(), why: why.into() }
    }
}

/// The captured output of a tool, for tests.
#[cfg(test)]
macro_rules! captured {
    ($name:literal) => {
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/tool_output/", $name))
    };
}
#[cfg(test)]
use captured;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;
    use tollgate_agent::protocol::{ExecResult, Usage};

    const PROFILES: [Profile; 3] = [Profile::Smoke, Profile::Standard, Profile::Full];

    #[test]
    fn cases_and_metrics_have_unique_names_that_are_safe_in_files() {
        for profile in PROFILES {
            let mut seen = BTreeSet::new();
            for case in all().iter().flat_map(|w| w.cases(Size::of(profile))) {
                assert!(case.environments.len() > 1 && case.environments[0].is_native(), "{}", case.name);
                assert!(case.share > 0.0 && case.share <= 1.0 && case.trial_s > 0.0, "{}", case.name);
                for metric in &case.metrics {
                    let name = format!("{}/{}/{}", case.workload, case.name, metric.metric);
                    let safe = |c: char| c.is_ascii_alphanumeric() || "-./".contains(c);
                    assert!(name.chars().all(safe), "{name}");
                    assert!(metric.about.len() > 40, "{name} says what it is and why it is measured");
                    assert!(seen.insert(name.clone()), "{name} is there twice");
                }
            }
        }
    }

    #[test]
    fn placeholders_are_filled_in() {
        let command = CommandTemplate::new(&["x", "{host}:{port}", "{data}/f-{slice}"], 1);
        let target =
            Target { data: "/data".into(), host: "198.18.0.1".into(), port: 6379, port2: 6380, slice: 3 };
        assert_eq!(command.fill(&target), ["x", "198.18.0.1:6379", "/data/f-03"]);
        for case in all().iter().flat_map(|w| w.cases(Size::of(Profile::Smoke))) {
            let server = case.server.iter().flat_map(|s| s.before.iter().chain([&s.command]));
            let commands = case.prepare.iter().chain(case.trial.commands()).chain(server);
            for word in commands.flat_map(|c| c.fill(&target)) {
                assert!(!word.contains('{'), "{word} of {} holds an unknown placeholder", case.name);
            }
        }
    }

    proptest! {
        #[test]
        fn no_output_makes_a_parser_panic(stdout in "\\PC{0,400}", stderr in "[ -~\n]{0,200}", cut in 0_usize..6000) {
            let whole = captured!("fio-3.33-randread.json");
            let texts = [stdout, whole.get(..cut.min(whole.len())).unwrap_or_default().to_owned()];
            for case in all().iter().flat_map(|w| w.cases(Size::of(Profile::Smoke))) {
                for text in &texts {
                    let result = ExecResult {
                        code: Some(0), signal: None, timed_out: false, stdout: text.clone(), stderr: stderr.clone(),
                        stdout_bytes: 0, stderr_bytes: 0, usage: Usage::default(),
                    };
                    let report = CommandReport { result: &result, host: None, cgroup: None };
                    let Trial::Command(trial) = &case.trial else { continue };
                    if let Ok(values) = (trial.parse)(&report) {
                        prop_assert_eq!(values.len(), case.metrics.len());
                    }
                }
            }
        }
    }
}
