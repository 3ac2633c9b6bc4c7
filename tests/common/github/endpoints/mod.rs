//! What each operation does to the state, with the rules that the description leaves out.
#![allow(clippy::unnecessary_wraps, reason = "endpoints that cannot fail have the type of the others")]

mod account;
mod actions;
mod checks;
mod comments;
mod contents;
mod issues;
mod labels;
mod pulls;
mod refs;

use super::{
    reply::{Answer, Call, Reply},
    state::{Repo, World},
};

pub use issues::{close, label_item, new_item, reopen, unlabel_item};

/// Longest body of an issue, a comment or a pull request, in characters.
pub const LONGEST_BODY: usize = 65_536;

type Endpoint = fn(&mut World, &Call<'_>) -> Reply;

/// Does what an operation says. Its request was held against the contract and is permitted.
pub fn perform(world: &mut World, operation: &str, call: &Call<'_>) -> Reply {
    let endpoint = endpoint(operation).expect("asked before");
    endpoint(world, call)
}

/// Whether the fake does an operation.
pub fn does(operation: &str) -> bool {
    endpoint(operation).is_some()
}

fn endpoint(operation: &str) -> Option<Endpoint> {
    let endpoint: Endpoint = match operation {
        "apps/create-installation-access-token" => account::create_token,
        "apps/get-repo-installation" => account::installation,
        "rate-limit/get" => account::rate_limit,
        "users/get-authenticated" => account::user,
        "issues/list-for-repo" => issues::list,
        "issues/create" => issues::create,
        "issues/get" => issues::get,
        "issues/update" => issues::update,
        "issues/list-events-for-timeline" => issues::timeline,
        "issues/list-comments" => comments::list,
        "issues/create-comment" => comments::create,
        "issues/get-comment" => comments::get,
        "issues/update-comment" => comments::update,
        "issues/delete-comment" => comments::delete,
        "issues/list-labels-on-issue" => labels::of_issue,
        "issues/add-labels" => labels::add,
        "issues/list-labels-for-repo" => labels::list,
        "issues/create-label" => labels::create,
        "issues/get-label" => labels::get,
        "checks/create" => checks::create,
        "checks/get" => checks::get,
        "checks/update" => checks::update,
        "checks/list-for-ref" => checks::list_for_ref,
        "repos/create-commit-status" => checks::create_status,
        "git/get-ref" => refs::get,
        "git/create-ref" => refs::create,
        "repos/get-content" => contents::get,
        "repos/create-or-update-file-contents" => contents::put,
        "pulls/list" => pulls::list,
        "pulls/create" => pulls::create,
        "pulls/get" => pulls::get,
        "pulls/list-files" => pulls::files,
        "repos/list-pull-requests-associated-with-commit" => pulls::of_commit,
        "actions/get-workflow-run" => actions::run,
        "actions/list-workflow-run-artifacts" => actions::artifacts,
        "actions/create-workflow-dispatch" => actions::dispatch_workflow,
        "repos/create-dispatch-event" => actions::dispatch,
        _ => return None,
    };
    Some(endpoint)
}

/// The repository of the call; `permit` proved that it is there.
fn repo<'a>(world: &'a World, call: &Call<'_>) -> &'a Repo {
    let key = world.repo_key(call.part("owner"), call.part("repo")).expect("permitted, so it is there");
    &world.repos[&key]
}

fn repo_mut<'a>(world: &'a mut World, call: &Call<'_>) -> &'a mut Repo {
    let key = world.repo_key(call.part("owner"), call.part("repo")).expect("permitted, so it is there");
    world.repos.get_mut(&key).expect("its key")
}

/// 410 where issues are disabled; pull requests are there all the same.
fn enabled(repo: &Repo, number: Option<u64>) -> Reply<()> {
    let pull = number.and_then(|n| repo.items.get(&n)).is_some_and(|i| i.pull.is_some());
    if repo.issues_enabled || pull {
        Ok(())
    } else {
        Err(Answer::error(410, "Issues are disabled for this repo"))
    }
}

fn body_fits(resource: &str, body: &str) -> Reply<()> {
    if body.chars().count() <= LONGEST_BODY {
        return Ok(());
    }
    let message = format!("body is too long (maximum is {LONGEST_BODY} characters)");
    Err(Answer::invalid(resource, "body", "custom", &message))
}
