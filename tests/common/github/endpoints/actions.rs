//! Workflow runs, their artifacts, and events that start workflows.

use super::{
    super::{
        answer,
        reply::{Answer, Call, Reply},
        state::{Dispatch, Repo, Run, World},
    },
    repo, repo_mut,
};
use serde_json::json;

fn found<'a>(repo: &'a Repo, call: &Call<'_>) -> Reply<&'a Run> {
    repo.runs.get(&call.number("run_id")).ok_or_else(Answer::not_found)
}

pub fn run(world: &mut World, call: &Call<'_>) -> Reply {
    let repo = repo(world, call);
    Ok(Answer::ok(answer::run(world, repo, found(repo, call)?)))
}

pub fn artifacts(world: &mut World, call: &Call<'_>) -> Reply {
    let repo = repo(world, call);
    let run = found(repo, call)?;
    let named = run.artifacts.iter().filter(|(_, name, _)| call.asked("name").is_none_or(|n| n == name));
    Ok(call.counted("artifacts", named.collect(), |a| answer::artifact(world, repo, run, a)))
}

pub fn dispatch(world: &mut World, call: &Call<'_>) -> Reply {
    let name = call.text("event_type").unwrap_or_default().to_owned();
    if name.chars().count() > 100 {
        return Err(Answer::invalid("RepositoryDispatch", "event_type", "custom", "at most 100 characters"));
    }
    let payload = call.body["client_payload"].clone();
    let event = Dispatch { name, git_ref: None, payload, sender: call.author() };
    repo_mut(world, call).dispatches.push(event);
    Ok(Answer::nothing())
}

pub fn dispatch_workflow(world: &mut World, call: &Call<'_>) -> Reply {
    let id = world.id();
    let git_ref = call.text("ref").map(str::to_owned);
    let at = git_ref.as_deref().unwrap_or_default();
    if repo(world, call).resolve(at).is_none() {
        return Err(Answer::refused(&format!("No ref found for: {at}")));
    }
    let name = call.part("workflow_id").to_owned();
    let event = Dispatch { name, git_ref, payload: call.body["inputs"].clone(), sender: call.author() };
    repo_mut(world, call).dispatches.push(event);
    if call.body["return_run_details"] != true {
        return Ok(Answer::nothing());
    }
    let full = repo(world, call).full_name();
    Ok(Answer::ok(json!({
        "workflow_run_id": id,
        "run_url": format!("{}/repos/{full}/actions/runs/{id}", world.base),
        "html_url": format!("{}/{full}/actions/runs/{id}", answer::WEB),
    })))
}
