//! Tokens, whose they are, and what they may.

use super::{
    contract::Operation,
    reply::{Answer, Reply},
    state::{Author, Time, World},
};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde_json::Value;
use std::collections::BTreeMap;

/// What kind of token a request came with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A person's.
    Personal,
    /// A workflow job's `GITHUB_TOKEN`.
    Job,
    /// Of an app's installation.
    Installation,
    /// The JSON web token that an app signs to get one of its installation.
    App,
}

#[derive(Debug, Clone)]
pub struct Token {
    pub kind: Kind,
    pub author: Author,
    /// Permission to `read` or `write`; none is absent. A personal token's are the person's.
    pub permissions: BTreeMap<String, String>,
    pub expires: Option<Time>,
    pub revoked: bool,
}

/// Permissions that a client of ours could need, all with write.
pub fn all_permissions() -> BTreeMap<String, String> {
    ["issues", "pull_requests", "checks", "statuses", "contents", "actions", "metadata"]
        .map(|name| (name.to_owned(), if name == "metadata" { "read" } else { "write" }.to_owned()))
        .into()
}

/// Who sent a request.
///
/// # Errors
/// 401, with the words of GitHub.
pub fn authenticate(world: &World, header: Option<&str>) -> Result<Token, Answer> {
    let header = header.ok_or_else(|| Answer::error(401, "Requires authentication"))?;
    let (scheme, secret) = header.split_once(' ').unwrap_or(("", header));
    let bad = || Answer::error(401, "Bad credentials");
    if !["bearer", "token"].contains(&scheme.to_lowercase().as_str()) {
        return Err(bad());
    }
    if secret.matches('.').count() == 2 {
        return app(world, secret);
    }
    let token = world.tokens.get(secret).ok_or_else(bad)?;
    let over = token.revoked || token.expires.is_some_and(|at| at <= world.now());
    if over { Err(bad()) } else { Ok(token.clone()) }
}

/// The app whose key signed the web token.
fn app(world: &World, jwt: &str) -> Result<Token, Answer> {
    let key = DecodingKey::from_rsa_pem(&world.app.public_key).expect("the fake's key");
    let mut validation = Validation::new(Algorithm::RS256);
    // Times are held against the fake's clock, below.
    validation.validate_exp = false;
    // An issuer may be a number, as octocrab writes it; this crate would call such a one missing. It is held against the app below.
    validation.set_required_spec_claims(&["exp"]);
    let refused = || Answer::error(401, "A JSON web token could not be decoded");
    let claims = jsonwebtoken::decode::<Value>(jwt, &key, &validation).map_err(|_| refused())?.claims;
    let issuer = claims["iss"].as_str().map_or_else(|| claims["iss"].to_string(), str::to_owned);
    if issuer != world.app.id.to_string() {
        return Err(refused());
    }
    let (begins, expires) =
        (claims["iat"].as_i64().unwrap_or_default(), claims["exp"].as_i64().unwrap_or_default());
    let now = world.now().timestamp();
    let far = "'Expiration time' claim ('exp') is too far in the future";
    match () {
        () if expires <= now => {
            Err(Answer::error(401, "'Expiration time' claim ('exp') must be in the future"))
        }
        () if expires > now + 600 => Err(Answer::error(401, far)),
        () if begins > now + 60 => Err(Answer::error(401, "'Issued at' claim ('iat') must be in the past")),
        () => Ok(Token {
            kind: Kind::App,
            author: Author { login: world.app.slug.clone(), app: Some(world.app.slug.clone()) },
            permissions: BTreeMap::new(),
            expires: None,
            revoked: false,
        }),
    }
}

/// Whether a token may do an operation.
///
/// # Errors
/// 401, 403 or 404, as GitHub answers.
pub fn permit(
    world: &World,
    token: &Token,
    operation: &Operation,
    path: &BTreeMap<String, String>,
) -> Reply<()> {
    let id = operation.id.as_str();
    let of_app = ["apps/create-installation-access-token", "apps/get-repo-installation"].contains(&id);
    let beyond = match token.kind {
        Kind::Personal => "Resource not accessible by personal access token",
        _ => "Resource not accessible by integration",
    };
    if of_app != (token.kind == Kind::App) && id != "rate-limit/get" {
        let status = if of_app { 401 } else { 403 };
        return Err(Answer::error(
            status,
            if of_app { "A JSON web token could not be decoded" } else { beyond },
        ));
    }
    if of_app || id == "rate-limit/get" {
        return Ok(());
    }
    if id == "users/get-authenticated" {
        return if token.kind == Kind::Personal { Ok(()) } else { Err(Answer::error(403, beyond)) };
    }
    if id.starts_with("checks/") && operation.method != "GET" && token.kind == Kind::Personal {
        let text = "You must authenticate via a GitHub App.";
        return Err(Answer::error(403, text));
    }
    let number = path.get("issue_number").and_then(|n| n.parse().ok());
    let repo = path.get("owner").zip(path.get("repo")).and_then(|(o, r)| world.repo_key(o, r));
    let repo = repo.and_then(|key| world.repos.get(&key)).ok_or_else(Answer::not_found)?;
    let of_comment = path.get("comment_id").and_then(|n| n.parse().ok()).and_then(|n| repo.comments.get(&n));
    let number = number.or(of_comment.map(|c| c.issue));
    let on_pull = number.and_then(|n: u64| repo.items.get(&n)).is_some_and(|i| i.pull.is_some());
    // Of several, one is enough: comments and labels of a pull request need either.
    let scopes: &[&str] = match id.split('/').next().unwrap_or_default() {
        "issues" if on_pull => &["issues", "pull_requests"],
        "issues" => &["issues"],
        "pulls" => &["pull_requests"],
        "checks" => &["checks"],
        "actions" => &["actions"],
        "repos" if id == "repos/create-commit-status" => &["statuses"],
        "repos" if id == "repos/list-pull-requests-associated-with-commit" => &["pull_requests"],
        "git" | "repos" => &["contents"],
        other => panic!("{other} needs a permission that the fake does not know"),
    };
    let has = |scope: &&str| match token.permissions.get(*scope).map(String::as_str) {
        Some("write") => true,
        Some(_) => operation.method == "GET",
        None => false,
    };
    if scopes.iter().any(has) { Ok(()) } else { Err(Answer::error(403, beyond)) }
}
