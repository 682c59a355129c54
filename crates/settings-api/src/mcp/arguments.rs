//! From the arguments of a tool to the request that they stand for.
use super::tool::{Place, Tool};
use crate::{input::Input, problem::Fault};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value};
use url::form_urlencoded::Serializer;

/// The headers of the call that its operation may see as well. Credentials were read already.
const KEPT: [&str; 3] = ["x-workspace", "idempotency-key", "x-confirm"];

/// The request, and everything that is wrong with the arguments. With faults it is good for finding its workspace alone.
pub(super) fn input(tool: &Tool, arguments: Map<String, Value>, outer: &Input) -> (Input, Vec<Fault>) {
    let mut faults = Vec::new();
    let mut fault = |name: &str, detail: &str| {
        let name = name.replace('~', "~0").replace('/', "~1");
        faults.push(Fault { pointer: format!("/{name}"), detail: detail.to_owned() });
    };
    let (mut params, mut body) = (Vec::new(), Map::new());
    let mut query = Serializer::new(String::new());
    let mut headers: HeaderMap =
        outer.headers.iter().filter(|(n, _)| KEPT.contains(&n.as_str())).map(|(n, v)| (n.clone(), v.clone())).collect();
    for name in tool.required.iter().filter(|name| !arguments.contains_key(*name)) {
        // What lacks in a body is told by who reads it, together with all else that is wrong there.
        if tool.arguments.get(name) != Some(&Place::Body) {
            fault(name, "is required");
        }
    }
    for (name, value) in arguments {
        match (tool.arguments.get(&name), text(&value)) {
            (None, _) => fault(&name, "is no argument of this tool"),
            (Some(Place::Body), _) => drop(body.insert(name, value)),
            // Nothing was meant.
            (Some(_), None) if value.is_null() => {}
            (Some(Place::Path), Some(text)) => params.push((name, text)),
            (Some(Place::Query), Some(text)) => drop(query.append_pair(&name, &text)),
            (Some(Place::Header(header)), Some(text)) => match self::header(header, &text) {
                Some((header, value)) => drop(headers.insert(header, value)),
                None => fault(&name, "can't be sent"),
            },
            (Some(_), None) => fault(&name, "must be a text or a number"),
        }
    }
    let has_body = tool.operation.request.is_some();
    if let Some(media_type) = tool.operation.media_types.first().filter(|_| has_body) {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    }
    let body = if has_body { Bytes::from(Value::Object(body).to_string()) } else { Bytes::new() };
    let path = params.iter().fold(tool.operation.path.to_owned(), |path, (name, value)| {
        path.replace(&format!("{{{name}}}"), &utf8_percent_encode(value, NON_ALPHANUMERIC).to_string())
    });
    let inner = Input {
        method: tool.operation.method.clone(),
        path,
        query: query.finish(),
        params,
        headers,
        body,
        request: outer.request.clone(),
        address: outer.address,
        // What a tool changes is vouched for in the answer of the call.
        receipts: outer.receipts.clone(),
    };
    (inner, faults)
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    }
}

/// A header by an argument. A version becomes the entity tag that it is a part of.
fn header(name: &'static str, text: &str) -> Option<(HeaderName, HeaderValue)> {
    let text = if name == "If-Match" { format!("\"v{}\"", text.parse::<i64>().ok()?) } else { text.to_owned() };
    Some((HeaderName::from_bytes(name.as_bytes()).ok()?, HeaderValue::from_str(&text).ok()?))
}
