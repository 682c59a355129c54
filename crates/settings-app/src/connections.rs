//! Connections: to Slack and back, channel, end. Reads go through `Snapshot<ListConnections>`.
use crate::{
    App,
    failure::{Failure, replayed},
    sealing::Sealing,
};
use secrecy::ExposeSecret as _;
use settings_domain::{
    change::Committed,
    connections::{Connection, ConnectionError, ConnectionPatch, Grant},
    ids::ConnectionId,
    micros,
    policy::{Actor, Permit, Principal, actions},
    ports::{
        StoreError,
        slack::{SlackApi, SlackError, SlackGrant},
    },
    text::DisplayName,
    tokens::Digest,
    transaction::{Call, Transaction},
};
use std::sync::Arc;
use time::{Duration, OffsetDateTime};

/// How long somebody may stay on Slack's page.
const PATIENCE: Duration = Duration::minutes(10);

/// Why Slack was not connected.
#[derive(Debug)]
pub enum ConnectFailure {
    /// The operator has not set Slack up.
    NotConfigured,
    /// Slack did not grant it, or could not be asked.
    Slack(SlackError),
    /// A rule, a right or the store.
    Use(Failure<ConnectionError>),
}

impl<E: Into<Failure<ConnectionError>>> From<E> for ConnectFailure {
    fn from(e: E) -> Self {
        Self::Use(e.into())
    }
}

/// Whom an authorization belongs to: nobody else can end what they began.
fn owner(actor: &Actor) -> [u8; 16] {
    match actor.principal() {
        Principal::Key { key, .. } => key.as_uuid().into_bytes(),
        _ => actor.user().map_or([0; 16], |user| user.as_uuid().into_bytes()),
    }
}

impl App {
    /// Begins to connect Slack: the page to send the person to, who comes back to `redirect` within ten minutes.
    pub async fn start_connection(
        &self,
        permit: &Permit<actions::StartConnection>,
        call: &Call,
        redirect: &str,
    ) -> Result<String, ConnectFailure> {
        let slack = self.slack()?;
        let tx = Transaction::open(self.ports.store.as_ref(), permit, call).await?;
        let (at, actor) = (tx.permit().at(), *tx.permit().actor());
        let change = Connection::start(tx.permit());
        tx.commit(change).await?;
        let state = self
            .ports
            .mint
            .seal_cursor(&context(&actor, redirect), &micros::from_time(at).to_be_bytes())
            .map_err(StoreError::unavailable)?;
        Ok(slack.authorize_url(&state, redirect))
    }

    /// Connects Slack with the code that a person came back with.
    pub async fn authorize_connection(
        &self,
        permit: &Permit<actions::AuthorizeConnection>,
        call: &Call,
        (code, state): (&str, &str),
        redirect: &str,
    ) -> Result<Committed<Connection>, ConnectFailure> {
        let slack = self.slack()?;
        let unknown = || Failure::rule(ConnectionError::StateUsed);
        let started_at = self.ports.mint.open_cursor(&context(permit.actor(), redirect), state);
        let started_at = started_at.and_then(instant).ok_or_else(unknown)?;
        if !(Duration::ZERO..=PATIENCE).contains(&(permit.at() - started_at)) {
            return Err(unknown().into());
        }
        let sealing = Sealing::current(&self.ports, permit.scope()).await?;
        // Slack is asked before the tenant's lock is taken: a slow Slack delays who asked and nobody else.
        let granted = slack.exchange(code, redirect).await.map_err(ConnectFailure::Slack)?;
        let mut tx = Transaction::open(self.ports.store.as_ref(), permit, call).await?;
        let present = tx.load().connection().await?.map(|record| record.connection);
        let id = ConnectionId::from_uuid(self.ports.entropy.uuid());
        let binding = match present.as_ref().filter(|p| p.team_id == granted.team_id) {
            Some(same) => same.next_binding(),
            None => Connection::binding(permit.scope().workspace(), id, &granted.team_id, 1),
        };
        let token = sealing.seal_text(binding, granted.token.expose_secret(), Digest::none())?;
        let grant = grant(granted, token)?;
        let change =
            Connection::authorize(present.as_ref(), tx.permit(), started_at, id, grant).map_err(Failure::from)?;
        Ok(tx.commit(change).await?)
    }

    /// Chooses a connection's channel, or switches it off.
    pub async fn update_connection(
        &self,
        permit: &Permit<actions::UpdateConnection>,
        call: &Call,
        id: ConnectionId,
        patch: ConnectionPatch,
    ) -> Result<Committed<Connection>, Failure<ConnectionError>> {
        let mut tx = Transaction::open(self.ports.store.as_ref(), permit, call).await?;
        let there = tx.load().connection().await?.filter(|record| record.connection.id == id);
        let there = there.ok_or_else(|| Failure::rule(ConnectionError::NotFound))?;
        let change = there.connection.update(tx.permit(), patch, &call.guard)?;
        Ok(tx.commit(change).await?)
    }

    /// Deletes a connection, with its token.
    pub async fn delete_connection(
        &self,
        permit: &Permit<actions::DeleteConnection>,
        call: &Call,
        id: ConnectionId,
    ) -> Result<Committed<()>, Failure<ConnectionError>> {
        let mut tx = Transaction::open(self.ports.store.as_ref(), permit, call).await?;
        replayed!(tx);
        let there = tx.load().connection().await?.filter(|record| record.connection.id == id);
        let there = there.ok_or_else(|| Failure::rule(ConnectionError::NotFound))?;
        let change = there.connection.delete(tx.permit(), &call.guard)?;
        Ok(tx.commit(change).await?)
    }

    fn slack(&self) -> Result<&Arc<dyn SlackApi>, ConnectFailure> {
        self.ports.slack.as_ref().ok_or(ConnectFailure::NotConfigured)
    }
}

/// What a state is good for: one workspace, one person or key, one way back.
fn context(actor: &Actor, redirect: &str) -> Vec<u8> {
    let workspace = actor.workspace().as_uuid();
    [b"slack-authorization".as_slice(), workspace.as_bytes(), &owner(actor), redirect.as_bytes()].concat()
}

fn instant(position: Vec<u8>) -> Option<OffsetDateTime> {
    micros::to_time(i64::from_be_bytes(position.try_into().ok()?))
}

/// What Slack calls its team and channel is a stranger's text: kept as a name where it is one, else the ids are.
fn grant(granted: SlackGrant, token: settings_domain::sealed::StoredValue) -> Result<Grant, StoreError> {
    let named = |text: &str| text.parse::<DisplayName>().ok();
    let team_name = named(&granted.team_name).or_else(|| named(&granted.team_id));
    Ok(Grant {
        team_name: team_name.ok_or_else(|| StoreError::Corrupt("a team without a name or id".to_owned()))?,
        team_id: granted.team_id,
        channel: granted.channel.and_then(|c| c.parse().ok()),
        channel_name: granted.channel_name.and_then(|c| named(&c)),
        token,
    })
}
