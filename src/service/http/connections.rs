//! Connections: so many at once, each with limits on time and size. axum's own `serve` has neither.

use super::app::App;
use super::counts::Refusal;
use super::patient::Patient;
use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Bytes of a request's head.
const HEAD_BYTES: usize = 16 << 10;
/// Header fields of a request.
const HEADERS: usize = 64;
/// Time for what is being answered when the service ends.
const GRACE: Duration = Duration::from_secs(2);
/// Said to those who are too many; whoever does not listen is not waited for.
const TOO_MANY: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: text/plain; charset=utf-8\r\n\
    content-length: 21\r\nretry-after: 5\r\nconnection: close\r\n\r\ntoo many connections\n";

/// Accepts until `cancel`.
pub(super) async fn accept(
    listener: &TcpListener,
    app: &Arc<App>,
    router: Router,
    cancel: &CancellationToken,
) {
    let permits = Arc::new(Semaphore::new(app.limits.connections));
    let mut open = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            () = cancel.cancelled() => break,
            // What ended is taken away, so that the set does not grow.
            Some(_) = open.join_next() => continue,
            accepted = listener.accept() => accepted,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                // A client that is gone already, or no file descriptor is left: then a moment must pass.
                tracing::debug!(%error, "no connection");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let Ok(permit) = Arc::clone(&permits).try_acquire_owned() else {
            app.counts.refuse(Refusal::Connections);
            turn_away(stream);
            continue;
        };
        open.spawn(connection(stream, Arc::clone(app), router.clone(), cancel.clone(), permit));
    }
    let ended = async { while open.join_next().await.is_some() {} };
    if tokio::time::timeout(GRACE, ended).await.is_err() {
        open.shutdown().await;
    }
}

/// tokio would not try before it was told that the socket can be written to, which a new one can.
fn turn_away(stream: TcpStream) {
    if let Ok(mut stream) = stream.into_std() {
        let _ = stream.write(TOO_MANY);
    }
}

async fn connection(
    stream: TcpStream,
    app: Arc<App>,
    router: Router,
    cancel: CancellationToken,
    permit: OwnedSemaphorePermit,
) {
    let _connected = app.counts.connected();
    // Events are small and should not wait for each other.
    let _ = stream.set_nodelay(true);
    let stream = Patient::new(stream, app.limits.stall);
    let owes = stream.owes();
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(app.limits.head)
        .max_buf_size(HEAD_BYTES)
        .max_headers(HEADERS);
    let served = builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    tokio::pin!(served);
    let result = tokio::select! {
        result = served.as_mut() => result,
        () = cancel.cancelled() => {
            served.as_mut().graceful_shutdown();
            served.as_mut().await
        }
    };
    if let Err(error) = result {
        if error.is_timeout() || timed_out(&error) {
            // An idle connection that has all of its answers is closed, not refused.
            if owes.load(Ordering::Relaxed) {
                app.counts.refuse(Refusal::Slow);
            }
        } else if error.is_parse() {
            app.counts.refuse(Refusal::Malformed);
        }
        tracing::debug!(%error, "a connection ended");
    }
    drop(permit);
}

/// Whether the stream gave up.
fn timed_out(error: &hyper::Error) -> bool {
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        if inner.downcast_ref::<std::io::Error>().is_some_and(|e| e.kind() == std::io::ErrorKind::TimedOut) {
            return true;
        }
        cause = inner.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_to_the_too_many_is_whole() {
        let text = std::str::from_utf8(TOO_MANY).expect("ASCII");
        let (head, body) = text.split_once("\r\n\r\n").expect("a head");
        assert!(head.contains(&format!("content-length: {}\r\n", body.len())), "{head}");
    }
}
