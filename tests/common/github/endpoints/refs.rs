//! Git references.

use super::{
    super::{
        answer,
        reply::{Answer, Call, Reply},
        state::World,
    },
    repo, repo_mut,
};

pub fn get(world: &mut World, call: &Call<'_>) -> Reply {
    let repo = repo(world, call);
    let name = format!("refs/{}", call.part("ref"));
    let sha = repo.refs.get(&name).ok_or_else(Answer::not_found)?;
    Ok(Answer::ok(answer::git_ref(world, repo, &name, sha)))
}

pub fn create(world: &mut World, call: &Call<'_>) -> Reply {
    let (name, sha) = (call.text("ref").unwrap_or_default(), call.text("sha").unwrap_or_default());
    if !name.starts_with("refs/") || name.split('/').count() < 3 || name.split('/').any(str::is_empty) {
        return Err(Answer::refused(&format!("{name} is not a valid ref name.")));
    }
    let repo = repo_mut(world, call);
    if !repo.commits.contains_key(sha) {
        return Err(Answer::refused("Object does not exist"));
    }
    if repo.refs.contains_key(name) {
        return Err(Answer::refused("Reference already exists"));
    }
    repo.refs.insert(name.to_owned(), sha.to_owned());
    Ok(Answer::created(answer::git_ref(world, super::repo(world, call), name, sha)))
}
