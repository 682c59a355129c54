//! The rules as somebody would tell them, on the plainest data there is. No rule of the code under test is used.
use super::{
    PLATFORM,
    command::{Command, Proven, Seen, Token, Who, Whom},
};
use settings_domain::policy::Role;
use std::collections::{BTreeMap, BTreeSet};

mod rules;

/// What came of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    /// There is nothing of the kind that the command names.
    NobodyThere,
    /// The caller is nobody here.
    NotIn,
    /// The caller may not.
    Denied,
    /// A rule, a version or a missing confirmation stood against it.
    Refused(&'static str),
    /// All was as wanted.
    Nothing,
    /// It was done; the facts that were recorded.
    Done(Vec<&'static str>),
}

impl Outcome {
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::NobodyThere => "nobody there",
            Self::NotIn => "not in",
            Self::Denied => "denied",
            Self::Refused(why) => why,
            Self::Nothing => "nothing",
            Self::Done(_) => "done",
        }
    }
}

/// What came of it, either way: a refusal ends a command early.
pub(super) type Answer = Result<Outcome, Outcome>;

/// Role, whether active, version.
pub(super) type MemberState = (Role, bool, i64);
/// Address, role, state, generation, version, the hour at which it ends.
pub(super) type InvitationState = (usize, Role, &'static str, i64, i64, i64);
/// Whether revoked.
pub(super) type KeyState = bool;
/// Seat limit, name, version.
pub(super) type WorkspaceState = (i64, u8, i64);

#[derive(Debug)]
struct Invitation {
    address: usize,
    role: Role,
    state: &'static str,
    by: usize,
    ends: i64,
    generation: i64,
    version: i64,
}
#[derive(Debug)]
struct Key {
    by: usize,
    ends: Option<i64>,
    revoked: bool,
    used: Option<i64>,
    scopes: u16,
}

/// A workspace.
#[derive(Debug)]
pub(super) struct Model {
    hour: i64,
    members: BTreeMap<usize, MemberState>,
    invitations: Vec<Invitation>,
    keys: Vec<Key>,
    environments: BTreeSet<u8>,
    seats: i64,
    name: u8,
    version: i64,
}

/// What a command asks for: the permissions of people, and the scope (by place) that would do.
const WORKSPACE_WRITE: Option<u16> = Some(1 << 14);

impl Model {
    pub(super) fn founded(founder_joins: bool, seats: i64) -> Self {
        let mut model = Self {
            hour: 0,
            members: BTreeMap::new(),
            invitations: vec![],
            keys: vec![],
            environments: BTreeSet::new(),
            seats,
            name: 0,
            version: 1,
        };
        if founder_joins {
            model.members.insert(PLATFORM, (Role::Admin, true, 1));
        } else {
            model.invite(0, Role::Admin, PLATFORM);
        }
        model
    }
    pub(super) fn members(&self) -> BTreeMap<usize, MemberState> {
        self.members.clone()
    }
    pub(super) fn invitations(&self) -> Vec<InvitationState> {
        self.invitations.iter().map(|i| (i.address, i.role, i.state, i.generation, i.version, i.ends)).collect()
    }
    pub(super) fn keys(&self) -> Vec<KeyState> {
        self.keys.iter().map(|k| k.revoked).collect()
    }
    pub(super) fn environments(&self) -> BTreeSet<u8> {
        self.environments.clone()
    }
    pub(super) const fn workspace(&self) -> WorkspaceState {
        (self.seats, self.name, self.version)
    }

    fn active(&self, account: usize) -> Option<Role> {
        self.members.get(&account).filter(|m| m.1).map(|m| m.0)
    }
    fn admins(&self) -> usize {
        self.members.values().filter(|m| m.1 && m.0 == Role::Admin).count()
    }
    fn waits(&self, i: &Invitation) -> bool {
        i.state == "pending" && self.hour < i.ends
    }
    fn used(&self) -> i64 {
        let members = self.members.values().filter(|m| m.1).count();
        let pending = self.invitations.iter().filter(|i| self.waits(i)).count();
        i64::try_from(members + pending).unwrap()
    }
    fn works(&self, k: &Key) -> bool {
        !k.revoked && k.ends.is_none_or(|end| self.hour < end)
    }
    fn invite(&mut self, address: usize, role: Role, by: usize) {
        let ends = self.hour + 168;
        self.invitations.push(Invitation { address, role, state: "pending", by, ends, generation: 1, version: 1 });
    }
    /// Everything here takes an admin or the platform; a key only what its scope covers.
    fn enter(&self, who: Who, scope: Option<u16>) -> Result<usize, Outcome> {
        match who {
            Who::Admin(nth) => Ok(self.nth_admin(nth)),
            Who::Account(PLATFORM) => Ok(PLATFORM),
            Who::Account(account) => match self.active(account) {
                None => Err(Outcome::NotIn),
                Some(Role::Admin) => Ok(account),
                Some(_) => Err(Outcome::Denied),
            },
            Who::Key(nth) => {
                let Some(key) = self.keys.iter().rev().nth(nth) else { return Err(Outcome::NobodyThere) };
                if !self.works(key) {
                    Err(Outcome::NotIn)
                } else if scope.is_some_and(|s| key.scopes & s != 0) {
                    Ok(usize::MAX)
                } else {
                    Err(Outcome::Denied)
                }
            }
        }
    }
    fn nth_admin(&self, nth: usize) -> usize {
        let admins: Vec<_> = self.members.iter().filter(|(_, m)| m.1 && m.0 == Role::Admin).collect();
        admins.iter().cycle().nth(nth).map_or(PLATFORM, |(account, _)| **account)
    }
    fn youngest(&self, nth: usize) -> Result<usize, Outcome> {
        self.invitations.len().checked_sub(nth + 1).ok_or(Outcome::NobodyThere)
    }

    pub(super) fn run(&mut self, command: &Command) -> Outcome {
        self.try_run(command).unwrap_or_else(|refused| refused)
    }

    fn try_run(&mut self, command: &Command) -> Answer {
        match *command {
            Command::Advance { hours } => Ok(self.advance(hours)),
            Command::UseKey { nth } => self.use_key(nth),
            Command::Invite { who, address, role, .. } => self.invite_somebody(who, address, role),
            Command::Resend { who, nth, seen } => self.resend(who, nth, seen),
            Command::RevokeInvitation { who, nth, seen } => self.revoke_invitation(who, nth, seen),
            Command::Accept { nth, by, token, proven } => self.accept(nth, by, token, proven),
            Command::ChangeRole { who, whom, role, seen } => self.change_role(who, whom, role, seen),
            Command::Remove { who, whom, with_keys, seen } => self.remove(who, whom, with_keys, seen),
            Command::Erase { who, whom, right } => self.erase(who, whom, right),
            Command::Seats { who, limit, seen } => self.set_seats(who, limit, seen),
            Command::Rename { who, name, seen } => self.rename(who, name, seen),
            Command::CreateKey { who, scopes, hours } => self.create_key(who, scopes, hours),
            Command::RevokeKey { who, nth, confirmed } => self.revoke_key(who, nth, confirmed),
            Command::Environments { who, names, production } => self.replace_environments(who, names, production),
        }
    }
}
