//! What the judge says. The JSON of these types is a documented format (`docs/formats.md`).

use super::{Better, Drift, EnvironmentName, Family, SweepId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The verdict on one metric in one environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum VerdictKind {
    /// The toll rose, by at least the threshold, confirmed.
    Regressed,
    /// It looks as if it rose; not confirmed by fresh sweeps yet.
    Suspected,
    /// It could not be measured this time.
    MeasurementFailed,
    /// In the baseline, but not in the candidate.
    Missing,
    /// Neither a change nor its absence could be shown; `mde80_pct` says what would have been seen.
    Inconclusive,
    /// The toll fell, by at least the threshold.
    Improved,
    /// Nothing comparable to judge against.
    NoBaseline,
    /// Proven: a rise by the threshold or more is excluded.
    Unchanged,
}

impl VerdictKind {
    /// Every kind, worst first.
    pub const ALL: [Self; 8] = [
        Self::Regressed,
        Self::Suspected,
        Self::MeasurementFailed,
        Self::Missing,
        Self::Inconclusive,
        Self::Improved,
        Self::NoBaseline,
        Self::Unchanged,
    ];

    /// The word used in files and tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Regressed => "regressed",
            Self::Suspected => "suspected",
            Self::MeasurementFailed => "measurement-failed",
            Self::Missing => "missing",
            Self::Inconclusive => "inconclusive",
            Self::Improved => "improved",
            Self::NoBaseline => "no-baseline",
            Self::Unchanged => "unchanged",
        }
    }

    /// Whether there were numbers on both sides.
    pub fn is_compared(self) -> bool {
        !matches!(self, Self::NoBaseline | Self::MeasurementFailed | Self::Missing)
    }
}

/// Where a change of the toll comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Attribution {
    /// The environment's own values became worse.
    EnvironmentSlower,
    /// The native values became better; no regression of the container or VM.
    NativeFaster,
    /// The environment's own values became better: the mirror image, of an improvement.
    EnvironmentFaster,
    /// The native values became worse; no improvement of the container or VM.
    NativeSlower,
    /// Both.
    Both,
    /// Neither alone is significant.
    Unclear,
}

/// One verdict. Percentages are of the ratio (exp of the log - 1, times 100), positive = worse.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// Workload.
    pub workload: String,
    /// Case.
    pub case: String,
    /// Metric.
    pub metric: String,
    /// Unit of `native`.
    pub unit: String,
    /// Direction.
    pub better: Better,
    /// Which metrics it shares thresholds and alerts with; none in results of before there was this field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub family: Option<Family>,
    /// Where.
    pub environment: EnvironmentName,
    /// The verdict.
    pub verdict: VerdictKind,
    /// Median of the native values of the judged sweeps, in `unit`.
    pub native: Option<f64>,
    /// The toll of the baseline, percent.
    pub toll_before_pct: Option<f64>,
    /// The toll of the judged sweeps, percent.
    pub toll_now_pct: Option<f64>,
    /// The change of the toll, percent of the ratio.
    pub change_pct: Option<f64>,
    /// Its 95 % confidence interval, percent.
    pub ci95_pct: Option<[f64; 2]>,
    /// One-sided p-value of "it rose".
    pub p: Option<f64>,
    /// The same after Benjamini-Hochberg over the whole suite; none with one candidate sweep.
    pub q: Option<f64>,
    /// The smallest rise that this comparison would have found four times in five, percent.
    pub mde80_pct: Option<f64>,
    /// The smallest rise worth a person's time (delta of the policy) with which this verdict was made, percent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold_pct: Option<f64>,
    /// Where the change comes from; only for changes.
    pub attribution: Option<Attribution>,
    /// Sweeps in the baseline.
    pub sweeps_baseline: u32,
    /// Sweeps judged.
    pub sweeps_candidate: u32,
    /// Whether it belongs to a movement of its whole environment ([`Judgement::common`]): such verdicts are one
    /// alert, not many.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub common: bool,
    /// The numbers of a metric that is compared by differences or exactly; its percentages are absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub absolute: Option<Absolute>,
    /// The cheapest way to see a rise by the threshold, when this comparison could not; none also where no number
    /// of rounds and sweeps would do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub would_help: Option<Effort>,
    /// Why this verdict, in a sentence a person understands.
    pub reason: String,
}

/// Environment minus native, in the metric's unit, positive = worse.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Absolute {
    /// Of the baseline.
    pub before: f64,
    /// Of the judged sweeps.
    pub now: f64,
    /// The change.
    pub change: f64,
    /// The smallest rise worth a person's time.
    pub threshold: f64,
}

/// How much measuring a comparison takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Effort {
    /// Accepted sweeps in the baseline.
    pub baseline_sweeps: u32,
    /// Fresh sweeps that confirm.
    pub fresh_sweeps: u32,
    /// Rounds of each sweep.
    pub rounds: u32,
}

/// So many metrics of an environment moved at once in one sweep that the sweep itself is suspect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommonMode {
    /// In which sweep.
    pub sweep: SweepId,
    /// Where; `native` when the native values themselves moved.
    pub environment: EnvironmentName,
    /// Whether they became worse (else better).
    pub worse: bool,
    /// Metrics that moved.
    pub moved: u32,
    /// Metrics of the environment in the suite.
    pub of: u32,
}

/// What a gate does with all verdicts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Decision {
    /// No metric regressed or is suspected, and something was judged or recorded.
    Pass,
    /// At least one metric regressed.
    Regressed,
    /// Something is suspected, or nothing could be shown.
    Inconclusive,
    /// Nothing could be measured.
    NotMeasured,
}

impl Decision {
    /// The word used in files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Regressed => "regressed",
            Self::Inconclusive => "inconclusive",
            Self::NotMeasured => "not-measured",
        }
    }
}

/// All verdicts of one comparison: the JSON of `judge --format json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Judgement {
    /// Version of this format; see [`super::format::JUDGEMENT_FORMAT`].
    pub version: u32,
    /// What a gate does with it.
    pub decision: Decision,
    /// How many of each verdict; every verdict is named, also with 0.
    pub summary: BTreeMap<VerdictKind, u32>,
    /// The verdicts: worst first, then by workload, case, metric, environment.
    pub verdicts: Vec<Verdict>,
    /// Sweeps in which whole environments moved at once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub common: Vec<CommonMode>,
    /// Slow changes over many accepted sweeps that no single comparison shows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub drifts: Vec<Drift>,
}

impl Judgement {
    /// Of nothing that was judged.
    pub fn nothing(version: u32, decision: Decision) -> Self {
        Self {
            version,
            decision,
            summary: VerdictKind::ALL.map(|kind| (kind, 0)).into(),
            verdicts: Vec::new(),
            common: Vec::new(),
            drifts: Vec::new(),
        }
    }
}
