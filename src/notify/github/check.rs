//! A check run on a commit; a commit status where the token may not write checks; else nothing but the summary.

use super::client::Client;
use super::error::{GithubError, WriteError, within};
pub use crate::alert::check::Conclusion;
use reqwest::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Longest summary and longest text, characters.
pub const TEXT_LIMIT: usize = 65_535;
/// Annotations that one request takes.
const ANNOTATIONS: usize = 50;
/// Longest description of a commit status, characters.
const DESCRIPTION: usize = 140;

impl Conclusion {
    fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failure => "failure",
            Self::Neutral => "neutral",
            Self::ActionRequired => "action_required",
        }
    }

    /// A status knows no neutral: success blocks nobody, and the description says the rest.
    fn status(self) -> &'static str {
        match self {
            Self::Success | Self::Neutral => "success",
            Self::Failure => "failure",
            Self::ActionRequired => "error",
        }
    }
}

/// A remark at a line of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Annotation {
    /// Path in the repository.
    pub path: String,
    /// First line, from 1.
    pub start_line: u32,
    /// Last line.
    pub end_line: u32,
    /// How loud.
    pub annotation_level: Level,
    /// What.
    pub message: String,
    /// Heading.
    pub title: String,
}

/// How loud an annotation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// For information.
    Notice,
    /// Worth a look.
    Warning,
    /// A regression.
    Failure,
}

/// What a check says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckReport {
    /// Name of the check, and context of the status.
    pub name: String,
    /// The commit.
    pub head_sha: String,
    /// Identity of the sweep that it tells of: the same id updates the same check run.
    pub external_id: String,
    /// How it ended.
    pub conclusion: Conclusion,
    /// One line.
    pub title: String,
    /// Markdown, at most [`TEXT_LIMIT`] characters.
    pub summary: String,
    /// More Markdown, at most [`TEXT_LIMIT`] characters; empty for none.
    pub text: String,
    /// Remarks, in an order that is the same each time for one `external_id`.
    pub annotations: Vec<Annotation>,
    /// Where the details are.
    pub details_url: Option<String>,
}

/// Where it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shown {
    /// As a check run with this id.
    Check {
        /// Its id.
        id: u64,
        /// Whether something was written.
        written: bool,
    },
    /// As a commit status, because the check was refused with these words.
    Status {
        /// Why no check.
        because: String,
    },
    /// Nowhere: only the job's summary tells it.
    SummaryOnly {
        /// Why neither check nor status.
        because: String,
    },
}

#[derive(Debug, Deserialize)]
struct Page {
    check_runs: Vec<Run>,
}

#[derive(Debug, Deserialize)]
struct Run {
    id: u64,
    name: String,
    external_id: Option<String>,
    conclusion: Option<String>,
    output: Output,
}

#[derive(Debug, Deserialize)]
struct Output {
    title: Option<String>,
    summary: Option<String>,
    text: Option<String>,
    #[serde(default)]
    annotations_count: usize,
}

impl Run {
    fn says(&self, report: &CheckReport) -> bool {
        let same = |shown: &Option<String>, text: &str| shown.as_deref().unwrap_or_default() == text;
        same(&self.conclusion, report.conclusion.as_str())
            && same(&self.output.title, &report.title)
            && same(&self.output.summary, &report.summary)
            && same(&self.output.text, &report.text)
    }
}

/// Shows the report at its commit. Only a missing permission (403, 404) leads to the next weaker form; any other
/// failure is an error.
pub async fn publish(client: &Client, report: &CheckReport) -> Result<Shown, GithubError> {
    within("the check's summary", &report.summary, TEXT_LIMIT)?;
    within("the check's text", &report.text, TEXT_LIMIT)?;
    let because = match client.settle(async || check(client, report).await).await {
        Err(error) if is_forbidden(&error) => error.to_string(),
        result => return result,
    };
    // A status with the same context takes the place of the last one, so that one twice is one.
    match client.settle(async || status(client, report).await).await {
        Ok(()) => Ok(Shown::Status { because }),
        Err(error) if is_forbidden(&error) => {
            Ok(Shown::SummaryOnly { because: format!("{because}; {error}") })
        }
        Err(error) => Err(error),
    }
}

fn is_forbidden(error: &GithubError) -> bool {
    matches!(error.status(), Some(403 | 404))
}

/// Finds the run and writes what it lacks. GitHub appends annotations, so that the number it has says which come next.
async fn check(client: &Client, report: &CheckReport) -> Result<Shown, GithubError> {
    let found = find(client, report).await?;
    let (mut has, id) = match &found {
        Some(run) if run.says(report) && run.output.annotations_count >= report.annotations.len() => {
            return Ok(Shown::Check { id: run.id, written: false });
        }
        Some(run) => (run.output.annotations_count, Some(run.id)),
        None => (0, None),
    };
    let mut id = id;
    loop {
        let next: Vec<_> = report.annotations.iter().skip(has).take(ANNOTATIONS).collect();
        has += next.len();
        let mut body = body(report, &next);
        let answer = match id {
            None => {
                body["head_sha"] = json!(report.head_sha);
                client.write(Method::POST, &client.repo("check-runs"), &body).await?
            }
            Some(id) => client.write(Method::PATCH, &client.repo(&format!("check-runs/{id}")), &body).await?,
        };
        let written = answer["id"].as_u64().or(id).ok_or_else(|| WriteError::Ambiguous {
            request: format!("POST {}", client.repo("check-runs")),
            cause: "the answer names no id".to_owned(),
        })?;
        if has >= report.annotations.len() {
            return Ok(Shown::Check { id: written, written: true });
        }
        id = Some(written);
    }
}

/// The newest run of ours for this sweep.
async fn find(client: &Client, report: &CheckReport) -> Result<Option<Run>, GithubError> {
    let path = client.repo(&format!("commits/{}/check-runs", report.head_sha));
    let query = [("check_name", report.name.as_str()), ("filter", "all")];
    let pages: Vec<Page> = client.get_pages(&path, &query, 20).await?;
    let ours = pages.into_iter().flat_map(|page| page.check_runs).filter(|run| {
        run.name == report.name && run.external_id.as_deref() == Some(report.external_id.as_str())
    });
    Ok(ours.max_by_key(|run| run.id))
}

fn body(report: &CheckReport, annotations: &[&Annotation]) -> Value {
    let mut output = json!({ "title": report.title, "summary": report.summary });
    if !report.text.is_empty() {
        output["text"] = json!(report.text);
    }
    if !annotations.is_empty() {
        output["annotations"] = json!(annotations);
    }
    let mut body = json!({
        "name": report.name,
        "external_id": report.external_id,
        "status": "completed",
        "conclusion": report.conclusion,
        "output": output,
    });
    if let Some(url) = &report.details_url {
        body["details_url"] = json!(url);
    }
    body
}

async fn status(client: &Client, report: &CheckReport) -> Result<(), GithubError> {
    let mut body = json!({
        "state": report.conclusion.status(),
        "context": report.name,
        "description": shortened(&report.title),
    });
    if let Some(url) = &report.details_url {
        body["target_url"] = json!(url);
    }
    client.write(Method::POST, &client.repo(&format!("statuses/{}", report.head_sha)), &body).await?;
    Ok(())
}

/// The title within a status' one line.
fn shortened(title: &str) -> String {
    if title.chars().count() <= DESCRIPTION {
        return title.to_owned();
    }
    title.chars().take(DESCRIPTION - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_description_fits_a_status() {
        assert_eq!(shortened("short"), "short");
        let long = shortened(&"ü".repeat(141));
        assert_eq!((long.chars().count(), long.chars().last()), (140, Some('…')));
        assert_eq!(shortened(&"ü".repeat(140)), "ü".repeat(140));
    }

    #[test]
    fn only_success_and_neutral_let_a_status_pass() {
        let all = [Conclusion::Success, Conclusion::Failure, Conclusion::Neutral, Conclusion::ActionRequired];
        assert_eq!(all.map(Conclusion::status), ["success", "failure", "success", "error"]);
        for conclusion in all {
            assert_eq!(json!(conclusion), json!(conclusion.as_str()));
        }
    }
}
