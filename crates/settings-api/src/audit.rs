//! `/audit/events` and `/audit/verify` (seed A, audit scope).
use crate::{
    Api,
    answer::{Answer, List, rfc3339},
    api_keys::Instant,
    input::Input,
    operation::{Operation, op},
    problem::Problem,
};
use http::Method;
use serde::Serialize;
use settings_domain::{
    audit::{FieldChange, Risk},
    policy::actions,
    ports::store::{AuditEntry, AuditFilter},
    transaction::Snapshot,
};
use std::{collections::BTreeMap, sync::Arc};
use utoipa::ToSchema;
use uuid::Uuid;

/// What a field held that speaks of an erased person.
pub(crate) const ERASED: &str = "erased";

/// One field's change.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Change {
    /// The field.
    field: String,
    /// Before.
    from: Option<String>,
    /// After.
    to: Option<String>,
}

/// An audit event.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AuditEvent {
    /// Its id.
    #[schema(format = Uuid)]
    id: String,
    /// Its place in the chain, from 1, without gaps.
    seq: i64,
    /// RFC 3339, UTC.
    #[schema(format = DateTime)]
    created_at: String,
    /// What happened.
    action: String,
    /// `low`, `medium`, `high` or `critical`.
    risk: &'static str,
    /// `member`, `api_key`, `system` (the platform) or `service`.
    actor_kind: String,
    /// The account that acted; `erased` once that person is erased.
    person_id: Option<String>,
    /// The key that acted.
    key_id: Option<String>,
    /// What kind of thing it is about.
    target_kind: String,
    /// Which one; `erased` for an erased person.
    target_id: Option<String>,
    /// What changed.
    changes: Vec<Change>,
    /// Free text and personal data that goes with it; `erased` where it was.
    details: BTreeMap<String, String>,
    /// The request that did it.
    request_id: Option<String>,
    /// Its hash in the chain, in hex.
    hash: String,
}

impl From<AuditEntry> for AuditEvent {
    fn from(e: AuditEntry) -> Self {
        let id = e.record.id(&e.hash).to_string();
        let mut details: BTreeMap<String, String> =
            e.personal.into_iter().map(|(f, v)| (f, v.unwrap_or_else(|| ERASED.to_owned()))).collect();
        let person_id = details.remove("actor");
        let target = details.remove("target");
        let request_id = details.remove("requestId");
        let r = e.record;
        Self {
            id,
            seq: r.seq,
            created_at: rfc3339(r.at),
            action: r.action,
            risk: r.risk.name(),
            actor_kind: r.actor_kind,
            person_id,
            key_id: r.actor_key.map(|k| k.to_string()),
            target_kind: r.target_kind,
            target_id: r.target_id.map(|t| t.to_string()).or(target),
            changes: r.changes.into_iter().map(|FieldChange { field, from, to }| Change { field, from, to }).collect(),
            details,
            request_id,
            hash: hex::encode(e.hash),
        }
    }
}

/// The first event of a chain that does not hold.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Broken {
    /// Its place.
    seq: i64,
    /// What is wrong.
    fault: &'static str,
}

/// What a check of the whole chain found.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Verification {
    /// Events that hold.
    events: i64,
    /// Personal fields that were erased; that they are exactly those that erasures emptied is checked too.
    erased_fields: i64,
    /// Hash of the last one, in hex.
    head: String,
    /// Whether all of them hold.
    intact: bool,
    /// The first that does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    first_broken: Option<Broken>,
}

const FILTER: &[(&str, &str)] = &[
    ("risk", "One or more of low, medium, high, critical, separated by commas"),
    ("action", "Name of the event, such as member.removed"),
    ("actor", "Id of the account or key that acted"),
    ("target", "Id of what it is about"),
    ("from", "At or after, RFC 3339"),
    ("to", "Before, RFC 3339"),
    ("limit", "Entries per page, 1 to 100; 50 where absent"),
    ("cursor", "Where to go on: `nextCursor` of the page before"),
];

pub(crate) fn operations() -> Vec<Operation> {
    const T: &str = "audit";
    vec![
        op(Method::GET, "/audit/events", "listAuditEvents", T, "List audit events, newest first")
            .query(FILTER)
            .gives_list::<AuditEvent>()
            .problems(&["invalid-cursor"])
            .read(list),
        op(Method::GET, "/audit/verify", "verifyAudit", T, "Check the whole chain from the database")
            .gives::<Verification>(200)
            .read(verify),
    ]
}

pub(crate) fn filter(input: &Input) -> Result<AuditFilter, Problem> {
    let risks = match input.query("risk")? {
        None => Vec::new(),
        Some(text) => {
            let parse = |s: &str| {
                Risk::parse(s).ok_or_else(|| Problem::field("/risk", "must be low, medium, high or critical"))
            };
            text.split(',').map(parse).collect::<Result<_, _>>()?
        }
    };
    let instant = |name| -> Result<_, Problem> { Ok(input.query_as::<Instant>(name)?.map(|i| i.0)) };
    // What is no id of anybody has done nothing.
    let id = |name| -> Result<Option<Uuid>, Problem> {
        input
            .query(name)?
            .map(|s| s.parse().map_err(|_| Problem::field(&format!("/{name}"), "must be a UUID")))
            .transpose()
    };
    let (from, to) = (instant("from")?, instant("to")?);
    if from.zip(to).is_some_and(|(f, t)| f > t) {
        return Err(Problem::field("/from", "must not be after to"));
    }
    Ok(AuditFilter {
        risks,
        action: input.query("action")?,
        actor: id("actor")?,
        target: id("target")?,
        from,
        to,
        before_seq: None,
        after_seq: None,
    })
}

async fn list(api: Arc<Api>, mut snapshot: Snapshot<actions::ReadAudit>, input: Arc<Input>) -> Result<Answer, Problem> {
    input.only(&["risk", "action", "actor", "target", "from", "to", "limit", "cursor"])?;
    let mut filter = filter(&input)?;
    let context = format!("{}|{filter:?}", snapshot.permit().scope().workspace());
    filter.before_seq = api
        .open_position(&input, &context, "audit")?
        .map(|b| b.try_into().map(i64::from_be_bytes).map_err(|_| Problem::plain("invalid-cursor")))
        .transpose()?;
    let limit = input.limit()?;
    let mut entries = snapshot.audit_events(&filter, limit + 1).await?;
    let more = entries.len() > usize::try_from(limit).unwrap_or(usize::MAX);
    entries.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    let next_cursor = match entries.last() {
        Some(last) if more => Some(api.seal_position(&context, "audit", &last.record.seq.to_be_bytes())?),
        _ => None,
    };
    Ok(Answer::ok(&List { items: entries.into_iter().map(AuditEvent::from).collect(), next_cursor }))
}

async fn verify(api: Arc<Api>, snapshot: Snapshot<actions::ReadAudit>, _: Arc<Input>) -> Result<Answer, Problem> {
    let v = api.app().verify_audit_for(snapshot).await?;
    let first_broken = v.first_broken.map(|b| Broken { seq: b.seq, fault: b.fault });
    Ok(Answer::ok(&Verification {
        events: v.events,
        erased_fields: v.erased,
        head: v.head,
        intact: first_broken.is_none(),
        first_broken,
    }))
}
