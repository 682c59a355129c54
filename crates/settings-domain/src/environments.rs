//! Environments (seed A and B): production is always there, exactly once, and protected.
use crate::{
    audit::{Details, PublicValue, Target},
    change::{Change, Write},
    error::{Refused, refusals},
    ids::{EnvironmentId, PersonId, WorkspaceId},
    impact::{Affected, Guard, Impact},
    policy::{Mutation, Permit, actions},
    text::EnvironmentName,
};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    str::FromStr,
};
use time::OffsetDateTime;

/// Most environments a workspace may have.
pub const MAX_ENVIRONMENTS: usize = 50;
/// The name that the production environment has, always.
pub const PRODUCTION: &str = "production";

/// What an environment is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tier {
    /// The one that counts.
    Production,
    /// As production, without consequences.
    Staging,
    /// For building.
    Development,
}

impl Tier {
    /// All tiers.
    pub const ALL: [Self; 3] = [Self::Production, Self::Staging, Self::Development];
    /// Name on the wire and in the database.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Production => "production",
            Self::Staging => "staging",
            Self::Development => "development",
        }
    }
}

/// The text names no tier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be one of production, staging, development")]
pub struct ParseTierError;

impl FromStr for Tier {
    type Err = ParseTierError;
    fn from_str(s: &str) -> Result<Self, ParseTierError> {
        Self::ALL.into_iter().find(|t| t.name() == s).ok_or(ParseTierError)
    }
}

/// An environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Environment {
    /// Its workspace.
    pub workspace: WorkspaceId,
    /// Its id.
    pub id: EnvironmentId,
    /// Unique in the workspace.
    pub name: EnvironmentName,
    /// What it is for.
    pub tier: Tier,
    /// When it was made.
    #[serde(with = "crate::micros")]
    pub created_at: OffsetDateTime,
    /// When it last changed.
    #[serde(with = "crate::micros")]
    pub updated_at: OffsetDateTime,
    /// Counts its changes, from 1.
    pub version: i64,
}

/// An environment as shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnvironmentView {
    /// The environment.
    pub environment: Environment,
    /// How many variables it holds.
    pub variables: i64,
}

impl EnvironmentView {
    /// With its count out of those of the workspace.
    #[must_use]
    pub fn new(environment: Environment, counts: &BTreeMap<EnvironmentId, i64>) -> Self {
        let variables = counts.get(&environment.id).copied().unwrap_or_default();
        Self { environment, variables }
    }
}

/// What an adapter writes.
#[derive(Debug, Clone)]
pub enum EnvironmentWrite {
    /// A new row.
    Insert(Environment),
    /// The row as it shall be.
    Update(Environment),
    /// Drops the row.
    Delete(EnvironmentId),
}

/// An environment as somebody wants it.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Which one; by name where absent.
    pub id: Option<EnvironmentId>,
    /// Id to use should it be new.
    pub fresh: EnvironmentId,
    /// Its name.
    pub name: EnvironmentName,
    /// Its tier.
    pub tier: Tier,
    /// The version that was seen.
    pub version: Option<i64>,
}

refusals! {
    /// Why environments were not changed.
    EnvironmentError {
        ProductionProtected: Conflict "production-protected", "Every workspace has exactly one production environment, called production. It can't be dropped, renamed, re-tiered or doubled.";
        NameTaken: Conflict "name-taken" at "/name", "There is another environment with this name.";
        Duplicate: Invalid "validation-failed" at "/environments", "Two entries have the same name or id.";
        TooMany: Invalid "validation-failed" at "/environments", "A workspace has at most 50 environments.";
        UnknownId: Invalid "validation-failed" at "/environments", "An entry names an environment that is not there. Leave the id out to make a new one.";
        NotFound: NotFound "not-found", "There is no such environment.";
        MayNotCreate: Forbidden "forbidden", "You do not have permission to create environments.";
        MayNotDelete: Forbidden "forbidden", "You do not have permission to delete environments.";
    }
}

/// The rights that a replacement of the whole list may need.
#[derive(Debug)]
pub struct EnvironmentRights {
    /// To change what is there.
    pub update: Permit<actions::UpdateEnvironment>,
    /// To add.
    pub create: Option<Permit<actions::CreateEnvironment>>,
    /// To drop.
    pub delete: Option<Permit<actions::DeleteEnvironment>>,
}

impl Environment {
    /// The environment that every workspace starts with.
    pub(crate) fn production(workspace: WorkspaceId, id: EnvironmentId, at: OffsetDateTime) -> Self {
        // The literal is a valid name; the type has no other way to be made, so read it like any other text.
        let name = PRODUCTION.parse().unwrap_or_else(|_| unreachable!("`production` is a valid environment name"));
        Self { workspace, id, name, tier: Tier::Production, created_at: at, updated_at: at, version: 1 }
    }
    /// Whether it may not be dropped.
    #[must_use]
    pub fn is_protected(&self) -> bool {
        self.tier == Tier::Production
    }

    /// Adds one.
    pub fn create(
        permit: &Permit<actions::CreateEnvironment>,
        present: &[Self],
        wanted: Wanted,
    ) -> Result<Change<Self>, Refused<EnvironmentError>> {
        check_list(present.iter().map(|e| (e.name.as_str(), e.tier)).chain([(wanted.name.as_str(), wanted.tier)]))?;
        Ok(add(permit, wanted))
    }

    /// Changes one.
    pub fn update(
        &self,
        permit: &Permit<actions::UpdateEnvironment>,
        present: &[Self],
        name: EnvironmentName,
        tier: Tier,
        guard: &Guard,
    ) -> Result<Change<Self>, Refused<EnvironmentError>> {
        guard.check_version(self.version)?;
        if self.is_protected() && (name != self.name || tier != self.tier) {
            return Err(EnvironmentError::ProductionProtected.into());
        }
        let others = present.iter().filter(|e| e.id != self.id).map(|e| (e.name.as_str(), e.tier));
        check_list(others.chain([(name.as_str(), tier)]))?;
        Ok(alter(permit, self, name, tier))
    }

    /// Drops one. `contents` is what it holds: each thing has to be confirmed.
    pub fn delete(
        &self,
        permit: &Permit<actions::DeleteEnvironment>,
        contents: Vec<Affected>,
        guard: &Guard,
    ) -> Result<Change<()>, Refused<EnvironmentError>> {
        guard.check_version(self.version)?;
        if self.is_protected() {
            return Err(EnvironmentError::ProductionProtected.into());
        }
        guard.check_impact(Impact::new("delete-environment", self.id.as_uuid(), contents))?;
        Ok(drop_one(permit, self))
    }

    /// Makes the list what it shall be: adds, changes and drops, one audit event each.
    pub fn replace(
        rights: &EnvironmentRights,
        present: &[Self],
        wanted: Vec<Wanted>,
        contents: impl Fn(EnvironmentId) -> Vec<Affected>,
        guard: &Guard,
    ) -> Result<Change<Vec<Self>>, Refused<EnvironmentError>> {
        // A second production is told as such, even where it repeats the first to the letter.
        if wanted.iter().filter(|w| w.name.as_str() == PRODUCTION || w.tier == Tier::Production).count() > 1 {
            return Err(EnvironmentError::ProductionProtected.into());
        }
        let (mut names, mut ids) = (BTreeSet::new(), BTreeSet::new());
        if wanted.iter().any(|w| !names.insert(w.name.as_str()) || w.id.is_some_and(|id| !ids.insert(id))) {
            return Err(EnvironmentError::Duplicate.into());
        }
        // By name only what no entry names by id: a name that one entry gives up is free for another.
        let known = |w: &Wanted| match w.id {
            Some(id) => present.iter().find(|e| e.id == id),
            None => present.iter().find(|e| e.name == w.name && !ids.contains(&e.id)),
        };
        if wanted.iter().any(|w| w.id.is_some() && known(w).is_none()) {
            return Err(EnvironmentError::UnknownId.into());
        }
        for w in &wanted {
            if let (Some(seen), Some(there)) = (w.version, known(w))
                && seen != there.version
            {
                return Err(Refused::Stale);
            }
        }
        check_list(wanted.iter().map(|w| (w.name.as_str(), w.tier)))?;
        let stays = |e: &Self| {
            wanted.iter().any(|w| known(w).is_some_and(|k| k.id == e.id) && w.name == e.name && w.tier == e.tier)
        };
        if present.iter().any(|e| e.is_protected() && !stays(e)) {
            return Err(EnvironmentError::ProductionProtected.into());
        }
        let known: Vec<_> = wanted.iter().map(known).collect();
        let kept: BTreeSet<_> = known.iter().flatten().map(|e| e.id).collect();
        let dropped: Vec<_> = present.iter().filter(|e| !kept.contains(&e.id)).collect();
        // Who may not is told so before anything is asked.
        if rights.delete.is_none() && !dropped.is_empty() {
            return Err(EnvironmentError::MayNotDelete.into());
        }
        if rights.create.is_none() && known.iter().any(Option::is_none) {
            return Err(EnvironmentError::MayNotCreate.into());
        }
        let affected = dropped.iter().flat_map(|e| contents(e.id)).collect();
        guard.check_impact(Impact::new(
            "replace-environments",
            rights.update.scope().workspace().as_uuid(),
            affected,
        ))?;

        // Drops first, then changes, then what is new: a name that one entry gives up may be taken by another.
        let mut change = Change::nothing(&rights.update, Vec::new());
        for e in dropped {
            let permit = rights.delete.as_ref().ok_or(EnvironmentError::MayNotDelete)?;
            change = change.and(drop_one(permit, e), |list, ()| list);
        }
        let mut entries: Vec<_> = wanted.into_iter().zip(known).enumerate().collect();
        entries.sort_by_key(|(_, (_, there))| there.is_none());
        for (place, (w, there)) in entries {
            let one = match (there, rights.create.as_ref()) {
                (Some(there), _) => alter(&rights.update, there, w.name, w.tier),
                (None, Some(permit)) => add(permit, w),
                (None, None) => return Err(EnvironmentError::MayNotCreate.into()),
            };
            change = change.and(one, |mut list: Vec<(usize, Self)>, e| {
                list.push((place, e));
                list
            });
        }
        Ok(change.map(|mut list| {
            list.sort_by_key(|(place, _)| *place);
            list.into_iter().map(|(_, e)| e).collect()
        }))
    }
}

/// The rules over the whole list, also constraints of the database.
fn check_list<'a>(list: impl Iterator<Item = (&'a str, Tier)>) -> Result<(), EnvironmentError> {
    let (mut names, mut production, mut count) = (BTreeSet::new(), 0, 0_usize);
    for (name, tier) in list {
        count += 1;
        if (name == PRODUCTION) != (tier == Tier::Production) {
            return Err(EnvironmentError::ProductionProtected);
        }
        production += usize::from(tier == Tier::Production);
        if !names.insert(name) && name != PRODUCTION {
            return Err(EnvironmentError::NameTaken);
        }
    }
    if production != 1 {
        return Err(EnvironmentError::ProductionProtected);
    }
    if count > MAX_ENVIRONMENTS {
        return Err(EnvironmentError::TooMany);
    }
    Ok(())
}

fn details<A: Mutation>(permit: &Permit<A>, what: &'static str, name: &EnvironmentName) -> Details {
    Details::new().change("change", None, Some(PublicValue::word(what))).personal(
        "name",
        permit.actor().person().unwrap_or(PersonId::NOBODY),
        name.as_str(),
    )
}

fn add(permit: &Permit<actions::CreateEnvironment>, w: Wanted) -> Change<Environment> {
    let at = permit.at();
    let e = Environment {
        workspace: permit.scope().workspace(),
        id: w.fresh,
        name: w.name,
        tier: w.tier,
        created_at: at,
        updated_at: at,
        version: 1,
    };
    let details = details(permit, "created", &e.name).change("tier", None, Some(PublicValue::word(e.tier.name())));
    Change::decided(
        permit,
        Write::Environment(EnvironmentWrite::Insert(e.clone())),
        Target::Environment(e.id),
        details,
        e,
    )
}

fn alter(
    permit: &Permit<actions::UpdateEnvironment>,
    e: &Environment,
    name: EnvironmentName,
    tier: Tier,
) -> Change<Environment> {
    if e.name == name && e.tier == tier {
        return Change::nothing(permit, e.clone());
    }
    let next = Environment { name, tier, version: e.version + 1, updated_at: permit.at(), ..e.clone() };
    let mut details = details(permit, "updated", &next.name);
    if e.tier != tier {
        details = details.change("tier", Some(PublicValue::word(e.tier.name())), Some(PublicValue::word(tier.name())));
    }
    Change::decided(
        permit,
        Write::Environment(EnvironmentWrite::Update(next.clone())),
        Target::Environment(e.id),
        details,
        next,
    )
}

fn drop_one(permit: &Permit<actions::DeleteEnvironment>, e: &Environment) -> Change<()> {
    Change::decided(
        permit,
        Write::Environment(EnvironmentWrite::Delete(e.id)),
        Target::Environment(e.id),
        details(permit, "deleted", &e.name),
        (),
    )
}
