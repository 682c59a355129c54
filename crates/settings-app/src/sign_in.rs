//! Sign-in by a one-time e-mail link: the way in where no OIDC issuer is configured.
use crate::{App, failure::Failure};
use secrecy::{ExposeSecret as _, SecretString};
use settings_domain::{
    ids::{DeliveryId, SessionId, SignInId, UserId},
    members::User,
    ports::{
        StoreError,
        accounts::{EMAIL_ISSUER, LINK_LIFETIME, NewSession, Session, SignInLink},
        identity::Profile,
    },
    text::{DisplayName, Email, Slug},
    transaction::{Call, Caller},
};
use time::Duration;

/// An opened session and its bearer token, this once.
#[derive(Debug)]
pub struct SignedIn {
    /// The session.
    pub session: Session,
    /// Its bearer token.
    pub token: SecretString,
}

impl App {
    /// Sends a link to an address. The answer is the same whether or not anybody is known by it.
    pub async fn send_sign_in_link(&self, email: Email) -> Result<(), StoreError> {
        let id = SignInId::from_uuid(self.ports.entropy.uuid());
        let delivery = Some(DeliveryId::from_uuid(self.ports.entropy.uuid()));
        let token = self.ports.mint.sign_in(id).digest;
        self.ports.store.keep_sign_in(&SignInLink { id, token, email, delivery, lifetime: LINK_LIFETIME }).await
    }

    /// Makes a link that is handed over directly: the operator's first way in.
    pub async fn sign_in_link(&self, email: Email, lifetime: Duration) -> Result<SecretString, StoreError> {
        let id = SignInId::from_uuid(self.ports.entropy.uuid());
        let minted = self.ports.mint.sign_in(id);
        self.ports
            .store
            .keep_sign_in(&SignInLink { id, token: minted.digest, email, delivery: None, lifetime })
            .await?;
        Ok(format!("{}/sign-in/{}", self.rules.public_url, minted.text.expose_secret()).into())
    }

    /// Uses a link up.
    pub async fn redeem_sign_in(&self, token: &str) -> Result<Option<SignedIn>, StoreError> {
        let Some((link, digest)) = self.ports.mint.parse_sign_in(token) else { return Ok(None) };
        let id = SessionId::from_uuid(self.ports.entropy.uuid());
        let minted = self.ports.mint.session(id).map_err(StoreError::unavailable)?;
        let new = NewSession { id, token: minted.digest, user: UserId::from_uuid(self.ports.entropy.uuid()) };
        let session = self.ports.store.redeem_sign_in(link, &digest, &new).await?;
        Ok(session.map(|session| SignedIn { session, token: minted.text }))
    }

    /// The account of an address whose mail its owner has just been seen to read.
    pub(crate) async fn account_of(&self, email: &Email) -> Result<User, StoreError> {
        let profile = Profile {
            issuer: EMAIL_ISSUER.to_owned(),
            subject: email.key().as_str().to_owned(),
            email: Some(email.clone()),
            email_verified: true,
            name: None,
            picture: None,
        };
        self.ports.store.sync(UserId::from_uuid(self.ports.entropy.uuid()), &profile).await
    }

    /// Signs the owner of an address in without sending a link first.
    pub(crate) async fn sign_in_as(&self, email: Email) -> Result<Option<SignedIn>, StoreError> {
        let id = SignInId::from_uuid(self.ports.entropy.uuid());
        let minted = self.ports.mint.sign_in(id);
        self.ports
            .store
            .keep_sign_in(&SignInLink { id, token: minted.digest, email, delivery: None, lifetime: LINK_LIFETIME })
            .await?;
        self.redeem_sign_in(minted.text.expose_secret()).await
    }

    /// Ends the session of a bearer token. Anything else is ignored.
    pub async fn end_session(&self, token: &str) -> Result<(), StoreError> {
        match self.ports.mint.parse_session(token) {
            Some((id, digest)) if self.ports.store.session(id, &digest).await?.is_some() => {
                self.ports.store.end_session(id).await
            }
            _ => Ok(()),
        }
    }

    /// Makes the workspace of a new installation with its admin, and the admin's link (running: first start).
    pub async fn seed(&self, slug: Slug, name: DisplayName, admin: Email) -> Result<SecretString, SeedError> {
        let User { id, .. } = self.account_of(&admin).await?;
        // The operator who starts the service on an empty database acts for the platform, once.
        let caller = Caller::User { id, verified_email: Some(admin.clone()), platform: true };
        let permit = self.may_found(&caller).map_err(|_| SeedError::Refused)?;
        let call = Call {
            caller,
            request: self.ports.entropy.uuid().to_string(),
            idempotent: None,
            guard: settings_domain::impact::Guard::default(),
            receipts: settings_domain::audit::Receipts::default(),
        };
        let new = crate::workspaces::CreateWorkspace {
            slug,
            name,
            region: None,
            admin: admin.clone(),
            seat_limit: None,
            floor_days: None,
        };
        match self.create_workspace(&permit, &call, new).await {
            Ok(_) => Ok(self.sign_in_link(admin, Duration::hours(24)).await?),
            Err(Failure::Store(e)) => Err(e.into()),
            Err(_) => Err(SeedError::Refused),
        }
    }
}

/// Why the first workspace was not made.
#[derive(Debug, thiserror::Error)]
pub enum SeedError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A rule stood against it: the database is not empty after all.
    #[error("the first workspace could not be made: its slug is taken")]
    Refused,
}
