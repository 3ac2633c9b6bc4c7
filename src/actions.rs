//! Floor 2: what GitHub Actions says to a job, and what a job says to it. Pure: text in, text out.
//!
//! Source: "Workflow syntax", "Workflow commands" and "Events that trigger workflows" in GitHub's documentation.

use crate::alert::check::{self, Remark};
use crate::model::{GateResult, VerdictKind};
use serde::{Deserialize, Serialize};
use std::fmt::Write as _;

/// Annotations of one kind that GitHub shows for a step.
const ANNOTATIONS: usize = 10;
/// A longer step summary is dropped as a whole, bytes.
pub const SUMMARY_MAX: usize = 1024 * 1024;

/// The event that started the job, as far as it matters here.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// `push`, `schedule`, `pull_request`, `workflow_run`, ...
    pub name: String,
    /// The pull request that it is about.
    pub pull_request: Option<PullRequest>,
    /// The run whose end started this job, of a `workflow_run`.
    pub run: Option<u64>,
    /// The branch of that run.
    pub run_branch: Option<String>,
    /// The repository's default branch.
    pub default_branch: Option<String>,
    /// Whose code the job may have checked out, where that is not this repository's: `pull request #7`.
    #[serde(default)]
    pub stranger: Option<String>,
}

/// A pull request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PullRequest {
    /// Its number.
    pub number: u64,
    /// Its newest commit.
    pub head_sha: String,
    /// Whether it comes from another repository (or from one that is gone): somebody else's code.
    pub is_fork: bool,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Payload {
    pull_request: Option<PullPayload>,
    workflow_run: Option<RunPayload>,
    repository: Option<RepositoryPayload>,
    issue: Option<IssuePayload>,
}

/// The issue of an `issue_comment`; a pull request is one, too.
#[derive(Deserialize)]
struct IssuePayload {
    number: u64,
    pull_request: Option<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
struct PullPayload {
    number: u64,
    head: Side,
    base: Side,
}

#[derive(Deserialize)]
struct Side {
    sha: String,
    repo: Option<Named>,
}

#[derive(Deserialize)]
struct Named {
    full_name: String,
}

#[derive(Deserialize)]
struct RunPayload {
    id: u64,
    head_branch: Option<String>,
    head_repository: Option<Named>,
}

#[derive(Deserialize)]
struct RepositoryPayload {
    full_name: Option<String>,
    default_branch: Option<String>,
}

impl Event {
    /// Reads the file that `GITHUB_EVENT_PATH` names.
    pub fn read(name: &str, payload: &str) -> Result<Self, serde_json::Error> {
        let payload: Payload = serde_json::from_str(payload)?;
        let full = |side: &Side| side.repo.as_ref().map(|r| r.full_name.to_lowercase());
        let pull_request = payload.pull_request.map(|p| PullRequest {
            number: p.number,
            is_fork: full(&p.head).is_none() || full(&p.head) != full(&p.base),
            head_sha: p.head.sha,
        });
        let here = payload.repository.as_ref().and_then(|r| r.full_name.as_ref()).map(|n| n.to_lowercase());
        let fork = pull_request.as_ref().filter(|p| p.is_fork).map(|p| format!("pull request #{}", p.number));
        let run = payload.workflow_run.as_ref().filter(|r| {
            let of = r.head_repository.as_ref().map(|n| n.full_name.to_lowercase());
            of.is_none() || of != here
        });
        // Such an event does not say where the pull request comes from.
        let comment = payload.issue.filter(|i| i.pull_request.is_some());
        let stranger = fork
            .or_else(|| run.map(|r| format!("what started run {}", r.id)))
            .or_else(|| comment.map(|i| format!("pull request #{}", i.number)));
        Ok(Self {
            name: name.to_owned(),
            pull_request,
            stranger,
            run: payload.workflow_run.as_ref().map(|r| r.id),
            run_branch: payload.workflow_run.and_then(|r| r.head_branch),
            default_branch: payload.repository.and_then(|r| r.default_branch),
        })
    }

    /// Why a sweep must not run for this event, if so: it would run a stranger's code as root. `pull_request_target`,
    /// `workflow_run` and `issue_comment` run with the base's rights, whatever they check out.
    pub fn obstacle(&self, forks_allowed: bool) -> Option<String> {
        let who = self.stranger.as_ref().filter(|_| !forks_allowed)?;
        Some(format!(
            "{who} comes from a fork, or may, and a sweep runs as root with Docker's socket; review it and push it to a branch \
             of this repository, or allow forks with --allow-fork or github.allow_forks"
        ))
    }
}

/// The lines for `GITHUB_OUTPUT`.
pub fn outputs(result: &GateResult, report: &str, file: &str) -> String {
    let regressed = result.judgement.summary.get(&VerdictKind::Regressed).copied().unwrap_or(0);
    let plain = |path: &str| path.replace(['\n', '\r'], " ");
    format!(
        "changed={}\ndecision={}\nregressed={regressed}\nreport={}\nresult={}\n",
        !result.changed.is_empty(),
        result.judgement.decision.as_str(),
        plain(report),
        plain(file)
    )
}

/// The commands that annotate the run: an error for each regression, a warning for what could not be measured.
pub fn annotations(result: &GateResult, policy_path: &str, policy: &str) -> String {
    let remarks = check::remarks(result, policy, usize::MAX);
    let of = |regressed: bool| remarks.iter().filter(move |r| r.regressed == regressed).take(ANNOTATIONS);
    let mut out = String::new();
    for (word, remark) in of(true).map(|r| ("error", r)).chain(of(false).map(|r| ("warning", r))) {
        let Remark { line, title, message, .. } = remark;
        // Writing to a String cannot fail.
        let _ = writeln!(
            out,
            "::{word} file={},line={line},title={}::{}",
            property(policy_path),
            property(title),
            data(message)
        );
    }
    out
}

/// A report for `GITHUB_STEP_SUMMARY`; a longer one than GitHub shows is replaced by a sentence.
pub fn summary(markdown: &str) -> String {
    if markdown.len() < SUMMARY_MAX {
        return format!("{markdown}\n");
    }
    let first = markdown.lines().next().unwrap_or_default();
    format!("{first}\n\nThe report is longer than a summary may be; it is in the artifact of the run.\n")
}

/// A text of which the runner takes nothing for a command: those begin a line with `::`, or hold `##[` anywhere in it.
pub fn harmless(text: &str) -> String {
    let line =
        |line: &str| if line.trim_start().starts_with("::") { format!("> {line}") } else { line.to_owned() };
    let of_lines =
        |text: &str, end: char| text.split(end).map(line).collect::<Vec<_>>().join(&end.to_string());
    let lines: Vec<String> = text.split('\n').map(|l| of_lines(l, '\r')).collect();
    lines.join("\n").replace("##[", "## [")
}

/// Escapes the text of a command.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// Escapes a property of a command.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::fixtures::{judged, result, upgraded};
    use crate::model::Family::Network;
    use crate::model::{Verdict, VerdictKind};

    fn pull(head: &str) -> Event {
        let payload = format!(
            r#"{{"pull_request":{{"number":5,"head":{{"sha":"abc","repo":{head}}},"base":{{"sha":"def","repo":{{"full_name":"o/r"}}}}}},
                "repository":{{"default_branch":"main"}}}}"#
        );
        Event::read("pull_request", &payload).expect("an event")
    }

    #[test]
    fn a_fork_is_refused_unless_it_is_allowed() {
        let fork = pull(r#"{"full_name":"mallory/r"}"#);
        assert!(fork.obstacle(false).is_some_and(|why| why.contains("#5 comes from a fork")));
        assert_eq!(fork.obstacle(true), None);
        assert!(pull("null").obstacle(false).is_some(), "a fork that is gone");
        let own = pull(r#"{"full_name":"O/R"}"#);
        assert_eq!((own.obstacle(false), own.default_branch.as_deref()), (None, Some("main")));
    }

    #[test]
    fn other_events_have_no_pull_request() {
        let run = |head: &str| {
            let payload = format!(
                r#"{{"workflow_run":{{"id":77,"head_repository":{{"full_name":"{head}"}}}},"repository":{{"full_name":"o/r"}}}}"#
            );
            Event::read("workflow_run", &payload).expect("an event")
        };
        assert_eq!((run("O/r").run, run("o/r").obstacle(false)), (Some(77), None));
        assert!(run("mallory/r").obstacle(false).is_some_and(|why| why.contains("run 77")));
        assert_eq!(
            Event::read("schedule", r#"{"schedule":"0 3 * * *"}"#).expect("an event").pull_request,
            None
        );
        assert!(Event::read("push", "\"text\"").is_err());
    }

    #[test]
    fn no_line_of_a_text_is_a_command() {
        let text = harmless("failed:\n::error::forged\rx\r ::y::\nsaid ##[warning]forged\nfine: a::b");
        assert_eq!(text, "failed:\n> ::error::forged\rx\r>  ::y::\nsaid ## [warning]forged\nfine: a::b");
    }

    #[test]
    fn a_comment_does_not_say_whose_code_a_pull_request_is() {
        let comment = |issue: &str| Event::read("issue_comment", &format!(r#"{{"issue":{issue}}}"#));
        let on_pull = comment(r#"{"number":8,"pull_request":{"url":"x"}}"#).expect("an event");
        assert!(on_pull.obstacle(false).is_some_and(|why| why.contains("pull request #8")));
        assert_eq!(comment(r#"{"number":8}"#).expect("an event").obstacle(false), None);
    }

    #[test]
    fn outputs_and_annotations_have_one_line_each() {
        let nat = Verdict {
            reason: "rose\n::error::forged, 50 % of it".into(),
            case: "a,b:c\n::set-output".into(),
            ..judged("get", "docker+nat", Network, VerdictKind::Regressed, 7.0)
        };
        let result = result(5, "26.1.5", upgraded("26.1.5"), vec![nat]);
        let text = annotations(&result, "alerts/policy.toml", include_str!("../alerts/policy.toml"));
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(text.starts_with("::error file=alerts/policy.toml,line="), "{text}");
        assert!(text.contains("a%2Cb%3Ac") && text.contains("50 %25 of it"), "{text}");
        assert_eq!(
            outputs(&result, "out/report.html", "out/result.json"),
            "changed=true\ndecision=regressed\nregressed=1\nreport=out/report.html\nresult=out/result.json\n"
        );
    }

    #[test]
    fn at_most_ten_errors_and_ten_warnings() {
        let of = |kind| (0..15).map(move |n| judged(&format!("c{n}"), "docker", Network, kind, 7.0));
        let verdicts = of(VerdictKind::Regressed).chain(of(VerdictKind::Missing)).collect();
        let text = annotations(&result(5, "26.1.5", vec![], verdicts), "p.toml", "");
        let count = |word| text.lines().filter(|l| l.starts_with(word)).count();
        assert_eq!((count("::error "), count("::warning ")), (10, 10));
    }

    #[test]
    fn a_summary_that_github_would_drop_is_a_sentence() {
        assert_eq!(summary("short"), "short\n");
        let long = summary(&format!("**Answer**\n{}", "x".repeat(SUMMARY_MAX)));
        assert!(long.starts_with("**Answer**\n") && long.len() < 200);
    }
}
