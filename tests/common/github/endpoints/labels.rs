//! Labels of the repository and of an issue.

use super::{
    super::{
        answer,
        reply::{Answer, Call, Reply},
        state::{Label, Repo, World},
    },
    enabled,
    issues::{label_item, label_names, may_label},
    repo, repo_mut,
};

pub fn list(world: &mut World, call: &Call<'_>) -> Reply {
    let repo = repo(world, call);
    let mut labels: Vec<_> = repo.labels.iter().collect();
    labels.sort_by_key(|l| l.name.to_lowercase());
    Ok(call.list(labels, |l| answer::label(world, repo, l)))
}

pub fn get(world: &mut World, call: &Call<'_>) -> Reply {
    let repo = repo(world, call);
    let label = repo.label(call.part("name")).ok_or_else(Answer::not_found)?;
    Ok(Answer::ok(answer::label(world, repo, label)))
}

pub fn create(world: &mut World, call: &Call<'_>) -> Reply {
    let name = call.text("name").unwrap_or_default();
    let color = call.text("color").unwrap_or("ededed");
    let description = call.text("description").map(str::to_owned);
    let invalid = |field, code, message| Err(Answer::invalid("Label", field, code, message));
    if name.is_empty() || name.chars().count() > 50 || name.contains(',') {
        return invalid("name", "invalid", "a name has 1 to 50 characters and no comma");
    }
    if color.len() != 6 || !color.bytes().all(|b| b.is_ascii_hexdigit()) {
        return invalid("color", "invalid", "color is six hexadecimal digits without #");
    }
    if description.as_ref().is_some_and(|d| d.chars().count() > 100) {
        return invalid("description", "custom", "description is too long (maximum is 100 characters)");
    }
    if repo(world, call).label(name).is_some() {
        return invalid("name", "already_exists", "name");
    }
    let label = Label { id: world.id(), name: name.to_owned(), color: color.to_lowercase(), description };
    repo_mut(world, call).labels.push(label.clone());
    Ok(Answer::created(answer::label(world, repo(world, call), &label)))
}

fn item_labels(world: &World, repo: &Repo, call: &Call<'_>) -> Reply {
    let item = repo.items.get(&call.number("issue_number")).ok_or_else(Answer::not_found)?;
    let labels = item.labels.iter().filter_map(|name| repo.label(name)).collect();
    Ok(call.list(labels, |l| answer::label(world, repo, l)))
}

pub fn of_issue(world: &mut World, call: &Call<'_>) -> Reply {
    let repo = repo(world, call);
    enabled(repo, Some(call.number("issue_number")))?;
    item_labels(world, repo, call)
}

pub fn add(world: &mut World, call: &Call<'_>) -> Reply {
    let (repo, number) = (repo(world, call), call.number("issue_number"));
    enabled(repo, Some(number))?;
    repo.items.get(&number).ok_or_else(Answer::not_found)?;
    if !may_label(repo, call) {
        return Err(Answer::error(403, "Must have push access to the repository."));
    }
    let key = repo.full_name();
    for label in label_names(&call.body["labels"]) {
        label_item(world, &key, number, &label, &call.author());
    }
    item_labels(world, super::repo(world, call), call)
}
