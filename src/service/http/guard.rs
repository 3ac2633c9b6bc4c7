//! Who may ask, how many at once, and what every answer says to the browser.

use super::app::App;
use super::counts::Refusal;
use super::problem::{Problem, is_api};
use crate::notify::Secret;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::middleware::Next;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use std::net::IpAddr;
use std::sync::Arc;

/// Nothing runs, loads or is sent elsewhere but what this service serves itself.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; \
    form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// Who may read.
pub(super) struct Gate {
    /// MAC of the token, with a key of our own: comparing MACs takes the same time wherever they differ.
    token: Option<Vec<u8>>,
}

impl std::fmt::Debug for Gate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gate").field("token", &self.token.is_some()).finish()
    }
}

impl Gate {
    /// With a token, whoever has it; else whoever names this host by a loopback address.
    pub fn new(token: Option<Secret>) -> Self {
        Self { token: token.map(|t| mac(t.expose().as_bytes()).finalize().into_bytes().to_vec()) }
    }

    fn admit(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        let Some(token) = &self.token else {
            // A page of another site can have its name resolve to 127.0.0.1, but not change what the browser sends here.
            let host = headers.get(header::HOST).and_then(|h| h.to_str().ok());
            return if host.is_some_and(is_this_host) { Ok(()) } else { Err(Refusal::Host) };
        };
        let given = headers.get(header::AUTHORIZATION).and_then(|h| h.to_str().ok()).and_then(given_token);
        let same = given.is_some_and(|given| mac(&given).verify_slice(token).is_ok());
        if same { Ok(()) } else { Err(Refusal::Token) }
    }
}

fn mac(text: &[u8]) -> Hmac<Sha256> {
    let key = [0x54_u8; 64];
    let mut mac = <Hmac<Sha256>>::new(&key.into());
    mac.update(text);
    mac
}

/// `Bearer TOKEN`; or `Basic`, with which browsers ask a person: any name, the token as the password.
fn given_token(value: &str) -> Option<Vec<u8>> {
    let (scheme, rest) = value.split_once(' ')?;
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(rest.trim().as_bytes().to_vec());
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let pair = STANDARD.decode(rest.trim()).ok()?;
    let colon = pair.iter().position(|b| *b == b':')?;
    Some(pair[colon + 1..].to_vec())
}

fn is_this_host(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// Around every route.
pub(super) async fn guard(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let api = is_api(path);
    let answer = match path {
        // These say nothing but that the service is there, also when it is busy.
        "/healthz" | "/readyz" => next.run(request).await,
        // The hook has a signature of its own.
        "/hook" => match app.hooks.try_acquire() {
            Ok(_permit) => next.run(request).await,
            Err(_) => busy(&app, api),
        },
        _ => match app.gate.admit(request.headers()) {
            Ok(()) => in_turn(&app, request, next, api).await,
            Err(refusal) => {
                app.counts.refuse(refusal);
                let problem = if refusal == Refusal::Host { Problem::Host } else { Problem::Token };
                problem.answer(api)
            }
        },
    };
    app.counts.answer(answer.status().as_u16());
    secured(answer)
}

async fn in_turn(app: &App, request: Request, next: Next, api: bool) -> Response {
    let Ok(Ok(_permit)) = tokio::time::timeout(app.limits.patience, app.requests.acquire()).await else {
        return busy(app, api);
    };
    next.run(request).await
}

fn busy(app: &App, api: bool) -> Response {
    app.counts.refuse(Refusal::Busy);
    Problem::Busy.answer(api)
}

fn secured(mut answer: Response) -> Response {
    let headers = answer.headers_mut();
    let fixed = [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
    ];
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
    for (name, value) in [
        ("cross-origin-resource-policy", "same-origin"),
        ("cross-origin-opener-policy", "same-origin"),
        ("permissions-policy", "camera=(), geolocation=(), microphone=()"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: header::HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, value.parse().expect("a value"))])
    }

    #[test]
    fn without_a_token_only_loopback_names_are_this_host() {
        let gate = Gate::new(None);
        for host in ["127.0.0.1:9417", "localhost", "LOCALHOST:80", "[::1]:9417", "127.8.8.8"] {
            assert_eq!(gate.admit(&headers(header::HOST, host)), Ok(()), "{host}");
        }
        for host in
            ["evil.example", "127.0.0.1.evil.example", "10.0.0.1:9417", "", "[fe80::1]", "localhost.evil"]
        {
            assert_eq!(gate.admit(&headers(header::HOST, host)), Err(Refusal::Host), "{host}");
        }
        assert_eq!(gate.admit(&HeaderMap::new()), Err(Refusal::Host));
    }

    #[test]
    fn a_token_is_given_as_bearer_or_as_a_password() {
        let gate = Gate::new(Some(Secret::new("0123456789abcdef:x\n")));
        let basic = |pair: &str| format!("Basic {}", STANDARD.encode(pair));
        for good in [
            "Bearer 0123456789abcdef:x".to_owned(),
            basic("me:0123456789abcdef:x"),
            basic(":0123456789abcdef:x"),
        ] {
            assert_eq!(gate.admit(&headers(header::AUTHORIZATION, &good)), Ok(()), "{good}");
        }
        let bad = ["Bearer", "Bearer 0123456789abcdef", "Bearer  ", "Basic !", "Digest 0123456789abcdef:x"];
        for bad in bad.map(str::to_owned).into_iter().chain([basic("0123456789abcdef"), basic("a:b")]) {
            assert_eq!(gate.admit(&headers(header::AUTHORIZATION, &bad)), Err(Refusal::Token), "{bad}");
        }
        assert_eq!(gate.admit(&headers(header::HOST, "localhost")), Err(Refusal::Token));
        assert_eq!(format!("{gate:?}"), "Gate { token: true }");
    }
}
