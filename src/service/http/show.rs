//! The handlers of the pages.

use super::alerts;
use super::app::App;
use super::ask::{Asked, OfGroup, OfMetric, OfPair, asked, sweep_id};
use super::pages::{self, Frame};
use super::problem::Problem;
use crate::model::SweepId;
use crate::pipeline::{policy, stored};
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use maud::Markup;
use std::sync::Arc;

/// What every handler gets.
pub(super) type Shared = State<Arc<App>>;

/// A page, or why there is none.
fn page(made: Result<String, Problem>) -> Response {
    match made {
        Ok(text) => ([(header::CONTENT_TYPE, "text/html; charset=utf-8")], text).into_response(),
        Err(problem) => problem.answer(false),
    }
}

/// Runs `make` with a frame of now.
macro_rules! framed {
    ($app:expr, $frame:ident => $make:expr) => {{
        let status = $app.status();
        let $frame = Frame { status: &status, now: $app.clock.now() };
        $make
    }};
}

/// `/`.
pub(super) async fn overview(State(app): Shared) -> Response {
    let of = Arc::clone(&app);
    page(app.look(move |c| framed!(of, frame => Ok(pages::overview::page(frame, c)))).await)
}

/// `/group`.
pub(super) async fn group(State(app): Shared, query: Asked<OfGroup>) -> Response {
    let of = Arc::clone(&app);
    let make = async {
        let query = asked(query)?;
        app.look(move |c| {
            let (key, group) = query.find(c)?;
            framed!(of, frame => Ok(pages::group::page(frame, key, group)))
        })
        .await
    };
    page(make.await)
}

/// `/metric`: the history, and of one sweep the rounds.
pub(super) async fn metric(State(app): Shared, query: Asked<OfMetric>) -> Response {
    page(history(app, query).await)
}

async fn history(app: Arc<App>, query: Asked<OfMetric>) -> Result<String, Problem> {
    let query = asked(query)?;
    let rounds = match query.rounds.clone() {
        None => None,
        Some(sweep) => Some(rounds(&app, &query, sweep).await?),
    };
    match (query.part.as_deref(), &rounds) {
        (None, _) => {}
        (Some("rounds"), Some(rounds)) => return Ok(rounds.clone().into_string()),
        _ => return Err(Problem::Question("the only part is rounds, of a sweep".to_owned())),
    }
    let (of, most) = (Arc::clone(&app), query.most()?);
    app.look(move |catalogue| {
        let (key, group) = query.group(catalogue)?;
        let policy = policy::load(&of.config)?;
        let series = query.series(group)?;
        let shown =
            pages::metric::Shown { key, group, series, chosen: query.rounds.clone(), most, policy: &policy };
        let made = framed!(of, frame => shown.page(frame, rounds.as_ref()));
        made.ok_or(Problem::Nothing("such series"))
    })
    .await
}

/// The rounds of the series in one sweep, from its file.
async fn rounds(app: &Arc<App>, query: &OfMetric, sweep: SweepId) -> Result<Markup, Problem> {
    let query = query.clone();
    let series = app.look(move |c| query.series(query.group(c)?.1)).await?;
    app.dig(move |app| {
        let sweep = app.index.store().load(&sweep)?;
        Ok(pages::rounds::Pair::of(&sweep, &series)?.section(&sweep))
    })
    .await
}

/// `/sweep/{id}`.
pub(super) async fn sweep(State(app): Shared, Path(id): Path<String>) -> Response {
    let make = async {
        let id = sweep_id(&id)?;
        app.index.refresh().await;
        app.dig(move |app| {
            let result = stored::judged(app.index.store(), &policy::load(&app.config)?, &id)?;
            let catalogue = app.index.read();
            framed!(app, frame => Ok(pages::sweep::page(frame, &result, catalogue.head(&id))))
        })
        .await
    };
    page(make.await)
}

/// `/compare`.
pub(super) async fn compare(State(app): Shared, query: Asked<OfPair>) -> Response {
    let make = async {
        let query = asked(query)?;
        app.index.refresh().await;
        app.dig(move |app| {
            let pair = match query.from.zip(query.to) {
                None => None,
                Some((from, to)) => Some((app.index.store().load(&from)?, app.index.store().load(&to)?)),
            };
            let pair = pair.as_ref().map(|(from, to)| (from, to));
            let catalogue = app.index.read();
            framed!(app, frame => Ok(pages::compare::page(frame, &catalogue, pair)))
        })
        .await
    };
    page(make.await)
}

/// `/queue`.
pub(super) async fn queue(State(app): Shared) -> Response {
    page(framed!(app, frame => Ok(pages::queue::page(frame))))
}

/// `/alerts`.
pub(super) async fn alerts(State(app): Shared) -> Response {
    let make = app.dig(|app| {
        if let Some(tracker) = &app.tracker {
            return framed!(app, frame => Ok(pages::alerts::elsewhere(frame, tracker)));
        }
        let alerts = alerts::read(&app.config)?;
        framed!(app, frame => Ok(pages::alerts::page(frame, &alerts)))
    });
    page(make.await)
}
