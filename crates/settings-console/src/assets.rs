//! Style and script, compiled in. Their addresses carry their content's hash, so a browser keeps them for ever.
use axum::{
    extract::Path,
    response::{IntoResponse as _, Response},
};
use flate2::{Compression, write::GzEncoder};
use http::{HeaderMap, StatusCode, header};
use sha2::{Digest as _, Sha256};
use std::{io::Write as _, sync::LazyLock};

const CSS: &str = include_str!("../assets/app.css");
const JS: &str = include_str!("../assets/app.js");

fn address(name: &str, content: &str) -> String {
    let hash = Sha256::digest(content.as_bytes());
    let short = hash.iter().take(6).fold(0u64, |n, b| n << 8 | u64::from(*b));
    format!("/static/{short:012x}/{name}")
}

/// Address of the style sheet.
pub(crate) static STYLE: LazyLock<String> = LazyLock::new(|| address("app.css", CSS));
/// Address of the script.
pub(crate) static SCRIPT: LazyLock<String> = LazyLock::new(|| address("app.js", JS));

/// Both once more, packed. Pages are not: what a person types never shares a packed stream with a secret.
static PACKED_STYLE: LazyLock<Vec<u8>> = LazyLock::new(|| packed(CSS));
static PACKED_SCRIPT: LazyLock<Vec<u8>> = LazyLock::new(|| packed(JS));

/// Empty where packing failed, which nothing in memory does; then the plain text is served.
fn packed(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(text.as_bytes()).and_then(|()| encoder.finish()).unwrap_or_default()
}

/// Serves both. An old address gets the present content, but not for ever.
pub(crate) async fn serve(Path((hash, name)): Path<(String, String)>, headers: HeaderMap) -> Response {
    let (kind, plain, packed, current) = match name.as_str() {
        "app.css" => ("text/css; charset=utf-8", CSS, &*PACKED_STYLE, &*STYLE),
        "app.js" => ("text/javascript; charset=utf-8", JS, &*PACKED_SCRIPT, &*SCRIPT),
        _ => return StatusCode::NOT_FOUND.into_response(),
    };
    let fresh = *current == format!("/static/{hash}/{name}");
    let keep = if fresh { "public, max-age=31536000, immutable" } else { "no-store" };
    let base = [(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, keep), (header::VARY, "accept-encoding")];
    let accepts = headers.get(header::ACCEPT_ENCODING).and_then(|v| v.to_str().ok()).unwrap_or_default();
    if !packed.is_empty() && accepts.split(',').any(|e| e.trim() == "gzip") {
        return (base, [(header::CONTENT_ENCODING, "gzip")], packed.as_slice()).into_response();
    }
    (base, plain).into_response()
}
