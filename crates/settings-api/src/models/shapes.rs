//! What answers say of models. No shape has a member for a credential.
use crate::answer::rfc3339;
use serde::Serialize;
use settings_domain::{
    models::{self, AuthType, ModelView},
    ports::probe::ProbeReport,
};
use utoipa::ToSchema;

/// A model, without its credential.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::struct_field_names, reason = "the names of the HTTP contract")]
pub(crate) struct Model {
    /// Its id.
    #[schema(format = Uuid)]
    id: String,
    /// `anthropic`, `openai`, `google`, `azure_openai`, `aws_bedrock` or `custom`.
    provider: &'static str,
    /// Name for people.
    name: String,
    /// What it is for.
    description: Option<String>,
    /// Where it is called.
    model_url: String,
    /// `Token` or `Client Key`.
    auth_type: &'static str,
    /// Whether a token is stored.
    has_token: bool,
    /// Whether a client key and its secret are stored.
    has_client_key: bool,
    /// Whether it is the platform's.
    system: bool,
    /// RFC 3339, UTC.
    #[schema(format = DateTime)]
    created_at: String,
    /// RFC 3339, UTC.
    #[schema(format = DateTime)]
    updated_at: String,
    /// RFC 3339, UTC; null before the credential was first used.
    #[schema(format = DateTime)]
    last_used_at: Option<String>,
    /// Counts changes; also the entity tag.
    version: i64,
}

impl From<&ModelView> for Model {
    fn from(v: &ModelView) -> Self {
        let m = &v.model;
        Self {
            id: m.id.to_string(),
            provider: m.provider.name(),
            name: m.name.to_string(),
            description: m.description.as_ref().map(ToString::to_string),
            model_url: m.url.clone(),
            auth_type: match m.auth {
                AuthType::Token => "Token",
                AuthType::ClientKey => "Client Key",
            },
            has_token: m.auth == AuthType::Token,
            has_client_key: m.auth == AuthType::ClientKey,
            system: m.is_system(),
            created_at: rfc3339(m.created_at),
            updated_at: rfc3339(m.updated_at),
            last_used_at: v.last_used_at.map(rfc3339),
            version: m.version,
        }
    }
}

/// A model to choose.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SelectableModel {
    /// Its id.
    #[schema(format = Uuid)]
    id: String,
    /// Name for people.
    name: String,
    /// Who serves it.
    provider: &'static str,
    /// Whether it is the platform's.
    system: bool,
}

/// What there is to choose from.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Selectable {
    /// Models of the organization, then visible system models.
    items: Vec<SelectableModel>,
    /// Always null: the list is whole.
    next_cursor: Option<String>,
}

impl From<Vec<models::Model>> for Selectable {
    fn from(there: Vec<models::Model>) -> Self {
        let item = |m: &models::Model| SelectableModel {
            id: m.id.to_string(),
            name: m.name.to_string(),
            provider: m.provider.name(),
            system: m.is_system(),
        };
        Self { items: there.iter().map(item).collect(), next_cursor: None }
    }
}

/// What came of a test. Nothing of the provider's answer is in it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TestReport {
    /// Whether all is well as far as can be told.
    ok: bool,
    /// Whether anything answered in HTTP.
    reachable: bool,
    /// Whether the credential was accepted; null where that can't be told.
    authenticated: Option<bool>,
    /// The provider's status.
    status: Option<u16>,
    /// How long it took.
    took_ms: i64,
    /// What is wrong and what to do, in one sentence.
    detail: String,
}

impl From<ProbeReport> for TestReport {
    fn from(r: ProbeReport) -> Self {
        Self {
            ok: r.reachable && r.authenticated != Some(false),
            reachable: r.reachable,
            authenticated: r.authenticated,
            status: r.status,
            took_ms: r.took_ms,
            detail: r.detail,
        }
    }
}

/// A model of the platform.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SystemModel {
    #[serde(flatten)]
    #[schema(inline)]
    model: Model,
    /// Whether organizations may choose it.
    visible: bool,
}

impl From<&ModelView> for SystemModel {
    fn from(v: &ModelView) -> Self {
        Self { model: Model::from(v), visible: v.model.visible }
    }
}
