//! Workspaces mirrored into a directory elsewhere (Auth0 Organizations): our store is the truth, the mirror follows.
//!
//! Pure: two rosters in, a plan out. A plan can be shown before it is carried out, an empty one says that nothing drifted,
//! and one that was interrupted is made good by the next.
use crate::{
    change::Write,
    members::MemberWrite,
    policy::Role,
    text::{Email, EmailKey},
};
use std::collections::{BTreeMap, BTreeSet};

/// What a workspace is here, as far as it is mirrored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Roster {
    /// The workspace's name.
    pub name: String,
    /// Members by the directory's own id for them (the `sub` of its tokens). Who never signed in by it is not in it.
    pub members: BTreeMap<String, Role>,
    /// Pending invitations: one per address, always.
    pub invitations: BTreeMap<EmailKey, Invited>,
}

/// An invitation to be mirrored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invited {
    /// The address as typed.
    pub email: Email,
    /// The role offered.
    pub role: Role,
}

/// What the mirror holds of a workspace. Only what is ours there: what belongs to others (further roles, invitations of
/// other applications) has no place in these types, so no plan can name it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mirrored {
    /// The name shown there.
    pub name: String,
    /// Members, each with those of our roles that they have there; more than one, or none, is drift.
    pub members: BTreeMap<String, BTreeSet<Role>>,
    /// Invitations of ours by their ids there; several for one address are drift.
    pub invitations: BTreeMap<String, MirroredInvitation>,
}

/// An invitation of ours in the mirror.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MirroredInvitation {
    /// The address, to compare by.
    pub email: EmailKey,
    /// Those of our roles that it offers.
    pub roles: BTreeSet<Role>,
}

/// One change to the mirror. Each may be carried out twice, and each leaves the mirror closer to the store than before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Take a person out.
    RemoveMember(String),
    /// Take a role from a member.
    TakeRole(String, Role),
    /// Take an invitation back, by its id there.
    Withdraw(String),
    /// Remove the whole thing: the workspace is gone.
    DeleteOrganization,
    /// Make it, under this name.
    CreateOrganization(String),
    /// Change the name shown.
    Rename(String),
    /// Let a person in.
    AddMember(String),
    /// Give a member a role.
    GiveRole(String, Role),
    /// Invite somebody.
    Invite(Invited),
}

impl Step {
    /// Whether it takes something away from somebody.
    #[must_use]
    pub const fn takes_away(&self) -> bool {
        matches!(self, Self::RemoveMember(_) | Self::TakeRole(..) | Self::Withdraw(_) | Self::DeleteOrganization)
    }
    /// What it does, in a word. Without names and addresses: it may stand in a log.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::RemoveMember(_) => "remove member",
            Self::TakeRole(..) => "take role",
            Self::Withdraw(_) => "withdraw invitation",
            Self::DeleteOrganization => "delete organization",
            Self::CreateOrganization(_) => "create organization",
            Self::Rename(_) => "rename",
            Self::AddMember(_) => "add member",
            Self::GiveRole(..) => "give role",
            Self::Invite(_) => "invite",
        }
    }
}

/// Whether a mirror has to follow a write: names, members, roles and invitations are mirrored, and nothing else is. Who
/// somebody is here (a person) is no membership yet.
#[must_use]
pub const fn follows(write: &Write) -> bool {
    matches!(
        write,
        Write::Workspace(_)
            | Write::Invitation(_)
            | Write::Erasure(_)
            | Write::Member(MemberWrite::Join(_) | MemberWrite::Update(_))
    )
}

/// What to do so that the mirror equals the store. `None` stands for a workspace that is not there (any more), or not yet.
///
/// What takes rights away comes first: a plan that stops half-way leaves nobody with more than they have here for longer than
/// it must.
#[must_use]
pub fn plan(ours: Option<&Roster>, theirs: Option<&Mirrored>) -> Vec<Step> {
    let Some(ours) = ours else {
        return theirs.map(|_| Step::DeleteOrganization).into_iter().collect();
    };
    let nothing = Mirrored { name: ours.name.clone(), ..Mirrored::default() };
    let there = theirs.unwrap_or(&nothing);
    let (mut less, mut more) = (Vec::new(), Vec::new());
    if theirs.is_none() {
        more.push(Step::CreateOrganization(ours.name.clone()));
    } else if there.name != ours.name {
        more.push(Step::Rename(ours.name.clone()));
    }
    members(ours, there, &mut less, &mut more);
    invitations(ours, there, &mut less, &mut more);
    less.append(&mut more);
    less
}

fn members(ours: &Roster, there: &Mirrored, less: &mut Vec<Step>, more: &mut Vec<Step>) {
    let gone = there.members.keys().filter(|id| !ours.members.contains_key(*id));
    less.extend(gone.map(|id| Step::RemoveMember(id.clone())));
    for (id, role) in &ours.members {
        let held = there.members.get(id);
        if held.is_none() {
            more.push(Step::AddMember(id.clone()));
        }
        let held = held.into_iter().flatten();
        less.extend(held.clone().filter(|r| *r != role).map(|r| Step::TakeRole(id.clone(), *r)));
        if !held.clone().any(|r| r == role) {
            more.push(Step::GiveRole(id.clone(), *role));
        }
    }
}

fn invitations(ours: &Roster, there: &Mirrored, less: &mut Vec<Step>, more: &mut Vec<Step>) {
    let mut kept = BTreeSet::new();
    for (id, invitation) in &there.invitations {
        let fits = ours.invitations.get(&invitation.email).is_some_and(|ours| {
            let mut roles = invitation.roles.iter();
            roles.next() == Some(&ours.role) && roles.next().is_none()
        });
        // Of several that fit, one is enough.
        if !fits || !kept.insert(&invitation.email) {
            less.push(Step::Withdraw(id.clone()));
        }
    }
    let missing = ours.invitations.iter().filter(|(email, _)| !kept.contains(email));
    more.extend(missing.map(|(_, invited)| Step::Invite(invited.clone())));
}
