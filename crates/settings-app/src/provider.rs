//! Sign-in at an identity provider: leave, come back, have a session.
use crate::{App, sign_in::SignedIn};
use settings_domain::{
    ids::{SessionId, UserId},
    ports::{
        StoreError,
        accounts::NewSession,
        sign_in::{Answer, Attempt, Departure, Hints, SignInError},
    },
};

/// Why nobody was signed in.
#[derive(Debug, thiserror::Error)]
pub enum ArriveError {
    /// Not by this answer.
    #[error(transparent)]
    SignIn(#[from] SignInError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Somebody who came back and has a session.
#[derive(Debug)]
pub struct Arrived {
    /// The session, and its token this once.
    pub signed_in: SignedIn,
    /// The page that they wanted.
    pub back: String,
}

impl App {
    /// Where to send a browser to sign in. `back` is a path of ours.
    pub async fn depart(&self, back: String, hints: Hints) -> Result<Departure, SignInError> {
        let session = SessionId::from_uuid(self.ports.entropy.uuid());
        self.provider()?.depart(&Attempt { session, back, hints }).await
    }

    /// Opens a session for who came back. The session's id was chosen when they left, so one departure opens one session,
    /// whatever is sent again and to whichever process.
    pub async fn arrive(&self, answer: &Answer) -> Result<Arrived, ArriveError> {
        let arrival = self.provider()?.arrive(answer).await?;
        let minted = self.ports.mint.session(arrival.session).map_err(StoreError::unavailable)?;
        let fresh = UserId::from_uuid(self.ports.entropy.uuid());
        let new = NewSession { id: arrival.session, token: minted.digest, user: fresh };
        let session = self.ports.store.open_session(&arrival.profile, &new).await?.ok_or(SignInError::NotBegunHere)?;
        Ok(Arrived { signed_in: SignedIn { session, token: minted.text }, back: arrival.back })
    }

    /// Where to send a browser that signed out here; `None` where there is no such place.
    pub async fn farewell(&self) -> Option<String> {
        self.provider().ok()?.farewell().await
    }

    fn provider(&self) -> Result<&dyn settings_domain::ports::sign_in::SignInProvider, SignInError> {
        self.ports.provider.as_deref().ok_or(SignInError::Misconfigured("no provider is configured"))
    }
}
