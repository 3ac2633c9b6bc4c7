//! Docker's engine as a source of wake-ups: what it says, that it ends, and that it is there again. The engine is a fake on a unix
//! socket that answers as dockerd does.

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use futures_util::stream;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::UnixListener;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tollgate::service::wake::docker::listen;
use tollgate::watch::{Source, WakeUp};

const VERSION: &str = r#"{"Version":"26.1.5","ApiVersion":"1.45","MinAPIVersion":"1.24","Components":[]}"#;
const RELOAD: &str = "{\"Type\":\"daemon\",\"Action\":\"reload\",\"Actor\":{\"ID\":\"x\",\"Attributes\":{}},\"time\":1800000000}\n";

/// Who listens to the events, and what for.
#[derive(Default)]
struct Heard {
    streams: Vec<mpsc::UnboundedSender<&'static str>>,
    asked: Vec<String>,
}

async fn answer(State(heard): State<Arc<Mutex<Heard>>>, request: Request) -> Response {
    let json = [("content-type", "application/json"), ("api-version", "1.45")];
    if !request.uri().path().ends_with("/events") {
        return (json, VERSION).into_response();
    }
    let (send, events) = mpsc::unbounded_channel();
    let mut heard = heard.lock().expect("lock");
    heard.streams.push(send);
    heard.asked.push(request.uri().query().unwrap_or_default().to_owned());
    let next = |mut events: mpsc::UnboundedReceiver<&'static str>| async move {
        let text = events.recv().await?;
        Some((Ok::<_, std::io::Error>(text), events))
    };
    (json, Body::from_stream(stream::unfold(events, next))).into_response()
}

/// An engine at a socket, until it is stopped.
struct Engine {
    heard: Arc<Mutex<Heard>>,
    task: JoinHandle<()>,
}

impl Engine {
    fn start(socket: &Path) -> Self {
        let _ = std::fs::remove_file(socket);
        let listener = UnixListener::bind(socket).expect("bound");
        let heard = Arc::<Mutex<Heard>>::default();
        let app = Router::new().fallback(answer).with_state(Arc::clone(&heard));
        let task = tokio::spawn(async move { axum::serve(listener, app).await.expect("serves") });
        Self { heard, task }
    }

    async fn until_listened(&self) {
        for _ in 0..500 {
            if !self.heard.lock().expect("lock").streams.is_empty() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("nobody listens within ten seconds");
    }

    /// Ends with all its streams, as an upgrade does it.
    fn stop(self, socket: &Path) {
        self.task.abort();
        self.heard.lock().expect("lock").streams.clear();
        std::fs::remove_file(socket).expect("removed");
    }
}

async fn woken(wakes: &mut mpsc::Receiver<WakeUp>) {
    let wake = tokio::time::timeout(Duration::from_secs(10), wakes.recv()).await.expect("soon");
    assert_eq!(wake, Some(WakeUp::look(Source::Docker)));
}

#[tokio::test]
async fn an_engine_that_speaks_ends_and_comes_back_is_heard() {
    let dir = tempfile::tempdir().expect("a directory");
    let socket = dir.path().join("docker.sock");
    let engine = Engine::start(&socket);
    let (sender, mut wakes) = mpsc::channel(16);
    let task = tokio::spawn(listen(socket.clone(), sender));
    engine.until_listened().await;
    let asked = engine.heard.lock().expect("lock").asked.remove(0);
    assert!(asked.contains("daemon") && !asked.contains("container"), "{asked}");
    assert!(wakes.try_recv().is_err(), "what is there from the start is no news");

    engine.heard.lock().expect("lock").streams[0].send(RELOAD).expect("listened to");
    woken(&mut wakes).await;
    engine.stop(&socket);
    woken(&mut wakes).await;
    // It tries again meanwhile, in vain.
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert!(wakes.try_recv().is_err(), "once");

    let engine = Engine::start(&socket);
    woken(&mut wakes).await;
    engine.until_listened().await;
    engine.heard.lock().expect("lock").streams[0].send(RELOAD).expect("listened to");
    woken(&mut wakes).await;
    task.abort();
}

#[tokio::test]
async fn an_engine_that_is_installed_later_is_news() {
    let dir = tempfile::tempdir().expect("a directory");
    let socket = dir.path().join("docker.sock");
    let (sender, mut wakes) = mpsc::channel(16);
    let task = tokio::spawn(listen(socket.clone(), sender));
    tokio::time::sleep(Duration::from_millis(200)).await;
    let _engine = Engine::start(&socket);
    woken(&mut wakes).await;
    task.abort();
}
