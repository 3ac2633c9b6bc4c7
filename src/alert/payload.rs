//! What webhooks get: the documented JSON of an alert, or what Slack and its relatives understand.

use super::decide::{Action, Transition};
use super::finding::{Finding, Subject};
use super::policy::Format;
use super::{Phase, Record, digest};
use crate::model::GateResult;
use crate::report::{clean, number, view};
use serde_json::{Value, json};

/// Version of the JSON.
pub const VERSION: u32 = 1;
/// Rows that are sent.
const ROWS: usize = 10;

/// Identity of a notice: the same state of the same alert, reached with the same sweep or outage, is the same notice.
pub fn delivery(record: &Record) -> String {
    digest(format!("{} {} {}", record.key, record.state(), record.reached_with()), 16)
}

/// The body of a notice. `title` is that of the issue, `url` its page or that of the run.
pub fn body(action: &Action, result: &GateResult, title: &str, url: Option<&str>, format: Format) -> Value {
    match format {
        Format::Json => document(action, result, title, url),
        Format::Slack => slack(action, result, title, url),
    }
}

fn document(action: &Action, result: &GateResult, title: &str, url: Option<&str>) -> Value {
    let record = &action.record;
    json!({
        "version": VERSION,
        "delivery": delivery(record),
        "transition": action.transition.as_str(),
        "open": record.phase == Phase::Open,
        "key": record.key.to_string(),
        "title": title,
        "url": url,
        "host_class": result.host_class,
        "profile": result.profile,
        "environment": record.key.scope.environment(),
        "family": record.key.scope.family(),
        "changed": result.changed,
        "sweep": record.sweep,
        "at": record.at,
        "magnitude": record.magnitude,
        "metrics": record.metrics,
        "trouble": action.trouble,
        "rows": action.group.iter().take(ROWS).map(row).collect::<Vec<_>>(),
    })
}

fn row(finding: &Finding) -> Value {
    match finding.subject {
        Subject::Regression(v) => json!({
            "metric": finding.metric(), "environment": v.environment, "verdict": v.verdict,
            "toll_before_pct": v.toll_before_pct, "toll_now_pct": v.toll_now_pct,
            "change_pct": v.change_pct, "ci95_pct": v.ci95_pct,
        }),
        Subject::Drift(d) => json!({
            "metric": finding.metric(), "environment": d.environment, "verdict": "drift",
            "toll_before_pct": null, "toll_now_pct": null, "change_pct": d.change_pct, "ci95_pct": null,
        }),
    }
}

fn slack(action: &Action, result: &GateResult, title: &str, url: Option<&str>) -> Value {
    let word = match &action.transition {
        Transition::Opened => ":small_red_triangle: opened".to_owned(),
        Transition::Worse { .. } => ":small_red_triangle: worse".to_owned(),
        Transition::FailedAgain => ":small_red_triangle: failed again".to_owned(),
        Transition::OtherTrouble => ":small_red_triangle: another reason".to_owned(),
        Transition::Reopened => ":small_red_triangle: back".to_owned(),
        Transition::Recovering { sweeps, of } => {
            format!(":small_red_triangle_down: back to normal in {sweeps} of {of} sweeps")
        }
        Transition::Recovered => ":white_check_mark: recovered".to_owned(),
        Transition::Accepted => ":white_check_mark: accepted as the new regime".to_owned(),
        Transition::Duplicate { .. } => "closed as a duplicate".to_owned(),
    };
    let mut lines = Vec::new();
    if let Some(trouble) = &action.trouble {
        lines.push(escaped(&clean::text(trouble)));
    }
    for finding in action.group.iter().take(ROWS) {
        let environment = view::label(finding.environment(), result.is_emulated());
        let change = match finding.subject {
            Subject::Regression(v) => number::change_with_interval(v.change_pct, v.ci95_pct),
            Subject::Drift(d) => number::change(d.change_pct),
        };
        lines.push(format!(
            "• {} in {}: {}",
            escaped(&clean::name(finding.metric())),
            escaped(&environment),
            escaped(&change)
        ));
    }
    if action.group.len() > ROWS {
        lines.push(format!("… and {} more", action.group.len() - ROWS));
    }
    slack_message(&word, title, url, lines)
}

/// A message for Slack: a word in bold, the title with its link, and lines that are escaped already.
pub(super) fn slack_message(
    word: &str,
    title: &str,
    url: Option<&str>,
    lines: impl IntoIterator<Item = String>,
) -> Value {
    let link = url.filter(|u| u.starts_with("https://") || u.starts_with("http://"));
    let name = link.map_or_else(|| escaped(title), |u| format!("<{}|{}>", escaped(u), escaped(title)));
    let lines: Vec<String> = std::iter::once(format!("*{word}*: {name}")).chain(lines).collect();
    json!({ "text": lines.join("\n"), "unfurl_links": false })
}

/// Text that Slack takes as text: its three special characters escaped, and no mention or markup.
pub(super) fn escaped(text: &str) -> String {
    let text = clean::one_line(text, 400);
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace(['*', '`', '~', '|'], "·")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::fixtures::{at, judged, result, upgraded};
    use crate::alert::{AlertPolicy, Situation, decide};
    use crate::model::Family::Network;
    use crate::model::VerdictKind;

    #[test]
    fn both_forms() {
        let nat = judged("get", "docker+nat", Network, VerdictKind::Regressed, 7.0);
        let result = result(5, "26.1.5", upgraded("26.1.5"), vec![nat]);
        let policy = AlertPolicy::default();
        let decided = decide(&Situation { result: &result, issues: &[], policy: &policy, now: at(9) });
        let of = |format| {
            body(
                &decided.actions[0],
                &result,
                "A <b> & @here *title*",
                Some("https://g/o/r/issues/7"),
                format,
            )
        };
        insta::assert_json_snapshot!([of(Format::Json), of(Format::Slack)]);
    }

    #[test]
    fn the_same_state_by_the_same_sweep_is_the_same_delivery() {
        let of = |n, change| {
            let nat = judged("get", "docker+nat", Network, VerdictKind::Regressed, change);
            let result = result(n, "26.1.5", upgraded("26.1.5"), vec![nat]);
            let policy = AlertPolicy::default();
            let decided = decide(&Situation { result: &result, issues: &[], policy: &policy, now: at(9) });
            delivery(&decided.actions[0].record)
        };
        assert_eq!(of(5, 7.0), of(5, 7.1));
        assert_ne!(of(5, 7.0), of(6, 7.0));
        assert_ne!(of(5, 7.0), of(5, 70.0));
    }
}
