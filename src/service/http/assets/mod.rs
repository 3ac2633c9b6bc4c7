//! The style sheet and the script. They are served as files because no page may have any inline.

use crate::report;
use axum::http::header;
use axum::response::{IntoResponse as _, Response};

const OWN_STYLE: &str = include_str!("dashboard.css");
const OWN_SCRIPT: &str = include_str!("dashboard.js");
const ICON: &str = include_str!("icon.svg");
/// Their addresses carry the version, so that a browser may keep them.
const CACHE: &str = "private, max-age=86400";

/// The reports' style sheet with what the pages have besides.
pub(super) async fn style() -> Response {
    file("text/css; charset=utf-8", format!("{}\n{OWN_STYLE}", report::STYLE))
}

/// What makes the pages more pleasant: tables, then the rest.
pub(super) async fn script() -> Response {
    file("text/javascript; charset=utf-8", format!("{}\n{OWN_SCRIPT}", report::SCRIPT))
}

/// The icon of the tab.
pub(super) async fn icon() -> Response {
    file("image/svg+xml", ICON.to_owned())
}

fn file(kind: &'static str, text: String) -> Response {
    ([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, CACHE)], text).into_response()
}
