//! A finished sweep: what is stored, accepted as a baseline, and judged.

use super::{
    Better, EnvironmentName, Family, Fingerprint, HostClass, Latencies, MetricKey, Proof, Scale, SeriesKey,
    SweepId,
};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// R rounds of everything. Arrays are indexed by round (first element = round 1).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sweep {
    /// Version of this format; see [`super::format::SWEEP_FORMAT`].
    pub format: u32,
    /// Its id.
    pub sweep: SweepId,
    /// Version of tollgate that measured it.
    pub tollgate: String,
    /// Comparable hosts.
    pub host_class: HostClass,
    /// `smoke`, `standard` or `full`.
    pub profile: String,
    /// SHA-256 over everything that must be equal for two sweeps to be comparable: cases, parameters, slices.
    pub parameters: String,
    /// Digest of the bench image.
    pub bench_image: String,
    /// `kvm` or `tcg`; none when no virtual machine took part.
    pub accelerator: Option<String>,
    /// Seed of the plan's random order.
    pub seed: u64,
    /// Rounds planned for a case; some may have more or fewer (their series say how many).
    pub rounds: u32,
    /// Whether it was asked for chosen cells only, to confirm another sweep: it says nothing of the other cells, and is
    /// no baseline by itself.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub partial: bool,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// When it ended.
    pub finished_at: DateTime<Utc>,
    /// How often it was interrupted and resumed.
    pub resumed: u32,
    /// What the host was made of.
    pub fingerprint: Fingerprint,
    /// Where the time went.
    pub timing: Timing,
    /// Who accepted it as a baseline, when it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepted: Option<AcceptedBy>,
    /// Proofs of the environments' labels.
    pub proofs: Vec<Proof>,
    /// Every workload, case and environment with its state and the costs of its trials.
    pub cells: Vec<Cell>,
    /// Every metric of every environment, native included.
    pub series: Vec<Series>,
}

/// Why a sweep is a baseline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AcceptedBy {
    /// When.
    pub at: DateTime<Utc>,
    /// Who or what: `gate`, or the name of the person who ran `baseline accept`.
    pub by: String,
    /// Why, in their words.
    pub reason: String,
    /// Metrics and environments whose regime begins here: they changed and the change was accepted, so older sweeps no
    /// longer count for them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub regimes: Vec<SeriesKey>,
}

/// Where the wall time of a sweep went.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Timing {
    /// Wall time from the start of the first environment to the end of the last, seconds, pauses of a
    /// resumed sweep left out.
    pub wall_s: f64,
    /// Sum of the wall times that the agents measured around their trials, seconds.
    pub in_trials_s: f64,
    /// Where the rest went, as far as the journal tells.
    #[serde(default, skip_serializing_if = "Harness::is_unknown")]
    pub harness: Harness,
}

/// Parts of a sweep that are not trials that count, seconds. What is missing to the whole went by between trials: fresh
/// instances, dispatch, proofs, the journal.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Harness {
    /// Until all environments were up and proven.
    pub starting_s: f64,
    /// Then until all was laid out and every server answered.
    pub preparing_s: f64,
    /// Then until the first trial that counts.
    pub warming_up_s: f64,
    /// After the last trial, until everything was gone.
    pub stopping_s: f64,
}

impl Harness {
    /// Whether nothing is known, as of a samples CSV or an older sweep.
    pub fn is_unknown(&self) -> bool {
        *self == Self::default()
    }
}

impl Timing {
    /// 1 - `in_trials / wall`: the share of the wall time that is the harness's own. 0 when nothing ran.
    pub fn harness_share(&self) -> f64 {
        if self.wall_s > 0.0 { 1.0 - self.in_trials_s / self.wall_s } else { 0.0 }
    }
}

/// State of one workload, case and environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CellState {
    /// Measured.
    Ok,
    /// This host cannot run it; the reason says why and what would help.
    Unavailable,
    /// It was tried and failed, or its proof failed; the reason says why.
    MeasurementFailed,
}

/// One workload, case and environment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cell {
    /// Workload.
    pub workload: String,
    /// Case.
    pub case: String,
    /// Where.
    pub environment: EnvironmentName,
    /// What became of it.
    pub state: CellState,
    /// Why, unless ok. For `ok` with some failed rounds: what failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What each trial cost. Empty arrays where nothing ran.
    pub trials: CellTrials,
    /// How its latencies are distributed, medians over the rounds: shown, not judged. Empty where the workload tells none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub latencies: Latencies,
}

#[cfg(test)]
impl Cell {
    /// One that was measured, for tests that do not look at its trials.
    pub fn measured(workload: &str, case: &str, environment: &EnvironmentName) -> Self {
        Self {
            workload: workload.to_owned(),
            case: case.to_owned(),
            environment: environment.clone(),
            state: CellState::Ok,
            reason: None,
            trials: CellTrials::default(),
            latencies: Latencies::new(),
        }
    }
}

/// Costs of the trials of one cell, one element a round; none where the trial failed or was not run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CellTrials {
    /// Wall time inside the environment, nanoseconds.
    pub wall_ns: Vec<Option<u64>>,
    /// CPU time in user mode of the trial's processes, microseconds.
    pub user_us: Vec<Option<u64>>,
    /// CPU time in kernel mode of the trial's processes, microseconds.
    pub system_us: Vec<Option<u64>>,
    /// Voluntary and involuntary context switches of the trial's processes.
    pub switches: Vec<Option<u64>>,
    /// CPU time that the host spent on anything during the trial (/proc/stat), microseconds, all CPUs.
    pub host_busy_us: Vec<Option<u64>>,
    /// CPU time stolen from the host by its hypervisor during the trial (/proc/stat), microseconds, all CPUs.
    pub steal_us: Vec<Option<u64>>,
    /// Time during which some task waited for a CPU (`some` of /proc/pressure/cpu), microseconds.
    pub psi_cpu_us: Vec<Option<u64>>,
}

/// One metric in one environment, one value a round.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Series {
    /// Workload.
    pub workload: String,
    /// Case.
    pub case: String,
    /// Metric.
    pub metric: String,
    /// Unit.
    pub unit: String,
    /// Direction.
    pub better: Better,
    /// Family, for thresholds.
    pub family: Family,
    /// Whether it is a tail latency.
    #[serde(default)]
    pub tail: bool,
    /// Step in which the tool reports it, in `unit`, where that is coarse.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolution: Option<f64>,
    /// How values are compared, where not by ratio.
    #[serde(default, skip_serializing_if = "Scale::is_ratio")]
    pub scale: Scale,
    /// Where.
    pub environment: EnvironmentName,
    /// One element a round; none where the round failed (never zero).
    pub values: Vec<Option<f64>>,
}

impl Series {
    /// The metric's name.
    pub fn key(&self) -> MetricKey {
        MetricKey::new(&self.workload, &self.case, &self.metric)
    }

    /// The values of the rounds that did not fail, in order of rounds.
    pub fn measured(&self) -> impl Iterator<Item = f64> + '_ {
        self.values.iter().flatten().copied()
    }
}
