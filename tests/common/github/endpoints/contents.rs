//! Files of a branch, read and written.

use super::{
    super::{
        answer,
        reply::{Answer, Call, Reply},
        state::World,
    },
    repo, repo_mut,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};

pub fn get(world: &mut World, call: &Call<'_>) -> Reply {
    let (repo, path) = (repo(world, call), call.part("path").trim_matches('/'));
    let at = call.asked("ref").unwrap_or("main");
    let none = || Answer::error(404, &format!("No commit found for the ref {at}"));
    let commit = repo.resolve(at).ok_or_else(none)?;
    if let Some(bytes) = commit.files.get(path) {
        return Ok(Answer::ok(answer::content(world, repo, path, bytes, at)));
    }
    let entries = answer::content_directory(world, repo, path, commit, at);
    if entries.is_empty() { Err(Answer::not_found()) } else { Ok(Answer::ok(entries.into())) }
}

pub fn put(world: &mut World, call: &Call<'_>) -> Reply {
    let (now, path) = (world.now(), call.part("path").trim_matches('/').to_owned());
    let branch = call.text("branch").unwrap_or("main").to_owned();
    let content: String = call.text("content").unwrap_or_default().split_whitespace().collect();
    let bytes = STANDARD.decode(content).map_err(|_| Answer::refused("content is not valid Base64"))?;
    let repo = repo_mut(world, call);
    let name = format!("refs/heads/{branch}");
    let none = || Answer::error(404, &format!("Branch {branch} not found"));
    let parent = repo.refs.get(&name).and_then(|sha| repo.commits.get(sha)).cloned().ok_or_else(none)?;
    let old = parent.files.get(&path).map(|bytes| answer::blob_sha(bytes));
    match (&old, call.text("sha")) {
        (Some(_), None) => return Err(Answer::refused("Invalid request.\n\n\"sha\" wasn't supplied.")),
        (old, Some(sha)) if old.as_deref() != Some(sha) => {
            return Err(Answer::error(409, &format!("{path} does not match {sha}")));
        }
        _ => {}
    }
    let mut files = parent.files;
    files.insert(path.clone(), bytes);
    let message = call.text("message").unwrap_or_default();
    let sha = repo.commit(Some(&parent.sha), message, &call.token.author.login, now, files);
    repo.refs.insert(name, sha.clone());
    let repo = super::repo(world, call);
    let value = answer::file_commit(world, repo, &path, &repo.commits[&sha], &branch);
    Ok(if old.is_some() { Answer::ok(value) } else { Answer { status: 201, ..Answer::ok(value) } })
}
