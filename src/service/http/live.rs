//! Streams of events: what runs and what waits, whenever it changes.

use super::app::App;
use super::counts::Refusal;
use super::pages::{self, Frame};
use super::problem::Problem;
use super::show::Shared;
use crate::watch::Status;
use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse as _, Response};
use futures_util::stream;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::OwnedSemaphorePermit;

/// Between two events of one stream: a sweep's rounds come faster than anybody reads.
const PACE: Duration = Duration::from_millis(500);
/// A word to those who hear nothing for long, so that connections that are gone are found.
const ALIVE: Duration = Duration::from_secs(15);

/// `/live`: what the pages replace, as HTML.
pub(super) async fn fragments(State(app): Shared) -> Response {
    events(app, |app, status| {
        let frame = Frame { status, now: app.clock.now() };
        Some(pages::queue::live(frame).into_string())
    })
}

/// `/api/v1/events`: the status, as JSON.
pub(super) async fn statuses(State(app): Shared) -> Response {
    events(app, |_, status| serde_json::to_string(status).ok())
}

/// One stream.
struct Listener {
    app: Arc<App>,
    status: tokio::sync::watch::Receiver<Arc<Status>>,
    make: fn(&App, &Status) -> Option<String>,
    first: bool,
    _permit: OwnedSemaphorePermit,
}

fn events(app: Arc<App>, make: fn(&App, &Status) -> Option<String>) -> Response {
    let Ok(permit) = Arc::clone(&app.streams).try_acquire_owned() else {
        app.counts.refuse(Refusal::Streams);
        return Problem::Busy.answer(true);
    };
    let status = app.status.clone();
    let listener = Listener { app, status, make, first: true, _permit: permit };
    let stream = stream::unfold(listener, next);
    Sse::new(stream).keep_alive(KeepAlive::new().interval(ALIVE)).into_response()
}

/// The next event: at once what is, then what changes; none when the service ends.
async fn next(mut listener: Listener) -> Option<(Result<Event, Infallible>, Listener)> {
    if !listener.first {
        let cancel = listener.app.cancel.clone();
        let changed = async {
            tokio::time::sleep(PACE).await;
            listener.status.changed().await
        };
        tokio::select! {
            () = cancel.cancelled() => return None,
            changed = changed => changed.ok()?,
        }
    }
    listener.first = false;
    let status = Arc::clone(&listener.status.borrow_and_update());
    let data = (listener.make)(&listener.app, &status)?;
    Some((Ok(Event::default().event("status").data(data)), listener))
}
