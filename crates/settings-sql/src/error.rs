//! What a driver's error means, said once for every engine.
use settings_domain::ports::StoreError;
use std::{
    sync::Mutex,
    time::{Duration, Instant},
};

/// An UPDATE or DELETE did not meet the row that was decided about.
pub const VERSION: &str = "version";
/// The slug belongs to another workspace.
pub const SLUG: &str = "slug";
/// A slug never changes.
pub const SLUG_IMMUTABLE: &str = "slug-immutable";
/// Two environments of one name.
pub const ENVIRONMENT_NAME: &str = "environment-name";
/// Exactly one production environment, called production.
pub const PRODUCTION: &str = "production";
/// At most one waiting invitation per address.
pub const PENDING_INVITATION: &str = "pending-invitation";
/// At most one person per address.
pub const PERSON_EMAIL: &str = "person-email";
/// At least one active admin.
pub const LAST_ADMIN: &str = "last-admin";
/// Never more active members and waiting invitations than seats.
pub const SEAT_LIMIT: &str = "seat-limit";
/// The outcome of an equal call was stored meanwhile.
pub const IDEMPOTENCY: &str = "idempotency";
/// One variable of a name in an environment.
pub const VARIABLE_NAME: &str = "variable-name";
/// One secret of a name in an environment.
pub const SECRET_NAME: &str = "secret-name";
/// A key needs a scope.
pub const API_KEY_SCOPES: &str = "api-key-scopes";
/// Audit events are only ever appended.
pub const AUDIT_APPEND_ONLY: &str = "audit-append-only";
/// No two workspaces are one customer.
pub const BILLING_CUSTOMER: &str = "billing-customer";
/// A workspace has one connection at most.
pub const CONNECTION: &str = "connection";
/// A workspace's address for mails is there once.
pub const RECIPIENT_EMAIL: &str = "recipient-email";
/// An event of this source and id was taken already.
pub const EVENT_KEY: &str = "event-key";
/// Never more webhook subscriptions than a workspace may have.
pub const WEBHOOK_LIMIT: &str = "webhook-limit";
/// A row refers to one that is not there.
pub const FOREIGN_KEY: &str = "foreign-key";
/// There is a row with this primary key already.
pub const PRIMARY_KEY: &str = "primary-key";
/// Two rows are equal where no two may be, by a rule without a name of its own here.
pub const UNIQUE: &str = "unique";
/// A value is none that the column takes.
pub const CHECK: &str = "check";

/// The database's own word for a constraint, and ours. Left: Postgres' constraint name; middle: SQLite's text.
const NAMES: &[(&str, &str, &str)] = &[
    ("workspaces_slug_key", "workspaces.slug", SLUG),
    ("environments_name_key", "environments.workspace_id, environments.name", ENVIRONMENT_NAME),
    ("environments_one_production", "environments.workspace_id", PRODUCTION),
    ("environments_production_name", "environments_production_name", PRODUCTION),
    ("invitations_one_pending", "invitations.workspace_id, invitations.email_key", PENDING_INVITATION),
    ("persons_email_key", "persons.workspace_id, persons.email_key", PERSON_EMAIL),
    (
        "idempotency_pkey",
        "idempotency.scope_id, idempotency.principal, idempotency.operation, idempotency.key",
        IDEMPOTENCY,
    ),
    ("api_keys_some_scope", "api_keys_some_scope", API_KEY_SCOPES),
    ("variables_name_key", "variables.workspace_id, variables.environment_id, variables.name", VARIABLE_NAME),
    ("billing_accounts_customer_key", "billing_accounts.customer_id", BILLING_CUSTOMER),
    ("connections_one_key", "connections.workspace_id", CONNECTION),
    (
        "notification_recipients_email_key",
        "notification_recipients.workspace_id, notification_recipients.email_key",
        RECIPIENT_EMAIL,
    ),
    ("published_events_digest_key", "published_events.workspace_id, published_events.key_digest", EVENT_KEY),
    ("secrets_name_key", "secrets.workspace_id, secrets.environment_id, secrets.name", SECRET_NAME),
];

/// Our name of a constraint that has one, by the database's.
fn named(theirs: &str) -> Option<String> {
    NAMES.iter().find(|(postgres, sqlite, _)| *postgres == theirs || *sqlite == theirs).map(|n| n.2.to_owned())
}

/// Postgres: the class 23 of codes, and the constraint's name, which for our triggers is our own word.
fn postgres(code: &str, name: Option<&str>) -> String {
    if let Some(ours) = name.and_then(named) {
        return ours;
    }
    let kind = match (code, name) {
        ("23503", _) => FOREIGN_KEY,
        ("23505", Some(name)) if name.ends_with("_pkey") => PRIMARY_KEY,
        ("23505", _) => UNIQUE,
        ("23514", Some(ours)) if !ours.contains('_') => ours,
        _ => CHECK,
    };
    kind.to_owned()
}

/// SQLite: 19 is `SQLITE_CONSTRAINT`, the low byte of every extended code. A trigger's text is our own word; the others say
/// "UNIQUE constraint failed: table.column".
fn sqlite(extended: i64, message: &str) -> Option<String> {
    if extended & 0xff != 19 {
        return None;
    }
    if let Some(ours) = message.split_once(": ").and_then(|(_, name)| named(name)) {
        return Some(ours);
    }
    let kind = match extended {
        787 => FOREIGN_KEY,
        1555 | 2579 => PRIMARY_KEY,
        2067 => UNIQUE,
        1811 => message,
        _ => CHECK,
    };
    Some(kind.to_owned())
}

/// The constraint that refused, under its stable name; `None` when the error is of another kind.
fn constraint(error: &sqlx::Error) -> Option<String> {
    let sqlx::Error::Database(db) = error else { return None };
    let code = db.code()?;
    // Postgres' codes have five characters, SQLite's are numbers of at most four digits.
    match code.len() {
        5 => code.starts_with("23").then(|| postgres(&code, db.constraint())),
        _ => sqlite(code.parse().ok()?, db.message()),
    }
}

fn code(error: &sqlx::Error) -> Option<String> {
    error.as_database_error()?.code().map(std::borrow::Cow::into_owned)
}

/// Whether a transaction that did nothing yet may simply be tried again: a deadlock or a serialization failure.
#[must_use]
pub fn is_collision(error: &StoreError) -> bool {
    let StoreError::Unavailable(cause) = error else { return false };
    let code = cause.downcast_ref::<sqlx::Error>().and_then(code);
    matches!(code.as_deref(), Some("40P01" | "40001"))
}

/// When a server was last found to be no primary any more: every connection older than that leads to the wrong one.
#[derive(Debug, Default)]
pub struct Suspicion(Mutex<Option<Instant>>);

impl Suspicion {
    /// Whether a connection of this age is to be dropped.
    #[must_use]
    pub fn covers(&self, age: Duration) -> bool {
        let since = *self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        since.is_some_and(|at| age >= at.elapsed())
    }
    /// The server behind a connection turned out to be no primary: drop every connection that is as old.
    pub fn raise(&self) {
        *self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(Instant::now());
    }
    fn note(&self, error: &sqlx::Error) {
        // 25006: read-only after a failover. 57P01 to 57P03: the server stops or is not ready.
        if matches!(code(error).as_deref(), Some("25006" | "57P01" | "57P02" | "57P03")) {
            self.raise();
        }
    }
    /// What an error before COMMIT means: nothing was written.
    #[must_use]
    pub fn classify(&self, error: sqlx::Error) -> StoreError {
        self.note(&error);
        match constraint(&error) {
            Some(name) => StoreError::Constraint(name),
            None => StoreError::unavailable(error),
        }
    }
    /// What an error of COMMIT means. A deferred constraint or a serialization failure is a definite rollback, and so is
    /// SQLite's "busy"; anything else may have come after the commit took place.
    #[must_use]
    pub fn classify_commit(&self, error: sqlx::Error) -> StoreError {
        self.note(&error);
        if let Some(name) = constraint(&error) {
            return StoreError::Constraint(name);
        }
        match code(&error).as_deref() {
            Some("40001" | "40P01" | "40002" | "25006" | "5" | "6" | "517") => StoreError::unavailable(error),
            _ => StoreError::Unknown(Box::new(error)),
        }
    }
}

/// A database could not be opened or migrated.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The address is none of this engine, or one that can't be served.
    #[error("the database address is not usable: {0}")]
    Address(&'static str),
    /// The folder or file could not be made.
    #[error("the database file can't be made")]
    File(#[source] std::io::Error),
    /// The driver refused.
    #[error("the database can't be opened")]
    Open(#[source] sqlx::Error),
    /// A migration failed, or the database holds one that this program does not know.
    #[error("the database can't be migrated")]
    Migrate(#[source] sqlx::migrate::MigrateError),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_engines_words_have_one_name() {
        for (theirs, code, sqlite_code, sqlite_text, ours) in [
            ("workspaces_slug_key", "23505", 2067, "UNIQUE constraint failed: workspaces.slug", SLUG),
            ("last-admin", "23514", 1811, "last-admin", LAST_ADMIN),
            ("x_fkey", "23503", 787, "FOREIGN KEY constraint failed", FOREIGN_KEY),
            ("users_pkey", "23505", 1555, "UNIQUE constraint failed: users.id", PRIMARY_KEY),
            ("invitations_id_key", "23505", 2067, "UNIQUE constraint failed: invitations.id", UNIQUE),
            ("memberships_role_check", "23514", 275, "CHECK constraint failed: role IN ('admin')", CHECK),
        ] {
            assert_eq!(postgres(code, Some(theirs)), ours);
            assert_eq!(sqlite(sqlite_code, sqlite_text).as_deref(), Some(ours));
        }
        assert_eq!(sqlite(5, "database is locked"), None);
    }

    #[test]
    fn a_connection_that_breaks_at_commit_leaves_the_outcome_unknown() {
        let broken = || sqlx::Error::Io(std::io::Error::other("reset"));
        let suspicion = Suspicion::default();
        assert!(matches!(suspicion.classify(broken()), StoreError::Unavailable(_)));
        assert!(matches!(suspicion.classify_commit(broken()), StoreError::Unknown(_)));
    }

    #[test]
    fn after_a_failover_older_connections_are_under_suspicion() {
        let suspicion = Suspicion::default();
        assert!(!suspicion.covers(Duration::from_mins(1)));
        suspicion.raise();
        assert!(suspicion.covers(Duration::from_mins(1)));
        std::thread::sleep(Duration::from_millis(5));
        assert!(!suspicion.covers(Duration::ZERO), "made after the failover was seen");
    }
}
