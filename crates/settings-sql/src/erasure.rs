//! Erasure of a person: what is found of them, and the statements that take it away. All of them run in the one transaction
//! that appends `member.erased`; what it leaves to do is `erasure_work`. Which column may hold what: `docs/adr/0011`.
use crate::{
    db::{SqlDb, Stmt, Tx},
    erasure_work,
};
use settings_domain::{
    erasure::{ErasureWrite, Traces},
    ids::{PersonId, UserId},
    members::Member,
    ports::StoreError,
    text::{Email, EmailKey},
    tokens::Digest,
};
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

statements! {
    /// The persons that an account is or was here, and the memberships of each.
    PERSONS_OF = "SELECT id FROM persons WHERE workspace_id = $1 AND user_id = $2 \
        UNION SELECT person_id FROM memberships WHERE workspace_id = $1 AND user_id = $2";
    /// A person who was invited under this address and never came.
    PERSON_OF_ADDRESS = "SELECT id FROM persons WHERE workspace_id = $1 AND email_key = $2 AND user_id IS NULL";
    /// The memberships of a person.
    MEMBERS_OF = concat!("SELECT ", member_columns!(), " FROM memberships m WHERE m.workspace_id = $1 AND m.person_id = $2");
    /// The address that a person was invited under.
    ADDRESS_OF = "SELECT email_key FROM persons WHERE workspace_id = $1 AND id = $2 AND email_key IS NOT NULL";
    /// The addresses that invitations of a person went to, as typed.
    INVITED_AS = "SELECT email FROM invitations WHERE workspace_id = $1 AND person_id = $2";
    /// An account with all that is known of it, vouched for or not.
    ACCOUNT = "SELECT issuer, subject, email, name, avatar_url FROM users WHERE id = $1";
    /// Whether another workspace refers to an account. Asked in the directory's scope.
    ELSEWHERE = "SELECT 1 AS known WHERE EXISTS (SELECT 1 FROM memberships WHERE user_id = $2 AND workspace_id <> $1) \
        OR EXISTS (SELECT 1 FROM invitations WHERE invited_by = $2 AND workspace_id <> $1) \
        OR EXISTS (SELECT 1 FROM api_keys WHERE created_by = $2 AND workspace_id <> $1)";
    /// Nobody begins to refer to an account, or makes it anew, until the transaction ends.
    LOCK_ACCOUNT = "UPDATE users SET updated_at = updated_at WHERE id = $1";
    /// Whether somebody was erased.
    WAS_ERASED = "SELECT 1 AS erased FROM erasures WHERE workspace_id = $1 AND subject = $2";
    /// Somebody was.
    NOTE = "INSERT INTO erasures (workspace_id, subject) VALUES ($1, $2) ON CONFLICT (workspace_id, subject) DO NOTHING";

    /// Fields of a stretch that are empty.
    UNOPENED = "SELECT seq, field FROM audit_openings WHERE workspace_id = $1 AND sealed IS NULL AND seq > $2 AND seq <= $3";
    /// The memberships of an account.
    LEAVE = "DELETE FROM memberships WHERE workspace_id = $1 AND user_id = $2";
    /// When an account was last seen.
    UNSEEN = "DELETE FROM member_activity WHERE workspace_id = $1 AND user_id = $2";
    /// Mails about links that somebody asked for.
    UNQUEUE_ASKED = "DELETE FROM outbox WHERE workspace_id = $1 AND kind = 'invitation' AND id IN \
        (SELECT delivery_id FROM invitation_asks WHERE workspace_id = $1 AND user_id = $2)";
    /// Who was told of such links.
    UNASKED = "DELETE FROM invitation_asks WHERE workspace_id = $1 AND user_id = $2";
    /// Mails about the erasures of others.
    UNQUEUE_TOLD = "DELETE FROM outbox WHERE workspace_id = $1 AND kind = 'member-erased' AND subject_id = $2";
    /// Keys of an account keep working, and nobody made them.
    KEYS = "UPDATE api_keys SET created_by = NULL WHERE workspace_id = $1 AND created_by = $2";
    /// Invitations that an account sent were sent by nobody.
    SENT = "UPDATE invitations SET invited_by = NULL WHERE workspace_id = $1 AND invited_by = $2";
    /// Deliveries to somebody go to nobody; those that wait are dropped at their next turn.
    DELIVERIES = "UPDATE deliveries SET destination_id = $3 WHERE workspace_id = $1 AND destination_id = $2 \
        AND destination IN ('member', 'recipient')";
    /// Persons that are bound to an account and are none of those that go: there are none, unless accounts were mixed up.
    UNBIND = "UPDATE persons SET user_id = NULL WHERE workspace_id = $1 AND user_id = $2";
    /// Mails of the invitations of a person.
    UNQUEUE = "DELETE FROM outbox WHERE workspace_id = $1 AND kind = 'invitation' \
        AND subject_id IN (SELECT id FROM invitations WHERE workspace_id = $1 AND person_id = $2)";
    /// Invitations of a person: their links are dead.
    UNINVITE = "DELETE FROM invitations WHERE workspace_id = $1 AND person_id = $2";
    /// A person, with the salt.
    FORGET_PERSON = "DELETE FROM persons WHERE workspace_id = $1 AND id = $2";
    /// Mails of the invitations to an address.
    UNQUEUE_ADDRESS = "DELETE FROM outbox WHERE workspace_id = $1 AND kind = 'invitation' \
        AND subject_id IN (SELECT id FROM invitations WHERE workspace_id = $1 AND email_key = $2)";
    /// Invitations to an address, whoever they were for.
    UNINVITE_ADDRESS = "DELETE FROM invitations WHERE workspace_id = $1 AND email_key = $2";
    /// Somebody else who was once invited under an address stays, without it.
    FORGET_ADDRESS = "UPDATE persons SET email_key = NULL WHERE workspace_id = $1 AND email_key = $2";
    /// The id of an address that gets notifications.
    RECIPIENT_OF = "SELECT id FROM notification_recipients WHERE workspace_id = $1 AND email_key = $2";
    /// Digests that began, with their addresses.
    RUNS = "SELECT id, recipients FROM audit_digest_runs WHERE workspace_id = $1";
    /// The addresses of one of them.
    RUN = "UPDATE audit_digest_runs SET recipients = $3 WHERE workspace_id = $1 AND id = $2";
    /// Kept outcomes.
    OUTCOMES = "SELECT scope_id, principal, operation, key, outcome FROM idempotency WHERE scope_id = $1 OR scope_id = $2";
    /// Forgets one.
    FORGET_OUTCOME = "DELETE FROM idempotency WHERE scope_id = $1 AND principal = $2 AND operation = $3 AND key = $4";
    /// The sessions of an account.
    FORGET_SESSIONS = "DELETE FROM sessions WHERE user_id = $1";
    /// An account.
    FORGET_ACCOUNT = "DELETE FROM users WHERE id = $1";
    /// Mails with sign-in links to an address.
    UNQUEUE_LINKS = "DELETE FROM outbox WHERE workspace_id IS NULL AND kind = 'sign-in' \
        AND subject_id IN (SELECT id FROM sign_in_links WHERE email_key = $1)";
    /// Sign-in links to an address.
    FORGET_LINKS = "DELETE FROM sign_in_links WHERE email_key = $1";
}

/// Whether somebody of this MAC was erased.
pub async fn was_erased<D: SqlDb>(tx: &mut Tx<D>, workspace: Uuid, subject: &Digest) -> Result<bool, StoreError> {
    let stmt = Stmt::new(WAS_ERASED).bind(workspace).bytes(subject.as_bytes());
    Ok(tx.first(stmt, |_| Ok(())).await?.is_some())
}

/// The persons that an account is or was, and who else those persons were: one person may have had two accounts, one after
/// the other.
async fn persons<D: SqlDb>(
    tx: &mut Tx<D>,
    workspace: Uuid,
    user: UserId,
) -> Result<(BTreeSet<PersonId>, BTreeMap<UserId, Member>), StoreError> {
    let (mut persons, mut members) = (BTreeSet::new(), BTreeMap::new());
    let mut accounts = vec![user];
    while let Some(account) = accounts.pop() {
        let stmt = Stmt::new(PERSONS_OF).bind(workspace).bind(account.as_uuid());
        for person in tx.all(stmt, |row| row.id("id").map(PersonId::from_uuid)).await? {
            if !persons.insert(person) {
                continue;
            }
            let stmt = Stmt::new(MEMBERS_OF).bind(workspace).bind(person.as_uuid());
            for member in tx.all(stmt, crate::members::read).await? {
                accounts.push(member.user);
                members.insert(member.user, member);
            }
        }
    }
    Ok((persons, members))
}

/// Everything but which accounts no other workspace refers to. `hold` keeps the accounts as they are until the commit.
pub async fn traces<D: SqlDb>(
    tx: &mut Tx<D>,
    workspace: Uuid,
    user: UserId,
    hold: bool,
) -> Result<Option<Traces>, StoreError> {
    let (mut persons, members) = persons(tx, workspace, user).await?;
    if !members.contains_key(&user) {
        return Ok(None);
    }
    let mut traces = Traces {
        user,
        email: None,
        members: members.into_values().collect(),
        persons: BTreeSet::new(),
        addresses: BTreeSet::new(),
        texts: BTreeSet::new(),
        accounts: BTreeSet::new(),
    };
    for account in traces.members.iter().map(|m| m.user).collect::<Vec<_>>() {
        if hold {
            tx.run(Stmt::new(LOCK_ACCOUNT).bind(account.as_uuid())).await?;
        }
        let columns = ["issuer", "subject", "email", "name", "avatar_url"];
        let stmt = Stmt::new(ACCOUNT).bind(account.as_uuid());
        let texts =
            tx.first(stmt, |row| columns.iter().map(|c| row.maybe_text(c)).collect::<Result<Vec<_>, _>>()).await?;
        let Some(mut texts) = texts else { continue };
        let email: Option<Email> = texts.get(2).and_then(|e| e.as_ref()).and_then(|e| e.parse().ok());
        texts.remove(0);
        traces.texts.extend(texts.into_iter().flatten().filter(|t| !t.trim().is_empty()));
        traces.addresses.extend(email.as_ref().map(|e| e.key().clone()));
        if account == user {
            traces.email = email;
        }
    }
    for person in &persons {
        let about = |sql| Stmt::new(sql).bind(workspace).bind(person.as_uuid());
        let typed = tx.all(about(INVITED_AS), |row| row.parse::<Email>("email")).await?;
        traces.addresses.extend(typed.iter().map(|e| e.key().clone()));
        traces.texts.extend(typed.iter().map(|e| e.as_str().to_owned()));
        let known = tx.all(about(ADDRESS_OF), |row| row.parse::<Email>("email_key")).await?;
        traces.addresses.extend(known.iter().map(|e| e.key().clone()));
    }
    for address in &traces.addresses {
        let stmt = Stmt::new(PERSON_OF_ADDRESS).bind(workspace).text(address.as_str());
        persons.extend(tx.all(stmt, |row| row.id("id").map(PersonId::from_uuid)).await?);
    }
    traces.texts.extend(traces.addresses.iter().map(|a| a.as_str().to_owned()));
    traces.persons = persons;
    Ok(Some(traces))
}

/// Whether no workspace but this one refers to an account. The transaction must be in the directory's scope.
pub async fn is_alone<D: SqlDb>(tx: &mut Tx<D>, workspace: Uuid, user: UserId) -> Result<bool, StoreError> {
    let stmt = Stmt::new(ELSEWHERE).bind(workspace).bind(user.as_uuid());
    Ok(tx.first(stmt, |_| Ok(())).await?.is_none())
}

/// Writes.
pub async fn write<D: SqlDb>(tx: &mut Tx<D>, workspace: Uuid, write: &ErasureWrite) -> Result<(), StoreError> {
    tx.run(Stmt::new(NOTE).bind(workspace).bytes(write.subject.as_bytes())).await?;
    erasure_work::begin(tx, workspace, write).await?;
    for user in &write.users {
        for sql in [LEAVE, UNSEEN, UNQUEUE_ASKED, UNASKED, UNQUEUE_TOLD, KEYS, SENT] {
            tx.run(Stmt::new(sql).bind(workspace).bind(user.as_uuid())).await?;
        }
        undeliver(tx, workspace, user.as_uuid()).await?;
    }
    for person in &write.persons {
        for sql in [UNQUEUE, UNINVITE, FORGET_PERSON] {
            tx.run(Stmt::new(sql).bind(workspace).bind(person.as_uuid())).await?;
        }
    }
    for user in &write.users {
        tx.run(Stmt::new(UNBIND).bind(workspace).bind(user.as_uuid())).await?;
    }
    for address in &write.addresses {
        for sql in [UNQUEUE_ADDRESS, UNINVITE_ADDRESS, FORGET_ADDRESS] {
            tx.run(Stmt::new(sql).bind(workspace).text(address.as_str())).await?;
        }
        let stmt = Stmt::new(RECIPIENT_OF).bind(workspace).text(address.as_str());
        for recipient in tx.all(stmt, |row| row.id("id")).await? {
            undeliver(tx, workspace, recipient).await?;
        }
    }
    runs(tx, workspace, &write.addresses).await?;
    outcomes(tx, workspace, write).await?;
    for account in &write.accounts {
        for sql in [FORGET_SESSIONS, FORGET_ACCOUNT] {
            tx.run(Stmt::new(sql).bind(account.as_uuid())).await?;
        }
    }
    Ok(())
}

/// Forgets the sign-in links to the addresses of an account that is gone. The transaction must be in the directory's scope:
/// their mails belong to no tenant.
pub async fn forget_links<D: SqlDb>(tx: &mut Tx<D>, addresses: &BTreeSet<EmailKey>) -> Result<(), StoreError> {
    for address in addresses {
        for sql in [UNQUEUE_LINKS, FORGET_LINKS] {
            tx.run(Stmt::new(sql).text(address.as_str())).await?;
        }
    }
    Ok(())
}

async fn undeliver<D: SqlDb>(tx: &mut Tx<D>, workspace: Uuid, to: Uuid) -> Result<(), StoreError> {
    let stmt = Stmt::new(DELIVERIES).bind(workspace).bind(to).bind(PersonId::ERASED.as_uuid());
    tx.run(stmt).await.map(drop)
}

/// Digests that began keep the number and order of their recipients, which their mails go by. A mail that still waits is
/// dropped, because nobody wants it any more.
async fn runs<D: SqlDb>(tx: &mut Tx<D>, workspace: Uuid, addresses: &BTreeSet<EmailKey>) -> Result<(), StoreError> {
    let corrupt = || StoreError::Corrupt("column recipients".to_owned());
    let rows = tx.all(Stmt::new(RUNS).bind(workspace), |row| Ok((row.id("id")?, row.text("recipients")?))).await?;
    for (id, text) in rows {
        let mut recipients: Vec<Email> = serde_json::from_str(&text).map_err(|_| corrupt())?;
        let mut changed = false;
        for recipient in recipients.iter_mut().filter(|r| addresses.contains(r.key())) {
            *recipient = settings_domain::audit_digest::nobody().map_err(|_| corrupt())?;
            changed = true;
        }
        if changed {
            let text = serde_json::to_string(&recipients).map_err(|_| corrupt())?;
            tx.run_one(Stmt::new(RUN).bind(workspace).bind(id).bind(text)).await?;
        }
    }
    Ok(())
}

/// Kept outcomes that were the person's, or speak of them. Those of calls that made a workspace are kept in none.
async fn outcomes<D: SqlDb>(tx: &mut Tx<D>, workspace: Uuid, write: &ErasureWrite) -> Result<(), StoreError> {
    let rows = tx
        .all(Stmt::new(OUTCOMES).bind(workspace).bind(Uuid::nil()), |row| {
            let key = [row.text("principal")?, row.text("operation")?, row.text("key")?];
            Ok((row.id("scope_id")?, key, row.text("outcome")?))
        })
        .await?;
    for (scope, [principal, operation, key], outcome) in rows {
        if [&principal, &key, &outcome].into_iter().any(|text| write.is_named_in(text)) {
            let stmt = Stmt::new(FORGET_OUTCOME).bind(scope).text(&principal).text(&operation).text(&key);
            tx.run_one(stmt).await?;
        }
    }
    Ok(())
}
