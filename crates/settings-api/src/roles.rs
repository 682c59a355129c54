//! `/api/roles` (seed B) and `/authz/explain`: the policy, as it is.
use crate::{
    Api,
    answer::{Answer, List},
    dialect::organization_name,
    input::{Input, Tenant},
    operation::{Operation, op},
    problem::Problem,
};
use http::Method;
use serde::Serialize;
use settings_app::authenticate::Authenticated;
use settings_domain::policy::{Permission, Role, explain};
use std::sync::Arc;
use utoipa::ToSchema;

/// A role (seed B's words).
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RoleView {
    /// Its name, which is its id.
    id: &'static str,
    /// `admin`, `user` or `guest`.
    name: &'static str,
    /// What it is for.
    description: &'static str,
    /// Everything it may do.
    permissions: Vec<&'static str>,
}

/// A decision with its reason.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Explanation {
    /// Whether the caller may.
    allowed: bool,
    /// What was asked.
    permission: &'static str,
    /// One sentence.
    because: String,
    /// The role or scope that grants it; null when nothing does.
    granted_by: Option<&'static str>,
}

/// What a role is for, in one sentence.
const fn description(role: Role) -> &'static str {
    match role {
        Role::Admin => "Full access to organization resources",
        Role::Editor => "Can create and edit workflows, read-only access to entities",
        Role::Viewer => "Read-only access to all resources",
    }
}

pub(crate) fn operations() -> Vec<Operation> {
    const T: &str = "roles";
    vec![
        op(Method::GET, "/api/roles", "listRoles", T, "List the roles that a member can have")
            .gives_list::<RoleView>()
            .anyone("the matrix is public knowledge among those who have an account", list),
        op(Method::GET, "/authz/explain", "explainPermission", T, "Say whether the caller may do something, and why")
            .query(&[("action", "A permission, such as members:invite")])
            .gives::<Explanation>(200)
            .anyone("everybody may know their own rights", explain_permission),
    ]
}

async fn list(_: Arc<Api>, _: Authenticated, _: Arc<Input>) -> Result<Answer, Problem> {
    let view = |role: Role| RoleView {
        id: organization_name(role),
        name: organization_name(role),
        description: description(role),
        permissions: role.permissions().iter().map(Permission::name).collect(),
    };
    Ok(Answer::ok(&List { items: Role::ALL.into_iter().map(view).collect(), next_cursor: None }))
}

async fn explain_permission(api: Arc<Api>, auth: Authenticated, input: Arc<Input>) -> Result<Answer, Problem> {
    let permission: Permission = input.query_as("action")?.ok_or_else(|| Problem::field("/action", "is required"))?;
    let selector = input.selector(Tenant::Parameter)?;
    let actor = api.app().standing(&auth.caller, &selector).await?;
    let d = explain(&actor, permission);
    Ok(Answer::ok(&Explanation {
        allowed: d.allowed,
        permission: permission.name(),
        because: d.because,
        granted_by: d.granted_by,
    }))
}
