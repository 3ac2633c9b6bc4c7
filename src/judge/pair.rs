//! What one sweep says of one metric in one environment: rounds paired with native.

use crate::model::{
    Better, CellState, EnvironmentName, MetricInfo, MetricKey, Scale, SeriesKey, SweepSamples,
};
use crate::stats::robust;
use std::collections::BTreeMap;

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

impl Measured {
    /// y, the sweep value: the median of the toll over the rounds; none without rounds.
    pub fn value(&self) -> Option<f64> {
        robust::median(&self.toll)
    }
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

/// Values by round.
type Rounds = BTreeMap<u32, f64>;

/// What one sweep holds of one metric in one environment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row<'a> {
    pub sweep: &'a SweepSamples,
    /// What the sweep says of the metric.
    pub info: Option<&'a MetricInfo>,
    rounds: Option<&'a Rounds>,
    native: Option<&'a Rounds>,
}

impl<'a> Row<'a> {
    /// Looks one up.
    pub fn of(sweep: &'a SweepSamples, key: &SeriesKey) -> Self {
        let native = SeriesKey { metric: key.metric.clone(), environment: EnvironmentName::NATIVE };
        Self {
            sweep,
            info: sweep.metrics.get(&key.metric),
            rounds: sweep.series.get(key),
            native: sweep.series.get(&native),
        }
    }

    /// Looks up all of `keys`, which must be in order and without native, in one walk over the sweep.
    pub fn of_all(sweep: &'a SweepSamples, keys: &[SeriesKey]) -> Vec<Self> {
        let mut series = sweep.series.iter().peekable();
        let mut infos = sweep.metrics.iter().peekable();
        // Native comes before the other environments of its metric.
        let mut native: Option<(&MetricKey, &Rounds)> = None;
        let row = |key: &SeriesKey| {
            while let Some((passed, rounds)) = series.next_if(|(k, _)| *k < key) {
                if passed.environment.is_native() {
                    native = Some((&passed.metric, rounds));
                }
            }
            while infos.next_if(|(metric, _)| **metric < key.metric).is_some() {}
            Self {
                sweep,
                info: infos.peek().filter(|(metric, _)| **metric == key.metric).map(|(_, info)| *info),
                rounds: series.peek().filter(|(k, _)| *k == key).map(|(_, rounds)| *rounds),
                native: native.filter(|(metric, _)| **metric == key.metric).map(|(_, rounds)| rounds),
            }
        };
        keys.iter().map(row).collect()
    }
}

/// Pairs the rounds of `key` with those of native. The measurement failed when fewer than `min_share` of the rounds (those
/// that either side has) give a pair of values that `scale` accepts.
pub(super) fn observe(row: &Row, key: &SeriesKey, scale: Scale, min_share: f64) -> Observed {
    match cell(row.sweep, &key.metric, &key.environment) {
        Some((CellState::Unavailable, why)) => return Observed::Unavailable(why.clone()),
        Some((_, why)) => return Observed::Failed(why.clone()),
        None => {}
    }
    let (Some(rounds), Some(info)) = (row.rounds, row.info) else { return Observed::Absent };
    if let Some((_, why)) = cell(row.sweep, &key.metric, &EnvironmentName::NATIVE) {
        return Observed::Failed(format!("native, the reference of the toll, was not measured: {why}"));
    }
    let Some(native) = row.native else {
        return Observed::Failed(
            "there are no native samples, which are the reference of the toll".to_owned(),
        );
    };
    let (measured, both) = pairs(rounds, native, scale, info.better);
    let planned = rounds.len() + native.len() - both;
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

/// The usable pairs, and how many rounds both sides have.
fn pairs(rounds: &Rounds, native: &Rounds, scale: Scale, better: Better) -> (Measured, usize) {
    let sign = better.sign();
    let room = || Vec::with_capacity(rounds.len());
    let mut measured = Measured { toll: room(), environment: room(), native: room(), reference: room() };
    let mut both = 0;
    let mut references = native.iter().peekable();
    for (round, &value) in rounds {
        while references.next_if(|(r, _)| *r < round).is_some() {}
        let Some((_, &reference)) = references.next_if(|(r, _)| *r == round) else { continue };
        both += 1;
        if !scale.accepts(value) || !scale.accepts(reference) {
            continue;
        }
        let (e, n) = match scale {
            Scale::Ratio => (sign * value.ln(), sign * reference.ln()),
            Scale::Difference | Scale::Count => (sign * value, sign * reference),
        };
        measured.toll.push(e - n);
        measured.environment.push(e);
        measured.native.push(n);
        measured.reference.push(reference);
    }
    (measured, both)
}

fn cell<'a>(
    sweep: &'a SweepSamples,
    metric: &MetricKey,
    environment: &EnvironmentName,
) -> Option<&'a (CellState, String)> {
    if sweep.failed.is_empty() {
        return None;
    }
    sweep.failed.get(&(metric.workload.clone(), metric.case.clone(), environment.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::fixtures::{empty, env, values};

    #[test]
    fn one_walk_finds_what_single_looks_find() {
        let mut sweep = empty(1);
        for (metric, environment) in [
            ("a", "docker"),
            ("b", "native"),
            ("b", "docker+nat"),
            ("c", "native"),
            ("c", "kvm"),
            ("d", "native"),
        ] {
            values(&mut sweep, metric, environment, Better::Lower, &[1.0, 2.0]);
        }
        sweep.metrics.remove(&MetricKey::new("rr", "1b", "c"));
        let keys: Vec<SeriesKey> = ["0", "a", "b", "bb", "c", "d", "e"]
            .iter()
            .flat_map(|m| ["docker", "docker+nat", "kvm"].map(|e| (m, e)))
            .map(|(m, e)| SeriesKey { metric: MetricKey::new("rr", "1b", *m), environment: env(e) })
            .collect::<std::collections::BTreeSet<_>>()
            .into_iter()
            .collect();
        for (row, key) in Row::of_all(&sweep, &keys).iter().zip(&keys) {
            let single = Row::of(&sweep, key);
            assert_eq!(
                (row.info, row.rounds, row.native),
                (single.info, single.rounds, single.native),
                "{key:?}"
            );
        }
    }
}
