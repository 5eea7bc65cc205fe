//! The schema of an answer that is described by what it looks like.

use serde_json::{Map, Value, json};
use uuid::Uuid;

/// A schema that the value fits, and others of its shape: any field may be absent, null stands for anything, all
/// entries of a list are like its first, and an object whose key is an id is a map.
pub(super) fn of(value: &Value) -> Value {
    match value {
        Value::Null => json!({}),
        Value::Bool(_) => json!({"type": "boolean"}),
        Value::Number(number) if number.is_f64() => json!({"type": "number"}),
        Value::Number(_) => json!({"type": "integer"}),
        Value::String(_) => json!({"type": "string"}),
        Value::Array(values) => {
            json!({"type": "array", "items": values.first().map_or_else(|| json!({}), of)})
        }
        Value::Object(fields) => match entry(fields) {
            Some(entry) => json!({"type": "object", "additionalProperties": of(entry)}),
            None => json!({"type": "object", "properties": properties(fields)}),
        },
    }
}

/// What a map from ids holds.
fn entry(fields: &Map<String, Value>) -> Option<&Value> {
    fields.iter().find(|(name, _)| name.parse::<Uuid>().is_ok()).map(|(_, value)| value)
}

/// A field that may be null has the schema of what it is else: the example shows it.
fn properties(fields: &Map<String, Value>) -> Map<String, Value> {
    fields.iter().map(|(name, value)| (name.clone(), nullable(of(value)))).collect()
}

fn nullable(schema: Value) -> Value {
    match schema.get("type").cloned() {
        Some(kind @ Value::String(_)) => {
            let mut schema = schema;
            if let Some(fields) = schema.as_object_mut() {
                fields.insert("type".to_owned(), json!([kind, "null"]));
            }
            schema
        }
        _ => schema,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes() {
        let id = "3a99346d-7f9c-4d0a-8f5e-2c1d7a9b4e60";
        for (value, schema) in [
            (json!([1, 2]), json!({"type": "array", "items": {"type": "integer"}})),
            (json!([]), json!({"type": "array", "items": {}})),
            (json!({"a": null}), json!({"type": "object", "properties": {"a": {}}})),
            (json!({"a": "b"}), json!({"type": "object", "properties": {"a": {"type": ["string", "null"]}}})),
            (json!({id: true}), json!({"type": "object", "additionalProperties": {"type": "boolean"}})),
        ] {
            assert_eq!(of(&value), schema, "{value}");
        }
    }
}
