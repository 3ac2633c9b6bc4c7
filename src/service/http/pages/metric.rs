//! A metric's history in each environment, and in one of them as a chart.

use super::super::index::Group;
use super::{Frame, Tab, address, document, time, to_group, to_metric, to_sweep, toll};
use crate::history::{Event, GroupKey, Story, Track, better_is};
use crate::judge::Policy;
use crate::model::{EnvironmentName, SeriesKey, SweepId};
use crate::report::chart::{Axis, History};
use crate::report::view::{self, label, mark, words};
use crate::report::{clean, number};
use maud::{Markup, html};

/// What is shown of a metric.
pub(in crate::service::http) struct Shown<'a> {
    pub key: &'a GroupKey,
    pub group: &'a Group,
    pub series: SeriesKey,
    /// The sweep whose rounds are shown.
    pub chosen: Option<SweepId>,
    /// Sweeps that are shown at most.
    pub most: usize,
    pub policy: &'a Policy,
}

/// Sweeps that are shown when nothing else is asked for.
pub(in crate::service::http) const MOST: usize = 100;

impl Shown<'_> {
    fn emulated(&self) -> bool {
        self.group.newest().is_some_and(|(_, h)| h.accelerator.as_deref() == Some("tcg"))
    }

    fn name(&self) -> String {
        clean::name(&self.series.metric.to_string())
    }

    /// The page; `rounds` is the part about the chosen sweep. None where the group has no such series.
    pub fn page(&self, frame: Frame<'_>, rounds: Option<&Markup>) -> Option<String> {
        let track = self.group.tracks.get(&self.series)?;
        let title = format!("{} in {}", self.name(), self.series.environment);
        let m = &self.series.metric;
        let body = html! {
            p.crumbs {
                a href="/" { "Overview" } " › "
                a href=(to_group(self.key)) { (self.key.host_class) " " (clean::name(&self.key.profile)) } " › "
                (self.name())
            }
            h1.title {
                (clean::name(&m.metric))
                small {
                    (clean::name(&m.workload)) " " (clean::name(&m.case)) ", " (clean::name(&track.info.unit)) ", "
                    (better_is(track.info.better))
                }
            }
            (self.tabs())
            (self.chart(track))
            div id="rounds" { @if let Some(rounds) = rounds { (rounds) } }
            (self.table(track))
        };
        Some(document(frame, Tab::Overview, &title, &body))
    }

    /// The environments that have it, with their newest toll.
    fn tabs(&self) -> Markup {
        let m = &self.series.metric;
        let at = self.group.newest().map(|(at, _)| at);
        let of = |e: &EnvironmentName| {
            let track = self.group.tracks.get(&SeriesKey { metric: m.clone(), environment: e.clone() })?;
            let now = at.map_or(f32::NAN, |at| track.shown()[at]);
            Some(if track.is_tolled() { toll(now) } else { String::new() })
        };
        html! {
            ul.tabs aria-label="Environments" {
                @for e in self.group.environments() {
                    @if let Some(now) = of(e) {
                        li {
                            a href=(to_metric(self.key, m, Some(&e.to_string())))
                                aria-current=[(*e == self.series.environment).then_some("page")] {
                                (label(e, self.emulated())) @if !now.is_empty() { span { (now) } }
                            }
                        }
                    }
                }
            }
        }
    }

    fn chart(&self, track: &Track) -> Markup {
        let story = Story::of(self.group, &self.series, track, (self.policy, None), self.most);
        let kind = self.group.judged.as_ref().and_then(|j| j.kinds.get(&self.series)).copied();
        let flags = numbered(&story.changes);
        html! {
            section {
                div.row {
                    h2 { (label(&self.series.environment, self.emulated())) }
                    @if let Some(kind) = kind {
                        span class={ "badge " (kind.as_str()) } { (mark(kind)) " " (words(kind)) }
                    }
                }
                div.chart { (self.drawing(track, &story).draw()) }
                (legend(&story))
                @if story.older > 0 {
                    p.small { (number::count(story.older, "older sweep")) " left out: " a href=(self.all()) { "show all" } }
                }
                (changes(&flags))
                (level_list(&story, &Axis::of(track)))
            }
        }
    }

    fn drawing(&self, track: &Track, story: &Story<'_>) -> History {
        let title = format!("History of {} in {}", self.name(), self.series.environment);
        History::of(title, track, story, |sweep| Some(self.rounds_of(sweep)), self.chosen.as_ref().as_slice())
    }

    /// The same page with the rounds of a sweep.
    fn rounds_of(&self, sweep: &SweepId) -> String {
        let environment = self.series.environment.to_string();
        let here = to_metric(self.key, &self.series.metric, Some(&environment));
        format!("{here}&rounds={sweep}#rounds")
    }

    fn all(&self) -> String {
        let environment = self.series.environment.to_string();
        format!("{}&last=all", to_metric(self.key, &self.series.metric, Some(&environment)))
    }

    fn table(&self, track: &Track) -> Markup {
        let story = Story::of(self.group, &self.series, track, (self.policy, None), self.most);
        let unit = clean::name(&track.info.unit);
        html! {
            section {
                details {
                    summary { h2 { "The same as a table" } }
                    div.scroll {
                        table {
                            thead {
                                tr {
                                    th scope="col" { "sweep" }
                                    th scope="col" { "began" }
                                    th.n scope="col" { "median" }
                                    th.n scope="col" { "toll" }
                                    th scope="col" { "" }
                                    th scope="col" { "" }
                                }
                            }
                            tbody {
                                @for p in story.points.iter().rev() {
                                    tr {
                                        th.nowrap scope="row" { a href=(to_sweep(p.sweep)) { (p.sweep) } }
                                        td.nowrap { (time(p.started_at)) }
                                        td.n { (number::value(p.median.map_or(f64::NAN, f64::from), &unit)) }
                                        td.n { (toll(p.toll_pct.unwrap_or(f32::NAN))) }
                                        td { @if p.accepted { "accepted" } @else if p.partial { "chosen cells" } }
                                        td { a href=(self.rounds_of(p.sweep)) { "rounds" } }
                                    }
                                }
                            }
                        }
                    }
                    p.small { a href=(api_address(self.key, &self.series)) { "As JSON" } }
                }
            }
        }
    }
}

/// Changes with the number of their flag.
fn numbered<'a, 'b>(changes: &'a [Event<'b>]) -> Vec<(usize, &'a Event<'b>)> {
    (1..).zip(changes).collect()
}

fn changes(flags: &[(usize, &Event<'_>)]) -> Markup {
    html! {
        @if !flags.is_empty() {
            h3 { "What changed" }
            ul.numbered {
                @for (number, event) in flags {
                    li {
                        span.flag { (number) } (view::event(event)) " "
                        span.soft.small { "with " a href=(to_sweep(event.sweep)) { (event.sweep) } }
                    }
                }
            }
        }
    }
}

fn level_list(story: &Story<'_>, axis: &Axis) -> Markup {
    html! {
        @if story.levels.len() > 1 {
            h3 { "Change points" }
            ul.numbered {
                @for pair in story.levels.windows(2) {
                    li {
                        "from " b { (axis.label(pair[0].middle)) } " to " b { (axis.label(pair[1].middle)) } " with "
                        a href=(to_sweep(pair[1].from)) { (pair[1].from) }
                    }
                }
            }
        }
    }
}

fn legend(story: &Story<'_>) -> Markup {
    let partial = |accepted: bool| story.points.iter().any(|p| p.partial && p.accepted == accepted);
    let measured = story.points.iter().any(|p| !p.partial && !p.accepted);
    let apart = story.points.iter().any(|p| !p.comparable);
    html! {
        p.key.chartkey {
            span { i.accepted {} "accepted sweep" }
            @if measured { span { i.measured {} "measured, not accepted" } }
            @if partial(true) { span { i.partial.accepted {} "chosen cells, accepted" } }
            @if partial(false) { span { i.partial {} "chosen cells" } }
            @if apart { span { "× not comparable with the newest" } }
            @if let Some(band) = story.band {
                span { i.band {} "baseline: " @if band.sweeps < 10 { "its" } @else { "middle 80 % of its" } " " (number::count(band.sweeps, "sweep")) }
            }
            @if !story.levels.is_empty() { span { i.level {} "level" } }
            @if story.threshold.is_some() { span { i.threshold {} "threshold of a regression" } }
            @if !story.changes.is_empty() { span { i.change {} "a component changed" } }
            span { "Sweeps stand evenly, in order of time. A dot leads to its rounds." }
        }
    }
}

/// The address of the API's answer with the same history.
fn api_address(key: &GroupKey, series: &SeriesKey) -> String {
    let environment = series.environment.to_string();
    let query = [
        ("class", key.host_class.as_str()),
        ("profile", &key.profile),
        ("workload", &series.metric.workload),
        ("case", &series.metric.case),
        ("metric", &series.metric.metric),
        ("environment", &environment),
    ];
    address("/api/v1/history", &query)
}
