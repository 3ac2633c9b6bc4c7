//! Slow drifts: rises over many accepted sweeps, each too small to be seen when it came.

use super::{
    baseline::{Baseline, FEWEST, FLOOR, Fit, definition, floor},
    comparable::difference,
    in_order,
    pair::{Measured, Observed, Row, observe},
    policy::{Policy, Threshold},
    reason::{one, percent},
    screen::compare,
    share, whole,
};
use crate::{
    model::{Drift, DriftKind, Family, MetricInfo, SeriesKey, SweepId, SweepSamples},
    stats::{Trend, benjamini_hochberg, change_points, robust},
};
use std::collections::BTreeMap;

/// Sweeps of the pinned anchor: the first of the regime.
const ANCHOR: usize = 10;

/// The newest sweeps that are held against the anchor, and do not overlap with it.
const NEWEST: usize = 3;

/// The same and one more: what a look one sweep ago saw, too.
const TWO_LOOKS: usize = NEWEST + 1;

/// Sweeps in which a trend is looked for, at most and at least.
const WINDOW: std::ops::RangeInclusive<usize> = 10..=30;

/// Level of either look, after Benjamini-Hochberg over all looks at all series.
const LEVEL: f64 = 0.001;

/// Change points that are named, the largest rises.
const NAMED: usize = 3;

/// The slow rises of the toll in `history`, the accepted sweeps of one host class and profile; smallest p first.
///
/// For each metric and environment that the newest sweep has, the sweeps of its present regime (from the newest
/// on whose [`SweepSamples::regimes`] name it) that are comparable with the newest give the values y: medians over rounds of
/// the toll, natural logs of ratios, positive = worse. Two looks:
///
/// - **anchor**: D = mean of the last 3 - mean of the first 10, p = P(T > D/SE), with the variance of those 10 moderated by
///   the family, as for verdicts ([`super::judge`]). Asked of the newest sweep and of the one before it, the larger p
///   counts, and each of these 4 sweeps must lie above the anchor's mean by delta, which one bad sweep alone does not
///   do. Needs 14 sweeps, so that nothing overlaps the anchor.
/// - **trend**: Mann-Kendall over the last 30 values, at least 10; D is the change that Theil-Sen fits ([`Trend`]).
///
/// It drifts when D ≥ delta, the policy's threshold, and the adjusted p < .001 (Benjamini-Hochberg 1995 over both looks at
/// all series). Where both looks hold, the anchor is told. Change points ([`change_points`]) over the whole regime only
/// say where to look.
///
/// Why not p < .001 alone: of 48 suites of 200 unchanged metrics, looked at after each of 50 sweeps, 44 had a false alarm;
/// 25 when two looks in a row had to hold, 21 with an adjusted p < .05 besides; 1 with the adjusted p < .001; none when the
/// anchor had to hold twice, too. As it is, 0 of 200 unchanged suites had one (below 1.5 % at 95 %; the rule was chosen on
/// 48 of them), and 98 % of the drifts of 0.2 % a sweep were found, half of them by sweep 26. In those 200 suites 14 of
/// 36,000 unchanged metrics were called drifting, too, in 10 suites. One sweep that is 20 % worse in everything, accepted
/// nevertheless, makes a false alarm in 13 of 200 suites: it lifts the mean of both looks
/// (`TOLLGATE_SUITES=200 cargo test --release --test drift_simulation -- --nocapture`).
///
/// Falls are not reported. Metrics not compared by ratio, too few sweeps, sweeps that failed to measure it: nothing, no error.
pub fn drifts(history: &[SweepSamples], policy: &Policy) -> Vec<Drift> {
    let sweeps = in_order(history);
    let Some(newest) = sweeps.last() else { return Vec::new() };
    let mut tracks: Vec<Track> =
        newest.series.keys().filter_map(|key| Track::collect(key, &sweeps, policy)).collect();
    moderate(&mut tracks);
    let looks: Vec<[Option<Look>; 2]> = tracks.iter().map(|t| [t.anchor(), t.trend()]).collect();
    let p: Vec<f64> = looks.iter().flatten().map(|look| look.map_or(1.0, |look| look.p)).collect();
    let q = benjamini_hochberg(&p, p.len());
    let mut found: Vec<Drift> = tracks
        .iter()
        .zip(looks.iter().zip(q.chunks_exact(2)))
        .filter_map(|(track, (looks, q))| {
            let holds =
                |(look, q): (&Option<Look>, &f64)| look.filter(|look| look.d >= track.delta && *q < LEVEL);
            looks.iter().zip(q).find_map(holds).map(|look| track.drift(&look))
        })
        .collect();
    found.sort_by(|a, b| a.p.total_cmp(&b.p));
    found
}

/// One metric in one environment over the sweeps of its present regime, oldest first.
struct Track<'a> {
    key: &'a SeriesKey,
    family: Family,
    /// The smallest change worth a person's time, percent.
    delta_pct: f64,
    /// The same as a log.
    delta: f64,
    /// Those that measured it.
    sweeps: Vec<&'a SweepId>,
    /// Their values, logs.
    values: Vec<f64>,
    /// Of the first ten; none while there are fewer than 14 sweeps.
    fit: Option<Fit>,
    /// The last four.
    newest: Vec<Measured>,
}

/// What one look at a track sees.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Look {
    kind: DriftKind,
    /// The toll at its beginning, log.
    from: f64,
    /// The rise, log.
    d: f64,
    /// The same a sweep, log.
    pace: f64,
    /// One-sided p-value of "it rose".
    p: f64,
    /// Sweeps looked at.
    sweeps: usize,
}

impl<'a> Track<'a> {
    /// None of native, of metrics that have no toll as a ratio, and where no sweep measured it. `sweeps` in order.
    fn collect(key: &'a SeriesKey, sweeps: &[&'a SweepSamples], policy: &Policy) -> Option<Self> {
        let now = sweeps.last()?;
        let info: &MetricInfo = now.metrics.get(&key.metric)?;
        let threshold = policy.threshold(key, info);
        if key.environment.is_native() || !threshold.scale.is_ratio() {
            return None;
        }
        let (mut ids, mut values, mut measured) = (Vec::new(), Vec::new(), Vec::new());
        for sweep in sweeps {
            let row = Row::of(sweep, key);
            if difference(sweep, now, &key.environment).or_else(|| definition(row.info?, info)).is_some() {
                continue;
            }
            if sweep.regimes.contains(key) {
                (ids, values, measured) = (Vec::new(), Vec::new(), Vec::new());
            }
            if let Observed::Measured(m) = observe(&row, key, threshold.scale, policy.min_rounds_share) {
                ids.push(&sweep.sweep);
                values.push(m.value()?);
                measured.push(m);
            }
        }
        let newest = measured.split_off(measured.len().saturating_sub(TWO_LOOKS));
        measured.truncate(ANCHOR);
        Some(Self {
            key,
            family: info.family,
            delta_pct: threshold.shown,
            delta: threshold.delta,
            sweeps: ids,
            values,
            fit: (measured.len() == ANCHOR).then(|| anchor_of(info, &threshold, measured)).flatten(),
            newest,
        })
    }

    /// The last three against the anchor, and the three that were the last one sweep ago.
    fn anchor(&self) -> Option<Look> {
        let fit = self.fit?;
        let last = &self.values[self.values.len() - TWO_LOOKS..];
        if last.iter().any(|y| y - fit.mean < self.delta) {
            return None;
        }
        let before = compare(&fit, &self.newest[..NEWEST], |m| &m.toll)?;
        let now = compare(&fit, &self.newest[TWO_LOOKS - NEWEST..], |m| &m.toll)?;
        // From the middle of the anchor to the middle of the last three.
        let steps = self.values.len() as f64 - f64::midpoint(ANCHOR as f64, NEWEST as f64);
        Some(Look {
            kind: DriftKind::Anchor,
            from: fit.mean,
            d: now.d,
            pace: now.d / steps,
            p: now.p_rise().max(before.p_rise()),
            sweeps: self.values.len(),
        })
    }

    /// Mann-Kendall over the last thirty.
    fn trend(&self) -> Option<Look> {
        let window = &self.values[self.values.len().saturating_sub(*WINDOW.end())..];
        let trend = Trend::of(window).filter(|_| WINDOW.contains(&window.len()))?;
        Some(Look {
            kind: DriftKind::Trend,
            from: trend.start,
            d: trend.change(),
            pace: trend.slope,
            p: trend.p_rise(),
            sweeps: window.len(),
        })
    }

    /// The first sweeps after the largest rises that change points show, oldest first, at most three.
    fn since(&self) -> Vec<SweepId> {
        let changes = change_points(&self.values, FLOOR);
        let ends = changes.iter().skip(1).copied().chain([self.values.len()]);
        let begins = [0].into_iter().chain(changes.iter().copied());
        let mean = |from: usize, to: usize| robust::mean(&self.values[from..to]).unwrap_or(0.0);
        let mut rises: Vec<(usize, f64)> = begins
            .zip(changes.iter().copied().zip(ends))
            .map(|(begin, (at, end))| (at, mean(at, end) - mean(begin, at)))
            .filter(|(_, rise)| *rise > 0.0)
            .collect();
        rises.sort_by(|a, b| b.1.total_cmp(&a.1));
        rises.truncate(NAMED);
        rises.sort_by_key(|(at, _)| *at);
        rises.into_iter().map(|(at, _)| self.sweeps[at].clone()).collect()
    }

    fn drift(&self, look: &Look) -> Drift {
        let since = self.since();
        Drift {
            workload: self.key.metric.workload.clone(),
            case: self.key.metric.case.clone(),
            metric: self.key.metric.metric.clone(),
            environment: self.key.environment.clone(),
            kind: look.kind,
            change_pct: percent(look.d),
            p: look.p,
            sweeps: whole(look.sweeps),
            reason: self.reason(look, &since),
            since,
        }
    }

    fn reason(&self, look: &Look, since: &[SweepId]) -> String {
        let rise = format!(
            "rose from {} to {} % over {} accepted sweeps (about {:.2} % a sweep), against a threshold of {} %",
            one(percent(look.from)),
            one(percent(look.from + look.d)),
            look.sweeps,
            percent(look.pace),
            self.delta_pct
        );
        let seen = match look.kind {
            DriftKind::Anchor => format!("the last {NEWEST} lie above the first {ANCHOR}"),
            DriftKind::Trend => "the values rise steadily".to_owned(),
        };
        let ids: Vec<&str> = since.iter().map(SweepId::as_str).collect();
        let place = match ids.as_slice() {
            [] => "no single step stands out, each is too small for a gate".to_owned(),
            ids => format!("the largest steps begin with {}", ids.join(", ")),
        };
        format!("{rise}: {seen}; {place}")
    }
}

/// The fit of the first ten, those too far from the others set aside as for verdicts.
fn anchor_of(info: &MetricInfo, threshold: &Threshold, mut measured: Vec<Measured>) -> Option<Fit> {
    let values: Vec<f64> = measured.iter().filter_map(Measured::value).collect();
    for far in robust::outliers(&values, FLOOR) {
        // At most one of ten, so that no index moves.
        measured.remove(far);
    }
    let anchor = Baseline { sweeps: measured, set_aside: Vec::new(), why_none: None };
    let tolls: Vec<&[f64]> = anchor.sweeps.iter().map(|m| m.toll.as_slice()).collect();
    Fit::of(&tolls, floor(info, threshold, &anchor)).filter(|fit| fit.sweeps >= FEWEST)
}

/// Lets the anchors of each family share variance, as baselines do.
fn moderate(tracks: &mut [Track]) {
    let mut families: BTreeMap<Family, Vec<&mut Fit>> = BTreeMap::new();
    for track in tracks {
        if let Some(fit) = &mut track.fit {
            families.entry(track.family).or_default().push(fit);
        }
    }
    for fits in families.values_mut() {
        share(fits);
    }
}

#[cfg(test)]
#[path = "drift_tests.rs"]
mod tests;
