//! Who one is, what is left, and tokens of an app's installation.

use super::{
    super::{
        answer,
        auth::{Kind, Token, all_permissions},
        reply::{Answer, Call, Reply},
        state::{Author, World},
    },
    repo,
};
use chrono::TimeDelta;
use serde_json::{Value, json};
use std::collections::BTreeMap;

pub fn user(world: &mut World, call: &Call<'_>) -> Reply {
    Ok(Answer::ok(answer::private_user(world, &call.token.author.login)))
}

pub fn rate_limit(world: &mut World, call: &Call<'_>) -> Reply {
    let now = world.now();
    let (left, _) = world.limits.request(call.token, now, false);
    let core = left.as_value();
    let search = json!({"limit": 30, "used": 0, "remaining": 30, "reset": left.reset});
    Ok(Answer::ok(json!({"resources": {"core": core, "search": search}, "rate": core})))
}

pub fn installation(world: &mut World, call: &Call<'_>) -> Reply {
    let Some(key) = world.repo_key(call.part("owner"), call.part("repo")) else {
        return Err(Answer::not_found());
    };
    let id = world.app.installations.iter().find(|(_, full)| **full == key).map(|(id, _)| *id);
    let id = id.ok_or_else(Answer::not_found)?;
    let repo = repo(world, call);
    Ok(Answer::ok(json!({
        "id": id,
        "account": answer::user(world, &repo.owner),
        "repository_selection": "selected",
        "access_tokens_url": format!("{}/app/installations/{id}/access_tokens", world.base),
        "repositories_url": format!("{}/installation/repositories", world.base),
        "html_url": format!("{}/settings/installations/{id}", answer::WEB),
        "app_id": world.app.id,
        "app_slug": world.app.slug,
        "target_id": answer::user_id(&repo.owner),
        "target_type": "User",
        "permissions": all_permissions(),
        "events": [],
        "created_at": answer::time(repo.created),
        "updated_at": answer::time(repo.created),
        "single_file_name": null,
        "suspended_by": null,
        "suspended_at": null,
    })))
}

pub fn create_token(world: &mut World, call: &Call<'_>) -> Reply {
    let id = call.number("installation_id");
    let full = world.app.installations.get(&id).cloned().ok_or_else(Answer::not_found)?;
    let names = call.body["repositories"].as_array().into_iter().flatten().filter_map(Value::as_str);
    if names.clone().any(|name| Some(name) != full.split('/').nth(1)) {
        return Err(Answer::refused(
            "There is at least one repository that does not exist or is not accessible",
        ));
    }
    let wanted = call.body["permissions"].as_object();
    let wanted: Option<BTreeMap<String, String>> = wanted
        .map(|map| map.iter().map(|(k, v)| (k.clone(), v.as_str().unwrap_or_default().to_owned())).collect());
    let all = all_permissions();
    if wanted
        .iter()
        .flatten()
        .any(|(name, level)| !all.get(name).is_some_and(|has| has == "write" || has == level))
    {
        return Err(Answer::refused("The permissions requested are not granted to this installation."));
    }
    let (permissions, expires) = (wanted.unwrap_or(all), world.now() + TimeDelta::hours(1));
    let login = format!("{}[bot]", world.app.slug);
    let token = Token {
        kind: Kind::Installation,
        author: Author { login, app: Some(world.app.slug.clone()) },
        permissions: permissions.clone(),
        expires: Some(expires),
        revoked: false,
    };
    let secret = super::super::secret("ghs");
    world.tokens.insert(secret.clone(), token);
    Ok(Answer::created(json!({
        "token": secret,
        "expires_at": answer::time(expires),
        "permissions": permissions,
        "repository_selection": "selected",
    })))
}
