//! The one way to write: a whole change, or nothing.
use crate::{
    api_keys, audit, audit_digest, billing, connections,
    db::Stmt,
    deliveries,
    engine::{Engine, Scope},
    environments, erasure, error, events, idempotency, invitations, members, mirror, models, notifications, outbox,
    references, secrets,
    session::{Presence, Session},
    variables, webhook_subscriptions, workspaces,
};
use settings_domain::{
    change::{ChangeSet, Write},
    ports::{StoreError, audit::Link},
};
use std::time::Duration;
use tracing::Instrument as _;

/// How long a commit may take before its outcome is called unknown. A commit that waits for a lost standby waits for ever,
/// and no timeout of the server ends it (measured).
const COMMIT_DEADLINE: Duration = Duration::from_secs(10);

/// The commit did not answer in time.
#[derive(Debug, thiserror::Error)]
#[error("the commit did not answer in time")]
struct Overdue;

/// Writes and commits on a task of its own: a caller who goes away neither tears a transaction apart nor leaves a
/// connection in the middle of one.
pub(crate) async fn run<E: Engine>(session: Session<E>, set: ChangeSet) -> Result<Option<Link>, StoreError> {
    let workspace = session.workspace_id();
    let queued = (!set.notices().is_empty()).then(|| std::sync::Arc::clone(&session.queued));
    let task = tokio::spawn(write_and_commit(session, set).in_current_span());
    let outcome = task.await.unwrap_or_else(|e| Err(StoreError::Unknown(Box::new(e))));
    if let (Ok(_), Some(queued)) = (&outcome, queued) {
        queued.notify_one();
    }
    match &outcome {
        Err(StoreError::Unknown(_)) => tracing::error!(%workspace, "the outcome of a commit is unknown"),
        Err(StoreError::Constraint(name)) => tracing::warn!(%workspace, name, "a constraint refused a change"),
        _ => {}
    }
    outcome
}

async fn write_and_commit<E: Engine>(mut session: Session<E>, set: ChangeSet) -> Result<Option<Link>, StoreError> {
    let last = write(&mut session, &set).await?;
    let erases = set.writes().iter().any(|w| matches!(w, Write::Erasure(_)));
    let engine = std::sync::Arc::clone(&session.engine);
    // The commit itself is never cancelled: when it is overdue it goes on alone and keeps its connection until it ends.
    let commit = tokio::spawn(session.tx.commit());
    match tokio::time::timeout(COMMIT_DEADLINE, commit).await {
        Ok(Ok(outcome)) => {
            // What was erased is erased: a file that still holds bytes of it is no reason to say otherwise.
            if outcome.is_ok()
                && erases
                && let Err(error) = engine.scrub().await
            {
                tracing::warn!(%error, "erased values may stay in the database's files until its next checkpoint");
            }
            outcome.map(|()| last)
        }
        Ok(Err(panicked)) => Err(StoreError::Unknown(Box::new(panicked))),
        Err(_) => Err(StoreError::Unknown(Box::new(Overdue))),
    }
}

async fn write<E: Engine>(session: &mut Session<E>, set: &ChangeSet) -> Result<Option<Link>, StoreError> {
    let workspace = session.workspace_id();
    if set.scope().workspace().as_uuid() != workspace {
        return Err(StoreError::Corrupt("a change of another tenant".to_owned()));
    }
    if session.presence == Presence::Deleted {
        return Err(StoreError::Constraint(error::VERSION.to_owned()));
    }
    let kept_in = session.idempotency_scope();
    let tx = &mut session.tx;
    environments::park(tx, workspace, set.writes()).await?;
    for write in set.writes() {
        match write {
            Write::Workspace(w) => workspaces::write(tx, workspace, w).await?,
            Write::Environment(w) => environments::write(tx, workspace, w).await?,
            Write::Member(w) => members::write(tx, workspace, w).await?,
            Write::Erasure(w) => erasure::write(tx, workspace, w).await?,
            Write::Invitation(w) => invitations::write(tx, workspace, w).await?,
            Write::ApiKey(w) => api_keys::write(tx, workspace, w).await?,
            Write::Variable(w) => variables::write(tx, workspace, w).await?,
            Write::Secret(w) => secrets::write(tx, workspace, w).await?,
            Write::Model(w) => models::write(tx, workspace, w).await?,
            Write::Referrer(w) => references::write(tx, workspace, w).await?,
            Write::AuditDigest(w) => audit_digest::write(tx, workspace, w).await?,
            Write::Notifications(w) => notifications::write(tx, workspace, w).await?,
            Write::Event(w) => events::write(tx, workspace, w).await?,
            Write::Delivery(w) => deliveries::write(tx, workspace, w).await?,
            Write::Connection(w) => connections::write(tx, workspace, w).await?,
            Write::WebhookSubscription(w) => webhook_subscriptions::write(tx, workspace, w).await?,
            Write::Billing(w) => billing::write(tx, workspace, w).await?,
        }
    }
    for write in set.writes() {
        if let Write::Erasure(w) = write
            && !w.accounts.is_empty()
        {
            session.engine.rescope(tx, Scope::directory().by(session.scope.user)).await?;
            erasure::forget_links(tx, &w.addresses).await?;
            session.engine.rescope(tx, session.scope).await?;
        }
    }
    let survey = set.writes().iter().find_map(|w| match w {
        Write::Erasure(w) => Some(&w.survey),
        _ => None,
    });
    let last = audit::append(tx, workspace, session.sealer.as_ref(), set.events(), survey).await?;
    for notice in set.notices() {
        outbox::queue(tx, workspace, notice).await?;
    }
    mirror::want(tx, workspace, set.writes()).await?;
    if let Some(outcome) = set.outcome() {
        idempotency::keep(tx, kept_in, outcome, session.at).await?;
    }
    // Whatever was cached of this workspace ends with this very commit: see `group_read`. Events, deliveries
    // and billing come in floods or often, and are no part of what is cached.
    if set.writes().iter().any(|w| !matches!(w, Write::Event(_) | Write::Delivery(_) | Write::Billing(_))) {
        tx.run_one(Stmt::new(workspaces::NEXT_EPOCH).bind(workspace)).await?;
    }
    Ok(last)
}
