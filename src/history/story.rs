//! The history of a series: levels, the band of the baseline, and what changed when.

use super::{Group, Head, Track};
use crate::judge::{self, FLOOR, Policy};
use crate::model::{Base, Change, Scale, SeriesKey, SweepId};
use crate::stats::{change_points, robust};
use chrono::{DateTime, Utc};
use serde::Serialize;

/// One sweep's numbers.
#[derive(Debug, Clone, Serialize)]
pub struct Point<'a> {
    /// Which.
    pub sweep: &'a SweepId,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// Median over its rounds, in the unit.
    pub median: Option<f32>,
    /// Its toll, percent.
    pub toll_pct: Option<f32>,
    /// Whether it is a baseline.
    pub accepted: bool,
    /// Whether it is a sweep of chosen cells.
    pub partial: bool,
    /// Whether it may be compared with the newest one here: with the same suite and image, and under the same accelerator.
    pub comparable: bool,
}

/// A stretch without a change point.
#[derive(Debug, Clone, Serialize)]
pub struct Level<'a> {
    /// Its first sweep.
    pub from: &'a SweepId,
    /// Its last sweep.
    pub to: &'a SweepId,
    /// Its median, as shown: one sweep beyond the last change point is no level yet.
    pub middle: f64,
    /// Points of it.
    #[serde(skip)]
    pub range: (usize, usize),
}

/// Within which the newest accepted sweeps of the present regime lie: the middle 80 %, all of fewer than ten.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Band {
    /// Low end, as shown.
    pub low: f64,
    /// High end.
    pub high: f64,
    /// Sweeps in it.
    pub sweeps: usize,
    /// First point of it.
    #[serde(skip)]
    pub from: usize,
}

/// Components that changed with a sweep.
#[derive(Debug, Clone, Serialize)]
pub struct Event<'a> {
    /// The first sweep that has them.
    pub sweep: &'a SweepId,
    /// Which.
    pub changed: Vec<Change>,
    /// Whether the suite's parameters changed, so that sweeps before and after are not comparable.
    pub parameters: bool,
    /// The accelerator of its virtual machines, where it is another: tolls under it are not comparable with those before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accelerator: Option<&'a str>,
    /// Its point.
    #[serde(skip)]
    pub at: usize,
}

/// All of it.
#[derive(Debug, Clone, Serialize)]
pub struct Story<'a> {
    /// `toll` (percent) or `value` (in the unit): what levels, band and threshold are in.
    pub shown: &'static str,
    /// Oldest first.
    pub points: Vec<Point<'a>>,
    /// Between the change points; empty of fewer than six sweeps.
    pub levels: Vec<Level<'a>>,
    /// The band of the baseline.
    pub band: Option<Band>,
    /// From where on a rise is worth a person's time.
    pub threshold: Option<f64>,
    /// Changes of components.
    pub changes: Vec<Event<'a>>,
    /// Sweeps that are older than those shown.
    pub older: usize,
}

impl<'a> Story<'a> {
    /// The newest `most` sweeps that have the series. Only accepted sweeps before `judged`, where that is given, are its baseline:
    /// no sweep is compared with itself.
    pub fn of(
        group: &'a Group,
        key: &SeriesKey,
        track: &'a Track,
        (policy, judged): (&Policy, Option<&SweepId>),
        most: usize,
    ) -> Self {
        let all: Vec<usize> = (0..group.heads.len()).filter(|i| track.medians[*i].is_finite()).collect();
        let (older, places) = all.split_at(all.len().saturating_sub(most));
        let known = |x: f32| x.is_finite().then_some(x);
        let points: Vec<Point> = places
            .iter()
            .map(|i| {
                let head = &group.heads[*i];
                Point {
                    sweep: &head.sweep,
                    started_at: head.started_at,
                    median: known(track.medians[*i]),
                    toll_pct: known(track.tolls[*i]),
                    accepted: head.accepted.is_some(),
                    partial: head.partial,
                    comparable: group.heads.last().is_none_or(|now| head.is_comparable(now, key)),
                }
            })
            .collect();
        let logs: Vec<f64> = places.iter().map(|i| to_log(track, *i)).collect();
        let heads: Vec<&Head> = places.iter().map(|i| &group.heads[*i]).collect();
        let counting = counting(track, key, &heads, &logs, (policy, judged));
        Self {
            shown: if track.is_tolled() { "toll" } else { "value" },
            levels: levels(track, &heads, &logs),
            threshold: threshold(track, key, &logs, &counting, policy),
            band: band(track, &logs, &counting),
            changes: events(group, key, places),
            points,
            older: older.len(),
        }
    }

    /// What is drawn of a point.
    pub fn value(&self, point: &Point<'_>) -> f64 {
        let shown = if self.shown == "toll" { point.toll_pct } else { point.median };
        shown.map_or(f64::NAN, f64::from)
    }
}

/// On the scale on which sweeps are compared: logs of ratios, else the value.
fn to_log(track: &Track, at: usize) -> f64 {
    let (toll, median) = (f64::from(track.tolls[at]), f64::from(track.medians[at]));
    match (track.is_tolled(), track.info.scale) {
        (true, _) => (toll / 100.0).ln_1p(),
        (false, Scale::Ratio) => median.ln(),
        (false, _) => median,
    }
}

fn from_log(track: &Track, log: f64) -> f64 {
    match (track.is_tolled(), track.info.scale) {
        (true, _) => judge::percent(log),
        (false, Scale::Ratio) => log.exp(),
        (false, _) => log,
    }
}

/// Sweeps of chosen cells have fewer rounds and come by twos: they would make levels of their own.
fn levels<'a>(track: &Track, heads: &[&'a Head], logs: &[f64]) -> Vec<Level<'a>> {
    let whole: Vec<usize> = (0..heads.len()).filter(|i| !heads[*i].partial && logs[*i].is_finite()).collect();
    let values: Vec<f64> = whole.iter().map(|i| logs[*i]).collect();
    if values.len() < 6 {
        return Vec::new();
    }
    let changes = change_points(&values, FLOOR);
    let ends = changes.iter().copied().chain([values.len()]);
    let begins = [0].into_iter().chain(changes.iter().copied());
    let level = |(from, to): (usize, usize)| {
        let middle = robust::median(&values[from..to]).unwrap_or(f64::NAN);
        let (first, last) = (whole[from], whole[to - 1]);
        Level {
            from: &heads[first].sweep,
            to: &heads[last].sweep,
            middle: from_log(track, middle),
            range: (first, last + 1),
        }
    };
    begins.zip(ends).map(level).collect()
}

/// The accepted sweeps that count: of the present regime, comparable with the newest sweep, the newest ones.
fn counting(
    track: &Track,
    key: &SeriesKey,
    heads: &[&Head],
    logs: &[f64],
    (policy, judged): (&Policy, Option<&SweepId>),
) -> Vec<usize> {
    let Some(newest) = heads.last() else { return Vec::new() };
    let begin = heads.iter().rposition(|h| h.regimes.contains(key)).unwrap_or(0);
    let end = judged.and_then(|id| heads.iter().position(|h| h.sweep == *id)).unwrap_or(heads.len());
    let counts = |i: &usize| {
        heads[*i].accepted.is_some() && logs[*i].is_finite() && heads[*i].is_comparable(newest, key)
    };
    let mut found: Vec<usize> = (begin..end).filter(counts).collect();
    found.drain(..found.len().saturating_sub(policy.max_baseline_sweeps.max(1)));
    if track.info.scale == Scale::Ratio {
        let values: Vec<f64> = found.iter().map(|i| logs[*i]).collect();
        for far in robust::outliers(&values, FLOOR) {
            found[far] = usize::MAX;
        }
        found.retain(|i| *i != usize::MAX);
    }
    found
}

fn band(track: &Track, logs: &[f64], counting: &[usize]) -> Option<Band> {
    const TRIMMED: usize = 10;
    let mut values: Vec<f64> = counting.iter().map(|i| logs[*i]).collect();
    values.sort_by(f64::total_cmp);
    let cut = if values.len() < TRIMMED { 0 } else { values.len() / 10 };
    let (low, high) = values.get(cut).zip(values.get(values.len().checked_sub(1 + cut)?))?;
    Some(Band {
        low: from_log(track, *low),
        high: from_log(track, *high),
        sweeps: values.len(),
        from: *counting.first()?,
    })
}

fn threshold(
    track: &Track,
    key: &SeriesKey,
    logs: &[f64],
    counting: &[usize],
    policy: &Policy,
) -> Option<f64> {
    if counting.is_empty() || key.environment.is_native() || !track.is_tolled() {
        return None;
    }
    let values: Vec<f64> = counting.iter().map(|i| logs[*i]).collect();
    let of = policy.threshold(key, &track.info);
    (of.scale == Scale::Ratio).then(|| robust::mean(&values).map(|m| from_log(track, m + of.delta)))?
}

fn events<'a>(group: &'a Group, key: &SeriesKey, places: &[usize]) -> Vec<Event<'a>> {
    let virtual_machine = key.environment.base() == Base::Kvm;
    let event = |(at, place): (usize, &usize)| {
        let (changed, parameters) = group.changes_at(*place);
        let [before, now] = [place.checked_sub(1)?, *place].map(|i| group.heads[i].accelerator.as_deref());
        let accelerator = now.filter(|now| virtual_machine && before.is_some_and(|before| before != *now));
        let something = !changed.is_empty() || parameters || accelerator.is_some();
        something.then(|| Event { sweep: &group.heads[*place].sweep, changed, parameters, accelerator, at })
    };
    places.iter().enumerate().skip(1).filter_map(event).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{AcceptedBy, Sweep};
    use chrono::TimeDelta;

    /// Twenty sweeps, of which the tolls of docker+nat rise by a tenth with the eleventh; the last is not accepted.
    fn group(regime: bool) -> (Group, SeriesKey) {
        let text = include_str!("../../baselines/amd-epyc-2c-24g/smoke/20261123T205047Z-dfb0c3.json");
        let example: Sweep = serde_json::from_str(text).expect("the example");
        let series = example
            .series
            .iter()
            .find(|s| s.workload == "rr" && s.environment.has("nat") && s.scale.is_ratio())
            .expect("a series");
        let key = SeriesKey { metric: series.key(), environment: series.environment.clone() };
        let mut group = Group::default();
        for i in 0..20_u32 {
            let mut sweep = example.clone();
            sweep.sweep = format!("20261201T{i:02}0000Z-00000{}", i % 10).parse().expect("an id");
            sweep.started_at = example.started_at + TimeDelta::days(i64::from(i) + 1);
            if i >= 10 {
                sweep.fingerprint.components.insert(crate::model::Component::Runc, "9".into());
            }
            for s in sweep.series.iter_mut().filter(|s| s.key() == key.metric && !s.environment.is_native()) {
                let rise = if i >= 10 { 1.1_f64 } else { 1.0 };
                let noise = 1.0 + 0.002 * f64::from(i * 7 % 5);
                let factor = (rise * noise).powf(s.better.sign());
                s.values.iter_mut().flatten().for_each(|v| *v *= factor);
            }
            let accepted = AcceptedBy {
                at: sweep.started_at,
                by: "gate".into(),
                reason: String::new(),
                regimes: if regime && i == 10 { vec![key.clone()] } else { Vec::new() },
            };
            sweep.accepted = (i < 19).then_some(accepted);
            group.insert(&sweep);
        }
        (group, key)
    }

    #[test]
    fn a_rise_is_a_level_with_the_change_that_came_with_it() {
        let (group, key) = group(false);
        let story = Story::of(&group, &key, &group.tracks[&key], (&Policy::default(), None), 100);
        assert_eq!((story.shown, story.points.len(), story.older), ("toll", 20, 0));
        let ranges: Vec<_> = story.levels.iter().map(|l| l.range).collect();
        assert_eq!(ranges, [(0, 10), (10, 20)]);
        let ratio = (100.0 + story.levels[1].middle) / (100.0 + story.levels[0].middle);
        assert!((ratio - 1.1).abs() < 0.003, "{ratio}");
        assert_eq!(story.changes.len(), 1);
        assert_eq!((story.changes[0].at, story.changes[0].changed.len()), (10, 1));
        let band = story.band.expect("accepted ones");
        // The judge sets one aside as far from the others.
        assert_eq!((band.sweeps, band.from), (18, 0));
        assert!(band.low < band.high && story.threshold.expect("a threshold") > story.levels[0].middle);
    }

    #[test]
    fn a_regime_begins_a_new_band_and_old_points_can_be_left_out() {
        let (group, key) = group(true);
        let story = Story::of(&group, &key, &group.tracks[&key], (&Policy::default(), None), 12);
        assert_eq!((story.points.len(), story.older), (12, 8));
        let band = story.band.expect("accepted ones");
        assert_eq!((band.sweeps, band.from), (9, 2));
        assert!(band.low > story.levels[0].middle, "{band:?}");
    }

    #[test]
    fn what_is_not_comparable_is_said_and_no_baseline_and_neither_is_the_judged_one() {
        let (mut group, key) = group(false);
        let other = crate::model::Comparability {
            bench_image: Some("another".into()),
            ..(*group.heads[0].comparability).clone()
        };
        for head in &mut group.heads[..4] {
            head.comparability = other.clone().into();
        }
        let judged = group.heads[18].sweep.clone();
        let story = Story::of(&group, &key, &group.tracks[&key], (&Policy::default(), Some(&judged)), 100);
        let known: Vec<bool> = story.points.iter().map(|p| p.comparable).collect();
        assert_eq!(known, [[false; 4].as_slice(), &[true; 16]].concat());
        let band = story.band.expect("accepted ones");
        assert_eq!((band.sweeps, band.from), (13, 4), "4 to 17, one of which is far from the others");
    }

    #[test]
    fn native_has_no_threshold_and_is_shown_by_its_values() {
        let (group, mut key) = group(false);
        key.environment = crate::model::EnvironmentName::NATIVE;
        let story = Story::of(&group, &key, &group.tracks[&key], (&Policy::default(), None), 100);
        assert_eq!((story.shown, story.threshold), ("value", None));
        assert!(story.value(&story.points[0]) > 0.0);
    }
}
