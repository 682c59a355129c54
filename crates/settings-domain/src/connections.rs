//! Connections (seed A, scope `connections`): a workspace's Slack, made by OAuth, at most one.
use crate::{
    audit::{Details, PublicValue, Target},
    change::{Change, Write},
    deliveries::{Audience, DeliveryWrite, Message},
    error::{Refused, refusals},
    events::queue,
    ids::{ConnectionId, DeliveryId, PersonId, WorkspaceId},
    impact::Guard,
    policy::{Mutation, Permit, actions},
    sealed::{Binding, Opening, StoredValue, ValueKind},
    text::DisplayName,
};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};
use time::OffsetDateTime;

/// How a connection stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ConnectionStatus {
    /// Messages go out.
    Active,
    /// Slack refused: somebody has to authorize it again, or to choose another channel where it was the channel.
    Error,
    /// Somebody switched it off; its token is gone.
    Disconnected,
}

impl ConnectionStatus {
    /// All.
    pub const ALL: [Self; 3] = [Self::Active, Self::Error, Self::Disconnected];
    /// Name on the wire and in the database.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Error => "error",
            Self::Disconnected => "disconnected",
        }
    }
    /// Reads the name.
    #[must_use]
    pub fn parse(s: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|c| c.name() == s)
    }
}

/// A channel as Slack takes it: an id such as `C0123ABCD`, or a name with or without its `#`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SlackChannel(String);

impl SlackChannel {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for SlackChannel {
    type Err = crate::text::TextError;
    fn from_str(s: &str) -> Result<Self, Self::Err> {
        let name = s.strip_prefix('#').unwrap_or(s);
        let allowed = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
        if (1..=80).contains(&name.chars().count()) && name.chars().all(allowed) {
            Ok(Self(s.to_owned()))
        } else {
            Err(crate::text::TextError(
                "must be a channel's id or name: 1 to 80 letters, digits, hyphens, underscores and dots",
            ))
        }
    }
}
impl TryFrom<String> for SlackChannel {
    type Error = crate::text::TextError;
    fn try_from(s: String) -> Result<Self, Self::Error> {
        s.parse()
    }
}
impl From<SlackChannel> for String {
    fn from(c: SlackChannel) -> Self {
        c.0
    }
}
impl fmt::Display for SlackChannel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What Slack refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SlackFault {
    /// The token: somebody has to authorize the connection again.
    Token,
    /// The channel: another one will do.
    Channel,
}

/// A connection, without its token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Connection {
    /// The workspace.
    pub workspace: WorkspaceId,
    /// Its id. Another team is another connection, so that nothing queued for one goes to another (SL05).
    pub id: ConnectionId,
    /// How it stands.
    pub status: ConnectionStatus,
    /// Why, in our own words, where it is in error.
    pub status_reason: Option<String>,
    /// Where it posts.
    pub channel: Option<SlackChannel>,
    /// What that channel is called.
    pub channel_name: Option<DisplayName>,
    /// Slack's id of the team.
    pub team_id: String,
    /// What the team calls itself.
    pub team_name: DisplayName,
    /// When somebody last authorized it.
    #[serde(with = "crate::micros")]
    pub authorized_at: OffsetDateTime,
    /// When it was made.
    #[serde(with = "crate::micros")]
    pub created_at: OffsetDateTime,
    /// When it last changed.
    #[serde(with = "crate::micros")]
    pub updated_at: OffsetDateTime,
    /// Counts its changes, from 1.
    pub version: i64,
}

/// A connection with what is stored of its token. One that is disconnected has none.
#[derive(Debug, Clone)]
pub struct ConnectionRecord {
    /// The connection.
    pub connection: Connection,
    /// The token, sealed.
    pub token: Option<StoredValue>,
}

impl ConnectionRecord {
    /// The right to open its token: for the task that posts with it, while it is active.
    #[must_use]
    pub fn opening(&self, permit: &Permit<actions::DeliverMessages>) -> Option<Opening<'_>> {
        let own = permit.scope().workspace() == self.connection.workspace;
        let active = self.connection.status == ConnectionStatus::Active;
        self.token.as_ref().filter(|_| own && active).map(StoredValue::opening)
    }
}

/// What an adapter writes.
#[derive(Debug, Clone)]
pub enum ConnectionWrite {
    /// A new row. The workspace's earlier connection, of another team, is gone with it.
    Insert(Box<ConnectionRecord>),
    /// The row as it shall be, with another token where there is one.
    Update(Connection, Option<Box<StoredValue>>),
    /// The row as it shall be, without any token.
    Disconnect(Connection),
    /// Drops the row.
    Delete(ConnectionId),
}

refusals! {
    /// Why a connection was not made or changed.
    ConnectionError {
        NotFound: NotFound "not-found", "There is no such connection.";
        Disconnected: Conflict "connection-disconnected", "This connection is disconnected. Authorize it again first.";
        StateUsed: Invalid "connection-state-invalid", "This authorization was begun too long ago, by somebody else, or is used up. Start again.";
    }
}

/// What Slack granted, with the token sealed.
#[derive(Debug, Clone)]
pub struct Grant {
    /// Slack's id of the team.
    pub team_id: String,
    /// What the team calls itself.
    pub team_name: DisplayName,
    /// The channel that the person picked.
    pub channel: Option<SlackChannel>,
    /// What it is called.
    pub channel_name: Option<DisplayName>,
    /// The token, sealed under [`Connection::binding`] or [`Connection::next_binding`].
    pub token: StoredValue,
}

/// The wanted changes; `None` leaves a field alone.
#[derive(Debug, Clone, Default)]
pub struct ConnectionPatch {
    /// Where it posts.
    pub channel: Option<SlackChannel>,
    /// Whether to switch it off: its token is destroyed.
    pub disconnect: bool,
}

impl Connection {
    /// What a token is bound to.
    #[must_use]
    pub fn binding(workspace: WorkspaceId, id: ConnectionId, team_id: &str, version: i64) -> Binding {
        Binding::new(workspace, ValueKind::ConnectionToken, id.as_uuid(), version, format!("slack {team_id}"))
    }
    /// What the next token of this one is bound to.
    #[must_use]
    pub fn next_binding(&self) -> Binding {
        Self::binding(self.workspace, self.id, &self.team_id, self.version + 1)
    }
    /// Whether messages can be posted.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.status == ConnectionStatus::Active && self.channel.is_some()
    }

    /// Somebody leaves for Slack's page. Nothing changes yet, but it is on record who began.
    pub fn start(permit: &Permit<actions::StartConnection>) -> Change<()> {
        Change::recorded(permit, Target::Workspace, Details::new(), ())
    }

    /// Somebody came back with a grant that began at `started_at`. The same team keeps its connection and, unless another was
    /// picked, its channel; what waited for it is sent. An authorization works once.
    pub fn authorize(
        present: Option<&Self>,
        permit: &Permit<actions::AuthorizeConnection>,
        started_at: OffsetDateTime,
        id: ConnectionId,
        grant: Grant,
    ) -> Result<Change<Self>, Refused<ConnectionError>> {
        if present.is_some_and(|p| p.authorized_at >= started_at) {
            return Err(ConnectionError::StateUsed.into());
        }
        let (workspace, at) = (permit.scope().workspace(), permit.at());
        let same = present.filter(|p| p.team_id == grant.team_id);
        let expected = same.map_or_else(|| Self::binding(workspace, id, &grant.team_id, 1), Self::next_binding);
        if *grant.token.binding() != expected {
            return Err(Refused::Stale);
        }
        let (channel, channel_name) = match (grant.channel, same) {
            (Some(channel), _) => (Some(channel), grant.channel_name),
            (None, Some(p)) => (p.channel.clone(), p.channel_name.clone()),
            (None, None) => (None, None),
        };
        let next = Self {
            workspace,
            id: same.map_or(id, |p| p.id),
            status: ConnectionStatus::Active,
            status_reason: None,
            channel,
            channel_name,
            team_id: grant.team_id,
            team_name: grant.team_name,
            authorized_at: at,
            created_at: same.map_or(at, |p| p.created_at),
            updated_at: at,
            version: same.map_or(1, |p| p.version + 1),
        };
        let word = |s: ConnectionStatus| Some(PublicValue::word(s.name()));
        let mut details =
            details(permit, &next).change("status", same.and_then(|p| word(p.status)), word(ConnectionStatus::Active));
        if let (Some(gone), None) = (present, same) {
            details = details.change("replaced", Some(gone.id.as_uuid().into()), None);
        }
        let (id, target) = (next.id, Target::Connection(next.id));
        let write = match same {
            Some(_) => ConnectionWrite::Update(next.clone(), Some(Box::new(grant.token))),
            None => ConnectionWrite::Insert(Box::new(ConnectionRecord {
                connection: next.clone(),
                token: Some(grant.token),
            })),
        };
        let change = Change::decided(permit, Write::Connection(write), target, details, next);
        Ok(change.write(Write::Delivery(DeliveryWrite::Resume(id))))
    }

    /// Changes where it posts, or switches it off. Another channel mends a connection whose channel was refused, and what
    /// waited for it is sent.
    pub fn update(
        &self,
        permit: &Permit<actions::UpdateConnection>,
        patch: ConnectionPatch,
        guard: &Guard,
    ) -> Result<Change<Self>, Refused<ConnectionError>> {
        guard.check_version(self.version)?;
        if patch.channel.is_some() && (self.status == ConnectionStatus::Disconnected || patch.disconnect) {
            return Err(ConnectionError::Disconnected.into());
        }
        let mut next = self.clone();
        if let Some(channel) = patch.channel.filter(|c| Some(c) != self.channel.as_ref()) {
            next.channel = Some(channel);
            next.channel_name = None;
            // In error without a channel: it was the channel that Slack refused.
            if self.status == ConnectionStatus::Error && self.channel.is_none() {
                next.status = ConnectionStatus::Active;
                next.status_reason = None;
            }
        }
        if patch.disconnect {
            next.status = ConnectionStatus::Disconnected;
            next.status_reason = None;
        }
        if next == *self {
            return Ok(Change::nothing(permit, next));
        }
        next.updated_at = permit.at();
        next.version = self.version + 1;
        let mut details = details(permit, self);
        if next.channel != self.channel {
            details = details.change("channel", None, Some(PublicValue::word("changed")));
        }
        if next.status != self.status {
            let word = |s: ConnectionStatus| Some(PublicValue::word(s.name()));
            details = details.change("status", word(self.status), word(next.status));
        }
        let write = if patch.disconnect {
            ConnectionWrite::Disconnect(next.clone())
        } else {
            ConnectionWrite::Update(next.clone(), None)
        };
        let mended = next.status == ConnectionStatus::Active && self.status != ConnectionStatus::Active;
        let change = Change::decided(permit, Write::Connection(write), Target::Connection(self.id), details, next);
        Ok(if mended { change.write(Write::Delivery(DeliveryWrite::Resume(self.id))) } else { change })
    }

    /// Drops it, with its token. What waits for it is dropped when its turn comes.
    pub fn delete(
        &self,
        permit: &Permit<actions::DeleteConnection>,
        guard: &Guard,
    ) -> Result<Change<()>, Refused<ConnectionError>> {
        guard.check_version(self.version)?;
        let write = Write::Connection(ConnectionWrite::Delete(self.id));
        Ok(Change::decided(permit, write, Target::Connection(self.id), details(permit, self), ()))
    }

    /// Slack refused the token or the channel, for `reason`: in error until somebody authorizes it again, and the admins are
    /// told once. Nothing where it is not active, or was authorized again since the token was read.
    pub fn fail(
        &self,
        permit: &Permit<actions::FailConnection>,
        seen_version: i64,
        fault: SlackFault,
        reason: &'static str,
        audience: &Audience,
        mut id: impl FnMut() -> DeliveryId,
    ) -> Change<()> {
        if self.status != ConnectionStatus::Active || self.version != seen_version {
            return Change::nothing(permit, ());
        }
        let at = permit.at();
        let next = Self {
            status: ConnectionStatus::Error,
            status_reason: Some(reason.to_owned()),
            channel: self.channel.clone().filter(|_| fault == SlackFault::Token),
            channel_name: self.channel_name.clone().filter(|_| fault == SlackFault::Token),
            updated_at: at,
            version: self.version + 1,
            ..self.clone()
        };
        let details = Details::new()
            .change("status", Some(PublicValue::word(self.status.name())), Some(PublicValue::word(next.status.name())))
            .change("reason", None, Some(PublicValue::word(reason)));
        let write = Write::Connection(ConnectionWrite::Update(next, None));
        let change = Change::decided(permit, write, Target::Connection(self.id), details, ());
        queue(change, audience.tell_admins(self.workspace, Message::SlackFailing(self.id), at, &mut id))
    }
}

fn details<A: Mutation>(permit: &Permit<A>, connection: &Connection) -> Details {
    let person = permit.actor().person().unwrap_or(PersonId::NOBODY);
    Details::new().personal("name", person, connection.team_name.as_str())
}
