//! `/audit/events/export` and `/audit/public-key`: the log as a file, and the key that it is checked with.
mod csv;

use crate::{
    Api,
    answer::Answer,
    audit,
    input::Input,
    operation::{Operation, op},
    problem::Problem,
};
use axum::body::Body;
use bytes::Bytes;
use futures_util::stream::try_unfold;
use http::{HeaderValue, Method, header};
use serde::Serialize;
use settings_app::{
    audit_export::{AuditExport, ExportError, Purpose},
    authenticate::Authenticated,
};
use settings_domain::{audit::export::Line, policy::actions, transaction::Snapshot};
use std::sync::Arc;
use utoipa::ToSchema;

/// The two forms of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// One JSON object in each line: everything that a check without the service needs.
    JsonLines,
    /// For spreadsheets.
    Csv,
}

impl Format {
    /// Reads the name on the wire.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "jsonl" => Some(Self::JsonLines),
            "csv" => Some(Self::Csv),
            _ => None,
        }
    }
    /// What an export in this form is for.
    #[must_use]
    pub const fn purpose(self) -> Purpose {
        match self {
            Self::JsonLines => Purpose::Proof,
            Self::Csv => Purpose::Reading,
        }
    }
    const fn media_type(self) -> &'static str {
        match self {
            Self::JsonLines => JSON_LINES,
            Self::Csv => CSV,
        }
    }
    fn write(self, lines: &[Line]) -> Result<Bytes, ExportError> {
        match self {
            Self::Csv => Ok(csv::rows(lines).into()),
            Self::JsonLines => {
                let mut out = Vec::new();
                for line in lines {
                    // Plain structs: they always serialize. Were it otherwise, the export breaks off.
                    serde_json::to_writer(&mut out, line).map_err(|e| {
                        settings_domain::ports::StoreError::Corrupt(format!("a line that is no JSON: {e}"))
                    })?;
                    out.push(b'\n');
                }
                Ok(out.into())
            }
        }
    }
}

const JSON_LINES: &str = "application/x-ndjson";
const CSV: &str = "text/csv; charset=utf-8";

/// The key that the service's notes about audit logs are signed with.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AuditKey {
    /// In one line, as C2SP's tools read it.
    verifier: String,
    /// As PEM.
    pem: String,
}

const QUERY: &[(&str, &str)] = &[
    ("format", "`jsonl`, which can be checked offline, or `csv`; `jsonl` where absent"),
    ("risk", "One or more of low, medium, high, critical, separated by commas"),
    ("action", "Name of the event, such as member.removed"),
    ("actor", "Id of the account or key that acted"),
    ("target", "Id of what it is about"),
    ("from", "At or after, RFC 3339"),
    ("to", "Before, RFC 3339"),
];

pub(crate) fn operations() -> Vec<Operation> {
    const T: &str = "audit";
    vec![
        op(
            Method::GET,
            "/audit/events/export",
            "exportAuditEvents",
            T,
            "Export the audit log, oldest first, as a stream",
        )
        .query(QUERY)
        .gives_file(&[JSON_LINES, CSV])
        .no_tool("it is a file")
        .own::<actions::ReadAudit, _, _>(export),
        op(
            Method::GET,
            "/audit/public-key",
            "auditPublicKey",
            T,
            "The key that signed notes about the log are checked with",
        )
        .gives::<AuditKey>(200)
        .read(public_key),
    ]
}

async fn export(api: Arc<Api>, auth: Authenticated, input: Arc<Input>) -> Result<Answer, Problem> {
    // The right first: who may not read the log learns nothing about its filters.
    let snapshot = api.enter::<actions::ReadAudit>(&auth, &input.selector(crate::input::Tenant::Path)?).await?;
    input.only(&["format", "risk", "action", "actor", "target", "from", "to"])?;
    let format = match input.query("format")? {
        None => Format::JsonLines,
        Some(name) => Format::parse(&name).ok_or_else(|| Problem::field("/format", "must be jsonl or csv"))?,
    };
    let filter = audit::filter(&input)?;
    let export = api.app().export_audit(snapshot, &auth.caller, filter, format.purpose()).await?;
    let disposition = disposition(&export, format);
    Ok(Answer::file(format.media_type(), body(export, format)).header(header::CONTENT_DISPOSITION, disposition))
}

async fn public_key(api: Arc<Api>, _: Snapshot<actions::ReadAudit>, _: Arc<Input>) -> Result<Answer, Problem> {
    let key = api.app().ports().sealer.public_key().map_err(|_| Problem::unavailable())?;
    Ok(Answer::ok(&AuditKey { verifier: key.verifier, pem: key.pem }))
}

/// The file's name: whose log it is and from which day. A slug is letters, digits and hyphens.
fn disposition(export: &AuditExport, format: Format) -> HeaderValue {
    let end = if format == Format::Csv { "csv" } else { "jsonl" };
    let name = format!("attachment; filename=\"audit-{}-{}.{end}\"", export.slug(), export.begun_at().date());
    HeaderValue::from_str(&name).unwrap_or(HeaderValue::from_static("attachment"))
}

/// The file, made batch by batch as fast as it is read. An error breaks it off, so that no half of it looks like a whole.
fn body(export: AuditExport, format: Format) -> Body {
    Body::from_stream(try_unfold(export, move |mut export| async move {
        match export.next().await {
            Ok(Some(lines)) => Ok(Some((format.write(&lines)?, export))),
            Ok(None) => Ok(None),
            Err(error) => {
                tracing::warn!(%error, "an export of an audit log broke off");
                Err(error)
            }
        }
    }))
}

/// An export as an answer, for whoever serves it under another address.
#[must_use]
pub fn file(export: AuditExport, format: Format) -> axum::response::Response {
    let disposition = disposition(&export, format);
    let mut response = axum::response::Response::new(body(export, format));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(format.media_type()));
    response.headers_mut().insert(header::CONTENT_DISPOSITION, disposition);
    response
}
