//! The rules themselves, one command each.
use super::{
    super::{ACCOUNTS, ADDRESSES},
    Answer, Invitation, Key, Model, Outcome, Proven, Seen, Token, WORKSPACE_WRITE, Who, Whom,
};
use settings_domain::policy::Role;
use std::collections::BTreeSet;

fn refuse(why: &'static str) -> Answer {
    Err(Outcome::Refused(why))
}
fn done(fact: &'static str) -> Outcome {
    Outcome::Done(vec![fact])
}
fn fresh(seen: Seen) -> Result<(), Outcome> {
    if seen == Seen::Older { Err(Outcome::Refused("stale")) } else { Ok(()) }
}

impl Model {
    pub(super) fn advance(&mut self, hours: i64) -> Outcome {
        self.hour += hours;
        Outcome::Nothing
    }

    pub(super) fn use_key(&mut self, nth: usize) -> Answer {
        let hour = self.hour;
        self.keys.iter_mut().rev().nth(nth).ok_or(Outcome::NobodyThere)?.used = Some(hour);
        Ok(Outcome::Nothing)
    }

    pub(super) fn invite_somebody(&mut self, who: Who, address: usize, role: Role) -> Answer {
        let by = self.enter(who, None)?;
        assert!(address < ADDRESSES);
        if self.active(address).is_some() {
            return refuse("already-member");
        }
        if self.invitations.iter().any(|i| i.address == address && self.waits(i)) {
            return refuse("already-invited");
        }
        if self.used() >= self.seats {
            return refuse("seat-limit-reached");
        }
        for old in self.invitations.iter_mut().filter(|i| i.address == address && i.state == "pending") {
            (old.state, old.version) = ("expired", old.version + 1);
        }
        self.invite(address, role, by);
        Ok(done("member.invited"))
    }

    pub(super) fn resend(&mut self, who: Who, nth: usize, seen: Seen) -> Answer {
        self.enter(who, None)?;
        let at = self.youngest(nth)?;
        let (full, hour) = (self.used() >= self.seats, self.hour);
        let Some(i) = self.invitations.get_mut(at) else { return Err(Outcome::NobodyThere) };
        if i.state != "pending" {
            return refuse("invitation-closed");
        }
        fresh(seen)?;
        if hour >= i.ends && full {
            return refuse("seat-limit-reached");
        }
        (i.generation, i.version, i.ends) = (i.generation + 1, i.version + 1, hour + 168);
        Ok(done("invitation.resent"))
    }

    pub(super) fn revoke_invitation(&mut self, who: Who, nth: usize, seen: Seen) -> Answer {
        self.enter(who, None)?;
        let at = self.youngest(nth)?;
        let Some(i) = self.invitations.get_mut(at) else { return Err(Outcome::NobodyThere) };
        if i.state != "pending" {
            return refuse("invitation-closed");
        }
        fresh(seen)?;
        (i.state, i.version) = ("revoked", i.version + 1);
        Ok(done("invitation.revoked"))
    }

    pub(super) fn accept(&mut self, nth: usize, by: Option<usize>, token: Token, proven: Proven) -> Answer {
        let at = self.youngest(nth)?;
        let hour = self.hour;
        let Some(i) = self.invitations.get_mut(at) else { return Err(Outcome::NobodyThere) };
        let account = by.unwrap_or(i.address);
        if account >= ACCOUNTS {
            return Err(Outcome::NobodyThere);
        }
        if i.state != "pending" || token != Token::Living {
            return refuse("not-found");
        }
        if proven == Proven::None {
            return refuse("email-not-verified");
        }
        if account != i.address {
            return refuse("invitation-email-mismatch");
        }
        if hour >= i.ends {
            return refuse("invitation-expired");
        }
        let before = self.members.get(&account);
        if before.is_some_and(|m| m.1) {
            return refuse("already-member");
        }
        (i.state, i.version) = ("accepted", i.version + 1);
        let version = before.map_or(1, |m| m.2 + 1);
        self.members.insert(account, (i.role, true, version));
        Ok(done("member.joined"))
    }

    pub(super) fn change_role(&mut self, who: Who, whom: Whom, role: Role, seen: Seen) -> Answer {
        self.enter(who, None)?;
        let (account, present, version) = self.target(whom, seen)?;
        if present == role {
            return Ok(Outcome::Nothing);
        }
        if present == Role::Admin && self.admins() == 1 {
            return refuse("last-admin");
        }
        self.members.insert(account, (role, true, version + 1));
        let taken = self.take_back(account, |offered| offered > role);
        Ok(Outcome::Done([vec!["member.updated"], vec!["invitation.revoked"; taken]].concat()))
    }

    pub(super) fn remove(&mut self, who: Who, whom: Whom, with_keys: bool, seen: Seen) -> Answer {
        self.enter(who, None)?;
        let (account, present, version) = self.target(whom, seen)?;
        if present == Role::Admin && self.admins() == 1 {
            return refuse("last-admin");
        }
        self.members.insert(account, (present, false, version + 1));
        let theirs: Vec<_> = (0..self.keys.len())
            .filter(|k| self.keys.get(*k).is_some_and(|k| k.by == account && self.works(k)))
            .collect();
        let mut facts = vec!["member.removed"];
        for k in theirs.into_iter().filter(|_| with_keys) {
            self.keys.get_mut(k).unwrap().revoked = true;
            facts.push("api_key.revoked");
        }
        let taken = self.take_back(account, |_| true);
        facts.extend(vec!["invitation.revoked"; taken]);
        Ok(Outcome::Done(facts))
    }

    pub(super) fn erase(&mut self, who: Who, whom: Whom, right: bool) -> Answer {
        const NOBODY: usize = usize::MAX - 1;
        self.enter(who, None)?;
        let account = self.meant(whom);
        let Some((role, active, _)) = self.members.get(&account).copied() else { return refuse("not-found") };
        if !right {
            return refuse("validation-failed");
        }
        if active && role == Role::Admin && self.admins() == 1 {
            return refuse("last-admin");
        }
        self.members.remove(&account);
        self.invitations.retain(|i| i.address != account);
        let taken = self.take_back(account, |_| true);
        self.invitations.iter_mut().filter(|i| i.by == account).for_each(|i| i.by = NOBODY);
        self.keys.iter_mut().filter(|k| k.by == account).for_each(|k| k.by = NOBODY);
        Ok(Outcome::Done([vec!["invitation.revoked"; taken], vec!["member.erased"]].concat()))
    }

    pub(super) fn set_seats(&mut self, who: Who, limit: i64, seen: Seen) -> Answer {
        self.enter(who, WORKSPACE_WRITE)?;
        fresh(seen)?;
        if limit == self.seats {
            return Ok(Outcome::Nothing);
        }
        if limit < self.used() {
            return refuse("seat-limit-below-usage");
        }
        (self.seats, self.version) = (limit, self.version + 1);
        Ok(done("workspace.updated"))
    }

    pub(super) fn rename(&mut self, who: Who, name: u8, seen: Seen) -> Answer {
        self.enter(who, WORKSPACE_WRITE)?;
        fresh(seen)?;
        if name == self.name {
            return Ok(Outcome::Nothing);
        }
        (self.name, self.version) = (name, self.version + 1);
        Ok(done("workspace.updated"))
    }

    pub(super) fn create_key(&mut self, who: Who, scopes: u16, hours: Option<i64>) -> Answer {
        let by = self.enter(who, None)?;
        if scopes == 0 || hours.is_some_and(|h| h <= 0) {
            return refuse("validation-failed");
        }
        let ends = hours.map(|h| self.hour + h);
        self.keys.push(Key { by, ends, revoked: false, used: None, scopes });
        Ok(done("api_key.created"))
    }

    pub(super) fn revoke_key(&mut self, who: Who, nth: usize, confirmed: bool) -> Answer {
        self.enter(who, None)?;
        let hour = self.hour;
        let at = self.keys.len().checked_sub(nth + 1).ok_or(Outcome::NobodyThere)?;
        let works = self.keys.get(at).is_some_and(|k| self.works(k));
        let Some(key) = self.keys.get_mut(at) else { return Err(Outcome::NobodyThere) };
        if key.revoked {
            return Ok(Outcome::Nothing);
        }
        if works && key.used.is_some_and(|u| hour - u < 24) && !confirmed {
            return refuse("unconfirmed");
        }
        key.revoked = true;
        Ok(done("api_key.revoked"))
    }

    pub(super) fn replace_environments(&mut self, who: Who, names: u8, production: bool) -> Answer {
        self.enter(who, WORKSPACE_WRITE)?;
        if !production {
            return refuse("production-protected");
        }
        let wanted: BTreeSet<u8> = (0..3).filter(|n| names >> n & 1 == 1).collect();
        let changes = wanted.symmetric_difference(&self.environments).count();
        self.environments = wanted;
        if changes == 0 {
            return Ok(Outcome::Nothing);
        }
        Ok(Outcome::Done(vec!["workspace.environment_updated"; changes]))
    }

    fn meant(&self, whom: Whom) -> usize {
        match whom {
            Whom::Account(n) => n,
            Whom::Member(nth) => self.members.keys().cycle().nth(nth).copied().unwrap_or_default(),
        }
    }
    fn target(&self, whom: Whom, seen: Seen) -> Result<(usize, Role, i64), Outcome> {
        let account = self.meant(whom);
        match self.members.get(&account) {
            Some((role, true, version)) if seen != Seen::Older => Ok((account, *role, *version)),
            Some((_, true, _)) => Err(Outcome::Refused("stale")),
            _ => Err(Outcome::Refused("not-found")),
        }
    }
    fn take_back(&mut self, by: usize, above: impl Fn(Role) -> bool) -> usize {
        let hour = self.hour;
        let theirs = |i: &&mut Invitation| i.by == by && i.state == "pending" && hour < i.ends && above(i.role);
        let taken: Vec<_> = self.invitations.iter_mut().filter(theirs).collect();
        let count = taken.len();
        for i in taken {
            (i.state, i.version) = ("revoked", i.version + 1);
        }
        count
    }
}
