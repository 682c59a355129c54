//! The workspace itself (seed A, Workspace settings; seed B: organization).
use crate::{
    audit::{Details, PublicValue, Target},
    change::{Change, Write},
    environments::{Environment, EnvironmentWrite},
    error::{Refused, refusals},
    ids::{EnvironmentId, PersonId, UserId, WorkspaceId},
    impact::{Affected, Guard, Impact},
    invitations::{InvitationWrite, NewInvitation},
    members::{Headcount, Member, MemberWrite, Person},
    policy::{Mutation, Permit, actions},
    text::{DisplayName, Region, Slug},
};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

/// Seats a workspace has when nobody said otherwise.
pub const DEFAULT_SEATS: i64 = 25;
/// Days that run data is kept when nobody said otherwise (never under the floor).
pub const DEFAULT_RETENTION_DAYS: i64 = 90;
/// The most seats and the longest retention anybody may ask for.
pub const MAX_SEATS: i64 = 100_000;
/// Ten years.
pub const MAX_RETENTION_DAYS: i64 = 3_650;

/// A workspace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Workspace {
    /// Its id.
    pub id: WorkspaceId,
    /// Immutable name in paths.
    pub slug: Slug,
    /// Name for people.
    pub name: DisplayName,
    /// Where data is stored.
    pub region: Region,
    /// Days that run data is kept; never under the floor.
    pub retention_days: i64,
    /// The lowest retention this workspace may choose, in days.
    pub floor_days: i64,
    /// Most members and pending invitations together.
    pub seat_limit: i64,
    /// When it was made.
    #[serde(with = "crate::micros")]
    pub created_at: OffsetDateTime,
    /// When it last changed.
    #[serde(with = "crate::micros")]
    pub updated_at: OffsetDateTime,
    /// Counts its changes, from 1.
    pub version: i64,
}

/// A workspace and how full it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkspaceView {
    /// The workspace.
    pub workspace: Workspace,
    /// Members and pending invitations.
    pub seats_used: i64,
}

/// What an adapter writes.
#[derive(Debug, Clone)]
pub enum WorkspaceWrite {
    /// A new row.
    Insert(Workspace),
    /// The row as it shall be.
    Update(Workspace),
    /// Marks it deleted; the slug stays taken for ever, so that no old link leads to a stranger.
    Delete(OffsetDateTime),
}

/// The wanted changes; `None` leaves a field alone.
#[derive(Debug, Clone, Default)]
pub struct WorkspacePatch {
    /// A slug may be repeated, never changed.
    pub slug: Option<String>,
    /// New name.
    pub name: Option<DisplayName>,
    /// New region; which ones exist is checked where the configuration is known.
    pub region: Option<Region>,
    /// New retention in days.
    pub retention_days: Option<i64>,
    /// New seat limit.
    pub seat_limit: Option<i64>,
    /// New compliance floor in days: the platform's business.
    pub floor_days: Option<i64>,
}

refusals! {
    /// Why a workspace was not changed.
    UpdateWorkspaceError {
        SlugImmutable: Invalid "slug-immutable" at "/slug", "The slug is part of API paths and can't be changed. Send the present slug or leave it out.";
        RetentionBelowFloor: Invalid "retention-below-floor" at "/dataRetentionDays", "The retention is under the compliance floor of this workspace. Choose at least complianceFloorDays.";
        SeatLimitBelowUsage: Conflict "seat-limit-below-usage" at "/seatLimit", "More seats are in use than that. Remove members or revoke invitations first.";
    }
}

refusals! {
    /// Why a workspace was not made.
    CreateWorkspaceError {
        SlugTaken: Conflict "slug-taken" at "/slug", "This slug is taken. Choose another one.";
        SlugReserved: Conflict "slug-reserved" at "/slug", "The service keeps this slug for itself. Choose another one.";
    }
}

/// A workspace to be made.
#[derive(Debug, Clone)]
pub struct NewWorkspace {
    /// Id of its one environment, production.
    pub production: EnvironmentId,
    /// Immutable name in paths.
    pub slug: Slug,
    /// Name for people.
    pub name: DisplayName,
    /// Where data is stored.
    pub region: Region,
    /// Seats.
    pub seat_limit: i64,
    /// The workspace's own floor in days, at least the service's.
    pub floor_days: i64,
    /// Its first admin.
    pub admin: FirstAdmin,
}

/// How a new workspace gets its first admin (contract: "adminEmail gets an admin invitation, unless it is the caller").
#[derive(Debug, Clone)]
pub enum FirstAdmin {
    /// The caller joins at once.
    Caller(UserId, PersonId),
    /// Somebody is invited.
    Invited(NewInvitation),
}

impl Workspace {
    /// Makes a workspace with its production environment and its first admin or their invitation.
    pub fn create(
        permit: &Permit<actions::CreateOrganization>,
        slug_taken: bool,
        new: NewWorkspace,
    ) -> Result<Change<WorkspaceView>, CreateWorkspaceError> {
        if new.slug.is_reserved() {
            return Err(CreateWorkspaceError::SlugReserved);
        }
        if slug_taken {
            return Err(CreateWorkspaceError::SlugTaken);
        }
        let (id, at) = (permit.scope().workspace(), permit.at());
        let workspace = Self {
            id,
            slug: new.slug,
            name: new.name,
            region: new.region,
            retention_days: new.floor_days.max(DEFAULT_RETENTION_DAYS),
            floor_days: new.floor_days,
            seat_limit: new.seat_limit,
            created_at: at,
            updated_at: at,
            version: 1,
        };
        let details = Details::new().change("seatLimit", None, Some(workspace.seat_limit.into())).change(
            "dataRetentionDays",
            None,
            Some(workspace.retention_days.into()),
        );
        let details = match new.admin {
            FirstAdmin::Caller(_, person) => details.by(person).personal("name", person, workspace.name.as_str()),
            FirstAdmin::Invited(_) => details.personal("name", PersonId::NOBODY, workspace.name.as_str()),
        };
        let view = WorkspaceView { workspace: workspace.clone(), seats_used: 1 };
        let production = Environment::production(id, new.production, at);
        let change = Change::decided(
            permit,
            Write::Workspace(WorkspaceWrite::Insert(workspace)),
            Target::Workspace,
            details,
            view,
        )
        .write(Write::Environment(EnvironmentWrite::Insert(production)));
        Ok(match new.admin {
            FirstAdmin::Caller(user, person) => {
                let member = Member::first_admin(id, user, person, at);
                change
                    .write(Write::Member(MemberWrite::InsertPerson(Person {
                        id: person,
                        user: Some(user),
                        email: None,
                    })))
                    .write(Write::Member(MemberWrite::Join(member)))
            }
            FirstAdmin::Invited(invitation) => {
                let (writes, notice) = invitation.for_new_workspace(permit);
                let person = MemberWrite::InsertPerson(Person {
                    id: writes.person,
                    user: None,
                    email: Some(writes.email.clone()),
                });
                change
                    .write(Write::Member(person))
                    .write(Write::Invitation(InvitationWrite::Insert(writes)))
                    .notice(notice)
            }
        })
    }

    /// Changes some fields. `floor_days` is the service's own floor; the higher of the two counts.
    pub fn update<A: Mutation>(
        &self,
        permit: &Permit<A>,
        patch: WorkspacePatch,
        seats: &Headcount,
        floor_days: i64,
        guard: &Guard,
    ) -> Result<Change<WorkspaceView>, Refused<UpdateWorkspaceError>> {
        guard.check_version(self.version)?;
        if patch.slug.is_some_and(|s| s != self.slug.as_str()) {
            return Err(UpdateWorkspaceError::SlugImmutable.into());
        }
        let floor = patch.floor_days.unwrap_or(self.floor_days);
        let raised_with_floor = patch.floor_days.is_some() && patch.retention_days.is_none();
        let mut next = Self {
            name: patch.name.unwrap_or_else(|| self.name.clone()),
            region: patch.region.unwrap_or_else(|| self.region.clone()),
            retention_days: patch.retention_days.unwrap_or(self.retention_days),
            seat_limit: patch.seat_limit.unwrap_or(self.seat_limit),
            floor_days: floor,
            ..self.clone()
        };
        if raised_with_floor && next.retention_days < floor {
            next.retention_days = floor.max(floor_days);
        }
        // The service's floor may have risen above what is stored: that alone stops no other change.
        let retention_changed = next.retention_days != self.retention_days;
        if next.retention_days < floor || (retention_changed && next.retention_days < floor_days) {
            return Err(UpdateWorkspaceError::RetentionBelowFloor.into());
        }
        if next.seat_limit < seats.used() && next.seat_limit != self.seat_limit {
            return Err(UpdateWorkspaceError::SeatLimitBelowUsage.into());
        }
        if next.retention_days < self.retention_days {
            guard.check_impact(self.lower_retention(next.retention_days))?;
        }
        let view = |workspace| WorkspaceView { workspace, seats_used: seats.used() };
        if next == *self {
            return Ok(Change::nothing(permit, view(next)));
        }
        next.version += 1;
        next.updated_at = permit.at();
        let details = self.difference(&next, permit.actor().person().unwrap_or(PersonId::NOBODY));
        Ok(Change::decided(
            permit,
            Write::Workspace(WorkspaceWrite::Update(next.clone())),
            Target::Workspace,
            details,
            view(next),
        ))
    }

    /// Deletes the workspace. Its keys and memberships die with it; its slug stays taken.
    pub fn delete(
        &self,
        permit: &Permit<actions::DeleteOrganization>,
        guard: &Guard,
    ) -> Result<Change<()>, Refused<DeleteWorkspaceError>> {
        guard.check_version(self.version)?;
        Ok(Change::decided(
            permit,
            Write::Workspace(WorkspaceWrite::Delete(permit.at())),
            Target::Workspace,
            Details::new(),
            (),
        ))
    }

    fn lower_retention(&self, days: i64) -> Impact {
        let affected = Affected {
            kind: "run-data".to_owned(),
            id: self.id.to_string(),
            name: format!("run data older than {days} days"),
            why: format!("It is kept for {} days now and would be deleted.", self.retention_days),
        };
        Impact::new("lower-retention", self.id.as_uuid(), vec![affected])
    }

    fn difference(&self, next: &Self, author: PersonId) -> Details {
        let mut details = Details::new();
        let numbers = [
            ("dataRetentionDays", self.retention_days, next.retention_days),
            ("complianceFloorDays", self.floor_days, next.floor_days),
            ("seatLimit", self.seat_limit, next.seat_limit),
        ];
        for (field, from, to) in numbers {
            if from != to {
                details = details.change(field, Some(from.into()), Some(to.into()));
            }
        }
        if self.region != next.region {
            details = details.change("defaultRegion", Some((&self.region).into()), Some((&next.region).into()));
        }
        // A name is free text of whoever typed it: it stands aside, under that person's salt.
        if self.name != next.name {
            details = details.change("name", None, None).personal("name", author, next.name.as_str());
        }
        details
    }
}

impl From<&Region> for PublicValue {
    fn from(r: &Region) -> Self {
        // Regions come from the operator's list, so they are an enumeration although not one of ours.
        Self::configured(r.as_str())
    }
}

refusals! {
    /// Why a workspace was not deleted.
    DeleteWorkspaceError {
        Gone: NotFound "not-found", "There is no such workspace.";
    }
}
