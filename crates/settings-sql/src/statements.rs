//! Makes statements that can be listed: a test prepares each one on both engines.

/// Declares statements as constants and lists them in `ALL`.
macro_rules! statements {
    ($($(#[$doc:meta])* $name:ident = $sql:expr;)*) => {
        $($(#[$doc])* pub const $name: &str = $sql;)*
        /// Every statement of this file with its name.
        pub const ALL: &[(&str, &str)] = &[$((concat!(module_path!(), "::", stringify!($name)), $name)),*];
    };
}

/// The database's clock in whole microseconds: the one that rules use, so that all servers agree.
#[macro_export]
#[doc(hidden)]
macro_rules! now {
    () => {
        "CAST(unixepoch('subsec') * 1000000 AS BIGINT)"
    };
}

/// The columns of `workspaces::read` and its like, from a table called `w`.
#[macro_export]
#[doc(hidden)]
macro_rules! workspace_columns {
    () => {
        "w.id AS w_id, w.slug AS w_slug, w.name AS w_name, w.region AS w_region, w.retention_days AS w_retention_days, \
         w.floor_days AS w_floor_days, w.seat_limit AS w_seat_limit, w.created_at AS w_created_at, \
         w.updated_at AS w_updated_at, w.version AS w_version"
    };
}

/// Seats in use of the workspace called `w`, by the database's clock.
#[macro_export]
#[doc(hidden)]
macro_rules! seats_used {
    () => {
        concat!(
            "((SELECT count(*) FROM memberships x WHERE x.workspace_id = w.id AND x.removed_at IS NULL) + \
             (SELECT count(*) FROM invitations y WHERE y.workspace_id = w.id AND y.state = 'pending' AND y.expires_at > ",
            $crate::now!(),
            ")) AS seats_used"
        )
    };
}

/// The columns of `workspaces::read` and its like, from a table called `m`.
#[macro_export]
#[doc(hidden)]
macro_rules! member_columns {
    () => {
        "m.workspace_id AS m_workspace_id, m.user_id AS m_user_id, m.person_id AS m_person_id, m.role AS m_role, \
         m.joined_at AS m_joined_at, m.removed_at AS m_removed_at, m.version AS m_version"
    };
}

/// The columns of `api_keys::read_record`, from a table called `k`.
#[macro_export]
#[doc(hidden)]
macro_rules! key_columns {
    () => {
        "k.workspace_id AS k_workspace_id, k.id AS k_id, k.name AS k_name, k.prefix AS k_prefix, k.last4 AS k_last4, \
         k.scopes AS k_scopes, k.digest AS k_digest, k.seal AS k_seal, k.created_by AS k_created_by, \
         k.created_at AS k_created_at, k.expires_at AS k_expires_at, k.revoked_at AS k_revoked_at"
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
