//! From the schemas of OpenAPI 3.0 to JSON Schema, and an example of each.

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
        reached.into_iter().map(|name| (name.clone(), convert(&components[&name], true))).collect();
    json!({"allOf": [convert(schema, true)], "components": {"schemas": schemas}})
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
/// says. `discriminator` is a hint and changes nothing that is valid.
fn convert(schema: &Value, closed: bool) -> Value {
    let Some(map) = schema.as_object() else { return schema.clone() };
    if let Some(pointer) = map.get("$ref") {
        return json!({"$ref": pointer});
    }
    let mut out = Map::new();
    for (key, value) in map {
        let converted = match key.as_str() {
            "properties" => {
                let properties = value.as_object().expect("properties are a map").iter();
                properties.map(|(name, schema)| (name.clone(), convert(schema, true))).collect()
            }
            "items" | "additionalProperties" | "not" => convert(value, true),
            "oneOf" | "anyOf" => each(value, true),
            // Every part sees the properties of the others.
            "allOf" => each(value, false),
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
    if closed && out.contains_key("properties") && !out.contains_key("additionalProperties") {
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

fn each(schemas: &Value, closed: bool) -> Value {
    schemas.as_array().expect("a list of schemas").iter().map(|s| convert(s, closed)).collect()
}

/// A value that the schema accepts, with the properties that must be there and no others.
pub fn example(schema: &Value, components: &Value) -> Value {
    if let Some(pointer) = schema.get("$ref").and_then(Value::as_str) {
        return example(&components[name_of(pointer)], components);
    }
    if let Some(first) = schema["enum"].get(0) {
        return first.clone();
    }
    if let Some(parts) = schema["allOf"].as_array() {
        let mut whole = Map::new();
        parts
            .iter()
            .for_each(|p| whole.extend(example(p, components).as_object().cloned().unwrap_or_default()));
        return whole.into();
    }
    let first = schema["oneOf"].get(0).or_else(|| schema["anyOf"].get(0));
    let mut value = match (schema["type"].as_str(), schema["format"].as_str()) {
        (Some("object"), _) => object(schema, components),
        (Some("array"), _) => json!([example(&schema["items"], components)]),
        (Some("integer" | "number"), _) => json!(7),
        (Some("boolean"), _) => json!(true),
        (Some("string"), Some("date-time")) => json!("2026-01-02T03:04:05Z"),
        (Some("string"), Some("uri")) => json!("https://github.example/x"),
        (Some("string"), Some("email")) => json!("a@github.example"),
        (Some("string"), _) => json!("text"),
        (None, _) if schema.get("properties").is_some() => object(schema, components),
        _ => first.map_or(Value::Null, |f| example(f, components)),
    };
    // Conditions beside an object's own properties, as those of checks/update.
    if let (Some(own), Some(more)) = (value.as_object_mut(), first.filter(|_| schema["type"] == "object")) {
        for name in more["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            own.entry(name).or_insert_with(|| example(&schema["properties"][name], components));
        }
    }
    value
}

fn object(schema: &Value, components: &Value) -> Value {
    let required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
    required.map(|name| (name.to_owned(), example(&schema["properties"][name], components))).collect()
}
