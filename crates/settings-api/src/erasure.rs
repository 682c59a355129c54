//! `/workspace/members/{userId}/erase` (seed A, GDPR erasure), and how far it is.
use crate::{
    Api,
    answer::Answer,
    api_keys::ActiveKey,
    input::Input,
    json::{Body, Fields},
    operation::{Operation, op},
    problem::Problem,
};
use http::{Method, StatusCode};
use serde::Serialize;
use settings_domain::{
    erasure::TOMBSTONE,
    ids::WorkspaceId,
    policy::{Permit, actions},
    ports::StoreError,
    transaction::{Call, Snapshot},
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
    /// Whether everything is emptied. Where it is not (202), nobody can read anything of the person all the same, and it goes on
    /// by itself: `GET /workspace/erasures/{auditSeq}` says how far it is.
    complete: bool,
    /// How many values of the log, which nobody can read any more, are still to be emptied.
    values_left: i64,
    /// A signed note of it, which anybody can check with the public key of the audit log's checkpoints. Null before it is complete, or
    /// where it could not be made right now: the erasure stands, and `GET /workspace/erasures/{auditSeq}` gives it.
    receipt: Option<String>,
    /// Things whose names, which somebody typed, may name the person: look at them, and rename them.
    named_in: Vec<NamedIn>,
    /// What this service can't reach, and somebody has to look at.
    out_of_reach: Vec<&'static str>,
}

/// Something that may name a person.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct NamedIn {
    /// `workspace`, `environment`, `apiKey`, `variable`, `secret` or `model`.
    kind: String,
    /// Which one.
    id: String,
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
            .or(202)
            .problems(&["already-erased", "last-admin", "idempotency-key-reused"])
            .write(erase),
        op(Method::GET, "/workspace/erasures/{auditSeq}", "getErasure", T, "How far an erasure is, and its receipt")
            .gives::<ErasureState>(200)
            .read(progress),
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
    let seq = erased.seq;
    // It is decided: whoever can't be told how far it is may not hear that nothing happened.
    let state = state(&api, permit.scope().workspace(), seq).await.map_err(|e| match e {
        StoreError::Unavailable(cause) => StoreError::Unknown(cause),
        other => other,
    })?;
    let state = state.ok_or_else(|| Problem::plain("not-found"))?;
    let status = if state.complete { StatusCode::OK } else { StatusCode::ACCEPTED };
    let answer = Answer::json(
        status,
        &Erased {
            tombstone: TOMBSTONE,
            audit_events_rewritten: erased.events,
            active_api_keys: erased.active_keys.iter().map(ActiveKey::from).collect(),
            account_erased: erased.account,
            audit_seq: seq,
            complete: state.complete,
            values_left: state.values_left,
            receipt: state.receipt,
            named_in: erased.named_in.iter().map(|n| NamedIn { kind: n.kind.clone(), id: n.id.to_string() }).collect(),
            out_of_reach: OUT_OF_REACH.to_vec(),
        },
    );
    Ok(answer.replayed(done.is_replay()))
}

/// How far an erasure is.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ErasureState {
    /// Place of `member.erased` in the audit log.
    audit_seq: i64,
    /// How many audit events spoke of the person.
    audit_events_rewritten: i64,
    /// Whether everything is emptied.
    complete: bool,
    /// How many values of the log, which nobody can read any more, are still to be emptied.
    values_left: i64,
    /// The signed note, once it is complete.
    receipt: Option<String>,
}

async fn progress(
    api: Arc<Api>,
    snapshot: Snapshot<actions::EraseMember>,
    input: Arc<Input>,
) -> Result<Answer, Problem> {
    let workspace = snapshot.permit().scope().workspace();
    drop(snapshot);
    let state = state(&api, workspace, input.id("auditSeq")?).await?;
    Ok(Answer::ok(&state.ok_or_else(|| Problem::plain("not-found"))?))
}

async fn state(api: &Api, workspace: WorkspaceId, seq: i64) -> Result<Option<ErasureState>, StoreError> {
    let Some(run) = api.app().erasure(workspace, seq).await? else { return Ok(None) };
    let complete = run.completed_at.is_some();
    let mut receipt = None;
    if complete {
        // The erasure is durable: whatever becomes of its receipt, the answer is that it was done.
        let made = api.app().erasure_receipt(workspace, &run).await;
        receipt = made.inspect_err(|error| tracing::error!(seq, %error, "no receipt of an erasure")).ok();
    }
    Ok(Some(ErasureState {
        audit_seq: seq,
        audit_events_rewritten: run.events,
        complete,
        values_left: if complete { 0 } else { (run.openings - run.emptied).max(0) },
        receipt,
    }))
}
