//! The OpenAPI 3.1 document, made from the operation table.
use crate::{
    billing_events,
    input::Tenant,
    operation::{Access, Operation, SchemaOf},
    problem::PROBLEMS,
};
use http::Method;
use serde_json::{Map, Value, json};
use settings_domain::policy::{Requirement, Scope, holders};

/// Problems that every operation can answer with.
const ALWAYS: &[&str] = &[
    "malformed-request",
    "ambiguous-credentials",
    "unauthenticated",
    "rate-limited",
    "headers-too-large",
    "internal",
    "unavailable",
];

/// The document.
#[must_use]
pub fn document(operations: &[Operation]) -> Value {
    let mut schemas = Map::new();
    let mut paths = Map::new();
    for operation in operations {
        for path in addresses(operation) {
            let entry = paths.entry(path.clone()).or_insert_with(|| json!({}));
            if let Some(item) = entry.as_object_mut() {
                let slugged = path.starts_with("/w/");
                item.insert(operation.method.as_str().to_lowercase(), describe(operation, slugged, &mut schemas));
            }
        }
    }
    paths.insert(billing_events::PATH.to_owned(), billing_events::described());
    schemas.insert("Problem".to_owned(), problem_schema());
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Settings API",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Workspaces, members, keys and the audit log of an AI-workflow platform, in two vocabularies: workspace = organization, editor = user, viewer = guest.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "tags": tags(operations),
        "paths": paths,
        "components": {
            "schemas": schemas,
            "headers": {
                "audit-receipt": {"description": "Signed: which event of which audit log this call left last. Absent where it left none.", "schema": {"type": "string"}},
            },
            "securitySchemes": {
                "apiKey": {"type": "apiKey", "in": "header", "name": "x-api-key", "description": "A workspace API key."},
                "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": "A token of the configured OIDC issuer, or of a sign-in link."},
            },
        },
    })
}

/// Where an operation is served: seed A's below `/w/{slug}` too.
#[must_use]
pub fn addresses(operation: &Operation) -> Vec<String> {
    let mut addresses = vec![operation.path.to_owned()];
    if operation.tenant == Tenant::Path && !operation.path.starts_with("/api/") {
        addresses.push(format!("/w/{{slug}}{}", operation.path));
    }
    addresses
}

fn tags(operations: &[Operation]) -> Vec<Value> {
    let mut names: Vec<_> = operations.iter().map(|o| o.tag).collect();
    names.dedup();
    names.sort_unstable();
    names.dedup();
    names.into_iter().map(|name| json!({"name": name})).collect()
}

fn describe(operation: &Operation, slugged: bool, schemas: &mut Map<String, Value>) -> Value {
    let id = if slugged { format!("{}OfSlug", operation.id) } else { operation.id.to_owned() };
    let mut d = json!({
        "operationId": id,
        "tags": [operation.tag],
        "summary": operation.summary,
        "parameters": parameters(operation, slugged),
        "responses": responses(operation, schemas),
    });
    let Some(map) = d.as_object_mut() else { return d };
    let mut security = vec![json!({"bearer": []})];
    match operation.access {
        Access::Action(_, Requirement::Permission(p)) => {
            let scopes: Vec<_> = holders(p).1.into_iter().map(Scope::name).collect();
            if !scopes.is_empty() {
                security.push(json!({"apiKey": []}));
            }
            map.insert("x-permission".to_owned(), json!(p.name()));
            map.insert("x-scopes".to_owned(), json!(scopes));
            map.insert("description".to_owned(), json!(format!("Needs `{}`.", p.name())));
        }
        Access::Action(_, requirement) => {
            map.insert("x-permission".to_owned(), Value::Null);
            map.insert("description".to_owned(), json!(format!("Needs {requirement}.")));
        }
        Access::Authenticated(reason) => {
            security.push(json!({"apiKey": []}));
            map.insert("x-permission".to_owned(), Value::Null);
            map.insert("description".to_owned(), json!(format!("For every authenticated caller: {reason}.")));
        }
        Access::AnyKey => {
            security = vec![json!({"apiKey": []})];
            map.insert("x-permission".to_owned(), Value::Null);
            map.insert("description".to_owned(), json!("For every valid API key."));
        }
    }
    map.insert("security".to_owned(), Value::Array(security));
    if let Some(request) = &operation.request {
        let schema = reference(request, schemas);
        let content: Map<_, _> =
            operation.media_types.iter().map(|t| ((*t).to_owned(), json!({"schema": schema}))).collect();
        map.insert("requestBody".to_owned(), json!({"required": true, "content": content}));
    }
    d
}

fn parameters(operation: &Operation, slugged: bool) -> Vec<Value> {
    let mut list = Vec::new();
    if slugged {
        list.push(json!({"name": "slug", "in": "path", "required": true, "schema": {"type": "string", "pattern": "^[a-z0-9](?:[a-z0-9-]{1,46}[a-z0-9])$"}}));
    }
    for part in operation.path.split('/').filter_map(|p| p.strip_prefix('{').and_then(|p| p.strip_suffix('}'))) {
        let schema = match part {
            "token" => json!({"type": "string"}),
            "referrerKind" => json!({"type": "string", "pattern": "^[a-z0-9-]{1,32}$"}),
            "referrerId" => json!({"type": "string", "pattern": "^[A-Za-z0-9_.:-]{1,128}$"}),
            _ => json!({"type": "string", "format": "uuid"}),
        };
        list.push(json!({"name": part, "in": "path", "required": true, "schema": schema}));
    }
    for (name, meaning) in operation.query {
        let schema = if *name == "limit" {
            json!({"type": "integer", "minimum": 1, "maximum": 100, "default": 50})
        } else {
            json!({"type": "string"})
        };
        list.push(json!({"name": name, "in": "query", "required": *name == "action" && operation.tag == "roles", "description": meaning, "schema": schema}));
    }
    let mut header = |name: &str, meaning: &str| {
        list.push(json!({"name": name, "in": "header", "required": false, "description": meaning, "schema": {"type": "string"}}));
    };
    let in_workspace = matches!(operation.access, Access::Action(..)) || operation.id == "explainPermission";
    if !slugged
        && in_workspace
        && matches!(operation.tenant, Tenant::Path | Tenant::Parameter | Tenant::Variable | Tenant::Model)
        && !operation.path.starts_with("/api/organizations")
    {
        header(
            "X-Workspace",
            "Slug or id of the workspace; needed where the caller has several and the path names none",
        );
    }
    if operation.method == Method::POST && operation.access != Access::AnyKey {
        header("Idempotency-Key", "Makes a retry safe for 24 hours");
    }
    if operation.problems.contains(&"precondition-failed") {
        header("If-Match", "The entity tag that was seen; a stale one is 412");
    }
    if operation.problems.contains(&"confirmation-required") {
        header("X-Confirm", "`impactDigest` of the 428 that this call confirms");
    }
    list
}

fn responses(operation: &Operation, schemas: &mut Map<String, Value>) -> Value {
    let mut responses = Map::new();
    let success = &operation.success;
    let mut ok = json!({"description": "Done"});
    if let (Some(schema), Some(map)) = (&success.schema, ok.as_object_mut()) {
        let one = reference(schema, schemas);
        let schema = if success.list {
            json!({"type": "object", "required": ["items", "nextCursor"], "properties": {"items": {"type": "array", "items": one}, "nextCursor": {"type": ["string", "null"]}}})
        } else {
            one
        };
        map.insert("content".to_owned(), json!({"application/json": {"schema": schema}}));
        map.insert("headers".to_owned(), json!({"ETag": {"schema": {"type": "string"}}}));
    }
    if let (false, Some(map)) = (success.files.is_empty(), ok.as_object_mut()) {
        let file = |media: &&str| ((*media).to_owned(), json!({"schema": {"type": "string"}}));
        map.insert("content".to_owned(), Value::Object(success.files.iter().map(file).collect()));
    }
    if operation.changes
        && let Some(map) = ok.as_object_mut()
    {
        let headers = map.entry("headers").or_insert_with(|| json!({}));
        if let Some(headers) = headers.as_object_mut() {
            headers.insert("audit-receipt".to_owned(), json!({"$ref": "#/components/headers/audit-receipt"}));
        }
    }
    if let Some(other) = success.or {
        responses.insert(other.to_string(), ok.clone());
    }
    responses.insert(success.status.to_string(), ok);
    if operation.method == Method::GET && success.schema.is_some() {
        responses.insert("304".to_owned(), json!({"description": "Not modified"}));
    }
    let mut slugs: Vec<&str> = ALWAYS.to_vec();
    if operation.access != Access::AnyKey {
        slugs.extend(["forbidden", "session-required", "not-found"]);
    }
    if matches!(operation.access, Access::Action(..)) {
        slugs.push("workspace-required");
    }
    if operation.method != Method::GET {
        slugs.extend(["payload-too-large", "request-timeout", "unsupported-media-type", "conflict"]);
    }
    slugs.push("validation-failed");
    slugs.extend(operation.problems);
    for problem in PROBLEMS.iter().filter(|p| slugs.contains(&p.slug)) {
        let entry = responses.entry(problem.status.to_string()).or_insert_with(|| {
            json!({"description": "", "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}})
        });
        let before = entry.get("description").and_then(Value::as_str).unwrap_or_default().to_owned();
        let joined = if before.is_empty() { problem.slug.to_owned() } else { format!("{before}, {}", problem.slug) };
        if let Some(map) = entry.as_object_mut() {
            map.insert("description".to_owned(), json!(joined));
        }
    }
    Value::Object(responses)
}

fn reference(schema: &SchemaOf, schemas: &mut Map<String, Value>) -> Value {
    let mut add = |name: &str, value: Value| {
        schemas.entry(name.to_owned()).or_insert(value);
    };
    for (name, other) in &schema.others {
        add(name, serde_json::to_value(other).unwrap_or_default());
    }
    add(&schema.name, serde_json::to_value(&schema.schema).unwrap_or_default());
    json!({"$ref": format!("#/components/schemas/{}", schema.name)})
}

fn problem_schema() -> Value {
    json!({
        "type": "object",
        "description": "RFC 9457. Further members depend on the type.",
        "required": ["type", "title", "status", "detail", "instance", "requestId", "error"],
        "properties": {
            "type": {"type": "string", "enum": PROBLEMS.iter().map(|p| format!("/problems/{}", p.slug)).collect::<Vec<_>>()},
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "detail": {"type": "string"},
            "instance": {"type": "string"},
            "requestId": {"type": "string"},
            "error": {"type": "string", "description": "The same in one line"},
            "permission": {"type": "string", "description": "403: what is missing"},
            "outcome": {"type": "string", "enum": ["none", "unknown"], "description": "503: whether a change was made"},
            "errors": {"type": "array", "items": {"type": "object", "required": ["pointer", "detail"], "properties": {"pointer": {"type": "string"}, "detail": {"type": "string"}}}},
            "impact": {"type": "array", "items": {"type": "object", "required": ["kind", "id", "name", "why"], "properties": {"kind": {"type": "string"}, "id": {"type": "string"}, "name": {"type": "string"}, "why": {"type": "string"}}}},
            "impactDigest": {"type": "string", "description": "428: what X-Confirm must say"},
        },
    })
}
