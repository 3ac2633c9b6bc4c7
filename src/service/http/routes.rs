//! Which address leads where.

use super::app::App;
use super::problem::{Problem, is_api};
use super::show::Shared;
use super::{api, assets, guard, hook, live, metrics, show};
use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use std::sync::Arc;

/// Every address: method, path. `docs/api.md` lists the same, which a test holds.
pub const ROUTES: [(&str, &str); 25] = [
    ("GET", "/"),
    ("GET", "/group"),
    ("GET", "/metric"),
    ("GET", "/sweep/{id}"),
    ("GET", "/compare"),
    ("GET", "/queue"),
    ("GET", "/alerts"),
    ("GET", "/live"),
    ("GET", "/style.css"),
    ("GET", "/script.js"),
    ("GET", "/icon.svg"),
    ("GET", "/api/v1/status"),
    ("GET", "/api/v1/events"),
    ("GET", "/api/v1/groups"),
    ("GET", "/api/v1/group"),
    ("GET", "/api/v1/history"),
    ("GET", "/api/v1/sweeps"),
    ("GET", "/api/v1/sweeps/{id}"),
    ("GET", "/api/v1/rounds"),
    ("GET", "/api/v1/compare"),
    ("GET", "/api/v1/alerts"),
    ("GET", "/metrics"),
    ("GET", "/healthz"),
    ("GET", "/readyz"),
    ("POST", "/hook"),
];

/// All routes, behind the guard.
pub(super) fn router(app: &Arc<App>) -> Router {
    Router::new()
        .route("/", get(show::overview))
        .route("/group", get(show::group))
        .route("/metric", get(show::metric))
        .route("/sweep/{id}", get(show::sweep))
        .route("/compare", get(show::compare))
        .route("/queue", get(show::queue))
        .route("/alerts", get(show::alerts))
        .route("/live", get(live::fragments))
        .route("/style.css", get(assets::style))
        .route("/script.js", get(assets::script))
        .route("/icon.svg", get(assets::icon))
        .route("/api/v1/status", get(api::status))
        .route("/api/v1/events", get(live::statuses))
        .route("/api/v1/groups", get(api::groups))
        .route("/api/v1/group", get(api::group))
        .route("/api/v1/history", get(api::history))
        .route("/api/v1/sweeps", get(api::sweeps))
        .route("/api/v1/sweeps/{id}", get(api::sweep))
        .route("/api/v1/rounds", get(api::rounds))
        .route("/api/v1/compare", get(api::compare))
        .route("/api/v1/alerts", get(api::alerts))
        .route("/metrics", get(metrics::metrics))
        .route("/healthz", get(health))
        .route("/readyz", get(ready))
        .route("/hook", post(hook::hook))
        .fallback(nothing)
        .layer(middleware::from_fn_with_state(Arc::clone(app), guard::guard))
        .with_state(Arc::clone(app))
}

async fn nothing(request: Request) -> Response {
    Problem::Nothing("such page").answer(is_api(request.uri().path()))
}

/// The service answers.
async fn health() -> &'static str {
    "ok\n"
}

/// The stored sweeps were read once, and the service still publishes. Where they could not be read, asking makes the service
/// try again, behind the answer: who asks here need not be somebody who asks for pages.
async fn ready(State(app): Shared) -> Response {
    if app.status.has_changed().is_err() {
        return (StatusCode::SERVICE_UNAVAILABLE, "the service has ended\n").into_response();
    }
    if !app.index.is_ready() {
        let again = Arc::clone(&app);
        tokio::spawn(async move { again.index.refresh().await });
        return (StatusCode::SERVICE_UNAVAILABLE, "the stored sweeps are still being read\n").into_response();
    }
    "ready\n".into_response()
}
