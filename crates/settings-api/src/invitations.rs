//! `/workspace/invitations` (seed A), `/api/organizations/{id}/invitations` and `/api/invitations` (seed B).
use crate::{
    Api,
    answer::{Answer, List, rfc3339},
    dialect::{Dialect, organization_name},
    input::{Input, Tenant},
    operation::{Operation, op},
    problem::Problem,
    workspaces::PAGING,
};
use http::Method;
use serde::Serialize;
use settings_app::{authenticate::Authenticated, failure::Failure};
use settings_domain::{
    ids::{InvitationId, WorkspaceId},
    invitations::{Invitation as Entity, InvitationView},
    policy::{Permit, Role, actions},
    text::Email,
    transaction::{Call, Caller, Snapshot},
};
use std::sync::Arc;
use time::OffsetDateTime;
use utoipa::ToSchema;

/// Who invited.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Inviter {
    /// The account.
    #[schema(format = Uuid)]
    user_id: String,
    /// Display name.
    name: Option<String>,
}

/// An invitation.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Invitation {
    /// Its id.
    #[schema(format = Uuid)]
    id: String,
    /// Whom, as typed.
    email: String,
    /// The role offered, in the dialect of the address called.
    role: &'static str,
    /// `pending`, `accepted`, `revoked` or `expired`.
    status: &'static str,
    /// Who invited; null for the platform.
    invited_by: Option<Inviter>,
    /// RFC 3339, UTC.
    #[schema(format = DateTime)]
    created_at: String,
    /// RFC 3339, UTC.
    #[schema(format = DateTime)]
    expires_at: String,
    /// `queued`, `sent` or `failed`.
    email_status: &'static str,
    /// Counts changes; also the entity tag.
    version: i64,
}

impl Invitation {
    fn new(i: &Entity, inviter_name: Option<String>, now: OffsetDateTime, dialect: Dialect) -> Self {
        Self {
            id: i.id.to_string(),
            email: i.email.as_str().to_owned(),
            role: dialect.role(i.role),
            status: i.shown_state(now).name(),
            invited_by: i.invited_by.map(|u| Inviter { user_id: u.to_string(), name: inviter_name }),
            created_at: rfc3339(i.created_at),
            expires_at: rfc3339(i.expires_at),
            email_status: i.email_status.name(),
            version: i.version,
        }
    }
}

/// The receipt of an acceptance.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Accepted {
    /// The organization joined.
    #[schema(format = Uuid)]
    organization_id: String,
    /// Its slug.
    slug: String,
    /// `admin`, `user` or `guest`.
    role: &'static str,
}

const PENDING: &[&str] = &["invitation-closed", "precondition-failed"];
const RESEND: &[&str] = &["invitation-closed", "seat-limit-reached", "precondition-failed", "idempotency-key-reused"];

pub(crate) fn operations() -> Vec<Operation> {
    const T: &str = "invitations";
    vec![
        op(Method::GET, "/workspace/invitations", "listInvitations", T, "List waiting invitations")
            .query(PAGING)
            .gives_list::<Invitation>()
            .problems(&["invalid-cursor"])
            .read(list),
        op(
            Method::POST,
            "/workspace/invitations/{invitationId}/resend",
            "resendInvitation",
            T,
            "Send an invitation again; the old link dies",
        )
        .gives::<Invitation>(200)
        .problems(RESEND)
        .write(resend),
        op(Method::DELETE, "/workspace/invitations/{invitationId}", "revokeInvitation", T, "Take an invitation back")
            .problems(PENDING)
            .write(revoke),
        op(
            Method::GET,
            "/api/organizations/{organizationId}/invitations",
            "listOrganizationInvitations",
            T,
            "List waiting invitations",
        )
        .query(PAGING)
        .gives_list::<Invitation>()
        .problems(&["invalid-cursor"])
        .read(list_organization),
        op(
            Method::POST,
            "/api/invitations/{invitationId}/resend",
            "resendOrganizationInvitation",
            T,
            "Send an invitation again; the old link dies",
        )
        .tenant(Tenant::Invitation)
        .gives::<Invitation>(200)
        .problems(RESEND)
        .write(resend_organization),
        op(
            Method::DELETE,
            "/api/invitations/{invitationId}",
            "revokeOrganizationInvitation",
            T,
            "Take an invitation back",
        )
        .tenant(Tenant::Invitation)
        .problems(PENDING)
        .write(revoke),
        op(
            Method::POST,
            "/api/invitations/{token}/accept",
            "acceptInvitation",
            T,
            "Join by the token of an invitation's link",
        )
        .gives::<Accepted>(200)
        .problems(&["invitation-expired", "invitation-email-mismatch", "email-not-verified", "already-member"])
        .no_tool("it is told the token of a link")
        .own::<actions::AcceptInvitation, _, _>(accept),
    ]
}

async fn page(
    api: &Api,
    snapshot: &mut Snapshot<actions::ListMembers>,
    input: &Input,
    dialect: Dialect,
) -> Result<List<Invitation>, Problem> {
    input.only(&["limit", "cursor"])?;
    let context = snapshot.permit().scope().workspace().to_string();
    let after: Option<InvitationId> = api.position(input, &context, "invitations")?;
    let views: Vec<InvitationView> = snapshot.invitations(input.page(after.map(InvitationId::as_uuid))?).await?;
    let now = snapshot.at();
    api.list(
        input,
        &context,
        "invitations",
        views,
        |v| v.invitation.id.as_uuid(),
        |v| Invitation::new(&v.invitation, v.inviter_name, now, dialect),
    )
}

async fn list(
    api: Arc<Api>,
    mut snapshot: Snapshot<actions::ListMembers>,
    input: Arc<Input>,
) -> Result<Answer, Problem> {
    Ok(Answer::ok(&page(&api, &mut snapshot, &input, Dialect::Workspace).await?))
}

async fn list_organization(
    api: Arc<Api>,
    mut snapshot: Snapshot<actions::ListMembers>,
    input: Arc<Input>,
) -> Result<Answer, Problem> {
    Ok(Answer::ok(&page(&api, &mut snapshot, &input, Dialect::Organization).await?))
}

/// Invites somebody, in either dialect.
pub(crate) async fn send(
    api: &Api,
    permit: &Permit<actions::InviteMember>,
    call: &Call,
    email: Email,
    role: Role,
    dialect: Dialect,
) -> Result<Answer, Problem> {
    mail_limit(api, permit.scope().workspace(), &email)?;
    let now = permit.at();
    let done = api.app().invite(permit, call, email, role).await?;
    let body = Invitation::new(done.value(), None, now, dialect);
    Ok(Answer::created(&body).version(done.value().version).replayed(done.is_replay()))
}

fn mail_limit(api: &Api, workspace: WorkspaceId, email: &Email) -> Result<(), Problem> {
    let Some(limits) = api.limits() else { return Ok(()) };
    limits
        .invitation(workspace.as_uuid())
        .and_then(|()| limits.recipient(email.key().as_str()))
        .map_err(|wait| Problem::rate_limited(wait.0))
}

async fn resend_as(
    api: &Api,
    permit: &Permit<actions::ResendInvitation>,
    call: &Call,
    input: &Input,
    dialect: Dialect,
) -> Result<Answer, Problem> {
    let id = input.id("invitationId")?;
    let () = input.json()?;
    if let Some(limits) = api.limits() {
        limits.invitation(permit.scope().workspace().as_uuid()).map_err(|wait| Problem::rate_limited(wait.0))?;
    }
    let done = api.app().resend_invitation(permit, call, id).await?;
    let body = Invitation::new(done.value(), None, permit.at(), dialect);
    Ok(Answer::ok(&body).version(done.value().version).replayed(done.is_replay()))
}

async fn resend(
    api: Arc<Api>,
    permit: Permit<actions::ResendInvitation>,
    call: Call,
    input: Arc<Input>,
) -> Result<Answer, Problem> {
    resend_as(&api, &permit, &call, &input, Dialect::Workspace).await
}

async fn resend_organization(
    api: Arc<Api>,
    permit: Permit<actions::ResendInvitation>,
    call: Call,
    input: Arc<Input>,
) -> Result<Answer, Problem> {
    resend_as(&api, &permit, &call, &input, Dialect::Organization).await
}

async fn revoke(
    api: Arc<Api>,
    permit: Permit<actions::RevokeInvitation>,
    call: Call,
    input: Arc<Input>,
) -> Result<Answer, Problem> {
    let id = input.id("invitationId")?;
    let () = input.json()?;
    api.app().revoke_invitation(&permit, &call, id).await?;
    Ok(Answer::nothing())
}

async fn accept(api: Arc<Api>, auth: Authenticated, input: Arc<Input>) -> Result<Answer, Problem> {
    if matches!(auth.caller, Caller::Key(_)) {
        return Err(Problem::plain("session-required"));
    }
    let call = input.call(&api, &auth.caller, "acceptInvitation")?;
    let () = input.json()?;
    match api.app().accept_invitation(&call, input.param("token")).await {
        Ok(done) => {
            let joined = done.value();
            let body = Accepted {
                organization_id: joined.member.workspace.to_string(),
                slug: joined.slug.to_string(),
                role: organization_name(joined.member.role),
            };
            Ok(Answer::ok(&body).replayed(done.is_replay()))
        }
        Err(failure) => {
            // Guessing tokens is slowed down like guessing keys.
            if let (Failure::Refused(_), Some(limits)) = (&failure, api.limits()) {
                limits.failure(input.address, "invitation").map_err(|wait| Problem::rate_limited(wait.0))?;
            }
            Err(failure.into())
        }
    }
}
