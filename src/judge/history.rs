//! What the tolls were in the sweeps that a judgement compares: one number a sweep, for whoever draws it.

use super::comparable::difference;
use super::in_order;
use super::pair::{Observed, Row, observe};
use super::reason::percent;
use crate::model::{Scale, SeriesKey, SweepSamples};
use std::collections::{BTreeMap, BTreeSet};

/// The toll of each metric in each environment, percent of the ratio, positive = worse, oldest first: an element for each
/// sweep of `baseline` and then for each of `candidates`, both in order of `started_at`.
///
/// NaN where a sweep did not measure it, or is not comparable with the newest candidate in that environment, as the judge
/// has it. A series without any number, native, and metrics that are not compared by ratio are left out.
pub fn history(baseline: &[SweepSamples], candidates: &[SweepSamples]) -> BTreeMap<SeriesKey, Vec<f64>> {
    let (baseline, candidates) = (in_order(baseline), in_order(candidates));
    let Some(now) = candidates.last() else { return BTreeMap::new() };
    let keys: BTreeSet<&SeriesKey> =
        candidates.iter().flat_map(|s| s.series.keys()).filter(|k| !k.environment.is_native()).collect();
    let keys: Vec<SeriesKey> = keys.into_iter().cloned().collect();
    let mut tolls: BTreeMap<SeriesKey, Vec<f64>> = keys.iter().map(|k| (k.clone(), Vec::new())).collect();
    for sweep in baseline.iter().chain(&candidates) {
        for (key, row) in keys.iter().zip(Row::of_all(sweep, &keys)) {
            let toll =
                if difference(sweep, now, &key.environment).is_none() { toll(&row, key) } else { None };
            if let Some(of) = tolls.get_mut(key) {
                of.push(toll.unwrap_or(f64::NAN));
            }
        }
    }
    tolls.retain(|_, of| of.iter().any(|x| x.is_finite()));
    tolls
}

fn toll(row: &Row<'_>, key: &SeriesKey) -> Option<f64> {
    let scale = row.info?.scale;
    match observe(row, key, scale, 0.0) {
        Observed::Measured(measured) if scale == Scale::Ratio => measured.value().map(percent),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::fixtures::{key, one};

    fn rounded(tolls: &[f64]) -> Vec<Option<f64>> {
        tolls.iter().map(|t| t.is_finite().then(|| (t * 10.0).round() / 10.0)).collect()
    }

    #[test]
    fn each_sweep_has_its_place_in_order_of_time() {
        let baseline = [one(2, &[1.2; 3]), one(1, &[1.1, 1.1, 9.0])];
        let candidates = [one(4, &[1.5; 3]), one(3, &[1.3; 3])];
        let tolls = history(&baseline, &candidates);
        assert_eq!(tolls.len(), 1, "native has no toll");
        assert_eq!(rounded(&tolls[&key("mean", "docker")]), [10.0, 20.0, 30.0, 50.0].map(Some));
        assert!(history(&baseline, &[]).is_empty());
    }

    #[test]
    fn what_is_not_measured_or_not_comparable_is_a_hole() {
        let mut other = one(1, &[1.1; 3]);
        other.comparability.parameters = Some("another suite".into());
        let mut now = one(3, &[1.3; 3]);
        now.comparability.parameters = Some("this suite".into());
        let lacking = crate::judge::fixtures::empty(2);
        let tolls = history(&[other, lacking], &[now]);
        assert_eq!(rounded(&tolls[&key("mean", "docker")]), [None, None, Some(30.0)]);
    }

    #[test]
    fn what_is_not_compared_by_ratio_has_no_toll_in_percent() {
        let mut now = one(1, &[1.3; 3]);
        for info in now.metrics.values_mut() {
            info.scale = Scale::Difference;
        }
        assert!(history(&[], &[now]).is_empty());
    }
}
