//! The OpenAPI 3.1 document, made of the route table: what is not in the table is not in the document.

mod example;
mod shape;

use serde_json::{Value, json};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};
use warp::http::Method;

use crate::permission::Permission;
use crate::problem;
use crate::query::{FORMAT, Kind, Param};
use crate::table::{Access, Reach, Route, Surface};

/// Schemas by their names.
pub(crate) type Schemas = Vec<(String, RefOr<Schema>)>;

/// Adds the schemas of a type and gives its name.
pub(crate) type Describe = fn(&mut Schemas) -> String;

/// The one [`Describe`] of a type.
pub(crate) fn describe<T: ToSchema>(schemas: &mut Schemas) -> String {
    T::schemas(schemas);
    let name = T::name().into_owned();
    schemas.push((name.clone(), T::schema()));
    name
}

/// The document as it is kept in `api/openapi.json`.
#[must_use]
pub fn text() -> String {
    let document = document(crate::routes::all());
    serde_json::to_string_pretty(&document).map(|text| text + "\n").unwrap_or_default()
}

/// The document over the routes that the API port serves.
pub(crate) fn document(routes: impl Iterator<Item = &'static Route>) -> Value {
    let mut schemas = Schemas::new();
    let problem = describe::<problem::Document>(&mut schemas);
    let mut paths = serde_json::Map::new();
    for route in routes.filter(|route| Surface::Api.serves(route.access)) {
        let operation = operation(route, &mut schemas, &problem);
        let path = paths.entry(route.path).or_insert_with(|| json!({}));
        if let Some(path) = path.as_object_mut() {
            path.insert(route.method.as_str().to_lowercase(), operation);
        }
    }
    let mut components = serde_json::Map::new();
    schemas.sort_by(|left, right| left.0.cmp(&right.0));
    for (name, schema) in schemas {
        components.insert(name, serde_json::to_value(schema).unwrap_or_default());
    }
    let components = Value::from(components);
    for path in paths.values_mut().filter_map(Value::as_object_mut) {
        path.values_mut().for_each(|operation| example::add(operation, &components));
    }
    let mut errors = serde_json::Map::new();
    for (status, description) in STANDARD {
        let content = json!({"application/problem+json": {"schema": {"$ref": reference(&problem)}}});
        errors.insert(error_name(*status), json!({"description": description, "content": content}));
    }
    let mut shared = json!({"responses": errors});
    example::add(&mut shared, &components);
    let bearer = json!({"type": "http", "scheme": "bearer",
        "description": "An access token, an API key or the bootstrap token."});
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "WARP",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Wholesale voice and messaging: customers, trunks, vendors, routes, calls and messages.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {
            "schemas": components,
            "responses": shared.get("responses"),
            "securitySchemes": {"bearer": bearer},
        },
    })
}

fn operation(route: &Route, schemas: &mut Schemas, problem: &str) -> Value {
    let mut operation = json!({
        "operationId": operation_id(route),
        "tags": [tag(route.path)],
        "summary": route.summary,
        "responses": responses(route, schemas, problem),
    });
    let Some(fields) = operation.as_object_mut() else { return operation };
    let parameters = parameters(route);
    if !parameters.is_empty() {
        fields.insert("parameters".to_owned(), parameters.into());
    }
    if let Some(body) = route.body {
        let form = json!({"$ref": reference(&body(schemas))});
        fields.insert(
            "requestBody".to_owned(),
            json!({"required": true, "content": {"application/json": {"schema": form}}}),
        );
    }
    if let Access::May(permission, _) = route.access {
        fields.insert("description".to_owned(), json!(format!("Needs `{permission}`.")));
    }
    if route.access != Access::Open {
        fields.insert("security".to_owned(), json!([{"bearer": []}]));
    }
    operation
}

fn responses(route: &Route, schemas: &mut Schemas, problem: &str) -> Value {
    let (status, form) = route.answer;
    let mut success = json!({"description": "Done"});
    let form = match (form, route.example) {
        (Some(form), _) => Some(json!({"schema": {"$ref": reference(&form(schemas))}})),
        (None, Some(example)) => looks_like(example),
        (None, None) => None,
    };
    if let (Some(form), Some(fields)) = (form, success.as_object_mut()) {
        let mut content = serde_json::Map::new();
        content.insert(route.media.to_owned(), form);
        if route.query.iter().any(|param| param.name == FORMAT.name && param.about == FORMAT.about) {
            let text = json!({"schema": {"type": "string"}});
            content.insert("text/plain; charset=utf-8".to_owned(), text);
        }
        for (media, example) in route.files {
            let text = json!({"schema": {"type": "string", "examples": [example]}});
            content.insert((*media).to_owned(), text);
        }
        fields.insert("content".to_owned(), content.into());
    }
    let mut responses = serde_json::Map::new();
    responses.insert(status.to_string(), success);
    for (status, description) in errors(route) {
        if STANDARD.contains(&(status, description)) {
            let shared = format!("#/components/responses/{}", error_name(status));
            responses.insert(status.to_string(), json!({"$ref": shared}));
            continue;
        }
        let content = json!({"application/problem+json": {"schema": {"$ref": reference(problem)}}});
        responses.insert(status.to_string(), json!({"description": description, "content": content}));
    }
    responses.into()
}

/// A body that is described by what it looks like; none where that is no JSON, which a test finds.
fn looks_like(example: &str) -> Option<Value> {
    let example: Value = serde_json::from_str(example).ok()?;
    Some(json!({"schema": shape::of(&example), "example": example}))
}

/// Errors that say the same wherever they stand.
const STANDARD: &[(u16, &str)] = &[
    (400, "The request cannot be understood"),
    (401, "A valid token is needed"),
    (403, "This is not allowed"),
    (404, "There is no such thing"),
    (408, "The body did not come in time"),
    (409, "It cannot be done as things are"),
    (412, "It was changed meanwhile"),
    (413, "The body is too large"),
    (415, "The body is of another type"),
    (422, "A value cannot be taken"),
    (429, "More requests than are allowed"),
    (500, "The node made a mistake"),
    (503, "The database, or what else is needed, does not answer"),
];

fn error_name(status: u16) -> String {
    format!("Error{status}")
}

/// What else a route may answer, by what it asks for.
fn errors(route: &Route) -> Vec<(u16, &'static str)> {
    let mut errors = vec![
        (400, "The request cannot be understood"),
        (429, "More requests than are allowed"),
        (500, "The node made a mistake"),
        (503, "The database, or what else is needed, does not answer"),
    ];
    if route.access != Access::Open {
        errors.push((401, "A valid token is needed"));
    }
    // A key may be used from its addresses alone, whatever it asks for.
    if route.access != Access::Open {
        errors.push((403, "This is not allowed"));
    }
    let of_customer =
        matches!(route.access, Access::May(_, Reach::OperatorOf | Reach::Customer | Reach::Own));
    if route.path.contains('{') || of_customer {
        errors.push((404, "There is no such thing"));
    }
    if route.method != Method::GET {
        errors.push((409, "It cannot be done as things are"));
    }
    if route.method != Method::GET && route.conditional {
        errors.push((412, "It was changed meanwhile"));
    }
    if route.body.is_some() {
        errors.push((408, "The body did not come in time"));
        errors.push((413, "The body is too large"));
        errors.push((415, "The body is of another type"));
    }
    if route.body.is_some() || !route.query.is_empty() {
        errors.push((422, "A value cannot be taken"));
    }
    errors.extend(route.also);
    errors.sort_unstable();
    errors.dedup_by_key(|(status, _)| *status);
    errors
}

/// Below these `{id}` may be a name in place of a UUID: that of a media node that was found has no other id.
const NAMED: [&str; 2] = ["/v1/smpp", "/v1/admin/media-nodes"];

fn parameters(route: &Route) -> Vec<Value> {
    let mut parameters = Vec::new();
    for name in names(route.path) {
        let schema = match name {
            "ban" => json!({"type": "string", "pattern": "^[A-Z0-9-]{3,20}$"}),
            "id" | "ip_id" | "registration_id" | "note_id" | "customer_id" | "account_id"
                if !NAMED.iter().any(|path| route.path.starts_with(*path)) =>
            {
                json!({"type": "string", "format": "uuid"})
            }
            _ => json!({"type": "string", "minLength": 1, "maxLength": 200}),
        };
        parameters.push(json!({"name": name, "in": "path", "required": true, "schema": schema}));
    }
    for Param { name, kind, about, needed } in route.query {
        let mut schema = kind_schema(*kind);
        if let (true, Kind::Text(_), Some(schema)) = (*needed, kind, schema.as_object_mut()) {
            schema.insert("minLength".to_owned(), 1.into());
        }
        parameters.push(
            json!({"name": name, "in": "query", "description": about, "required": needed, "schema": schema}),
        );
    }
    if route.method == Method::POST && route.body.is_some() && route.access != Access::Open {
        parameters.push(json!({"name": "Idempotency-Key", "in": "header",
            "description": "The same key within a day gets the same answer, and nothing is done twice.",
            "schema": {"type": "string", "pattern": "^[!-~]{1,100}$"}}));
    }
    let changes = matches!(route.method, Method::PUT | Method::DELETE);
    if changes && route.conditional && matches!(route.access, Access::May(..)) {
        parameters.push(json!({"name": "If-Match", "in": "header",
            "description": "The ETag that was read: refused with 412 when it was changed since.",
            "schema": {"type": "string"}}));
    }
    parameters
}

fn kind_schema(kind: Kind) -> Value {
    match kind {
        Kind::Number { most, otherwise } => {
            json!({"type": "integer", "minimum": 1, "maximum": most, "default": otherwise})
        }
        Kind::Id => json!({"type": "string", "format": "uuid"}),
        Kind::Time => json!({"type": "string", "format": "date-time"}),
        Kind::Flag => json!({"type": "boolean"}),
        Kind::Text(most) => json!({"type": "string", "maxLength": most, "pattern": "^[^\\u0000]*$"}),
        Kind::Words(words) => json!({"type": "string", "enum": words}),
    }
}

/// `{parts}` of a path.
pub(crate) fn names(path: &'static str) -> impl Iterator<Item = &'static str> {
    path.split('{').skip(1).filter_map(|part| part.split('}').next())
}

fn reference(name: &str) -> String {
    format!("#/components/schemas/{name}")
}

/// The first part of a path that says what it is about.
fn tag(path: &str) -> &str {
    let mut parts = path.split('/').filter(|part| !matches!(*part, "" | "v1" | "api" | "admin"));
    let first = parts.next().unwrap_or("node");
    // What hangs at a customer is about itself.
    let last = parts.rfind(|part| !part.starts_with('{'));
    if first == "customers" { last.unwrap_or(first) } else { first }
}

fn operation_id(route: &Route) -> String {
    let parts = route.path.split('/').filter(|part| !matches!(*part, "" | "v1"));
    let parts: Vec<String> =
        parts.map(|part| part.replace(['{', '}'], "").replace(['-', '.'], "_")).collect();
    format!("{}_{}", route.method.as_str().to_lowercase(), parts.join("_"))
}

/// A permission, in the document.
impl PartialSchema for Permission {
    fn schema() -> RefOr<Schema> {
        let names = Self::ALL.iter().map(|permission| permission.name());
        let object = utoipa::openapi::ObjectBuilder::new().schema_type(utoipa::openapi::Type::String);
        object.enum_values(Some(names)).build().into()
    }
}

impl ToSchema for Permission {}

#[cfg(test)]
mod tests;
