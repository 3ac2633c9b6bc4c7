//! The alerts, and where their issues are.

use super::super::alerts::{Shown, Tracker};
use super::{Frame, Tab, ago, document, to_group, to_metric, to_sweep};
use crate::history::GroupKey;
use crate::model::MetricKey;
use crate::notify::github::issues::LABEL;
use crate::report::clean;
use maud::{Markup, html};

/// Metrics that an alert names.
const NAMED: usize = 8;

/// The page where alerts are issues elsewhere: which of them stand is not known here.
pub(in crate::service::http) fn elsewhere(frame: Frame<'_>, tracker: &Tracker) -> String {
    let repository = tracker.repository.to_string();
    let body = html! {
        h1.title { "Alerts" small { "kept on GitHub" } }
        section {
            p {
                "This host's alerts are issues of "
                @match tracker.issues() {
                    Some(issues) => a href=(issues) rel="noreferrer" { (repository) },
                    None => (repository),
                }
                ", labelled " code { (LABEL) } ". What stands is kept there, and not known here."
            }
        }
    };
    document(frame, Tab::Alerts, "Alerts", &body)
}

/// The page where they are kept on this host.
pub(in crate::service::http) fn page(frame: Frame<'_>, alerts: &[Shown]) -> String {
    let open = alerts.iter().filter(|a| a.open).count();
    let body = html! {
        h1.title { "Alerts" small { @if open == 0 { "nothing stands" } @else { (open) " open" } } }
        @if alerts.is_empty() {
            section.empty {
                h2 { "No alert" }
                p { "Where a toll rises and two fresh sweeps confirm it, it stands here until it is back." }
            }
        }
        @for alert in alerts { (card(alert, frame)) }
    };
    document(frame, Tab::Alerts, "Alerts", &body)
}

fn card(alert: &Shown, frame: Frame<'_>) -> Markup {
    let key = alert
        .host_class
        .parse()
        .ok()
        .map(|host_class| GroupKey { host_class, profile: alert.profile.clone() });
    let class = if alert.open { "bad" } else { "neutral" };
    html! {
        section class={ "group " (class) } id={ "alert-" (alert.number) } {
            header {
                div.row {
                    h2 { "#" (alert.number) " " (what(alert)) }
                    span class={ "badge " (if alert.open { "open-yes" } else { "open-no" }) } { (alert.phase) }
                }
                p.small.soft {
                    @if let Some(key) = &key { a href=(to_group(key)) { (key.host_class) " " (clean::name(&key.profile)) } ", " }
                    "since " (ago(alert.at, frame.now))
                    @if let Some(sweep) = &alert.sweep { ", sweep " a href=(to_sweep(sweep)) { (sweep) } }
                }
            }
            @if !alert.metrics.is_empty() {
                ul.plain {
                    @for name in alert.metrics.iter().take(NAMED) { li { (metric(name, key.as_ref())) } }
                    @if alert.metrics.len() > NAMED { li.soft { "and " (alert.metrics.len() - NAMED) " more" } }
                }
            }
            p.meta { code { (clean::text(&alert.key)) } }
        }
    }
}

fn what(alert: &Shown) -> String {
    match (&alert.environment, alert.family) {
        (Some(environment), Some(family)) => format!("{family} in {environment}"),
        (Some(environment), None) => environment.clone(),
        (None, _) => "the host".to_owned(),
    }
}

/// `workload/case/metric@environment`, which leads to its page.
fn metric(name: &str, key: Option<&GroupKey>) -> Markup {
    let parts = || {
        let (metric, environment) = name.rsplit_once('@')?;
        let (rest, metric) = metric.rsplit_once('/')?;
        let (workload, case) = rest.split_once('/')?;
        Some((MetricKey::new(workload, case, metric), environment))
    };
    html! {
        @match key.zip(parts()) {
            Some((key, (metric, environment))) => a href=(to_metric(key, &metric, Some(environment))) { (clean::text(name)) },
            None => (clean::text(name)),
        }
    }
}
