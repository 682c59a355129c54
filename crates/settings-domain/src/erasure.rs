//! Erasure of a person from a workspace (seed A, GDPR erasure): irreversible, confirmed by the e-mail address, possible for
//! former members too. What is erased, and what can't be: `docs/adr/0011`.
mod survey;

pub use survey::Survey;

use crate::{
    api_keys::ApiKey,
    audit::{Details, PublicValue, Target},
    audit_digest::{AuditDigest, AuditDigestWrite},
    change::{Change, Write},
    error::refusals,
    idempotency::IdempotentCall,
    ids::{DeliveryId, PersonId, UserId},
    invitations::Invitation,
    members::{Headcount, Member, take_back},
    notices::Notice,
    notifications::{NotificationSettings, NotificationWrite},
    policy::{Permit, Role, actions},
    text::{Email, EmailKey},
    tokens::Digest,
};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeSet, fmt};

/// What stands in the log where an erased person stood. The same for all, so that two of them can't be told apart.
pub const TOMBSTONE: &str = "erased";
/// Shorter words of a name are found everywhere.
const SHORTEST_WORD: usize = 3;

/// What a workspace keeps of a person, found under the tenant's lock. One person may have had several accounts, one after
/// the other, and several addresses.
#[derive(Clone)]
pub struct Traces {
    /// The account that was named.
    pub user: UserId,
    /// Its address, vouched for or not.
    pub email: Option<Email>,
    /// Every membership of the person, present and former.
    pub members: Vec<Member>,
    /// The persons of this workspace that are this one.
    pub persons: BTreeSet<PersonId>,
    /// Every address that the person was known by here.
    pub addresses: BTreeSet<EmailKey>,
    /// Addresses as they were typed, names, subjects and avatars: what no copy of a message may hold afterwards.
    pub texts: BTreeSet<String>,
    /// Accounts that no other workspace refers to. They go with the erasure; others stay for those who still know them.
    pub accounts: BTreeSet<UserId>,
}

impl fmt::Debug for Traces {
    /// An id only.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Traces").field("user", &self.user).finish_non_exhaustive()
    }
}

/// What an erasure is decided by.
#[derive(Debug, Clone)]
pub struct Found {
    /// What is kept of the person.
    pub traces: Traces,
    /// How full the workspace is.
    pub heads: Headcount,
    /// Unaccepted invitations that the person sent.
    pub sent: Vec<Invitation>,
    /// Keys that the person made and that still work. They keep working (seed A), without a name.
    pub keys: Vec<ApiKey>,
    /// The audit digest.
    pub digest: Option<AuditDigest>,
    /// The notification preferences.
    pub notifications: Option<NotificationSettings>,
    /// What the audit chain says of the person, up to its end.
    pub survey: Survey,
    /// The active admins, each with the id of a mail to them.
    pub admins: Vec<(UserId, DeliveryId)>,
    /// Names that somebody typed and that may name the person.
    pub named_in: Vec<NamedIn>,
}

/// Something whose name, which somebody typed, may name the person. No statement can tell: somebody has to look.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamedIn {
    /// What it is, such as `apiKey`.
    pub kind: String,
    /// Which one.
    pub id: uuid::Uuid,
}

impl Traces {
    /// Whether a name that somebody typed may name the person: by an address or what stands before its `@`, by a subject or an
    /// avatar, or by any word of the name.
    #[must_use]
    pub fn may_be_named_in(&self, text: &str) -> bool {
        let addresses = self.addresses.iter().filter_map(|a| a.as_str().split('@').next());
        let words = self.texts.iter().flat_map(|t| t.split_whitespace());
        addresses.chain(words).filter(|w| w.chars().count() >= SHORTEST_WORD).any(|word| mentions(text, word))
    }
}

/// What an adapter writes: in one transaction, or not at all.
#[derive(Clone)]
pub struct ErasureWrite {
    /// MAC of workspace and account, so that a second call is recognised.
    pub subject: Digest,
    /// Accounts whose ids are taken out of every row of the workspace.
    pub users: BTreeSet<UserId>,
    /// Accounts that go altogether, with their sessions and sign-in links.
    pub accounts: BTreeSet<UserId>,
    /// Persons that go, salts first.
    pub persons: BTreeSet<PersonId>,
    /// Addresses that go.
    pub addresses: BTreeSet<EmailKey>,
    /// Texts that no kept outcome may hold.
    pub texts: BTreeSet<String>,
    /// The place of `member.erased`.
    pub seq: i64,
    /// What the chain said of the person before it: the openings that are still to be emptied.
    pub survey: Survey,
}

impl fmt::Debug for ErasureWrite {
    /// Ids only.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ErasureWrite").field("users", &self.users).finish_non_exhaustive()
    }
}

impl ErasureWrite {
    /// Whether a text speaks of the person: it holds an id, an address, a name, a subject or an avatar of theirs.
    #[must_use]
    pub fn is_named_in(&self, text: &str) -> bool {
        let ids = self.users.iter().map(UserId::to_string).chain(self.persons.iter().map(PersonId::to_string));
        ids.chain(self.texts.iter().cloned()).any(|needle| mentions(text, &needle))
    }
    pub(crate) fn is_named_by(&self, call: &IdempotentCall) -> bool {
        self.is_named_in(&call.principal) || self.is_named_in(&call.key)
    }
}

/// The receipt of an erasure, as far as it is kept for a retry: nothing in it names the person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Erased {
    /// Place of `member.erased` in the audit chain.
    pub seq: i64,
    /// How many audit events spoke of the person.
    pub events: i64,
    /// Keys they made that still work.
    pub active_keys: Vec<ApiKey>,
    /// Whether the account went too, because no other workspace refers to it.
    pub account: bool,
    /// Names that somebody typed and that may name the person.
    #[serde(default)]
    pub named_in: Vec<NamedIn>,
}

refusals! {
    /// Why a person was not erased.
    EraseMemberError {
        NotFound: NotFound "not-found", "There is no such member.";
        AlreadyErased: Conflict "already-erased", "This person was erased already.";
        WrongConfirmation: Invalid "validation-failed" at "/confirm", "This is not the member's e-mail address. An account without one is confirmed by its id.";
        LastAdmin: Conflict "last-admin", "This is the last admin of the workspace. Make somebody else an admin first.";
    }
}

impl Traces {
    /// Whether a text is what the erasure is confirmed by: one of the person's addresses, or the account's id where no
    /// address is known.
    #[must_use]
    pub fn is_confirmed_by(&self, confirm: &str) -> bool {
        if self.addresses.is_empty() {
            return confirm == self.user.to_string();
        }
        confirm.trim().parse::<Email>().is_ok_and(|email| self.addresses.contains(email.key()))
    }
    fn active_admins(&self) -> i64 {
        let admins = self.members.iter().filter(|m| m.is_active() && m.role == Role::Admin).count();
        i64::try_from(admins).unwrap_or(i64::MAX)
    }
}

/// Erases a person. Nothing that the workspace keeps names them afterwards; the log says that somebody was erased, by whom
/// and when, and still verifies.
pub fn erase(
    permit: &Permit<actions::EraseMember>,
    found: &Found,
    subject: Digest,
    confirm: &str,
) -> Result<Change<Erased>, EraseMemberError> {
    let traces = &found.traces;
    if !traces.is_confirmed_by(confirm) {
        return Err(EraseMemberError::WrongConfirmation);
    }
    let leaving = traces.active_admins();
    if leaving > 0 && found.heads.admins <= leaving {
        return Err(EraseMemberError::LastAdmin);
    }
    let role = traces.members.iter().find(|m| m.user == traces.user && m.is_active()).map(|m| m.role.into());
    let account = traces.accounts.contains(&traces.user);
    let details = Details::new().change("role", role, None).change(
        "account",
        None,
        Some(PublicValue::word(if account { "erased" } else { "kept" })),
    );
    // What they sent to others is taken back, as at a removal; what was sent to them goes altogether.
    let sent: Vec<_> = found.sent.iter().filter(|i| !traces.persons.contains(&i.person)).cloned().collect();
    let seq = found.survey.upto + i64::try_from(sent.len()).unwrap_or(i64::MAX) + 1;
    let write = ErasureWrite {
        seq,
        survey: found.survey.clone(),
        subject,
        users: traces.members.iter().map(|m| m.user).chain([traces.user]).collect(),
        accounts: traces.accounts.clone(),
        persons: traces.persons.clone(),
        addresses: traces.addresses.clone(),
        texts: traces.texts.clone(),
    };
    let active_keys = found.keys.iter().map(|k| ApiKey { created_by: None, ..k.clone() }).collect();
    let erased = Erased { seq, events: found.survey.events, active_keys, account, named_in: found.named_in.clone() };
    let target = Target::Member(PersonId::ERASED, traces.user);
    let mut change = Change::decided(permit, Write::Erasure(Box::new(write)), target, details, erased);
    if let Some(digest) = found.digest.as_ref().and_then(|d| without(d, &traces.addresses)) {
        change = change.write(Write::AuditDigest(AuditDigestWrite::Configure(digest)));
    }
    if let Some(settings) = found.notifications.as_ref().and_then(|n| n.without(&traces.addresses)) {
        change = change.write(Write::Notifications(NotificationWrite::Save(settings)));
    }
    // Evidence may have gone with the person: whoever is left in charge hears of it.
    let gone: BTreeSet<_> = traces.members.iter().map(|m| m.user).collect();
    for (admin, delivery) in found.admins.iter().filter(|(admin, _)| !gone.contains(admin)) {
        change = change.notice(Notice::ErasureMail { delivery: *delivery, admin: *admin, seq });
    }
    Ok(take_back(change, permit, &sent, None).forgetting(&traces.persons))
}

/// Whether a text holds another as a word or words of its own, whatever the case of its letters: somebody called Al is not
/// named by "final".
#[must_use]
pub fn mentions(text: &str, needle: &str) -> bool {
    let (text, needle) = (text.to_lowercase(), needle.trim().to_lowercase());
    let word = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    !needle.is_empty()
        && text.match_indices(&needle).any(|(at, found)| {
            let (before, after) = (text.get(..at), text.get(at + found.len()..));
            !word(before.and_then(|b| b.chars().next_back())) && !word(after.and_then(|a| a.chars().next()))
        })
}

/// The digest without these addresses; `None` where it names none of them. A digest that nobody gets any more is off.
fn without(digest: &AuditDigest, addresses: &BTreeSet<EmailKey>) -> Option<AuditDigest> {
    let mut next = digest.clone();
    next.settings.recipients.retain(|r| !addresses.contains(r.key()));
    if next.settings.recipients.len() == digest.settings.recipients.len() {
        return None;
    }
    if next.settings.recipients.is_empty() {
        next.settings.enabled = false;
        next.next_due_at = None;
    }
    next.version += 1;
    Some(next)
}
