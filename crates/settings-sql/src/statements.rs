//! Makes statements that can be listed: a test prepares each one on both engines.

/// Declares statements as constants and lists them in `ALL`.
macro_rules! statements {
    ($($(#[$doc:meta])* $name:ident = $sql:expr;)*) => {
        $($(#[$doc])* pub const $name: &str = $sql;)*
        /// Every statement of this file with its name.
        pub const ALL: &[(&str, &str)] = &[$((concat!(module_path!(), "::", stringify!($name)), $name)),*];
    };
}
pub(crate) use statements;

/// The database's clock in whole microseconds: the one that rules use, so that all servers agree.
#[macro_export]
#[doc(hidden)]
macro_rules! now {
    () => {
        "CAST(unixepoch('subsec') * 1000000 AS BIGINT)"
    };
}

/// Makes an engine's statements from the words in which engines differ.
#[macro_export]
macro_rules! engine_statements {
    (tenant_lock: $tenant:literal, row_lock: $row:literal, skip_locked: $skip:literal, in_ids: $in_ids:literal,
     epochs: $epochs:literal $(,)?) => {
        $crate::engine::EngineStatements {
            lock_workspace: concat!("SELECT deleted_at FROM workspaces WHERE id = $1", $tenant),
            lock_member: concat!(
                "SELECT ", $crate::member_columns!(), ", ", $crate::now!(), " AS now FROM memberships m \
                 WHERE m.workspace_id = $1 AND m.user_id = $2", $row
            ),
            lock_key: concat!(
                "SELECT ", $crate::key_columns!(), ", ", $crate::now!(), " AS now FROM api_keys k \
                 WHERE k.workspace_id = $1 AND k.id = $2", $row
            ),
            claim: concat!(
                "WITH due AS MATERIALIZED (SELECT id FROM outbox WHERE state = 'pending' AND next_at <= ", $crate::now!(),
                " AND (lease_until IS NULL OR lease_until <= ", $crate::now!(), ") ORDER BY next_at LIMIT $1", $skip, ") \
                 UPDATE outbox SET attempts = attempts + 1, lease_until = ", $crate::now!(), " + $2 \
                 WHERE id IN (SELECT id FROM due) \
                 RETURNING id, workspace_id, kind, subject_id, generation, attempts"
            ),
            load_keys: concat!(
                "SELECT ", $crate::key_columns!(), ", ", $crate::workspace_columns!(), ", w.epoch AS epoch, \
                 (SELECT count(*) FROM memberships m WHERE m.workspace_id = w.id AND m.removed_at IS NULL) AS members, \
                 (SELECT string_agg(CAST(i.expires_at AS TEXT), ',') FROM invitations i \
                  WHERE i.workspace_id = w.id AND i.state = 'pending') AS waiting, ",
                $crate::now!(), " AS now FROM api_keys k JOIN workspaces w ON w.id = k.workspace_id \
                 WHERE w.deleted_at IS NULL AND k.id ", $in_ids
            ),
            epochs: $epochs,
        }
    };
}

/// Every statement that both engines share, with its name.
#[must_use]
pub fn statements() -> Vec<(&'static str, &'static str)> {
    [
        crate::workspaces::ALL,
        crate::environments::ALL,
        crate::members::ALL,
        crate::invitations::ALL,
        crate::api_keys::ALL,
        crate::audit::ALL,
        crate::idempotency::ALL,
        crate::outbox::ALL,
        crate::accounts::ALL,
        crate::directory::ALL,
        crate::activity::ALL,
        crate::root_key::ALL,
    ]
    .concat()
}
