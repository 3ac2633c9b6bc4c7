//! GitHub's own description: which operation a request is, and whether requests and answers keep to it.

mod schema;

pub use schema::{example, required, resolve};

use jsonschema::{Draft, Validator};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    path::PathBuf,
    sync::{Arc, Mutex, OnceLock},
};

/// Environment variable that names the description.
pub const VARIABLE: &str = "TOLLGATE_GITHUB_OPENAPI";

/// Answers that any operation may give although the description lists them for few. Their bodies are held against the
/// description's general errors.
const EVERYWHERE: [u16; 5] = [401, 403, 404, 429, 500];

/// The description, and what was compiled of it so far.
pub struct Contract {
    pub operations: Vec<Operation>,
    schemas: Value,
    compiled: Mutex<HashMap<String, Arc<Validator>>>,
}

/// One method of one path.
#[derive(Debug)]
pub struct Operation {
    /// GitHub's name of it, such as `issues/create`.
    pub id: String,
    pub method: String,
    /// With its parameters in braces.
    pub path: String,
    segments: Vec<Segment>,
    parameters: Vec<Parameter>,
    /// The schema of the request's body, and whether there must be one.
    pub body: Option<(Value, bool)>,
    /// The schema of each documented answer; none where the answer has no body.
    pub answers: BTreeMap<u16, Option<Value>>,
}

#[derive(Debug)]
enum Segment {
    Literal(String),
    One(String),
    /// A parameter that may hold slashes.
    Many(String),
}

#[derive(Debug)]
struct Parameter {
    name: String,
    in_path: bool,
    required: bool,
    schema: Value,
}

/// An operation and the values of its path's parameters, decoded.
pub struct Match<'a> {
    pub operation: &'a Operation,
    pub path: BTreeMap<String, String>,
}

/// Why tests that need the description cannot run.
pub fn missing() -> Option<String> {
    match std::env::var_os(VARIABLE).map(PathBuf::from) {
        None => Some(format!("{VARIABLE} does not name GitHub's OpenAPI description")),
        Some(path) if path.is_file() => None,
        Some(path) => Some(format!("{VARIABLE} names {}, which is not a file", path.display())),
    }
}

impl Contract {
    /// The description that the environment names, read once a process.
    ///
    /// # Panics
    /// Where there is none or it cannot be understood: ask [`missing`] first.
    pub fn get() -> &'static Self {
        static CONTRACT: OnceLock<Contract> = OnceLock::new();
        CONTRACT.get_or_init(|| {
            if let Some(why) = missing() {
                panic!("{why}");
            }
            let path = std::env::var_os(VARIABLE).expect("asked above");
            let text = std::fs::read_to_string(&path).expect("GitHub's description is readable");
            Self::of(&serde_json::from_str(&text).expect("GitHub's description is JSON"))
        })
    }

    fn of(document: &Value) -> Self {
        let version = document["openapi"].as_str().unwrap_or_default();
        assert!(version.starts_with("3.0."), "nullable is understood as in OpenAPI 3.0, this is {version:?}");
        let mut operations = Vec::new();
        for (path, methods) in document["paths"].as_object().expect("paths") {
            for (method, described) in methods.as_object().expect("methods") {
                operations.push(Operation::of(document, path, method, described));
            }
        }
        let schemas = document["components"]["schemas"].clone();
        Self { operations, schemas, compiled: Mutex::default() }
    }

    pub fn schemas(&self) -> &Value {
        &self.schemas
    }

    pub fn operation(&self, id: &str) -> &Operation {
        self.operations.iter().find(|o| o.id == id).unwrap_or_else(|| panic!("no operation {id}"))
    }

    /// The operation of a request. `path` is as sent, without query and without the base path.
    ///
    /// # Errors
    /// The violation, where the description has no such path or method.
    pub fn find(&self, method: &str, path: &str) -> Result<Match<'_>, String> {
        let parts: Vec<_> = path.split('/').skip(1).collect();
        let matching = self.operations.iter().filter_map(|o| Some((o, matches(&o.segments, &parts)?)));
        let mut matching: Vec<_> = matching.collect();
        matching.sort_by_key(|(o, _)| std::cmp::Reverse(o.literals()));
        let others: BTreeSet<_> = matching.iter().map(|(o, _)| o.method.clone()).collect();
        let found = matching.into_iter().find(|(o, _)| o.method == method);
        found.map(|(operation, path)| Match { operation, path }).ok_or_else(|| {
            if others.is_empty() {
                return format!("{method} {path}: GitHub's description has no such path");
            }
            let others: Vec<_> = others.into_iter().collect();
            format!("{method} {path}: described for {} only", others.join(", "))
        })
    }

    /// Holds a request against the description.
    ///
    /// # Errors
    /// The violation.
    pub fn check_request(
        &self,
        found: &Match<'_>,
        query: &[(String, String)],
        body: Option<&Value>,
    ) -> Result<(), String> {
        let operation = found.operation;
        for (name, value) in &found.path {
            self.check_parameter(operation, name, value, true)?;
        }
        for (name, value) in query {
            self.check_parameter(operation, name, value, false)?;
        }
        if let Some(missing) = operation.demanded().find(|p| query.iter().all(|(name, _)| name != p)) {
            return Err(format!("{}: the parameter {missing} is missing", operation.id));
        }
        match (&operation.body, body) {
            (None, Some(_)) => Err(format!("{}: has no request body", operation.id)),
            (Some((_, true)), None) => Err(format!("{}: the request body is missing", operation.id)),
            (Some((schema, _)), Some(body)) => self.check(&format!("{} request", operation.id), schema, body),
            (_, None) => Ok(()),
        }
    }

    fn check_parameter(
        &self,
        operation: &Operation,
        name: &str,
        value: &str,
        in_path: bool,
    ) -> Result<(), String> {
        let known = operation.parameters.iter().find(|p| p.name == name && p.in_path == in_path);
        let Some(parameter) = known else {
            return Err(format!("{}: the parameter {name} is not described", operation.id));
        };
        let typed = match parameter.schema["type"].as_str() {
            Some("integer") => value.parse().map(|n: i64| json!(n)).ok(),
            Some("boolean") => value.parse().map(|b: bool| json!(b)).ok(),
            _ => None,
        };
        let what = format!("{} parameter {name}", operation.id);
        self.check(&what, &parameter.schema, &typed.unwrap_or_else(|| json!(value)))
    }

    /// Holds an answer against the description.
    ///
    /// # Errors
    /// The violation.
    pub fn check_answer(
        &self,
        operation: &Operation,
        status: u16,
        body: Option<&Value>,
    ) -> Result<(), String> {
        let what = format!("{} answer {status}", operation.id);
        let general = json!({"$ref": if status == 422 {
            "#/components/schemas/validation-error"
        } else {
            "#/components/schemas/basic-error"
        }});
        match (operation.answers.get(&status), body) {
            (Some(Some(schema)), Some(body)) => self.check(&what, schema, body),
            (Some(None), None) => Ok(()),
            (Some(None), Some(_)) => Err(format!("{what}: is described without a body")),
            (Some(Some(_)), None) => Err(format!("{what}: the body is missing")),
            (None, Some(body)) if status == 422 || EVERYWHERE.contains(&status) => {
                self.check(&what, &general, body)
            }
            (None, _) => Err(format!("{what}: is not described")),
        }
    }

    fn check(&self, what: &str, schema: &Value, value: &Value) -> Result<(), String> {
        let compiled = self.compiled.lock().expect("no thread panicked").get(what).cloned();
        let validator = compiled.unwrap_or_else(|| {
            let whole = schema::whole(schema, &self.schemas);
            let options = jsonschema::options().with_draft(Draft::Draft7).should_validate_formats(true);
            let validator = options.build(&whole).unwrap_or_else(|e| panic!("{what}: the schema: {e}"));
            let validator = Arc::new(validator);
            self.compiled.lock().expect("no thread panicked").insert(what.to_owned(), Arc::clone(&validator));
            validator
        });
        let mut errors = validator.iter_errors(value).map(|e| {
            let text: String = e.to_string().chars().take(300).collect();
            format!("{what}: at {:?}: {text}", e.instance_path().to_string())
        });
        errors.next().map_or(Ok(()), Err)
    }
}

impl Operation {
    fn of(document: &Value, path: &str, method: &str, described: &Value) -> Self {
        let id = described["operationId"].as_str().expect("operationId").to_owned();
        let parameters = described["parameters"].as_array().into_iter().flatten();
        let parameters: Vec<_> = parameters.map(|p| resolve(document, p)).collect();
        let many = |name: &str| parameters.iter().any(|p| p["name"] == name && p["x-multi-segment"] == true);
        let segments = path.split('/').skip(1).map(|segment| {
            match segment.strip_prefix('{').and_then(|s| s.strip_suffix('}')) {
                None => Segment::Literal(segment.to_owned()),
                Some(name) if many(name) => Segment::Many(name.to_owned()),
                Some(name) => Segment::One(name.to_owned()),
            }
        });
        let answers =
            described["responses"].as_object().expect("responses").iter().map(|(status, answer)| {
                let schema = resolve(document, answer)["content"]["application/json"].get("schema").cloned();
                (status.parse().unwrap_or_else(|_| panic!("{id}: the status {status}")), schema)
            });
        let body = described.get("requestBody").map(|body| {
            let schema = body["content"]["application/json"]["schema"].clone();
            (schema, body["required"] == true)
        });
        Self {
            segments: segments.collect(),
            answers: answers.collect(),
            parameters: parameters
                .iter()
                .map(|p| Parameter {
                    name: p["name"].as_str().expect("a name").to_owned(),
                    in_path: p["in"] == "path",
                    required: p["required"] == true,
                    schema: p["schema"].clone(),
                })
                .collect(),
            method: method.to_uppercase(),
            path: path.to_owned(),
            body,
            id,
        }
    }

    /// Parameters that a query must have.
    pub fn demanded(&self) -> impl Iterator<Item = &str> {
        self.parameters.iter().filter(|p| p.required && !p.in_path).map(|p| p.name.as_str())
    }

    /// How exactly the path is said: of two that match, the one with more words and fewer open ends is meant.
    fn literals(&self) -> (usize, usize) {
        let count = |f: fn(&Segment) -> bool| self.segments.iter().filter(|s| f(s)).count();
        (count(|s| matches!(s, Segment::Literal(_))), count(|s| !matches!(s, Segment::Many(_))))
    }
}

fn matches(segments: &[Segment], parts: &[&str]) -> Option<BTreeMap<String, String>> {
    let Some((first, rest)) = segments.split_first() else {
        return parts.is_empty().then(BTreeMap::new);
    };
    let most = match first {
        Segment::Many(_) => parts.len(),
        _ => 1,
    };
    (1..=most.min(parts.len())).rev().find_map(|taken| {
        let text = parts[..taken].join("/");
        let name = match first {
            Segment::Literal(word) => return (*word == text).then(|| matches(rest, &parts[1..]))?,
            Segment::One(name) | Segment::Many(name) => name,
        };
        let mut found = matches(rest, &parts[taken..])?;
        found.insert(name.clone(), decoded(&text));
        (!text.is_empty()).then_some(found)
    })
}

/// Undoes percent encoding; what is not UTF-8 afterwards is replaced.
pub fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        let hex = tail.get(..2).filter(|_| byte == b'%').and_then(|h| std::str::from_utf8(h).ok());
        if let Some(value) = hex.and_then(|h| u8::from_str_radix(h, 16).ok()) {
            bytes.push(value);
            rest = &tail[2..];
        } else {
            bytes.push(byte);
            rest = tail;
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
