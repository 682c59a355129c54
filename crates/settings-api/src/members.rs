//! `/workspace/members` (seed A) and `/api/organizations/{id}/members` (seed B).
use crate::{
    Api,
    answer::{Answer, List, rfc3339},
    api_keys::ActiveKey,
    dialect::{Dialect, OrganizationRole, organization_name},
    input::Input,
    invitations,
    json::{Body, Fields},
    operation::{Operation, op},
    problem::Problem,
};
use http::Method;
use serde::Serialize;
use settings_app::members::TheirKeys;
use settings_domain::{
    ids::UserId,
    members::MemberView,
    policy::{Permit, Role, actions},
    ports::store::MemberFilter,
    text::Email,
    transaction::{Call, Snapshot},
};
use std::sync::Arc;
use utoipa::ToSchema;

/// A member (seed A).
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Member {
    /// The account.
    #[schema(format = Uuid)]
    user_id: String,
    /// E-mail.
    email: Option<String>,
    /// Display name.
    name: Option<String>,
    /// Avatar address.
    avatar_url: Option<String>,
    /// `admin`, `editor` or `viewer`.
    role: &'static str,
    /// RFC 3339, UTC.
    #[schema(format = DateTime)]
    joined_at: String,
    /// RFC 3339, UTC.
    last_active_at: Option<String>,
    /// Counts changes; also the entity tag.
    version: i64,
}

/// A member (seed B).
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OrganizationMember {
    /// The account.
    #[schema(format = Uuid)]
    user_id: String,
    /// Avatar address.
    avatar: Option<String>,
    /// Display name.
    name: Option<String>,
    /// E-mail.
    email: Option<String>,
    /// `admin`, `user` or `guest`.
    role: &'static str,
    /// RFC 3339, UTC.
    #[schema(format = DateTime)]
    joined: String,
    /// RFC 3339, UTC.
    last_active_at: Option<String>,
    /// Counts changes; also the entity tag.
    version: i64,
}

fn email(view: &MemberView) -> Option<String> {
    view.user.email.as_ref().map(|e| e.as_str().to_owned())
}

impl From<&MemberView> for Member {
    fn from(v: &MemberView) -> Self {
        Self {
            user_id: v.user.id.to_string(),
            email: email(v),
            name: v.user.name.clone(),
            avatar_url: v.user.avatar_url.clone(),
            role: v.member.role.name(),
            joined_at: rfc3339(v.member.joined_at),
            last_active_at: v.last_active_at.map(rfc3339),
            version: v.member.version,
        }
    }
}

impl From<&MemberView> for OrganizationMember {
    fn from(v: &MemberView) -> Self {
        Self {
            user_id: v.user.id.to_string(),
            avatar: v.user.avatar_url.clone(),
            name: v.user.name.clone(),
            email: email(v),
            role: organization_name(v.member.role),
            joined: rfc3339(v.member.joined_at),
            last_active_at: v.last_active_at.map(rfc3339),
            version: v.member.version,
        }
    }
}

/// Somebody to invite (seed A).
#[derive(Debug, ToSchema)]
pub(crate) struct Invite {
    /// Whom.
    #[schema(value_type = String, format = Email)]
    email: Email,
    /// `admin`, `editor` or `viewer`.
    #[schema(value_type = String)]
    role: Role,
}

/// Somebody to invite (seed B).
#[derive(Debug, ToSchema)]
pub(crate) struct OrganizationInvite {
    /// Whom.
    #[schema(value_type = String, format = Email)]
    email: Email,
    /// `admin`, `user` or `guest`.
    #[schema(value_type = String)]
    role: OrganizationRole,
}

/// A role (seed A).
#[derive(Debug, ToSchema)]
pub(crate) struct RoleChange {
    /// `admin`, `editor` or `viewer`.
    #[schema(value_type = String)]
    role: Role,
}

/// A role (seed B).
#[derive(Debug, ToSchema)]
pub(crate) struct OrganizationRoleChange {
    /// `admin`, `user` or `guest`.
    #[schema(value_type = String)]
    role: OrganizationRole,
}

impl Body for Invite {
    fn read(f: &mut Fields) -> Option<Self> {
        let (email, role) = (f.required("email"), f.required("role"));
        Some(Self { email: email?, role: role? })
    }
}
impl Body for OrganizationInvite {
    fn read(f: &mut Fields) -> Option<Self> {
        let (email, role) = (f.required("email"), f.required("role"));
        Some(Self { email: email?, role: role? })
    }
}
impl Body for RoleChange {
    fn read(f: &mut Fields) -> Option<Self> {
        Some(Self { role: f.required("role")? })
    }
}
impl Body for OrganizationRoleChange {
    fn read(f: &mut Fields) -> Option<Self> {
        Some(Self { role: f.required("role")? })
    }
}

/// The receipt of a removal.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Removed {
    /// Always true.
    removed: bool,
    /// Keys they made that still work.
    active_api_keys: Vec<ActiveKey>,
}

const FILTER: &[(&str, &str)] = &[
    ("q", "Text in name or e-mail, taken literally"),
    ("role", "Members with this role"),
    ("limit", "Entries per page, 1 to 100; 50 where absent"),
    ("cursor", "Where to go on: `nextCursor` of the page before"),
];
const THEIR_KEYS: &[(&str, &str)] = &[("apiKeys", "`keep` (the default) or `revoke` the keys they made")];
const INVITE: &[&str] = &["already-member", "already-invited", "seat-limit-reached", "idempotency-key-reused"];
const EDIT: &[&str] = &["last-admin", "precondition-failed"];

pub(crate) fn operations() -> Vec<Operation> {
    const T: &str = "members";
    const O: &str = "/api/organizations/{organizationId}/members";
    const M: &str = "/api/organizations/{organizationId}/members/{userId}";
    vec![
        op(Method::GET, "/workspace/members", "listMembers", T, "List members")
            .query(FILTER)
            .gives_list::<Member>()
            .problems(&["invalid-cursor"])
            .read(list),
        op(Method::POST, "/workspace/members", "inviteMember", T, "Invite somebody")
            .takes::<Invite>()
            .gives::<invitations::Invitation>(201)
            .problems(INVITE)
            .write(invite),
        op(Method::GET, "/workspace/members/{userId}", "getMember", T, "Read a member").gives::<Member>(200).read(get),
        op(Method::PUT, "/workspace/members/{userId}", "changeRole", T, "Change a member's role")
            .takes::<RoleChange>()
            .gives::<Member>(200)
            .problems(EDIT)
            .write(change_role),
        op(Method::DELETE, "/workspace/members/{userId}", "removeMember", T, "Remove a member")
            .query(THEIR_KEYS)
            .gives::<Removed>(200)
            .problems(EDIT)
            .write(remove),
        op(Method::GET, O, "listOrganizationMembers", T, "List members")
            .query(FILTER)
            .gives_list::<OrganizationMember>()
            .problems(&["invalid-cursor"])
            .read(list_organization),
        op(Method::GET, M, "getOrganizationMember", T, "Read a member")
            .gives::<OrganizationMember>(200)
            .read(get_organization),
        op(Method::PUT, M, "changeOrganizationRole", T, "Change a member's role")
            .takes::<OrganizationRoleChange>()
            .gives::<OrganizationMember>(200)
            .problems(EDIT)
            .write(change_organization_role),
        op(Method::DELETE, M, "removeOrganizationMember", T, "Remove a member")
            .query(THEIR_KEYS)
            .gives::<Removed>(200)
            .problems(EDIT)
            .write(remove),
        op(
            Method::POST,
            "/api/organizations/{organizationId}/invitations",
            "createOrganizationInvitation",
            T,
            "Invite somebody",
        )
        .takes::<OrganizationInvite>()
        .gives::<invitations::Invitation>(201)
        .problems(INVITE)
        .write(invite_to_organization),
    ]
}

async fn page(
    api: &Api,
    snapshot: &mut Snapshot<actions::ListMembers>,
    input: &Input,
    dialect: Dialect,
) -> Result<(Vec<MemberView>, String), Problem> {
    input.only(&["q", "role", "limit", "cursor", "organizationId"])?;
    let role = match dialect {
        Dialect::Workspace => input.query_as::<Role>("role")?,
        Dialect::Organization => input.query_as::<OrganizationRole>("role")?.map(|r| r.0),
    };
    let text = input.query("q")?.filter(|q| !q.is_empty());
    if text.as_ref().is_some_and(|q| q.chars().count() > 200) {
        return Err(Problem::field("/q", "must have at most 200 characters"));
    }
    let context = format!("{}|{:?}|{:?}", snapshot.permit().scope().workspace(), text, role);
    let after: Option<UserId> = api.position(input, &context, "members")?;
    let page = input.page(after.map(UserId::as_uuid))?;
    Ok((snapshot.members(&MemberFilter { text, role, former: false }, page).await?, context))
}

async fn list(
    api: Arc<Api>,
    mut snapshot: Snapshot<actions::ListMembers>,
    input: Arc<Input>,
) -> Result<Answer, Problem> {
    api.app().flush_activity().await?;
    let (views, context) = page(&api, &mut snapshot, &input, Dialect::Workspace).await?;
    let list: List<Member> =
        api.list(&input, &context, "members", views, |v| v.user.id.as_uuid(), |v| Member::from(&v))?;
    Ok(Answer::ok(&list))
}

async fn list_organization(
    api: Arc<Api>,
    mut snapshot: Snapshot<actions::ListMembers>,
    input: Arc<Input>,
) -> Result<Answer, Problem> {
    let (views, context) = page(&api, &mut snapshot, &input, Dialect::Organization).await?;
    let list: List<OrganizationMember> =
        api.list(&input, &context, "members", views, |v| v.user.id.as_uuid(), |v| OrganizationMember::from(&v))?;
    Ok(Answer::ok(&list))
}

async fn one(snapshot: &mut Snapshot<actions::ListMembers>, input: &Input) -> Result<MemberView, Problem> {
    snapshot.member(input.id("userId")?).await?.ok_or_else(|| Problem::plain("not-found"))
}

async fn get(_: Arc<Api>, mut snapshot: Snapshot<actions::ListMembers>, input: Arc<Input>) -> Result<Answer, Problem> {
    let view = one(&mut snapshot, &input).await?;
    Ok(Answer::ok(&Member::from(&view)).version(view.member.version))
}

async fn get_organization(
    _: Arc<Api>,
    mut snapshot: Snapshot<actions::ListMembers>,
    input: Arc<Input>,
) -> Result<Answer, Problem> {
    let view = one(&mut snapshot, &input).await?;
    Ok(Answer::ok(&OrganizationMember::from(&view)).version(view.member.version))
}

async fn invite(
    api: Arc<Api>,
    permit: Permit<actions::InviteMember>,
    call: Call,
    input: Arc<Input>,
) -> Result<Answer, Problem> {
    let Invite { email, role } = input.json()?;
    invitations::send(&api, &permit, &call, email, role, Dialect::Workspace).await
}

async fn invite_to_organization(
    api: Arc<Api>,
    permit: Permit<actions::InviteMember>,
    call: Call,
    input: Arc<Input>,
) -> Result<Answer, Problem> {
    let OrganizationInvite { email, role } = input.json()?;
    invitations::send(&api, &permit, &call, email, role.0, Dialect::Organization).await
}

async fn change_role(
    api: Arc<Api>,
    permit: Permit<actions::ChangeRole>,
    call: Call,
    input: Arc<Input>,
) -> Result<Answer, Problem> {
    let user = input.id("userId")?;
    let RoleChange { role } = input.json()?;
    let done = api.app().change_role(&permit, &call, user, role).await?;
    Ok(Answer::ok(&Member::from(done.value())).version(done.value().member.version))
}

async fn change_organization_role(
    api: Arc<Api>,
    permit: Permit<actions::ChangeRole>,
    call: Call,
    input: Arc<Input>,
) -> Result<Answer, Problem> {
    let user = input.id("userId")?;
    let OrganizationRoleChange { role } = input.json()?;
    let done = api.app().change_role(&permit, &call, user, role.0).await?;
    Ok(Answer::ok(&OrganizationMember::from(done.value())).version(done.value().member.version))
}

async fn remove(
    api: Arc<Api>,
    permit: Permit<actions::RemoveMember>,
    call: Call,
    input: Arc<Input>,
) -> Result<Answer, Problem> {
    let user = input.id("userId")?;
    // A misspelt wish to revoke must not be taken for none.
    input.only(&["apiKeys"])?;
    let theirs = match input.query("apiKeys")?.as_deref() {
        None | Some("keep") => TheirKeys::Keep,
        Some("revoke") => TheirKeys::Revoke,
        Some(_) => return Err(Problem::field("/apiKeys", "must be keep or revoke")),
    };
    let () = input.json()?;
    let done = api.app().remove_member(&permit, &call, user, theirs).await?;
    let active_api_keys = done.value().active_keys.iter().map(ActiveKey::from).collect();
    Ok(Answer::ok(&Removed { removed: true, active_api_keys }))
}
