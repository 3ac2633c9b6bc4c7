//! How a sweep is written: sorted keys, one line for each cell and series, so that git shows what differs.

use crate::model::Sweep;
use serde_json::Value;
use std::fmt::Write as _;

/// The text of a sweep's file.
pub fn to_text(sweep: &Sweep) -> Result<String, serde_json::Error> {
    let mut out = String::new();
    top(&sorted(serde_json::to_value(sweep)?), &mut out);
    out.push('\n');
    Ok(out)
}

fn sorted(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            let mut pairs: Vec<(String, Value)> = map.into_iter().map(|(k, v)| (k, sorted(v))).collect();
            pairs.sort_by(|a, b| a.0.cmp(&b.0));
            Value::Object(pairs.into_iter().collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(sorted).collect()),
        other => other,
    }
}

/// A key a line; below it, objects again a key a line and arrays of objects an object a line.
fn top(value: &Value, out: &mut String) {
    level(value, 0, out);
}

fn level(value: &Value, depth: usize, out: &mut String) {
    let indent = "  ".repeat(depth + 1);
    let (open, close, lines): (_, _, Vec<String>) = match value {
        Value::Object(map) if depth < 3 && !map.is_empty() => {
            let line = |(key, item): (&String, &Value)| {
                let mut text = format!("{indent}{}: ", Value::from(key.as_str()));
                level(item, depth + 1, &mut text);
                text
            };
            ('{', '}', map.iter().map(line).collect())
        }
        Value::Array(items) if items.iter().any(Value::is_object) => {
            ('[', ']', items.iter().map(|item| format!("{indent}{item}")).collect())
        }
        flat => {
            let _ = write!(out, "{flat}");
            return;
        }
    };
    let _ = write!(out, "{open}\n{}\n{}{close}", lines.join(",\n"), "  ".repeat(depth));
}
