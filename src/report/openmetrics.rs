//! `OpenMetrics` text, for the textfile collector of Prometheus' `node_exporter` and whatever else reads the format.
//!
//! Source: `OpenMetrics` 1.0, <https://prometheus.io/docs/specs/om/open_metrics_spec/>. Tolls are ratios (0.22 is 22 %), as the
//! format wants them; what was not measured has no line, rather than a zero.

use super::clean;
use crate::model::{Base, EnvironmentName, GateResult, VerdictKind};
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use std::sync::atomic::AtomicU64;

type Labels = Vec<(&'static str, String)>;

/// Gauges of one name.
struct Gauges<'a> {
    of: &'a GateResult,
    family: Family<Labels, Gauge<f64, AtomicU64>>,
}

impl<'a> Gauges<'a> {
    fn new(registry: &mut Registry, of: &'a GateResult, name: &str, help: &str) -> Self {
        let family = Family::default();
        registry.register(name, help, family.clone());
        Self { of, family }
    }

    /// Adds a value; one that is no number is no value.
    fn set(&self, labels: &[(&'static str, &str)], value: f64) {
        if !value.is_finite() {
            return;
        }
        let common = [("host_class", self.of.host_class.as_str()), ("profile", self.of.profile.as_str())];
        let all = common.iter().chain(labels).map(|(name, value)| (*name, clean::text(value))).collect();
        self.family.get_or_create(&all).set(value);
    }
}

/// A gate's result, or that of a stored sweep.
pub fn gate_openmetrics(result: &GateResult) -> String {
    let mut registry = Registry::with_prefix("tollgate");
    tolls(&mut registry, result);
    verdicts(&mut registry, result);
    sweep(&mut registry, result);
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = encode(&mut text, &registry);
    in_order(&text)
}

/// The registry gives the samples of a family in any order; the same result is the same text here.
fn in_order(text: &str) -> String {
    let mut lines: Vec<&str> = text.lines().collect();
    for family in lines.split_mut(|line| line.starts_with('#')) {
        family.sort_unstable();
    }
    lines.join("\n") + "\n"
}

fn tolls(registry: &mut Registry, result: &GateResult) {
    let help = "What the environment costs against native, as a ratio; positive is worse";
    let tolls = Gauges::new(registry, result, "toll_ratio", help);
    for c in &result.cells {
        let environment = c.environment.to_string();
        let labels = [
            ("workload", c.workload.as_str()),
            ("case", &c.case),
            ("metric", &c.metric),
            ("environment", &environment),
            ("accelerator", accelerator(result, &c.environment)),
        ];
        tolls.set(&labels, c.toll_pct.map_or(f64::NAN, |pct| pct / 100.0));
    }
}

/// What virtual machines ran under: an emulator's toll is not KVM's. Empty, which is as good as no label, for others.
fn accelerator<'a>(result: &'a GateResult, environment: &EnvironmentName) -> &'a str {
    let of = result.accelerator.as_deref().filter(|_| environment.base() == Base::Kvm);
    of.unwrap_or_default()
}

fn verdicts(registry: &mut Registry, result: &GateResult) {
    let help = "Change of the toll since the baseline, as a ratio";
    let changes = Gauges::new(registry, result, "toll_change_ratio", help);
    for v in &result.judgement.verdicts {
        let environment = v.environment.to_string();
        let labels = [
            ("workload", v.workload.as_str()),
            ("case", &v.case),
            ("metric", &v.metric),
            ("environment", &environment),
            ("accelerator", accelerator(result, &v.environment)),
            ("verdict", v.verdict.as_str()),
        ];
        changes.set(&labels, v.change_pct.map_or(f64::NAN, |pct| pct / 100.0));
    }
    let counts = Gauges::new(registry, result, "verdicts", "How many metrics have each verdict");
    for kind in VerdictKind::ALL {
        let number = result.judgement.verdicts.iter().filter(|v| v.verdict == kind).count();
        counts.set(&[("verdict", kind.as_str())], u32::try_from(number).map_or(f64::NAN, f64::from));
    }
    let decision = Gauges::new(registry, result, "decision", "1 for the decision that was made");
    decision.set(&[("decision", result.judgement.decision.as_str())], 1.0);
}

fn sweep(registry: &mut Registry, result: &GateResult) {
    let Some(at) = result.started_at else { return };
    let help = "When the sweep began, seconds since 1970";
    let began = Gauges::new(registry, result, "sweep_start_timestamp_seconds", help);
    began.set(&[], u32::try_from(at.timestamp()).map_or(f64::NAN, f64::from));
    let took = Gauges::new(registry, result, "sweep_duration_seconds", "How long the sweep took");
    took.set(&[], result.timing.wall_s);
    let help = "Share of the sweep's time in which no trial ran";
    let share = Gauges::new(registry, result, "sweep_harness_ratio", help);
    share.set(&[], result.timing.harness_share);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixtures;

    #[test]
    fn tolls_are_ratios_and_what_was_not_measured_has_no_line() {
        let text = gate_openmetrics(&fixtures::small_regression());
        insta::assert_snapshot!(text);
        assert!(!text.contains("NaN"));
    }

    #[test]
    fn a_hostile_name_stays_within_its_label() {
        let text = gate_openmetrics(&fixtures::hostile());
        for line in text.lines().filter(|l| !l.starts_with('#')) {
            let value = line.rsplit(' ').next().expect("a value");
            assert!(line.starts_with("tollgate_") && value.parse::<f64>().is_ok(), "{line}");
        }
        assert!(text.ends_with("# EOF\n"));
    }
}
