//! Notification preferences: rows, statements, writes.
use crate::db::{SqlDb, Stmt, Tx};
use serde::{Deserialize, Serialize};
use settings_domain::{
    ids::RecipientId,
    notifications::{Channel, NotificationSettings, NotificationWrite, Preference, Recipient},
    policy::EventType,
    ports::StoreError,
    text::Email,
};
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

statements! {
    /// What was chosen.
    GET = "SELECT preferences, version FROM notification_settings WHERE workspace_id = $1";
    /// The first choice.
    INSERT = "INSERT INTO notification_settings (workspace_id, preferences, version) VALUES ($1, $2, $3)";
    /// Another choice.
    UPDATE = "UPDATE notification_settings SET preferences = $2, version = $3 WHERE workspace_id = $1 AND version = $3 - 1";
    /// Every address.
    RECIPIENTS = "SELECT id, email FROM notification_recipients WHERE workspace_id = $1";
    /// One address.
    RECIPIENT = "SELECT email FROM notification_recipients WHERE workspace_id = $1 AND id = $2";
    /// A new address.
    INSERT_RECIPIENT = "INSERT INTO notification_recipients (workspace_id, id, email, email_key) VALUES ($1, $2, $3, $4)";
    /// Forgets an address.
    DELETE_RECIPIENT = "DELETE FROM notification_recipients WHERE workspace_id = $1 AND id = $2";
}

/// What is stored for one event type: addresses by their ids.
#[derive(Serialize, Deserialize)]
struct Chosen {
    channels: BTreeSet<Channel>,
    recipients: Vec<RecipientId>,
}

fn corrupt() -> StoreError {
    StoreError::Corrupt("column preferences".to_owned())
}

async fn recipients<D: SqlDb>(tx: &mut Tx<D>, workspace: Uuid) -> Result<BTreeMap<RecipientId, Recipient>, StoreError> {
    let rows = tx
        .all(Stmt::new(RECIPIENTS).bind(workspace), |row| {
            let id = RecipientId::from_uuid(row.id("id")?);
            Ok((id, Recipient { id, email: row.parse("email")? }))
        })
        .await?;
    Ok(rows.into_iter().collect())
}

/// What was chosen.
pub async fn get<D: SqlDb>(tx: &mut Tx<D>, workspace: Uuid) -> Result<Option<NotificationSettings>, StoreError> {
    let row =
        tx.first(Stmt::new(GET).bind(workspace), |row| Ok((row.text("preferences")?, row.int("version")?))).await?;
    let Some((text, version)) = row else { return Ok(None) };
    let stored: BTreeMap<EventType, Chosen> = serde_json::from_str(&text).map_err(|_| corrupt())?;
    let known = recipients(tx, workspace).await?;
    let preference = |chosen: Chosen| {
        let named = chosen.recipients.iter().map(|id| known.get(id).cloned().ok_or_else(corrupt));
        Ok(Preference { channels: chosen.channels, recipients: named.collect::<Result<_, _>>()? })
    };
    let preferences = stored.into_iter().map(|(kind, chosen)| Ok((kind, preference(chosen)?)));
    Ok(Some(NotificationSettings::stored(preferences.collect::<Result<_, StoreError>>()?, version)))
}

/// Where a recipient gets mails; `None` when it is no longer one.
pub async fn address<D: SqlDb>(
    tx: &mut Tx<D>,
    workspace: Uuid,
    recipient: RecipientId,
) -> Result<Option<Email>, StoreError> {
    tx.first(Stmt::new(RECIPIENT).bind(workspace).bind(recipient.as_uuid()), |row| row.parse("email")).await
}

/// Writes.
pub async fn write<D: SqlDb>(tx: &mut Tx<D>, workspace: Uuid, write: &NotificationWrite) -> Result<(), StoreError> {
    let NotificationWrite::Save(settings) = write;
    let stored: BTreeMap<EventType, Chosen> = settings
        .chosen()
        .iter()
        .map(|(kind, p)| {
            let recipients = p.recipients.iter().map(|r| r.id).collect();
            (*kind, Chosen { channels: p.channels.clone(), recipients })
        })
        .collect();
    let text = serde_json::to_string(&stored).map_err(|_| corrupt())?;
    let stmt = Stmt::new(if settings.version == 1 { INSERT } else { UPDATE });
    tx.run_one(stmt.bind(workspace).bind(text).bind(settings.version)).await?;
    let (known, named) = (recipients(tx, workspace).await?, settings.recipients());
    // The forgotten first: an address may come back under another id.
    for id in known.keys().filter(|id| named.iter().all(|r| r.id != **id)) {
        tx.run_one(Stmt::new(DELETE_RECIPIENT).bind(workspace).bind(id.as_uuid())).await?;
    }
    for recipient in named.into_iter().filter(|r| !known.contains_key(&r.id)) {
        let stmt = Stmt::new(INSERT_RECIPIENT).bind(workspace).bind(recipient.id.as_uuid());
        tx.run_one(stmt.text(recipient.email.as_str()).text(recipient.email.key().as_str())).await?;
    }
    Ok(())
}
