//! `/workspace` (seed A) and `/api/organizations` (seed B).
use crate::{
    Api,
    answer::{Answer, List, rfc3339},
    input::Input,
    json::{Body, Fields},
    operation::{Operation, op},
    problem::Problem,
};
use http::{HeaderValue, Method, header};
use serde::Serialize;
use settings_app::{authenticate::Authenticated, workspaces::CreateWorkspace};
use settings_domain::{
    ids::WorkspaceId,
    policy::{Mutation, Permission, Permit, actions, permit},
    ports::store::Page,
    text::{DisplayName, Email, Region, Slug},
    transaction::{Call, Caller, Snapshot},
    workspaces::{MAX_RETENTION_DAYS, MAX_SEATS, WorkspacePatch, WorkspaceView},
};
use std::sync::Arc;
use utoipa::ToSchema;

/// A workspace (organization).
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Workspace {
    /// Its id.
    #[schema(format = Uuid)]
    id: String,
    /// Name for people.
    name: String,
    /// Immutable name in paths.
    slug: String,
    /// Where data is stored.
    default_region: String,
    /// Days that run data is kept.
    data_retention_days: i64,
    /// The lowest retention that may be chosen.
    compliance_floor_days: i64,
    /// Most members and pending invitations together.
    seat_limit: i64,
    /// Members and pending invitations.
    seats_used: i64,
    /// RFC 3339, UTC.
    #[schema(format = DateTime)]
    created_at: String,
    /// RFC 3339, UTC.
    #[schema(format = DateTime)]
    updated_at: String,
    /// Counts changes; also the entity tag.
    version: i64,
}

impl Workspace {
    fn new(api: &Api, view: &WorkspaceView) -> Self {
        let w = &view.workspace;
        Self {
            id: w.id.to_string(),
            name: w.name.to_string(),
            slug: w.slug.to_string(),
            default_region: w.region.to_string(),
            data_retention_days: w.retention_days,
            compliance_floor_days: w.floor_days.max(api.app().rules().floor_days),
            seat_limit: w.seat_limit,
            seats_used: view.seats_used,
            created_at: rfc3339(w.created_at),
            updated_at: rfc3339(w.updated_at),
            version: w.version,
        }
    }
}

/// Fields to change; absent ones stay.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase")]
pub(crate) struct WorkspaceChange {
    /// Name for people, 1 to 200 characters.
    #[schema(value_type = Option<String>, min_length = 1, max_length = 200)]
    name: Option<DisplayName>,
    /// May be repeated, never changed.
    slug: Option<String>,
    /// One of the configured regions.
    #[schema(value_type = Option<String>)]
    default_region: Option<Region>,
    /// Not under `complianceFloorDays`; lowering it asks for a confirmation.
    #[schema(minimum = 1, maximum = 3650)]
    data_retention_days: Option<i64>,
    /// Not under `seatsUsed`.
    #[schema(minimum = 1, maximum = 100_000)]
    seat_limit: Option<i64>,
}

impl Body for WorkspaceChange {
    fn read(f: &mut Fields) -> Option<Self> {
        Some(Self {
            name: f.optional("name"),
            slug: f.optional("slug"),
            default_region: f.optional("defaultRegion"),
            data_retention_days: f.integer("dataRetentionDays", 1..=MAX_RETENTION_DAYS),
            seat_limit: f.integer("seatLimit", 1..=MAX_SEATS),
        })
    }
}

impl WorkspaceChange {
    fn patch(self, floor_days: Option<i64>) -> WorkspacePatch {
        let Self { name, slug, default_region: region, data_retention_days: retention_days, seat_limit } = self;
        WorkspacePatch { slug, name, region, retention_days, seat_limit, floor_days }
    }
}

/// As [`WorkspaceChange`], with what only the platform may change.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase")]
pub(crate) struct OrganizationChange {
    /// Name for people, 1 to 200 characters.
    #[schema(value_type = Option<String>, min_length = 1, max_length = 200)]
    name: Option<DisplayName>,
    /// May be repeated, never changed.
    slug: Option<String>,
    /// One of the configured regions.
    #[schema(value_type = Option<String>)]
    default_region: Option<Region>,
    /// Not under the floor; lowering it asks for a confirmation.
    #[schema(minimum = 1, maximum = 3650)]
    data_retention_days: Option<i64>,
    /// Not under `seatsUsed`.
    #[schema(minimum = 1, maximum = 100_000)]
    seat_limit: Option<i64>,
    /// The organization's own floor; raising it raises a lower retention with it.
    #[schema(minimum = 1, maximum = 3650)]
    compliance_floor_days: Option<i64>,
}

impl Body for OrganizationChange {
    fn read(f: &mut Fields) -> Option<Self> {
        let compliance_floor_days = f.integer("complianceFloorDays", 1..=MAX_RETENTION_DAYS);
        let WorkspaceChange { name, slug, default_region, data_retention_days, seat_limit } = WorkspaceChange::read(f)?;
        Some(Self { name, slug, default_region, data_retention_days, seat_limit, compliance_floor_days })
    }
}

/// A new organization.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase")]
pub(crate) struct NewOrganization {
    /// Name for people, 1 to 200 characters.
    #[schema(value_type = String, min_length = 1, max_length = 200)]
    name: DisplayName,
    /// Immutable name in paths.
    #[schema(value_type = String, pattern = "^[a-z0-9](?:[a-z0-9-]{1,46}[a-z0-9])$")]
    slug: Slug,
    /// One of the configured regions; the first where absent.
    #[schema(value_type = Option<String>)]
    default_region: Option<Region>,
    /// Gets an admin invitation, or joins at once where it is the caller's own verified address.
    #[schema(value_type = String, format = Email)]
    admin_email: Email,
    /// 25 where absent.
    #[schema(minimum = 1, maximum = 100_000)]
    seat_limit: Option<i64>,
    /// A floor above the service's own.
    #[schema(minimum = 1, maximum = 3650)]
    compliance_floor_days: Option<i64>,
}

impl Body for NewOrganization {
    fn read(f: &mut Fields) -> Option<Self> {
        let (name, slug, admin_email) = (f.required("name"), f.required("slug"), f.required("adminEmail"));
        let default_region = f.optional("defaultRegion");
        let seat_limit = f.integer("seatLimit", 1..=MAX_SEATS);
        let compliance_floor_days = f.integer("complianceFloorDays", 1..=MAX_RETENTION_DAYS);
        Some(Self {
            name: name?,
            slug: slug?,
            default_region,
            admin_email: admin_email?,
            seat_limit,
            compliance_floor_days,
        })
    }
}

pub(crate) fn operations() -> Vec<Operation> {
    const T: &str = "workspaces";
    vec![
        op(Method::GET, "/workspace", "getWorkspace", T, "Read the workspace")
            .gives::<Workspace>(200)
            .own::<actions::ReadWorkspace, _, _>(get),
        op(Method::PUT, "/workspace", "updateWorkspace", T, "Change the workspace")
            .takes::<WorkspaceChange>()
            .gives::<Workspace>(200)
            .problems(&[
                "slug-immutable",
                "retention-below-floor",
                "seat-limit-below-usage",
                "precondition-failed",
                "confirmation-required",
            ])
            .write(update),
        op(Method::POST, "/api/organizations", "createOrganization", T, "Make an organization")
            .takes::<NewOrganization>()
            .gives::<Workspace>(201)
            .problems(&["slug-taken", "slug-reserved", "idempotency-key-reused"])
            .own::<actions::CreateOrganization, _, _>(create),
        op(
            Method::GET,
            "/api/organizations",
            "listOrganizations",
            T,
            "List organizations: the platform sees all, others their own",
        )
        .query(PAGING)
        .gives_list::<Workspace>()
        .problems(&["invalid-cursor"])
        .own::<actions::ListOrganizations, _, _>(list),
        op(Method::GET, "/api/organizations/{organizationId}", "getOrganization", T, "Read an organization")
            .gives::<Workspace>(200)
            .own::<actions::ListOrganizations, _, _>(get_organization),
        op(
            Method::PUT,
            "/api/organizations/{organizationId}",
            "updateOrganization",
            T,
            "Change an organization as the platform",
        )
        .takes::<OrganizationChange>()
        .gives::<Workspace>(200)
        .problems(&[
            "slug-immutable",
            "retention-below-floor",
            "seat-limit-below-usage",
            "precondition-failed",
            "confirmation-required",
        ])
        .write(update_organization),
        op(
            Method::DELETE,
            "/api/organizations/{organizationId}",
            "deleteOrganization",
            T,
            "Delete an organization; its slug stays taken",
        )
        .problems(&["precondition-failed"])
        .write(delete),
    ]
}

/// Query parameters of every list.
pub(crate) const PAGING: &[(&str, &str)] = &[
    ("limit", "Entries per page, 1 to 100; 50 where absent"),
    ("cursor", "Where to go on: `nextCursor` of the page before"),
];

async fn get(api: Arc<Api>, auth: Authenticated, input: Arc<Input>) -> Result<Answer, Problem> {
    let selector = input.selector(crate::input::Tenant::Path)?;
    let view = api.app().workspace(&auth, &selector).await?;
    Ok(Answer::ok(&Workspace::new(&api, &view)).version(view.workspace.version))
}

async fn update(
    api: Arc<Api>,
    permit: Permit<actions::UpdateWorkspace>,
    call: Call,
    input: Arc<Input>,
) -> Result<Answer, Problem> {
    let change: WorkspaceChange = input.json()?;
    known_region(&api, change.default_region.as_ref())?;
    finish_update(&api, &permit, &call, change.patch(None)).await
}

async fn update_organization(
    api: Arc<Api>,
    permit: Permit<actions::UpdateOrganization>,
    call: Call,
    input: Arc<Input>,
) -> Result<Answer, Problem> {
    let OrganizationChange { name, slug, default_region, data_retention_days, seat_limit, compliance_floor_days } =
        input.json()?;
    known_region(&api, default_region.as_ref())?;
    let change = WorkspaceChange { name, slug, default_region, data_retention_days, seat_limit };
    finish_update(&api, &permit, &call, change.patch(compliance_floor_days)).await
}

async fn finish_update<A: Mutation>(
    api: &Api,
    permit: &Permit<A>,
    call: &Call,
    patch: WorkspacePatch,
) -> Result<Answer, Problem> {
    let done = api.app().update_workspace(permit, call, patch).await?;
    Ok(Answer::ok(&Workspace::new(api, done.value()))
        .version(done.value().workspace.version)
        .replayed(done.is_replay()))
}

fn known_region(api: &Api, region: Option<&Region>) -> Result<(), Problem> {
    let regions = &api.app().rules().regions;
    match region {
        Some(r) if !regions.contains(r) => {
            let names: Vec<_> = regions.iter().map(Region::as_str).collect();
            Err(Problem::field("/defaultRegion", format!("must be one of {}", names.join(", "))))
        }
        _ => Ok(()),
    }
}

async fn create(api: Arc<Api>, auth: Authenticated, input: Arc<Input>) -> Result<Answer, Problem> {
    let permit = founder(&api, &auth)?;
    let call = input.call(&api, &auth.caller, "createOrganization")?;
    let new: NewOrganization = input.json()?;
    known_region(&api, new.default_region.as_ref())?;
    let NewOrganization {
        name,
        slug,
        default_region: region,
        admin_email: admin,
        seat_limit,
        compliance_floor_days: floor_days,
    } = new;
    let done = api
        .app()
        .create_workspace(&permit, &call, CreateWorkspace { slug, name, region, admin, seat_limit, floor_days })
        .await?;
    let body = Workspace::new(&api, done.value());
    let location =
        HeaderValue::from_str(&format!("/api/organizations/{}", body.id)).map_err(|_| Problem::plain("internal"))?;
    Ok(Answer::created(&body)
        .version(done.value().workspace.version)
        .header(header::LOCATION, location)
        .replayed(done.is_replay()))
}

/// The right to found an organization is the platform's: everybody else is refused with the permission's name.
fn founder(api: &Api, auth: &Authenticated) -> Result<Permit<actions::CreateOrganization>, Problem> {
    if !auth.caller.is_platform() {
        return Err(Problem::lacking(Permission::OrganizationsCreate, &auth.caller));
    }
    api.app().may_found(&auth.caller).map_err(Problem::from)
}

async fn list(api: Arc<Api>, auth: Authenticated, input: Arc<Input>) -> Result<Answer, Problem> {
    let Caller::User { id: user, platform, .. } = auth.caller else {
        return Err(Problem::lacking(Permission::OrganizationsRead, &auth.caller));
    };
    input.only(&["limit", "cursor"])?;
    let after: Option<WorkspaceId> = api.position(&input, &user.to_string(), "listOrganizations")?;
    let page: Page = input.page(after.map(WorkspaceId::as_uuid))?;
    let store = &api.app().ports().store;
    let views: Vec<WorkspaceView> = if platform {
        // The platform's right does not depend on the workspace; it is asked for in none that exists.
        let actor = settings_domain::policy::Actor::platform(user, WorkspaceId::from_uuid(uuid::Uuid::nil()));
        let permit = permit::<actions::ListOrganizations>(&actor, api.app().ports().clock.now())?;
        store.all(&permit, page).await?
    } else {
        store.of(user, page).await?.into_iter().map(|own| own.view).collect()
    };
    let list: List<Workspace> = api.list(
        &input,
        &user.to_string(),
        "listOrganizations",
        views,
        |v| v.workspace.id.as_uuid(),
        |v| Workspace::new(&api, &v),
    )?;
    Ok(Answer::ok(&list))
}

async fn get_organization(api: Arc<Api>, auth: Authenticated, input: Arc<Input>) -> Result<Answer, Problem> {
    if matches!(auth.caller, Caller::Key(_)) {
        return Err(Problem::lacking(Permission::OrganizationsRead, &auth.caller));
    }
    let selector = input.selector(crate::input::Tenant::Organization)?;
    let mut snapshot: Snapshot<actions::ReadWorkspace> = api.enter(&auth, &selector).await?;
    let view = snapshot.workspace().await?;
    Ok(Answer::ok(&Workspace::new(&api, &view)).version(view.workspace.version))
}

async fn delete(
    api: Arc<Api>,
    permit: Permit<actions::DeleteOrganization>,
    call: Call,
    input: Arc<Input>,
) -> Result<Answer, Problem> {
    let () = input.json()?;
    api.app().delete_workspace(&permit, &call).await?;
    Ok(Answer::nothing())
}
