//! Kept outcomes of calls that may be retried.
use crate::db::{SqlDb, Stmt, Tx};
use settings_domain::{
    change::StoredOutcome,
    idempotency::{IdempotentCall, KEPT, Recorded},
    ports::StoreError,
};
use time::OffsetDateTime;
use uuid::Uuid;

statements! {
    /// What is known of a call.
    GET = "SELECT fingerprint, outcome FROM idempotency \
        WHERE scope_id = $1 AND principal = $2 AND operation = $3 AND key = $4 AND created_at > $5";
    /// Forgets what is older than a day.
    FORGET = "DELETE FROM idempotency WHERE scope_id = $1 AND created_at <= $2";
    /// The same for every scope.
    FORGET_ALL = "DELETE FROM idempotency WHERE created_at <= $1";
    /// Keeps an outcome.
    INSERT = "INSERT INTO idempotency (scope_id, principal, operation, key, fingerprint, outcome, created_at) \
        VALUES ($1, $2, $3, $4, $5, $6, $7)";
}

fn about<D: SqlDb>(sql: &'static str, scope: Uuid, call: &IdempotentCall) -> Stmt<D> {
    Stmt::new(sql).bind(scope).text(&call.principal).text(call.operation).text(&call.key)
}

/// Looks a call up. The scope is the workspace, or nil for a call that makes one.
pub async fn recorded<D: SqlDb>(
    tx: &mut Tx<D>,
    scope: Uuid,
    call: &IdempotentCall,
    at: OffsetDateTime,
) -> Result<Recorded, StoreError> {
    let found = tx
        .first(about(GET, scope, call).time(at - KEPT), |row| Ok((row.bytes32("fingerprint")?, row.text("outcome")?)))
        .await?;
    Ok(match found {
        None => Recorded::Unknown,
        Some((fingerprint, outcome)) if fingerprint == call.fingerprint => Recorded::Done(outcome),
        Some(_) => Recorded::Reused,
    })
}

/// Keeps an outcome with its effect.
pub async fn keep<D: SqlDb>(
    tx: &mut Tx<D>,
    scope: Uuid,
    outcome: &StoredOutcome,
    at: OffsetDateTime,
) -> Result<(), StoreError> {
    tx.run(Stmt::new(FORGET).bind(scope).time(at - KEPT)).await?;
    let stmt = about(INSERT, scope, &outcome.call).bytes(&outcome.call.fingerprint).text(&outcome.value).time(at);
    tx.run_one(stmt).await
}

/// Forgets outcomes of every scope that are older than a day. The transaction must be in the directory's scope.
pub async fn forget_all<D: SqlDb>(tx: &mut Tx<D>, at: OffsetDateTime) -> Result<u64, StoreError> {
    tx.run(Stmt::new(FORGET_ALL).time(at - KEPT)).await
}
