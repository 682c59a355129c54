//! Invitations: rows, statements, writes.
use crate::db::{Cells, SqlDb, Stmt, Tx};
use settings_domain::{
    ids::{InvitationId, PersonId, UserId, WorkspaceId},
    invitations::{Acquaintance, EmailStatus, Invitation, InvitationState, InvitationView, InvitationWrite},
    ports::{StoreError, store::Page},
    text::EmailKey,
};
use time::OffsetDateTime;
use uuid::Uuid;

macro_rules! invitation_columns {
    () => {
        "i.workspace_id AS i_workspace_id, i.id AS i_id, i.person_id AS i_person_id, i.email AS i_email, \
         i.role AS i_role, i.state AS i_state, i.invited_by AS i_invited_by, i.created_at AS i_created_at, \
         i.expires_at AS i_expires_at, i.generation AS i_generation, i.email_status AS i_email_status, \
         i.token_digest AS i_token_digest, i.version AS i_version"
    };
}

macro_rules! views {
    ($rest:literal) => {
        concat!(
            "SELECT ",
            invitation_columns!(),
            ", u.name AS inviter_name FROM invitations i \
             LEFT JOIN users u ON u.id = i.invited_by ",
            $rest
        )
    };
}

statements! {
    /// A page of those that wait, expired ones included.
    LIST = views!("WHERE i.workspace_id = $1 AND i.state = 'pending' AND i.id > $2 ORDER BY i.id LIMIT $3");
    /// One in any state.
    GET = views!("WHERE i.workspace_id = $1 AND i.id = $2");
    /// Those that an account sent and that still work.
    SENT_BY = concat!("SELECT ", invitation_columns!(), " FROM invitations i WHERE i.workspace_id = $1 \
        AND i.invited_by = $2 AND i.state = 'pending' AND i.expires_at > $3 ORDER BY i.id");
    /// The one that waits for an address.
    PENDING_OF = concat!("SELECT ", invitation_columns!(), " FROM invitations i WHERE i.workspace_id = $1 \
        AND i.email_key = $2 AND i.state = 'pending'");
    /// The person of an address: who was invited under it, else whose account has it now.
    PERSON_OF = "SELECT p.id AS id FROM persons p LEFT JOIN users u ON u.id = p.user_id WHERE p.workspace_id = $1 \
        AND (p.email_key = $2 OR (u.email_key = $2 AND u.email_verified = 1)) \
        ORDER BY CASE WHEN p.email_key = $2 THEN 0 ELSE 1 END, p.id LIMIT 1";
    /// An active member with this address, by the account's e-mail or by the invitation that was accepted.
    MEMBER_OF = "SELECT m.user_id AS id FROM memberships m JOIN users u ON u.id = m.user_id \
        JOIN persons p ON p.workspace_id = m.workspace_id AND p.id = m.person_id \
        WHERE m.workspace_id = $1 AND m.removed_at IS NULL \
        AND (p.email_key = $2 OR (u.email_key = $2 AND u.email_verified = 1)) LIMIT 1";
    /// A new row.
    INSERT = "INSERT INTO invitations (workspace_id, id, person_id, email, email_key, role, state, invited_by, \
        created_at, expires_at, generation, email_status, token_digest, version) \
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)";
    /// A new link.
    RENEW = "UPDATE invitations SET generation = $3, token_digest = $4, expires_at = $5, email_status = $6, version = $7 \
        WHERE workspace_id = $1 AND id = $2 AND version = $8 AND state = 'pending'";
    /// Closes one that waits.
    CLOSE = "UPDATE invitations SET state = $3, closed_at = $4, version = version + 1 \
        WHERE workspace_id = $1 AND id = $2 AND state = 'pending'";
}

fn read<D: SqlDb>(row: &Cells<'_, D>) -> Result<Invitation, StoreError> {
    Ok(Invitation {
        workspace: WorkspaceId::from_uuid(row.id("i_workspace_id")?),
        id: InvitationId::from_uuid(row.id("i_id")?),
        person: PersonId::from_uuid(row.id("i_person_id")?),
        email: row.parse("i_email")?,
        role: row.parse("i_role")?,
        state: row.word("i_state", InvitationState::parse)?,
        invited_by: row.maybe_id("i_invited_by")?.map(UserId::from_uuid),
        created_at: row.time("i_created_at")?,
        expires_at: row.time("i_expires_at")?,
        generation: row.int("i_generation")?,
        email_status: row.word("i_email_status", EmailStatus::parse)?,
        version: row.int("i_version")?,
        token: row.digest("i_token_digest")?,
    })
}

fn read_view<D: SqlDb>(row: &Cells<'_, D>) -> Result<InvitationView, StoreError> {
    Ok(InvitationView { invitation: read(row)?, inviter_name: row.maybe_text("inviter_name")? })
}

/// Loads a page of those that wait.
pub async fn list<D: SqlDb>(tx: &mut Tx<D>, workspace: Uuid, page: Page) -> Result<Vec<InvitationView>, StoreError> {
    let stmt = Stmt::new(LIST).bind(workspace).bind(page.after.unwrap_or_default()).bind(page.limit);
    tx.all(stmt, read_view).await
}

/// Loads one in any state.
pub async fn get<D: SqlDb>(
    tx: &mut Tx<D>,
    workspace: Uuid,
    id: InvitationId,
) -> Result<Option<InvitationView>, StoreError> {
    tx.first(Stmt::new(GET).bind(workspace).bind(id.as_uuid()), read_view).await
}

/// Loads those that an account sent and that still work at an instant.
pub async fn sent_by<D: SqlDb>(
    tx: &mut Tx<D>,
    workspace: Uuid,
    user: UserId,
    at: OffsetDateTime,
) -> Result<Vec<Invitation>, StoreError> {
    tx.all(Stmt::new(SENT_BY).bind(workspace).bind(user.as_uuid()).time(at), read).await
}

/// Loads what is known of an address.
pub async fn acquaintance<D: SqlDb>(
    tx: &mut Tx<D>,
    workspace: Uuid,
    email: &EmailKey,
) -> Result<Acquaintance, StoreError> {
    let about = |sql| Stmt::new(sql).bind(workspace).text(email.as_str());
    let person = tx.first(about(PERSON_OF), |row| row.id("id")).await?;
    let member = tx.first(about(MEMBER_OF), |row| row.id("id")).await?;
    let pending = tx.first(about(PENDING_OF), read).await?;
    Ok(Acquaintance { person: person.map(PersonId::from_uuid), is_member: member.is_some(), pending })
}

/// Writes.
pub async fn write<D: SqlDb>(tx: &mut Tx<D>, workspace: Uuid, write: &InvitationWrite) -> Result<(), StoreError> {
    let close = |id: &InvitationId, state: InvitationState, at: &OffsetDateTime| {
        Stmt::new(CLOSE).bind(workspace).bind(id.as_uuid()).text(state.name()).time(*at)
    };
    let stmt = match write {
        InvitationWrite::Insert(i) => Stmt::new(INSERT)
            .bind(workspace)
            .bind(i.id.as_uuid())
            .bind(i.person.as_uuid())
            .text(i.email.as_str())
            .text(i.email.key().as_str())
            .text(i.role.name())
            .text(i.state.name())
            .bind(i.invited_by.map(UserId::as_uuid))
            .time(i.created_at)
            .time(i.expires_at)
            .bind(i.generation)
            .text(i.email_status.name())
            .bytes(i.token.as_bytes())
            .bind(i.version),
        InvitationWrite::Renew(i) => Stmt::new(RENEW)
            .bind(workspace)
            .bind(i.id.as_uuid())
            .bind(i.generation)
            .bytes(i.token.as_bytes())
            .time(i.expires_at)
            .text(i.email_status.name())
            .bind(i.version)
            .bind(i.version - 1),
        InvitationWrite::Accept(id, at) => close(id, InvitationState::Accepted, at),
        InvitationWrite::Revoke(id, at) => close(id, InvitationState::Revoked, at),
        InvitationWrite::Expire(id, at) => close(id, InvitationState::Expired, at),
    };
    tx.run_one(stmt).await
}
