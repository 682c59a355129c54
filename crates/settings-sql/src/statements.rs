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

/// The columns of `variables::read_record`, from a table called `v`.
#[macro_export]
#[doc(hidden)]
macro_rules! variable_columns {
    () => {
        "v.workspace_id AS v_workspace_id, v.id AS v_id, v.environment_id AS v_environment_id, v.name AS v_name, \
         v.sealed AS v_sealed, v.key_generation AS v_key_generation, v.value_version AS v_value_version, \
         v.value_digest AS v_value_digest, v.version AS v_version, v.created_at AS v_created_at, \
         v.updated_at AS v_updated_at"
    };
}

/// The columns of `models::read_record`, from a table called `o`.
#[macro_export]
#[doc(hidden)]
macro_rules! model_columns {
    () => {
        "o.workspace_id AS o_workspace_id, o.id AS o_id, o.provider AS o_provider, o.name AS o_name, \
         o.description AS o_description, o.url AS o_url, o.origin AS o_origin, o.auth AS o_auth, o.sealed AS o_sealed, \
         o.key_generation AS o_key_generation, o.value_version AS o_value_version, o.visible AS o_visible, \
         o.version AS o_version, o.created_at AS o_created_at, o.updated_at AS o_updated_at"
    };
}

/// A message of the queue called `o` is due and nobody's, by a clock that was read once.
#[macro_export]
#[doc(hidden)]
macro_rules! due {
    () => {
        "o.state = 'pending' AND o.next_at <= (SELECT now FROM clock) \
         AND (o.lease_until IS NULL OR o.lease_until <= (SELECT now FROM clock))"
    };
}

/// Makes an engine's statements from the words in which engines differ.
#[macro_export]
macro_rules! engine_statements {
    (tenant_lock: $tenant:literal, row_lock: $row:literal, before_claim: $before:literal, skip_locked: $skip:literal,
     each: ($each_open:literal, $each_close:literal), in_ids: $in_ids:literal, epochs: $epochs:literal $(,)?) => {
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
            before_claim: $before,
            // One workspace's flood delays nobody else (NO06, NO15): every one with something due gets a message before any gets
            // a second, and what is left over goes to whoever has more. The steps over `turns` and the look at each head are
            // index lookups, so the cost grows with the workspaces that wait, not with their messages.
            claim: concat!(
                "WITH RECURSIVE clock(now) AS MATERIALIZED (SELECT ", $crate::now!(), "), \
                 turns(turn) AS (\
                 SELECT (SELECT o.turn FROM outbox o WHERE o.state = 'pending' ORDER BY o.turn LIMIT 1) \
                 UNION ALL SELECT (SELECT o.turn FROM outbox o WHERE o.state = 'pending' AND o.turn > t.turn \
                 ORDER BY o.turn LIMIT 1) FROM turns t WHERE t.turn IS NOT NULL), \
                 heads(turn, next_at) AS MATERIALIZED (SELECT t.turn, (SELECT o.next_at FROM outbox o WHERE o.turn = t.turn AND ",
                $crate::due!(), " ORDER BY o.next_at LIMIT 1) FROM turns t WHERE t.turn IS NOT NULL), \
                 first(turn) AS MATERIALIZED (SELECT turn FROM heads WHERE next_at IS NOT NULL ORDER BY next_at LIMIT $1), \
                 ranked(id, next_at, place) AS MATERIALIZED (SELECT o.id, o.next_at, \
                 row_number() OVER (PARTITION BY f.turn ORDER BY o.next_at, o.id) FROM first f ",
                $each_open, " WHERE o.turn = f.turn AND ", $crate::due!(), " ORDER BY o.next_at, o.id LIMIT $1", $each_close,
                "), due AS MATERIALIZED (SELECT o.id FROM ranked r JOIN outbox o ON o.id = r.id \
                 WHERE o.state = 'pending' AND (o.lease_until IS NULL OR o.lease_until <= (SELECT now FROM clock)) \
                 ORDER BY r.place, r.next_at, o.id LIMIT $1", $skip, ") \
                 UPDATE outbox SET attempts = attempts + 1, lease_until = (SELECT now FROM clock) + $2 \
                 WHERE id IN (SELECT id FROM due) \
                 RETURNING id, workspace_id, kind, subject_id, generation, attempts, created_at, parked"
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
            dependants: concat!(
                "SELECT u.used_kind AS used_kind, u.used_id AS used_id, u.referrer_kind AS referrer_kind, \
                 u.referrer_id AS referrer_id, r.name AS name FROM reference_uses u \
                 JOIN referrers r ON r.workspace_id = u.workspace_id AND r.kind = u.referrer_kind AND r.id = u.referrer_id \
                 WHERE u.workspace_id = $2 AND u.used_id ", $in_ids
            ),
            known_uses: concat!(
                "SELECT 'variable' AS used_kind, id AS used_id FROM variables WHERE workspace_id = $2 AND id ", $in_ids,
                " UNION ALL SELECT 'secret', id FROM secrets WHERE workspace_id = $2 AND id ", $in_ids,
                " UNION ALL SELECT 'model', id FROM models WHERE workspace_id = $2 AND id ", $in_ids,
                " UNION ALL SELECT 'environment', id FROM environments WHERE workspace_id = $2 AND id ", $in_ids
            ),
            attempts: concat!(
                "SELECT delivery_id, at, accepted, status, cause, millis FROM delivery_attempts \
                 WHERE workspace_id = $2 AND delivery_id ", $in_ids, " ORDER BY delivery_id, number"
            ),
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
        crate::erasure::ALL,
        crate::erasure_work::ALL,
        crate::invitations::ALL,
        crate::api_keys::ALL,
        crate::audit::ALL,
        crate::audit_checkpoints::ALL,
        crate::audit_digest::ALL,
        crate::idempotency::ALL,
        crate::outbox::ALL,
        crate::mirror::ALL,
        crate::accounts::ALL,
        crate::directory::ALL,
        crate::activity::ALL,
        crate::root_key::ALL,
        crate::data_keys::ALL,
        crate::variables::ALL,
        crate::secrets::ALL,
        crate::models::ALL,
        crate::references::ALL,
        crate::resolving::ALL,
        crate::notifications::ALL,
        crate::connections::ALL,
        crate::webhook_subscriptions::ALL,
        crate::events::ALL,
        crate::deliveries::ALL,
        crate::outgoing::ALL,
        crate::billing::ALL,
    ]
    .concat()
}
