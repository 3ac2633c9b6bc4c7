//! From a request to its answer: contract, token, limits, state, contract again, and the fault on the way.

use super::{
    auth,
    contract::Contract,
    endpoints,
    faults::Fault,
    limits::{http_date, secondary},
    log::Request,
    reply::{Answer, Call, Reply},
    state::World,
    wire::Scissors,
};
use axum::{
    body::{Body, to_bytes},
    extract::{ConnectInfo, Query, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header},
    response::Response,
};
use serde_json::Value;
use std::{
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

/// More than any request that GitHub takes.
const LARGEST: usize = 64 << 20;

pub struct Shared {
    pub world: Mutex<World>,
    pub contract: &'static Contract,
    /// `""` or `"/api/v3"`.
    pub base_path: String,
}

struct Incoming<'a> {
    method: &'a str,
    path: &'a str,
    query: &'a [(String, String)],
    headers: &'a HeaderMap,
    body: &'a [u8],
}

/// What goes out: nothing is a connection that is closed.
struct Outcome {
    answer: Option<Answer>,
    late: Duration,
}

pub async fn serve(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(scissors): ConnectInfo<Scissors>,
    request: axum::extract::Request,
) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, LARGEST).await else {
        return sent(Answer::error(413, "Payload too large"));
    };
    let outcome = shared.take(&parts.method, &parts.uri, &parts.headers, &body);
    if !outcome.late.is_zero() {
        tokio::time::sleep(outcome.late).await;
    }
    outcome.answer.map_or_else(
        || {
            scissors.cut();
            Response::new(Body::empty())
        },
        sent,
    )
}

fn sent(answer: Answer) -> Response {
    // GitHub's proxies answer a 502 with a page, not with JSON.
    let page = answer.status == 502;
    let kind = if page { "text/html" } else { "application/json; charset=utf-8" };
    let body = match answer.body {
        _ if page => "<html><body><h1>502 Bad Gateway</h1></body></html>".to_owned(),
        Some(value) => value.to_string(),
        None => String::new(),
    };
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::from_u16(answer.status).expect("a status");
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    for (name, value) in answer.headers {
        response.headers_mut().insert(name, HeaderValue::try_from(value).expect("a header's value"));
    }
    response
}

impl Shared {
    pub fn world(&self) -> MutexGuard<'_, World> {
        // A test that failed while it held the lock has said why.
        self.world.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn take(&self, method: &Method, uri: &Uri, headers: &HeaderMap, body: &[u8]) -> Outcome {
        let mut world = self.world();
        let query = Query::<Vec<(String, String)>>::try_from_uri(uri).map(|q| q.0).unwrap_or_default();
        let path = uri.path().strip_prefix(&self.base_path).unwrap_or(uri.path());
        let request = Incoming { method: method.as_str(), path, query: &query, headers, body };
        let secret = |name| headers.get(name).and_then(|v: &HeaderValue| v.to_str().ok()).unwrap_or_default();
        let mut record = Request {
            method: method.to_string(),
            path: path.to_owned(),
            query: uri.query().unwrap_or_default().to_owned(),
            operation: String::new(),
            body: serde_json::from_slice(body).ok(),
            token: None,
            accept: secret(header::ACCEPT).to_owned(),
            status: None,
            done: false,
            fault: None,
        };
        if !uri.path().starts_with(&self.base_path) {
            world.violations.push(format!("{method} {}: is not below {}", uri.path(), self.base_path));
        }
        let fault = world.faults.next(method.as_str(), path);
        record.fault = fault.as_ref().map(|f| format!("{f:?}"));
        let mut late = Duration::ZERO;
        let answer = match fault {
            Some(Fault::Before(status)) => Some(failed(status)),
            Some(Fault::RetryAfter(status, seconds)) => Some(secondary(status, seconds)),
            Some(Fault::DropBefore) => None,
            None => Some(self.answer(&mut world, &request, &mut record)),
            Some(Fault::After(status)) => {
                self.answer(&mut world, &request, &mut record);
                Some(failed(status))
            }
            Some(Fault::DropAfter) => {
                self.answer(&mut world, &request, &mut record);
                None
            }
            Some(Fault::Slow(delay)) => {
                late = delay;
                Some(self.answer(&mut world, &request, &mut record))
            }
        };
        record.status = answer.as_ref().map(|a| a.status);
        world.log.push(record);
        let date = http_date(world.now());
        Outcome { answer: answer.map(|a| a.header("date", date)), late }
    }

    /// The honest answer.
    fn answer(&self, world: &mut World, request: &Incoming<'_>, record: &mut Request) -> Answer {
        let found = match self.contract.find(request.method, request.path) {
            Ok(found) => found,
            Err(violation) => {
                world.violations.push(violation.clone());
                return Answer::refused(&format!("contract: {violation}"));
            }
        };
        record.operation.clone_from(&found.operation.id);
        let mut limits = Vec::new();
        let answer =
            self.honest(world, request, record, &found, &mut limits).unwrap_or_else(|refusal| refusal);
        record.done = answer.status < 300;
        if let Err(violation) =
            self.contract.check_answer(found.operation, answer.status, answer.body.as_ref())
        {
            world.violations.push(violation.clone());
            return Answer::error(500, &format!("contract: {violation}"));
        }
        limits.into_iter().fold(answer, |answer, (name, value)| answer.header(name, value))
    }

    fn honest(
        &self,
        world: &mut World,
        request: &Incoming<'_>,
        record: &mut Request,
        found: &super::contract::Match<'_>,
        limits: &mut Vec<(&'static str, String)>,
    ) -> Reply {
        let text = |name| request.headers.get(name).and_then(|v: &HeaderValue| v.to_str().ok());
        if text(header::USER_AGENT).is_none() {
            return Err(Answer::error(
                403,
                "Request forbidden by administrative rules: a User-Agent is required.",
            ));
        }
        let token = auth::authenticate(world, text(header::AUTHORIZATION))?;
        record.token = Some(token.kind);
        let (now, id) = (world.now(), found.operation.id.as_str());
        let (left, within) = world.limits.request(&token, now, id != "rate-limit/get");
        *limits = left.headers();
        within?;
        let body: Option<Value> = match request.body {
            [] => None,
            // No operation takes a text, so that what is no JSON is a violation.
            bytes => Some(serde_json::from_slice(bytes).unwrap_or_else(|_| Value::from("not JSON"))),
        };
        if let Err(violation) = self.contract.check_request(found, request.query, body.as_ref()) {
            world.violations.push(violation.clone());
            return Err(Answer::refused(&format!("contract: {violation}")));
        }
        if !endpoints::does(id) {
            let violation = format!("{id}: the fake does not do it yet");
            world.violations.push(violation.clone());
            return Err(Answer::error(500, &violation));
        }
        auth::permit(world, &token, found.operation, &found.path)?;
        if request.method != "GET" && id != "apps/create-installation-access-token" {
            world.limits.write(&token, now)?;
        }
        let url = format!("{}{}", world.base, request.path);
        let body = body.unwrap_or(Value::Null);
        let call = Call { path: &found.path, query: request.query, body: &body, token: &token, url };
        endpoints::perform(world, id, &call)
    }
}

/// The answer of a fault.
fn failed(status: u16) -> Answer {
    match status {
        401 => Answer::error(401, "Bad credentials"),
        404 => Answer::not_found(),
        410 => Answer::error(410, "Issues are disabled for this repo"),
        422 => Answer::refused("Validation Failed"),
        500.. => Answer::error(status, "Server Error"),
        other => Answer::error(other, "refused on purpose"),
    }
}
