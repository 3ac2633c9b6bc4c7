//! How each toll came to where it is: large for what changed, on stamps for everything else.

use super::tables::{badge, breakable};
use crate::history::{Story, Track};
use crate::model::{EnvironmentName, GateResult, MetricKey, SeriesKey, VerdictKind};
use crate::report::chart::{Axis, History, PointKind, Strip};
use crate::report::evidence::Evidence;
use crate::report::{clean, number, view};
use maud::{Markup, html};
use std::collections::BTreeMap;

/// Sweeps that a history shows, the newest.
const SHOWN: usize = 100;
/// Series that are drawn large, the worst.
const LARGE: usize = 8;

type Kinds<'a> = BTreeMap<SeriesKey, VerdictKind>;

/// The section; nothing where no sweep is older than the judged one, since rounds alone are no history.
pub(super) fn section(result: &GateResult, evidence: &Evidence, warning: Option<&str>) -> Markup {
    if evidence.history.heads.len() < 2 {
        return html! {};
    }
    let kinds: Kinds<'_> =
        result.judgement.verdicts.iter().map(|v| (view::series_key(v), v.verdict)).collect();
    let drawn = Drawn { evidence, kinds, emulated: result.is_emulated() };
    let large = drawn.worth_a_look(result);
    html! {
        section {
            h2 { "Histories" }
            p.caption {
                "A dot for each sweep, oldest left, the newest " (SHOWN) " at most; full where it is accepted, ringed where the verdicts are on it; "
                "small squares: chosen cells. The "
                "band holds the accepted sweeps that it is compared with, the dashed line is the threshold of a regression, dotted lines are "
                "changes of components. Right of them the rounds of the newest sweep. "
                @if drawn.apart() { "Crosses, and on stamps squares in pale grey, are not comparable with it: another suite, image or accelerator. " }
                @if let Some(warning) = warning { " " b { (warning) "." } }
            }
            @for key in &large { (drawn.large(key)) }
            (drawn.by_workload())
        }
    }
}

struct Drawn<'a> {
    evidence: &'a Evidence,
    kinds: Kinds<'a>,
    emulated: bool,
}

impl Drawn<'_> {
    /// The series that changed, worst first.
    fn worth_a_look(&self, result: &GateResult) -> Vec<SeriesKey> {
        use VerdictKind as K;
        [K::Regressed, K::Suspected, K::Improved]
            .into_iter()
            .flat_map(|kind| view::of_kind(&result.judgement, kind))
            .map(view::series_key)
            .filter(|key| self.evidence.history.tracks.contains_key(key))
            .take(LARGE)
            .collect()
    }

    fn large(&self, key: &SeriesKey) -> Markup {
        let Some(track) = self.evidence.history.tracks.get(key) else { return html! {} };
        let story = self.story(key, track);
        let name = clean::name(&key.metric.to_string());
        let place = view::label(&key.environment, self.emulated);
        let title = format!("History of {name} in {place}");
        let mut chart = History::of(title, track, &story, |_| None, &self.evidence.judged());
        chart.rounds = self.evidence.shown_rounds(key, track.is_tolled());
        html! {
            figure.large {
                figcaption {
                    b { (name) } " in " b { (breakable(&key.environment, self.emulated)) } " "
                    @if let Some(kind) = self.kinds.get(key) { (badge(*kind)) }
                }
                div.chart tabindex="0" role="group" aria-label={ "Chart of " (name) " in " (place) } { (chart.draw()) }
                @if !story.changes.is_empty() {
                    ul.numbered {
                        @for (number, event) in (1..).zip(&story.changes) {
                            li { span.flag { (number) } (view::event(event)) " " span.faint { "with " (event.sweep) } }
                        }
                    }
                }
            }
        }
    }

    /// Every metric of every case on stamps, those of a workload together.
    fn by_workload(&self) -> Markup {
        let mut workloads: BTreeMap<&str, Vec<(&SeriesKey, &Track)>> = BTreeMap::new();
        for (key, track) in &self.evidence.history.tracks {
            // What is compared is the toll; values are shown where there is none.
            if track.is_tolled() || key.environment.is_native() && !self.has_toll(&key.metric) {
                workloads.entry(&key.metric.workload).or_default().push((key, track));
            }
        }
        html! {
            @for (workload, series) in workloads {
                details {
                    summary { h3 { (clean::name(workload)) } " " span.faint { (number::count(series.len(), "chart")) } }
                    div.stamps { @for (key, track) in series { (self.stamp(key, track)) } }
                }
            }
        }
    }

    /// Whether any sweep may not be compared with the newest somewhere.
    fn apart(&self) -> bool {
        let heads = &self.evidence.history.heads;
        heads.last().is_some_and(|now| heads.iter().any(|h| h.comparability != now.comparability))
    }

    fn has_toll(&self, metric: &MetricKey) -> bool {
        let of = |e: &EnvironmentName| SeriesKey { metric: metric.clone(), environment: e.clone() };
        let tracks = &self.evidence.history.tracks;
        let environments = self.evidence.history.environments();
        environments.into_iter().any(|e| tracks.get(&of(e)).is_some_and(Track::is_tolled))
    }

    fn stamp(&self, key: &SeriesKey, track: &Track) -> Markup {
        let story = self.story(key, track);
        let sweeps: Vec<(f64, PointKind)> =
            story.points.iter().map(|p| (story.value(p), PointKind::of(p))).collect();
        let axis = Axis::of(track);
        let last = sweeps.last().map_or_else(|| number::NONE.to_owned(), |(v, _)| axis.label(*v));
        let place = view::label(&key.environment, self.emulated);
        let changes: Vec<usize> = story.changes.iter().map(|c| c.at).collect();
        let strip = Strip {
            title: format!(
                "{} {} in {place}, {}",
                clean::name(&key.metric.case),
                clean::name(&key.metric.metric),
                axis.name()
            ),
            axis,
            sweeps: &sweeps,
            rounds: &self.evidence.shown_rounds(key, track.is_tolled()),
            band: story.band.map(|b| (b.from, b.low, b.high)),
            threshold: story.threshold,
            changes: &changes,
        };
        html! {
            figure {
                figcaption {
                    (clean::name(&key.metric.case)) " " (clean::name(&key.metric.metric)) br;
                    (breakable(&key.environment, self.emulated)) " " b { (number::printed(&last)) }
                    @if let Some(kind) = self.kinds.get(key).filter(|k| **k != VerdictKind::NoBaseline) {
                        span class={ "mark " (kind.as_str()) } title=(view::words(*kind)) { " " (view::mark(*kind)) }
                    }
                }
                (strip.draw())
            }
        }
    }

    fn story<'b>(&'b self, key: &SeriesKey, track: &'b Track) -> Story<'b> {
        let judged = Some(&self.evidence.sweep.sweep);
        Story::of(&self.evidence.history, key, track, (&self.evidence.policy, judged), SHOWN)
    }
}
