//! The decisions themselves, one command each.
use super::{
    super::{
        ACCOUNTS, ADDRESSES,
        command::{Proven, Seen, Token, Who, Whom},
        model::Outcome,
    },
    Answer, World, account, address, capitals, name, number, rows, token,
};
use crate::support::{facts, is_nothing, uuid};
use settings_domain::{
    api_keys::{ApiKey, NewApiKey},
    change::Change,
    environments::{Environment, EnvironmentRights, PRODUCTION, Tier, Wanted},
    erasure::{Found, Survey, Traces, erase},
    error::{Classified, Refused},
    ids::{ApiKeyId, DeliveryId, EnvironmentId, InvitationId, UserId},
    impact::Guard,
    invitations::{AcceptError, Invitation, Invitee},
    members::Person,
    policy::{Actor, Role, ScopeSet, actions, permit},
    tokens::{Digest, Seal},
    workspaces::WorkspacePatch,
};
use time::Duration;

fn guard(seen: Seen, version: i64) -> Guard {
    match seen {
        Seen::Unsaid => Guard::default(),
        Seen::Present => Guard { version: Some(version), confirm: None },
        Seen::Older => Guard { version: Some(version - 1), confirm: None },
    }
}

/// The account that an event names aside; the platform's people are no persons of a workspace.
fn person_behind(actor: &Actor) -> Option<UserId> {
    actor.person().and(actor.user())
}

impl World {
    pub(super) fn advance(&mut self, hours: i64) -> Outcome {
        self.now += Duration::hours(hours);
        Outcome::Nothing
    }

    pub(super) fn use_key(&mut self, nth: usize) -> Answer {
        let key = self.keys.iter().rev().nth(nth).ok_or(Outcome::NobodyThere)?.id;
        self.used.insert(key, self.now);
        Ok(Outcome::Nothing)
    }

    pub(super) fn invite(&mut self, who: Who, to: usize, shout: bool, role: Role) -> Answer {
        let permit = self.permit::<actions::InviteMember>(who)?;
        let email = if shout { capitals(&address(to)) } else { address(to) };
        let known = self.acquaintance(&email);
        let new = self.new_invitation(email, role);
        let change = Invitation::invite(&permit, new, &known, &self.headcount(), self.row().seat_limit);
        self.finish(person_behind(permit.actor()), change.map_err(Refused::Rule))
    }

    pub(super) fn resend(&mut self, who: Who, nth: usize, seen: Seen) -> Answer {
        let permit = self.permit::<actions::ResendInvitation>(who)?;
        let there = self.youngest(nth)?;
        let (fresh, delivery) = (token(there.id, there.generation + 1), DeliveryId::from_uuid(self.fresh()));
        let guard = guard(seen, there.version);
        let limit = self.row().seat_limit;
        let change = there.resend(&permit, fresh, delivery, &self.headcount(), limit, &guard);
        self.finish(person_behind(permit.actor()), change)
    }

    pub(super) fn revoke_invitation(&mut self, who: Who, nth: usize, seen: Seen) -> Answer {
        let permit = self.permit::<actions::RevokeInvitation>(who)?;
        let there = self.youngest(nth)?;
        let change = there.revoke(&permit, &guard(seen, there.version));
        self.finish(person_behind(permit.actor()), change)
    }

    pub(super) fn accept(&mut self, nth: usize, by: Option<usize>, brings: Token, proven: Proven) -> Answer {
        let there = self.youngest(nth)?;
        let address_of = (0..ADDRESSES).find(|n| address(*n) == there.email).unwrap();
        let who = by.unwrap_or(address_of);
        if who >= ACCOUNTS {
            return Err(Outcome::NobodyThere);
        }
        let brought = match brings {
            Token::Living => there.token,
            Token::Superseded => token(there.id, there.generation - 1),
            Token::Foreign => token(InvitationId::from_uuid(uuid(1)), there.generation),
        };
        let verified_email = match proven {
            Proven::Own => Some(address(who)),
            Proven::OwnInCapitals => Some(capitals(&address(who))),
            Proven::None => None,
        };
        let holder = Actor::invitee(&there, account(who));
        let permit = permit::<actions::AcceptInvitation>(&holder, self.now).map_err(|_| Outcome::Denied)?;
        let member = self.members.get(&account(who)).cloned();
        let by = Invitee { user: account(who), verified_email, member };
        let change: Result<_, AcceptError> = there.accept(&permit, &brought, &by);
        self.finish(Some(account(who)), change.map_err(Refused::Rule))
    }

    pub(super) fn change_role(&mut self, who: Who, whom: Whom, role: Role, seen: Seen) -> Answer {
        let permit = self.permit::<actions::ChangeRole>(who)?;
        let there = self.target(whom)?;
        let sent = self.sent_by(there.user);
        let change = there.change_role(&permit, role, &self.headcount(), &sent, &guard(seen, there.version));
        self.finish(person_behind(permit.actor()), change)
    }

    pub(super) fn remove(&mut self, who: Who, whom: Whom, with_keys: bool, seen: Seen) -> Answer {
        let permit = self.permit::<actions::RemoveMember>(who)?;
        let there = self.target(whom)?;
        let works = |k: &&ApiKey| k.created_by == Some(there.user) && k.status(self.now).name() == "active";
        let keys: Vec<_> = self.keys.iter().filter(works).filter(|_| with_keys).cloned().collect();
        let (sent, guard) = (self.sent_by(there.user), guard(seen, there.version));
        let change = there.remove(&permit, &self.headcount(), &sent, &keys, &guard);
        self.finish(person_behind(permit.actor()), change)
    }

    pub(super) fn erase(&mut self, who: Who, whom: Whom, right: bool) -> Answer {
        let permit = self.permit::<actions::EraseMember>(who)?;
        let there = self.target(whom)?;
        let email = address(number(there.user));
        let theirs =
            |p: &&Person| p.user == Some(there.user) || p.id == there.person || p.email.as_ref() == Some(&email);
        let traces = Traces {
            user: there.user,
            email: Some(email.clone()),
            persons: self.persons.values().filter(theirs).map(|p| p.id).collect(),
            addresses: [email.key().clone()].into(),
            texts: [email.as_str().to_owned()].into(),
            accounts: [].into(),
            members: vec![there.clone()],
        };
        let (heads, sent) = (self.headcount(), self.sent_by(there.user));
        let keys = self.keys.iter().filter(|k| k.created_by == Some(there.user)).cloned().collect();
        let found = Found {
            traces,
            heads,
            sent,
            keys,
            digest: None,
            notifications: None,
            survey: Survey::default(),
            admins: vec![],
            named_in: vec![],
        };
        let confirm = if right { capitals(&email) } else { address(7) };
        let change = erase(&permit, &found, Digest::new([9; 32]), confirm.as_str());
        self.finish(person_behind(permit.actor()), change.map_err(Refused::Rule))
    }

    pub(super) fn set_seats(&mut self, who: Who, limit: i64, seen: Seen) -> Answer {
        let patch = WorkspacePatch { seat_limit: Some(limit), ..WorkspacePatch::default() };
        self.update(who, patch, &guard(seen, self.row().version))
    }

    pub(super) fn rename(&mut self, who: Who, n: u8, seen: Seen) -> Answer {
        let patch = WorkspacePatch { name: Some(name(n).parse().unwrap()), ..WorkspacePatch::default() };
        self.update(who, patch, &guard(seen, self.row().version))
    }

    pub(super) fn create_key(&mut self, who: Who, scopes: u16, hours: Option<i64>) -> Answer {
        let permit = self.permit::<actions::CreateApiKey>(who)?;
        let new = NewApiKey {
            id: ApiKeyId::from_uuid(self.fresh()),
            prefix: "sk_".to_owned(),
            last4: "wxyz".to_owned(),
            digest: Digest::new([5; 32]),
            name: "Numbat laptop".parse().unwrap(),
            scopes: ScopeSet::from_bits(scopes),
            expires_at: hours.map(|h| self.now + Duration::hours(h)),
        };
        let change = ApiKey::create(&permit, 0, new, |_, _| Seal::new([6; 32]));
        self.finish(person_behind(permit.actor()), change.map_err(Refused::Rule))
    }

    pub(super) fn revoke_key(&mut self, who: Who, nth: usize, confirmed: bool) -> Answer {
        let permit = self.permit::<actions::RevokeApiKey>(who)?;
        let there = self.keys.iter().rev().nth(nth).cloned().ok_or(Outcome::NobodyThere)?;
        let used = self.used.get(&there.id).copied();
        let mut change = there.revoke(&permit, used, &Guard::default());
        if confirmed && let Err(Refused::Unconfirmed(impact)) = &change {
            let guard = Guard { version: Some(1), confirm: Some(impact.digest().to_owned()) };
            change = there.revoke(&permit, used, &guard);
        }
        self.finish(person_behind(permit.actor()), change)
    }

    pub(super) fn replace_environments(&mut self, who: Who, names: u8, production: bool) -> Answer {
        let update = self.permit::<actions::UpdateEnvironment>(who)?;
        let rights = EnvironmentRights { update, create: self.permit(who).ok(), delete: self.permit(who).ok() };
        let others = (0..3_u8).filter(|n| names >> n & 1 == 1).map(|n| (format!("quokka-{n}"), Tier::Staging));
        let first = production.then(|| (PRODUCTION.to_owned(), Tier::Production));
        let wanted = first.into_iter().chain(others).map(|(name, tier)| Wanted {
            id: None,
            fresh: EnvironmentId::from_uuid(self.fresh()),
            name: name.parse().unwrap(),
            tier,
            version: None,
        });
        let wanted = wanted.collect();
        let change = Environment::replace(&rights, &self.environments, wanted, |_| Vec::new(), &Guard::default());
        self.finish(person_behind(rights.update.actor()), change)
    }

    fn update(&mut self, who: Who, patch: WorkspacePatch, guard: &Guard) -> Answer {
        let permit = self.permit::<actions::UpdateWorkspace>(who)?;
        let change = self.row().update(&permit, patch, &self.headcount(), 30, guard);
        self.finish(person_behind(permit.actor()), change)
    }
    fn sent_by(&self, user: UserId) -> Vec<Invitation> {
        self.waiting().filter(|i| i.invited_by == Some(user)).cloned().collect()
    }

    /// Checks what was decided, writes it down, and says what came of it. `by` is the account, where a person did it.
    pub(super) fn finish<T, E: Classified>(
        &mut self,
        by: Option<UserId>,
        result: Result<Change<T>, Refused<E>>,
    ) -> Answer {
        match result {
            Err(Refused::Stale) => Err(Outcome::Refused("stale")),
            Err(Refused::Unconfirmed(impact)) => {
                assert!(!impact.affected().is_empty());
                Err(Outcome::Refused("unconfirmed"))
            }
            Err(Refused::Rule(e)) => Err(Outcome::Refused(e.code())),
            Ok(change) if is_nothing(&change) => Ok(Outcome::Nothing),
            Ok(change) => {
                rows::check(self.now, by, &change);
                for write in change.set().writes() {
                    self.apply(write);
                }
                Ok(Outcome::Done(facts(&change)))
            }
        }
    }
}
