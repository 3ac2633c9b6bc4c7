//! Issues, comments, labels and what happened to an issue.

use super::super::state::{self, EventKind, Item, Repo, World};
use super::{WEB, app_of, extend, node_id, repository::address, time, user};
use serde_json::{Value, json};

pub fn label(world: &World, repo: &Repo, label: &state::Label) -> Value {
    json!({
        "id": label.id,
        "node_id": node_id("LA", label.id),
        "url": format!("{}/labels/{}", address(world, repo), super::super::reply::encoded(&label.name)),
        "name": label.name,
        "color": label.color,
        "default": label.description.as_deref() == Some("made with the repository"),
        "description": label.description,
    })
}

pub fn labels(world: &World, repo: &Repo, item: &Item) -> Vec<Value> {
    item.labels.iter().filter_map(|name| repo.label(name)).map(|l| label(world, repo, l)).collect()
}

pub fn issue(world: &World, repo: &Repo, item: &Item) -> Value {
    let kind = if item.pull.is_some() { "pull" } else { "issues" };
    let url = format!("{}/issues/{}", address(world, repo), item.number);
    let web = format!("{WEB}/{}/{kind}/{}", repo.full_name(), item.number);
    let mut value = json!({
        "url": url,
        "repository_url": address(world, repo),
        "labels_url": format!("{url}/labels{{/name}}"),
        "comments_url": format!("{url}/comments"),
        "events_url": format!("{url}/events"),
        "timeline_url": format!("{url}/timeline"),
        "html_url": web,
        "id": item.id,
        "node_id": node_id("I", item.id),
        "number": item.number,
        "title": item.title,
        "user": user(world, &item.author.login),
        "labels": labels(world, repo, item),
        "state": if item.open { "open" } else { "closed" },
        "state_reason": item.state_reason,
        "locked": false,
        "assignee": item.assignees.first().map(|login| user(world, login)),
        "assignees": item.assignees.iter().map(|login| user(world, login)).collect::<Vec<_>>(),
        "milestone": null,
        "comments": repo.comments_of(item.number).count(),
        "created_at": time(item.created),
        "updated_at": time(item.updated),
        "closed_at": item.closed.as_ref().map(|(at, _)| time(*at)),
        "author_association": repo.association(&item.author.login),
        "active_lock_reason": null,
        "body": item.body,
        "closed_by": item.closed.as_ref().map(|(_, login)| user(world, login)),
        "performed_via_github_app": app_of(world, &item.author),
    });
    if let Some(pull) = &item.pull {
        let addresses = json!({
            "url": format!("{}/pulls/{}", address(world, repo), item.number),
            "html_url": web,
            "diff_url": format!("{web}.diff"),
            "patch_url": format!("{web}.patch"),
            "merged_at": null,
        });
        extend(&mut value, json!({"draft": pull.draft, "pull_request": addresses}));
    }
    value
}

pub fn comment(world: &World, repo: &Repo, comment: &state::Comment) -> Value {
    let pull = repo.items.get(&comment.issue).is_some_and(|i| i.pull.is_some());
    let kind = if pull { "pull" } else { "issues" };
    json!({
        "url": format!("{}/issues/comments/{}", address(world, repo), comment.id),
        "html_url": format!("{WEB}/{}/{kind}/{}#issuecomment-{}", repo.full_name(), comment.issue, comment.id),
        "issue_url": format!("{}/issues/{}", address(world, repo), comment.issue),
        "id": comment.id,
        "node_id": node_id("IC", comment.id),
        "user": user(world, &comment.author.login),
        "created_at": time(comment.created),
        "updated_at": time(comment.updated),
        "author_association": repo.association(&comment.author.login),
        "body": comment.body,
        "performed_via_github_app": app_of(world, &comment.author),
    })
}

/// One line of an issue's timeline.
pub fn event(world: &World, repo: &Repo, event: &state::Event) -> Value {
    let mut value = json!({
        "id": event.id,
        "node_id": node_id("E", event.id),
        "url": format!("{}/issues/events/{}", address(world, repo), event.id),
        "actor": user(world, &event.actor.login),
        "commit_id": null,
        "commit_url": null,
        "created_at": time(event.at),
        "performed_via_github_app": app_of(world, &event.actor),
    });
    let of_label = |kind: &str, name: &str| {
        let color = repo.label(name).map_or("ededed", |l| &l.color);
        json!({"event": kind, "label": {"name": name, "color": color}})
    };
    let more = match &event.kind {
        EventKind::Labeled(name) => of_label("labeled", name),
        EventKind::Unlabeled(name) => of_label("unlabeled", name),
        EventKind::Closed(reason) => json!({"event": "closed", "state_reason": reason}),
        EventKind::Reopened => json!({"event": "reopened"}),
        EventKind::Renamed { from, to } => json!({"event": "renamed", "rename": {"from": from, "to": to}}),
    };
    extend(&mut value, more);
    value
}
