//! Style and script, compiled in. Their addresses carry their content's hash, so a browser keeps them for ever.
use axum::{
    extract::Path,
    response::{IntoResponse as _, Response},
};
use http::{StatusCode, header};
use sha2::{Digest as _, Sha256};
use std::sync::LazyLock;

const CSS: &str = include_str!("../assets/app.css");
const JS: &str = include_str!("../assets/app.js");

fn address(name: &str, content: &str) -> String {
    let hash = Sha256::digest(content.as_bytes());
    let short: String = hash.iter().take(6).map(|b| format!("{b:02x}")).collect();
    format!("/static/{short}/{name}")
}

/// Address of the style sheet.
pub(crate) static STYLE: LazyLock<String> = LazyLock::new(|| address("app.css", CSS));
/// Address of the script.
pub(crate) static SCRIPT: LazyLock<String> = LazyLock::new(|| address("app.js", JS));

/// Serves both. An old address gets the present content, but not for ever.
pub(crate) async fn serve(Path((hash, name)): Path<(String, String)>) -> Response {
    let (kind, body, current) = match name.as_str() {
        "app.css" => ("text/css; charset=utf-8", CSS, &*STYLE),
        "app.js" => ("text/javascript; charset=utf-8", JS, &*SCRIPT),
        _ => return StatusCode::NOT_FOUND.into_response(),
    };
    let fresh = *current == format!("/static/{hash}/{name}");
    let keep = if fresh { "public, max-age=31536000, immutable" } else { "no-store" };
    ([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, keep)], body).into_response()
}
