//! Members: role and removal. Reads go through `Snapshot<ListMembers>`.
use crate::{
    App,
    failure::{Failure, replayed},
};
use serde::{Deserialize, Serialize};
use settings_domain::{
    api_keys::ApiKey,
    change::Committed,
    ids::UserId,
    members::{ChangeRoleError, MemberView, RemoveMemberError},
    policy::{Permit, Role, actions},
    ports::{
        StoreError,
        store::{ApiKeyFilter, Page},
    },
    transaction::{Call, Transaction},
};

/// What becomes of the keys that a removed member made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TheirKeys {
    /// They keep working until somebody revokes them (seed A).
    #[default]
    Keep,
    /// They are revoked with the removal.
    Revoke,
}

/// The receipt of a removal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Removed {
    /// Keys they made that still work.
    pub active_keys: Vec<ApiKey>,
}

impl App {
    /// Gives a member another role.
    pub async fn change_role(
        &self,
        permit: &Permit<actions::ChangeRole>,
        call: &Call,
        user: UserId,
        role: Role,
    ) -> Result<Committed<MemberView>, Failure<ChangeRoleError>> {
        let mut tx = Transaction::open(self.ports.store.as_ref(), permit, call).await?;
        replayed!(tx);
        let view = tx.load().member(user).await?.ok_or_else(|| Failure::rule(ChangeRoleError::NotFound))?;
        let heads = tx.load().headcount().await?;
        let sent = tx.load().invitations_sent_by(user).await?;
        let change = view.member.change_role(tx.permit(), role, &heads, &sent, &call.guard)?;
        let MemberView { user, last_active_at, .. } = view;
        Ok(tx.commit(change.map(|member| MemberView { member, user, last_active_at })).await?)
    }

    /// Removes a member.
    pub async fn remove_member(
        &self,
        permit: &Permit<actions::RemoveMember>,
        call: &Call,
        user: UserId,
        theirs: TheirKeys,
    ) -> Result<Committed<Removed>, Failure<RemoveMemberError>> {
        let mut tx = Transaction::open(self.ports.store.as_ref(), permit, call).await?;
        replayed!(tx);
        let view = tx.load().member(user).await?.ok_or_else(|| Failure::rule(RemoveMemberError::NotFound))?;
        let heads = tx.load().headcount().await?;
        let sent = tx.load().invitations_sent_by(user).await?;
        let keys = active_keys_of(&mut tx, user).await?;
        let revoked = if theirs == TheirKeys::Revoke { keys.as_slice() } else { &[] };
        let change = view.member.remove(tx.permit(), &heads, &sent, revoked, &call.guard)?;
        let active_keys = if theirs == TheirKeys::Revoke { Vec::new() } else { keys };
        Ok(tx.commit(change.map(|_| Removed { active_keys })).await?)
    }
}

pub(crate) async fn active_keys_of<A: settings_domain::policy::Mutation>(
    tx: &mut Transaction<A>,
    user: UserId,
) -> Result<Vec<ApiKey>, StoreError> {
    let filter = ApiKeyFilter { active_of: Some(user), ..ApiKeyFilter::default() };
    // A workspace has at most 500 active keys, so one page holds them all.
    let page = Page { after: None, limit: settings_domain::api_keys::MAX_KEYS };
    Ok(tx.load().api_keys(filter, page).await?.into_iter().map(|v| v.key).collect())
}
