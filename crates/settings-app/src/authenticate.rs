//! From a credential to a caller. Identity only: what a caller may do is read with the data, never here.
use crate::App;
use secrecy::{ExposeSecret as _, SecretString};
use settings_domain::{
    api_keys::KeyStatus,
    ids::{SessionId, UserId},
    members::User,
    ports::{
        StoreError,
        accounts::EMAIL_ISSUER,
        identity::{Profile, TokenError},
        store::KeyStanding,
    },
    tokens::Digest,
    transaction::Caller,
};

/// What a request carries.
#[derive(Debug)]
pub enum Credential {
    /// `x-api-key`.
    ApiKey(SecretString),
    /// `Authorization: Bearer`.
    Bearer(SecretString),
}

/// An authenticated caller.
#[derive(Debug, Clone)]
pub struct Authenticated {
    /// Who calls.
    pub caller: Caller,
    /// The account, for people.
    pub user: Option<User>,
    /// The key with its workspace, as of an instant after the request arrived.
    pub key: Option<Box<KeyStanding>>,
}

/// Why a credential was not accepted.
#[derive(Debug, thiserror::Error)]
pub enum AuthError {
    /// It is not valid. One answer for every cause; the cause is for the log.
    #[error("the credential is not valid: {0}")]
    Invalid(&'static str),
    /// An API key was sent as a bearer token (seed A, Troubleshooting).
    #[error("an API key belongs into the x-api-key header")]
    KeyAsBearer,
    /// It can't be checked right now. Never a "no": a client must not drop a good credential.
    #[error(transparent)]
    Unavailable(#[from] StoreError),
}

impl App {
    /// Checks a credential.
    pub async fn authenticate(&self, credential: &Credential) -> Result<Authenticated, AuthError> {
        match credential {
            Credential::ApiKey(text) => self.key(text).await,
            Credential::Bearer(text) => self.bearer(text).await,
        }
    }

    async fn key(&self, text: &SecretString) -> Result<Authenticated, AuthError> {
        let (id, digest) =
            self.ports.mint.parse_api_key(text.expose_secret()).ok_or(AuthError::Invalid("malformed key"))?;
        let Some(standing) = self.ports.store.key(id).await? else {
            // The same work as for a known key, so that time does not tell which ids exist.
            std::hint::black_box(digest == Digest::none());
            return Err(AuthError::Invalid("unknown key"));
        };
        let record = &standing.record;
        if record.digest != digest {
            return Err(AuthError::Invalid("wrong secret"));
        }
        if self.ports.mint.seal_api_key(&record.key, &record.digest) != record.seal {
            tracing::error!(key = %id, workspace = %record.key.workspace, "an API key's row was changed behind the service's back; the key is refused");
            return Err(AuthError::Invalid("tampered row"));
        }
        if record.key.status(standing.at) != KeyStatus::Active {
            return Err(AuthError::Invalid("revoked or expired key"));
        }
        self.saw_key(record.key.workspace, id, standing.at);
        Ok(Authenticated { caller: Caller::Key((&record.key).into()), user: None, key: Some(Box::new(standing)) })
    }

    async fn bearer(&self, text: &SecretString) -> Result<Authenticated, AuthError> {
        if self.ports.mint.looks_like_api_key(text.expose_secret()) {
            return Err(AuthError::KeyAsBearer);
        }
        if self.ports.mint.parse_session(text.expose_secret()).is_some() {
            let found = self.authenticate_session(text).await?;
            return found.map(|(_, auth)| auth).ok_or(AuthError::Invalid("unknown or ended session"));
        }
        let verifier = self.ports.verifier.as_ref().ok_or(AuthError::Invalid("no issuer is configured"))?;
        let profile = verifier.verify(text).await.map_err(|e| match e {
            TokenError::Invalid(why) => AuthError::Invalid(why),
            TokenError::Unavailable(cause) => AuthError::Unavailable(StoreError::Unavailable(cause)),
        })?;
        let user = self.ports.store.sync(UserId::from_uuid(self.ports.entropy.uuid()), &profile).await?;
        let platform = self.is_platform(&profile);
        let verified_email = profile.email.filter(|_| profile.email_verified);
        Ok(person(user, verified_email, platform))
    }

    /// Checks a session's token and nothing else: what the console's cookie may hold. `None` for a session that is unknown,
    /// ended or over, and for every other kind of credential.
    pub async fn authenticate_session(
        &self,
        text: &SecretString,
    ) -> Result<Option<(SessionId, Authenticated)>, StoreError> {
        let Some((id, digest)) = self.ports.mint.parse_session(text.expose_secret()) else { return Ok(None) };
        let Some(session) = self.ports.store.session(id, &digest).await? else { return Ok(None) };
        if session.due {
            self.saw_session(id);
        }
        // What an account shows is an address that was verified: by the link that was sent to it, or by the issuer.
        let verified_email = session.user.email.clone();
        let by_email = verified_email.as_ref().is_some_and(|e| self.rules.platform_emails.contains(e.key()));
        // Subjects are those of the configured issuer; by a link, everybody's subject is an address of their choice.
        let by_subject = session.issuer != EMAIL_ISSUER && self.rules.platform_subjects.contains(&session.subject);
        Ok(Some((id, person(session.user, verified_email, by_email || by_subject))))
    }

    fn is_platform(&self, profile: &Profile) -> bool {
        let by_email = profile.email_verified
            && profile.email.as_ref().is_some_and(|e| self.rules.platform_emails.contains(e.key()));
        by_email || self.rules.platform_subjects.contains(&profile.subject)
    }
}

fn person(user: User, verified_email: Option<settings_domain::text::Email>, platform: bool) -> Authenticated {
    let caller = Caller::User { id: user.id, verified_email, platform };
    Authenticated { caller, user: Some(user), key: None }
}
