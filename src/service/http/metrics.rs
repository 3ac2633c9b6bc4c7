//! `/metrics`: `OpenMetrics` text for Prometheus, made anew for each scrape from what is known.

use super::app::App;
use super::counts::Counts;
use super::index::{Catalogue, Group};
use super::problem::Problem;
use super::show::Shared;
use crate::history::{GroupKey, Track};
use crate::model::SeriesKey;
use crate::report::clean;
use crate::watch::{FinishedAs, Status};
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use chrono::{DateTime, Utc};
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

const KIND: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

type Labels = Vec<(&'static str, String)>;
type Gauges = Family<Labels, Gauge<f64, AtomicU64>>;
type Counters = Family<Labels, Counter>;

/// The handler.
pub(super) async fn metrics(State(app): Shared) -> Response {
    let of = Arc::clone(&app);
    match app.look(move |catalogue| text(&of, catalogue)).await {
        Ok(text) => ([(header::CONTENT_TYPE, KIND)], text).into_response(),
        Err(problem) => problem.answer(true),
    }
}

fn text(app: &App, catalogue: &Catalogue) -> Result<String, Problem> {
    let mut registry = Registry::with_prefix("tollgate");
    let status = app.status();
    of_service(&mut registry, &status);
    of_queue(&mut registry, &status);
    of_sweeps(&mut registry, catalogue);
    of_tolls(&mut registry, catalogue);
    of_http(&mut registry, &app.counts);
    let mut text = String::new();
    encode(&mut text, &registry).map_err(|_| Problem::Broken)?;
    Ok(text)
}

/// A gauge without labels.
fn one(registry: &mut Registry, name: &str, help: &str, value: f64) {
    let gauge = Gauge::<f64, AtomicU64>::default();
    gauge.set(value);
    registry.register(name, help, gauge);
}

/// Registers and returns an empty family of gauges.
fn gauges(registry: &mut Registry, name: &str, help: &str) -> Gauges {
    let family = Gauges::default();
    registry.register(name, help, family.clone());
    family
}

fn seconds(registry: &mut Registry, name: &str, help: &str) -> Gauges {
    let family = Gauges::default();
    registry.register_with_unit(name, help, Unit::Seconds, family.clone());
    family
}

fn counters(registry: &mut Registry, name: &str, help: &str) -> Counters {
    let family = Counters::default();
    registry.register(name, help, family.clone());
    family
}

fn set(family: &Gauges, labels: &Labels, value: f64) {
    family.get_or_create(labels).set(value);
}

fn unix(at: DateTime<Utc>) -> f64 {
    at.timestamp_millis() as f64 / 1e3
}

fn of_service(registry: &mut Registry, status: &Status) {
    let build = gauges(registry, "build_info", "The version that runs; always 1");
    set(&build, &vec![("version", status.version.to_owned())], 1.0);
    let started = Gauge::<f64, AtomicU64>::default();
    started.set(unix(status.started_at));
    registry.register_with_unit(
        "start_timestamp",
        "When the service started, since the epoch",
        Unit::Seconds,
        started,
    );
    one(
        registry,
        "pending_components",
        "Components that are installed but not running",
        status.pending.len() as f64,
    );
    one(
        registry,
        "candidate_upgrades",
        "Upgrades that are offered and newer than what is installed",
        status.candidates.len() as f64,
    );
    let outbox = gauges(registry, "outbox_jobs", "What was to be told: waiting, or refused for good");
    for (state, n) in [("waiting", status.outbox.waiting), ("refused", status.outbox.refused)] {
        set(&outbox, &vec![("state", state.to_owned())], n as f64);
    }
    let wakeups = counters(registry, "wakeups", "What made the service look at the host");
    for (source, n) in &status.wakeups {
        wakeups.get_or_create(&vec![("source", clean::name(source))]).inc_by(*n);
    }
}

fn of_queue(registry: &mut Registry, status: &Status) {
    one(registry, "queue_jobs", "Sweeps that wait", status.queue.len() as f64);
    one(registry, "running", "Whether a sweep runs", f64::from(u8::from(status.running.is_some())));
    if let Some(running) = &status.running {
        let share = running.done as f64 / running.total.max(1) as f64;
        one(registry, "running_progress_ratio", "Share of the running sweep's rounds that are done", share);
    }
    let last =
        seconds(registry, "last_job_timestamp", "When the newest job of each outcome ended, since the epoch");
    // The newest are first, so that from behind they are set last.
    for finished in status.finished.iter().rev() {
        let outcome = match finished.outcome {
            FinishedAs::Judged(_) => "judged",
            FinishedAs::Dispatched => "dispatched",
            FinishedAs::Invalidated => "invalidated",
            FinishedAs::Failed => "failed",
            FinishedAs::GaveUp => "gave-up",
        };
        set(&last, &vec![("outcome", outcome.to_owned())], unix(finished.ended));
    }
}

fn of_group(key: &GroupKey) -> Labels {
    vec![("host_class", key.host_class.to_string()), ("profile", clean::name(&key.profile))]
}

fn of_sweeps(registry: &mut Registry, catalogue: &Catalogue) {
    let sweeps = gauges(registry, "sweeps", "Stored sweeps");
    let verdicts = gauges(registry, "verdicts", "Verdicts on the newest whole sweep");
    let took = seconds(registry, "sweep_duration", "Wall time of the newest whole sweep");
    let share = gauges(registry, "sweep_harness_share_ratio", "Share of it that is the harness's own");
    let failed = gauges(registry, "sweep_failed_cells", "Cells of it that could not be measured");
    let last =
        seconds(registry, "last_success_timestamp", "When the newest whole sweep ended, since the epoch");
    one(registry, "unread_sweeps", "Stored sweeps that are not read yet", catalogue.unread as f64);
    one(registry, "damaged_files", "Stored files that cannot be read", catalogue.damaged.len() as f64);
    for (key, group) in &catalogue.groups {
        let with = |name, value: &str| {
            let mut labels = of_group(key);
            labels.push((name, value.to_owned()));
            labels
        };
        let accepted = group.heads.iter().filter(|h| h.accepted.is_some()).count();
        set(&sweeps, &with("accepted", "true"), accepted as f64);
        set(&sweeps, &with("accepted", "false"), (group.heads.len() - accepted) as f64);
        if let Some((_, head)) = group.newest() {
            set(&took, &of_group(key), head.wall_s);
            set(&share, &of_group(key), head.harness_share);
            set(&failed, &of_group(key), head.cells_failed as f64);
            set(&last, &of_group(key), unix(head.finished_at));
        }
        for (kind, n) in group.judged.iter().flat_map(|j| &j.summary) {
            set(&verdicts, &with("verdict", kind.as_str()), f64::from(*n));
        }
    }
}

fn of_tolls(registry: &mut Registry, catalogue: &Catalogue) {
    let help = "Toll of the newest whole sweep: environment against native, 0.1 = 10 % worse";
    let tolls = gauges(registry, "toll_ratio", help);
    for (key, group) in &catalogue.groups {
        for (series, toll) in newest_tolls(group) {
            let mut labels = of_group(key);
            labels.extend([
                ("workload", clean::name(&series.metric.workload)),
                ("case", clean::name(&series.metric.case)),
                ("metric", clean::name(&series.metric.metric)),
                ("environment", series.environment.to_string()),
            ]);
            set(&tolls, &labels, toll / 100.0);
        }
    }
}

fn newest_tolls(group: &Group) -> impl Iterator<Item = (&SeriesKey, f64)> {
    let at = group.newest().map(|(at, _)| at);
    let known = move |track: &Track| Some(f64::from(track.tolls[at?])).filter(|toll| toll.is_finite());
    group.tracks.iter().filter_map(move |(key, track)| Some((key, known(track)?)))
}

fn of_http(registry: &mut Registry, counts: &Counts) {
    let answers = counters(registry, "http_answers", "Answers by class of their status");
    for (class, n) in counts.answered() {
        answers.get_or_create(&vec![("status", class.to_owned())]).inc_by(n);
    }
    let refused = counters(registry, "http_refused", "Clients that were turned away");
    for (reason, n) in counts.refused() {
        refused.get_or_create(&vec![("reason", reason.to_owned())]).inc_by(n);
    }
    one(registry, "http_connections", "Connections that are open", counts.open() as f64);
}
