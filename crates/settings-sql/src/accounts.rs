//! Accounts, sign-in links and sessions: of no tenant.
use crate::{
    db::{Cells, SqlDb, Stmt, Tx},
    members::{read_user, user_columns},
    outbox,
};
use settings_domain::{
    ids::{SessionId, SignInId, UserId},
    members::User,
    ports::{
        StoreError,
        accounts::{
            EMAIL_ISSUER, NewSession, OpenSession, SESSION_IDLE, SESSION_LIFETIME, SESSION_SLACK, Session, SignInLink,
        },
        identity::Profile,
    },
    text::Email,
    tokens::Digest,
};
use time::Duration;

/// How long a link that is over is still kept.
const LINKS_KEPT: Duration = Duration::days(1);

statements! {
    /// An account with everything a token may change.
    BY_IDENTITY = concat!("SELECT ", user_columns!(), ", u.email AS email, u.email_verified AS email_verified \
        FROM users u WHERE u.issuer = $1 AND u.subject = $2");
    /// Makes or renews an account. What a token does not say stays as it is.
    UPSERT = concat!("INSERT INTO users (id, issuer, subject, email, email_key, email_verified, name, avatar_url, \
        created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, ", now!(), ", ", now!(), ") \
        ON CONFLICT (issuer, subject) DO UPDATE SET \
        email = coalesce(excluded.email, users.email), email_key = coalesce(excluded.email_key, users.email_key), \
        email_verified = CASE WHEN excluded.email IS NULL THEN users.email_verified ELSE excluded.email_verified END, \
        name = coalesce(excluded.name, users.name), avatar_url = coalesce(excluded.avatar_url, users.avatar_url), \
        updated_at = excluded.updated_at \
        RETURNING id AS u_id, CASE WHEN email_verified = 1 THEN email END AS u_email, name AS u_name, \
        avatar_url AS u_avatar_url");
    /// Keeps a link.
    KEEP_LINK = concat!("INSERT INTO sign_in_links (id, token_digest, email, email_key, expires_at) \
        VALUES ($1, $2, $3, $4, ", now!(), " + $5)");
    /// Forgets links that are long over.
    FORGET_LINKS = concat!("DELETE FROM sign_in_links WHERE expires_at < ", now!(), " - $1");
    /// A link that works.
    LINK = concat!("SELECT token_digest, email FROM sign_in_links \
        WHERE id = $1 AND used_at IS NULL AND expires_at > ", now!());
    /// Uses a link up: one of any number of simultaneous calls touches the row.
    USE_LINK = concat!("UPDATE sign_in_links SET used_at = ", now!(), " \
        WHERE id = $1 AND used_at IS NULL AND expires_at > ", now!());
    /// Opens a session, unless there is or was one of this id.
    OPEN = concat!("INSERT INTO sessions (id, token_digest, user_id, created_at, expires_at) \
        VALUES ($1, $2, $3, ", now!(), ", ", now!(), " + $4) ON CONFLICT (id) DO NOTHING RETURNING expires_at");
    /// An open session, and whether a use of it is to be written down.
    SESSION = concat!("SELECT ", user_columns!(), ", u.issuer AS issuer, u.subject AS subject, \
        s.token_digest AS token_digest, s.expires_at AS expires_at, \
        CAST(CASE WHEN s.expires_at < ", now!(), " + $2 AND s.expires_at < s.created_at + $3 THEN 1 ELSE 0 END AS BIGINT) AS due \
        FROM sessions s JOIN users u ON u.id = s.user_id \
        WHERE s.id = $1 AND s.ended_at IS NULL AND s.expires_at > ", now!());
    /// A session is in use: it lasts longer, but not longer than a session may.
    USE = concat!("UPDATE sessions SET expires_at = \
        CASE WHEN created_at + $2 < ", now!(), " + $3 THEN created_at + $2 ELSE ", now!(), " + $3 END \
        WHERE id = $1 AND ended_at IS NULL AND expires_at > ", now!(), " AND expires_at < ", now!(), " + $3");
    /// Ends a session.
    END = concat!("UPDATE sessions SET ended_at = ", now!(), " WHERE id = $1 AND ended_at IS NULL");
    /// The open sessions of an account.
    SESSIONS_OF = concat!("SELECT id, created_at, expires_at FROM sessions \
        WHERE user_id = $1 AND ended_at IS NULL AND expires_at > ", now!(), " ORDER BY created_at DESC, id DESC LIMIT 100");
    /// Ends a session of an account.
    END_OF = concat!("UPDATE sessions SET ended_at = ", now!(), " \
        WHERE id = $1 AND user_id = $2 AND ended_at IS NULL AND expires_at > ", now!());
    /// Forgets sessions that are over.
    FORGET_SESSIONS = concat!("DELETE FROM sessions WHERE expires_at < ", now!());
}

/// The kept account, and whether the token says nothing new of it.
pub async fn known<D: SqlDb>(tx: &mut Tx<D>, profile: &Profile) -> Result<Option<(User, bool)>, StoreError> {
    let stmt = Stmt::new(BY_IDENTITY).text(&profile.issuer).text(&profile.subject);
    tx.first(stmt, |row| {
        let user = read_user(row)?;
        let email = row.maybe_text("email")?;
        let verified = row.int("email_verified")? == 1;
        let same = |said: Option<&str>, kept: Option<&str>| said.is_none() || said == kept;
        let up_to_date = same(profile.email.as_ref().map(Email::as_str), email.as_deref())
            && (profile.email.is_none() || profile.email_verified == verified)
            && same(cleaned(profile.name.as_ref()).as_deref(), user.name.as_deref())
            && same(cleaned(profile.picture.as_ref()).as_deref(), user.avatar_url.as_deref());
        Ok((user, up_to_date))
    })
    .await
}

/// Free text of an issuer as both engines can keep it: Postgres' texts have no NUL.
fn cleaned(text: Option<&String>) -> Option<String> {
    text.map(|t| t.replace('\0', ""))
}

/// Makes or renews an account.
pub async fn upsert<D: SqlDb>(tx: &mut Tx<D>, fresh: UserId, profile: &Profile) -> Result<User, StoreError> {
    let stmt = Stmt::new(UPSERT)
        .bind(fresh.as_uuid())
        .text(&profile.issuer)
        .text(&profile.subject)
        .maybe(profile.email.as_ref().map(Email::as_str))
        .maybe(profile.email.as_ref().map(|e| e.key().as_str()))
        .bind(i64::from(profile.email.is_some() && profile.email_verified))
        .bind(cleaned(profile.name.as_ref()))
        .bind(cleaned(profile.picture.as_ref()));
    tx.one(stmt, read_user).await
}

fn micros_of(d: Duration) -> i64 {
    i64::try_from(d.whole_microseconds()).unwrap_or(i64::MAX)
}

/// Keeps a link and queues its mail.
pub async fn keep_sign_in<D: SqlDb>(tx: &mut Tx<D>, link: &SignInLink) -> Result<(), StoreError> {
    tx.run(Stmt::new(FORGET_LINKS).bind(micros_of(LINKS_KEPT))).await?;
    let stmt = Stmt::new(KEEP_LINK)
        .bind(link.id.as_uuid())
        .bytes(link.token.as_bytes())
        .text(link.email.as_str())
        .text(link.email.key().as_str())
        .bind(micros_of(link.lifetime));
    tx.run_one(stmt).await?;
    match link.delivery {
        Some(delivery) => outbox::queue_sign_in(tx, delivery, link.id).await,
        None => Ok(()),
    }
}

/// Uses a link up and opens a session. The digests are compared in constant time, here and not by the database.
pub async fn redeem<D: SqlDb>(
    tx: &mut Tx<D>,
    id: SignInId,
    token: &Digest,
    session: &NewSession,
) -> Result<Option<Session>, StoreError> {
    let link = tx
        .first(Stmt::new(LINK).bind(id.as_uuid()), |row| Ok((row.digest("token_digest")?, row.parse("email")?)))
        .await?;
    let Some((digest, email)) = link else { return Ok(None) };
    if digest != *token || tx.run(Stmt::new(USE_LINK).bind(id.as_uuid())).await? != 1 {
        return Ok(None);
    }
    let email: Email = email;
    let profile = Profile {
        issuer: EMAIL_ISSUER.to_owned(),
        subject: email.key().as_str().to_owned(),
        email: Some(email),
        email_verified: true,
        name: None,
        picture: None,
    };
    open(tx, &profile, session).await
}

/// Opens a session for the account of a profile. `None` when the id was used before.
pub async fn open<D: SqlDb>(
    tx: &mut Tx<D>,
    profile: &Profile,
    session: &NewSession,
) -> Result<Option<Session>, StoreError> {
    let user = upsert(tx, session.user, profile).await?;
    tx.run(Stmt::new(FORGET_SESSIONS)).await?;
    let stmt = Stmt::new(OPEN)
        .bind(session.id.as_uuid())
        .bytes(session.token.as_bytes())
        .bind(user.id.as_uuid())
        .bind(micros_of(SESSION_IDLE));
    let (issuer, subject) = (profile.issuer.clone(), profile.subject.clone());
    let opened = tx.first(stmt, |row| row.time("expires_at")).await?;
    Ok(opened.map(|expires_at| Session { user, issuer, subject, expires_at, due: false }))
}

/// Notes that sessions are in use. Rows are taken in the order of their ids, so that two processes can't wait for each
/// other.
pub async fn use_all<D: SqlDb>(tx: &mut Tx<D>, ids: &[SessionId]) -> Result<(), StoreError> {
    let mut ids: Vec<_> = ids.iter().map(|id| id.as_uuid()).collect();
    ids.sort_unstable();
    for id in ids {
        tx.run(Stmt::new(USE).bind(id).bind(micros_of(SESSION_LIFETIME)).bind(micros_of(SESSION_IDLE))).await?;
    }
    Ok(())
}

/// An open session.
pub async fn session<D: SqlDb>(tx: &mut Tx<D>, id: SessionId, token: &Digest) -> Result<Option<Session>, StoreError> {
    let read = |row: &Cells<'_, D>| -> Result<(Digest, Session), StoreError> {
        let session = Session {
            user: read_user(row)?,
            issuer: row.text("issuer")?,
            subject: row.text("subject")?,
            expires_at: row.time("expires_at")?,
            due: row.int("due")? == 1,
        };
        Ok((row.digest("token_digest")?, session))
    };
    let stmt = Stmt::new(SESSION)
        .bind(id.as_uuid())
        .bind(micros_of(SESSION_IDLE - SESSION_SLACK))
        .bind(micros_of(SESSION_LIFETIME));
    let found = tx.first(stmt, read).await?;
    Ok(found.filter(|(digest, _)| digest == token).map(|(_, session)| session))
}

/// Ends a session.
pub async fn end<D: SqlDb>(tx: &mut Tx<D>, id: SessionId) -> Result<(), StoreError> {
    tx.run(Stmt::new(END).bind(id.as_uuid())).await.map(drop)
}

/// The open sessions of an account, newest first.
pub async fn sessions_of<D: SqlDb>(tx: &mut Tx<D>, user: UserId) -> Result<Vec<OpenSession>, StoreError> {
    let read = |row: &Cells<'_, D>| {
        Ok(OpenSession {
            id: SessionId::from_uuid(row.id("id")?),
            created_at: row.time("created_at")?,
            expires_at: row.time("expires_at")?,
        })
    };
    tx.all(Stmt::new(SESSIONS_OF).bind(user.as_uuid()), read).await
}

/// Ends a session of an account; whether there was one to end.
pub async fn end_of<D: SqlDb>(tx: &mut Tx<D>, user: UserId, id: SessionId) -> Result<bool, StoreError> {
    Ok(tx.run(Stmt::new(END_OF).bind(id.as_uuid()).bind(user.as_uuid())).await? == 1)
}

/// Forgets links and sessions that are over.
pub async fn forget<D: SqlDb>(tx: &mut Tx<D>) -> Result<u64, StoreError> {
    let links = tx.run(Stmt::new(FORGET_LINKS).bind(micros_of(LINKS_KEPT))).await?;
    Ok(links + tx.run(Stmt::new(FORGET_SESSIONS)).await?)
}
