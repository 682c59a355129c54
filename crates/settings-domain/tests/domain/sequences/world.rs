//! The real decisions on the real entities, with rows kept as a store would keep them.
use super::{
    PLATFORM,
    command::{Command, Who, Whom},
    model::{Answer, InvitationState as Shown, KeyState, MemberState, Outcome, WorkspaceState},
};
use crate::support::{start, user, uuid, workspace};
use settings_domain::{
    api_keys::{ApiKey, ApiKeyRecord},
    environments::{Environment, PRODUCTION, Tier},
    error::Refused,
    ids::{ApiKeyId, DeliveryId, EnvironmentId, InvitationId, PersonId, UserId},
    invitations::{Acquaintance, Invitation, InvitationState, NewInvitation},
    members::{Headcount, Member, Person},
    policy::{Action, Actor, Permit, Role, actions, permit},
    ports::store::Standing,
    text::Email,
    tokens::{Digest, Seal},
    transaction::{Caller, EntryError, actor},
    workspaces::{FirstAdmin, NewWorkspace, Workspace},
};
use std::collections::{BTreeMap, BTreeSet};
use time::OffsetDateTime;

mod decisions;
mod rows;

/// A workspace in memory.
#[derive(Debug)]
pub(super) struct World {
    now: OffsetDateTime,
    workspace: Option<Workspace>,
    members: BTreeMap<UserId, Member>,
    persons: BTreeMap<PersonId, Person>,
    invitations: Vec<Invitation>,
    keys: Vec<ApiKey>,
    used: BTreeMap<ApiKeyId, OffsetDateTime>,
    environments: Vec<Environment>,
    fresh: u64,
}

fn account(n: usize) -> UserId {
    user(n as u64)
}
/// The number of an account.
fn number(id: UserId) -> usize {
    (0..super::ACCOUNTS).find(|n| account(*n) == id).unwrap()
}
fn address(n: usize) -> Email {
    format!("canary{n}@zebra.example").parse().unwrap()
}
fn capitals(email: &Email) -> Email {
    email.as_str().to_uppercase().parse().unwrap()
}
fn token(id: InvitationId, generation: i64) -> Digest {
    let mut bytes = [0; 32];
    let parts = id.as_uuid().as_bytes().iter().chain(&generation.to_be_bytes()).copied().collect::<Vec<_>>();
    bytes.iter_mut().zip(parts).for_each(|(to, from)| *to = from);
    Digest::new(bytes)
}
fn name(n: u8) -> String {
    format!("Okapi {n}")
}

impl World {
    pub(super) fn founded(founder_joins: bool, seats: i64) -> Self {
        let mut world = Self {
            now: start(),
            workspace: None,
            members: BTreeMap::new(),
            persons: BTreeMap::new(),
            invitations: vec![],
            keys: vec![],
            used: BTreeMap::new(),
            environments: vec![],
            fresh: 10_000,
        };
        let founder = Actor::platform(account(PLATFORM), workspace());
        let permit = permit::<actions::CreateOrganization>(&founder, world.now).unwrap();
        let admin = if founder_joins {
            FirstAdmin::Caller(account(PLATFORM), PersonId::from_uuid(world.fresh()))
        } else {
            FirstAdmin::Invited(world.new_invitation(address(0), Role::Admin))
        };
        let new = NewWorkspace {
            production: EnvironmentId::from_uuid(world.fresh()),
            slug: "acme".parse().unwrap(),
            name: name(0).parse().unwrap(),
            region: "eu".parse().unwrap(),
            seat_limit: seats,
            floor_days: 30,
            admin,
        };
        let change = Workspace::create(&permit, false, new).map_err(Refused::Rule);
        let by = founder_joins.then(|| account(PLATFORM));
        assert_eq!(world.finish(by, change), Ok(Outcome::Done(vec!["workspace.created"])));
        world
    }

    fn fresh(&mut self) -> uuid::Uuid {
        self.fresh += 1;
        uuid(self.fresh)
    }
    fn new_invitation(&mut self, email: Email, role: Role) -> NewInvitation {
        let id = InvitationId::from_uuid(self.fresh());
        NewInvitation {
            id,
            person: PersonId::from_uuid(self.fresh()),
            delivery: DeliveryId::from_uuid(self.fresh()),
            token: token(id, 1),
            email,
            role,
        }
    }

    fn row(&self) -> Workspace {
        self.workspace.clone().unwrap()
    }
    pub(super) fn members(&self) -> BTreeMap<usize, MemberState> {
        self.members.values().map(|m| (number(m.user), (m.role, m.is_active(), m.version))).collect()
    }
    pub(super) fn invitations(&self) -> Vec<Shown> {
        let number = |i: &Invitation| (0..super::ADDRESSES).find(|n| address(*n) == i.email).unwrap();
        let shown = |i: &Invitation| {
            (number(i), i.role, i.state.name(), i.generation, i.version, (i.expires_at - start()).whole_hours())
        };
        self.invitations.iter().map(shown).collect()
    }
    pub(super) fn keys(&self) -> Vec<KeyState> {
        self.keys.iter().map(|k| k.revoked_at.is_some()).collect()
    }
    pub(super) fn environments(&self) -> BTreeSet<u8> {
        let extra = self.environments.iter().filter(|e| e.tier != Tier::Production);
        extra.map(|e| e.name.as_str().strip_prefix("quokka-").unwrap().parse().unwrap()).collect()
    }
    pub(super) fn workspace(&self) -> WorkspaceState {
        let row = self.row();
        (row.seat_limit, row.name.as_str().strip_prefix("Okapi ").unwrap().parse().unwrap(), row.version)
    }
    pub(super) fn admins(&self) -> i64 {
        self.headcount().admins
    }

    fn headcount(&self) -> Headcount {
        let active = || self.members.values().filter(|m| m.is_active());
        let count = |n: usize| i64::try_from(n).unwrap();
        Headcount {
            members: count(active().count()),
            admins: count(active().filter(|m| m.role == Role::Admin).count()),
            pending: count(self.waiting().count()),
        }
    }
    fn waiting(&self) -> impl Iterator<Item = &Invitation> {
        self.invitations.iter().filter(|i| i.state == InvitationState::Pending && !i.is_over(self.now))
    }
    fn acquaintance(&self, email: &Email) -> Acquaintance {
        let person = self.persons.values().find(|p| p.email.as_ref() == Some(email) || Self::has(p, email));
        Acquaintance {
            person: person.map(|p| p.id),
            is_member: self.members.values().any(|m| m.is_active() && address(number(m.user)) == *email),
            pending: self
                .invitations
                .iter()
                .find(|i| i.email == *email && i.state == InvitationState::Pending)
                .cloned(),
        }
    }
    fn has(person: &Person, email: &Email) -> bool {
        person.user.is_some_and(|u| address(number(u)) == *email)
    }

    pub(super) fn check_invariants(&self, had_admin: bool, context: &str) {
        let heads = self.headcount();
        assert!(!had_admin || heads.admins >= 1, "{context}: no admin is left");
        assert!(heads.used() <= self.row().seat_limit, "{context}: {heads:?} in {} seats", self.row().seat_limit);
        let production = |e: &&Environment| e.tier == Tier::Production || e.name.as_str() == PRODUCTION;
        assert_eq!(self.environments.iter().filter(production).count(), 1, "{context}: production");
        let mut pending = BTreeSet::new();
        for i in self.invitations.iter().filter(|i| i.state == InvitationState::Pending) {
            assert!(pending.insert(i.email.key().clone()), "{context}: two pending invitations of one address");
        }
    }

    fn enter(&self, who: Who) -> Result<Actor, Outcome> {
        let mut standing = Standing { workspace: workspace(), at: self.now, exists: true, member: None, key: None };
        let caller = match who {
            Who::Admin(_) | Who::Account(_) => {
                let n = self.who(who).unwrap_or_default();
                standing.member = self.members.get(&account(n)).cloned();
                Caller::User { id: account(n), verified_email: Some(address(n)), platform: n == PLATFORM }
            }
            Who::Key(nth) => {
                let key = self.keys.iter().rev().nth(nth).ok_or(Outcome::NobodyThere)?.clone();
                let caller = Caller::Key((&key).into());
                standing.key = Some(ApiKeyRecord { key, digest: Digest::new([1; 32]), seal: Seal::new([1; 32]) });
                caller
            }
        };
        actor(&caller, &standing).map_err(|e| match e {
            EntryError::NotFound | EntryError::KeyInvalid => Outcome::NotIn,
            other => panic!("{other}"),
        })
    }
    /// The account that is meant, where it is one.
    fn who(&self, who: Who) -> Option<usize> {
        let admins = || self.members.values().filter(|m| m.is_active() && m.role == Role::Admin);
        match who {
            Who::Account(n) => Some(n),
            Who::Admin(nth) => Some(admins().cycle().nth(nth).map_or(PLATFORM, |m| number(m.user))),
            Who::Key(_) => None,
        }
    }
    fn target(&self, whom: Whom) -> Result<Member, Outcome> {
        let member = match whom {
            Whom::Account(n) => self.members.get(&account(n)),
            Whom::Member(nth) => self.members.values().cycle().nth(nth),
        };
        member.cloned().ok_or(Outcome::Refused("not-found"))
    }
    fn permit<A: Action>(&self, who: Who) -> Result<Permit<A>, Outcome> {
        permit::<A>(&self.enter(who)?, self.now).map_err(|_| Outcome::Denied)
    }
    fn youngest(&self, nth: usize) -> Result<Invitation, Outcome> {
        self.invitations.iter().rev().nth(nth).cloned().ok_or(Outcome::NobodyThere)
    }

    pub(super) fn run(&mut self, command: &Command) -> Outcome {
        self.try_run(command).unwrap_or_else(|stopped| stopped)
    }

    fn try_run(&mut self, command: &Command) -> Answer {
        match *command {
            Command::Advance { hours } => Ok(self.advance(hours)),
            Command::UseKey { nth } => self.use_key(nth),
            Command::Invite { who, address: to, capitals: shout, role } => self.invite(who, to, shout, role),
            Command::Resend { who, nth, seen } => self.resend(who, nth, seen),
            Command::RevokeInvitation { who, nth, seen } => self.revoke_invitation(who, nth, seen),
            Command::Accept { nth, by, token: brings, proven } => self.accept(nth, by, brings, proven),
            Command::ChangeRole { who, whom, role, seen } => self.change_role(who, whom, role, seen),
            Command::Remove { who, whom, with_keys, seen } => self.remove(who, whom, with_keys, seen),
            Command::Erase { who, whom, right } => self.erase(who, whom, right),
            Command::Seats { who, limit, seen } => self.set_seats(who, limit, seen),
            Command::Rename { who, name: n, seen } => self.rename(who, n, seen),
            Command::CreateKey { who, scopes, hours } => self.create_key(who, scopes, hours),
            Command::RevokeKey { who, nth, confirmed } => self.revoke_key(who, nth, confirmed),
            Command::Environments { who, names, production } => self.replace_environments(who, names, production),
        }
    }
}
