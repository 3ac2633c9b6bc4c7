//! The pages: the frame that they share, their addresses, and how times and versions are written. All text from a host is
//! cleaned and escaped; nothing in a page runs.

pub mod alerts;
pub mod compare;
pub mod group;
pub mod metric;
pub mod overview;
pub mod queue;
pub mod rounds;
pub mod sweep;

use crate::history::GroupKey;
use crate::model::{Change, MetricKey, SweepId};
use crate::report::{clean, number, view};
use crate::watch::{Mode, Status};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use chrono::{DateTime, Utc};
use maud::{DOCTYPE, Markup, html};
use std::fmt::Write as _;

/// The parts of the service, as the navigation has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tab {
    Overview,
    Compare,
    Queue,
    Alerts,
}

impl Tab {
    const ALL: [(Self, &'static str, &'static str); 4] = [
        (Self::Overview, "/", "Overview"),
        (Self::Compare, "/compare", "Compare"),
        (Self::Queue, "/queue", "Queue"),
        (Self::Alerts, "/alerts", "Alerts"),
    ];
}

/// What every page needs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frame<'a> {
    /// What the service says of itself.
    pub status: &'a Status,
    /// The time of day.
    pub now: DateTime<Utc>,
}

/// A whole page.
pub(super) fn document(frame: Frame<'_>, tab: Tab, title: &str, body: &Markup) -> String {
    let status = frame.status;
    let mode = match status.mode {
        Mode::Local => "sweeps here",
        Mode::Dispatch => "asks GitHub Actions to sweep",
    };
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            (head(title))
            body {
                a.skip href="#main" { "To the content" }
                header.top {
                    div {
                        a.logo href="/" { img src=(asset("icon.svg")) alt=""; "Tollgate" }
                        nav aria-label="Pages" {
                            @for (of, address, name) in Tab::ALL {
                                a href=(address) aria-current=[(of == tab).then_some("page")] { (name) }
                            }
                        }
                        span.where { (status.host_class) " · " (mode) }
                    }
                }
                main id="main" { (body) }
                footer {
                    p {
                        b { "Toll" } ": how much worse an environment is than the same work on the same host natively, "
                        "in percent of the ratio. Positive is worse, whichever direction of the metric is better."
                    }
                    p { "Tollgate " (status.version) ", up since " (time(status.started_at)) ". "
                        a href="/api/v1/status" { "API" } " · " a href="/metrics" { "metrics" } }
                }
            }
        }
    };
    finish(page)
}

fn head(title: &str) -> Markup {
    html! {
        head {
            meta charset="utf-8";
            meta name="viewport" content="width=device-width, initial-scale=1";
            meta name="color-scheme" content="light dark";
            title { (title) " - Tollgate" }
            link rel="icon" href=(asset("icon.svg"));
            link rel="stylesheet" href=(asset("style.css"));
            script src=(asset("script.js")) defer {}
        }
    }
}

fn finish(page: Markup) -> String {
    let mut text = page.into_string();
    text.push('\n');
    text
}

/// The version makes a new address of a new file.
fn asset(name: &str) -> String {
    format!("/{name}?v={}", env!("CARGO_PKG_VERSION"))
}

/// The page of a request that has no answer.
pub(super) fn problem(status: StatusCode, why: &str) -> Response {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            (head(status.canonical_reason().unwrap_or("no answer")))
            body {
                main {
                    section.problem {
                        h1 { (status.as_u16()) }
                        p { (clean::text(why)) "." }
                        p { a href="/" { "To the overview" } }
                    }
                }
            }
        }
    };
    (status, [(header::CONTENT_TYPE, "text/html; charset=utf-8")], finish(page)).into_response()
}

/// `/path?a=b&c=d`, everything but plain characters encoded.
pub(super) fn address(path: &str, query: &[(&str, &str)]) -> String {
    let mut out = path.to_owned();
    for (i, (name, value)) in query.iter().enumerate() {
        out.push(if i == 0 { '?' } else { '&' });
        out.push_str(name);
        out.push('=');
        for byte in value.bytes() {
            if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
                out.push(char::from(byte));
            } else {
                // Writing to a String cannot fail.
                let _ = write!(out, "%{byte:02X}");
            }
        }
    }
    out
}

/// The list of a group's metrics.
pub(super) fn to_group(key: &GroupKey) -> String {
    address("/group", &[("class", key.host_class.as_str()), ("profile", &key.profile)])
}

/// A metric's page; with an environment, that one's chart.
pub(super) fn to_metric(key: &GroupKey, metric: &MetricKey, environment: Option<&str>) -> String {
    let mut query = vec![
        ("class", key.host_class.as_str()),
        ("profile", key.profile.as_str()),
        ("workload", &metric.workload),
        ("case", &metric.case),
        ("metric", &metric.metric),
    ];
    query.extend(environment.map(|e| ("environment", e)));
    address("/metric", &query)
}

/// A sweep's page. Its id has plain characters only.
pub(super) fn to_sweep(sweep: &SweepId) -> String {
    format!("/sweep/{sweep}")
}

/// `2026-11-23 14:57 UTC`.
pub(super) fn time(at: DateTime<Utc>) -> Markup {
    html! { time datetime=(at.to_rfc3339()) { (at.format("%Y-%m-%d %H:%M UTC")) } }
}

/// `3 h 4 min ago`; the time itself where it lies ahead.
pub(super) fn ago(at: DateTime<Utc>, now: DateTime<Utc>) -> Markup {
    let seconds = (now - at).num_seconds();
    let text = match seconds {
        i64::MIN..0 => at.format("%Y-%m-%d %H:%M UTC").to_string(),
        0..60 => "just now".to_owned(),
        60..172_800 => format!("{} ago", number::duration((seconds / 60 * 60) as f64)),
        _ => format!("{} days ago", seconds / 86_400),
    };
    html! { time datetime=(at.to_rfc3339()) { (text) } }
}

/// `docker-engine 20.10.24 → 26.1.5`.
pub(super) fn change(of: &Change) -> Markup {
    let version = |v: &Option<String>| v.as_deref().map_or_else(|| "absent".to_owned(), view::version);
    html! { b { (of.component) } " " span.soft { (version(&of.before)) } " → " (version(&of.after)) }
}

/// A toll with the printer's minus.
pub(super) fn toll(pct: f32) -> String {
    if pct.is_finite() { number::printed(&number::toll(f64::from(pct))) } else { number::NONE.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeDelta;

    #[test]
    fn addresses_hold_any_name() {
        let address = address("/metric", &[("workload", "a/b&c=\"d\" <e>"), ("case", "ü")]);
        assert_eq!(address, "/metric?workload=a%2Fb%26c%3D%22d%22%20%3Ce%3E&case=%C3%BC");
    }

    #[test]
    fn times_are_told_from_now() {
        let now = DateTime::from_timestamp(1_800_000_000, 0).expect("a time");
        let told = |s: i64| {
            let text = ago(now - TimeDelta::seconds(s), now).into_string();
            text.split_once('>').and_then(|(_, t)| Some(t.split_once('<')?.0.to_owned())).expect("text")
        };
        assert_eq!(told(59), "just now");
        assert_eq!(told(125), "2 min ago");
        assert_eq!(told(3 * 3600 + 240), "3 h 4 min ago");
        assert_eq!(told(86_400 * 3), "3 days ago");
        assert!(told(-500).ends_with("UTC"));
    }

    #[test]
    fn a_digest_is_shortened_and_a_hostile_version_is_visible() {
        assert_eq!(view::version(&"a".repeat(64)), "aaaaaaaaaaaa…");
        assert_eq!(view::version("1\u{202e}2"), "1\\u{202e}2");
    }
}
