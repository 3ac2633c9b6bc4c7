//! Commits and what hangs on them: references, contents, pull requests, checks, statuses, runs.

use super::super::state::{Check, Commit, Item, Pull, Repo, Run, Status, World, hex};
use super::{
    WEB, app, extend, issues, minimal_repository, node_id, repository, repository::address, time, user,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use sha1::{Digest as _, Sha1};
use std::collections::BTreeMap;
use std::fmt::Write as _;

pub fn git_ref(world: &World, repo: &Repo, name: &str, sha: &str) -> Value {
    let url = address(world, repo);
    json!({
        "ref": name,
        "node_id": format!("REF_{name}"),
        "url": format!("{url}/git/{name}"),
        "object": {"type": "commit", "sha": sha, "url": format!("{url}/git/commits/{sha}")},
    })
}

fn entry(world: &World, repo: &Repo, path: &str, kind: &str, size: usize, sha: &str, at: &str) -> Value {
    let name = path.rsplit('/').next().unwrap_or(path);
    let encoded: Vec<_> = path.split('/').map(super::super::reply::encoded).collect();
    let encoded = encoded.join("/");
    let url = format!("{}/contents/{encoded}?ref={}", address(world, repo), super::super::reply::encoded(at));
    let web = format!("{WEB}/{}/{kind}/{at}/{encoded}", repo.full_name());
    let git = format!("{}/git/blobs/{sha}", address(world, repo));
    json!({
        "type": kind, "name": name, "path": path, "sha": sha, "size": size, "url": url, "git_url": git,
        "html_url": web, "download_url": (kind == "file").then(|| format!("{WEB}/raw/{encoded}")),
        "_links": {"self": url, "git": git, "html": web},
    })
}

/// As git names a blob.
pub fn blob_sha(bytes: &[u8]) -> String {
    let mut hash = Sha1::new();
    hash.update(format!("blob {}\0", bytes.len()));
    hash.update(bytes);
    hash.finalize().iter().fold(String::new(), |mut name, byte| {
        write!(name, "{byte:02x}").expect("written to memory");
        name
    })
}

/// A file, its content in base64 with a line break every 60 characters as GitHub writes it.
pub fn content(world: &World, repo: &Repo, path: &str, bytes: &[u8], at: &str) -> Value {
    let mut value = entry(world, repo, path, "file", bytes.len(), &blob_sha(bytes), at);
    let text = STANDARD.encode(bytes);
    let lines: Vec<_> = text.as_bytes().chunks(60).map(String::from_utf8_lossy).collect();
    extend(&mut value, json!({"encoding": "base64", "content": lines.join("\n") + "\n"}));
    value
}

/// What lies directly below a path; nothing where that is no directory.
pub fn content_directory(world: &World, repo: &Repo, path: &str, commit: &Commit, at: &str) -> Vec<Value> {
    let prefix = if path.is_empty() { String::new() } else { format!("{path}/") };
    let mut below: BTreeMap<String, Option<&Vec<u8>>> = BTreeMap::new();
    for (file, bytes) in &commit.files {
        let Some(rest) = file.strip_prefix(&prefix) else { continue };
        match rest.split_once('/') {
            Some((directory, _)) => below.insert(format!("{prefix}{directory}"), None),
            None => below.insert(file.clone(), Some(bytes)),
        };
    }
    let entries = below.into_iter().map(|(path, bytes)| match bytes {
        Some(bytes) => entry(world, repo, &path, "file", bytes.len(), &blob_sha(bytes), at),
        None => entry(world, repo, &path, "dir", 0, &hex(path.as_bytes()), at),
    });
    entries.collect()
}

/// The answer to a written file.
pub fn file_commit(world: &World, repo: &Repo, path: &str, commit: &Commit, branch: &str) -> Value {
    let url = address(world, repo);
    let who = json!({"name": commit.author, "email": "writer@github.example", "date": time(commit.at)});
    let mut content = content(world, repo, path, &commit.files[path], branch);
    if let Some(content) = content.as_object_mut() {
        content.remove("content");
        content.remove("encoding");
    }
    let parents: Vec<_> = commit
        .parent
        .iter()
        .map(|sha| json!({"sha": sha, "url": format!("{url}/git/commits/{sha}"), "html_url": format!("{WEB}/{sha}")}))
        .collect();
    let tree = hex(commit.sha.as_bytes());
    json!({
        "content": content,
        "commit": {
            "sha": commit.sha,
            "node_id": format!("C_{}", commit.sha),
            "url": format!("{url}/git/commits/{}", commit.sha),
            "html_url": format!("{WEB}/{}/commit/{}", repo.full_name(), commit.sha),
            "author": who,
            "committer": who,
            "message": commit.message,
            "tree": {"sha": tree, "url": format!("{url}/git/trees/{tree}")},
            "parents": parents,
            "verification": {"verified": false, "reason": "unsigned", "signature": null, "payload": null, "verified_at": null},
        },
    })
}

/// Head and base of a pull request.
fn pull_ends(world: &World, repo: &Repo, pull: &Pull) -> (Value, Value) {
    let end = |owner: &str, name: &str, sha: &str, whole: &Value| json!({"label": format!("{owner}:{name}"), "ref": name, "sha": sha, "user": user(world, owner), "repo": whole});
    let mut whole = repository(world, repo);
    let base_sha = repo.resolve(&pull.base).map(|c| c.sha.clone()).unwrap_or_default();
    let base = end(&repo.owner, &pull.base, &base_sha, &whole);
    let owner = pull.fork.as_deref().unwrap_or(&repo.owner);
    if pull.fork.is_some() {
        let full = format!("{owner}/{}", repo.name);
        let id = super::user_id(&full);
        extend(&mut whole, json!({"id": id, "fork": true, "full_name": full, "owner": user(world, owner)}));
    }
    (end(owner, &pull.head, repo.head_of(pull), &whole), base)
}

fn pull_links(url: &str, issue: &str, web: &str, statuses: &str) -> Value {
    let links = [
        ("self", url.to_owned()),
        ("html", web.to_owned()),
        ("issue", issue.to_owned()),
        ("comments", format!("{issue}/comments")),
        ("review_comments", format!("{url}/comments")),
        ("review_comment", format!("{url}/comments{{/number}}")),
        ("commits", format!("{url}/commits")),
        ("statuses", statuses.to_owned()),
    ];
    links.into_iter().map(|(name, href)| (name.to_owned(), json!({"href": href}))).collect()
}

pub fn pull_simple(world: &World, repo: &Repo, item: &Item, pull: &Pull) -> Value {
    let url = format!("{}/pulls/{}", address(world, repo), item.number);
    let issue = format!("{}/issues/{}", address(world, repo), item.number);
    let web = format!("{WEB}/{}/pull/{}", repo.full_name(), item.number);
    let head_sha = repo.head_of(pull);
    let statuses = format!("{}/statuses/{head_sha}", address(world, repo));
    let (head, base) = pull_ends(world, repo, pull);
    json!({
        "url": url,
        "id": item.id + 1_000_000_000,
        "node_id": node_id("PR", item.id),
        "html_url": web,
        "diff_url": format!("{web}.diff"),
        "patch_url": format!("{web}.patch"),
        "issue_url": issue,
        "number": item.number,
        "state": if item.open { "open" } else { "closed" },
        "locked": false,
        "title": item.title,
        "user": user(world, &item.author.login),
        "body": item.body,
        "created_at": time(item.created),
        "updated_at": time(item.updated),
        "closed_at": item.closed.as_ref().map(|(at, _)| time(*at)),
        "merged_at": null,
        "merge_commit_sha": null,
        "assignee": null,
        "assignees": [],
        "requested_reviewers": [],
        "requested_teams": [],
        // Here GitHub describes a label's text as never null.
        "labels": issues::labels(world, repo, item).into_iter().map(|mut label| {
            if label["description"].is_null() {
                label["description"] = json!("");
            }
            label
        }).collect::<Vec<_>>(),
        "milestone": null,
        "draft": pull.draft,
        "commits_url": format!("{url}/commits"),
        "review_comments_url": format!("{url}/comments"),
        "review_comment_url": format!("{url}/comments{{/number}}"),
        "comments_url": format!("{issue}/comments"),
        "statuses_url": statuses,
        "head": head,
        "base": base,
        "_links": pull_links(&url, &issue, &web, &statuses),
        "author_association": repo.association(&item.author.login),
        "auto_merge": null,
        "active_lock_reason": null,
    })
}

pub fn pull(world: &World, repo: &Repo, item: &Item, pull: &Pull) -> Value {
    let mut value = pull_simple(world, repo, item, pull);
    let files = files_of(world, repo, pull);
    let sum = |name: &str| files.iter().filter_map(|f| f[name].as_u64()).sum::<u64>();
    let more = json!({
        "merged": false,
        "mergeable": true,
        "rebaseable": true,
        "mergeable_state": "clean",
        "merged_by": null,
        "comments": repo.comments_of(item.number).count(),
        "review_comments": 0,
        "maintainer_can_modify": false,
        "commits": 1,
        "additions": sum("additions"),
        "deletions": sum("deletions"),
        "changed_files": files.len(),
    });
    extend(&mut value, more);
    value
}

/// The files in which a pull request's head differs from its base. Lines are counted as all new and all old.
pub fn files_of(world: &World, repo: &Repo, pull: &Pull) -> Vec<Value> {
    let empty = BTreeMap::new();
    let files = |name: &str| repo.resolve(name).map_or(&empty, |c| &c.files);
    let (head_sha, base) = (repo.head_of(pull), files(&pull.base));
    let head = files(head_sha);
    let names: std::collections::BTreeSet<_> = base.keys().chain(head.keys()).collect();
    let changed = names.into_iter().filter(|name| base.get(*name) != head.get(*name));
    let entries = changed.map(|name| {
        let lines = |side: Option<&Vec<u8>>| side.map_or(0, |b| b.split(|c| *c == b'\n').count());
        let (added, removed) = (lines(head.get(name)), lines(base.get(name)));
        let status = match (base.contains_key(name), head.contains_key(name)) {
            (false, _) => "added",
            (_, false) => "removed",
            _ => "modified",
        };
        let sha = blob_sha(head.get(name).or(base.get(name)).map_or(&[][..], Vec::as_slice));
        let mut value = entry(world, repo, name, "blob", 0, &sha, head_sha);
        let contents = value["url"].take();
        json!({
            "sha": sha, "filename": name, "status": status, "additions": added, "deletions": removed,
            "changes": added + removed, "blob_url": value["html_url"], "contents_url": contents,
            "raw_url": format!("{WEB}/raw/{sha}"),
        })
    });
    entries.collect()
}

pub fn check(world: &World, repo: &Repo, check: &Check) -> Value {
    let url = format!("{}/check-runs/{}", address(world, repo), check.id);
    let web = format!("{WEB}/{}/runs/{}", repo.full_name(), check.id);
    json!({
        "id": check.id,
        "head_sha": check.head_sha,
        "node_id": node_id("CR", check.id),
        "external_id": check.external_id,
        "url": url,
        "html_url": web,
        "details_url": check.details_url.as_ref().unwrap_or(&web),
        "status": check.status,
        "conclusion": check.conclusion,
        "started_at": time(check.started),
        "completed_at": check.completed.map(time),
        "output": {
            "title": check.title,
            "summary": check.summary,
            "text": check.text,
            "annotations_count": check.annotations.len(),
            "annotations_url": format!("{url}/annotations"),
        },
        "name": check.name,
        "check_suite": {"id": u64::from(check.app == "github-actions") + 5},
        "app": app(world, Some(&check.app)),
        "pull_requests": [],
    })
}

pub fn status(world: &World, repo: &Repo, status: &Status) -> Value {
    let creator = user(world, &status.creator.login);
    json!({
        "url": format!("{}/statuses/{}", address(world, repo), status.sha),
        "avatar_url": creator["avatar_url"],
        "id": status.id,
        "node_id": node_id("SC", status.id),
        "state": status.state,
        "description": status.description,
        "target_url": status.target_url,
        "context": status.context,
        "created_at": time(status.created),
        "updated_at": time(status.created),
        "creator": creator,
    })
}

pub fn run(world: &World, repo: &Repo, run: &Run) -> Value {
    let url = format!("{}/actions/runs/{}", address(world, repo), run.id);
    let of_repo = minimal_repository(world, repo);
    let person = json!({"name": repo.owner, "email": "owner@github.example"});
    let id = super::user_id(&run.workflow);
    let commit = repo.resolve(&run.head_sha).map(|commit| {
        json!({"id": commit.sha, "tree_id": hex(commit.sha.as_bytes()), "message": commit.message,
            "timestamp": time(commit.at), "author": person, "committer": person})
    });
    json!({
        "id": run.id,
        "name": run.workflow,
        "node_id": node_id("WFR", run.id),
        "head_branch": run.head_branch,
        "head_sha": run.head_sha,
        "path": format!(".github/workflows/{}", run.workflow),
        "run_number": 1,
        "run_attempt": 1,
        "event": run.event,
        "status": "completed",
        "conclusion": run.conclusion,
        "workflow_id": id,
        "url": url,
        "html_url": format!("{WEB}/{}/actions/runs/{}", repo.full_name(), run.id),
        "pull_requests": [],
        "created_at": time(run.created),
        "updated_at": time(run.created),
        "jobs_url": format!("{url}/jobs"),
        "logs_url": format!("{url}/logs"),
        "check_suite_url": format!("{}/check-suites/5", address(world, repo)),
        "artifacts_url": format!("{url}/artifacts"),
        "cancel_url": format!("{url}/cancel"),
        "rerun_url": format!("{url}/rerun"),
        "workflow_url": format!("{}/actions/workflows/{id}", address(world, repo)),
        "display_title": run.workflow,
        "head_commit": commit,
        "repository": of_repo,
        "head_repository": of_repo,
    })
}

pub fn artifact(world: &World, repo: &Repo, run: &Run, (id, name, size): &(u64, String, u64)) -> Value {
    let url = format!("{}/actions/artifacts/{id}", address(world, repo));
    json!({
        "id": id,
        "node_id": node_id("AR", *id),
        "name": name,
        "size_in_bytes": size,
        "url": url,
        "archive_download_url": format!("{url}/zip"),
        "expired": false,
        "created_at": time(run.created),
        "expires_at": time(run.created + chrono::TimeDelta::days(90)),
        "updated_at": time(run.created),
        "workflow_run": {"id": run.id, "repository_id": repo.id, "head_repository_id": repo.id,
            "head_branch": run.head_branch, "head_sha": run.head_sha},
    })
}
