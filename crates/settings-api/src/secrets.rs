//! `/secrets` (seed A): values that may be read again, each time with an audit event first.
use crate::{
    Api,
    answer::{Answer, List, rfc3339},
    dispatch::limited,
    input::{Input, principal},
    json::{Body, Fields},
    operation::{Operation, op},
    problem::Problem,
    variables::environment_filter,
};
use http::Method;
use secrecy::ExposeSecret as _;
use serde::Serialize;
use settings_app::secrets::{CreateSecret, Revealed};
use settings_domain::{
    ids::{EnvironmentId, SecretId},
    policy::{Permit, actions},
    sealed::SecretValue,
    secrets as domain,
    text::DisplayName,
    transaction::{Call, Snapshot},
};
use std::sync::Arc;
use utoipa::ToSchema;

/// A secret, without its value.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Secret {
    /// Its id.
    #[schema(format = Uuid)]
    id: String,
    /// Unique in its environment.
    name: String,
    /// The environment, for ever.
    #[schema(format = Uuid)]
    environment_id: String,
    /// Whether nobody can read it through the API any more.
    sealed: bool,
    /// RFC 3339, UTC.
    #[schema(format = DateTime)]
    created_at: String,
    /// RFC 3339, UTC.
    #[schema(format = DateTime)]
    updated_at: String,
    /// RFC 3339, UTC; null before the first rotation.
    #[schema(format = DateTime)]
    rotated_at: Option<String>,
    /// Counts changes; also the entity tag.
    version: i64,
}

impl From<&domain::Secret> for Secret {
    fn from(s: &domain::Secret) -> Self {
        Self {
            id: s.id.to_string(),
            name: s.name.to_string(),
            environment_id: s.environment.to_string(),
            sealed: s.sealed,
            created_at: rfc3339(s.created_at),
            updated_at: rfc3339(s.updated_at),
            rotated_at: s.rotated_at.map(rfc3339),
            version: s.version,
        }
    }
}

/// A secret to be kept.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub(crate) struct NewSecret {
    /// 1 to 200 characters, unique in its environment.
    #[schema(value_type = String, min_length = 1, max_length = 200)]
    name: DisplayName,
    /// 1 to 65,536 bytes, kept byte for byte.
    #[schema(value_type = String, write_only, min_length = 1, max_length = 65536)]
    value: SecretValue,
    /// Where.
    #[schema(value_type = String, format = Uuid)]
    environment_id: EnvironmentId,
    /// Whether nobody shall ever read it through the API; false where absent.
    sealed: Option<bool>,
}

impl Body for NewSecret {
    fn read(f: &mut Fields) -> Option<Self> {
        let (name, environment_id, sealed) = (f.required("name"), f.required("environmentId"), f.boolean("sealed"));
        let value = f.required_secret("value");
        Some(Self { name: name?, value: value?, environment_id: environment_id?, sealed })
    }
}

/// Another value.
#[derive(ToSchema)]
pub(crate) struct NewValue {
    /// 1 to 65,536 bytes, kept byte for byte.
    #[schema(value_type = String, write_only, min_length = 1, max_length = 65536)]
    value: SecretValue,
}

impl Body for NewValue {
    fn read(f: &mut Fields) -> Option<Self> {
        f.required_secret("value").map(|value| Self { value })
    }
}

/// A value, this once.
#[derive(Serialize, ToSchema)]
pub(crate) struct RevealedValue {
    /// The value. Null in the replay of an earlier call: values are never kept.
    value: Option<String>,
}

pub(crate) fn operations() -> Vec<Operation> {
    const T: &str = "secrets";
    const LIST: &[(&str, &str)] = &[
        ("environmentId", "Only secrets of this environment"),
        ("limit", "Entries per page, 1 to 100; 50 where absent"),
        ("cursor", "Where to go on: `nextCursor` of the page before"),
    ];
    vec![
        op(Method::GET, "/secrets", "listSecrets", T, "List secrets, without their values")
            .query(LIST)
            .gives_list::<Secret>()
            .problems(&["invalid-cursor"])
            .read(list),
        op(Method::POST, "/secrets", "createSecret", T, "Keep a secret")
            .takes::<NewSecret>()
            .gives::<Secret>(201)
            .problems(&["name-taken", "quota-reached", "idempotency-key-reused"])
            .write(create),
        op(Method::GET, "/secrets/{secretId}", "getSecret", T, "Read about a secret, without its value")
            .gives::<Secret>(200)
            .read(get),
        op(Method::DELETE, "/secrets/{secretId}", "deleteSecret", T, "Delete a secret")
            .problems(&["precondition-failed", "confirmation-required"])
            .write(delete),
        op(Method::POST, "/secrets/{secretId}/rotate", "rotateSecret", T, "Give a secret another value")
            .takes::<NewValue>()
            .gives::<Secret>(200)
            .problems(&["confirmation-required", "idempotency-key-reused"])
            .write(rotate),
        op(
            Method::POST,
            "/secrets/{secretId}/seal",
            "sealSecret",
            T,
            "Make a secret unreadable through the API, for ever",
        )
        .gives::<Secret>(200)
        .problems(&["idempotency-key-reused"])
        .write(seal),
        op(
            Method::POST,
            "/secrets/{secretId}/reveal",
            "revealSecret",
            T,
            "Read a secret's value; the audit event is durable before it leaves",
        )
        .gives::<RevealedValue>(200)
        .problems(&["secret-sealed", "idempotency-key-reused"])
        .no_tool("it shows a value")
        .write(reveal),
    ]
}

async fn list(
    api: Arc<Api>,
    mut snapshot: Snapshot<actions::ListSecrets>,
    input: Arc<Input>,
) -> Result<Answer, Problem> {
    input.only(&["environmentId", "limit", "cursor"])?;
    let environment = environment_filter(&input)?;
    let context =
        format!("{}|{}", snapshot.permit().scope().workspace(), environment.map(|e| e.to_string()).unwrap_or_default());
    let after: Option<SecretId> = api.position(&input, &context, "secrets")?;
    let page = input.page(after.map(SecretId::as_uuid))?;
    let there = snapshot.secrets(environment, page).await?.ok_or_else(|| Problem::plain("not-found"))?;
    let list: List<Secret> = api.list(&input, &context, "secrets", there, |s| s.id.as_uuid(), |s| Secret::from(&s))?;
    Ok(Answer::ok(&list))
}

async fn get(_: Arc<Api>, mut snapshot: Snapshot<actions::ListSecrets>, input: Arc<Input>) -> Result<Answer, Problem> {
    let there = snapshot.secret(input.id("secretId")?).await?.ok_or_else(|| Problem::plain("not-found"))?;
    Ok(Answer::ok(&Secret::from(&there)).version(there.version))
}

async fn create(
    api: Arc<Api>,
    permit: Permit<actions::CreateSecret>,
    call: Call,
    input: Arc<Input>,
) -> Result<Answer, Problem> {
    let NewSecret { name, value, environment_id: environment, sealed } = input.json()?;
    let new = CreateSecret { environment, name, value, sealed: sealed.unwrap_or(false) };
    let done = api.app().create_secret(&permit, &call, new).await?;
    Ok(Answer::created(&Secret::from(done.value())).version(done.value().version).replayed(done.is_replay()))
}

async fn rotate(
    api: Arc<Api>,
    permit: Permit<actions::RotateSecret>,
    call: Call,
    input: Arc<Input>,
) -> Result<Answer, Problem> {
    let id: SecretId = input.id("secretId")?;
    let NewValue { value } = input.json()?;
    let done = api.app().rotate_secret(&permit, &call, id, &value).await?;
    Ok(Answer::ok(&Secret::from(done.value())).version(done.value().version).replayed(done.is_replay()))
}

async fn seal(
    api: Arc<Api>,
    permit: Permit<actions::SealSecret>,
    call: Call,
    input: Arc<Input>,
) -> Result<Answer, Problem> {
    let id: SecretId = input.id("secretId")?;
    let () = input.json()?;
    let done = api.app().seal_secret(&permit, &call, id).await?;
    Ok(Answer::ok(&Secret::from(done.value())).version(done.value().version).replayed(done.is_replay()))
}

async fn reveal(
    api: Arc<Api>,
    permit: Permit<actions::RevealSecret>,
    call: Call,
    input: Arc<Input>,
) -> Result<Answer, Problem> {
    let id: SecretId = input.id("secretId")?;
    let () = input.json()?;
    if let Some(limits) = api.limits() {
        limits.reveal(&principal(&call.caller)).map_err(limited)?;
    }
    let Revealed { access, value } = api.app().reveal_secret(&permit, &call, id).await?;
    // The one place where the value leaves: after the event of this access is durable.
    let body = RevealedValue { value: value.map(|v| v.expose_secret().to_owned()) };
    Ok(Answer::ok(&body).no_store().replayed(access.is_replay()))
}

async fn delete(
    api: Arc<Api>,
    permit: Permit<actions::DeleteSecret>,
    call: Call,
    input: Arc<Input>,
) -> Result<Answer, Problem> {
    let id: SecretId = input.id("secretId")?;
    let () = input.json()?;
    api.app().delete_secret(&permit, &call, id).await?;
    Ok(Answer::nothing())
}
