//! `/workspace/members/{userId}/erase` (seed A, GDPR erasure).
use crate::{
    Api,
    answer::Answer,
    api_keys::ActiveKey,
    input::Input,
    json::{Body, Fields},
    operation::{Operation, op},
    problem::Problem,
};
use http::Method;
use serde::Serialize;
use settings_domain::{
    erasure::TOMBSTONE,
    policy::{Permit, actions},
    transaction::Call,
};
use std::sync::Arc;
use utoipa::ToSchema;

/// Whom to erase, said once more.
#[derive(Debug, ToSchema)]
pub(crate) struct Erase {
    /// The member's e-mail address; the account's id where none is known.
    confirm: String,
}

impl Body for Erase {
    fn read(f: &mut Fields) -> Option<Self> {
        Some(Self { confirm: f.required("confirm")? })
    }
}

/// The receipt of an erasure.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::struct_field_names, reason = "the names are those of the answer")]
pub(crate) struct Erased {
    /// What stands in the audit log where the person stood: `erased`, the same for everybody.
    tombstone: &'static str,
    /// How many audit events spoke of the person.
    audit_events_rewritten: i64,
    /// Keys they made that still work, without a name now.
    active_api_keys: Vec<ActiveKey>,
    /// Whether the account went too; `false` where another workspace still knows it.
    account_erased: bool,
    /// Place of `member.erased` in the audit log.
    audit_seq: i64,
    /// A signed note of it, which anybody can check with the public key of the audit log's checkpoints.
    /// Null where it could not be made right now: the erasure stands, and the same call with its Idempotency-Key gives it.
    receipt: Option<String>,
    /// What this service can't reach, and somebody has to look at.
    out_of_reach: Vec<&'static str>,
}

/// Copies that have left, or that no statement finds (the order of `docs/adr/0011`).
const OUT_OF_REACH: [&str; 5] = [
    "free text that somebody typed, such as names of keys, variables and workspaces",
    "mails, Slack messages and webhook calls that were delivered",
    "the account at the identity provider",
    "logs and backups until they expire",
    "files of Postgres until VACUUM FULL and the recycling of its log",
];

pub(crate) fn operations() -> Vec<Operation> {
    const T: &str = "members";
    vec![
        op(Method::POST, "/workspace/members/{userId}/erase", "eraseMember", T, "Erase a person, for ever")
            .takes::<Erase>()
            .gives::<Erased>(200)
            .problems(&["already-erased", "last-admin", "idempotency-key-reused"])
            .write(erase),
    ]
}

async fn erase(
    api: Arc<Api>,
    permit: Permit<actions::EraseMember>,
    call: Call,
    input: Arc<Input>,
) -> Result<Answer, Problem> {
    let user = input.id("userId")?;
    let Erase { confirm } = input.json()?;
    let done = api.app().erase_member(&permit, &call, user, &confirm).await?;
    let erased = done.value();
    // The erasure is durable: whatever becomes of its receipt, the answer is that it was done.
    let receipt = api.app().erasure_receipt(permit.scope().workspace(), erased).await;
    let receipt =
        receipt.inspect_err(|error| tracing::error!(seq = erased.seq, %error, "no receipt of an erasure")).ok();
    Ok(Answer::ok(&Erased {
        tombstone: TOMBSTONE,
        audit_events_rewritten: erased.events,
        active_api_keys: erased.active_keys.iter().map(ActiveKey::from).collect(),
        account_erased: erased.account,
        audit_seq: erased.seq,
        receipt,
        out_of_reach: OUT_OF_REACH.to_vec(),
    })
    .replayed(done.is_replay()))
}
