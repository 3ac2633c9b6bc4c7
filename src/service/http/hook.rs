//! `POST /hook`: a signed request, as GitHub sends them, that makes the service look at the host. What its body says is
//! not read: whoever has the secret may wake the service, and no more.

use super::app::App;
use super::counts::Refusal;
use crate::model::hex;
use crate::notify::Secret;
use crate::watch::WakeUp;
use axum::body::{Body, HttpBody as _};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::json;
use sha2::Sha256;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;

/// Longest `X-GitHub-Delivery`.
pub(super) const LONGEST_DELIVERY: usize = 100;

/// What became of a hook.
enum Outcome {
    Woken,
    Known,
    Refused(StatusCode, &'static str),
}

/// The handler.
pub(super) async fn hook(State(app): State<Arc<App>>, request: Request) -> Response {
    let (status, field, text) = match take(&app, request).await {
        Outcome::Woken => (StatusCode::ACCEPTED, "woken", "the host is looked at"),
        Outcome::Known => {
            app.counts.refuse(Refusal::Replay);
            (StatusCode::CONFLICT, "error", "this delivery was here before")
        }
        Outcome::Refused(status, why) => (status, "error", why),
    };
    let body = json!({ field: text }).to_string();
    (status, [(header::CONTENT_TYPE, "application/json")], body).into_response()
}

async fn take(app: &App, request: Request) -> Outcome {
    let Some(secret) = &app.hook_secret else {
        return Outcome::Refused(StatusCode::NOT_FOUND, "there is no hook: set its secret");
    };
    let (parts, body) = request.into_parts();
    let unsigned = || {
        app.counts.refuse(Refusal::Signature);
        Outcome::Refused(StatusCode::UNAUTHORIZED, "X-Hub-Signature-256 is missing or wrong")
    };
    // What cannot be right is not read.
    let Some(signature) = signature(&parts.headers) else { return unsigned() };
    let body = match read(app, &parts.headers, body).await {
        Ok(body) => body,
        Err(outcome) => return outcome,
    };
    if !is_signed(secret, &body, &signature) {
        return unsigned();
    }
    let Some(delivery) = delivery(&parts.headers) else {
        app.counts.refuse(Refusal::Malformed);
        return Outcome::Refused(StatusCode::BAD_REQUEST, "X-GitHub-Delivery is missing or no plain word");
    };
    wake(app, delivery, &hex(&signature)).await
}

/// The body, within its limits of size and time.
async fn read(app: &App, headers: &HeaderMap, body: Body) -> Result<Vec<u8>, Outcome> {
    let limit = app.limits.hook_bytes;
    let large = || {
        app.counts.refuse(Refusal::Large);
        Outcome::Refused(StatusCode::PAYLOAD_TOO_LARGE, "the body is too large")
    };
    let told = headers.get(header::CONTENT_LENGTH).and_then(|l| l.to_str().ok()?.parse::<usize>().ok());
    if told.is_some_and(|length| length > limit) {
        return Err(large());
    }
    match tokio::time::timeout(app.limits.body, collect(body, limit)).await {
        Ok(Ok(Some(bytes))) => Ok(bytes),
        Ok(Ok(None)) => Err(large()),
        Ok(Err(_)) => {
            app.counts.refuse(Refusal::Malformed);
            Err(Outcome::Refused(StatusCode::BAD_REQUEST, "the body broke off"))
        }
        Err(_) => {
            app.counts.refuse(Refusal::Slow);
            Err(Outcome::Refused(StatusCode::REQUEST_TIMEOUT, "the body did not come"))
        }
    }
}

/// All of a body; none where it is larger than the limit. Fails where the client went away, or sent no body.
async fn collect(mut body: Body, limit: usize) -> Result<Option<Vec<u8>>, axum::Error> {
    let mut bytes = Vec::new();
    while let Some(frame) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
        // Trailers are no data.
        let Ok(data) = frame?.into_data() else { continue };
        if data.len() > limit - bytes.len() {
            return Ok(None);
        }
        bytes.extend_from_slice(&data);
    }
    Ok(Some(bytes))
}

/// Remembers the delivery, then wakes the service. One that the service has no room for may come again.
async fn wake(app: &App, delivery: &str, signature: &str) -> Outcome {
    // The next hook waits for this one.
    let mut seen = Arc::clone(&app.seen).lock_owned().await;
    if seen.knows(delivery, signature) {
        return Outcome::Known;
    }
    let why = "the service has no room for more: try again later";
    let busy = Outcome::Refused(StatusCode::SERVICE_UNAVAILABLE, why);
    let Ok(room) = app.wake.clone().try_reserve_owned() else {
        app.counts.refuse(Refusal::Busy);
        return busy;
    };
    let names = (delivery.to_owned(), signature.to_owned());
    // A file of some kilobytes, synced. Who is remembered also wakes, on the same thread: a sender that closes early ends this
    // future, and would be told that its second try was here before.
    let woken = tokio::task::spawn_blocking(move || {
        if let Err(error) = seen.remember(&names.0, &names.1) {
            seen.forget_newest();
            tracing::warn!(%error, "a hook's delivery cannot be remembered, so the hook is refused");
            return false;
        }
        room.send(WakeUp::hook(&names.0));
        true
    });
    if woken.await.unwrap_or(false) { Outcome::Woken } else { busy }
}

/// The bytes of `X-Hub-Signature-256: sha256=HEX`.
fn signature(headers: &HeaderMap) -> Option<[u8; 32]> {
    let text = headers.get("x-hub-signature-256")?.to_str().ok()?.strip_prefix("sha256=")?;
    if text.len() != 64 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    let mut bytes = [0; 32];
    for (byte, at) in bytes.iter_mut().zip((0..64).step_by(2)) {
        *byte = u8::from_str_radix(&text[at..at + 2], 16).ok()?;
    }
    Some(bytes)
}

fn delivery(headers: &HeaderMap) -> Option<&str> {
    let text = headers.get("x-github-delivery")?.to_str().ok()?;
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    ((1..=LONGEST_DELIVERY).contains(&text.len()) && text.bytes().all(plain)).then_some(text)
}

/// In constant time.
fn is_signed(secret: &Secret, body: &[u8], signature: &[u8]) -> bool {
    <Hmac<Sha256>>::new_from_slice(secret.expose().as_bytes()).is_ok_and(|mut mac| {
        mac.update(body);
        mac.verify_slice(signature).is_ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of GitHub's documentation of webhooks.
    #[test]
    fn githubs_own_example_is_signed() {
        let headers = HeaderMap::from_iter([(
            header::HeaderName::from_static("x-hub-signature-256"),
            "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
                .parse()
                .expect("a value"),
        )]);
        let secret = Secret::new("It's a Secret to Everybody");
        let signature = signature(&headers).expect("whole");
        assert!(is_signed(&secret, b"Hello, World!", &signature));
        assert!(!is_signed(&secret, b"Hello, World?", &signature));
        assert!(!is_signed(&Secret::new("another secret"), b"Hello, World!", &signature));
    }

    #[test]
    fn half_signatures_and_odd_deliveries_are_none() {
        let with = |name: &'static str, value: &str| {
            HeaderMap::from_iter([(header::HeaderName::from_static(name), value.parse().expect("a value"))])
        };
        for bad in ["", "sha256=", "sha1=00", "sha256=7571", &format!("sha256={}", "g".repeat(64))] {
            assert_eq!(signature(&with("x-hub-signature-256", bad)), None, "{bad}");
        }
        for bad in ["", "a b", "../x", &"d".repeat(101)] {
            assert_eq!(delivery(&with("x-github-delivery", bad)), None, "{bad}");
        }
        assert_eq!(delivery(&with("x-github-delivery", "72d3162e-cc78")), Some("72d3162e-cc78"));
    }
}
