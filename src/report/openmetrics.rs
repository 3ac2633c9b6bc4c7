//! `OpenMetrics` text, for the textfile collector of Prometheus' `node_exporter` and whatever else reads the format.
//!
//! Source: `OpenMetrics` 1.0, <https://prometheus.io/docs/specs/om/open_metrics_spec/>. Tolls are ratios (0.22 is 22 %), as the
//! format wants them; what was not measured has no line, rather than a zero.

use super::clean;
use crate::model::{Base, EnvironmentName, GateResult, HostClass, Judgement, SweepSamples, VerdictKind};
use chrono::{DateTime, Utc};
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use std::sync::atomic::AtomicU64;

type Labels = Vec<(&'static str, String)>;

/// What all gauges are of.
#[derive(Clone, Copy)]
struct Of<'a> {
    host_class: &'a HostClass,
    /// Samples do not say it; an empty label is as good as none.
    profile: &'a str,
    accelerator: Option<&'a str>,
    judgement: &'a Judgement,
}

/// Gauges of one name.
struct Gauges<'a> {
    of: Of<'a>,
    family: Family<Labels, Gauge<f64, AtomicU64>>,
}

impl<'a> Gauges<'a> {
    fn new(registry: &mut Registry, of: Of<'a>, name: &str, help: &str) -> Self {
        let family = Family::default();
        registry.register(name, help, family.clone());
        Self { of, family }
    }

    /// Adds a value; one that is no number is no value.
    fn set(&self, labels: &[(&'static str, &str)], value: f64) {
        if !value.is_finite() {
            return;
        }
        let common = [("host_class", self.of.host_class.as_str()), ("profile", self.of.profile)];
        let all = common.iter().chain(labels).map(|(name, value)| (*name, clean::text(value))).collect();
        self.family.get_or_create(&all).set(value);
    }
}

/// A gate's result, or that of a stored sweep.
pub fn gate_openmetrics(result: &GateResult) -> String {
    let of = Of {
        host_class: &result.host_class,
        profile: &result.profile,
        accelerator: result.accelerator.as_deref(),
        judgement: &result.judgement,
    };
    let measured = result.cells.iter().map(|c| Toll {
        metric: [&c.workload, &c.case, &c.metric],
        environment: &c.environment,
        pct: c.toll_pct,
    });
    written(|registry| {
        tolls(registry, of, measured);
        verdicts(registry, of);
        sweep(registry, of, result);
    })
}

/// Verdicts without a sweep: two samples files. It is the state of the newest of the `candidates`, with the verdicts on it: the format
/// has one value for each metric, and the past is what its reader keeps itself.
pub fn judgement_openmetrics(judgement: &Judgement, candidates: &[SweepSamples]) -> String {
    let Some(newest) = candidates.iter().max_by_key(|c| c.started_at) else { return written(|_| ()) };
    let of = Of { host_class: &newest.host_class, profile: "", accelerator: None, judgement };
    let judged = judgement.verdicts.iter().map(|v| Toll {
        metric: [&v.workload, &v.case, &v.metric],
        environment: &v.environment,
        pct: v.toll_now_pct,
    });
    written(|registry| {
        tolls(registry, of, judged);
        verdicts(registry, of);
        began(registry, of, newest.started_at);
    })
}

fn written(fill: impl FnOnce(&mut Registry)) -> String {
    let mut registry = Registry::with_prefix("tollgate");
    fill(&mut registry);
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

/// Of a metric in an environment.
struct Toll<'a> {
    /// Workload, case, metric.
    metric: [&'a str; 3],
    environment: &'a EnvironmentName,
    pct: Option<f64>,
}

fn tolls<'a>(registry: &mut Registry, of: Of<'_>, known: impl Iterator<Item = Toll<'a>>) {
    let help = "What the environment costs against native, as a ratio; positive is worse";
    let tolls = Gauges::new(registry, of, "toll_ratio", help);
    for toll in known {
        let environment = toll.environment.to_string();
        let labels = place(toll.metric, &environment, accelerator(of, toll.environment));
        tolls.set(&labels, toll.pct.map_or(f64::NAN, |pct| pct / 100.0));
    }
}

/// The labels that say which metric it is, and where.
fn place<'a>(
    [workload, case, metric]: [&'a str; 3],
    environment: &'a str,
    accelerator: &'a str,
) -> [(&'static str, &'a str); 5] {
    [
        ("workload", workload),
        ("case", case),
        ("metric", metric),
        ("environment", environment),
        ("accelerator", accelerator),
    ]
}

/// What virtual machines ran under: an emulator's toll is not KVM's. Empty, which is as good as no label, for others.
fn accelerator<'a>(of: Of<'a>, environment: &EnvironmentName) -> &'a str {
    of.accelerator.filter(|_| environment.base() == Base::Kvm).unwrap_or_default()
}

fn verdicts(registry: &mut Registry, of: Of<'_>) {
    let help = "Change of the toll since the baseline, as a ratio";
    let changes = Gauges::new(registry, of, "toll_change_ratio", help);
    for v in &of.judgement.verdicts {
        let environment = v.environment.to_string();
        let place = place([&v.workload, &v.case, &v.metric], &environment, accelerator(of, &v.environment));
        let labels: Vec<_> = place.into_iter().chain([("verdict", v.verdict.as_str())]).collect();
        changes.set(&labels, v.change_pct.map_or(f64::NAN, |pct| pct / 100.0));
    }
    let counts = Gauges::new(registry, of, "verdicts", "How many metrics have each verdict");
    for kind in VerdictKind::ALL {
        let number = of.judgement.verdicts.iter().filter(|v| v.verdict == kind).count();
        counts.set(&[("verdict", kind.as_str())], u32::try_from(number).map_or(f64::NAN, f64::from));
    }
    let decision = Gauges::new(registry, of, "decision", "1 for the decision that was made");
    decision.set(&[("decision", of.judgement.decision.as_str())], 1.0);
}

fn sweep(registry: &mut Registry, of: Of<'_>, result: &GateResult) {
    let Some(at) = result.started_at else { return };
    began(registry, of, at);
    let took = Gauges::new(registry, of, "sweep_duration_seconds", "How long the sweep took");
    took.set(&[], result.timing.wall_s);
    let help = "Share of the sweep's time in which no trial ran";
    let share = Gauges::new(registry, of, "sweep_harness_ratio", help);
    share.set(&[], result.timing.harness_share);
}

fn began(registry: &mut Registry, of: Of<'_>, at: DateTime<Utc>) {
    let help = "When the sweep began, seconds since 1970";
    let began = Gauges::new(registry, of, "sweep_start_timestamp_seconds", help);
    began.set(&[], u32::try_from(at.timestamp()).map_or(f64::NAN, f64::from));
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
    fn two_files_give_the_state_of_the_newest_candidate() {
        let judgement = fixtures::small_regression().judgement;
        let text = include_str!("../../tests/fixtures/samples/candidate.csv");
        let candidates = crate::samples::parse(text, "candidate.csv").expect("the fixture");
        let text = judgement_openmetrics(&judgement, &candidates);
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
