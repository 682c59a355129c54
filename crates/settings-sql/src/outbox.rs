//! Owed messages.
use crate::{
    db::{Cells, SqlDb, Stmt, Tx},
    deliveries,
    engine::{EngineStatements, Scope},
    webhook_subscriptions,
};
use settings_domain::{
    deliveries::{Attempt, DeliveryStatus},
    ids::{ConnectionId, DeliveryId, DigestRunId, InvitationId, SignInId, UserId, WorkspaceId},
    invitations::EmailStatus,
    micros,
    notices::Notice,
    ports::{
        StoreError,
        outbox::{AdminLetter, AskLetter, Claimed, Fate, InvitationLetter, Job},
    },
    text::Email,
};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

const INVITATION: &str = "invitation";
const SIGN_IN: &str = "sign-in";
const AUDIT_DIGEST: &str = "audit-digest";
const NOTIFICATION: &str = "notification";
const SEAT_QUANTITY: &str = "seat-quantity";
const MEMBER_ERASED: &str = "member-erased";
/// The generation of a message about an invitation that is no link's: somebody asks for a new one.
const ASKED: i64 = 0;

statements! {
    /// Queues a message.
    INSERT = concat!("INSERT INTO outbox (id, workspace_id, kind, subject_id, generation, state, attempts, next_at, \
        created_at) VALUES ($1, $2, $3, $4, $5, 'pending', 0, ", now!(), ", ", now!(), ")");
    /// Whether anything is due, so that an idle worker never takes a lock. The clock is read once, so that an index can be used.
    DUE = concat!("SELECT id FROM outbox WHERE state = 'pending' AND next_at <= (SELECT ", now!(),
        ") AND (lease_until IS NULL OR lease_until <= (SELECT ", now!(), ")) LIMIT 1");
    /// What the mail of an invitation needs.
    INVITATION_LETTER = concat!("SELECT i.email AS email, w.name AS workspace, u.name AS inviter, i.role AS role, \
        i.expires_at AS expires_at FROM invitations i JOIN workspaces w ON w.id = i.workspace_id \
        LEFT JOIN users u ON u.id = i.invited_by WHERE i.workspace_id = $1 AND i.id = $2 AND i.generation = $3 \
        AND i.state = 'pending' AND w.deleted_at IS NULL AND i.expires_at > ", now!());
    /// An admin is to be told, unless told of this link before.
    ASK = "INSERT INTO invitation_asks (workspace_id, invitation_id, generation, user_id, delivery_id) \
        VALUES ($1, $2, $3, $4, $5) ON CONFLICT (workspace_id, invitation_id, generation, user_id) DO NOTHING";
    /// What the mail to an admin needs.
    ASK_LETTER = concat!("SELECT u.email AS email, w.name AS workspace, w.slug AS slug, i.email AS invited \
        FROM invitation_asks a JOIN invitations i ON i.workspace_id = a.workspace_id AND i.id = a.invitation_id \
        JOIN workspaces w ON w.id = a.workspace_id JOIN users u ON u.id = a.user_id \
        JOIN memberships m ON m.workspace_id = a.workspace_id AND m.user_id = a.user_id \
        WHERE a.workspace_id = $1 AND a.delivery_id = $2 AND i.generation = a.generation AND i.state = 'pending' \
        AND i.expires_at <= ", now!(), " AND w.deleted_at IS NULL AND m.removed_at IS NULL AND m.role = 'admin' \
        AND u.email_verified = 1 AND u.email IS NOT NULL");
    /// Who an admin is, as they are now.
    ADMIN_LETTER = "SELECT u.email AS email, w.name AS workspace, w.slug AS slug FROM memberships m \
        JOIN workspaces w ON w.id = m.workspace_id JOIN users u ON u.id = m.user_id WHERE m.workspace_id = $1 \
        AND m.user_id = $2 AND m.removed_at IS NULL AND m.role = 'admin' AND w.deleted_at IS NULL \
        AND u.email_verified = 1 AND u.email IS NOT NULL";
    /// Where a sign-in link goes.
    SIGN_IN_LETTER = concat!("SELECT email, expires_at FROM sign_in_links \
        WHERE id = $1 AND used_at IS NULL AND expires_at > ", now!());
    /// Sent, or no longer wanted.
    DONE = "UPDATE outbox SET state = 'done', lease_until = NULL WHERE id = $1";
    /// Given up.
    DEAD = "UPDATE outbox SET state = 'dead', lease_until = NULL, last_cause = $2 WHERE id = $1 AND state = 'pending'";
    /// What became of an invitation's mail. A link that was renewed meanwhile has a mail of its own.
    MAIL_STATUS = "UPDATE invitations SET email_status = $4 \
        WHERE workspace_id = $1 AND id = $2 AND generation = $3 AND state = 'pending'";
    /// To be tried again, unless another worker has taken it since.
    RETRY = concat!("UPDATE outbox SET lease_until = NULL, next_at = ", now!(), " + $3, last_cause = $4 \
        WHERE id = $1 AND attempts = $2 AND state = 'pending'");
    /// To be tried again and not counted, unless another worker has taken it since.
    POSTPONE = concat!("UPDATE outbox SET lease_until = NULL, next_at = ", now!(), " + $3, last_cause = $4, \
        attempts = attempts - 1 WHERE id = $1 AND attempts = $2 AND state = 'pending'");
    /// Given back untouched, unless another worker has taken it since.
    RELEASE = "UPDATE outbox SET lease_until = NULL, attempts = attempts - 1 \
        WHERE id = $1 AND attempts = $2 AND state = 'pending'";
    /// A notification was taken by its receiver, whoever brought it there.
    DELIVERED = "UPDATE outbox SET state = 'done', lease_until = NULL, parked = 0 WHERE id = $1 AND state = 'pending'";
    /// Nobody waits for a notification, unless another worker has taken it since.
    DROPPED = "UPDATE outbox SET state = 'done', lease_until = NULL, parked = 0 \
        WHERE id = $1 AND attempts = $2 AND lease_until IS NOT NULL AND state = 'pending'";
    /// A notification is to be tried again, unless another worker has taken it since. What does not count is taken off.
    LATER = concat!("UPDATE outbox SET lease_until = NULL, next_at = ", now!(), " + $3, parked = $4, attempts = attempts - $5 \
        WHERE id = $1 AND attempts = $2 AND lease_until IS NOT NULL AND state = 'pending'");
    /// A notification is still its worker's.
    HELD = "UPDATE outbox SET parked = parked WHERE id = $1 AND attempts = $2 AND lease_until IS NOT NULL AND state = 'pending'";
    /// A notification that was given up is due, with all its attempts, as if it were queued now.
    REVIVE = concat!("UPDATE outbox SET state = 'pending', attempts = 0, parked = 0, lease_until = NULL, next_at = ", now!(),
        ", created_at = ", now!(), " WHERE id = $2 AND workspace_id = $1 AND state = 'dead'");
    /// A notification is given up.
    GIVE_UP = "UPDATE outbox SET state = 'dead', parked = 0, lease_until = NULL \
        WHERE id = $2 AND workspace_id = $1 AND state = 'pending'";
    /// What is parked for a connection is due.
    RESUME = concat!("UPDATE outbox SET parked = 0, next_at = ", now!(), " WHERE workspace_id = $1 AND state = 'pending' \
        AND parked = 1 AND id IN (SELECT d.id FROM deliveries d WHERE d.workspace_id = $1 AND d.status = 'parked' \
        AND d.destination = 'slack' AND d.destination_id = $2)");
    /// How many wait.
    DEPTH = "SELECT count(*) AS waiting FROM outbox WHERE state = 'pending'";
    /// Forgets what was sent long ago.
    FORGET = "DELETE FROM outbox WHERE state = 'done' AND created_at < $1";
}

fn micros_of(d: Duration) -> i64 {
    i64::try_from(d.whole_microseconds()).unwrap_or(i64::MAX)
}

fn read<D: SqlDb>(row: &Cells<'_, D>) -> Result<Claimed, StoreError> {
    let subject = row.id("subject_id")?;
    let job = match (row.text("kind")?.as_str(), row.maybe_id("workspace_id")?) {
        (INVITATION, Some(workspace)) if row.int("generation")? == ASKED => {
            Job::InvitationAsked(WorkspaceId::from_uuid(workspace), InvitationId::from_uuid(subject))
        }
        (INVITATION, Some(workspace)) => {
            Job::Invitation(WorkspaceId::from_uuid(workspace), InvitationId::from_uuid(subject), row.int("generation")?)
        }
        (AUDIT_DIGEST, Some(workspace)) => {
            Job::AuditDigest(WorkspaceId::from_uuid(workspace), DigestRunId::from_uuid(subject), row.int("generation")?)
        }
        (MEMBER_ERASED, Some(workspace)) => {
            Job::MemberErased(WorkspaceId::from_uuid(workspace), UserId::from_uuid(subject), row.int("generation")?)
        }
        (NOTIFICATION, Some(workspace)) => Job::Notification(WorkspaceId::from_uuid(workspace)),
        (SEAT_QUANTITY, Some(workspace)) => Job::SeatQuantity(WorkspaceId::from_uuid(workspace)),
        (SIGN_IN, None) => Job::SignIn(SignInId::from_uuid(subject)),
        _ => return Err(StoreError::Corrupt("column kind".to_owned())),
    };
    let (delivery, attempt) = (DeliveryId::from_uuid(row.id("id")?), row.int("attempts")? - 1);
    Ok(Claimed { delivery, attempt, job, queued_at: row.time("created_at")?, parked: row.flag("parked")? })
}

/// What may be seen to settle a message: the tenant that it is about, else the queue.
#[must_use]
pub const fn scope(message: &Claimed) -> Scope {
    match message.job {
        Job::Invitation(workspace, ..)
        | Job::InvitationAsked(workspace, _)
        | Job::AuditDigest(workspace, ..)
        | Job::MemberErased(workspace, ..)
        | Job::Notification(workspace)
        | Job::SeatQuantity(workspace) => Scope::tenant(workspace.as_uuid()),
        Job::SignIn(_) => Scope::directory(),
    }
}

/// Queues what a change owes.
pub async fn queue<D: SqlDb>(tx: &mut Tx<D>, workspace: Uuid, notice: &Notice) -> Result<(), StoreError> {
    let (delivery, kind, subject, number) = match notice {
        Notice::InvitationMail { delivery, invitation, generation } => {
            (delivery, INVITATION, invitation.as_uuid(), *generation)
        }
        Notice::AuditDigestMail { delivery, run, recipient } => (delivery, AUDIT_DIGEST, run.as_uuid(), *recipient),
        Notice::ErasureMail { delivery, admin, seq } => (delivery, MEMBER_ERASED, admin.as_uuid(), *seq),
        Notice::Delivery(delivery) => (delivery, NOTIFICATION, delivery.as_uuid(), 0),
        Notice::SeatQuantity(delivery) => (delivery, SEAT_QUANTITY, workspace, 0),
    };
    let stmt = Stmt::new(INSERT).bind(delivery.as_uuid()).bind(Some(workspace)).text(kind).bind(subject).bind(number);
    tx.run_one(stmt).await
}

/// Queues the mail of a sign-in link.
pub async fn queue_sign_in<D: SqlDb>(tx: &mut Tx<D>, delivery: DeliveryId, link: SignInId) -> Result<(), StoreError> {
    let stmt =
        Stmt::new(INSERT).bind(delivery.as_uuid()).bind(None::<Uuid>).text(SIGN_IN).bind(link.as_uuid()).bind(0_i64);
    tx.run_one(stmt).await
}

/// Whether anything is due.
pub async fn is_due<D: SqlDb>(tx: &mut Tx<D>) -> Result<bool, StoreError> {
    Ok(tx.first(Stmt::new(DUE), |row| row.id("id")).await?.is_some())
}

/// Takes due messages.
pub async fn claim<D: SqlDb>(
    tx: &mut Tx<D>,
    own: &EngineStatements,
    limit: i64,
    lease: Duration,
) -> Result<Vec<Claimed>, StoreError> {
    tx.run(Stmt::new(own.before_claim)).await?;
    tx.all(Stmt::new(own.claim).bind(limit).bind(micros_of(lease)), read).await
}

/// What the mail of an invitation needs.
pub async fn invitation_letter<D: SqlDb>(
    tx: &mut Tx<D>,
    workspace: WorkspaceId,
    id: InvitationId,
    generation: i64,
) -> Result<Option<InvitationLetter>, StoreError> {
    let stmt = Stmt::new(INVITATION_LETTER).bind(workspace.as_uuid()).bind(id.as_uuid()).bind(generation);
    tx.first(stmt, |row| {
        Ok(InvitationLetter {
            to: row.parse("email")?,
            workspace: row.text("workspace")?,
            inviter: row.maybe_text("inviter")?,
            role: row.parse("role")?,
            expires_at: row.time("expires_at")?,
        })
    })
    .await
}

/// Where a sign-in link goes.
pub async fn sign_in_letter<D: SqlDb>(
    tx: &mut Tx<D>,
    id: SignInId,
) -> Result<Option<(Email, OffsetDateTime)>, StoreError> {
    let stmt = Stmt::new(SIGN_IN_LETTER).bind(id.as_uuid());
    tx.first(stmt, |row| Ok((row.parse("email")?, row.time("expires_at")?))).await
}

/// Queues a mail to each admin who was not told of this link before; whether there was one.
pub async fn ask<D: SqlDb>(
    tx: &mut Tx<D>,
    workspace: WorkspaceId,
    id: InvitationId,
    generation: i64,
    admins: &[(UserId, DeliveryId)],
) -> Result<bool, StoreError> {
    let mut any = false;
    for (user, delivery) in admins {
        let stmt = Stmt::new(ASK).bind(workspace.as_uuid()).bind(id.as_uuid()).bind(generation);
        if tx.run(stmt.bind(user.as_uuid()).bind(delivery.as_uuid())).await? == 1 {
            let stmt = Stmt::new(INSERT).bind(delivery.as_uuid()).bind(Some(workspace.as_uuid())).text(INVITATION);
            tx.run_one(stmt.bind(id.as_uuid()).bind(ASKED)).await?;
            any = true;
        }
    }
    Ok(any)
}

/// What a mail to an admin needs.
pub async fn admin_letter<D: SqlDb>(
    tx: &mut Tx<D>,
    workspace: WorkspaceId,
    admin: UserId,
) -> Result<Option<AdminLetter>, StoreError> {
    let stmt = Stmt::new(ADMIN_LETTER).bind(workspace.as_uuid()).bind(admin.as_uuid());
    tx.first(stmt, |row| {
        Ok(AdminLetter { to: row.parse("email")?, workspace: row.text("workspace")?, slug: row.parse("slug")? })
    })
    .await
}

/// What the mail to an admin needs.
pub async fn ask_letter<D: SqlDb>(
    tx: &mut Tx<D>,
    workspace: WorkspaceId,
    delivery: DeliveryId,
) -> Result<Option<AskLetter>, StoreError> {
    let stmt = Stmt::new(ASK_LETTER).bind(workspace.as_uuid()).bind(delivery.as_uuid());
    tx.first(stmt, |row| {
        Ok(AskLetter {
            to: row.parse("email")?,
            workspace: row.text("workspace")?,
            slug: row.parse("slug")?,
            invited: row.parse("invited")?,
        })
    })
    .await
}

async fn mail_status<D: SqlDb>(tx: &mut Tx<D>, job: Job, status: EmailStatus) -> Result<(), StoreError> {
    if let Job::Invitation(workspace, id, generation) = job {
        let stmt = Stmt::new(MAIL_STATUS).bind(workspace.as_uuid()).bind(id.as_uuid());
        tx.run(stmt.bind(generation).text(status.name())).await?;
    }
    Ok(())
}

/// Sent, or no longer wanted.
pub async fn done<D: SqlDb>(tx: &mut Tx<D>, message: &Claimed, sent: bool) -> Result<(), StoreError> {
    tx.run(Stmt::new(DONE).bind(message.delivery.as_uuid())).await?;
    if sent { mail_status(tx, message.job, EmailStatus::Sent).await } else { Ok(()) }
}

/// To be tried again; this time does not count.
pub async fn postpone<D: SqlDb>(
    tx: &mut Tx<D>,
    message: &Claimed,
    after: Duration,
    cause: &'static str,
) -> Result<(), StoreError> {
    let stmt = Stmt::new(POSTPONE).bind(message.delivery.as_uuid()).bind(message.attempt + 1);
    tx.run(stmt.bind(micros_of(after)).text(cause)).await.map(drop)
}

/// To be tried again.
pub async fn retry<D: SqlDb>(
    tx: &mut Tx<D>,
    message: &Claimed,
    after: Duration,
    cause: &'static str,
) -> Result<(), StoreError> {
    let stmt = Stmt::new(RETRY).bind(message.delivery.as_uuid()).bind(message.attempt + 1);
    tx.run(stmt.bind(micros_of(after)).text(cause)).await.map(drop)
}

/// Given up.
pub async fn dead<D: SqlDb>(tx: &mut Tx<D>, message: &Claimed, cause: &'static str) -> Result<(), StoreError> {
    tx.run(Stmt::new(DEAD).bind(message.delivery.as_uuid()).text(cause)).await?;
    mail_status(tx, message.job, EmailStatus::Failed).await
}

/// Given back untouched.
pub async fn release<D: SqlDb>(tx: &mut Tx<D>, message: &Claimed) -> Result<(), StoreError> {
    tx.run(Stmt::new(RELEASE).bind(message.delivery.as_uuid()).bind(message.attempt + 1)).await.map(drop)
}

/// Writes down what becomes of a notification, and the attempt that says so. Nothing where another worker has it by now.
pub async fn settle<D: SqlDb>(
    tx: &mut Tx<D>,
    message: &Claimed,
    attempt: Option<&Attempt>,
    fate: Fate,
) -> Result<(), StoreError> {
    let Job::Notification(workspace) = message.job else { return Ok(()) };
    let (workspace, id, taken) = (workspace.as_uuid(), message.delivery, message.attempt + 1);
    let later = |after, parked, uncounted| {
        let stmt = Stmt::new(LATER).bind(id.as_uuid()).bind(taken).bind(micros_of(after));
        stmt.bind(i64::from(parked)).bind(i64::from(uncounted))
    };
    let (stmt, status) = match fate {
        Fate::Delivered => (Stmt::new(DELIVERED).bind(id.as_uuid()), DeliveryStatus::Delivered),
        Fate::Dropped => (Stmt::new(DROPPED).bind(id.as_uuid()).bind(taken), DeliveryStatus::Dropped),
        Fate::Ended => (Stmt::new(HELD).bind(id.as_uuid()).bind(taken), DeliveryStatus::Pending),
        Fate::Again(after) => (later(after, false, false), DeliveryStatus::Pending),
        Fate::Postponed(after) => (later(after, false, true), DeliveryStatus::Pending),
        Fate::Parked(after) => (later(after, true, true), DeliveryStatus::Parked),
    };
    if tx.run(stmt).await? == 0 {
        return Ok(());
    }
    deliveries::mark(tx, workspace, id, status).await?;
    let Some(attempt) = attempt else { return Ok(()) };
    deliveries::note(tx, workspace, id, attempt).await?;
    webhook_subscriptions::heard(tx, workspace, id, attempt.accepted, attempt.at).await
}

/// A notification that was given up is due, with all its attempts.
pub async fn revive<D: SqlDb>(tx: &mut Tx<D>, workspace: Uuid, id: DeliveryId) -> Result<(), StoreError> {
    tx.run_one(Stmt::new(REVIVE).bind(workspace).bind(id.as_uuid())).await
}

/// A notification is given up.
pub async fn give_up<D: SqlDb>(tx: &mut Tx<D>, workspace: Uuid, id: DeliveryId) -> Result<(), StoreError> {
    tx.run_one(Stmt::new(GIVE_UP).bind(workspace).bind(id.as_uuid())).await
}

/// What is parked for a connection is due.
pub async fn resume<D: SqlDb>(tx: &mut Tx<D>, workspace: Uuid, connection: ConnectionId) -> Result<(), StoreError> {
    tx.run(Stmt::new(RESUME).bind(workspace).bind(connection.as_uuid())).await.map(drop)
}

/// How many wait.
pub async fn depth<D: SqlDb>(tx: &mut Tx<D>) -> Result<i64, StoreError> {
    tx.one(Stmt::new(DEPTH), |row| row.int("waiting")).await
}

/// Forgets messages that were sent before an instant.
pub async fn forget<D: SqlDb>(tx: &mut Tx<D>, before: OffsetDateTime) -> Result<u64, StoreError> {
    tx.run(Stmt::new(FORGET).bind(micros::from_time(before))).await
}
