//! Accounts, sign-in links and sessions.
use super::{
    FakeStore,
    state::{Account, Link, Message, SessionRow, State},
};
use async_trait::async_trait;
use settings_domain::{
    ids::{SessionId, SignInId, UserId},
    members::User,
    ports::{
        StoreError,
        accounts::{
            Accounts, EMAIL_ISSUER, NewSession, OpenSession, SESSION_IDLE, SESSION_LIFETIME, SESSION_SLACK, Session,
            SignInLink,
        },
        identity::Profile,
        outbox::Job,
    },
    tokens::Digest,
};
use time::OffsetDateTime;

/// Makes or renews an account. What a token does not say stays as it is.
fn sync(state: &mut State, fresh: UserId, profile: &Profile) -> User {
    let same = |a: &Account| a.issuer == profile.issuer && a.subject == profile.subject;
    let id = state.accounts.iter().find(|(_, a)| same(a)).map_or(fresh, |(id, _)| *id);
    let account = state.accounts.entry(id).or_insert_with(|| Account {
        issuer: profile.issuer.clone(),
        subject: profile.subject.clone(),
        email: None,
        verified: false,
        name: None,
        picture: None,
    });
    if let Some(email) = &profile.email {
        (account.email, account.verified) = (Some(email.clone()), profile.email_verified);
    }
    account.name = profile.name.clone().or(account.name.take());
    account.picture = profile.picture.clone().or(account.picture.take());
    account.view(id)
}

/// Opens a session, unless there is or was one of this id.
fn open(state: &mut State, now: OffsetDateTime, profile: &Profile, session: &NewSession) -> Option<Session> {
    if state.sessions.contains_key(&session.id) {
        return None;
    }
    let user = sync(state, session.user, profile);
    let expires_at = now + SESSION_IDLE;
    let row = SessionRow { token: session.token, user: user.id, created_at: now, expires_at, ended: false };
    state.sessions.insert(session.id, row);
    let (issuer, subject) = (profile.issuer.clone(), profile.subject.clone());
    Some(Session { user, issuer, subject, expires_at, due: false })
}

#[async_trait]
impl Accounts for FakeStore {
    async fn sync(&self, fresh: UserId, profile: &Profile) -> Result<User, StoreError> {
        Ok(sync(&mut self.state(), fresh, profile))
    }
    async fn keep_sign_in(&self, link: &SignInLink) -> Result<(), StoreError> {
        let (mut state, now) = (self.state(), self.now());
        let row = Link { token: link.token, email: link.email.clone(), expires_at: now + link.lifetime, used: false };
        state.links.insert(link.id, row);
        if let Some(delivery) = link.delivery {
            let message = Message::new(Job::SignIn(link.id), now);
            state.queue.insert(delivery, message);
        }
        Ok(())
    }
    async fn redeem_sign_in(
        &self,
        id: SignInId,
        token: &Digest,
        session: &NewSession,
    ) -> Result<Option<Session>, StoreError> {
        let (mut state, now) = (self.state(), self.now());
        let works = |l: &&mut Link| !l.used && now < l.expires_at && l.token == *token;
        let Some(link) = state.links.get_mut(&id).filter(works) else { return Ok(None) };
        link.used = true;
        let profile = Profile {
            issuer: EMAIL_ISSUER.to_owned(),
            subject: link.email.key().as_str().to_owned(),
            email: Some(link.email.clone()),
            email_verified: true,
            name: None,
            picture: None,
        };
        Ok(open(&mut state, now, &profile, session))
    }
    async fn open_session(&self, profile: &Profile, session: &NewSession) -> Result<Option<Session>, StoreError> {
        let now = self.now();
        Ok(open(&mut self.state(), now, profile, session))
    }
    async fn session(&self, id: SessionId, token: &Digest) -> Result<Option<Session>, StoreError> {
        let (state, now) = (self.state(), self.now());
        let works = |s: &&SessionRow| !s.ended && now < s.expires_at && s.token == *token;
        let row = state.sessions.get(&id).filter(works);
        Ok(row.and_then(|s| {
            let account = state.accounts.get(&s.user)?;
            Some(Session {
                user: account.view(s.user),
                issuer: account.issuer.clone(),
                subject: account.subject.clone(),
                expires_at: s.expires_at,
                due: s.expires_at < now + SESSION_IDLE - SESSION_SLACK
                    && s.expires_at < s.created_at + SESSION_LIFETIME,
            })
        }))
    }
    async fn use_sessions(&self, ids: &[SessionId]) -> Result<(), StoreError> {
        let (mut state, now) = (self.state(), self.now());
        for id in ids {
            if let Some(s) = state.sessions.get_mut(id).filter(|s| !s.ended && now < s.expires_at) {
                s.expires_at = s.expires_at.max(now + SESSION_IDLE).min(s.created_at + SESSION_LIFETIME);
            }
        }
        Ok(())
    }
    async fn end_session(&self, id: SessionId) -> Result<(), StoreError> {
        if let Some(session) = self.state().sessions.get_mut(&id) {
            session.ended = true;
        }
        Ok(())
    }
    async fn sessions_of(&self, user: UserId) -> Result<Vec<OpenSession>, StoreError> {
        let (state, now) = (self.state(), self.now());
        let open = |s: &SessionRow| s.user == user && !s.ended && now < s.expires_at;
        let mut found: Vec<_> = state
            .sessions
            .iter()
            .filter(|(_, s)| open(s))
            .map(|(id, s)| OpenSession { id: *id, created_at: s.created_at, expires_at: s.expires_at })
            .collect();
        found.sort_by_key(|s| std::cmp::Reverse((s.created_at, s.id.as_uuid())));
        found.truncate(100);
        Ok(found)
    }
    async fn end_session_of(&self, user: UserId, id: SessionId) -> Result<bool, StoreError> {
        let (mut state, now) = (self.state(), self.now());
        let session = state.sessions.get_mut(&id).filter(|s| s.user == user && !s.ended && now < s.expires_at);
        let ended = session.is_some();
        if let Some(session) = session {
            session.ended = true;
        }
        Ok(ended)
    }
}
