//! `/workspace/api-keys` and `/api-keys/verify` (seed A).
use crate::{
    Api,
    answer::{Answer, List, rfc3339},
    input::{Input, Tenant},
    json::{Body, Fields},
    operation::{Operation, op},
    problem::Problem,
};
use http::Method;
use secrecy::ExposeSecret as _;
use serde::Serialize;
use settings_app::{api_keys::CreatedKey, authenticate::Authenticated};
use settings_domain::{
    api_keys::{ApiKey as Entity, ApiKeyView},
    ids::ApiKeyId,
    policy::{Permit, Scope, ScopeSet, actions},
    ports::store::{ApiKeyFilter, Selector},
    text::DisplayName,
    transaction::{Call, Snapshot},
};
use std::{fmt, str::FromStr, sync::Arc};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use utoipa::ToSchema;

fn scopes(set: ScopeSet) -> Vec<&'static str> {
    set.iter().map(Scope::name).collect()
}

/// Who made a key.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Creator {
    /// The account.
    #[schema(format = Uuid)]
    user_id: String,
    /// Display name or e-mail.
    name: Option<String>,
    /// Whether they are still a member.
    still_member: bool,
}

/// An API key. Its value is never shown again.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ApiKey {
    /// Its id.
    #[schema(format = Uuid)]
    id: String,
    /// Name for people.
    name: String,
    /// Beginning of the value.
    prefix: String,
    /// End of the secret part.
    last4: String,
    /// Exactly what it may do.
    scopes: Vec<&'static str>,
    /// Who made it; null once that person is erased.
    created_by: Option<Creator>,
    /// RFC 3339, UTC.
    #[schema(format = DateTime)]
    created_at: String,
    /// RFC 3339, UTC, to about a second.
    last_used_at: Option<String>,
    /// RFC 3339, UTC; null for never.
    expires_at: Option<String>,
    /// `active`, `expired` or `revoked`.
    status: &'static str,
}

impl ApiKey {
    fn new(v: &ApiKeyView, now: OffsetDateTime) -> Self {
        let creator = v.creator.as_ref();
        Self {
            id: v.key.id.to_string(),
            name: v.key.name.to_string(),
            prefix: v.key.prefix.clone(),
            last4: v.key.last4.clone(),
            scopes: scopes(v.key.scopes),
            created_by: creator.map(|c| Creator {
                user_id: c.user.to_string(),
                name: c.name.clone(),
                still_member: c.still_member,
            }),
            created_at: rfc3339(v.key.created_at),
            last_used_at: v.last_used_at.map(rfc3339),
            expires_at: v.key.expires_at.map(rfc3339),
            status: v.key.status(now).name(),
        }
    }
}

/// A key just made.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct NewKey {
    #[serde(flatten)]
    #[schema(inline)]
    shown: ApiKey,
    /// The value, this once. Null in the replay of an earlier call: values are never kept.
    key: Option<String>,
}

/// A key that still works.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ActiveKey {
    /// Its id.
    #[schema(format = Uuid)]
    id: String,
    /// Name for people.
    name: String,
    /// Beginning of the value.
    prefix: String,
    /// Exactly what it may do.
    scopes: Vec<&'static str>,
}

impl From<&Entity> for ActiveKey {
    fn from(k: &Entity) -> Self {
        Self { id: k.id.to_string(), name: k.name.to_string(), prefix: k.prefix.clone(), scopes: scopes(k.scopes) }
    }
}

/// A key to be made.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase")]
pub(crate) struct CreateKey {
    /// Name for people, 1 to 200 characters.
    #[schema(value_type = String, min_length = 1, max_length = 200)]
    name: DisplayName,
    /// At least one of the 16 scopes, none twice.
    #[schema(value_type = Vec<String>, min_items = 1, max_items = 16)]
    scopes: Vec<Scope>,
    /// RFC 3339; never where absent.
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Instant>,
}

/// An instant in RFC 3339.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Instant(pub(crate) OffsetDateTime);

/// The text is no instant.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NoInstant;
impl fmt::Display for NoInstant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("must be a date and time in RFC 3339, such as 2030-01-31T08:00:00Z")
    }
}
impl FromStr for Instant {
    type Err = NoInstant;
    fn from_str(s: &str) -> Result<Self, NoInstant> {
        let at = OffsetDateTime::parse(s, &Rfc3339).map_err(|_| NoInstant)?.to_offset(time::UtcOffset::UTC);
        // Years that RFC 3339 can't write back are refused rather than mangled.
        if (1970..=9999).contains(&at.year()) {
            Ok(Self(settings_domain::micros::truncate(at)))
        } else {
            Err(NoInstant)
        }
    }
}

impl Body for CreateKey {
    fn read(f: &mut Fields) -> Option<Self> {
        let name = f.required("name");
        let mut seen = ScopeSet::EMPTY;
        let scopes = f.list("scopes", Scope::ALL.len(), |f, path, v| {
            let scope: Scope = f.entry_text(&path, &v)?;
            if seen.contains(scope) {
                f.fault_at(&path, "stands twice");
                return None;
            }
            seen = seen.with(scope);
            Some(scope)
        });
        if scopes.as_ref().is_some_and(Vec::is_empty) {
            f.fault_at("scopes", "must name at least one scope");
        }
        // Read before any `?`: what was not read counts as unknown.
        let expires_at = f.nullable("expiresAt");
        Some(Self { name: name?, scopes: scopes?, expires_at })
    }
}

/// What a valid key is.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Verified {
    /// Its workspace.
    #[schema(format = Uuid)]
    workspace_id: String,
    /// The workspace's slug.
    slug: String,
    /// The key.
    #[schema(format = Uuid)]
    key_id: String,
    /// Exactly what it may do.
    scopes: Vec<&'static str>,
    /// RFC 3339, UTC; null for never.
    expires_at: Option<String>,
}

pub(crate) fn operations() -> Vec<Operation> {
    const T: &str = "api-keys";
    const FILTER: &[(&str, &str)] = &[
        ("creator", "`departed`: only keys whose creator is no longer a member"),
        ("limit", "Entries per page, 1 to 100; 50 where absent"),
        ("cursor", "Where to go on: `nextCursor` of the page before"),
    ];
    vec![
        op(Method::GET, "/workspace/api-keys", "listApiKeys", T, "List API keys")
            .query(FILTER)
            .gives_list::<ApiKey>()
            .problems(&["invalid-cursor"])
            .read(list),
        op(Method::POST, "/workspace/api-keys", "createApiKey", T, "Make an API key; its value is shown this once")
            .takes::<CreateKey>()
            .gives::<NewKey>(201)
            .problems(&["quota-reached", "idempotency-key-reused"])
            .no_tool("it shows the key")
            .write(create),
        op(
            Method::DELETE,
            "/workspace/api-keys/{keyId}",
            "revokeApiKey",
            T,
            "Revoke an API key, from the next call on",
        )
        .problems(&["confirmation-required"])
        .write(revoke),
        op(
            Method::POST,
            "/api-keys/verify",
            "verifyApiKey",
            T,
            "Check the key of this very call, for services that can't embed the crates",
        )
        .query(&[("require", "A scope that the key must have")])
        .gives::<Verified>(200)
        .problems(&["forbidden"])
        .any_key(verify),
    ]
}

async fn list(
    api: Arc<Api>,
    mut snapshot: Snapshot<actions::ListApiKeys>,
    input: Arc<Input>,
) -> Result<Answer, Problem> {
    input.only(&["creator", "limit", "cursor"])?;
    let departed = match input.query("creator")?.as_deref() {
        None => false,
        Some("departed") => true,
        Some(_) => return Err(Problem::field("/creator", "must be departed")),
    };
    let context = format!("{}|{departed}", snapshot.permit().scope().workspace());
    let after: Option<ApiKeyId> = api.position(&input, &context, "api-keys")?;
    let filter = ApiKeyFilter { departed, active_of: None };
    let views = snapshot.api_keys(filter, input.page(after.map(ApiKeyId::as_uuid))?).await?;
    let now = snapshot.at();
    let list: List<ApiKey> =
        api.list(&input, &context, "api-keys", views, |v| v.key.id.as_uuid(), |v| ApiKey::new(&v, now))?;
    Ok(Answer::ok(&list))
}

async fn create(
    api: Arc<Api>,
    permit: Permit<actions::CreateApiKey>,
    call: Call,
    input: Arc<Input>,
) -> Result<Answer, Problem> {
    let CreateKey { name, scopes, expires_at } = input.json()?;
    let set = scopes.into_iter().collect();
    let CreatedKey { key, value } =
        api.app().create_api_key(&permit, &call, name, set, expires_at.map(|i| i.0)).await?;
    let creator =
        key.value().created_by.map(|user| settings_domain::api_keys::Creator { user, name: None, still_member: true });
    let view = ApiKeyView { key: key.value().clone(), creator, last_used_at: None };
    // The one place where the value leaves: after its row and its event are durable.
    let body = NewKey { shown: ApiKey::new(&view, permit.at()), key: value.map(|v| v.expose_secret().to_owned()) };
    Ok(Answer::created(&body).no_store().replayed(key.is_replay()))
}

async fn revoke(
    api: Arc<Api>,
    permit: Permit<actions::RevokeApiKey>,
    call: Call,
    input: Arc<Input>,
) -> Result<Answer, Problem> {
    let id: ApiKeyId = input.id("keyId")?;
    let () = input.json()?;
    api.app().revoke_api_key(&permit, &call, id).await?;
    Ok(Answer::nothing())
}

async fn verify(_: Arc<Api>, auth: Authenticated, input: Arc<Input>) -> Result<Answer, Problem> {
    let Some(standing) = auth.key else { return Err(Problem::unauthenticated()) };
    let () = input.json()?;
    let key = &standing.record.key;
    // A key under another workspace's slug learns nothing, not even that it is a good key.
    let own = match input.selector(Tenant::Path)? {
        Selector::Own => true,
        Selector::Id(id) => id == key.workspace,
        Selector::Slug(slug) => slug == standing.workspace.workspace.slug,
        Selector::Invitation(_) | Selector::Variable(_) | Selector::Model(_) | Selector::Platform => false,
    };
    if !own {
        return Err(Problem::plain("not-found"));
    }
    // Whoever misspells what has to be there must not hear that all is well.
    input.only(&["require"])?;
    if let Some(scope) = input.query_as::<Scope>("require")?
        && !key.scopes.contains(scope)
    {
        let sentence = format!("needs the scope {scope}; the key does not have it.");
        return Err(Problem::new("forbidden", sentence).member("permission", scope.name().into()));
    }
    let body = Verified {
        workspace_id: key.workspace.to_string(),
        slug: standing.workspace.workspace.slug.to_string(),
        key_id: key.id.to_string(),
        scopes: scopes(key.scopes),
        expires_at: key.expires_at.map(rfc3339),
    };
    Ok(Answer::ok(&body).no_store())
}
