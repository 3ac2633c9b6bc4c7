//! What one sweep says of one metric in one environment: rounds paired with native.

use crate::model::{CellState, EnvironmentName, MetricKey, Scale, SeriesKey, SweepSamples};

/// Rounds of one sweep that have both values. All are signed, positive = worse, one element a round; natural logs for a
/// metric that is compared by ratio, values in its unit for any other.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Measured {
    /// `x = d (ln v_e - ln v_native)`, or `d (v_e - v_native)`.
    pub toll: Vec<f64>,
    /// `d ln v_e`, or `d v_e`.
    pub environment: Vec<f64>,
    /// `d ln v_native`, or `d v_native`.
    pub native: Vec<f64>,
    /// `v_native`, in the metric's unit, not signed.
    pub reference: Vec<f64>,
}

/// What one sweep says.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Observed {
    /// Enough rounds have both values.
    Measured(Measured),
    /// It was tried and did not work, and why.
    Failed(String),
    /// The host could not run it, and why.
    Unavailable(String),
    /// The sweep does not speak of it.
    Absent,
}

/// Pairs the rounds of `key` with those of native. The measurement failed when fewer than `min_share` of the rounds (those
/// that either side has) give a pair of values that `scale` accepts.
pub(super) fn observe(sweep: &SweepSamples, key: &SeriesKey, scale: Scale, min_share: f64) -> Observed {
    match cell(sweep, &key.metric, &key.environment) {
        Some((CellState::Unavailable, why)) => return Observed::Unavailable(why.clone()),
        Some((_, why)) => return Observed::Failed(why.clone()),
        None => {}
    }
    let (Some(rounds), Some(info)) = (sweep.series.get(key), sweep.metrics.get(&key.metric)) else {
        return Observed::Absent;
    };
    let native_key = SeriesKey { metric: key.metric.clone(), environment: EnvironmentName::NATIVE };
    if let Some((_, why)) = cell(sweep, &key.metric, &EnvironmentName::NATIVE) {
        return Observed::Failed(format!("native, the reference of the toll, was not measured: {why}"));
    }
    let Some(native) = sweep.series.get(&native_key) else {
        return Observed::Failed(
            "there are no native samples, which are the reference of the toll".to_owned(),
        );
    };
    let sign = info.better.sign();
    let mut measured =
        Measured { toll: Vec::new(), environment: Vec::new(), native: Vec::new(), reference: Vec::new() };
    for (round, &value) in rounds {
        let Some(&reference) = native.get(round) else { continue };
        if scale.accepts(value) && scale.accepts(reference) {
            let (e, n) = match scale {
                Scale::Ratio => (sign * value.ln(), sign * reference.ln()),
                Scale::Difference | Scale::Count => (sign * value, sign * reference),
            };
            measured.toll.push(e - n);
            measured.environment.push(e);
            measured.native.push(n);
            measured.reference.push(reference);
        }
    }
    let planned = rounds.len() + native.keys().filter(|round| !rounds.contains_key(round)).count();
    let paired = measured.toll.len();
    if paired == 0 || (paired as f64) < min_share * planned as f64 {
        return Observed::Failed(format!(
            "{} of {planned} rounds failed (no number {} in {} or native)",
            planned - paired,
            if scale == Scale::Ratio { "above zero" } else { "from zero up" },
            key.environment
        ));
    }
    Observed::Measured(measured)
}

fn cell<'a>(
    sweep: &'a SweepSamples,
    metric: &MetricKey,
    environment: &EnvironmentName,
) -> Option<&'a (CellState, String)> {
    sweep.failed.get(&(metric.workload.clone(), metric.case.clone(), environment.clone()))
}
