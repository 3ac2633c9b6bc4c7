//! A new issue, which the next run must know again: by its author and its label.

use super::board::Issue;
use super::{Changed, PAGES};
use crate::alert::render;
use crate::notify::github::author::by;
use crate::notify::github::client::Client;
use crate::notify::github::error::{GithubError, WriteError};
use reqwest::Method;
use serde_json::json;

/// Opens an issue, unless one of ours that is the same is open already: after a lost answer, or by another runner. `same` is
/// asked with our login.
pub(super) async fn open(
    client: &Client,
    issue: &render::Issue,
    label: &str,
    same: impl Fn(&Issue, &str) -> bool,
) -> Result<Changed, GithubError> {
    let path = client.repo("issues");
    let body = json!({ "title": issue.title, "body": issue.body, "labels": [label] });
    let mut again = false;
    let step = async || {
        if std::mem::replace(&mut again, true)
            && let Some(found) = find_open(client, label, &same).await?
        {
            return Ok(found);
        }
        let answer = client.write(Method::POST, &path, &body).await?;
        let opened: Issue = serde_json::from_value(answer).map_err(|e| WriteError::Ambiguous {
            request: format!("POST {path}"),
            cause: format!("the answer is no issue: {e}"),
        })?;
        Ok(opened)
    };
    let opened = client.settle(step).await?;
    let trouble = is_known_again(client, &opened, label).await?;
    Ok(Changed { number: opened.number, url: opened.html_url, trouble })
}

/// What keeps the next run from knowing the issue again, after mending what can be mended. In this run nothing is opened
/// twice: the author is believed, and the label set.
async fn is_known_again(client: &Client, opened: &Issue, label: &str) -> Result<Option<String>, GithubError> {
    let login = client.login().await?.to_owned();
    if let Some(author) = opened.user.as_ref().filter(|user| !by(Some(*user), &login)) {
        client.is_called(author.login());
        return Ok(Some(format!(
            "{} was opened by {}, but tollgate takes itself for {login}, and the next run would open it anew: set \
             github.login, or TOLLGATE_GITHUB_LOGIN, to {:?}",
            opened.html_url,
            author.login(),
            author.login()
        )));
    }
    if opened.has(label) {
        return Ok(None);
    }
    // GitHub drops the labels of those who may open issues and not label them.
    let path = client.repo(&format!("issues/{}/labels", opened.number));
    match client.write(Method::POST, &path, &json!({ "labels": [label] })).await {
        Ok(_) => Ok(None),
        Err(error) => Ok(Some(format!(
            "{} has no label {label}, by which the next run would know it: {error}",
            opened.html_url
        ))),
    }
}

/// The oldest open issue of ours that is the same.
async fn find_open(
    client: &Client,
    label: &str,
    same: impl Fn(&Issue, &str) -> bool,
) -> Result<Option<Issue>, GithubError> {
    let login = client.login().await?;
    let query = [("labels", label), ("state", "open")];
    let listed: Vec<Issue> = client.get_all(&client.repo("issues"), &query, PAGES).await?;
    Ok(listed.into_iter().filter(|issue| same(issue, login)).min_by_key(|i| i.number))
}
