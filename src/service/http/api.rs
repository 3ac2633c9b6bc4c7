//! The handlers of the JSON API: the same data as the pages. `docs/api.md` has the fields.

use super::alerts;
use super::ask::{Asked, OfGroup, OfList, OfMetric, OfPair, asked, sweep_id};
use super::index::{Catalogue, Group};
use super::pages::{compare, rounds};
use super::problem::Problem;
use super::show::Shared;
use crate::history::{GroupKey, Head, Story};
use crate::model::{
    Better, Change, Decision, EnvironmentName, Family, HostClass, MetricKey, SeriesKey, SweepId, VerdictKind,
};
use crate::pipeline::{policy, stored};
use crate::report;
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Version of the API's documents.
const VERSION: u32 = 1;
/// Sweeps of a list where nothing else is asked for.
const LISTED: usize = 100;

/// What stands around every document.
#[derive(Serialize)]
struct Document<T> {
    version: u32,
    #[serde(flatten)]
    of: T,
}

fn text<T: Serialize>(of: T) -> Result<String, Problem> {
    serde_json::to_string(&Document { version: VERSION, of }).map_err(|_| Problem::Broken)
}

fn json(made: Result<String, Problem>) -> Response {
    match made {
        Ok(text) => ([(header::CONTENT_TYPE, "application/json")], text).into_response(),
        Err(problem) => problem.answer(true),
    }
}

/// `/api/v1/status`.
pub(super) async fn status(State(app): Shared) -> Response {
    #[derive(Serialize)]
    struct Shown<'a> {
        status: &'a crate::watch::Status,
    }
    json(text(Shown { status: &app.status() }))
}

/// A group in short.
#[derive(Serialize)]
struct InShort<'a> {
    host_class: &'a HostClass,
    profile: &'a str,
    sweeps: usize,
    accepted: usize,
    series: usize,
    newest: Option<&'a Head>,
    verdicts: Option<Verdicts<'a>>,
}

/// The verdicts on its newest whole sweep.
#[derive(Serialize)]
struct Verdicts<'a> {
    sweep: &'a SweepId,
    decision: Decision,
    answer: &'a str,
    summary: &'a BTreeMap<VerdictKind, u32>,
    changed: &'a [Change],
}

impl<'a> InShort<'a> {
    fn of(key: &'a GroupKey, group: &'a Group) -> Self {
        let verdicts = |j: &'a super::index::Judged| Verdicts {
            sweep: &j.sweep,
            decision: j.decision,
            answer: &j.answer.sentence,
            summary: &j.summary,
            changed: &j.changed,
        };
        Self {
            host_class: &key.host_class,
            profile: &key.profile,
            sweeps: group.heads.len(),
            accepted: group.heads.iter().filter(|h| h.accepted.is_some()).count(),
            series: group.tracks.len(),
            newest: group.newest().map(|(_, head)| head),
            verdicts: group.judged.as_deref().map(verdicts),
        }
    }
}

/// `/api/v1/groups`.
pub(super) async fn groups(State(app): Shared) -> Response {
    #[derive(Serialize)]
    struct Shown<'a> {
        groups: Vec<InShort<'a>>,
        unread: usize,
        damaged: &'a BTreeMap<String, String>,
    }
    json(
        app.look(|c| {
            let groups = c.groups.iter().map(|(key, group)| InShort::of(key, group)).collect();
            text(Shown { groups, unread: c.unread, damaged: &c.damaged })
        })
        .await,
    )
}

/// A series in the newest whole sweep.
#[derive(Serialize)]
struct Row<'a> {
    workload: &'a str,
    case: &'a str,
    metric: &'a str,
    environment: &'a EnvironmentName,
    unit: &'a str,
    better: Better,
    family: Family,
    median: Option<f32>,
    toll_pct: Option<f32>,
    verdict: Option<VerdictKind>,
}

fn rows(group: &Group) -> Vec<Row<'_>> {
    let Some((at, _)) = group.newest() else { return Vec::new() };
    let known = |x: f32| x.is_finite().then_some(x);
    let kinds = group.judged.as_ref().map(|j| &j.kinds);
    group
        .tracks
        .iter()
        .map(|(key, track)| Row {
            workload: &key.metric.workload,
            case: &key.metric.case,
            metric: &key.metric.metric,
            environment: &key.environment,
            unit: &track.info.unit,
            better: track.info.better,
            family: track.info.family,
            median: known(track.medians[at]),
            toll_pct: known(track.tolls[at]),
            verdict: kinds.and_then(|k| k.get(key)).copied(),
        })
        .collect()
}

/// `/api/v1/group`.
pub(super) async fn group(State(app): Shared, query: Asked<OfGroup>) -> Response {
    #[derive(Serialize)]
    struct Shown<'a> {
        #[serde(flatten)]
        group: InShort<'a>,
        metrics: Vec<Row<'a>>,
    }
    let make = async {
        let query = asked(query)?;
        app.look(move |c| {
            let (key, group) = query.find(c)?;
            text(Shown { group: InShort::of(key, group), metrics: rows(group) })
        })
        .await
    };
    json(make.await)
}

/// `/api/v1/history`.
pub(super) async fn history(State(app): Shared, query: Asked<OfMetric>) -> Response {
    #[derive(Serialize)]
    struct Shown<'a> {
        host_class: &'a HostClass,
        profile: &'a str,
        #[serde(flatten)]
        metric: &'a MetricKey,
        environment: &'a EnvironmentName,
        unit: &'a str,
        better: Better,
        #[serde(flatten)]
        story: Story<'a>,
    }
    let of = Arc::clone(&app);
    let make = async {
        let query = asked(query)?;
        app.look(move |c| {
            let (key, group) = query.group(c)?;
            let series = query.series(group)?;
            let track = group.tracks.get(&series).ok_or(Problem::Nothing("such series"))?;
            let story = Story::of(group, &series, track, (&policy::load(&of.config)?, None), query.most()?);
            text(Shown {
                host_class: &key.host_class,
                profile: &key.profile,
                metric: &series.metric,
                environment: &series.environment,
                unit: &track.info.unit,
                better: track.info.better,
                story,
            })
        })
        .await
    };
    json(make.await)
}

/// `/api/v1/sweeps`.
pub(super) async fn sweeps(State(app): Shared, query: Asked<OfList>) -> Response {
    #[derive(Serialize)]
    struct Line<'a> {
        #[serde(flatten)]
        key: &'a GroupKey,
        #[serde(flatten)]
        head: &'a Head,
    }
    #[derive(Serialize)]
    struct Lines<'a> {
        sweeps: Vec<Line<'a>>,
    }
    let make = async {
        let query = asked(query)?;
        app.look(move |c: &Catalogue| {
            let taken = c.groups.iter().filter(|(key, _)| query.takes(key));
            let mut sweeps: Vec<Line<'_>> =
                taken.flat_map(|(key, g)| g.heads.iter().map(move |head| Line { key, head })).collect();
            sweeps
                .sort_by(|a, b| (b.head.started_at, &b.head.sweep).cmp(&(a.head.started_at, &a.head.sweep)));
            sweeps.truncate(query.limit.unwrap_or(LISTED));
            text(Lines { sweeps })
        })
        .await
    };
    json(make.await)
}

/// `/api/v1/sweeps/{id}`: the document of `gate --format json`.
pub(super) async fn sweep(State(app): Shared, Path(id): Path<String>) -> Response {
    let make = async {
        let id = sweep_id(&id)?;
        app.dig(move |app| {
            let result = stored::judged(app.index.store(), &policy::load(&app.config)?, &id)?;
            Ok(report::gate_json(&result))
        })
        .await
    };
    json(make.await)
}

/// `/api/v1/rounds`.
pub(super) async fn rounds(State(app): Shared, query: Asked<OfMetric>) -> Response {
    #[derive(Serialize)]
    struct Shown<'a> {
        sweep: &'a SweepId,
        #[serde(flatten)]
        key: &'a SeriesKey,
        unit: &'a str,
        values: &'a [Option<f64>],
        native: Option<&'a [Option<f64>]>,
    }
    let make = async {
        let query = asked(query)?;
        let sweep = query.rounds.clone();
        let sweep = sweep.ok_or_else(|| Problem::Question("rounds names the sweep".to_owned()))?;
        let key = app.look(move |c| query.series(query.group(c)?.1)).await?;
        app.dig(move |app| {
            let sweep = app.index.store().load(&sweep)?;
            let pair = rounds::Pair::of(&sweep, &key)?;
            text(Shown {
                sweep: &sweep.sweep,
                key: &key,
                unit: &pair.series.unit,
                values: &pair.series.values,
                native: pair.native.map(|n| n.values.as_slice()),
            })
        })
        .await
    };
    json(make.await)
}

/// `/api/v1/compare`.
pub(super) async fn compare(State(app): Shared, query: Asked<OfPair>) -> Response {
    #[derive(Serialize)]
    struct Shown<'a> {
        from: &'a SweepId,
        to: &'a SweepId,
        rows: Vec<compare::Row>,
    }
    let make = async {
        let pair = asked(query)?;
        let pair = pair.from.zip(pair.to);
        let (from, to) = pair.ok_or_else(|| Problem::Question("from and to name two sweeps".to_owned()))?;
        app.dig(move |app| {
            let (from, to) = (app.index.store().load(&from)?, app.index.store().load(&to)?);
            text(Shown { from: &from.sweep, to: &to.sweep, rows: compare::rows(&from, &to) })
        })
        .await
    };
    json(make.await)
}

/// `/api/v1/alerts`.
pub(super) async fn alerts(State(app): Shared) -> Response {
    #[derive(Serialize)]
    struct Shown {
        kept: &'static str,
        alerts: Vec<alerts::Shown>,
        tracker: Option<String>,
    }
    let make = app.dig(|app| {
        text(match &app.tracker {
            Some(tracker) => Shown { kept: "github", alerts: Vec::new(), tracker: tracker.issues() },
            None => Shown { kept: "here", alerts: alerts::read(&app.config)?, tracker: None },
        })
    });
    json(make.await)
}
