//! The rounds of one series in one sweep, read from its file when somebody asks.

use super::super::problem::Problem;
use super::{to_sweep, toll};
use crate::model::{EnvironmentName, Series, SeriesKey, Sweep};
use crate::report::chart::{Axis, Rounds};
use crate::report::{clean, number};
use maud::{Markup, html};

/// One series of a sweep and native's.
pub(in crate::service::http) struct Pair<'a> {
    pub series: &'a Series,
    /// None where the environment is native, or native was not measured.
    pub native: Option<&'a Series>,
}

impl<'a> Pair<'a> {
    /// Of a sweep.
    pub fn of(sweep: &'a Sweep, key: &SeriesKey) -> Result<Self, Problem> {
        let find = |environment: &EnvironmentName| {
            sweep.series.iter().find(|s| s.environment == *environment && s.key() == key.metric)
        };
        let series = find(&key.environment).ok_or(Problem::Nothing("such series in this sweep"))?;
        let native = find(&EnvironmentName::NATIVE).filter(|_| !key.environment.is_native());
        Ok(Self { series, native })
    }

    /// The section of a metric's page.
    pub fn section(&self, sweep: &Sweep) -> Markup {
        let unit = clean::name(&self.series.unit);
        let name = clean::name(&self.series.key().to_string());
        let failed = self.series.values.iter().filter(|v| v.is_none()).count();
        let summary = crate::judge::cells(sweep)
            .into_iter()
            .find(|c| c.environment == self.series.environment && same_metric(c, self.series));
        let native: Vec<Option<f64>> = self.native.map(|n| n.values.clone()).unwrap_or_default();
        let chart = Rounds {
            title: format!("Rounds of {name} in {} of sweep {}", self.series.environment, sweep.sweep),
            axis: Axis::Unit(unit.clone()),
            environment: self.series.values.clone(),
            native,
        };
        html! {
            section {
                h2 { "Rounds of " a href=(to_sweep(&sweep.sweep)) { (sweep.sweep) } }
                @if let Some(summary) = summary {
                    p {
                        "Median " b { (number::value(summary.median.unwrap_or(f64::NAN), &unit)) }
                        " of " (number::count(summary.rounds as usize, "round"))
                        @if let Some(pct) = summary.toll_pct { ", toll " b { (toll(narrow(pct))) } }
                        @if failed > 0 { ", " (failed) " failed" }
                        "."
                        @if let Some(reason) = summary.reason { " " span.soft { (clean::text(&reason)) } }
                    }
                }
                div.chart { (chart.draw()) }
                p.key.chartkey {
                    span { i.accepted {} (self.series.environment) }
                    @if self.native.is_some() { span { i.native {} "native, in the same round" } }
                }
            }
        }
    }
}

fn same_metric(cell: &crate::model::CellSummary, series: &Series) -> bool {
    (&cell.workload, &cell.case, &cell.metric) == (&series.workload, &series.case, &series.metric)
}

#[expect(clippy::cast_possible_truncation, reason = "three digits are shown")]
fn narrow(pct: f64) -> f32 {
    pct as f32
}
