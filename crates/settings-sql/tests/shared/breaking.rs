//! Raw statements that break each rule, and the name under which the database refuses them.
use super::world::{AnyStore, World, caller, uuid};
use settings_domain::{
    policy::{Role, actions},
    ports::{StoreError, store::Selector},
};
use settings_sql::db::{SqlDb, Stmt, Tx};
use uuid::Uuid;

/// A statement over ids, and what becomes of it.
pub(crate) struct Case {
    pub(crate) workspace: Uuid,
    sql: &'static str,
    ids: Vec<Uuid>,
    /// The constraint that refuses; `None` when it must pass.
    refused_by: Option<&'static str>,
}

/// A workspace of three seats: Ada is its admin, Bob a viewer, one invitation waits, so it is full. And another one with a
/// deleted past, to take names from.
pub(crate) async fn cases<S: AnyStore>(world: &World<S>) -> Vec<Case> {
    let (ada, bob) = (world.person("Ada").await, world.person("Bob").await);
    let id = world.workspace("full", &ada).await.workspace.id;
    world.workspace("taken", &ada).await;
    let admin = caller(&ada);
    let invitation = world.invite(&admin, id, "bob@example.org", Role::Viewer).await;
    world.accept(&bob, &invitation).await;
    let waiting = world.invite(&admin, id, "eve@example.org", Role::Viewer).await;
    let key = world.key(&admin, id).await;
    let mut view = world.snapshot::<actions::ListMembers>(&admin, &Selector::Id(id)).await;
    let person = view.member(bob.id).await.unwrap().unwrap().member.person.as_uuid();
    let (w, a, b) = (id.as_uuid(), ada.id.as_uuid(), bob.id.as_uuid());
    let fresh = uuid();
    let case = |sql, ids: &[Uuid], refused_by| Case { workspace: w, sql, ids: ids.to_vec(), refused_by };
    let mut cases = vec![
        case("UPDATE workspaces SET slug = 'moved' WHERE id = $1", &[w], Some("slug-immutable")),
        Case {
            workspace: fresh,
            sql: "INSERT INTO workspaces (id, slug, name, region, retention_days, floor_days, seat_limit, version, \
                  created_at, updated_at) VALUES ($1, 'taken', 'n', 'eu', 1, 1, 1, 1, 1, 1)",
            ids: vec![fresh],
            refused_by: Some("slug"),
        },
        case("UPDATE workspaces SET seat_limit = 2 WHERE id = $1", &[w], Some("seat-limit")),
        case("UPDATE workspaces SET seat_limit = 4 WHERE id = $1", &[w], None),
        case("DELETE FROM environments WHERE workspace_id = $1", &[w], Some("production")),
        case("UPDATE environments SET name = 'live' WHERE workspace_id = $1", &[w], Some("production")),
        case("UPDATE environments SET tier = 'staging' WHERE workspace_id = $1", &[w], Some("production")),
        case(
            "INSERT INTO environments (workspace_id, id, name, tier, version, created_at, updated_at) \
             VALUES ($1, $2, 'production', 'staging', 1, 1, 1)",
            &[w, uuid()],
            Some("production"),
        ),
        case(
            "INSERT INTO environments (workspace_id, id, name, tier, version, created_at, updated_at) \
             SELECT $1, id, 'same', 'staging', 1, 1, 1 FROM users WHERE id IN ($2, $3)",
            &[w, a, b],
            Some("environment-name"),
        ),
        case(
            "UPDATE memberships SET role = 'viewer' WHERE workspace_id = $1 AND user_id = $2",
            &[w, a],
            Some("last-admin"),
        ),
        case(
            "UPDATE memberships SET removed_at = 1 WHERE workspace_id = $1 AND user_id = $2",
            &[w, a],
            Some("last-admin"),
        ),
        case("UPDATE memberships SET role = 'editor' WHERE workspace_id = $1 AND user_id = $2", &[w, b], None),
        case(
            "INSERT INTO memberships (workspace_id, user_id, person_id, role, joined_at, version) \
             SELECT $1, id, $2, 'viewer', 1, 1 FROM users WHERE subject LIKE 'boss-full@%'",
            &[w, person],
            Some("seat-limit"),
        ),
        case(
            "UPDATE invitations SET state = 'pending' WHERE workspace_id = $1 AND id = $2",
            &[w, invitation.id.as_uuid()],
            Some("seat-limit"),
        ),
        case(
            "UPDATE invitations SET expires_at = expires_at + 1 WHERE workspace_id = $1 AND id = $2",
            &[w, waiting.id.as_uuid()],
            None,
        ),
        case(
            "UPDATE invitations SET email_key = 'eve@example.org', expires_at = 1, state = 'pending' \
             WHERE workspace_id = $1 AND id = $2",
            &[w, invitation.id.as_uuid()],
            Some("pending-invitation"),
        ),
        case(
            "UPDATE api_keys SET scopes = '' WHERE workspace_id = $1 AND id = $2",
            &[w, key.id.as_uuid()],
            Some("api-key-scopes"),
        ),
        case(
            "INSERT INTO persons (workspace_id, id, email_key) VALUES ($1, $2, 'bob@example.org')",
            &[w, uuid()],
            Some("person-email"),
        ),
        case(
            "INSERT INTO persons (workspace_id, id, user_id) VALUES ($1, $2, $3)",
            &[w, uuid(), uuid()],
            Some("foreign-key"),
        ),
    ];
    cases.extend(told(w, a, b, key.id.as_uuid()));
    cases
}

/// The cases of notifications, in the same workspace: `a` and `b` are accounts, `key` is its API key.
fn told(w: Uuid, a: Uuid, b: Uuid, key: Uuid) -> Vec<Case> {
    let case = |sql, ids: &[Uuid], refused_by| Case { workspace: w, sql, ids: ids.to_vec(), refused_by };
    vec![
        case(
            "INSERT INTO notification_recipients (workspace_id, id, email, email_key) \
             SELECT $1, id, 'Same@out.example', 'same@out.example' FROM users WHERE id IN ($2, $3)",
            &[w, a, b],
            Some("recipient-email"),
        ),
        // Whoever is connected has a token, and nobody else has one.
        case(
            "INSERT INTO connections (workspace_id, id, kind, status, team_id, team_name, authorized_at, created_at, \
             updated_at, version) VALUES ($1, $2, 'slack', 'active', 'T1', 'T', 1, 1, 1, 1)",
            &[w, uuid()],
            Some("check"),
        ),
        case(
            "INSERT INTO connections (workspace_id, id, kind, status, team_id, team_name, token, token_generation, \
             token_version, authorized_at, created_at, updated_at, version) SELECT $1, id, 'slack', 'disconnected', 'T1', 'T', \
             digest, 1, 1, 1, 1, 1, 1 FROM api_keys WHERE id = $2",
            &[w, key],
            Some("check"),
        ),
        case(
            "INSERT INTO connections (workspace_id, id, kind, status, team_id, team_name, authorized_at, created_at, \
             updated_at, version) SELECT $1, id, 'slack', 'disconnected', 'T1', 'T', 1, 1, 1, 1 FROM users \
             WHERE id IN ($2, $3)",
            &[w, a, b],
            Some("connection"),
        ),
        case(
            "INSERT INTO published_events (workspace_id, id, key_digest, kind, deliveries, received_at, sealed, \
             key_generation) SELECT $1, u.id, k.digest, 'run_failed', 0, 1, k.digest, 1 FROM users u, api_keys k \
             WHERE u.id IN ($2, $3) AND k.workspace_id = $1",
            &[w, a, b],
            Some("event-key"),
        ),
        case(
            "INSERT INTO webhook_subscriptions (workspace_id, id, url, host, events, status, secret, secret_generation, \
             secret_version, created_at, updated_at, version) SELECT $1, i.id, 'u', 'h', 'run_failed', 'active', k.digest, \
             1, 1, 1, 1, 1 FROM invitations i, api_keys k WHERE i.workspace_id = $1 AND k.workspace_id = $1",
            &[w],
            None,
        ),
        case(
            "INSERT INTO deliveries (workspace_id, id, message, destination, destination_id, status, created_at) \
             VALUES ($1, $2, 'event', 'member', $2, 'pending', 1)",
            &[w, uuid()],
            Some("check"),
        ),
    ]
}

/// Runs a case inside a transaction that is rolled back.
pub(crate) async fn check<D: SqlDb>(tx: &mut Tx<D>, case: &Case) {
    let stmt = case.ids.iter().fold(Stmt::new(case.sql), |stmt, id| stmt.bind(*id));
    match (tx.run(stmt).await, case.refused_by) {
        (Ok(touched), None) => assert!(touched > 0, "{}", case.sql),
        (Err(StoreError::Constraint(name)), Some(wanted)) => assert_eq!(name, wanted, "{}", case.sql),
        (other, wanted) => panic!("{}: {other:?}, not {wanted:?}", case.sql),
    }
}
