//! Check runs and commit statuses.

use super::{
    super::{
        answer,
        reply::{Answer, Call, Reply},
        state::{Check, Status, Time, World},
    },
    repo, repo_mut,
};
use chrono::{DateTime, Utc};
use std::collections::BTreeMap;

/// Longest summary and text of a check run.
const LONGEST: usize = 65_535;

fn no_commit(sha: &str) -> Answer {
    Answer::refused(&format!("No commit found for SHA: {sha}"))
}

fn moment(call: &Call<'_>, name: &str) -> Option<Time> {
    call.text(name).and_then(|t| DateTime::parse_from_rfc3339(t).ok()).map(|t| t.with_timezone(&Utc))
}

/// Takes over what the body says, after it was checked.
fn apply(check: &mut Check, call: &Call<'_>, now: Time) -> Reply<()> {
    let output = &call.body["output"];
    for field in ["summary", "text"] {
        // In characters, as the description says; GitHub's own words speak of bytes for some texts.
        if output[field].as_str().is_some_and(|t| t.chars().count() > LONGEST) {
            let message = format!("Only {LONGEST} characters are allowed; {field} is longer");
            return Err(Answer::invalid("CheckRun", field, "custom", &message));
        }
    }
    let annotations = output["annotations"].as_array().cloned().unwrap_or_default();
    if annotations.len() > 50 {
        return Err(Answer::invalid("CheckRun", "annotations", "custom", "at most 50 annotations a request"));
    }
    check.annotations.extend(annotations);
    let set = |field: &mut Option<String>, value: Option<&str>| {
        if let Some(value) = value {
            *field = Some(value.to_owned());
        }
    };
    set(&mut check.title, output["title"].as_str());
    set(&mut check.summary, output["summary"].as_str());
    set(&mut check.text, output["text"].as_str());
    set(&mut check.details_url, call.text("details_url"));
    set(&mut check.external_id, call.text("external_id"));
    check.name = call.text("name").unwrap_or(&check.name).to_owned();
    check.started = moment(call, "started_at").unwrap_or(check.started);
    check.status = call.text("status").unwrap_or(&check.status).to_owned();
    if let Some(conclusion) = call.text("conclusion") {
        // A conclusion completes a run by itself.
        check.conclusion = Some(conclusion.to_owned());
        "completed".clone_into(&mut check.status);
    } else if check.status == "completed" && check.conclusion.is_none() {
        return Err(Answer::invalid(
            "CheckRun",
            "conclusion",
            "missing_field",
            "completed needs a conclusion",
        ));
    } else if check.status != "completed" {
        check.conclusion = None;
    }
    let completed = moment(call, "completed_at").unwrap_or(now);
    check.completed = (check.status == "completed").then_some(completed);
    Ok(())
}

pub fn create(world: &mut World, call: &Call<'_>) -> Reply {
    let (id, now) = (world.id(), world.now());
    let head = call.text("head_sha").unwrap_or_default();
    let repo = repo_mut(world, call);
    if !repo.commits.contains_key(head) {
        return Err(no_commit(head));
    }
    let mut check = Check {
        id,
        app: call.token.author.app.clone().unwrap_or_default(),
        head_sha: head.to_owned(),
        name: String::new(),
        status: "queued".into(),
        conclusion: None,
        details_url: None,
        external_id: None,
        started: now,
        completed: None,
        title: None,
        summary: None,
        text: None,
        annotations: Vec::new(),
    };
    apply(&mut check, call, now)?;
    repo.checks.insert(id, check.clone());
    Ok(Answer::created(answer::check(world, super::repo(world, call), &check)))
}

pub fn get(world: &mut World, call: &Call<'_>) -> Reply {
    let repo = repo(world, call);
    let check = repo.checks.get(&call.number("check_run_id")).ok_or_else(Answer::not_found)?;
    Ok(Answer::ok(answer::check(world, repo, check)))
}

pub fn update(world: &mut World, call: &Call<'_>) -> Reply {
    let now = world.now();
    let id = call.number("check_run_id");
    let mut check = repo(world, call).checks.get(&id).ok_or_else(Answer::not_found)?.clone();
    if Some(&check.app) != call.token.author.app.as_ref() {
        return Err(Answer::error(
            403,
            "Invalid app_id - check run can only be modified by the GitHub App that created it.",
        ));
    }
    apply(&mut check, call, now)?;
    repo_mut(world, call).checks.insert(id, check.clone());
    Ok(Answer::ok(answer::check(world, repo(world, call), &check)))
}

pub fn list_for_ref(world: &mut World, call: &Call<'_>) -> Reply {
    let repo = repo(world, call);
    let sha = &repo.resolve(call.part("ref")).ok_or_else(|| no_commit(call.part("ref")))?.sha;
    let mut checks: Vec<_> = repo
        .checks
        .values()
        .filter(|c| c.head_sha == *sha)
        .filter(|c| call.asked("check_name").is_none_or(|name| name == c.name))
        .filter(|c| call.asked("status").is_none_or(|status| status == c.status))
        .filter(|c| {
            call.asked("app_id")
                .is_none_or(|id| answer::app(world, Some(&c.app))["id"].as_u64() == id.parse().ok())
        })
        .collect();
    if call.asked("filter") != Some("all") {
        // The newest of each name and app.
        let newest: BTreeMap<_, _> = checks.iter().map(|c| ((c.app.clone(), c.name.clone()), c.id)).collect();
        checks.retain(|c| newest.values().any(|id| *id == c.id));
    }
    checks.reverse();
    Ok(call.counted("check_runs", checks, |c| answer::check(world, repo, c)))
}

pub fn create_status(world: &mut World, call: &Call<'_>) -> Reply {
    let (id, now) = (world.id(), world.now());
    let description = call.text("description").map(str::to_owned);
    if description.as_ref().is_some_and(|d| d.chars().count() > 140) {
        let message = "description is too long (maximum is 140 characters)";
        return Err(Answer::invalid("Status", "description", "custom", message));
    }
    let repo = repo_mut(world, call);
    let commit = repo.commits.get(call.part("sha")).ok_or_else(|| no_commit(call.part("sha")))?;
    let status = Status {
        id,
        sha: commit.sha.clone(),
        state: call.text("state").unwrap_or_default().to_owned(),
        context: call.text("context").unwrap_or("default").to_owned(),
        description,
        target_url: call.text("target_url").map(str::to_owned),
        creator: call.author(),
        created: now,
    };
    repo.statuses.push(status.clone());
    Ok(Answer::created(answer::status(world, super::repo(world, call), &status)))
}
