//! Persons, memberships and accounts as members see them.
use crate::db::{Cells, SqlDb, Stmt, Tx};
use settings_domain::{
    ids::{PersonId, UserId, WorkspaceId},
    members::{Member, MemberView, MemberWrite, User},
    ports::{
        StoreError,
        store::{MemberFilter, Page},
    },
};
use uuid::Uuid;

/// The columns of [`read_user`], from a table called `u`. An e-mail that nobody vouches for counts for nothing.
macro_rules! user_columns {
    () => {
        "u.id AS u_id, CASE WHEN u.email_verified = 1 THEN u.email END AS u_email, u.name AS u_name, \
         u.avatar_url AS u_avatar_url"
    };
}
pub(crate) use user_columns;

macro_rules! views {
    ($rest:literal) => {
        concat!(
            "SELECT ",
            member_columns!(),
            ", ",
            user_columns!(),
            ", a.last_active_at AS last_active_at \
             FROM memberships m JOIN users u ON u.id = m.user_id \
             LEFT JOIN member_activity a ON a.workspace_id = m.workspace_id AND a.user_id = m.user_id ",
            $rest
        )
    };
}

statements! {
    /// A page of members, or of former ones.
    LIST = views!("WHERE m.workspace_id = $1 AND CASE WHEN m.removed_at IS NULL THEN 0 ELSE 1 END = $6 AND m.user_id > $2 AND ($3 = '' OR m.role = $3) \
        AND ($4 = '' OR lower(coalesce(u.name, '')) LIKE lower($4) ESCAPE '!' \
             OR (u.email_verified = 1 AND lower(coalesce(u.email, '')) LIKE lower($4) ESCAPE '!')) \
        ORDER BY m.user_id LIMIT $5");
    /// One member, active or former.
    GET = views!("WHERE m.workspace_id = $1 AND m.user_id = $2");
    /// The active admins, who joined first first.
    ADMINS = "SELECT user_id FROM memberships WHERE workspace_id = $1 AND role = 'admin' AND removed_at IS NULL \
        ORDER BY joined_at, user_id";
    /// A person nobody knew here.
    INSERT_PERSON = "INSERT INTO persons (workspace_id, id, user_id, email_key) VALUES ($1, $2, $3, $4)";
    /// The account of a person.
    BIND_PERSON = "UPDATE persons SET user_id = $3 WHERE workspace_id = $1 AND id = $2";
    /// Joins, or joins again; an active membership is not touched.
    JOIN = "INSERT INTO memberships (workspace_id, user_id, person_id, role, joined_at, version) \
        VALUES ($1, $2, $3, $4, $5, $6) \
        ON CONFLICT (workspace_id, user_id) DO UPDATE SET person_id = excluded.person_id, role = excluded.role, \
        joined_at = excluded.joined_at, removed_at = NULL, version = excluded.version \
        WHERE memberships.removed_at IS NOT NULL AND memberships.version = excluded.version - 1";
    /// Role and state as they shall be.
    UPDATE = "UPDATE memberships SET role = $3, removed_at = $4, version = $5 \
        WHERE workspace_id = $1 AND user_id = $2 AND version = $6 AND removed_at IS NULL";
}

/// Reads a membership.
pub fn read<D: SqlDb>(row: &Cells<'_, D>) -> Result<Member, StoreError> {
    Ok(Member {
        workspace: WorkspaceId::from_uuid(row.id("m_workspace_id")?),
        user: UserId::from_uuid(row.id("m_user_id")?),
        person: PersonId::from_uuid(row.id("m_person_id")?),
        role: row.parse("m_role")?,
        joined_at: row.time("m_joined_at")?,
        removed_at: row.maybe_time("m_removed_at")?,
        version: row.int("m_version")?,
    })
}

/// Reads a membership from an outer join.
pub fn read_maybe<D: SqlDb>(row: &Cells<'_, D>) -> Result<Option<Member>, StoreError> {
    match row.maybe_id("m_user_id")? {
        Some(_) => read(row).map(Some),
        None => Ok(None),
    }
}

/// Reads an account.
pub fn read_user<D: SqlDb>(row: &Cells<'_, D>) -> Result<User, StoreError> {
    Ok(User {
        id: UserId::from_uuid(row.id("u_id")?),
        email: row.maybe_parse("u_email")?,
        name: row.maybe_text("u_name")?,
        avatar_url: row.maybe_text("u_avatar_url")?,
    })
}

fn read_view<D: SqlDb>(row: &Cells<'_, D>) -> Result<MemberView, StoreError> {
    Ok(MemberView { member: read(row)?, user: read_user(row)?, last_active_at: row.maybe_time("last_active_at")? })
}

/// A pattern that finds a text literally: `!` escapes what LIKE would read as a wildcard.
fn pattern(text: &str) -> String {
    let mut p = String::with_capacity(text.len() + 2);
    p.push('%');
    for c in text.chars() {
        if matches!(c, '%' | '_' | '!') {
            p.push('!');
        }
        p.push(c);
    }
    p.push('%');
    p
}

/// Loads a page of members, or of former ones.
pub async fn list<D: SqlDb>(
    tx: &mut Tx<D>,
    workspace: Uuid,
    filter: &MemberFilter,
    page: Page,
) -> Result<Vec<MemberView>, StoreError> {
    let text = filter.text.as_deref().unwrap_or_default();
    // No stored text holds a NUL, and Postgres takes none as an argument.
    if text.contains('\0') {
        return Ok(Vec::new());
    }
    let stmt = Stmt::new(LIST)
        .bind(workspace)
        .bind(page.after.unwrap_or_default())
        .text(filter.role.map_or("", |r| r.name()))
        .bind(if text.is_empty() { String::new() } else { pattern(text) })
        .bind(page.limit)
        .bind(i64::from(filter.former));
    tx.all(stmt, read_view).await
}

/// Loads one member, active or former.
pub async fn get<D: SqlDb>(tx: &mut Tx<D>, workspace: Uuid, user: UserId) -> Result<Option<MemberView>, StoreError> {
    tx.first(Stmt::new(GET).bind(workspace).bind(user.as_uuid()), read_view).await
}

/// The active admins, who joined first first.
pub async fn admins<D: SqlDb>(tx: &mut Tx<D>, workspace: Uuid) -> Result<Vec<UserId>, StoreError> {
    tx.all(Stmt::new(ADMINS).bind(workspace), |row| row.id("user_id").map(UserId::from_uuid)).await
}

/// Writes.
pub async fn write<D: SqlDb>(tx: &mut Tx<D>, workspace: Uuid, write: &MemberWrite) -> Result<(), StoreError> {
    let stmt = match write {
        MemberWrite::InsertPerson(p) => Stmt::new(INSERT_PERSON)
            .bind(workspace)
            .bind(p.id.as_uuid())
            .bind(p.user.map(UserId::as_uuid))
            .maybe(p.email.as_ref().map(|e| e.key().as_str())),
        MemberWrite::BindPerson(person, user) => {
            Stmt::new(BIND_PERSON).bind(workspace).bind(person.as_uuid()).bind(user.as_uuid())
        }
        MemberWrite::Join(m) => Stmt::new(JOIN)
            .bind(workspace)
            .bind(m.user.as_uuid())
            .bind(m.person.as_uuid())
            .text(m.role.name())
            .time(m.joined_at)
            .bind(m.version),
        MemberWrite::Update(m) => Stmt::new(UPDATE)
            .bind(workspace)
            .bind(m.user.as_uuid())
            .text(m.role.name())
            .maybe_time(m.removed_at)
            .bind(m.version)
            .bind(m.version - 1),
    };
    tx.run_one(stmt).await
}

#[cfg(test)]
mod tests {
    use super::pattern;

    #[test]
    fn wildcards_are_searched_for_and_not_obeyed() {
        assert_eq!(pattern("50%_!"), "%50!%!_!!%");
    }
}
