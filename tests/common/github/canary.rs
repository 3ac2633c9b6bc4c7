//! Does the contract reject garbage? A validator that understands nothing accepts everything.

use super::contract::{Contract, Match, Operation, example, required};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// One value of each type, so strange that no description means it. A property takes two types at most (a text or a
/// number, an object or null), so of the five it must reject three.
fn garbage() -> [Value; 5] {
    [
        json!(-7.25),
        json!("\u{1}garbage"),
        json!([[["garbage"]]]),
        json!({"garbage": {"garbage": 1}}),
        json!(true),
    ]
}

/// What the description itself lets pass.
const ALLOWED: [&str; 2] = [
    // Then it is a public user, the other form.
    "users/get-authenticated answer 200: accepted without two_factor_authentication",
    // Then it is a change of state, another form.
    "issues/list-events-for-timeline answer 200[]: accepted without label",
];

/// For every operation that the fake does: what the contract wrongly accepted, or wrongly rejected; nothing is right.
pub fn complaints(contract: &Contract) -> Vec<String> {
    let mut all = Vec::new();
    for operation in contract.operations.iter().filter(|o| super::endpoints::does(&o.id)) {
        if let Some((schema, must)) = &operation.body {
            let found = Match { operation, path: BTreeMap::new() };
            let query = demanded(operation);
            let check = |body: &Value| contract.check_request(&found, &query, Some(body));
            let what = format!("{} request", operation.id);
            probe(&what, (schema, contract.schemas()), &check, &mut all);
            if *must && contract.check_request(&found, &query, None).is_ok() {
                all.push(format!("{what}: accepted without a body"));
            }
        }
        for (status, schema) in &operation.answers {
            let what = format!("{} answer {status}", operation.id);
            let check = |body: &Value| contract.check_answer(operation, *status, Some(body));
            match schema {
                Some(schema) => probe(&what, (schema, contract.schemas()), &check, &mut all),
                None if check(&json!({})).is_ok() => all.push(format!("{what}: accepted with a body")),
                None => {}
            }
            if schema.is_some() && contract.check_answer(operation, *status, None).is_ok() {
                all.push(format!("{what}: accepted without a body"));
            }
        }
        if contract.check_answer(operation, 299, Some(&json!({}))).is_ok() {
            all.push(format!("{}: accepted the status 299", operation.id));
        }
    }
    all.retain(|complaint| !ALLOWED.contains(&complaint.as_str()));
    all
}

fn demanded(operation: &Operation) -> Vec<(String, String)> {
    operation.demanded().map(|name| (name.to_owned(), "text".to_owned())).collect()
}

type Check<'a> = dyn Fn(&Value) -> Result<(), String> + 'a;

fn probe(what: &str, (schema, components): (&Value, &Value), check: &Check<'_>, all: &mut Vec<String>) {
    let (good, must) = (example(schema, components), required(schema, components));
    // Without this a contract that rejects everything would pass.
    if let Err(why) = check(&good) {
        all.push(format!("{what}: rejected what it describes: {why}"));
        return;
    }
    let accepted = garbage().into_iter().chain([Value::Null]).filter(|g| check(g).is_ok());
    all.extend(accepted.map(|g| format!("{what}: accepted {g}")));
    match &good {
        Value::Array(items) => {
            let item = &items[0];
            let one = |value: &Value| check(&json!([value]));
            all.extend(
                garbage().iter().filter(|g| one(g).is_ok()).map(|g| format!("{what}: accepted [{g}]")),
            );
            properties(&format!("{what}[]"), item, &must, &one, all);
        }
        good => properties(what, good, &must, check, all),
    }
}

fn properties(what: &str, good: &Value, must: &[&str], check: &Check<'_>, all: &mut Vec<String>) {
    let Some(map) = good.as_object() else { return };
    let mut more = map.clone();
    more.insert("garbage".into(), json!(1));
    if check(&more.into()).is_ok() {
        all.push(format!("{what}: accepted a property that is not described"));
    }
    for name in map.keys() {
        let mut less = map.clone();
        less.remove(name);
        if must.contains(&name.as_str()) && check(&less.into()).is_ok() {
            all.push(format!("{what}: accepted without {name}"));
        }
        let with = |value: &Value| {
            let mut wrong = map.clone();
            wrong.insert(name.clone(), value.clone());
            check(&wrong.into())
        };
        let rejected = garbage().iter().filter(|g| with(g).is_err()).count();
        if rejected < 3 {
            all.push(format!("{what}: {name} accepted {} of 5 kinds of garbage", 5 - rejected));
        }
    }
}
