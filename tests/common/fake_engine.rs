//! An engine at a unix socket that says which version it is, as dockerd does, and nothing else.
#![allow(dead_code, reason = "each test file uses a part of it")]

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use std::path::Path;
use std::sync::{Arc, Mutex};

type Version = Arc<Mutex<String>>;

/// Until the test ends.
pub struct FakeEngine(Version);

async fn answer(State(version): State<Version>, request: Request) -> Response {
    let headers = [("content-type", "application/json"), ("api-version", "1.45")];
    let path = request.uri().path();
    let body = if path.ends_with("/events") {
        // Nothing happens.
        Body::from_stream(futures_util::stream::pending::<Result<Vec<u8>, std::io::Error>>())
    } else if path.ends_with("/version") {
        let version = version.lock().expect("lock").clone();
        let engine = serde_json::json!({ "Name": "Engine", "Version": version });
        let answer = serde_json::json!({ "Version": version, "ApiVersion": "1.45", "MinAPIVersion": "1.24",
                                         "Components": [engine] });
        Body::from(answer.to_string())
    } else {
        Body::from("{}")
    };
    (headers, body).into_response()
}

impl FakeEngine {
    pub fn start(socket: &Path, version: &str) -> Self {
        let version = Version::new(Mutex::new(version.to_owned()));
        let listener = std::os::unix::net::UnixListener::bind(socket).expect("bound");
        listener.set_nonblocking(true).expect("a socket");
        let app = Router::new().fallback(answer).with_state(Arc::clone(&version));
        std::thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                let listener = tokio::net::UnixListener::from_std(listener).expect("a socket");
                axum::serve(listener, app).await.expect("serves");
            });
        });
        Self(version)
    }

    /// It is upgraded.
    pub fn becomes(&self, version: &str) {
        version.clone_into(&mut self.0.lock().expect("lock"));
    }
}
