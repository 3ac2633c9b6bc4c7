//! An answer before it is sent, and what an endpoint is called with.

use super::{auth::Token, state::Author};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Status, headers and body.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: Option<Value>,
}

pub type Reply<T = Answer> = Result<T, Answer>;

/// One request, held against the contract and permitted.
pub struct Call<'a> {
    pub path: &'a BTreeMap<String, String>,
    pub query: &'a [(String, String)],
    pub body: &'a Value,
    pub token: &'a Token,
    /// Address of the request without its query, for links to other pages.
    pub url: String,
}

const DOCUMENTATION: &str = "https://docs.github.com/rest";

impl Answer {
    pub fn ok(body: Value) -> Self {
        Self { status: 200, headers: Vec::new(), body: Some(body) }
    }

    /// 201 with the address of what was made.
    pub fn created(body: Value) -> Self {
        let location = body["url"].as_str().map(|url| ("location", url.to_owned()));
        Self { status: 201, headers: location.into_iter().collect(), body: Some(body) }
    }

    pub fn nothing() -> Self {
        Self { status: 204, headers: Vec::new(), body: None }
    }

    pub fn error(status: u16, message: &str) -> Self {
        let body =
            json!({"message": message, "documentation_url": DOCUMENTATION, "status": status.to_string()});
        Self { status, headers: Vec::new(), body: Some(body) }
    }

    pub fn not_found() -> Self {
        Self::error(404, "Not Found")
    }

    /// 422: `code` is GitHub's word (`missing_field`, `invalid`, `already_exists`, `custom`).
    pub fn invalid(resource: &str, field: &str, code: &str, message: &str) -> Self {
        let error = json!({"resource": resource, "field": field, "code": code, "message": message});
        let body =
            json!({"message": "Validation Failed", "documentation_url": DOCUMENTATION, "errors": [error]});
        Self { status: 422, headers: Vec::new(), body: Some(body) }
    }

    /// 422 without a list of fields.
    pub fn refused(message: &str) -> Self {
        let body = json!({"message": message, "documentation_url": DOCUMENTATION});
        Self { status: 422, headers: Vec::new(), body: Some(body) }
    }

    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

impl Call<'_> {
    /// A parameter of the path: the contract proved that it is there.
    pub fn part(&self, name: &str) -> &str {
        &self.path[name]
    }

    pub fn number(&self, name: &str) -> u64 {
        self.path[name].parse().unwrap_or_default()
    }

    pub fn asked(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// A string of the body.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.body[name].as_str()
    }

    pub fn author(&self) -> Author {
        self.token.author.clone()
    }

    /// Page and size of a page: GitHub gives 30 unless asked, and never more than 100.
    fn page(&self) -> (usize, usize) {
        let number = |name| self.asked(name).and_then(|v| v.parse::<usize>().ok()).filter(|n| *n > 0);
        (number("page").unwrap_or(1), number("per_page").unwrap_or(30).min(100))
    }

    /// The items of the page that was asked for, and the header that names the others.
    pub fn paged<T>(&self, items: Vec<T>) -> (Vec<T>, Option<(&'static str, String)>) {
        let (page, size) = self.page();
        let last = items.len().div_ceil(size).max(1);
        let address = |page: usize| {
            let mut query: Vec<_> = self.query.iter().filter(|(n, _)| n != "page").cloned().collect();
            query.push(("page".into(), page.to_string()));
            let query = query.iter().map(|(name, value)| format!("{name}={}", encoded(value)));
            format!("{}?{}", self.url, query.collect::<Vec<_>>().join("&"))
        };
        let links = [
            (page > 1).then(|| (page.min(last + 1) - 1, "prev")),
            (page < last).then_some((page + 1, "next")),
            (page < last).then_some((last, "last")),
            (page > 1).then_some((1, "first")),
        ];
        let links: Vec<_> = links
            .into_iter()
            .flatten()
            .map(|(page, rel)| format!("<{}>; rel=\"{rel}\"", address(page)))
            .collect();
        let header = (!links.is_empty()).then(|| ("link", links.join(", ")));
        (items.into_iter().skip((page - 1) * size).take(size).collect(), header)
    }

    /// The page as the whole answer.
    pub fn list<T>(&self, items: Vec<T>, build: impl Fn(T) -> Value) -> Answer {
        let (items, link) = self.paged(items);
        let mut answer = Answer::ok(items.into_iter().map(build).collect());
        answer.headers.extend(link);
        answer
    }

    /// The page inside an object that also says how many there are.
    pub fn counted<T>(&self, name: &str, items: Vec<T>, build: impl Fn(T) -> Value) -> Answer {
        let total = items.len();
        let mut answer = self.list(items, build);
        answer.body = answer.body.map(|page| json!({"total_count": total, name: page}));
        answer
    }
}

/// Percent encoding of everything but letters, digits and `-._~`.
pub fn encoded(text: &str) -> String {
    let safe = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
    text.bytes().map(|b| if safe(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}
