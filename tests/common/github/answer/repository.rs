//! Repositories, with the many addresses that belong to one.

use super::super::state::{Repo, World};
use super::{WEB, extend, node_id, time, user};
use serde_json::{Value, json};

/// Property, path below the repository's address.
const ADDRESSES: [(&str, &str); 37] = [
    ("archive_url", "/{archive_format}{/ref}"),
    ("assignees_url", "/assignees{/user}"),
    ("blobs_url", "/git/blobs{/sha}"),
    ("branches_url", "/branches{/branch}"),
    ("collaborators_url", "/collaborators{/collaborator}"),
    ("comments_url", "/comments{/number}"),
    ("commits_url", "/commits{/sha}"),
    ("compare_url", "/compare/{base}...{head}"),
    ("contents_url", "/contents/{+path}"),
    ("contributors_url", "/contributors"),
    ("deployments_url", "/deployments"),
    ("downloads_url", "/downloads"),
    ("events_url", "/events"),
    ("forks_url", "/forks"),
    ("git_commits_url", "/git/commits{/sha}"),
    ("git_refs_url", "/git/refs{/sha}"),
    ("git_tags_url", "/git/tags{/sha}"),
    ("hooks_url", "/hooks"),
    ("issue_comment_url", "/issues/comments{/number}"),
    ("issue_events_url", "/issues/events{/number}"),
    ("issues_url", "/issues{/number}"),
    ("keys_url", "/keys{/key_id}"),
    ("labels_url", "/labels{/name}"),
    ("languages_url", "/languages"),
    ("merges_url", "/merges"),
    ("milestones_url", "/milestones{/number}"),
    ("notifications_url", "/notifications{?since,all,participating}"),
    ("pulls_url", "/pulls{/number}"),
    ("releases_url", "/releases{/id}"),
    ("stargazers_url", "/stargazers"),
    ("statuses_url", "/statuses/{sha}"),
    ("subscribers_url", "/subscribers"),
    ("subscription_url", "/subscription"),
    ("tags_url", "/tags"),
    ("teams_url", "/teams"),
    ("trees_url", "/git/trees{/sha}"),
    ("url", ""),
];

/// Address of a repository in the API.
pub fn address(world: &World, repo: &Repo) -> String {
    format!("{}/repos/{}", world.base, repo.full_name())
}

pub fn minimal_repository(world: &World, repo: &Repo) -> Value {
    let (url, full) = (address(world, repo), repo.full_name());
    let mut value = json!({
        "id": repo.id,
        "node_id": node_id("R", repo.id),
        "name": repo.name,
        "full_name": full,
        "private": false,
        "owner": user(world, &repo.owner),
        "html_url": format!("{WEB}/{full}"),
        "description": null,
        "fork": false,
    });
    extend(
        &mut value,
        ADDRESSES.iter().map(|(name, path)| ((*name).to_owned(), json!(format!("{url}{path}")))).collect(),
    );
    value
}

pub fn repository(world: &World, repo: &Repo) -> Value {
    let full = repo.full_name();
    let open = repo.items.values().filter(|i| i.open).count();
    let mut value = minimal_repository(world, repo);
    let more = json!({
        "git_url": format!("git:github.example/{full}.git"),
        "ssh_url": format!("git@github.example:{full}.git"),
        "clone_url": format!("{WEB}/{full}.git"),
        "svn_url": format!("{WEB}/{full}"),
        "mirror_url": null,
        "homepage": null,
        "language": null,
        "forks_count": 0,
        "forks": 0,
        "stargazers_count": 0,
        "watchers_count": 0,
        "watchers": 0,
        "size": 1,
        "default_branch": "main",
        "open_issues_count": open,
        "open_issues": open,
        "has_issues": repo.issues_enabled,
        "has_projects": false,
        "has_wiki": false,
        "has_pages": false,
        "has_downloads": false,
        "archived": false,
        "disabled": false,
        "license": null,
        "pushed_at": time(repo.created),
        "created_at": time(repo.created),
        "updated_at": time(repo.created),
    });
    extend(&mut value, more);
    value
}
