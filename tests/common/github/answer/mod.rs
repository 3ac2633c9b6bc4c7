//! GitHub's objects as JSON, whole, from what the fake knows.

mod code;
mod issues;
mod repository;

pub use code::{
    artifact, blob_sha, check, content, content_directory, file_commit, files_of, git_ref, pull, pull_simple,
    run, status,
};
pub use issues::{comment, event, issue, label};
pub use repository::{minimal_repository, repository};

use super::state::{Author, Time, World};
use serde_json::{Value, json};

/// Where people look. Constant, so that texts can be compared; nothing is there.
pub const WEB: &str = "https://github.example";

/// As GitHub writes a time: whole seconds.
pub fn time(at: Time) -> String {
    at.format("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// The same number for a name in every run.
pub fn user_id(login: &str) -> u64 {
    match login {
        "github-actions[bot]" => 41_898_282,
        other => other.bytes().fold(17, |id: u64, b| (id * 31 + u64::from(b)) % 90_000_000) + 1_000,
    }
}

pub fn node_id(kind: &str, id: u64) -> String {
    format!("{kind}_{id:012}")
}

pub fn user(world: &World, login: &str) -> Value {
    let (id, in_url) = (user_id(login), super::reply::encoded(login));
    let url = format!("{}/users/{in_url}", world.base);
    let slug = login.strip_suffix("[bot]");
    json!({
        "login": login,
        "id": id,
        "node_id": node_id(if slug.is_some() { "BOT" } else { "U" }, id),
        "avatar_url": format!("{WEB}/avatars/{id}"),
        "gravatar_id": "",
        "url": url,
        "html_url": slug.map_or_else(|| format!("{WEB}/{login}"), |s| format!("{WEB}/apps/{s}")),
        "followers_url": format!("{url}/followers"),
        "following_url": format!("{url}/following{{/other_user}}"),
        "gists_url": format!("{url}/gists{{/gist_id}}"),
        "starred_url": format!("{url}/starred{{/owner}}{{/repo}}"),
        "subscriptions_url": format!("{url}/subscriptions"),
        "organizations_url": format!("{url}/orgs"),
        "repos_url": format!("{url}/repos"),
        "events_url": format!("{url}/events{{/privacy}}"),
        "received_events_url": format!("{url}/received_events"),
        "type": if slug.is_some() { "Bot" } else { "User" },
        "user_view_type": "public",
        "site_admin": false,
    })
}

/// What `GET /user` says to a person.
pub fn private_user(world: &World, login: &str) -> Value {
    let mut value = user(world, login);
    let more = json!({
        "user_view_type": "private", "name": login, "company": null, "blog": "", "location": null, "email": null,
        "hireable": null, "bio": null, "twitter_username": null, "public_repos": 1, "public_gists": 0,
        "followers": 0, "following": 0, "created_at": "2020-01-01T00:00:00Z", "updated_at": "2020-01-01T00:00:00Z",
        "private_gists": 0, "total_private_repos": 0, "owned_private_repos": 0, "disk_usage": 0,
        "collaborators": 0, "two_factor_authentication": true,
    });
    extend(&mut value, more);
    value
}

/// The app through which something was done.
pub fn app(world: &World, slug: Option<&str>) -> Value {
    let Some(slug) = slug else { return Value::Null };
    let id = if slug == "github-actions" { 15_368 } else { world.app.id };
    json!({
        "id": id,
        "slug": slug,
        "node_id": node_id("A", id),
        "owner": user(world, "acme"),
        "name": slug,
        "description": "",
        "external_url": format!("{WEB}/{slug}"),
        "html_url": format!("{WEB}/apps/{slug}"),
        "created_at": "2020-01-01T00:00:00Z",
        "updated_at": "2020-01-01T00:00:00Z",
        "permissions": {"checks": "write", "issues": "write", "metadata": "read"},
        "events": [],
    })
}

pub fn app_of(world: &World, author: &Author) -> Value {
    app(world, author.app.as_deref())
}

pub fn extend(value: &mut Value, more: Value) {
    if let (Value::Object(map), Value::Object(more)) = (value, more) {
        map.extend(more);
    }
}
