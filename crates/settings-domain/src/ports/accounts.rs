//! User accounts and their sign-ins: platform-wide, in no tenant.
use super::{StoreError, identity::Profile};
use crate::{
    ids::{DeliveryId, SessionId, SignInId, UserId},
    members::User,
    text::Email,
    tokens::Digest,
};
use async_trait::async_trait;
use time::{Duration, OffsetDateTime};

/// How long a one-time sign-in link works.
pub const LINK_LIFETIME: Duration = Duration::minutes(15);
/// How long a session lasts at most.
pub const SESSION_LIFETIME: Duration = Duration::hours(12);
/// How long a session lasts without use.
pub const SESSION_IDLE: Duration = Duration::hours(2);
/// How much of [`SESSION_IDLE`] may pass before a use is written down: one write in so long, not one per request.
pub const SESSION_SLACK: Duration = Duration::minutes(5);
/// The issuer under which people who sign in by e-mail link are known.
pub const EMAIL_ISSUER: &str = "urn:settings:email";

/// A one-time sign-in link to be kept.
#[derive(Debug, Clone)]
pub struct SignInLink {
    /// Its id.
    pub id: SignInId,
    /// Digest of its token.
    pub token: Digest,
    /// Whose address the link proves.
    pub email: Email,
    /// Id of the mail; `None` when the link is handed over otherwise.
    pub delivery: Option<DeliveryId>,
    /// How long it works.
    pub lifetime: Duration,
}

/// A session to be opened.
#[derive(Debug, Clone)]
pub struct NewSession {
    /// Its id.
    pub id: SessionId,
    /// Digest of its token.
    pub token: Digest,
    /// Id for the account, should it be new.
    pub user: UserId,
}

/// An open session.
#[derive(Debug, Clone)]
pub struct Session {
    /// The account.
    pub user: User,
    /// Who vouched for the account: an issuer, or [`EMAIL_ISSUER`].
    pub issuer: String,
    /// The issuer's name for it.
    pub subject: String,
    /// When it ends unless it is used.
    pub expires_at: OffsetDateTime,
    /// Whether a use of it is to be written down now ([`SESSION_SLACK`]).
    pub due: bool,
}

/// An open session as its owner sees it. Nothing in it opens anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenSession {
    /// Its id.
    pub id: SessionId,
    /// When it was opened.
    pub created_at: OffsetDateTime,
    /// When it ends unless it is used.
    pub expires_at: OffsetDateTime,
}

/// Accounts, sign-in links and sessions.
#[async_trait]
pub trait Accounts: Send + Sync {
    /// Makes the account at first sight, and keeps its profile up to date. Identity is issuer and subject.
    async fn sync(&self, fresh: UserId, profile: &Profile) -> Result<User, StoreError>;
    /// Keeps a link, and queues its mail where it has one.
    async fn keep_sign_in(&self, link: &SignInLink) -> Result<(), StoreError>;
    /// Uses a link up and opens a session; `None` when the link is unknown, used or over. Exactly one of any number of
    /// simultaneous calls gets the session.
    async fn redeem_sign_in(
        &self,
        id: SignInId,
        token: &Digest,
        session: &NewSession,
    ) -> Result<Option<Session>, StoreError>;
    /// Opens a session for whom an issuer vouches, and keeps the account as [`Accounts::sync`] does. `None` when there was
    /// a session of this id already: then nothing is changed.
    async fn open_session(&self, profile: &Profile, session: &NewSession) -> Result<Option<Session>, StoreError>;
    /// An open session; `None` when it is unknown, ended or over.
    async fn session(&self, id: SessionId, token: &Digest) -> Result<Option<Session>, StoreError>;
    /// Notes that these sessions are in use: each lasts [`SESSION_IDLE`] from now, [`SESSION_LIFETIME`] in all. What is
    /// unknown, ended or over stays so.
    async fn use_sessions(&self, ids: &[SessionId]) -> Result<(), StoreError>;
    /// Ends a session. Ending it twice is fine.
    async fn end_session(&self, id: SessionId) -> Result<(), StoreError>;
    /// The open sessions of an account, newest first, at most a hundred.
    async fn sessions_of(&self, user: UserId) -> Result<Vec<OpenSession>, StoreError>;
    /// Ends a session of this account; whether there was one to end. A session of somebody else is none.
    async fn end_session_of(&self, user: UserId, id: SessionId) -> Result<bool, StoreError>;
}
