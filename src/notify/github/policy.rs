//! What an answer of GitHub means, and how long its rate limits ask to wait. Pure.

use super::error::{FieldError, Refusal};
use crate::notify::pace::later;
use crate::notify::secret::Secret;
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::Value;
use std::time::Duration;

/// Wait of a rate limit that does not say how long: GitHub asks for a minute at least.
const UNSAID: Duration = Duration::from_secs(60);
/// Longest message of GitHub's that an error repeats, characters.
const MESSAGE: usize = 300;

/// An HTTP answer, with the few headers that are read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Answer {
    pub status: u16,
    pub retry_after: Option<String>,
    pub remaining: Option<String>,
    pub reset: Option<String>,
    pub date: Option<String>,
    pub link: Option<String>,
    pub location: Option<String>,
    pub body: String,
    /// The token that it gave, so that it can be hidden.
    pub token: Option<Secret>,
}

/// What it means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Meaning {
    /// 2xx.
    Done,
    /// Elsewhere; `keeps_method` is whether a write may follow.
    Moved { location: String, keeps_method: bool },
    /// Not done, because of a rate limit that ends then.
    Limited { wait: Duration },
    /// Something broke on the way: done or not.
    Broken,
    /// Not done.
    Refused,
}

pub(super) fn meaning(answer: &Answer, now: DateTime<Utc>) -> Meaning {
    match (answer.status, &answer.location) {
        (200..=299, _) => Meaning::Done,
        (301 | 302, Some(to)) => Meaning::Moved { location: to.clone(), keeps_method: false },
        (307 | 308, Some(to)) => Meaning::Moved { location: to.clone(), keeps_method: true },
        (403 | 429, _) if is_limit(answer) => Meaning::Limited { wait: wait(answer, now) },
        (408 | 500..=599, _) => Meaning::Broken,
        _ => Meaning::Refused,
    }
}

/// Whether a 403 or 429 is a rate limit and not a missing permission.
fn is_limit(answer: &Answer) -> bool {
    answer.status == 429
        || answer.retry_after.is_some()
        || answer.remaining.as_deref() == Some("0")
        || message(&answer.body).to_lowercase().contains("rate limit")
}

/// From `retry-after` in seconds, else from the time of reset against the server's own clock.
fn wait(answer: &Answer, now: DateTime<Utc>) -> Duration {
    let number = |text: &Option<String>| text.as_deref().and_then(|t| t.trim().parse::<u64>().ok());
    if let Some(seconds) = number(&answer.retry_after) {
        return Duration::from_secs(seconds.max(1));
    }
    let reset = number(&answer.reset).filter(|_| answer.remaining.as_deref() == Some("0"));
    let Some(reset) = reset.and_then(|at| i64::try_from(at).ok()) else { return UNSAID };
    let server = answer.date.as_deref().and_then(|date| DateTime::parse_from_rfc2822(date).ok());
    let now = server.map_or(now, |date| date.with_timezone(&Utc));
    // A second more: both clocks tell whole seconds.
    let seconds = reset.saturating_sub(now.timestamp()).saturating_add(1);
    Duration::from_secs(u64::try_from(seconds).unwrap_or(0).max(1))
}

/// When a wait that begins now is over.
pub(super) fn until(now: DateTime<Utc>, wait: Duration) -> DateTime<Utc> {
    later(now, wait)
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct ErrorBody {
    message: String,
    errors: Value,
}

/// The refusal in an answer.
pub(super) fn refusal(request: &str, answer: &Answer) -> Refusal {
    let parsed: ErrorBody = serde_json::from_str(&answer.body).unwrap_or_default();
    let fields = match parsed.errors {
        Value::Array(entries) => entries.into_iter().map(field).collect(),
        Value::Null => Vec::new(),
        other => vec![field(other)],
    };
    Refusal { request: request.to_owned(), status: answer.status, message: message(&answer.body), fields }
}

/// GitHub writes entries of `errors` as objects or as plain texts.
fn field(entry: Value) -> FieldError {
    let text = |text: String| FieldError { message: one_line(&text), ..FieldError::default() };
    match entry {
        Value::String(plain) => text(plain),
        Value::Object(_) => serde_json::from_value(entry.clone()).unwrap_or_else(|_| text(entry.to_string())),
        other => text(other.to_string()),
    }
}

/// `message` of a body in JSON, or the beginning of another body.
pub(super) fn message(body: &str) -> String {
    match serde_json::from_str::<ErrorBody>(body) {
        Ok(parsed) => one_line(&parsed.message),
        // The page of a proxy.
        Err(_) if body.trim_start().starts_with('<') => String::new(),
        Err(_) => one_line(body),
    }
}

/// Space folded, control characters out, not longer than a message.
pub(super) fn one_line(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ").chars().filter(|c| !c.is_control()).take(MESSAGE).collect()
}

/// The target of `rel="next"` in a Link header.
pub(super) fn next_link(header: &str) -> Option<&str> {
    header.split(',').find_map(|entry| {
        let (target, parameters) = entry.trim().strip_prefix('<')?.split_once('>')?;
        let next = parameters.split(';').any(|p| matches!(p.trim(), "rel=\"next\"" | "rel=next"));
        next.then_some(target)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn now() -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000, 0).expect("a time")
    }

    fn answer(status: u16) -> Answer {
        Answer { status, ..Answer::default() }
    }

    #[test]
    fn a_403_is_a_missing_permission_unless_it_says_that_it_is_a_limit() {
        assert_eq!(meaning(&answer(403), now()), Meaning::Refused);
        let said = Answer { retry_after: Some("7".into()), ..answer(403) };
        assert_eq!(meaning(&said, now()), Meaning::Limited { wait: Duration::from_secs(7) });
        let left = Answer { remaining: Some("12".into()), reset: Some("1".into()), ..answer(403) };
        assert_eq!(meaning(&left, now()), Meaning::Refused);
        let body = r#"{"message":"You have exceeded a secondary rate limit"}"#.to_owned();
        assert_eq!(meaning(&Answer { body, ..answer(403) }, now()), Meaning::Limited { wait: UNSAID });
        assert_eq!(meaning(&answer(429), now()), Meaning::Limited { wait: UNSAID });
    }

    #[test]
    fn a_reset_is_measured_by_the_servers_clock() {
        let limit = Answer {
            remaining: Some("0".into()),
            reset: Some((now().timestamp() + 30).to_string()),
            ..answer(403)
        };
        assert_eq!(wait(&limit, now()), Duration::from_secs(31));
        let date = (now() + chrono::Duration::seconds(20)).to_rfc2822();
        assert_eq!(wait(&Answer { date: Some(date), ..limit.clone() }, now()), Duration::from_secs(11));
        let past = Answer { reset: Some("5".into()), ..limit };
        assert_eq!(wait(&past, now()), Duration::from_secs(1));
    }

    #[test]
    fn a_write_may_follow_307_and_308_only() {
        for (status, keeps_method) in [(301, false), (302, false), (307, true), (308, true)] {
            let moved = Answer { location: Some("/x".into()), ..answer(status) };
            assert_eq!(meaning(&moved, now()), Meaning::Moved { location: "/x".into(), keeps_method });
            assert_eq!(meaning(&answer(status), now()), Meaning::Refused);
        }
    }

    #[test]
    fn the_next_page_is_found() {
        let header = r#"<https://h/i?page=1>; rel="prev", <https://h/i?page=3>; rel="next", <https://h/i?page=9>; rel="last""#;
        assert_eq!(next_link(header), Some("https://h/i?page=3"));
        assert_eq!(next_link(r#"<https://h/i?page=1>; rel="first""#), None);
    }

    #[test]
    fn field_errors_are_objects_or_texts() {
        let body = r#"{"message":"Validation\n Failed","errors":["plain",{"resource":"Label","field":"name","code":"already_exists"},{"message":7},3]}"#;
        let refusal = refusal("POST /x", &Answer { body: body.into(), ..answer(422) });
        assert_eq!(refusal.message, "Validation Failed");
        assert!(refusal.has_code("already_exists") && refusal.says("PLAIN"));
        assert_eq!(refusal.fields.len(), 4);
    }

    proptest! {
        #[test]
        fn any_answer_has_a_meaning(status in 100_u16..600, text in "\\PC*", number in "[0-9]{0,25}", body in ".*") {
            let answer = Answer {
                retry_after: Some(number.clone()), remaining: Some("0".into()), reset: Some(number),
                date: Some(text.clone()), link: Some(text.clone()), location: Some(text.clone()), body, status,
                ..Answer::default()
            };
            let _ = until(now(), wait(&answer, now()));
            let _ = (meaning(&answer, now()), next_link(&text));
            prop_assert!(refusal("GET /x", &answer).message.chars().count() <= MESSAGE);
        }
    }
}
