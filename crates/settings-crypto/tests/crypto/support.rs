//! Keys of known bytes, and a workspace whose chain is made by real decisions.
use secrecy::SecretSlice;
use settings_crypto::{AuditKeys, RootKey, Tokens};
use settings_domain::{
    api_keys::{ApiKey, NewApiKey},
    audit::{AuditEvent, SealedEvent, Unopened, UnopenedCheck},
    erasure::{Found, Survey, Traces, erase},
    ids::{ApiKeyId, PersonId, UserId, WorkspaceId},
    impact::Guard,
    members::{Headcount, Member},
    policy::{Actor, Role, Scope, ScopeSet, actions, permit},
    ports::audit::{AuditSealer as _, Link, Salts, is_unopened},
    tokens::{Digest, Seal},
};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

pub(crate) fn root(byte: u8) -> RootKey {
    RootKey::new(&SecretSlice::from(vec![byte; 32])).unwrap()
}
pub(crate) fn tokens() -> Tokens {
    Tokens::new(&root(1))
}
pub(crate) fn audit_keys() -> AuditKeys {
    AuditKeys::new(&root(1))
}
pub(crate) fn id(n: u128) -> Uuid {
    Uuid::from_u128(0x0192_f0c1_2d3e_7000_8000_0000_0000_0000 | n)
}
pub(crate) fn at() -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(1_800_000_000).unwrap() + Duration::microseconds(123_456)
}
/// Every value with one bit changed, and every one cut short.
pub(crate) fn damaged(bytes: &[u8]) -> impl Iterator<Item = Vec<u8>> + '_ {
    let flipped = (0..bytes.len() * 8).map(|bit| {
        let mut bad = bytes.to_vec();
        bad[bit / 8] ^= 1 << (bit % 8);
        bad
    });
    flipped.chain((0..bytes.len()).map(|length| bytes[..length].to_vec()))
}

pub(crate) fn member(workspace: WorkspaceId, n: u128) -> Member {
    let (user, person) = (UserId::from_uuid(id(100 + n)), PersonId::from_uuid(id(200 + n)));
    Member { workspace, user, person, role: Role::Admin, joined_at: at(), removed_at: None, version: 1 }
}
pub(crate) fn api_key(workspace: WorkspaceId, n: u128) -> ApiKey {
    ApiKey {
        workspace,
        id: ApiKeyId::from_uuid(id(n)),
        name: "CI".parse().unwrap(),
        prefix: "wsk_000000000000".to_owned(),
        last4: "0000".to_owned(),
        scopes: ScopeSet::EMPTY.with(Scope::RunsRead).with(Scope::SecretsRead),
        created_by: None,
        created_at: at(),
        expires_at: None,
        revoked_at: None,
    }
}
/// The event of a key made by `by`: personal fields `actor` and `name`, both of that person.
pub(crate) fn key_created(by: &Member, name: &str, at: OffsetDateTime) -> AuditEvent {
    let permit = permit::<actions::CreateApiKey>(&Actor::member(by, false).unwrap(), at).unwrap();
    let key = api_key(by.workspace, 7);
    let new = NewApiKey {
        id: key.id,
        prefix: key.prefix,
        last4: key.last4,
        digest: Digest::none(),
        name: name.parse().unwrap(),
        scopes: key.scopes,
        expires_at: None,
    };
    let change = ApiKey::create(&permit, 0, new, |_, _| Seal::new([0; 32])).unwrap();
    change.set().events()[0].clone()
}
/// The event of a removal: personal fields `actor` of one person, `target` of another.
pub(crate) fn member_removed(by: &Member, whom: &Member) -> AuditEvent {
    let permit = permit::<actions::RemoveMember>(&Actor::member(by, false).unwrap(), at()).unwrap();
    let heads = Headcount { members: 2, admins: 2, pending: 0 };
    whom.remove(&permit, &heads, &[], &[], &Guard::default()).unwrap().set().events()[0].clone()
}
/// The event of an erasure: `actor` of one person, and a `target` that nobody can open.
pub(crate) fn member_erased(by: &Member, whom: PersonId) -> AuditEvent {
    let permit = permit::<actions::EraseMember>(&Actor::member(by, false).unwrap(), at()).unwrap();
    let user = UserId::from_uuid(id(900));
    let traces = Traces {
        user,
        email: None,
        members: vec![],
        persons: [whom].into(),
        addresses: [].into(),
        texts: [].into(),
        accounts: [].into(),
    };
    let heads = Headcount { members: 2, admins: 2, pending: 0 };
    let found = Found {
        traces,
        heads,
        sent: vec![],
        keys: vec![],
        digest: None,
        notifications: None,
        survey: Survey::default(),
        admins: vec![],
        named_in: vec![],
    };
    erase(&permit, &found, Digest::none(), &user.to_string()).unwrap().set().events()[0].clone()
}

/// A workspace's audit log, as a store holds it.
#[derive(Debug, Clone)]
pub(crate) struct Log {
    pub(crate) workspace: WorkspaceId,
    pub(crate) events: Vec<SealedEvent>,
    pub(crate) salts: Salts,
}

impl Log {
    pub(crate) fn new(workspace: u128) -> Self {
        Self { workspace: WorkspaceId::from_uuid(id(workspace)), events: vec![], salts: Salts::new() }
    }
    pub(crate) fn member(&self, n: u128) -> Member {
        member(self.workspace, n)
    }
    pub(crate) fn last(&self) -> Link {
        self.events.last().map_or(Link::START, |e| Link { seq: e.record.seq, hash: e.hash })
    }
    pub(crate) fn append(&mut self, event: &AuditEvent) {
        let keys = audit_keys();
        let mut event = event.clone();
        if event.closes_openings() {
            let mut unopened = Unopened::default();
            let empty = self.events.iter().flat_map(|e| e.openings.iter().map(move |o| (e.record.seq, o)));
            empty.filter(|(_, o)| is_unopened(o, &self.salts)).for_each(|(seq, o)| unopened.add(seq, &o.field));
            let own = event.personal().into_iter().filter(|p| p.person == PersonId::ERASED);
            own.for_each(|p| unopened.add(self.last().seq + 1, p.field));
            event = event.vouching(&unopened);
        }
        for personal in event.personal().into_iter().filter(|p| p.person != PersonId::ERASED) {
            let salt = || keys.new_salt(self.workspace, personal.person).unwrap();
            self.salts.entry(personal.person).or_insert_with(salt);
        }
        let sealed = keys.seal(&self.last(), &event, &self.salts).unwrap();
        self.events.push(sealed);
    }
    /// Two people's doings: 1, 2, 3 and 5 are Ada's, 4 is Bob's, 6 is Bob removing Ada.
    pub(crate) fn of_two_people(workspace: u128) -> Self {
        let mut log = Self::new(workspace);
        let (ada, bob) = (log.member(1), log.member(2));
        for by in [&ada, &ada, &ada, &bob, &ada] {
            log.append(&key_created(by, "CI", at()));
        }
        log.append(&member_removed(&bob, &ada));
        log
    }
    /// What an erasure does to the store: the openings are emptied, the salt is destroyed. Person 9 did it.
    pub(crate) fn erase(&mut self, person: PersonId) {
        self.hide(person);
        self.append(&member_erased(&self.member(9), person));
    }
    /// The first half of it: the salt is destroyed, and no opening is empty yet.
    pub(crate) fn begin_to_erase(&mut self, person: PersonId) {
        self.salts.remove(&person);
        self.salts.destroyed.insert(person);
        self.append(&member_erased(&self.member(9), person));
    }
    /// The same, and nothing says so.
    pub(crate) fn hide(&mut self, person: PersonId) {
        self.salts.remove(&person);
        let openings = self.events.iter_mut().flat_map(|e| &mut e.openings);
        openings.filter(|o| o.person == person).for_each(|o| (o.sealed, o.person) = (None, PersonId::ERASED));
    }
    /// Checks the chain from its start: the head, or the place of the first fault and the fault.
    pub(crate) fn verify(&self) -> Result<Link, (i64, &'static str)> {
        let keys = audit_keys();
        let mut unopened = UnopenedCheck::default();
        let end = self.events.iter().try_fold(Link::START, |last, event| {
            let empty = event.openings.iter().filter(|o| is_unopened(o, &self.salts)).map(|o| o.field.as_str());
            unopened.event(&event.record, empty);
            keys.check(&last, event, &self.salts).map_err(|fault| (last.seq + 1, fault))
        })?;
        unopened.finish().map(|()| end)
    }
}
