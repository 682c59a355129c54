//! How rows are written, and what every change has to look like.
use super::{
    super::{ACCOUNTS, ADDRESSES},
    World, account, address, name,
};
use crate::support::workspace;
use settings_domain::{
    api_keys::ApiKeyWrite,
    change::{Change, Write},
    environments::EnvironmentWrite,
    ids::{InvitationId, UserId},
    invitations::{Invitation, InvitationState, InvitationWrite},
    members::{Member, MemberWrite},
    notices::Notice,
    workspaces::WorkspaceWrite,
};
use std::collections::BTreeSet;
use time::OffsetDateTime;

/// Everything that speaks of a person or that somebody typed.
fn canaries() -> Vec<String> {
    let addresses = (0..ADDRESSES).map(|n| address(n).as_str().to_owned());
    let ids = (0..ACCOUNTS).map(|n| account(n).to_string());
    let texts = (0..3).flat_map(|n| [name(n), format!("quokka-{n}")]);
    let all = addresses.chain(ids).chain(texts).chain(["numbat".to_owned(), "zebra".to_owned()]);
    all.map(|c| c.to_lowercase()).collect()
}

/// What holds for every change that does something.
pub(super) fn check<T>(now: OffsetDateTime, by: Option<UserId>, change: &Change<T>) {
    let set = change.set();
    assert!(!set.events().is_empty(), "a change without an event: {:?}", set.writes());
    assert!(!set.writes().is_empty(), "an event without a change");
    assert_eq!(set.scope().workspace(), workspace());
    let mails = set
        .writes()
        .iter()
        .filter(|w| matches!(w, Write::Invitation(InvitationWrite::Insert(_) | InvitationWrite::Renew(_))));
    assert_eq!(set.notices().len(), mails.count(), "one mail for each new link");
    let canaries = canaries();
    for (place, event) in set.events().iter().enumerate() {
        let record = event.record(i64::try_from(place).unwrap() + 1);
        assert_eq!((event.at(), record.workspace), (now, workspace()));
        let bytes = record.encode();
        let text = String::from_utf8_lossy(&bytes).to_lowercase();
        for canary in &canaries {
            assert!(!text.contains(canary), "{canary} stands in the open: {record:?}");
        }
        for n in 0..ACCOUNTS {
            let id = account(n).as_uuid();
            assert!(!bytes.windows(16).any(|w| w == id.as_bytes()), "an account's id stands in the open: {record:?}");
        }
        let personal = event.personal();
        let names: BTreeSet<_> = personal.iter().map(|p| p.field).collect();
        assert_eq!(names.len(), personal.len(), "a field twice: {names:?}");
        assert!(personal.windows(2).all(|w| matches!(w, [a, b] if a.field < b.field)), "not sorted: {names:?}");
        let value = |field| personal.iter().find(|p| p.field == field).map(|p| p.value.clone());
        assert_eq!(value("actor"), by.map(|user| user.to_string()), "which person did it is kept aside");
        assert_eq!(value("target").is_some(), record.target_kind == "member");
        assert_eq!(value("email").is_some(), record.action == "member.invited");
    }
}

impl World {
    fn pending(&mut self, id: InvitationId) -> &mut Invitation {
        let row = self.invitations.iter_mut().find(|i| i.id == id).expect("an invitation that is there");
        assert_eq!(row.state, InvitationState::Pending, "a closed invitation is never touched again");
        row
    }
    fn close(&mut self, id: InvitationId, state: InvitationState) {
        let row = self.pending(id);
        row.state = state;
        row.version += 1;
    }
    /// Writes one row, as strictly as a database with all its constraints.
    #[expect(clippy::too_many_lines, reason = "an arm for each kind of write")]
    pub(super) fn apply(&mut self, write: &Write) {
        let now = self.now;
        match write {
            Write::Workspace(WorkspaceWrite::Insert(row)) => {
                assert_eq!((row.version, row.created_at), (1, now));
                assert!(self.workspace.replace(row.clone()).is_none());
            }
            Write::Workspace(WorkspaceWrite::Update(row)) => {
                let before = self.workspace.replace(row.clone()).unwrap();
                assert_eq!((row.version, row.updated_at), (before.version + 1, now));
                assert_eq!((row.id, &row.slug, row.created_at), (before.id, &before.slug, before.created_at));
            }
            Write::Environment(EnvironmentWrite::Insert(row)) => {
                assert!(self.environments.iter().all(|e| e.name != row.name && e.id != row.id));
                self.environments.push(row.clone());
            }
            Write::Environment(EnvironmentWrite::Delete(id)) => {
                let before = self.environments.len();
                self.environments.retain(|e| e.id != *id);
                assert_eq!(self.environments.len(), before - 1);
            }
            Write::Member(MemberWrite::InsertPerson(row)) => {
                assert!(self.persons.values().all(|p| p.email.is_none() || p.email != row.email), "a person twice");
                assert!(self.persons.insert(row.id, row.clone()).is_none());
            }
            Write::Member(MemberWrite::BindPerson(id, user)) => {
                let person = self.persons.get_mut(id).expect("a person that is there");
                assert!(person.user.is_none_or(|u| u == *user), "a person never becomes another account's");
                person.user = Some(*user);
            }
            Write::Member(MemberWrite::Join(row)) => {
                let before = self.members.insert(row.user, row.clone());
                assert!(before.as_ref().is_none_or(|m| !m.is_active()), "a member joins twice");
                assert_eq!(row.version, before.map_or(1, |m| m.version + 1));
                assert!(row.is_active() && self.persons.contains_key(&row.person));
            }
            Write::Member(MemberWrite::Update(row)) => {
                let before = self.members.insert(row.user, row.clone()).expect("a member that is there");
                assert!(before.is_active(), "a former member never changes");
                let kept = |m: &Member| (m.user, m.person, m.joined_at, m.workspace);
                assert_eq!((row.version, kept(row)), (before.version + 1, kept(&before)));
            }
            Write::Invitation(InvitationWrite::Insert(row)) => {
                assert!(self.persons.contains_key(&row.person), "the person comes first");
                assert_eq!((row.version, row.generation, row.created_at), (1, 1, now));
                self.invitations.push(row.clone());
            }
            Write::Invitation(InvitationWrite::Renew(row)) => {
                let before = self.pending(row.id);
                assert_eq!((row.version, row.generation), (before.version + 1, before.generation + 1));
                assert_ne!(row.token, before.token, "the old link dies");
                *before = row.clone();
            }
            Write::Invitation(InvitationWrite::Accept(id, at)) => {
                assert_eq!(*at, now);
                self.close(*id, InvitationState::Accepted);
            }
            Write::Invitation(InvitationWrite::Revoke(id, at)) => {
                assert_eq!(*at, now);
                self.close(*id, InvitationState::Revoked);
            }
            Write::Invitation(InvitationWrite::Expire(id, at)) => {
                assert!(*at == now && self.pending(*id).is_over(now), "only what is over expires");
                self.close(*id, InvitationState::Expired);
            }
            Write::ApiKey(ApiKeyWrite::Insert(row)) => {
                assert!(!row.key.scopes.is_empty() && self.keys.iter().all(|k| k.id != row.key.id));
                self.keys.push(row.key.clone());
            }
            Write::ApiKey(ApiKeyWrite::Revoke(id, at)) => {
                let row = self.keys.iter_mut().find(|k| k.id == *id).expect("a key that is there");
                assert!(*at == now && row.revoked_at.replace(*at).is_none(), "a key is revoked once");
            }
            Write::Erasure(gone) => {
                assert!(self.members.keys().any(|u| gone.users.contains(u)), "nobody to erase");
                self.members.retain(|user, m| !gone.users.contains(user) && !gone.persons.contains(&m.person));
                self.persons.retain(|id, _| !gone.persons.contains(id));
                self.invitations
                    .retain(|i| !gone.persons.contains(&i.person) && !gone.addresses.contains(i.email.key()));
                for i in &mut self.invitations {
                    i.invited_by = i.invited_by.filter(|u| !gone.users.contains(u));
                }
                for k in &mut self.keys {
                    k.created_by = k.created_by.filter(|u| !gone.users.contains(u));
                }
            }
            Write::Environment(EnvironmentWrite::Update(_))
            | Write::Workspace(WorkspaceWrite::Delete(_))
            | Write::Variable(_)
            | Write::Secret(_)
            | Write::Model(_)
            | Write::Referrer(_)
            | Write::AuditDigest(_)
            | Write::Notifications(_)
            | Write::Event(_)
            | Write::Delivery(_)
            | Write::Connection(_)
            | Write::WebhookSubscription(_)
            | Write::Billing(_) => {
                panic!("no command here asks for that: see the module of that name")
            }
        }
    }
}

/// A notice speaks of what it is about by ids and numbers only.
const _: fn(Notice) = |notice| match notice {
    Notice::InvitationMail { delivery: _, invitation: _, generation: _ }
    | Notice::AuditDigestMail { delivery: _, run: _, recipient: _ }
    | Notice::ErasureMail { delivery: _, admin: _, seq: _ }
    | Notice::Delivery(_)
    | Notice::SeatQuantity(_) => {}
};
