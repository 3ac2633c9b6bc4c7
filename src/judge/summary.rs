//! One sweep in short: every metric in every environment, for reports.

use super::whole;
use crate::{
    model::{Cell, CellState, CellSummary, EnvironmentName, Scale, Series, Sweep},
    stats::robust,
};

/// Every metric in every environment, native included, with its state. A cell that failed or is unavailable and so has no
/// series gets one summary for each metric that another environment (native first) has of the same case, so
/// that what could not be measured is seen next to what could.
pub fn cells(sweep: &Sweep) -> Vec<CellSummary> {
    let mut out: Vec<CellSummary> = sweep.series.iter().map(|s| of_series(sweep, s)).collect();
    for cell in sweep.cells.iter().filter(|c| c.state != CellState::Ok) {
        let same_case = |s: &&Series| s.workload == cell.workload && s.case == cell.case;
        if sweep.series.iter().filter(same_case).any(|s| s.environment == cell.environment) {
            continue;
        }
        // Other environments may know metrics that native could not measure; each metric once.
        let mut models: Vec<&Series> = sweep.series.iter().filter(same_case).collect();
        models.sort_by(|a, b| (&a.metric, &a.environment).cmp(&(&b.metric, &b.environment)));
        models.dedup_by(|a, b| a.metric == b.metric);
        out.extend(models.into_iter().map(|s| of_absent(cell, s)));
    }
    out.sort_by(|a, b| {
        let key = |c: &CellSummary| (c.workload.clone(), c.case.clone(), c.metric.clone());
        key(a).cmp(&key(b)).then_with(|| a.environment.cmp(&b.environment))
    });
    out
}

fn of_series(sweep: &Sweep, series: &Series) -> CellSummary {
    let cell = sweep.cells.iter().find(|c| {
        c.workload == series.workload && c.case == series.case && c.environment == series.environment
    });
    let values: Vec<f64> = series.measured().filter(|v| series.scale.accepts(*v)).collect();
    let (state, reason) = match cell {
        Some(cell) if cell.state != CellState::Ok => (cell.state, cell.reason.clone()),
        _ if values.is_empty() => {
            let why =
                cell.and_then(|c| c.reason.clone()).unwrap_or_else(|| "no round gave a value".to_owned());
            (CellState::MeasurementFailed, Some(why))
        }
        cell => (CellState::Ok, cell.and_then(|c| c.reason.clone())),
    };
    let ok = state == CellState::Ok;
    CellSummary {
        workload: series.workload.clone(),
        case: series.case.clone(),
        metric: series.metric.clone(),
        unit: series.unit.clone(),
        better: series.better,
        environment: series.environment.clone(),
        state,
        reason,
        rounds: whole(values.len()),
        // What an environment measured that is not what its label says is no figure of it.
        median: robust::median(&values).filter(|_| ok),
        toll_pct: toll_pct(sweep, series).filter(|_| ok),
    }
}

fn of_absent(cell: &Cell, model: &Series) -> CellSummary {
    CellSummary {
        workload: model.workload.clone(),
        case: model.case.clone(),
        metric: model.metric.clone(),
        unit: model.unit.clone(),
        better: model.better,
        environment: cell.environment.clone(),
        state: cell.state,
        reason: cell.reason.clone(),
        rounds: 0,
        median: None,
        toll_pct: None,
    }
}

/// Median over the rounds of the paired toll, percent; none for native, without a pair, and for a metric that is not
/// compared by ratio.
fn toll_pct(sweep: &Sweep, series: &Series) -> Option<f64> {
    let failed = |c: &Cell| {
        c.environment.is_native()
            && c.workload == series.workload
            && c.case == series.case
            && c.state != CellState::Ok
    };
    if series.environment.is_native() || series.scale != Scale::Ratio || sweep.cells.iter().any(failed) {
        return None;
    }
    let native =
        sweep.series.iter().find(|s| s.environment == EnvironmentName::NATIVE && s.key() == series.key())?;
    robust::median(&round_tolls(series, native)).map(super::percent).filter(|p| p.is_finite())
}

/// The toll of each round of a metric that is compared by ratio, in logs, positive = worse: of the rounds that both have, in
/// their order.
pub fn round_tolls(series: &Series, native: &Series) -> Vec<f64> {
    let sign = series.better.sign();
    let usable = |value: &f64| Scale::Ratio.accepts(*value);
    let pairs = series.values.iter().zip(&native.values);
    pairs
        .filter_map(|(value, reference)| value.filter(|v| usable(v)).zip(reference.filter(|v| usable(v))))
        .map(|(value, reference)| sign * (value.ln() - reference.ln()))
        .collect()
}

#[cfg(test)]
#[path = "summary_tests.rs"]
mod tests;
