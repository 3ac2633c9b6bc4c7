//! All metrics of one host class and profile, with the tolls of the newest sweep and how they went; and the sweeps.

use super::super::index::Group;
use super::overview::{said, tone};
use super::{Frame, Tab, ago, change, document, time, to_metric, to_sweep, toll};
use crate::history::{GroupKey, Head};
use crate::model::{EnvironmentName, MetricKey, SeriesKey};
use crate::report::chart::{Spark, spark};
use crate::report::view::{label, mark, words};
use crate::report::{clean, number};
use maud::{Markup, html};
use std::collections::BTreeMap;

/// Sweeps that are listed.
const LISTED: usize = 60;

/// The page.
pub(in crate::service::http) fn page(frame: Frame<'_>, key: &GroupKey, group: &Group) -> String {
    let title = format!("{} {}", key.host_class, clean::name(&key.profile));
    let class = group.judged.as_ref().map_or("neutral", |j| tone(j.answer.tone));
    let body = html! {
        p.crumbs { a href="/" { "Overview" } " › " (title) }
        h1.title { (key.host_class) small { (clean::name(&key.profile)) } }
        section class={ "group " (class) } {
            header {
                p.said { (said(group)) }
                @if let Some(judged) = &group.judged {
                    @for c in &judged.changed { p.small { (change(c)) } }
                    p.small.soft {
                        "Verdicts on " a href=(to_sweep(&judged.sweep)) { (judged.sweep) } "."
                        @if let Some(warning) = &judged.emulation { " " (warning) "." }
                    }
                }
            }
        }
        (metrics(key, group))
        (sweeps(frame, key, group))
    };
    document(frame, Tab::Overview, &title, &body)
}

/// Metrics by workload and case.
type Rows<'a> = BTreeMap<(&'a str, &'a str), BTreeMap<&'a str, &'a MetricKey>>;

fn metrics(key: &GroupKey, group: &Group) -> Markup {
    let Some((at, newest)) = group.newest() else { return html! {} };
    let emulated = newest.accelerator.as_deref() == Some("tcg");
    let environments: Vec<&EnvironmentName> =
        group.environments().into_iter().filter(|e| !e.is_native()).collect();
    let mut rows: Rows<'_> = BTreeMap::new();
    for series in group.tracks.keys() {
        let m = &series.metric;
        rows.entry((&m.workload, &m.case)).or_default().insert(&m.metric, m);
    }
    html! {
        section {
            h2 { "Tolls of the newest sweep, and how they went" }
            p.caption { "Toll against native, positive is worse; the line is the history, oldest first. Each leads to its metric." }
            div.scroll {
                table.heat data-filter="Show only metrics like …" {
                    thead {
                        tr {
                            th scope="col" { "metric" }
                            th.n scope="col" { "native" }
                            @for e in &environments { th.n scope="col" { (breakable(e, emulated)) } }
                        }
                    }
                    @for ((workload, case), metrics) in &rows {
                        tbody {
                            tr.group {
                                th scope="rowgroup" colspan=(environments.len() + 2) {
                                    (clean::name(workload)) " " (clean::name(case))
                                }
                            }
                            @for metric in metrics.values() {
                                tr {
                                    th scope="row" { a href=(to_metric(key, metric, None)) { (clean::name(&metric.metric)) } }
                                    td.n.native { (native(group, metric, at)) }
                                    @for e in &environments { (cell(key, group, metric, e, at)) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// A name that may be broken before each axis.
fn breakable(environment: &EnvironmentName, emulated: bool) -> Markup {
    let name = label(environment, emulated);
    html! {
        @for (at, part) in name.split('+').enumerate() {
            @if at > 0 { wbr; "+" }
            (part)
        }
    }
}

fn native(group: &Group, metric: &MetricKey, at: usize) -> String {
    let key = SeriesKey { metric: metric.clone(), environment: EnvironmentName::NATIVE };
    let value = group.tracks.get(&key).map(|t| (f64::from(t.medians[at]), &t.info.unit));
    value.map_or_else(|| number::NONE.to_owned(), |(x, unit)| number::value(x, &clean::name(unit)))
}

fn cell(
    key: &GroupKey,
    group: &Group,
    metric: &MetricKey,
    environment: &EnvironmentName,
    at: usize,
) -> Markup {
    let series = SeriesKey { metric: metric.clone(), environment: environment.clone() };
    let Some(track) = group.tracks.get(&series) else { return html! { td {} } };
    let kind = group.judged.as_ref().and_then(|j| j.kinds.get(&series)).copied();
    let now = track.shown()[at];
    let text = if track.is_tolled() {
        toll(now)
    } else {
        number::value(f64::from(now), &clean::name(&track.info.unit))
    };
    let class = if track.is_tolled() { crate::report::html::heat_step(f64::from(now)) } else { "none" };
    html! {
        td class={ "n " (class) } {
            a href=(to_metric(key, metric, Some(&environment.to_string()))) {
                (text)
                @if let Some(kind) = kind {
                    span class={ "mark " (kind.as_str()) } title=(words(kind)) { (mark(kind)) }
                }
                (spark(Spark { values: track.shown(), least: if track.is_tolled() { 6.0 } else { 0.0 } }))
            }
        }
    }
}

fn sweeps(frame: Frame<'_>, key: &GroupKey, group: &Group) -> Markup {
    let newest: Vec<(usize, &Head)> = group.heads.iter().enumerate().rev().take(LISTED).collect();
    html! {
        section {
            h2 { "Sweeps" }
            @if group.heads.len() > LISTED {
                p.caption { "The newest " (LISTED) " of " (group.heads.len()) "." }
            }
            div.scroll {
                table {
                    thead {
                        tr {
                            th scope="col" { "sweep" }
                            th scope="col" { "when" }
                            th.n scope="col" { "took" }
                            th.n scope="col" { "cells" }
                            th scope="col" { "baseline" }
                            th scope="col" { "changed" }
                        }
                    }
                    tbody {
                        @for (at, head) in newest { (sweep_row(frame, key, group, at, head)) }
                    }
                }
            }
        }
    }
}

fn sweep_row(frame: Frame<'_>, key: &GroupKey, group: &Group, at: usize, head: &Head) -> Markup {
    let (changed, parameters) = group.changes_at(at);
    let before = at.checked_sub(1).map(|b| &group.heads[b].sweep);
    let compare =
        before.map(|b| super::address("/compare", &[("from", b.as_str()), ("to", head.sweep.as_str())]));
    html! {
        tr {
            th.nowrap scope="row" { a href=(to_sweep(&head.sweep)) { (head.sweep) } }
            td.nowrap { (time(head.started_at)) br; span.soft.small { (ago(head.finished_at, frame.now)) } }
            td.n { (number::duration(head.wall_s)) }
            td.n {
                (head.cells_ok)
                @if head.cells_failed > 0 { " " span.badge.failed { (head.cells_failed) " failed" } }
            }
            td {
                @if let Some(by) = &head.accepted { "accepted by " (clean::name(&by.by)) }
                @else if head.partial { span.soft { "chosen cells" } }
                @else { span.soft { "no" } }
            }
            td {
                @for c in &changed { (change(c)) br; }
                @if parameters { "the suite's parameters" br; }
                @if let Some(link) = compare.filter(|_| !changed.is_empty()) { a.small href=(link) { "compare" } }
                @if changed.is_empty() && !parameters && at == 0 { span.soft { "the first of " (key.host_class) } }
            }
        }
    }
}
