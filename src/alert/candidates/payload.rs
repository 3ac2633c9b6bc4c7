//! What webhooks get of candidates.

use super::decide::{Action, Transition};
use super::text::title;
use super::{Phase, Statement, key};
use crate::alert::payload::{VERSION, escaped, slack_message};
use crate::alert::{WebhookFormat, digest};
use crate::report::clean;
use crate::watch::Candidate;
use serde_json::{Value, json};

/// Identity of a notice: the same state, come to at the same time, is the same notice.
pub fn delivery(action: &Action) -> String {
    digest(super::text::event(action) + &key(&action.memory.host_class), 16)
}

/// The body of a notice. `url` is the page of the issue.
pub fn body(action: &Action, statement: &Statement, url: Option<&str>, format: WebhookFormat) -> Value {
    let title = title(&statement.host_class);
    match format {
        WebhookFormat::Json => json!({
            "version": VERSION,
            "delivery": delivery(action),
            "about": "candidates",
            "transition": action.transition.as_str(),
            "open": action.memory.phase == Phase::Open,
            "key": key(&statement.host_class),
            "title": title,
            "url": url,
            "host_class": statement.host_class,
            "at": action.memory.at,
            "candidates": action.memory.candidates,
        }),
        WebhookFormat::Slack => {
            let word = match action.transition {
                Transition::Closed => "nothing is left",
                Transition::Duplicate { .. } => "closed as a duplicate",
                _ => "offered",
            };
            let lines = action.memory.candidates.iter().map(line);
            slack_message(&format!(":package: {word}"), &title, url, lines)
        }
    }
}

fn line(candidate: &Candidate) -> String {
    let installed = candidate.installed.as_deref().unwrap_or("absent");
    let [installed, offered] = [installed, &candidate.offered].map(|text| escaped(&clean::name(text)));
    format!("• {}: {installed} → {offered}", candidate.component)
}
