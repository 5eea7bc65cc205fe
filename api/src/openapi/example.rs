//! An example for every body, put together from those of its fields.

use serde_json::{Map, Value, json};

use crate::problem::{Code, Problem};

/// Schemas within schemas that are followed: none of ours is deeper.
const DEPTH_MAX: u8 = 8;

/// Adds examples to the bodies of an operation.
pub(super) fn add(operation: &mut Value, schemas: &Value) {
    if let Some(media) = operation.pointer_mut("/requestBody/content/application~1json") {
        complete(media, schemas);
    }
    let Some(responses) = operation.get_mut("responses").and_then(Value::as_object_mut) else { return };
    for (status, response) in responses {
        let Some(content) = response.get_mut("content").and_then(Value::as_object_mut) else { continue };
        for (kind, media) in content.iter_mut() {
            // One form of all errors, and an example for each status.
            let problem =
                Some(status.trim_start_matches("Error")).filter(|_| kind == "application/problem+json");
            let example = problem.and_then(|status| of_error(status.parse().ok()?));
            match (example, media.as_object_mut()) {
                (Some(example), Some(media)) => drop(media.insert("example".to_owned(), example)),
                _ => complete(media, schemas),
            }
        }
    }
}

/// What an error of this status looks like.
fn of_error(status: u16) -> Option<Value> {
    let problem = match status {
        400 => {
            Problem::new(Code::BadRequest, "unknown query parameter \"colour\"; known here: limit, cursor")
        }
        401 => Problem::new(Code::Unauthorized, "the token is not valid"),
        403 => Problem::new(Code::Forbidden, "customers:manage is needed"),
        404 => Problem::new(Code::UnknownCustomer, "there is no such customer"),
        408 => Problem::new(Code::RequestTimeout, "the body takes over 10s"),
        409 => Problem::new(Code::AlreadyExists, "something with this name or key is there already"),
        412 => Problem::new(Code::Changed, "its ETag is \"8d2f\" now, not \"41c0\": read it again"),
        413 => Problem::new(Code::BodyTooLarge, "a body has at most 1048576 octets"),
        415 => Problem::new(
            Code::UnsupportedMediaType,
            "Content-Type is application/json here, not \"text/csv\"",
        ),
        422 => Problem::invalid("/company_name", "it is not 1 to 100 printable characters"),
        429 => Problem::new(Code::TooManyRequests, "too many requests, again in 1 s"),
        500 => Problem::new(Code::Internal, "the answer cannot be written"),
        501 => Problem::new(Code::NotImplemented, "HubSpot is not connected"),
        503 => Problem::new(Code::StoreUnavailable, "too many writes wait for the database"),
        _ => return None,
    };
    serde_json::to_value(problem.document("5f0c1d6e8a9b4c3d2e1f0a9b8c7d6e5f")).ok()
}

fn complete(media: &mut Value, schemas: &Value) {
    let Some(schema) = media.get("schema").filter(|_| media.get("example").is_none()) else { return };
    let example = of(schema, schemas, DEPTH_MAX);
    if let (Some(example), Some(media)) = (example, media.as_object_mut()) {
        media.insert("example".to_owned(), example);
    }
}

/// What a schema says that a value looks like.
fn of(schema: &Value, schemas: &Value, depth: u8) -> Option<Value> {
    let depth = depth.checked_sub(1)?;
    let given = schema.get("example").or_else(|| schema.pointer("/examples/0"));
    let given = given.or_else(|| schema.get("default")).or_else(|| schema.pointer("/enum/0"));
    if let Some(given) = given {
        return Some(given.clone());
    }
    if let Some(name) = schema.get("$ref").and_then(Value::as_str).and_then(|text| text.rsplit('/').next()) {
        return of(schemas.get(name)?, schemas, depth);
    }
    if let Some(parts) = schema.get("allOf").and_then(Value::as_array) {
        return Some(merged(parts, schemas, depth).into());
    }
    for choice in ["oneOf", "anyOf"] {
        let Some(forms) = schema.get(choice).and_then(Value::as_array) else { continue };
        let nothing = |form: &&Value| form.get("type").and_then(Value::as_str) != Some("null");
        return forms.iter().filter(nothing).find_map(|form| of(form, schemas, depth));
    }
    let kind = schema.get("type").map(|kind| kind.pointer("/0").unwrap_or(kind));
    match kind.and_then(Value::as_str) {
        Some("object") => Some(object(schema, schemas, depth).into()),
        Some("array") => Some(of(schema.get("items")?, schemas, depth).into_iter().collect()),
        Some("boolean") => Some(true.into()),
        Some("integer" | "number") => Some(schema.get("minimum").cloned().unwrap_or_else(|| 1.into())),
        Some("string") => Some(text(schema)),
        _ => None,
    }
}

fn object(schema: &Value, schemas: &Value, depth: u8) -> Map<String, Value> {
    let fields = schema.get("properties").and_then(Value::as_object).into_iter().flatten();
    fields.filter_map(|(name, field)| Some((name.clone(), of(field, schemas, depth)?))).collect()
}

fn merged(parts: &[Value], schemas: &Value, depth: u8) -> Map<String, Value> {
    let parts = parts.iter().filter_map(|part| of(part, schemas, depth));
    parts.filter_map(|part| part.as_object().cloned()).flatten().collect()
}

fn text(schema: &Value) -> Value {
    match schema.get("format").and_then(Value::as_str) {
        Some("uuid") => json!("0190f7c2-8f3e-7bb1-9d5e-3f0b6a0f1c11"),
        Some("date-time") => json!("2026-01-02T03:04:05.000006Z"),
        _ => json!("text"),
    }
}
