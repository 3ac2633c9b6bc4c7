//! From the schemas of `OpenAPI` 3.0 to JSON Schema, and an example of each.

use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

const POINTER: &str = "#/components/schemas/";

/// A schema as JSON Schema, with the components it reaches and no others: what is compiled stays small.
pub fn whole(schema: &Value, components: &Value) -> Value {
    let mut reached = BTreeSet::new();
    let mut open = vec![schema];
    while let Some(value) = open.pop() {
        match value {
            Value::Object(map) => {
                let name = map.get("$ref").and_then(Value::as_str).map(name_of);
                if let Some(name) = name.filter(|n| reached.insert((*n).to_owned())) {
                    open.push(&components[name]);
                }
                open.extend(map.values());
            }
            Value::Array(items) => open.extend(items),
            _ => {}
        }
    }
    let schemas: Map<_, _> =
        reached.into_iter().map(|name| (name.clone(), convert(&components[&name], components))).collect();
    json!({"allOf": [convert(schema, components)], "components": {"schemas": schemas}})
}

fn name_of(pointer: &str) -> &str {
    pointer.strip_prefix(POINTER).unwrap_or_else(|| panic!("a reference to {pointer}"))
}

/// What a `$ref` into the document points at, or the value itself.
pub fn resolve(document: &Value, value: &Value) -> Value {
    match value.get("$ref").and_then(Value::as_str) {
        None => value.clone(),
        Some(pointer) => {
            let found = document.pointer(pointer.trim_start_matches('#'));
            found.unwrap_or_else(|| panic!("{pointer} is not there")).clone()
        }
    }
}

/// `nullable` becomes the type null. Objects are closed: a property that is not described is a violation in a request,
/// where GitHub would ignore what the client meant, and in an answer, where a client would rely on what GitHub never
/// says. `discriminator` is a hint and changes nothing that is valid. `oneOf` becomes `anyOf`: of the two errors that
/// contents may answer with 409, every one is valid as the other too, and so none would be as described.
fn convert(schema: &Value, components: &Value) -> Value {
    let Some(map) = schema.as_object() else { return schema.clone() };
    if let Some(pointer) = map.get("$ref") {
        return json!({"$ref": pointer});
    }
    if map.contains_key("allOf") {
        return convert(&merged(schema, components), components);
    }
    let mut out = Map::new();
    for (key, value) in map {
        let converted = match key.as_str() {
            "properties" => {
                let properties = value.as_object().expect("properties are a map").iter();
                properties.map(|(name, schema)| (name.clone(), convert(schema, components))).collect()
            }
            "items" | "additionalProperties" | "not" => convert(value, components),
            "anyOf" => each(value, components),
            "oneOf" => {
                out.insert("anyOf".into(), each(value, components));
                continue;
            }
            "type" | "enum" | "required" | "format" | "pattern" | "minLength" | "maxLength" | "minItems"
            | "maxItems" | "minimum" | "maximum" | "minProperties" | "maxProperties" | "uniqueItems" => {
                value.clone()
            }
            "nullable" | "discriminator" | "title" | "description" | "default" | "example" | "deprecated"
            | "readOnly" | "externalDocs" => continue,
            other if other.starts_with("x-") => continue,
            other => panic!("the keyword {other} of GitHub's description is not understood yet"),
        };
        out.insert(key.clone(), converted);
    }
    if out.contains_key("properties") && !out.contains_key("additionalProperties") {
        out.insert("additionalProperties".into(), json!(false));
    }
    if map.get("nullable") != Some(&json!(true)) {
        return out.into();
    }
    if let Some(Value::Array(values)) = out.get_mut("enum") {
        values.push(Value::Null);
    }
    match out.remove("type") {
        Some(kind) => {
            out.insert("type".into(), json!([kind, "null"]));
            out.into()
        }
        None => json!({"anyOf": [Value::Object(out), {"type": "null"}]}),
    }
}

fn each(schemas: &Value, components: &Value) -> Value {
    schemas.as_array().expect("a list of schemas").iter().map(|s| convert(s, components)).collect()
}

/// The parts of an `allOf` as one object: closed one by one, each would refuse the properties of the others.
fn merged(schema: &Value, components: &Value) -> Value {
    let parts = schema["allOf"].as_array().expect("a list of schemas").iter().map(|p| target(p, components));
    let (mut properties, mut required) = (Map::new(), Vec::new());
    for part in parts {
        properties.extend(part["properties"].as_object().cloned().expect("only objects are merged"));
        required.extend(part["required"].as_array().into_iter().flatten().cloned());
    }
    json!({"type": "object", "properties": properties, "required": required})
}

/// A value that the schema accepts: with every property that it describes, and in those only what must be there.
pub fn example(schema: &Value, components: &Value) -> Value {
    let schema = target(schema, components);
    if let Some(parts) = schema["allOf"].as_array() {
        let parts = parts.iter().filter_map(|p| example(p, components).as_object().cloned());
        return parts.flatten().collect::<Map<_, _>>().into();
    }
    if schema["type"] == "array" {
        return json!([example(&schema["items"], components)]);
    }
    if let Some(first) = variants(schema).filter(|_| schema.get("properties").is_none()) {
        return example(first, components);
    }
    match schema["properties"].as_object() {
        Some(all) => all.iter().map(|(name, s)| (name.clone(), small(s, components))).collect(),
        None => small(schema, components),
    }
}

/// Properties that the value of [`example`] must have.
pub fn required<'a>(schema: &'a Value, components: &'a Value) -> Vec<&'a str> {
    let schema = target(schema, components);
    if let Some(parts) = schema["allOf"].as_array() {
        return parts.iter().flat_map(|p| required(p, components)).collect();
    }
    if schema["type"] == "array" {
        return required(&schema["items"], components);
    }
    if let Some(first) = variants(schema).filter(|_| schema.get("properties").is_none()) {
        return required(first, components);
    }
    schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

fn target<'a>(schema: &'a Value, components: &'a Value) -> &'a Value {
    schema["$ref"].as_str().map_or(schema, |pointer| target(&components[name_of(pointer)], components))
}

/// The first of several forms.
fn variants(schema: &Value) -> Option<&Value> {
    schema["oneOf"].get(0).or_else(|| schema["anyOf"].get(0))
}

/// A value that the schema accepts, with what must be there and nothing else.
fn small(schema: &Value, components: &Value) -> Value {
    let schema = target(schema, components);
    if let Some(first) = schema["enum"].get(0) {
        return first.clone();
    }
    match (schema["type"].as_str(), schema["format"].as_str()) {
        (Some("array"), _) => json!([small(&schema["items"], components)]),
        (Some("integer" | "number"), _) => json!(7),
        (Some("boolean"), _) => json!(true),
        (Some("string"), Some("date-time")) => json!("2026-01-02T03:04:05Z"),
        (Some("string"), Some("uri")) => json!("https://github.example/x"),
        (Some("string"), Some("email")) => json!("a@github.example"),
        (Some("string"), _) => {
            let length = schema["minLength"].as_u64().and_then(|n| usize::try_from(n).ok()).unwrap_or(4);
            json!("text".repeat(length.div_ceil(4)))
        }
        _ => variants(schema).map_or_else(
            || {
                let names = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
                names.map(|n| (n.to_owned(), small(&schema["properties"][n], components))).collect()
            },
            |first| small(first, components),
        ),
    }
}
