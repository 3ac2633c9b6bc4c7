//! Pull requests.

use super::{
    super::{
        answer,
        auth::Kind,
        reply::{Answer, Call, Reply},
        state::{Item, Pull, Repo, World},
    },
    body_fits,
    issues::new_item,
    repo, repo_mut,
};

fn all(repo: &Repo) -> impl DoubleEndedIterator<Item = (&Item, &Pull)> {
    repo.items.values().filter_map(|i| i.pull.as_ref().map(|p| (i, p)))
}

fn owner<'a>(repo: &'a Repo, pull: &'a Pull) -> &'a str {
    pull.fork.as_deref().unwrap_or(&repo.owner)
}

pub fn list(world: &mut World, call: &Call<'_>) -> Reply {
    let repo = repo(world, call);
    // A head without its owner filters nothing, as on GitHub.
    let head = call.asked("head").filter(|h| h.contains(':'));
    let mut pulls: Vec<_> = all(repo)
        .filter(|(item, _)| match call.asked("state") {
            Some("all") => true,
            Some("closed") => !item.open,
            _ => item.open,
        })
        .filter(|(_, p)| head.is_none_or(|h| h == format!("{}:{}", owner(repo, p), p.head)))
        .filter(|(_, p)| call.asked("base").is_none_or(|b| b == p.base))
        .collect();
    if call.asked("sort") == Some("updated") {
        pulls.sort_by_key(|(item, _)| item.updated);
    }
    // Newest first, except where only the order is not said.
    let ascending =
        call.asked("direction").map_or(call.asked("sort").is_some_and(|s| s != "created"), |d| d == "asc");
    if !ascending {
        pulls.reverse();
    }
    Ok(call.list(pulls, |(item, pull)| answer::pull_simple(world, repo, item, pull)))
}

fn found<'a>(repo: &'a Repo, call: &Call<'_>) -> Reply<(&'a Item, &'a Pull)> {
    let item = repo.items.get(&call.number("pull_number"));
    item.and_then(|i| Some((i, i.pull.as_ref()?))).ok_or_else(Answer::not_found)
}

pub fn get(world: &mut World, call: &Call<'_>) -> Reply {
    let repo = repo(world, call);
    let (item, pull) = found(repo, call)?;
    Ok(Answer::ok(answer::pull(world, repo, item, pull)))
}

pub fn files(world: &mut World, call: &Call<'_>) -> Reply {
    let repo = repo(world, call);
    let (_, pull) = found(repo, call)?;
    Ok(call.list(answer::files_of(world, repo, pull), |file| file))
}

/// Open ones whose head has the commit.
pub fn of_commit(world: &mut World, call: &Call<'_>) -> Reply {
    let repo = repo(world, call);
    let sha = call.part("commit_sha");
    let commit =
        repo.resolve(sha).ok_or_else(|| Answer::refused(&format!("No commit found for SHA: {sha}")))?;
    let has = |pull: &Pull| {
        let base = repo.resolve(&pull.base).is_some_and(|b| repo.descends(&b.sha, &commit.sha));
        !base && repo.descends(repo.head_of(pull), &commit.sha)
    };
    let pulls = all(repo).filter(|(item, pull)| item.open && has(pull)).collect();
    Ok(call.list(pulls, |(item, pull)| answer::pull_simple(world, repo, item, pull)))
}

pub fn create(world: &mut World, call: &Call<'_>) -> Reply {
    let repo = repo(world, call);
    if call.token.kind == Kind::Job && !repo.actions_may_open_pulls {
        return Err(Answer::error(
            403,
            "GitHub Actions is not permitted to create or approve pull requests.",
        ));
    }
    let invalid = |field, code, message: &str| Err(Answer::invalid("PullRequest", field, code, message));
    let (head, base) = (call.text("head").unwrap_or_default(), call.text("base").unwrap_or_default());
    let head = head.strip_prefix(&format!("{}:", repo.owner)).unwrap_or(head);
    let Some(title) = call.text("title").filter(|t| !t.trim().is_empty()) else {
        return invalid("title", "missing_field", "title");
    };
    let body = call.text("body").map(str::to_owned);
    body_fits("PullRequest", body.as_deref().unwrap_or_default())?;
    let sha = |branch: &str| repo.refs.get(&format!("refs/heads/{branch}")).cloned();
    let Some(base_sha) = sha(base) else { return invalid("base", "invalid", "base") };
    let Some(head_sha) = sha(head) else { return invalid("head", "invalid", "head") };
    if all(repo).any(|(i, p)| i.open && p.fork.is_none() && p.head == head && p.base == base) {
        let message = format!("A pull request already exists for {}:{head}.", repo.owner);
        return invalid("head", "custom", &message);
    }
    if repo.descends(&base_sha, &head_sha) {
        return invalid("head", "custom", &format!("No commits between {base} and {head}"));
    }
    let pull = Pull {
        head: head.to_owned(),
        fork: None,
        head_sha,
        base: base.to_owned(),
        draft: call.body["draft"] == true,
    };
    let key = repo.full_name();
    let number = new_item(world, &key, call.author(), title.to_owned(), body);
    repo_mut(world, call).items.get_mut(&number).expect("just made").pull = Some(pull.clone());
    let repo = super::repo(world, call);
    Ok(Answer::created(answer::pull(world, repo, &repo.items[&number], &pull)))
}
