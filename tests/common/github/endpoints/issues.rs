//! Issues: also what people do to them goes through here.

use super::{
    super::{
        answer,
        auth::Kind,
        contract::decoded,
        reply::{Answer, Call, Reply},
        state::{Author, Event, EventKind, Item, Repo, Time, World},
    },
    body_fits, enabled, repo, repo_mut,
};
use chrono::DateTime;
use serde_json::Value;
use std::cmp::Reverse;

pub fn list(world: &mut World, call: &Call<'_>) -> Reply {
    let (repo, now) = (repo(world, call), world.now());
    let labels: Vec<_> = call
        .asked("labels")
        .unwrap_or_default()
        .split(',')
        .filter(|l| !l.is_empty())
        .map(str::to_lowercase)
        .collect();
    let since = call.asked("since").and_then(|s| DateTime::parse_from_rfc3339(s).ok());
    let has = |item: &Item, label: &String| item.labels.iter().any(|l| l.to_lowercase() == *label);
    let mut items: Vec<_> = repo
        .items
        .values()
        .filter(|i| repo.issues_enabled || i.pull.is_some())
        .filter(|i| world.lists_lag.is_zero() || now - i.created >= world.lists_lag)
        .filter(|i| match call.asked("state") {
            Some("all") => true,
            Some("closed") => !i.open,
            _ => i.open,
        })
        .filter(|i| labels.iter().all(|l| has(i, l)))
        .filter(|i| call.asked("creator").is_none_or(|c| c == i.author.login))
        .filter(|i| match call.asked("assignee") {
            None => true,
            Some("none") => i.assignees.is_empty(),
            Some("*") => !i.assignees.is_empty(),
            Some(login) => i.assignees.iter().any(|a| a == login),
        })
        .filter(|i| {
            let named = |who| i.body.as_ref().is_some_and(|b| b.contains(&format!("@{who}")));
            call.asked("mentioned").is_none_or(named)
        })
        .filter(|i| since.is_none_or(|s| i.updated >= s))
        .filter(|_| matches!(call.asked("milestone"), None | Some("none")))
        .collect();
    match call.asked("sort") {
        Some("updated") => items.sort_by_key(|i| Reverse((i.updated, i.number))),
        Some("comments") => items.sort_by_key(|i| Reverse((repo.comments_of(i.number).count(), i.number))),
        _ => items.sort_by_key(|i| Reverse((i.created, i.number))),
    }
    if call.asked("direction") == Some("asc") {
        items.reverse();
    }
    Ok(call.list(items, |item| answer::issue(world, repo, item)))
}

fn found<'a>(repo: &'a Repo, call: &Call<'_>) -> Reply<&'a Item> {
    let number = call.number("issue_number");
    enabled(repo, Some(number))?;
    repo.items.get(&number).ok_or_else(Answer::not_found)
}

pub fn get(world: &mut World, call: &Call<'_>) -> Reply {
    let repo = repo(world, call);
    Ok(Answer::ok(answer::issue(world, repo, found(repo, call)?)))
}

/// A title: text or a number, as GitHub takes both.
fn title(value: &Value) -> Reply<Option<String>> {
    let text = value.as_str().map(str::to_owned).or_else(|| value.as_i64().map(|n| n.to_string()));
    match text {
        Some(text) if text.trim().is_empty() => {
            Err(Answer::invalid("Issue", "title", "missing_field", "title"))
        }
        Some(text) if text.chars().count() > 256 => {
            Err(Answer::invalid("Issue", "title", "custom", "title is too long (maximum is 256 characters)"))
        }
        text => Ok(text),
    }
}

/// Names of labels in a body, given as texts or as objects.
pub fn label_names(value: &Value) -> Vec<String> {
    let labels = value.as_array().into_iter().flatten();
    labels.filter_map(|l| l.as_str().or(l["name"].as_str())).map(str::to_owned).collect()
}

/// Who may only read may open issues, and GitHub drops the labels without a word.
pub fn may_label(repo: &Repo, call: &Call<'_>) -> bool {
    call.token.kind != Kind::Personal || repo.association(&call.token.author.login) != "NONE"
}

fn labels_fit(names: &[String]) -> Reply<()> {
    match names.iter().find(|n| n.is_empty() || n.chars().count() > 50 || n.contains(',')) {
        Some(name) => {
            Err(Answer::invalid("Label", "name", "invalid", &format!("{name} is no name of a label")))
        }
        None => Ok(()),
    }
}

/// Adds an issue; the caller has checked it.
pub fn new_item(world: &mut World, key: &str, author: Author, title: String, body: Option<String>) -> u64 {
    let (now, id) = (world.now(), world.id());
    let repo = world.repos.get_mut(key).expect("a repository");
    let number = repo.next_number();
    let item = Item {
        id,
        number,
        title,
        body,
        author,
        open: true,
        state_reason: None,
        labels: Vec::new(),
        assignees: Vec::new(),
        created: now,
        updated: now,
        closed: None,
        events: Vec::new(),
        pull: None,
    };
    repo.items.insert(number, item);
    number
}

pub fn create(world: &mut World, call: &Call<'_>) -> Reply {
    let repo = repo(world, call);
    enabled(repo, None)?;
    let key = repo.full_name();
    let missing = || Answer::invalid("Issue", "title", "missing_field", "title");
    let title = title(&call.body["title"])?.ok_or_else(missing)?;
    let body = call.text("body").map(str::to_owned);
    body_fits("Issue", body.as_deref().unwrap_or_default())?;
    let labels = label_names(&call.body["labels"]);
    labels_fit(&labels)?;
    let assignees = assignees(repo, call)?;
    let labels = if may_label(repo, call) { labels } else { Vec::new() };
    let number = new_item(world, &key, call.author(), title, body);
    for label in labels {
        label_item(world, &key, number, &label, &call.author());
    }
    let repo = repo_mut(world, call);
    let item = repo.items.get_mut(&number).expect("just made");
    item.assignees = assignees.unwrap_or_default();
    let repo = super::repo(world, call);
    Ok(Answer::created(answer::issue(world, repo, &repo.items[&number])))
}

/// Only people of the repository can be assigned.
fn assignees(repo: &Repo, call: &Call<'_>) -> Reply<Option<Vec<String>>> {
    let list = call.body["assignees"].as_array();
    let single = call.text("assignee").map(|a| vec![a.to_owned()]);
    let named = |v: &Value| v.as_str().or(v["login"].as_str()).map(str::to_owned);
    let wanted = list.map(|l| l.iter().filter_map(named).collect()).or(single);
    match wanted.iter().flatten().find(|login| repo.association(login) == "NONE") {
        Some(_) => Err(Answer::invalid("Issue", "assignees", "invalid", "assignees")),
        None => Ok(wanted),
    }
}

pub fn update(world: &mut World, call: &Call<'_>) -> Reply {
    let repo = repo(world, call);
    let (key, item) = (repo.full_name(), found(repo, call)?.clone());
    let (number, author) = (item.number, call.author());
    // Everything is checked before anything is changed.
    let title = title(&call.body["title"])?;
    body_fits("Issue", call.text("body").unwrap_or_default())?;
    let labels = call.body.get("labels").map(label_names);
    labels_fit(labels.as_deref().unwrap_or_default())?;
    let assignees = assignees(repo, call)?;
    let reason = call.text("state_reason");
    match (call.text("state"), reason) {
        (Some("closed"), Some("reopened"))
        | (Some("open"), Some("completed" | "not_planned" | "duplicate")) => {
            return Err(Answer::invalid(
                "Issue",
                "state_reason",
                "invalid",
                "state_reason does not fit the state",
            ));
        }
        _ => {}
    }
    let (now, id) = (world.now(), world.id());
    let changed = repo_mut(world, call).items.get_mut(&number).expect("found above");
    if let Some(title) = title.filter(|t| *t != changed.title) {
        let from = std::mem::replace(&mut changed.title, title.clone());
        let kind = EventKind::Renamed { from, to: title };
        changed.events.push(Event { id, at: now, actor: author.clone(), kind });
    }
    if call.body.get("body").is_some() {
        changed.body = call.text("body").map(str::to_owned);
    }
    changed.updated = now;
    changed.assignees = assignees.unwrap_or_else(|| changed.assignees.clone());
    if let Some(labels) = labels {
        let keeps = |old: &String| labels.iter().any(|new| new.to_lowercase() == old.to_lowercase());
        for old in item.labels.iter().filter(|l| !keeps(l)) {
            unlabel_item(world, &key, number, old, &author);
        }
        for label in &labels {
            label_item(world, &key, number, label, &author);
        }
    }
    match call.text("state") {
        Some("closed") => close(world, &key, number, Some(reason.unwrap_or("completed")), &author),
        Some("open") => reopen(world, &key, number, &author),
        _ => {}
    }
    let repo = super::repo(world, call);
    Ok(Answer::ok(answer::issue(world, repo, &repo.items[&number])))
}

fn changing<'a>(world: &'a mut World, key: &str, number: u64) -> (u64, Time, Option<&'a mut Item>) {
    let (id, now) = (world.id(), world.now());
    (id, now, world.repos.get_mut(key).and_then(|r| r.items.get_mut(&number)))
}

/// Closes; closing what is closed for the same reason changes nothing.
pub fn close(world: &mut World, key: &str, number: u64, reason: Option<&str>, by: &Author) {
    let (id, at, Some(item)) = changing(world, key, number) else { return };
    let reason = reason.filter(|_| item.pull.is_none()).map(str::to_owned);
    if !item.open && item.state_reason == reason {
        return;
    }
    item.open = false;
    item.state_reason.clone_from(&reason);
    item.closed = Some((at, by.login.clone()));
    item.updated = at;
    item.events.push(Event { id, at, actor: by.clone(), kind: EventKind::Closed(reason) });
}

pub fn reopen(world: &mut World, key: &str, number: u64, by: &Author) {
    let (id, at, Some(item)) = changing(world, key, number) else { return };
    if item.open {
        return;
    }
    item.open = true;
    item.state_reason = Some("reopened".to_owned()).filter(|_| item.pull.is_none());
    item.closed = None;
    item.updated = at;
    item.events.push(Event { id, at, actor: by.clone(), kind: EventKind::Reopened });
}

/// Puts a label on; an unknown one is made.
pub fn label_item(world: &mut World, key: &str, number: u64, label: &str, by: &Author) {
    let id = world.id();
    let Some(repo) = world.repos.get_mut(key) else { return };
    let label = repo.label_or_new(label, id);
    let (id, at, Some(item)) = changing(world, key, number) else { return };
    if !item.labels.contains(&label) {
        item.labels.push(label.clone());
        item.updated = at;
        item.events.push(Event { id, at, actor: by.clone(), kind: EventKind::Labeled(label) });
    }
}

pub fn unlabel_item(world: &mut World, key: &str, number: u64, label: &str, by: &Author) {
    let (id, at, Some(item)) = changing(world, key, number) else { return };
    let before = item.labels.len();
    item.labels.retain(|l| l.to_lowercase() != label.to_lowercase());
    if item.labels.len() < before {
        item.updated = at;
        item.events.push(Event { id, at, actor: by.clone(), kind: EventKind::Unlabeled(label.to_owned()) });
    }
}

/// Events and comments in the order of their times.
pub fn timeline(world: &mut World, call: &Call<'_>) -> Reply {
    let repo = repo(world, call);
    let item = found(repo, call)?;
    let excluded = call.asked("exclude").map(decoded).unwrap_or_default();
    let comments = repo.comments_of(item.number).map(|c| {
        let mut value = answer::comment(world, repo, c);
        let more = serde_json::json!({"event": "commented", "actor": value["user"]});
        answer::extend(&mut value, more);
        (c.created, c.id, value)
    });
    let events = item.events.iter().map(|e| (e.at, e.id, answer::event(world, repo, e)));
    let mut all: Vec<_> = comments.chain(events).collect();
    all.retain(|(_, _, value)| value["event"].as_str().is_none_or(|e| !excluded.split(',').any(|x| x == e)));
    all.sort_by_key(|(at, id, _)| (*at, *id));
    Ok(call.list(all, |(_, _, value)| value))
}
