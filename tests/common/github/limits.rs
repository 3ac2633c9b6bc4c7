//! Rate limits that the description leaves out.

use super::{
    auth::{Kind, Token},
    reply::{Answer, Reply},
    state::Time,
};
use chrono::{DateTime, TimeDelta};
use serde_json::{Value, json};
use std::collections::{BTreeMap, VecDeque};

/// How much each author may ask; change them for a test.
#[derive(Debug, Clone)]
pub struct Limits {
    /// All requests in an hour: 5,000 for persons and apps.
    pub requests_per_hour: u64,
    /// The same for a workflow job's token.
    pub job_requests_per_hour: u64,
    /// Writes of content in a minute and in an hour, GitHub's secondary limit.
    pub writes_per_minute: usize,
    pub writes_per_hour: usize,
    used: BTreeMap<String, (Time, u64)>,
    writes: BTreeMap<String, VecDeque<Time>>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            requests_per_hour: 5_000,
            job_requests_per_hour: 1_000,
            writes_per_minute: 80,
            writes_per_hour: 500,
            used: BTreeMap::new(),
            writes: BTreeMap::new(),
        }
    }
}

/// What `x-ratelimit-*` says.
#[derive(Debug, Clone, Copy)]
pub struct Left {
    pub limit: u64,
    pub used: u64,
    pub reset: i64,
}

impl Left {
    pub fn headers(self) -> Vec<(&'static str, String)> {
        vec![
            ("x-ratelimit-limit", self.limit.to_string()),
            ("x-ratelimit-remaining", self.limit.saturating_sub(self.used).to_string()),
            ("x-ratelimit-reset", self.reset.to_string()),
            ("x-ratelimit-used", self.used.to_string()),
            ("x-ratelimit-resource", "core".to_owned()),
        ]
    }

    pub fn as_value(self) -> Value {
        let remaining = self.limit.saturating_sub(self.used);
        json!({"limit": self.limit, "used": self.used.min(self.limit), "remaining": remaining, "reset": self.reset})
    }
}

impl Limits {
    /// What is left of the hour, and whether the request is within it. `count` is false for `GET /rate_limit`.
    pub fn request(&mut self, token: &Token, now: Time, count: bool) -> (Left, Reply<()>) {
        let limit = match token.kind {
            Kind::Job => self.job_requests_per_hour,
            _ => self.requests_per_hour,
        };
        let window = self.used.entry(token.author.login.clone()).or_insert((now, 0));
        if now - window.0 >= TimeDelta::hours(1) {
            *window = (now, 0);
        }
        window.1 += u64::from(count);
        let left = Left { limit, used: window.1, reset: (window.0 + TimeDelta::hours(1)).timestamp() };
        let within = if window.1 <= limit || !count {
            Ok(())
        } else {
            let text = format!(
                "API rate limit exceeded for user ID {}.",
                super::answer::user_id(&token.author.login)
            );
            Err(Answer::error(403, &text))
        };
        (left, within)
    }

    /// Counts a write of content.
    ///
    /// # Errors
    /// 403 with `retry-after`: the secondary limit. A refused write is not counted.
    pub fn write(&mut self, token: &Token, now: Time) -> Reply<()> {
        let writes = self.writes.entry(token.author.login.clone()).or_default();
        while writes.front().is_some_and(|at| now - *at >= TimeDelta::hours(1)) {
            writes.pop_front();
        }
        let windows =
            [(TimeDelta::minutes(1), self.writes_per_minute), (TimeDelta::hours(1), self.writes_per_hour)];
        for (window, most) in windows {
            // The write that must be out of the window before another fits.
            let oldest = writes.len().checked_sub(most).and_then(|i| writes.get(i)).copied();
            if let Some(wait) = oldest.map(|at| at + window - now).filter(|w| *w > TimeDelta::zero()) {
                let seconds = (wait.num_milliseconds() + 999) / 1000;
                return Err(secondary(403, seconds));
            }
        }
        writes.push_back(now);
        Ok(())
    }
}

/// The answer of the secondary limit.
pub fn secondary(status: u16, seconds: i64) -> Answer {
    let text = "You have exceeded a secondary rate limit. Please wait a few minutes before you try again.";
    Answer::error(status, text).header("retry-after", seconds.to_string())
}

/// A time as a `Date` header says it.
pub fn http_date(at: Time) -> String {
    DateTime::to_utc(&at).format("%a, %d %b %Y %H:%M:%S GMT").to_string()
}
