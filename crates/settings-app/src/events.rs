//! Published events: taken once, with a delivery for everybody who is to hear of them.
use crate::{
    App,
    failure::{Failure, replayed},
    sealing::Sealing,
};
use settings_domain::{
    change::Committed,
    events::{Content, Event, EventData, Extensions, NewEvent, Publication, PublishEventError, Raised},
    ids::PublishedEventId,
    policy::{EventType, Permit, TenantScope, actions},
    ports::{StoreError, store::UnitOfWork},
    sealed::SecretValue,
    secrets::Secret,
    text::TextError,
    tokens::Digest,
    transaction::{Call, Transaction, audience},
};
use time::OffsetDateTime;

/// An event as it was given, and as it is kept.
#[derive(Debug)]
pub struct PublishEvent {
    content: Content,
    text: SecretValue,
}

impl PublishEvent {
    /// Writes the event down as it will be sent. Refused where it is too long.
    pub fn new(content: Content, received_at: OffsetDateTime) -> Result<Self, TextError> {
        let text = content.to_text(received_at)?;
        Ok(Self { content, text })
    }
    /// Its type.
    #[must_use]
    pub const fn kind(&self) -> EventType {
        self.content.kind
    }
}

impl App {
    /// Takes an event, once for each source and id.
    pub async fn publish_event(
        &self,
        permit: &Permit<actions::PublishEvent>,
        call: &Call,
        event: &PublishEvent,
    ) -> Result<Committed<Publication>, Failure<PublishEventError>> {
        if !Event::may_be_published_by(permit.actor(), event.kind()) {
            return Err(Failure::rule(PublishEventError::NotThisType));
        }
        let sealing = Sealing::current(&self.ports, permit.scope()).await?;
        let mut tx = Transaction::open(self.ports.store.as_ref(), permit, call).await?;
        replayed!(tx);
        let key = self.event_key(permit.scope(), &event.content);
        let known = tx.load().published_event(&key).await?;
        let waiting = tx.load().waiting_deliveries().await?;
        let audience = audience(tx.load()).await?;
        let id = PublishedEventId::from_uuid(self.ports.entropy.uuid());
        let new = seal(&sealing, permit.scope(), id, event.kind(), key, &event.text)?;
        let change = Event::publish(tx.permit(), known, waiting, new, &audience, || self.delivery())?;
        Ok(tx.commit(change).await?)
    }

    /// The event that goes with a secret's rotation (seed A, Notifications). It names the secret, never a value.
    pub(crate) async fn secret_rotated(
        &self,
        sealing: &Sealing<'_>,
        load: &mut dyn UnitOfWork,
        scope: TenantScope,
        at: OffsetDateTime,
        (secret, environment): (&Secret, &str),
    ) -> Result<Raised, StoreError> {
        let wrong = |e: TextError| StoreError::Corrupt(format!("an event of our own: {e}"));
        let id = PublishedEventId::from_uuid(self.ports.entropy.uuid());
        let members = [
            ("secret", secret.name.to_string()),
            ("environment", environment.to_owned()),
            ("secretId", secret.id.to_string()),
        ];
        let content = Content {
            source: format!("urn:uuid:{}", scope.workspace()).parse().map_err(wrong)?,
            id: id.to_string().parse().map_err(wrong)?,
            kind: EventType::SecretRotated,
            subject: None,
            time: Some(at),
            extensions: Extensions::default(),
            data: EventData::new(members.into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect()),
        };
        let text = content.to_text(at).map_err(wrong)?;
        let key = self.event_key(scope, &content);
        let new = seal(sealing, scope, id, EventType::SecretRotated, key, &text)?;
        let audience = audience(load).await?;
        Ok(Raised::new(at, new, &audience, || self.delivery()))
    }

    /// What makes an event the same again: a MAC over workspace, source and id, since it is stored.
    fn event_key(&self, scope: TenantScope, content: &Content) -> Digest {
        let workspace = scope.workspace().as_uuid();
        let parts = [
            b"event",
            workspace.as_bytes().as_slice(),
            content.source.as_str().as_bytes(),
            content.id.as_str().as_bytes(),
        ];
        Digest::new(self.ports.mint.fingerprint(&parts))
    }
}

fn seal(
    sealing: &Sealing<'_>,
    scope: TenantScope,
    id: PublishedEventId,
    kind: EventType,
    key: Digest,
    text: &SecretValue,
) -> Result<NewEvent, StoreError> {
    let binding = Event::binding(scope.workspace(), id, kind);
    let text = sealing.seal_text(binding, text.expose(), Digest::none())?;
    Ok(NewEvent { id, kind, key, text })
}
