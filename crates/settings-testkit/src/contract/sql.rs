//! What a test does to SQL tables behind the service's back, in words that both engines understand. Only literals differ.
use super::Tamper;
use crate::bytes::hex;
use settings_domain::ids::WorkspaceId;
use time::Duration;
use uuid::Uuid;

/// How an engine writes what SQL has no common literal for.
#[derive(Debug, Clone, Copy)]
pub struct Literals {
    uuid: fn(Uuid) -> String,
    bytes: fn(&[u8]) -> String,
}

/// Postgres' literals.
pub const POSTGRES: Literals = Literals { uuid: |id| format!("'{id}'"), bytes: |b| format!("'\\x{}'", hex(b)) };
/// SQLite's literals: it keeps an id as its 16 bytes.
pub const SQLITE: Literals =
    Literals { uuid: |id| format!("x'{}'", hex(id.as_bytes())), bytes: |b| format!("x'{}'", hex(b)) };

/// Instants that rules compare with the clock, by table. What only tells when something was is not among them.
const INSTANTS: &[(&str, &[&str])] = &[
    ("invitations", &["expires_at"]),
    ("api_keys", &["expires_at"]),
    ("sign_in_links", &["expires_at"]),
    ("sessions", &["created_at", "expires_at"]),
    ("idempotency", &["created_at"]),
    ("outbox", &["next_at", "lease_until", "created_at"]),
    ("erasure_runs", &["touched_at"]),
    ("identity_mirrors", &["next_at", "lease_until", "behind_since"]),
    ("audit_digests", &["next_due_at", "last_due_at", "last_sent_at", "covered_at"]),
    ("audit_digest_runs", &["since", "until", "sent_at"]),
    ("connections", &["authorized_at"]),
    ("webhook_subscriptions", &["previous_secret_until"]),
    ("webhook_health", &["failing_since", "told_at"]),
    ("published_events", &["received_at"]),
    ("deliveries", &["created_at"]),
    ("billing_accounts", &["read_at"]),
    ("billing_events", &["handled_at"]),
    ("billing_checks", &["next_at"]),
    ("usage_records", &["at"]),
];

/// Moves everything that is stored back in time: for rules, as much time has passed. A clock that cannot be moved stays.
#[must_use]
pub fn age(by: Duration) -> Vec<String> {
    let micros = by.whole_microseconds();
    let back = |(table, columns): &(&str, &[&str])| {
        let set: Vec<_> = columns.iter().map(|c| format!("{c} = {c} - {micros}")).collect();
        format!("UPDATE {table} SET {}", set.join(", "))
    };
    // Unique in a workspace and checked row by row: two steps, so that no row meets where another one stood.
    let due = [
        format!("UPDATE audit_digest_runs SET due_at = -(due_at - {micros})"),
        "UPDATE audit_digest_runs SET due_at = -due_at".to_owned(),
    ];
    // What a program keeps of a workspace holds until its epoch changes.
    INSTANTS.iter().map(back).chain(due).chain(["UPDATE workspaces SET epoch = epoch + 1".to_owned()]).collect()
}

/// Changes a stored chain. The triggers that refuse such changes have to be out of the way.
#[must_use]
pub fn tamper(literals: &Literals, workspace: WorkspaceId, how: &Tamper) -> Vec<String> {
    let own = |column: &str| format!("{column} = {}", (literals.uuid)(workspace.as_uuid()));
    let ws = own("workspace_id");
    let both = |change: &dyn Fn(&str) -> String| vec![change("audit_openings"), change("audit_events")];
    match how {
        Tamper::EditEvent(seq) => vec![format!(
            "UPDATE audit_events SET risk = CASE WHEN risk = 'low' THEN 'high' ELSE 'low' END WHERE {ws} AND seq = {seq}"
        )],
        Tamper::DeleteEvent(seq) => both(&|table| format!("DELETE FROM {table} WHERE {ws} AND seq = {seq}")),
        Tamper::TruncateAfter(seq) => both(&|table| format!("DELETE FROM {table} WHERE {ws} AND seq > {seq}")),
        Tamper::SwapEvents(a, b) => {
            let parked = i64::MAX;
            let moves = [(*a, parked), (*b, *a), (parked, *b)];
            let one = |(from, to)| both(&|table| format!("UPDATE {table} SET seq = {to} WHERE {ws} AND seq = {from}"));
            moves.into_iter().flat_map(one).collect()
        }
        Tamper::EditOpening(seq) => {
            let bytes = (literals.bytes)(b"somebody else");
            let field = format!("(SELECT min(field) FROM audit_openings WHERE {ws} AND seq = {seq})");
            vec![format!("UPDATE audit_openings SET sealed = {bytes} WHERE {ws} AND seq = {seq} AND field = {field}")]
        }
        Tamper::CopyFromOtherTenant { other, seq } => {
            let columns = "at, version, action, risk, actor_kind, actor_key, target_kind, target_id, changes, \
                           commitments, hash, mac";
            let source = format!("workspace_id = {} AND seq = {seq}", (literals.uuid)(other.as_uuid()));
            vec![format!(
                "UPDATE audit_events SET ({columns}) = (SELECT {columns} FROM audit_events WHERE {source}) \
                 WHERE {ws} AND seq = {seq}"
            )]
        }
        Tamper::ForgetHead => vec![format!("DELETE FROM audit_heads WHERE {ws}")],
    }
}
