//! Notifications: what was chosen, connections, webhooks, events, and the ledger with its rows of the queue.
use super::{
    outbox::own,
    state::{Entry, MessageState, State, Tenant},
};
use settings_domain::{
    connections::{Connection, ConnectionRecord, ConnectionStatus, ConnectionWrite},
    deliveries::{
        Attempt, DeliveryStatus, DeliveryView, DeliveryWrite, Destination, Message, Outgoing, OutgoingContent,
        OutgoingTo,
    },
    events::EventWrite,
    ids::{DeliveryId, UserId, WorkspaceId},
    members::Member,
    notifications::NotificationWrite,
    policy::Role,
    ports::{
        StoreError,
        outbox::{Claimed, Fate, Job},
        store::{DeliveryFilter, Page},
    },
    webhook_subscriptions::{Health, MAX_SUBSCRIPTIONS, SubscriptionStatus, WebhookSubscriptionWrite},
};
use time::{Duration, OffsetDateTime};

fn refused(constraint: &str) -> StoreError {
    StoreError::Constraint(constraint.to_owned())
}
fn require(met: bool) -> Result<(), StoreError> {
    if met { Ok(()) } else { Err(refused("version")) }
}

pub(super) fn settings(tenant: &mut Tenant, write: &NotificationWrite) -> Result<(), StoreError> {
    let NotificationWrite::Save(row) = write;
    let there = tenant.notifications.replace(row.clone()).unwrap_or_default();
    require(row.version == there.version + 1)?;
    let mut keys: Vec<_> = row.recipients().into_iter().map(|r| r.email.key().as_str().to_owned()).collect();
    keys.sort();
    if keys.windows(2).any(|w| w.first() == w.last()) { Err(refused("recipient-email")) } else { Ok(()) }
}

pub(super) fn event(tenant: &mut Tenant, write: &EventWrite) -> Result<(), StoreError> {
    let EventWrite::Insert(record) = write;
    if tenant.published.values().any(|r| r.key == record.key) {
        return Err(refused("event-key"));
    }
    require(tenant.published.insert(record.event.id, (**record).clone()).is_none())
}

fn changed<'t>(tenant: &'t mut Tenant, row: &Connection) -> Result<&'t mut ConnectionRecord, StoreError> {
    let there = tenant.connection.as_mut().filter(|c| c.connection.id == row.id);
    let there = there.filter(|c| row.version == c.connection.version + 1).ok_or_else(|| refused("version"))?;
    there.connection = row.clone();
    Ok(there)
}

pub(super) fn connection(tenant: &mut Tenant, write: &ConnectionWrite) -> Result<(), StoreError> {
    match write {
        ConnectionWrite::Insert(record) => tenant.connection = Some((**record).clone()),
        ConnectionWrite::Update(row, token) => {
            let there = changed(tenant, row)?;
            if let Some(token) = token {
                there.token = Some((**token).clone());
            }
        }
        ConnectionWrite::Disconnect(row) => changed(tenant, row)?.token = None,
        ConnectionWrite::Delete(id) => {
            require(tenant.connection.take().is_some_and(|c| c.connection.id == *id))?;
        }
    }
    Ok(())
}

pub(super) fn webhook(tenant: &mut Tenant, write: &WebhookSubscriptionWrite) -> Result<(), StoreError> {
    match write {
        WebhookSubscriptionWrite::Insert(record) => {
            require(tenant.webhooks.insert(record.subscription.id, (**record).clone()).is_none())?;
            if tenant.webhooks.len() > MAX_SUBSCRIPTIONS { Err(refused("webhook-limit")) } else { Ok(()) }
        }
        WebhookSubscriptionWrite::Update(row, secret) => {
            let there = tenant.webhooks.get_mut(&row.id).ok_or_else(|| refused("version"))?;
            require(row.version == there.subscription.version + 1)?;
            let before = std::mem::replace(&mut there.subscription, row.clone());
            let new = before.status == SubscriptionStatus::Disabled || before.url != row.url;
            if new && row.status == SubscriptionStatus::Active {
                tenant.health.remove(&row.id);
            }
            if let Some(secret) = secret {
                there.previous = Some(std::mem::replace(&mut there.secret, (**secret).clone()));
            }
            Ok(())
        }
        WebhookSubscriptionWrite::Delete(id) => {
            tenant.health.remove(id);
            require(tenant.webhooks.remove(id).is_some())
        }
        WebhookSubscriptionWrite::Told(id, at) => {
            require(tenant.webhooks.contains_key(id))?;
            tenant.health.entry(*id).or_default().told_at = Some(*at);
            Ok(())
        }
    }
}

pub(super) fn delivery(
    state: &mut State,
    workspace: WorkspaceId,
    write: &DeliveryWrite,
    at: OffsetDateTime,
) -> Result<(), StoreError> {
    let tenant = state.tenants.get_mut(&workspace).ok_or_else(|| refused("version"))?;
    match write {
        DeliveryWrite::Insert(row) => {
            let entry = Entry { delivery: *row, status: DeliveryStatus::Pending, attempts: Vec::new() };
            require(tenant.ledger.insert(row.id, entry).is_none())
        }
        DeliveryWrite::Retry(id) => {
            let (Some(entry), Some(queued)) = (tenant.ledger.get_mut(id), state.queue.get_mut(id)) else {
                return require(false);
            };
            require(queued.state == MessageState::Dead)?;
            *queued = super::state::Message::new(queued.job, at);
            entry.status = DeliveryStatus::Pending;
            Ok(())
        }
        DeliveryWrite::GiveUp(id) => {
            let (Some(entry), Some(queued)) = (tenant.ledger.get_mut(id), state.queue.get_mut(id)) else {
                return require(false);
            };
            require(queued.state == MessageState::Pending)?;
            (queued.state, queued.lease_until, queued.parked) = (MessageState::Dead, None, false);
            entry.status = DeliveryStatus::Failed;
            Ok(())
        }
        DeliveryWrite::Resume(connection) => {
            let waits = |e: &&mut Entry| {
                e.status == DeliveryStatus::Parked && e.delivery.destination == Destination::Slack(*connection)
            };
            for entry in tenant.ledger.values_mut().filter(waits) {
                entry.status = DeliveryStatus::Pending;
                if let Some(queued) = state.queue.get_mut(&entry.delivery.id) {
                    (queued.parked, queued.next_at) = (false, at);
                }
            }
            Ok(())
        }
    }
}

pub(super) fn admins(tenant: &Tenant) -> Vec<UserId> {
    let mut admins: Vec<&Member> = tenant.members.values().filter(|m| m.is_active() && m.role == Role::Admin).collect();
    admins.sort_by_key(|m| (m.joined_at, m.user));
    admins.into_iter().map(|m| m.user).collect()
}

pub(super) const fn waits(status: DeliveryStatus) -> bool {
    matches!(status, DeliveryStatus::Pending | DeliveryStatus::Parked)
}

pub(super) fn view(state: &State, tenant: &Tenant, entry: &Entry) -> DeliveryView {
    let event_type = match entry.delivery.message {
        Message::Event(id) => tenant.published.get(&id).map(|r| r.event.kind),
        _ => None,
    };
    let queued = state.queue.get(&entry.delivery.id).filter(|m| m.state == MessageState::Pending);
    let (status, attempts) = (entry.status, entry.attempts.clone());
    DeliveryView { delivery: entry.delivery, event_type, status, attempts, next_attempt_at: queued.map(|m| m.next_at) }
}

pub(super) fn ledger(state: &State, tenant: &Tenant, filter: DeliveryFilter, page: Page) -> Vec<DeliveryView> {
    let fits = |e: &&Entry| {
        page.after.is_none_or(|after| e.delivery.id.as_uuid() < after)
            && filter.status.is_none_or(|s| e.status == s)
            && filter.channel.is_none_or(|c| e.delivery.destination.channel() == c)
            && filter.event.is_none_or(|event| e.delivery.message == Message::Event(event))
    };
    let found = tenant.ledger.values().rev().filter(fits).take(usize::try_from(page.limit).unwrap_or_default());
    found.map(|e| view(state, tenant, e)).collect()
}

pub(super) fn outgoing(state: &State, workspace: WorkspaceId, id: DeliveryId) -> Option<Outgoing> {
    let tenant = state.living(workspace)?;
    let delivery = tenant.ledger.get(&id)?.delivery;
    let connection = |id| tenant.connection.clone().filter(|c| c.connection.id == id);
    let content = match delivery.message {
        Message::Event(id) => OutgoingContent::Event(Box::new(tenant.published.get(&id)?.clone())),
        Message::Test => OutgoingContent::Test,
        Message::SlackFailing(id) => OutgoingContent::SlackFailing(Box::new(connection(id)?.connection)),
        Message::WebhookFailing(id) => {
            OutgoingContent::WebhookFailing(Box::new(tenant.webhooks.get(&id)?.subscription.clone()))
        }
    };
    let to = match delivery.destination {
        Destination::Member(user) => {
            tenant.members.get(&user).filter(|m| m.is_active())?;
            OutgoingTo::Mail(state.user(user)?.email?)
        }
        Destination::Recipient(id) => {
            let chosen = tenant.notifications.as_ref()?;
            let recipient = chosen.recipients().into_iter().find(|r| r.id == id)?;
            OutgoingTo::Mail(recipient.email.clone())
        }
        Destination::Slack(id) => OutgoingTo::Slack(Box::new(connection(id)?)),
        Destination::Webhook(id) => {
            let health = tenant.health.get(&id).copied().unwrap_or_default();
            OutgoingTo::Webhook(Box::new(tenant.webhooks.get(&id)?.clone()), health)
        }
    };
    let (workspace_name, slug) = (tenant.workspace.name.to_string(), tenant.workspace.slug.clone());
    Some(Outgoing { workspace_name, slug, content, to })
}

pub(super) fn settle(state: &mut State, message: &Claimed, attempt: Option<&Attempt>, fate: Fate, now: OffsetDateTime) {
    let id = message.delivery;
    let Job::Notification(workspace) = message.job else { return };
    // Nothing waits for a connection that works again.
    let waits = state.tenants.get(&workspace).and_then(|t| t.connection.as_ref());
    let waits = waits.is_none_or(|c| c.connection.status == ConnectionStatus::Error);
    let fate = match fate {
        Fate::Parked(_) if !waits => Fate::Postponed(Duration::ZERO),
        fate => fate,
    };
    let queued = match fate {
        // Whoever brought it there: it is there.
        Fate::Delivered => state.queue.get_mut(&id).filter(|m| m.state == MessageState::Pending),
        _ => own(state, message).filter(|m| m.lease_until.is_some()),
    };
    let Some(queued) = queued else { return };
    let mut later = |after, parked, uncounted| {
        (queued.lease_until, queued.next_at, queued.parked) = (None, now + after, parked);
        queued.attempts -= i64::from(uncounted);
    };
    let status = match fate {
        Fate::Delivered | Fate::Dropped => {
            (queued.state, queued.lease_until, queued.parked) = (MessageState::Done, None, false);
            if fate == Fate::Delivered { DeliveryStatus::Delivered } else { DeliveryStatus::Dropped }
        }
        Fate::Again(after) => {
            later(after, false, false);
            DeliveryStatus::Pending
        }
        Fate::Postponed(after) => {
            later(after, false, true);
            DeliveryStatus::Pending
        }
        Fate::Parked(after) => {
            later(after, true, true);
            DeliveryStatus::Parked
        }
        Fate::Ended => DeliveryStatus::Pending,
    };
    let Some(tenant) = state.tenants.get_mut(&workspace) else { return };
    let Some(entry) = tenant.ledger.get_mut(&id) else { return };
    entry.status = status;
    let Some(attempt) = attempt else { return };
    entry.attempts.push(attempt.clone());
    let Destination::Webhook(webhook) = entry.delivery.destination else { return };
    if attempt.accepted {
        tenant.health.remove(&webhook);
    } else if tenant.webhooks.contains_key(&webhook) {
        let health: &mut Health = tenant.health.entry(webhook).or_default();
        health.failing_since = health.failing_since.or(Some(attempt.at));
    }
}

/// Forgets what nobody waits for and was made before an instant: deliveries, their rows of the queue, and their events.
pub(super) fn forget(state: &mut State, before: OffsetDateTime) {
    for tenant in state.tenants.values_mut() {
        let over = |e: &Entry| !waits(e.status) && e.delivery.created_at < before;
        for entry in tenant.ledger.values().filter(|e| over(e)) {
            state.queue.remove(&entry.delivery.id);
        }
        tenant.ledger.retain(|_, e| !over(e));
        let told: Vec<_> = tenant.ledger.values().map(|e| e.delivery.message).collect();
        tenant.published.retain(|id, r| r.event.received_at >= before || told.contains(&Message::Event(*id)));
    }
}
