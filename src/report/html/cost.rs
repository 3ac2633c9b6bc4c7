//! What throughput costs in processor time: two tolls side by side, because an environment may hide the one in the other.

use super::charts::Pair;
use super::tables::breakable;
use crate::model::{Better, CellState, CellSummary, EnvironmentName, GateResult};
use crate::report::{clean, number};
use maud::{Markup, html};
use std::collections::BTreeMap;

/// A case in an environment: its throughput and what a unit of it costs.
struct Row<'a> {
    throughput: &'a CellSummary,
    cost: &'a CellSummary,
}

/// The section; nothing where no case knows both.
pub(super) fn section(result: &GateResult, warning: Option<&str>) -> Markup {
    let rows = rows(result);
    let tolls = rows.iter().flat_map(|r| [r.throughput.toll_pct, r.cost.toll_pct]).flatten();
    let pair = Pair::over(tolls);
    html! {
        @if !rows.is_empty() {
            section {
                h2 { "Processor time beside throughput" }
                p.caption {
                    "Tolls in percent, of what a second brings (○) and of the processor time that each piece of it costs (■). Where only the "
                    "second rises, the host pays in processors what the benchmark does not show."
                    @if let Some(warning) = warning { " " b { (warning) "." } }
                }
                div.scroll tabindex="0" role="group" aria-label="Processor time beside throughput" {
                    table.costs data-sort="" data-filter="Show only rows like …" {
                        thead {
                            tr {
                                th scope="col" { "case" }
                                th scope="col" { "environment" }
                                th.n scope="col" { "throughput" }
                                th.n scope="col" { "toll ○" }
                                th.n scope="col" { "processor time" }
                                th.n scope="col" { "toll ■" }
                                th scope="col" { span.unseen { "drawing" } (pair.axis()) }
                            }
                        }
                        tbody { @for row in &rows { (line(row, result, &pair)) } }
                    }
                }
            }
        }
    }
}

fn line(row: &Row<'_>, result: &GateResult, pair: &Pair) -> Markup {
    let value = |c: &CellSummary| number::value(c.median.unwrap_or(f64::NAN), &clean::name(&c.unit));
    let toll = |c: &CellSummary| {
        c.toll_pct.map_or_else(|| number::NONE.to_owned(), |t| number::printed(&number::toll(t)))
    };
    let sort = |of: Option<f64>| of.map(|v| format!("{v:.4}"));
    let (t, c) = (row.throughput, row.cost);
    html! {
        tr {
            th scope="row" { (clean::name(&t.workload)) " " (clean::name(&t.case)) }
            td data-l="in" { (breakable(&t.environment, result.is_emulated())) }
            td.n data-l="throughput" data-v=[sort(t.median)] { (value(t)) }
            td.n data-l="toll ○" data-v=[sort(t.toll_pct)] { (toll(t)) }
            td.n data-l="processor time" data-v=[sort(c.median)] { (value(c)) }
            td.n data-l="toll ■" data-v=[sort(c.toll_pct)] { (toll(c)) }
            td.drawing { (pair.draw(t.toll_pct, c.toll_pct)) }
        }
    }
}

/// Every case and environment but native that has a rate and a cost in processor time, with tolls of both.
fn rows(result: &GateResult) -> Vec<Row<'_>> {
    type Both<'a> = (Option<&'a CellSummary>, Option<&'a CellSummary>);
    let mut order: Vec<(&str, &str, &EnvironmentName)> = Vec::new();
    let mut found: BTreeMap<(&str, &str, &EnvironmentName), Both<'_>> = BTreeMap::new();
    let tolled = |c: &&CellSummary| c.state == CellState::Ok && c.toll_pct.is_some_and(f64::is_finite);
    for cell in result.cells.iter().filter(tolled) {
        let key = (cell.workload.as_str(), cell.case.as_str(), &cell.environment);
        let both = found.entry(key).or_insert_with(|| {
            order.push(key);
            (None, None)
        });
        if cell.unit.starts_with("CPU-") {
            both.1.get_or_insert(cell);
        } else if cell.better == Better::Higher {
            both.0.get_or_insert(cell);
        }
    }
    let row = |key| {
        let (throughput, cost) = found.get(&key)?;
        Some(Row { throughput: (*throughput)?, cost: (*cost)? })
    };
    order.into_iter().filter_map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixtures;

    #[test]
    fn what_has_a_rate_and_a_cost_is_a_row_for_each_environment() {
        let result = fixtures::regression();
        let rows = rows(&result);
        assert!(
            rows.iter().all(|r| r.cost.unit.starts_with("CPU-") && !r.throughput.environment.is_native())
        );
        let xz = rows.iter().filter(|r| r.throughput.workload == "xz").count();
        assert_eq!((xz, rows.iter().any(|r| r.throughput.workload == "redis")), (4, false));
        assert!(section(&result, Some("said")).into_string().contains("said"));
        assert_eq!(section(&fixtures::nothing_changed(), None).into_string(), "");
    }
}
