//! What can be asked of a workspace.
use super::{ACCOUNTS, ADDRESSES};
use proptest::{collection::vec, option, prelude::*, sample::select};
use settings_domain::policy::Role;

/// Who asks.
#[derive(Debug, Clone, Copy)]
pub(super) enum Who {
    Account(usize),
    /// An admin, the n-th in a circle; the platform while there is none.
    Admin(usize),
    /// The n-th youngest key.
    Key(usize),
}

/// Whom it is about.
#[derive(Debug, Clone, Copy)]
pub(super) enum Whom {
    Account(usize),
    /// A member, present or former, the n-th in a circle.
    Member(usize),
}

/// Which version the caller says to have seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Seen {
    Unsaid,
    Present,
    Older,
}

/// Which token an invitee brings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Token {
    Living,
    Superseded,
    Foreign,
}

/// Which address an invitee can prove.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Proven {
    Own,
    OwnInCapitals,
    None,
}

/// A command. Things are named by age, the youngest first, so that most commands meet something that is still open.
#[derive(Debug, Clone)]
pub(super) enum Command {
    Invite {
        who: Who,
        address: usize,
        capitals: bool,
        role: Role,
    },
    Resend {
        who: Who,
        nth: usize,
        seen: Seen,
    },
    RevokeInvitation {
        who: Who,
        nth: usize,
        seen: Seen,
    },
    /// By the account with the invited address unless `by` names another.
    Accept {
        nth: usize,
        by: Option<usize>,
        token: Token,
        proven: Proven,
    },
    ChangeRole {
        who: Who,
        whom: Whom,
        role: Role,
        seen: Seen,
    },
    Remove {
        who: Who,
        whom: Whom,
        with_keys: bool,
        seen: Seen,
    },
    /// Confirmed by the right address, or by another.
    Erase {
        who: Who,
        whom: Whom,
        right: bool,
    },
    Seats {
        who: Who,
        limit: i64,
        seen: Seen,
    },
    Rename {
        who: Who,
        name: u8,
        seen: Seen,
    },
    Advance {
        hours: i64,
    },
    CreateKey {
        who: Who,
        scopes: u16,
        hours: Option<i64>,
    },
    RevokeKey {
        who: Who,
        nth: usize,
        confirmed: bool,
    },
    UseKey {
        nth: usize,
    },
    /// The names to be there, `production` aside.
    Environments {
        who: Who,
        names: u8,
        production: bool,
    },
}

impl Command {
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::Invite { .. } => "invite",
            Self::Resend { .. } => "resend",
            Self::RevokeInvitation { .. } => "revoke invitation",
            Self::Accept { .. } => "accept",
            Self::ChangeRole { .. } => "change role",
            Self::Remove { .. } => "remove",
            Self::Erase { .. } => "erase",
            Self::Seats { .. } => "seats",
            Self::Rename { .. } => "rename",
            Self::Advance { .. } => "advance",
            Self::CreateKey { .. } => "create key",
            Self::RevokeKey { .. } => "revoke key",
            Self::UseKey { .. } => "use key",
            Self::Environments { .. } => "environments",
        }
    }
}

fn who() -> impl Strategy<Value = Who> {
    prop_oneof![9 => (0..ACCOUNTS).prop_map(Who::Admin), 4 => (0..ACCOUNTS).prop_map(Who::Account), 1 => (0_usize..2).prop_map(Who::Key)]
}
fn whom() -> impl Strategy<Value = Whom> {
    prop_oneof![4 => (0..ACCOUNTS).prop_map(Whom::Member), 1 => (0..ACCOUNTS).prop_map(Whom::Account)]
}
fn role() -> impl Strategy<Value = Role> {
    select(Role::ALL.to_vec())
}
fn seen() -> impl Strategy<Value = Seen> {
    prop_oneof![4 => Just(Seen::Unsaid), 4 => Just(Seen::Present), 1 => Just(Seen::Older)]
}
fn nth() -> impl Strategy<Value = usize> {
    prop_oneof![4 => Just(0_usize), 3 => Just(1), 2 => Just(2), 1 => 3_usize..6]
}

/// Up to ninety commands.
pub(super) fn commands() -> impl Strategy<Value = Vec<Command>> {
    let token = prop_oneof![10 => Just(Token::Living), 1 => Just(Token::Superseded), 1 => Just(Token::Foreign)];
    let proven = prop_oneof![6 => Just(Proven::Own), 6 => Just(Proven::OwnInCapitals), 1 => Just(Proven::None)];
    let scopes = prop_oneof![1 => Just(0_u16), 3 => any::<u16>(), 3 => Just(1 << 14)];
    let one = prop_oneof![
        6 => (who(), 0..ADDRESSES, any::<bool>(), role())
            .prop_map(|(who, address, capitals, role)| Command::Invite { who, address, capitals, role }),
        3 => (who(), nth(), seen()).prop_map(|(who, nth, seen)| Command::Resend { who, nth, seen }),
        1 => (who(), nth(), seen()).prop_map(|(who, nth, seen)| Command::RevokeInvitation { who, nth, seen }),
        6 => (nth(), option::weighted(0.2, 0..ACCOUNTS), token, proven)
            .prop_map(|(nth, by, token, proven)| Command::Accept { nth, by, token, proven }),
        4 => (who(), whom(), role(), seen())
            .prop_map(|(who, whom, role, seen)| Command::ChangeRole { who, whom, role, seen }),
        2 => (who(), whom(), any::<bool>(), seen())
            .prop_map(|(who, whom, with_keys, seen)| Command::Remove { who, whom, with_keys, seen }),
        2 => (who(), whom(), prop_oneof![4 => Just(true), 1 => Just(false)])
            .prop_map(|(who, whom, right)| Command::Erase { who, whom, right }),
        2 => (who(), 0_i64..8, seen()).prop_map(|(who, limit, seen)| Command::Seats { who, limit, seen }),
        1 => (who(), 0_u8..3, seen()).prop_map(|(who, name, seen)| Command::Rename { who, name, seen }),
        3 => prop_oneof![1_i64..30, Just(167), Just(168)].prop_map(|hours| Command::Advance { hours }),
        3 => (who(), scopes, option::of(-2_i64..60))
            .prop_map(|(who, scopes, hours)| Command::CreateKey { who, scopes, hours }),
        2 => (who(), nth(), any::<bool>()).prop_map(|(who, nth, confirmed)| Command::RevokeKey { who, nth, confirmed }),
        2 => nth().prop_map(|nth| Command::UseKey { nth }),
        2 => (who(), 0_u8..8, prop_oneof![7 => Just(true), 1 => Just(false)])
            .prop_map(|(who, names, production)| Command::Environments { who, names, production }),
    ];
    vec(one, 1..90)
}
