//! The overview: what runs, what waits, and where each host class and profile stands.

use super::super::index::{Catalogue, Group, Judged};
use super::{Frame, Tab, ago, change, document, queue, to_group, to_metric, to_sweep, toll};
use crate::history::GroupKey;
use crate::model::{EnvironmentName, MetricKey, Verdict, VerdictKind};
use crate::report::answer::Tone;
use crate::report::chart::{Spark, spark};
use crate::report::view::{self, mark, words};
use crate::report::{clean, number};
use crate::stats::robust;
use crate::watch::{Candidate, Pending};
use maud::{Markup, html};

/// Sweeps of which the tolls of whole environments are drawn.
const DRAWN: usize = crate::report::chart::spark::ROOM;
/// Regressions that the overview names; the rest is on the group's page.
const NAMED: usize = 6;

/// The page.
pub(in crate::service::http) fn page(frame: Frame<'_>, catalogue: &Catalogue) -> String {
    let body = html! {
        h1.title { "Overview" }
        div id="live" { (queue::live(frame)) }
        @if catalogue.unread > 0 {
            p.warning role="note" { b { "Reading. " } (number::count(catalogue.unread, "stored sweep")) " still to be read; the numbers below are not whole yet." }
        }
        @for (key, group) in &catalogue.groups { (card(frame, key, group)) }
        @if catalogue.groups.is_empty() && catalogue.unread == 0 {
            section.empty {
                h2 { "No sweep yet" }
                p { "The first one appears here when it has ended. " code { "tollgate gate --always" } " makes one now." }
            }
        }
        (pending(&frame.status.pending))
        (candidates(&frame.status.candidates, frame))
        (damaged(catalogue))
    };
    document(frame, Tab::Overview, "Overview", &body)
}

fn pending(pending: &[Pending]) -> Markup {
    html! {
        @if !pending.is_empty() {
            section {
                h2 { "Installed, not running yet" }
                ul.plain {
                    @for p in pending {
                        li {
                            b { (p.component) } " "
                            (p.running.as_deref().map_or_else(|| "absent".to_owned(), view::version)) " runs, "
                            code { (view::version(&p.installed)) } " is installed: it is measured after the next boot."
                        }
                    }
                }
            }
        }
    }
}

fn candidates(candidates: &[Candidate], frame: Frame<'_>) -> Markup {
    html! {
        @if !candidates.is_empty() {
            section {
                h2 { "Candidate upgrades" }
                p.soft.small { "Offered, and newer than what is installed." }
                ul.plain {
                    @for c in candidates {
                        li.cand {
                            b { (c.component) }
                            span {
                                (c.installed.as_deref().map_or_else(|| "absent".to_owned(), view::version)) " → "
                                @match c.url.as_deref().filter(|u| u.starts_with("https://")) {
                                    Some(url) => a href=(url) rel="noreferrer" { (view::version(&c.offered)) },
                                    None => code { (view::version(&c.offered)) },
                                }
                            }
                            span.soft.small { (clean::text(&c.source)) ", since " (ago(c.seen_at, frame.now)) }
                        }
                    }
                }
            }
        }
    }
}

/// The class of a tone.
pub(super) fn tone(of: Tone) -> &'static str {
    match of {
        Tone::Good => "good",
        Tone::Bad => "bad",
        Tone::Unsure => "unsure",
        Tone::Neutral => "neutral",
    }
}

fn card(frame: Frame<'_>, key: &GroupKey, group: &Group) -> Markup {
    let judged = group.judged.as_deref();
    let class = judged.map_or("neutral", |j| tone(j.answer.tone));
    html! {
        section class={ "group " (class) } {
            header {
                h2 { a href=(to_group(key)) { (key.host_class) " " span { (clean::name(&key.profile)) } } }
                p.said { (said(group)) }
                @if let Some(judged) = judged {
                    @for c in &judged.changed { p.small { (change(c)) } }
                    @if let Some(warning) = &judged.emulation { p.small.soft { (warning) "." } }
                }
            }
            div.cols {
                div {
                    h3 { "Median toll of all metrics" }
                    (environments(group))
                }
                div {
                    @if let Some(judged) = judged { (worst(key, judged)) (counts(judged)) }
                }
            }
            (meta(frame, group))
        }
    }
}

/// The answer on the newest sweep.
pub(super) fn said(group: &Group) -> String {
    match (&group.judged, group.newest()) {
        (Some(judged), _) => judged.answer.sentence.clone(),
        (None, Some(_)) => "The newest sweep is not judged yet".to_owned(),
        (None, None) => "Only sweeps of chosen cells, which confirm others".to_owned(),
    }
}

/// One line an environment: its median toll in the newest sweep, and how that went.
fn environments(group: &Group) -> Markup {
    let whole: Vec<usize> = (0..group.heads.len()).filter(|i| !group.heads[*i].partial).collect();
    let drawn = &whole[whole.len().saturating_sub(DRAWN)..];
    let emulated = group.newest().is_some_and(|(_, h)| h.accelerator.as_deref() == Some("tcg"));
    let row = |environment: &EnvironmentName| {
        let medians: Vec<f32> = drawn.iter().map(|at| median_toll(group, environment, *at)).collect();
        let now = *medians.last()?;
        now.is_finite().then(|| (crate::report::view::label(environment, emulated), now, medians))
    };
    let rows: Vec<_> = group.environments().into_iter().filter(|e| !e.is_native()).filter_map(row).collect();
    html! {
        @if rows.is_empty() { p.soft.small { "No toll was measured." } }
        @else {
            table.envs {
                tbody {
                    @for (name, now, medians) in &rows {
                        tr {
                            th scope="row" { (name) }
                            td.n { (spark(Spark { values: medians, least: 4.0 })) }
                            td.n { b { (toll(*now)) } }
                        }
                    }
                }
            }
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "it was a float before")]
fn median_toll(group: &Group, environment: &EnvironmentName, at: usize) -> f32 {
    let of = group.tracks.iter().filter(|(k, _)| k.environment == *environment);
    let tolls: Vec<f64> = of.map(|(_, t)| f64::from(t.tolls[at])).filter(|t| t.is_finite()).collect();
    robust::median(&tolls).map_or(f32::NAN, |m| m as f32)
}

fn worst(key: &GroupKey, judged: &Judged) -> Markup {
    let place = |v: &Verdict| {
        let metric = MetricKey::new(&v.workload, &v.case, &v.metric);
        to_metric(key, &metric, Some(&v.environment.to_string()))
    };
    html! {
        @if !judged.worst.is_empty() {
            h3 { "Worse than before" }
            ul.plain {
                @for v in judged.worst.iter().take(NAMED) {
                    li {
                        span class={ "badge " (v.verdict.as_str()) } { (mark(v.verdict)) " " (words(v.verdict)) } " "
                        a href=(place(v)) { (clean::name(&format!("{}/{}/{}", v.workload, v.case, v.metric))) }
                        " in " (v.environment) ", "
                        (number::printed(&view::change_of(v)))
                    }
                }
                @if judged.worst.len() > NAMED {
                    li { a href=(to_group(key)) { "and " (judged.worst.len() - NAMED) " more" } }
                }
            }
        }
    }
}

fn counts(judged: &Judged) -> Markup {
    let counts: Vec<(VerdictKind, u32)> =
        judged.summary.iter().filter(|(_, n)| **n > 0).map(|(k, n)| (*k, *n)).collect();
    html! {
        @if !counts.is_empty() {
            h3 { "Verdicts" }
            p {
                @for (kind, n) in counts {
                    span class={ "badge " (kind.as_str()) } { (mark(kind)) " " (n) " " (words(kind)) } " "
                }
            }
        }
    }
}

fn meta(frame: Frame<'_>, group: &Group) -> Markup {
    let accepted = group.heads.iter().filter(|h| h.accepted.is_some()).count();
    html! {
        p.meta {
            @if let Some((_, head)) = group.newest() {
                "Newest sweep " a href=(to_sweep(&head.sweep)) { (head.sweep) } ", "
                (ago(head.finished_at, frame.now)) ", took " (number::duration(head.wall_s)) ". "
            }
            (number::count(group.heads.len(), "sweep")) ", " (accepted) " accepted; "
            (group.tracks.len()) " series."
        }
    }
}

fn damaged(catalogue: &Catalogue) -> Markup {
    html! {
        @if !catalogue.damaged.is_empty() {
            section {
                h2 { "Stored files that cannot be read" }
                ul.troubles {
                    @for (path, why) in &catalogue.damaged {
                        li { p { code { (clean::text(path)) } } p.reason { (clean::text(why)) } }
                    }
                }
            }
        }
    }
}
