//! The service's own policy: its tables, by way of the very functions that a request goes through.
use crate::{
    compare::{Evaluator, Trouble},
    request::{Expiry, Membership, Question, Situation},
};
use settings_domain::{
    api_keys::{ApiKey, ApiKeyRecord},
    events::Event,
    ids::{ApiKeyId, InvitationId, PersonId, UserId, WorkspaceId},
    invitations::{EmailStatus, Invitation, InvitationState},
    members::Member,
    policy::{Actor, Permission, Requirement, Role, ScopeSet},
    ports::store::Standing,
    text::{DisplayName, Email},
    tokens::{Digest, Seal},
    transaction::{self, Caller, EntryError},
};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

/// The tables of `settings-domain`.
#[derive(Debug, Clone, Copy)]
pub struct Table;

/// When everything is asked. Any instant will do: what counts is what lies before it and after it.
const AT: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;
const MICROSECOND: Duration = Duration::microseconds(1);

const fn id(n: u128) -> Uuid {
    Uuid::from_u128(n)
}
fn workspace(foreign: bool) -> WorkspaceId {
    WorkspaceId::from_uuid(id(if foreign { 2 } else { 1 }))
}
fn user() -> UserId {
    UserId::from_uuid(id(3))
}
fn person() -> PersonId {
    PersonId::from_uuid(id(4))
}

fn member(membership: Membership, foreign: bool) -> Option<Member> {
    let (role, removed_at) = match membership {
        Membership::None => return None,
        Membership::Former(role) => (role, Some(AT - MICROSECOND)),
        Membership::Active(role) => (role, None),
    };
    let (workspace, user, person) = (workspace(foreign), user(), person());
    Some(Member { workspace, user, person, role, joined_at: AT - Duration::days(1), removed_at, version: 1 })
}

fn key(scopes: ScopeSet, foreign: bool, revoked: bool, expiry: Expiry) -> Result<ApiKey, Trouble> {
    Ok(ApiKey {
        workspace: workspace(foreign),
        id: ApiKeyId::from_uuid(id(5)),
        name: "deploy".parse::<DisplayName>().map_err(|e| trouble(&e))?,
        prefix: "sk_".to_owned(),
        last4: "abcd".to_owned(),
        scopes,
        created_by: None,
        created_at: AT - Duration::days(1),
        expires_at: match expiry {
            Expiry::Never => None,
            Expiry::Ahead => Some(AT + MICROSECOND),
            Expiry::Now => Some(AT),
            Expiry::Behind => Some(AT - MICROSECOND),
        },
        revoked_at: revoked.then_some(AT - MICROSECOND),
    })
}

fn invitation(foreign: bool) -> Result<Invitation, Trouble> {
    Ok(Invitation {
        workspace: workspace(foreign),
        id: InvitationId::from_uuid(id(6)),
        person: person(),
        email: "ada@example.org".parse::<Email>().map_err(|e| trouble(&e))?,
        role: Role::Admin,
        state: InvitationState::Pending,
        invited_by: None,
        created_at: AT,
        expires_at: AT + Duration::days(7),
        generation: 1,
        email_status: EmailStatus::Sent,
        version: 1,
        token: Digest::none(),
    })
}

fn trouble(cause: &dyn std::fmt::Display) -> Trouble {
    Trouble { evaluator: Table.name(), cause: cause.to_string() }
}

impl Table {
    /// Who asks, as the service would have it; `None` where it lets nobody into the workspace that is asked about.
    pub fn actor(situation: &Situation) -> Result<Option<Actor>, Trouble> {
        // An actor acts in its own workspace, so what it has there is nothing here.
        let here = |actor: Actor| Ok(Some(actor).filter(|a| a.workspace() == workspace(false)));
        let standing =
            |deleted: bool| Standing { workspace: workspace(false), at: AT, exists: !deleted, member: None, key: None };
        let (caller, standing) = match *situation {
            Situation::Account { platform, here: membership, elsewhere, deleted } => {
                // Where there is no row of this workspace, the other one's is offered: it must lend nobody its rights.
                let member = member(membership, false).or_else(|| member(elsewhere, true));
                (Caller::User { id: user(), verified_email: None, platform }, Standing { member, ..standing(deleted) })
            }
            Situation::Key { scopes, foreign, revoked, expiry, deleted } => {
                let key = key(scopes, foreign, revoked, expiry)?;
                let caller = Caller::Key((&key).into());
                let record = ApiKeyRecord { key, digest: Digest::none(), seal: Seal::new([0; 32]) };
                (caller, Standing { key: Some(record), ..standing(deleted) })
            }
            Situation::Invitee { foreign } => return here(Actor::invitee(&invitation(foreign)?, user())),
            Situation::Service { task, foreign } => return here(Actor::task(task, workspace(foreign))),
        };
        match transaction::actor(&caller, &standing) {
            Ok(actor) => here(actor),
            Err(EntryError::KeyInvalid | EntryError::NotFound) => Ok(None),
            Err(other) => Err(trouble(&other)),
        }
    }
}

fn may(actor: &Actor, question: Question) -> bool {
    match question {
        Question::Permission(permission) => Requirement::Permission(permission).is_met_by(actor),
        Question::Publish(kind) => {
            Requirement::Permission(Permission::EventsPublish).is_met_by(actor)
                && Event::may_be_published_by(actor, kind)
        }
        Question::Action(action) => action.requires.is_met_by(actor),
    }
}

impl Evaluator for Table {
    fn name(&self) -> &'static str {
        "the table"
    }
    fn answer(&self, situation: &Situation, questions: &[Question]) -> Result<Vec<bool>, Trouble> {
        let actor = Self::actor(situation)?;
        Ok(questions.iter().map(|q| actor.is_some_and(|actor| may(&actor, *q))).collect())
    }
}
