//! Comments on issues and pull requests.

use super::{
    super::{
        answer,
        reply::{Answer, Call, Reply},
        state::{Comment, World},
    },
    body_fits, enabled, repo, repo_mut,
};
use chrono::DateTime;

pub fn list(world: &mut World, call: &Call<'_>) -> Reply {
    let (repo, number, now) = (repo(world, call), call.number("issue_number"), world.now());
    enabled(repo, Some(number))?;
    repo.items.get(&number).ok_or_else(Answer::not_found)?;
    let since = call.asked("since").and_then(|s| DateTime::parse_from_rfc3339(s).ok());
    let comments = repo
        .comments_of(number)
        .filter(|c| since.is_none_or(|s| c.updated >= s))
        .filter(|c| world.lists_lag.is_zero() || now - c.created >= world.lists_lag);
    Ok(call.list(comments.collect(), |c| answer::comment(world, repo, c)))
}

fn body<'a>(call: &'a Call<'_>) -> Reply<&'a str> {
    let body = call.text("body").unwrap_or_default();
    if body.trim().is_empty() {
        return Err(Answer::invalid("IssueComment", "body", "custom", "body can't be blank"));
    }
    body_fits("IssueComment", body).map(|()| body)
}

pub fn create(world: &mut World, call: &Call<'_>) -> Reply {
    let number = call.number("issue_number");
    enabled(repo(world, call), Some(number))?;
    let body = body(call)?.to_owned();
    let (id, now) = (world.id(), world.now());
    let repo = repo_mut(world, call);
    let item = repo.items.get_mut(&number).ok_or_else(Answer::not_found)?;
    item.updated = now;
    let comment = Comment { id, issue: number, author: call.author(), body, created: now, updated: now };
    repo.comments.insert(id, comment);
    let repo = super::repo(world, call);
    Ok(Answer::created(answer::comment(world, repo, &repo.comments[&id])))
}

pub fn get(world: &mut World, call: &Call<'_>) -> Reply {
    let repo = repo(world, call);
    let comment = repo.comments.get(&call.number("comment_id")).ok_or_else(Answer::not_found)?;
    Ok(Answer::ok(answer::comment(world, repo, comment)))
}

pub fn update(world: &mut World, call: &Call<'_>) -> Reply {
    let (id, now, body) = (call.number("comment_id"), world.now(), body(call)?.to_owned());
    let comment = repo_mut(world, call).comments.get_mut(&id).ok_or_else(Answer::not_found)?;
    comment.body = body;
    comment.updated = now;
    let repo = repo(world, call);
    Ok(Answer::ok(answer::comment(world, repo, &repo.comments[&id])))
}

pub fn delete(world: &mut World, call: &Call<'_>) -> Reply {
    let removed = repo_mut(world, call).comments.remove(&call.number("comment_id"));
    removed.map(|_| Answer::nothing()).ok_or_else(Answer::not_found)
}
