//! The whole sweep at a glance: a workload a row, an environment a column, the median toll of their metrics in each.

use super::tables::{breakable, heat_step};
use crate::model::{CellState, EnvironmentName, GateResult, VerdictKind};
use crate::report::{clean, number, view};
use crate::stats::robust;
use maud::{Markup, html};
use std::collections::{BTreeMap, BTreeSet};

/// One field of the map.
#[derive(Debug, Default)]
struct Field {
    /// Tolls of its metrics, percent.
    tolls: Vec<f64>,
    /// Whether anything of it was planned.
    planned: bool,
    /// The worst verdict on a metric of it.
    worst: Option<VerdictKind>,
}

/// The map; nothing where fewer than two workloads have a toll, since the list of metrics says the same.
pub(super) fn map(result: &GateResult, warning: Option<&str>) -> Markup {
    let (workloads, environments, fields) = fields(result);
    let measured: BTreeSet<&str> =
        fields.iter().filter(|(_, f)| !f.tolls.is_empty()).map(|((w, _), _)| *w).collect();
    if measured.len() < 2 {
        return html! {};
    }
    // An environment that this host cannot run is told below, with its reason.
    let environments: Vec<&EnvironmentName> = environments
        .into_iter()
        .filter(|e| fields.iter().any(|((_, of), f)| of == e && !f.tolls.is_empty()))
        .collect();
    html! {
        section {
            h2 { "Where the toll is paid" }
            p.caption {
                "Median toll of each workload's metrics, positive is worse. The sign is that of the worst verdict among them."
                @if let Some(warning) = warning { " " b { (warning) "." } }
            }
            div.scroll tabindex="0" role="group" aria-label="Tolls by workload and environment" {
                table.heat.map data-sort="" data-filter="Show only workloads like …" {
                    thead {
                        tr {
                            th scope="col" { "workload" }
                            @for e in &environments { th.n scope="col" { (breakable(e, result.is_emulated())) } }
                        }
                    }
                    tbody {
                        @for workload in workloads.iter().filter(|w| measured.contains(**w)) {
                            tr {
                                th scope="row" { (clean::name(workload)) }
                                @for e in &environments { (field(fields.get(&(*workload, *e)))) }
                            }
                        }
                    }
                }
            }
        }
    }
}

type Fields<'a> = BTreeMap<(&'a str, &'a EnvironmentName), Field>;

fn fields(result: &GateResult) -> (Vec<&str>, BTreeSet<&EnvironmentName>, Fields<'_>) {
    let mut workloads: Vec<&str> = Vec::new();
    let mut environments = BTreeSet::new();
    let mut fields: Fields<'_> = BTreeMap::new();
    for cell in result.cells.iter().filter(|c| !c.environment.is_native()) {
        if !workloads.contains(&cell.workload.as_str()) {
            workloads.push(&cell.workload);
        }
        environments.insert(&cell.environment);
        let field = fields.entry((&cell.workload, &cell.environment)).or_default();
        field.planned = true;
        field.tolls.extend(cell.toll_pct.filter(|t| t.is_finite() && cell.state == CellState::Ok));
    }
    for v in result.judgement.verdicts.iter().filter(|v| v.verdict != VerdictKind::NoBaseline) {
        if let Some(field) = fields.get_mut(&(v.workload.as_str(), &v.environment)) {
            field.worst = Some(field.worst.map_or(v.verdict, |w| w.min(v.verdict)));
        }
    }
    (workloads, environments, fields)
}

fn field(field: Option<&Field>) -> Markup {
    let Some(field) = field.filter(|f| f.planned) else { return html! { td.absent {} } };
    let Some((median, (low, high))) = robust::median(&field.tolls).zip(robust::range(&field.tolls)) else {
        return html! { td.n.none { "n/a" } };
    };
    let told = format!(
        "{}: {} to {}",
        number::count(field.tolls.len(), "metric"),
        number::printed(&number::toll(low)),
        number::printed(&number::toll(high))
    );
    html! {
        td class={ "n " (heat_step(median)) } title=(told) data-v=(format!("{median:.4}")) {
            (number::printed(&number::toll(median)))
            @if let Some(kind) = field.worst {
                span class={ "mark " (kind.as_str()) } title=(view::words(kind)) { (view::mark(kind)) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixtures;

    #[test]
    fn a_field_is_the_median_of_its_metrics_with_the_sign_of_the_worst() {
        let result = fixtures::regression();
        let (_, _, fields) = fields(&result);
        let nat: EnvironmentName = "docker+nat".parse().expect("a name");
        let redis = &fields[&("redis", &nat)];
        assert_eq!((redis.tolls.len(), redis.worst), (12, Some(VerdictKind::Regressed)));
        let page = map(&result, None).into_string();
        assert!(page.contains("12 metrics: ") && page.contains("▲"), "{page}");
    }

    #[test]
    fn of_one_workload_there_is_no_map() {
        assert_eq!(map(&fixtures::small_regression(), None).into_string(), "");
        assert_eq!(map(&fixtures::nothing_changed(), None).into_string(), "");
    }
}
