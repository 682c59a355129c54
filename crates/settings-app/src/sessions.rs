//! A person's own sessions: what is open, and an end to it.
use crate::App;
use settings_domain::{
    ids::{SessionId, UserId},
    ports::{StoreError, accounts::OpenSession},
};

impl App {
    /// The open sessions of an account, newest first.
    pub async fn sessions_of(&self, user: UserId) -> Result<Vec<OpenSession>, StoreError> {
        self.ports.store.sessions_of(user).await
    }
    /// Ends a session of an account; whether there was one to end.
    pub async fn end_session_of(&self, user: UserId, id: SessionId) -> Result<bool, StoreError> {
        self.ports.store.end_session_of(user, id).await
    }
    /// Ends every session of an account but one. Returns how many ended.
    pub async fn end_other_sessions(&self, user: UserId, keep: SessionId) -> Result<usize, StoreError> {
        let mut ended = 0;
        for session in self.sessions_of(user).await? {
            if session.id != keep && self.end_session_of(user, session.id).await? {
                ended += 1;
            }
        }
        Ok(ended)
    }
}
