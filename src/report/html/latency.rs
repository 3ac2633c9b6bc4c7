//! Latency over percentile, a chart for each case that knows at least two.

use crate::model::{CellState, EnvironmentName, GateResult};
use crate::report::Evidence;
use crate::report::chart::{Curve, curve};
use crate::report::{clean, view};
use maud::{Markup, html};
use std::collections::{BTreeMap, BTreeSet};

/// Percentile and latency of each environment, and the unit.
type Latencies<'a> = (BTreeMap<&'a EnvironmentName, Vec<(f64, f64)>>, &'a str);

/// Workload, case, and what is late of it, where it has several latencies.
type Name<'a> = (&'a str, &'a str, &'a str);

/// The section; nothing without latencies.
pub(super) fn section(result: &GateResult, evidence: Option<&Evidence>, warning: Option<&str>) -> Markup {
    let cases = cases(result, evidence);
    let environments: BTreeSet<&EnvironmentName> =
        cases.values().flat_map(|(lines, _)| lines.keys().copied()).collect();
    let styles: BTreeMap<&EnvironmentName, usize> = environments.into_iter().zip(0..).collect();
    html! {
        @if !cases.is_empty() {
            section {
                h2 { "Latency by percentile" }
                p.caption {
                    "Medians over the rounds; each axis of latencies is logarithmic. What rises steeply to the right keeps a few "
                    "requests waiting that the mean does not show."
                    @if let Some(warning) = warning { " " b { (warning) "." } }
                }
                p.key.lines {
                    @for (environment, style) in &styles {
                        span class={ "e" (style % curve::STYLES) } {
                            svg viewBox="0 0 28 12" aria-hidden="true" { path d="M0 6h28" {} (curve::mark(*style, 14.0, 6.0)) }
                            (view::label(environment, result.is_emulated()))
                        }
                    }
                }
                div.stamps.curves {
                    @for (name, latencies) in &cases { (chart(*name, latencies, &styles, result)) }
                }
            }
        }
    }
}

fn chart(
    (workload, case, of): Name<'_>,
    (lines, unit): &Latencies<'_>,
    styles: &BTreeMap<&EnvironmentName, usize>,
    result: &GateResult,
) -> Markup {
    let name = clean::name(format!("{workload} {case} {of}").trim_end());
    let line = |(environment, points): (&&EnvironmentName, &Vec<(f64, f64)>)| curve::Line {
        style: styles.get(environment).copied().unwrap_or_default(),
        name: view::label(environment, result.is_emulated()),
        points: points.clone(),
    };
    let curve = Curve {
        title: format!("Latency of {name} by percentile, in {}", clean::name(unit)),
        unit: clean::name(unit),
        lines: lines.iter().map(line).collect(),
    };
    let places: Vec<&str> = curve.lines.iter().map(|l| l.name.as_str()).collect();
    html! { figure { figcaption { b { (name) } " in " (places.join(", ")) } (curve.draw()) } }
}

/// Each distribution that the sweep tells, else what metrics are percentiles of one latency: `p50` and `p99`, `clat-p50` and
/// `clat-p99`.
fn cases<'a>(result: &'a GateResult, evidence: Option<&'a Evidence>) -> BTreeMap<Name<'a>, Latencies<'a>> {
    let mut cases: BTreeMap<Name<'a>, Latencies<'a>> = BTreeMap::new();
    for cell in evidence.iter().flat_map(|e| &e.sweep.cells) {
        let told: Vec<(f64, f64)> = cell.latencies.iter().copied().filter(curve::has_place).collect();
        if told.len() > 1 {
            let case =
                cases.entry((&cell.workload, &cell.case, "")).or_insert_with(|| (BTreeMap::new(), "us"));
            case.0.insert(&cell.environment, told);
        }
    }
    let told: BTreeSet<(&str, &str)> = cases.keys().map(|(w, c, _)| (*w, *c)).collect();
    for cell in result.cells.iter().filter(|c| c.state == CellState::Ok) {
        let Some(((of, percentile), median)) = percentile(&cell.metric).zip(cell.median) else { continue };
        let time = matches!(cell.unit.as_str(), "ns" | "us" | "ms" | "s");
        if !time || !curve::has_place(&(percentile, median)) || told.contains(&(&cell.workload, &cell.case)) {
            continue;
        }
        let name = (cell.workload.as_str(), cell.case.as_str(), of);
        let case = cases.entry(name).or_insert_with(|| (BTreeMap::new(), &cell.unit));
        if case.1 == cell.unit {
            case.0.entry(&cell.environment).or_default().push((percentile, median));
        }
    }
    for (lines, _) in cases.values_mut() {
        for points in lines.values_mut() {
            points.sort_by(|a, b| a.0.total_cmp(&b.0));
        }
        lines.retain(|_, points| points.len() > 1);
    }
    cases.retain(|_, (lines, _)| !lines.is_empty());
    cases
}

/// `clat` and 99.9 of `clat-p999`, nothing and 50 of `p50`: two digits, then decimals.
fn percentile(metric: &str) -> Option<(&str, f64)> {
    let (of, name) = metric.rsplit_once('-').unwrap_or(("", metric));
    let digits = name.strip_prefix('p')?;
    if digits.len() < 2 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let (whole, decimals) = digits.split_at(2);
    Some((of, format!("{whole}.{decimals}0").parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixtures;

    #[test]
    fn names_of_percentiles() {
        let found = ["p50", "clat-p99", "p999", "stop-p9999"].map(percentile);
        assert_eq!(found, [Some(("", 50.0)), Some(("clat", 99.0)), Some(("", 99.9)), Some(("stop", 99.99))]);
        assert_eq!(["iops", "p", "p5", "cpu-p", "px50"].map(percentile), [None; 5]);
    }

    #[test]
    fn cases_with_two_percentiles_have_a_curve_for_each_environment() {
        let result = fixtures::regression();
        let page = section(&result, None, Some("said")).into_string();
        assert!(page.contains("Latency of redis get-c1 by percentile, in ms"), "{page}");
        assert!(page.contains("said") && !page.contains("xz"));
        assert!(page.contains("</b> in native, docker, docker+nat, kvm (TCG)</figcaption>"), "{page}");
    }

    #[test]
    fn what_is_no_latency_is_left_out() {
        let mut sweep = fixtures::recorded();
        for cell in sweep.cells.iter_mut().filter(|c| c.workload == "rr") {
            cell.latencies = vec![(50.0, -20.0), (90.0, 0.0), (99.0, 60.0)];
        }
        let evidence = Evidence::alone(&sweep, crate::judge::Policy::default());
        let result = fixtures::nothing_changed();
        let told = cases(&result, Some(&evidence));
        assert!(told.keys().all(|(workload, ..)| *workload != "rr"), "one point is no curve: {told:?}");
    }

    #[test]
    fn what_the_sweep_tells_takes_the_place_of_its_metrics() {
        let mut sweep = fixtures::recorded();
        let cell = sweep.cells.iter_mut().find(|c| c.workload == "rr" && c.case == "tcp").expect("a cell");
        cell.latencies = vec![(50.0, 20.0), (90.0, 25.0), (99.0, 60.0)];
        let evidence = Evidence::alone(&sweep, crate::judge::Policy::default());
        let result = fixtures::regression();
        let cases = cases(&result, Some(&evidence));
        let (lines, unit) = &cases[&("rr", "tcp", "")];
        assert_eq!((lines.len(), *unit), (1, "us"));
        assert!(
            lines.values().all(|points| points.len() == 3) && cases.contains_key(&("redis", "get-c1", ""))
        );
    }
}
