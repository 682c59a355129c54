//! Messages that are about to be sent, with everything as it stands now.
use crate::{
    connections,
    db::{SqlDb, Stmt, Tx},
    deliveries, events, members, notifications, webhook_subscriptions,
};
use settings_domain::{
    deliveries::{Destination, Message, Outgoing, OutgoingContent, OutgoingTo},
    ids::DeliveryId,
    ports::StoreError,
};
use uuid::Uuid;

statements! {
    /// A delivery with its workspace, unless that is deleted.
    GET = "SELECT d.workspace_id AS workspace_id, d.id AS id, d.message AS message, d.about_id AS about_id, \
        d.destination AS destination, d.destination_id AS destination_id, d.instead_of AS instead_of, \
        d.created_at AS created_at, w.name AS name, w.slug AS slug FROM deliveries d \
        JOIN workspaces w ON w.id = d.workspace_id WHERE d.workspace_id = $1 AND d.id = $2 AND w.deleted_at IS NULL";
}

/// What is said; `None` when what it is about is gone.
async fn content<D: SqlDb>(
    tx: &mut Tx<D>,
    workspace: Uuid,
    message: Message,
) -> Result<Option<OutgoingContent>, StoreError> {
    Ok(match message {
        Message::Event(id) => events::get(tx, workspace, id).await?.map(|e| OutgoingContent::Event(Box::new(e))),
        Message::Test => Some(OutgoingContent::Test),
        Message::SlackFailing(id) => {
            let there = connections::same(tx, workspace, id).await?;
            there.map(|c| OutgoingContent::SlackFailing(Box::new(c.connection)))
        }
        Message::WebhookFailing(id) => {
            let there = webhook_subscriptions::get(tx, workspace, id).await?;
            there.map(|(s, _)| OutgoingContent::WebhookFailing(Box::new(s.subscription)))
        }
    })
}

/// To whom; `None` when the receiver is gone.
async fn receiver<D: SqlDb>(
    tx: &mut Tx<D>,
    workspace: Uuid,
    destination: Destination,
) -> Result<Option<OutgoingTo>, StoreError> {
    Ok(match destination {
        Destination::Member(user) => {
            let there = members::get(tx, workspace, user).await?.filter(|m| m.member.is_active());
            there.and_then(|m| m.user.email).map(OutgoingTo::Mail)
        }
        Destination::Recipient(id) => notifications::address(tx, workspace, id).await?.map(OutgoingTo::Mail),
        Destination::Slack(id) => connections::same(tx, workspace, id).await?.map(|c| OutgoingTo::Slack(Box::new(c))),
        Destination::Webhook(id) => {
            let there = webhook_subscriptions::get(tx, workspace, id).await?;
            there.map(|(s, health)| OutgoingTo::Webhook(Box::new(s), health))
        }
    })
}

/// What a delivery needs; `None` when its receiver is gone, or what it is about.
pub async fn get<D: SqlDb>(tx: &mut Tx<D>, workspace: Uuid, id: DeliveryId) -> Result<Option<Outgoing>, StoreError> {
    let stmt = Stmt::new(GET).bind(workspace).bind(id.as_uuid());
    let found = tx.first(stmt, |row| Ok((deliveries::read(row)?, row.text("name")?, row.parse("slug")?))).await?;
    let Some((delivery, workspace_name, slug)) = found else { return Ok(None) };
    let Some(content) = content(tx, workspace, delivery.message).await? else { return Ok(None) };
    let Some(to) = receiver(tx, workspace, delivery.destination).await? else { return Ok(None) };
    Ok(Some(Outgoing { workspace_name, slug, content, to }))
}
