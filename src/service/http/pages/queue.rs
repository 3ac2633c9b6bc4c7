//! The queue: what runs, what waits, what ended.

use super::{Frame, Tab, ago, document, time, to_sweep};
use crate::report::{clean, number};
use crate::watch::{Finished, FinishedAs, Job, Priority, Running, Status};
use maud::{Markup, html};

/// Jobs that wait and are named beside the one that runs.
const NEXT: usize = 3;

/// The page.
pub(in crate::service::http) fn page(frame: Frame<'_>) -> String {
    let status = frame.status;
    let body = html! {
        h1.title { "Queue" }
        div id="live" { (live(frame)) }
        (waiting(frame))
        (finished(frame))
        (wakeups(status))
    };
    document(frame, Tab::Queue, "Queue", &body)
}

/// What changes while a sweep runs; the script replaces it. It says how many jobs ended, so that the page is known to be old.
pub(in crate::service::http) fn live(frame: Frame<'_>) -> Markup {
    let status = frame.status;
    // At most fifty are kept, so that their number alone stands still.
    let newest = status.finished.first().map_or(0, |f| f.job.id);
    html! {
        section.running[status.running.is_some()] data-finished={ (status.finished.len()) "-" (newest) } {
            @match &status.running {
                Some(running) => (now(running, frame)),
                None => p {
                    b { "Nothing runs. " }
                    span.soft { @if status.queue.is_empty() { "Nothing waits." } @else { (number::count(status.queue.len(), "job")) " waiting." } }
                },
            }
            @if status.running.is_some() && !status.queue.is_empty() {
                p.small.soft {
                    "Next: " (status.queue.iter().take(NEXT).map(|j| clean::name(&j.profile)).collect::<Vec<_>>().join(", "))
                    @if status.queue.len() > NEXT { " and " (status.queue.len() - NEXT) " more" }
                }
            }
            @if status.outbox.waiting + status.outbox.refused > 0 {
                p.small.soft {
                    (number::count(status.outbox.waiting, "message")) " waiting to be sent"
                    @if status.outbox.refused > 0 { ", " (status.outbox.refused) " refused for good" }
                    "."
                }
            }
        }
    }
}

fn now(running: &Running, frame: Frame<'_>) -> Markup {
    let share = (running.done * 100).checked_div(running.total).unwrap_or(0);
    html! {
        div.row {
            h2 { "Sweeping: " (clean::name(&running.job.profile)) }
            span.soft.small {
                @if let Some(left) = running.left_s { "about " (number::duration(left)) " left" }
                @else { "since " (ago(running.since, frame.now)) }
            }
        }
        progress value=(running.done) max=(running.total.max(1)) { (share) " %" }
        div.row.small.soft {
            span { (clean::text(&running.step)) }
            span { (running.done) " of " (running.total) " rounds, " (share) " %" }
        }
        p.small { (clean::text(&running.job.reason.sentence())) "." }
    }
}

fn waiting(frame: Frame<'_>) -> Markup {
    let queue = &frame.status.queue;
    html! {
        section {
            h2 { "Waiting" }
            @if queue.is_empty() { p.empty { "Nothing waits." } }
            @else {
                div.scroll {
                    table {
                        thead {
                            tr {
                                th scope="col" { "job" } th scope="col" { "profile" } th scope="col" { "why" }
                                th scope="col" { "since" } th scope="col" { "not before" }
                            }
                        }
                        tbody { @for job in queue { (waiting_row(job, frame)) } }
                    }
                }
            }
        }
    }
}

fn waiting_row(job: &Job, frame: Frame<'_>) -> Markup {
    html! {
        tr {
            th scope="row" { "#" (job.id) @if job.priority == Priority::High { " " span.badge.high { "high" } } }
            td { (clean::name(&job.profile)) }
            td {
                (clean::text(&job.reason.sentence()))
                @if job.attempts > 0 { br; span.small.soft { (number::count(job.attempts as usize, "attempt")) } }
                @if let Some(error) = &job.last_error { br; span.small.soft { (clean::text(error)) } }
            }
            td.nowrap { (ago(job.queued_at, frame.now)) }
            td.nowrap { @if let Some(at) = job.not_before { (time(at)) } @else { span.soft { "now" } } }
        }
    }
}

fn finished(frame: Frame<'_>) -> Markup {
    let finished = &frame.status.finished;
    html! {
        section {
            h2 { "Ended" }
            @if finished.is_empty() { p.empty { "Nothing ended since the service knows." } }
            @else {
                div.scroll {
                    table {
                        thead {
                            tr {
                                th scope="col" { "job" } th scope="col" { "profile" } th scope="col" { "how" }
                                th scope="col" { "why" } th scope="col" { "when" } th.n scope="col" { "took" }
                            }
                        }
                        tbody { @for f in finished { (finished_row(f, frame)) } }
                    }
                }
            }
        }
    }
}

/// The class and the words of an outcome.
pub(in crate::service::http) fn outcome(of: FinishedAs) -> (&'static str, &'static str) {
    match of {
        FinishedAs::Judged(decision) => (decision.as_str(), decision.as_str()),
        FinishedAs::Dispatched => ("pass", "handed over"),
        FinishedAs::Invalidated => ("inconclusive", "a change came"),
        FinishedAs::Failed => ("failed", "failed"),
        FinishedAs::GaveUp => ("regressed", "given up"),
    }
}

fn finished_row(f: &Finished, frame: Frame<'_>) -> Markup {
    let (class, words) = outcome(f.outcome);
    let took = (f.ended - f.began).num_milliseconds() as f64 / 1e3;
    html! {
        tr {
            th scope="row" { "#" (f.job.id) }
            td { (clean::name(&f.job.profile)) }
            td {
                @let badge = html! { span class={ "badge " (class) } { (words) } };
                @match &f.sweep { Some(sweep) => a href=(to_sweep(sweep)) { (badge) }, None => (badge) }
            }
            td {
                (clean::text(&f.job.reason.sentence()))
                @if let Some(detail) = &f.detail { br; span.small.soft { (clean::text(detail)) } }
            }
            td.nowrap { (ago(f.ended, frame.now)) }
            td.n { (number::duration(took)) }
        }
    }
}

fn wakeups(status: &Status) -> Markup {
    html! {
        @if !status.wakeups.is_empty() {
            section {
                h2 { "What woke the service" }
                p {
                    @for (source, n) in &status.wakeups { span.badge { (clean::name(source)) " " (n) } " " }
                }
            }
        }
    }
}
