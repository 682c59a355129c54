//! Tools, made from the operation table and the OpenAPI document.
use super::{Annotations, ToolView};
use crate::{openapi, operation::Operation, operations};
use http::Method;
use serde_json::{Map, Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::LazyLock,
};

/// Where an argument goes in the request that it stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Path,
    Query,
    Body,
    /// A header by its name; `If-Match` from a version.
    Header(&'static str),
}

/// An operation as a tool.
pub(super) struct Tool {
    pub(super) name: String,
    pub(super) operation: Operation,
    pub(super) arguments: BTreeMap<String, Place>,
    pub(super) required: BTreeSet<String>,
    schema: Value,
}

/// What headers are called as arguments, and what they are.
const HEADERS: [(&str, &str, &str, &str); 4] = [
    ("X-Workspace", "workspace", "string", "Slug or id of the workspace; needed where you are in several"),
    ("Idempotency-Key", "idempotencyKey", "string", "The same key again gives the same answer, and is done once"),
    ("If-Match", "ifVersion", "integer", "The version that was seen: refused where there is a newer one"),
    (
        "X-Confirm",
        "confirm",
        "string",
        "The impactDigest of the refusal that this call confirms, once a person has agreed",
    ),
];

/// Every tool.
pub(super) fn tools() -> &'static [Tool] {
    static TOOLS: LazyLock<Vec<Tool>> = LazyLock::new(|| {
        let all = operations();
        let document = openapi::document(&all);
        all.into_iter().filter(|o| o.no_tool.is_none()).map(|o| Tool::new(o, &document)).collect()
    });
    &TOOLS
}

/// `createApiKey` of `api-keys` is `api_keys_create`; what the operation's name says beyond its feature comes behind.
fn name(tag: &str, id: &str) -> String {
    let mut words: Vec<String> = Vec::new();
    for c in id.chars() {
        if c.is_ascii_uppercase() || words.is_empty() {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut() {
            word.push(c.to_ascii_lowercase());
        }
    }
    let feature: Vec<_> = tag.split('-').collect();
    let bare = |word: &str| word.trim_end_matches('s').to_owned();
    let same = |part: &[String]| part.iter().map(|w| bare(w)).eq(feature.iter().map(|w| bare(w)));
    if let Some(at) = words.windows(feature.len()).position(same) {
        words.drain(at..at + feature.len());
    }
    format!("{}_{}", feature.join("_"), words.join("_"))
}

impl Tool {
    fn new(operation: Operation, document: &Value) -> Self {
        const NOTHING: &Value = &Value::Null;
        let method = operation.method.as_str().to_lowercase();
        let described = document.get("paths").and_then(|p| p.get(operation.path)?.get(&method)).unwrap_or(NOTHING);
        let schemas = document.get("components").and_then(|c| c.get("schemas")).unwrap_or(NOTHING);
        let schema_of = |parameter: &Value| parameter.get("schema").cloned().unwrap_or_default();
        let (mut arguments, mut required) = (BTreeMap::new(), BTreeSet::new());
        let mut properties = Map::new();
        let text = |value: &Value, name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();

        // The body first: where a name stands in both, as organizationId does, it goes where the whole record is.
        let body = operation.request.as_ref().and_then(|schema| schemas.get(&schema.name));
        for (name, schema) in body.and_then(|b| b.get("properties")?.as_object()).into_iter().flatten() {
            arguments.insert(name.clone(), Place::Body);
            properties.insert(name.clone(), schema.clone());
        }
        let needed = body.and_then(|b| b.get("required")?.as_array()).into_iter().flatten();
        required.extend(needed.filter_map(|n| n.as_str().map(str::to_owned)));
        for parameter in described.get("parameters").and_then(Value::as_array).into_iter().flatten() {
            let (given, place) = (text(parameter, "name"), text(parameter, "in"));
            let (name, place, mut schema) = match place.as_str() {
                "path" => (given, Place::Path, schema_of(parameter)),
                "query" => (given, Place::Query, schema_of(parameter)),
                _ => match HEADERS.iter().find(|(header, ..)| *header == given) {
                    Some((header, name, kind, meaning)) => {
                        ((*name).to_owned(), Place::Header(header), json!({"type": kind, "description": meaning}))
                    }
                    None => continue,
                },
            };
            if let (Some(meaning), Some(schema)) = (parameter.get("description"), schema.as_object_mut()) {
                schema.entry("description").or_insert_with(|| meaning.clone());
            }
            if parameter.get("required") == Some(&json!(true)) {
                required.insert(name.clone());
            }
            arguments.entry(name.clone()).or_insert(place);
            properties.entry(name).or_insert(schema);
        }
        let mut schema = json!({"type": "object", "properties": properties, "additionalProperties": false});
        if let Some(map) = schema.as_object_mut() {
            if !required.is_empty() {
                map.insert("required".to_owned(), json!(required));
            }
            let definitions = definitions(map, schemas);
            if !definitions.is_empty() {
                map.insert("$defs".to_owned(), Value::Object(definitions));
            }
        }
        localise(&mut schema);
        Self { name: name(operation.tag, operation.id), operation, arguments, required, schema }
    }

    pub(super) fn view(&self) -> ToolView {
        let o = &self.operation;
        let mut description = format!("{}. {} {}; {}.", o.summary, o.method, o.path, needs(o));
        if o.problems.contains(&"confirmation-required") {
            description.push_str(
                " What would break something is refused first, with a list of it and an impactDigest: ask a person before repeating the call with confirm.",
            );
        }
        ToolView {
            name: self.name.clone(),
            title: o.summary,
            description,
            input_schema: self.schema.clone(),
            annotations: Annotations {
                read_only_hint: !o.changes,
                destructive_hint: o.changes && o.method != Method::POST,
                idempotent_hint: o.method != Method::POST && o.method != Method::PATCH,
                open_world_hint: false,
            },
        }
    }
}

fn needs(operation: &Operation) -> String {
    match operation.access {
        crate::operation::Access::Action(_, requirement) => format!("needs {requirement}"),
        crate::operation::Access::Authenticated(_) => "for everybody who is known".to_owned(),
        crate::operation::Access::AnyKey => "for every API key".to_owned(),
    }
}

const COMPONENT: &str = "#/components/schemas/";

/// Every component that a schema refers to, and what those refer to.
fn definitions(schema: &Map<String, Value>, schemas: &Value) -> Map<String, Value> {
    let mut found = Map::new();
    let mut open: Vec<Value> = schema.values().cloned().collect();
    while let Some(value) = open.pop() {
        match value {
            Value::Array(items) => open.extend(items),
            Value::Object(members) => {
                let name = members.get("$ref").and_then(Value::as_str).and_then(|r| r.strip_prefix(COMPONENT));
                if let Some((name, component)) = name.and_then(|n| Some((n, schemas.get(n)?)))
                    && found.insert(name.to_owned(), component.clone()).is_none()
                {
                    open.push(component.clone());
                }
                open.extend(members.into_iter().map(|(_, v)| v));
            }
            _ => {}
        }
    }
    found
}

/// Lets references lead into the schema itself: a tool is read alone.
fn localise(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(localise),
        Value::Object(members) => {
            for (name, member) in members {
                match member {
                    Value::String(text) if name == "$ref" => {
                        if let Some(component) = text.strip_prefix(COMPONENT) {
                            *text = format!("#/$defs/{component}");
                        }
                    }
                    other => localise(other),
                }
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operation::Access;

    #[test]
    fn a_tool_is_called_by_its_feature_first() {
        for (tag, id, expected) in [
            ("variables", "listVariables", "variables_list"),
            ("models", "createModel", "models_create"),
            ("models", "listSelectableModels", "models_list_selectable"),
            ("api-keys", "revokeApiKey", "api_keys_revoke"),
            ("audit-digest", "configureAuditDigest", "audit_digest_configure"),
            ("members", "changeOrganizationRole", "members_change_organization_role"),
            ("system-models", "setSystemModelVisibility", "system_models_set_visibility"),
        ] {
            assert_eq!(name(tag, id), expected);
        }
    }

    #[test]
    fn every_operation_is_a_tool_of_its_own_or_says_why_it_is_none() {
        let names: BTreeSet<_> = tools().iter().map(|t| t.name.clone()).collect();
        assert_eq!(names.len(), tools().len(), "two of one name");
        let fits = |name: &String| name.len() <= 64 && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
        assert!(names.iter().all(fits), "{names:?}");
        assert!(["variables_list", "models_create", "secrets_list"].iter().all(|n| names.contains(*n)), "{names:?}");
        let none: Vec<_> = operations().into_iter().filter(|o| o.no_tool.is_some()).map(|o| o.id).collect();
        let expected = [
            "acceptInvitation",
            "authorizeConnection",
            "callTool",
            "createApiKey",
            "createWebhookSubscription",
            "exportAuditEvents",
            "listTools",
            "revealSecret",
            "rotateWebhookSecret",
            "startConnection",
        ];
        let mut sorted = none.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, expected, "what is left out is written down twice, on purpose");
    }

    /// A tool's answer goes through a model: members that hold a secret somewhere are in none of them.
    #[test]
    fn no_tool_answers_with_a_value() {
        let document = openapi::document(&operations());
        let schemas = document.pointer("/components/schemas").cloned().unwrap_or_default();
        for tool in tools() {
            let Some(schema) = &tool.operation.success.schema else { continue };
            let root = json!({"$ref": format!("{COMPONENT}{}", schema.name)});
            let all = definitions(&Map::from_iter([("root".to_owned(), root)]), &schemas);
            for (of, component) in &all {
                let text = component.to_string();
                for word in ["\"key\":", "\"secret\":", "\"value\":", "\"token\":", "\"credential\":", "\"clientKey\":"]
                {
                    assert!(!text.contains(word), "{} answers {of} with {word} {text}", tool.name);
                }
            }
        }
    }

    #[test]
    fn a_schema_is_whole_and_says_every_argument() {
        for tool in tools() {
            let text = tool.schema.to_string();
            assert!(!text.contains(COMPONENT), "{}: {text}", tool.name);
            let defined = |r: &str| tool.schema.pointer(r.trim_start_matches('#')).is_some();
            let refs = text.split("\"$ref\":\"").skip(1).filter_map(|rest| rest.split('"').next());
            assert!(refs.into_iter().all(defined), "{}: {text}", tool.name);
            let properties = tool.schema.pointer("/properties").and_then(Value::as_object).expect("properties");
            assert!(properties.keys().eq(tool.arguments.keys()), "{}", tool.name);
            assert!(tool.required.iter().all(|r| tool.arguments.contains_key(r)), "{}", tool.name);
            let in_path = tool.operation.path.matches('{').count();
            let places = tool.arguments.values().filter(|p| **p == Place::Path).count();
            assert_eq!(in_path, places, "{}: an argument of the path is hidden by one of the body", tool.name);
            // A body that is no plain object would have lost its members.
            let body = tool.arguments.values().filter(|p| **p == Place::Body).count();
            assert_eq!(tool.operation.request.is_some(), body > 0, "{}", tool.name);
            assert!(!matches!(tool.operation.access, Access::Action(_, settings_domain::policy::Requirement::Task(_))));
        }
    }
}
