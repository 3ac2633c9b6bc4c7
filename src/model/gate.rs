//! The result of a gate: the JSON of `gate --format json`, and what every report is made from.

use super::sweep::Harness;
use super::{
    Better, CellState, Change, Decision, EnvironmentName, Fingerprint, HostClass, Judgement, Proof, SelfTest,
    Sweep, SweepId, Timing,
};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// Everything that a gate found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GateResult {
    /// The judgement; its fields stand at the top level. `version` is [`super::format::GATE_FORMAT`].
    #[serde(flatten)]
    pub judgement: Judgement,
    /// Components that changed since the last accepted baseline.
    pub changed: Vec<Change>,
    /// The judged sweep; none when nothing changed and so nothing was swept.
    pub sweep: Option<SweepId>,
    /// Whose baselines it was compared with.
    pub host_class: HostClass,
    /// Profile.
    pub profile: String,
    /// When the sweep began.
    pub started_at: Option<DateTime<Utc>>,
    /// When the gate gave up, where nothing could be swept: each outage is one of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed_at: Option<DateTime<Utc>>,
    /// `kvm` or `tcg`; none without a virtual machine.
    pub accelerator: Option<String>,
    /// What the host is made of.
    pub fingerprint: Fingerprint,
    /// Every metric of every environment.
    pub cells: Vec<CellSummary>,
    /// Proofs of the environments' labels.
    pub proofs: Vec<Proof>,
    /// Where the time went.
    pub timing: TimingSummary,
    /// What happened to the sweep, in a phrase that begins with `accepted` when it is a baseline now (and says
    /// why), and otherwise says that it was kept for a person to decide.
    pub baseline: Option<String>,
    /// The issues whose label `tollgate:accept` made the sweep a baseline.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub accepted_issues: Vec<u64>,
    /// Why nothing was measured at all, where the sweep could not even begin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// How the fresh sweeps went that the gate ran after the first one; none when it had no reason to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmation: Option<Confirmation>,
    /// What the judge says of the baselines themselves, in which nothing changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub self_test: Option<SelfTest>,
}

/// The sweeps after the first, and what the time budget allowed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Confirmation {
    /// Every sweep after the first, in order.
    pub sweeps: Vec<ConfirmingSweep>,
    /// Time that the whole gate might take, seconds.
    pub budget_s: f64,
    /// Time that the whole gate took, seconds.
    pub spent_s: f64,
    /// How the budget went, in a sentence: what was re-run, what was left out and why.
    pub account: String,
}

/// One sweep after the first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ConfirmingSweep {
    /// Which.
    pub sweep: SweepId,
    /// Whether it repeated the whole suite because the first sweep was suspect as a whole.
    pub whole: bool,
    /// Cells (case and environment, native left out) that it measured.
    pub cells: u32,
    /// Its wall time, seconds.
    pub wall_s: f64,
}

/// One metric in one environment, in short.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CellSummary {
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
    /// Where.
    pub environment: EnvironmentName,
    /// Whether it was measured.
    pub state: CellState,
    /// Why not, when it was not; what failed, when some rounds did.
    pub reason: Option<String>,
    /// Rounds that gave a value.
    pub rounds: u32,
    /// Median over the rounds, in `unit`.
    pub median: Option<f64>,
    /// Median over the rounds of the toll, percent; none for native.
    pub toll_pct: Option<f64>,
}

/// [`Timing`] with the share that it implies.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct TimingSummary {
    /// Wall time of the sweep, seconds.
    pub wall_s: f64,
    /// Time inside trials, seconds.
    pub in_trials_s: f64,
    /// 1 - `in_trials / wall`.
    pub harness_share: f64,
    /// Where that went, as far as it is known.
    #[serde(default, skip_serializing_if = "Harness::is_unknown")]
    pub harness: Harness,
}

impl From<Timing> for TimingSummary {
    fn from(t: Timing) -> Self {
        Self {
            wall_s: t.wall_s,
            in_trials_s: t.in_trials_s,
            harness_share: t.harness_share(),
            harness: t.harness,
        }
    }
}

impl GateResult {
    /// Whether the sweep is a baseline now.
    pub fn is_accepted(&self) -> bool {
        self.baseline.as_deref().is_some_and(|b| b.starts_with("accepted"))
    }

    /// Whether the virtual machines ran under QEMU's TCG emulation, so that their tolls are the emulator's.
    pub fn is_emulated(&self) -> bool {
        self.accelerator.as_deref() == Some("tcg")
    }

    /// Of a gate that found nothing changed and so swept nothing.
    pub fn unchanged(host_class: HostClass, profile: &str, fingerprint: Fingerprint) -> Self {
        Self::without_sweep(Decision::Pass, host_class, profile, fingerprint)
    }

    /// Of a gate that could not sweep, for a `reason`.
    pub fn not_measured(
        host_class: HostClass,
        profile: &str,
        fingerprint: Fingerprint,
        reason: String,
        failed_at: DateTime<Utc>,
    ) -> Self {
        Self {
            reason: Some(reason),
            failed_at: Some(failed_at),
            ..Self::without_sweep(Decision::NotMeasured, host_class, profile, fingerprint)
        }
    }

    fn without_sweep(
        decision: Decision,
        host_class: HostClass,
        profile: &str,
        fingerprint: Fingerprint,
    ) -> Self {
        Self {
            judgement: Judgement::nothing(super::format::GATE_FORMAT, decision),
            changed: Vec::new(),
            sweep: None,
            host_class,
            profile: profile.to_owned(),
            started_at: None,
            failed_at: None,
            accelerator: None,
            fingerprint,
            cells: Vec::new(),
            proofs: Vec::new(),
            timing: TimingSummary::default(),
            baseline: None,
            accepted_issues: Vec::new(),
            reason: None,
            confirmation: None,
            self_test: None,
        }
    }

    /// The result of a judged sweep. `cells` comes from the judge's summary of the sweep.
    pub fn of_sweep(
        sweep: &Sweep,
        judgement: Judgement,
        changed: Vec<Change>,
        cells: Vec<CellSummary>,
        baseline: Option<String>,
    ) -> Self {
        Self {
            judgement,
            changed,
            sweep: Some(sweep.sweep.clone()),
            host_class: sweep.host_class.clone(),
            profile: sweep.profile.clone(),
            started_at: Some(sweep.started_at),
            failed_at: None,
            accelerator: sweep.accelerator.clone(),
            fingerprint: sweep.fingerprint.clone(),
            cells,
            proofs: sweep.proofs.clone(),
            timing: sweep.timing.into(),
            baseline,
            accepted_issues: Vec::new(),
            reason: None,
            confirmation: None,
            self_test: None,
        }
    }
}
