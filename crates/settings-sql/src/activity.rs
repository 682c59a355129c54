//! When keys and members were last seen: upserts that only ever move forward.
use crate::db::{SqlDb, Stmt, Tx};
use settings_domain::ports::{StoreError, directory::Sightings};

statements! {
    /// A key was used.
    KEY_USED = "INSERT INTO api_key_uses (workspace_id, key_id, last_used_at) VALUES ($1, $2, $3) \
        ON CONFLICT (workspace_id, key_id) DO UPDATE SET last_used_at = excluded.last_used_at \
        WHERE api_key_uses.last_used_at < excluded.last_used_at";
    /// A member called. Of somebody who was erased meanwhile nothing is written down.
    MEMBER_SEEN = "INSERT INTO member_activity (workspace_id, user_id, last_active_at) \
        SELECT workspace_id, user_id, CAST($3 AS BIGINT) FROM memberships WHERE workspace_id = $1 AND user_id = $2 \
        ON CONFLICT (workspace_id, user_id) DO UPDATE SET last_active_at = excluded.last_active_at \
        WHERE member_activity.last_active_at < excluded.last_active_at";
}

/// Keeps the latest of each. Rows are taken in the order of their keys, so that two processes can't wait for each other.
pub async fn record<D: SqlDb>(tx: &mut Tx<D>, seen: &Sightings) -> Result<(), StoreError> {
    let mut keys: Vec<_> = seen.keys.iter().map(|(w, k, at)| (w.as_uuid(), k.as_uuid(), *at)).collect();
    let mut members: Vec<_> = seen.members.iter().map(|(w, u, at)| (w.as_uuid(), u.as_uuid(), *at)).collect();
    keys.sort_unstable();
    members.sort_unstable();
    for (sql, rows) in [(KEY_USED, keys), (MEMBER_SEEN, members)] {
        for (workspace, id, at) in rows {
            tx.run(Stmt::new(sql).bind(workspace).bind(id).time(at)).await?;
        }
    }
    Ok(())
}
