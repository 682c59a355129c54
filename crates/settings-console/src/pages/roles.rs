//! Roles and permissions: the policy's own table, so it can't say anything else than what is decided.
use crate::{
    cx::{self, Cx},
    respond,
    site::Site,
    stop::Answer,
    ui::{Icon, Page, icon, layout, role_about, role_name},
};
use axum::Router;
use maud::{Markup, html};
use settings_domain::policy::{Permission, Role, SYSTEM, Scope};
use std::sync::Arc;

pub(crate) fn routes(router: Router<Arc<Site>>, _: &Site) -> Router<Arc<Site>> {
    router.route("/{slug}/settings/roles", cx::page(show))
}

/// The part before the colon, as people read it.
fn group_name(resource: &str) -> String {
    let mut words = String::new();
    for (i, c) in resource.chars().enumerate() {
        match (i, c) {
            (0, c) => words.extend(c.to_uppercase()),
            (_, c) if c.is_uppercase() => {
                words.push(' ');
                words.extend(c.to_lowercase());
            }
            (_, c) => words.push(c),
        }
    }
    words.replace("Api keys", "API keys")
}

/// Permissions by resource, in the order of the table.
fn groups(differing: bool) -> Vec<(&'static str, Vec<Permission>)> {
    let mut out: Vec<(&str, Vec<Permission>)> = Vec::new();
    for p in Permission::ALL.iter().copied() {
        let columns = columns(p);
        if differing && (columns.iter().all(|(_, has)| *has) || columns.iter().all(|(_, has)| !has)) {
            continue;
        }
        let resource = p.name().split(':').next().unwrap_or_default();
        match out.iter_mut().find(|(r, _)| *r == resource) {
            Some((_, list)) => list.push(p),
            None => out.push((resource, vec![p])),
        }
    }
    out
}

fn columns(p: Permission) -> [(&'static str, bool); 4] {
    let [admin, editor, viewer] = Role::ALL.map(|r| (role_name(r), r.permissions().contains(p)));
    [admin, editor, viewer, ("Platform", SYSTEM.contains(p))]
}

async fn show(cx: Arc<Cx>) -> Answer {
    let differing = cx.query("show") == "differences";
    let own = cx.role();
    let body = html! {
        div.role-cards {
            @for role in Role::ALL {
                section.card.role-card.own[role_name(role) == own] aria-label=(role_name(role)) {
                    h2 { (role_name(role)) @if role_name(role) == own { span.badge.you { "Yours" } } }
                    p.muted { (role_about(role)) }
                    @if cx.can(Permission::MembersRead) {
                        a href={ (cx.url("members")) (respond::query(&[("role", role.name())])) } { "Members with this role" }
                    }
                }
            }
        }
        section.card aria-labelledby="h-matrix" {
            div.card-head {
                h2 id="h-matrix" { "What each role can do" }
                @if differing { a.btn.small href=(cx.url("roles")) { "Show all" } }
                @else { a.btn.small href={ (cx.url("roles")) "?show=differences" } { "Only differences" } }
            }
            (matrix(own, differing))
            div.card-foot { (icon(Icon::Info)) p { "The organization API calls editors “user” and viewers “guest”. The platform’s owners are no members: they hold no seat and reach no secret." } }
        }
        section.card aria-labelledby="h-scopes" {
            div.card-head { h2 id="h-scopes" { "What each API key scope can do" } p.muted { "A key can do what its scopes name, whoever made it." } }
            table.perms.scopes-list role="table" {
                caption.vh { "Permissions of each scope" }
                thead role="rowgroup" { tr role="row" { th role="columnheader" scope="col" { "Scope" } th role="columnheader" scope="col" { "Allows" } } }
                tbody role="rowgroup" {
                    @for scope in Scope::ALL {
                        tr role="row" {
                            th role="rowheader" scope="row" { code.scope.risk[scope == Scope::SecretsRead] { (scope.name()) } }
                            td role="cell" { (sentence(scope)) }
                        }
                    }
                }
            }
        }
    };
    let lead = "Generated from the table that every request is checked against.";
    Cx::ok(layout(
        &cx,
        Page { section: "roles", title: "Roles and permissions", lead, action: None, body, bare: false },
    ))
}

fn sentence(scope: Scope) -> String {
    let mut text = scope.permissions().iter().map(Permission::does).collect::<Vec<_>>().join(", ");
    if let Some(first) = text.get(..1).map(str::to_uppercase) {
        text.replace_range(..1, &first);
    }
    text
}

fn matrix(own: &str, differing: bool) -> Markup {
    html! {
        table.perms {
            caption.vh { "Permissions of each role" }
            thead { tr {
                th scope="col" { "Permission" }
                @for (name, _) in columns(Permission::WorkflowsRead) { th.tickcol.own[name == own] scope="col" { (name) } }
            } }
            @for (resource, permissions) in groups(differing) {
                tbody {
                    tr.perm-group { th scope="rowgroup" colspan="5" { (group_name(resource)) } }
                    @for p in permissions {
                        @let (thing, action) = p.name().split_once(':').unwrap_or((p.name(), ""));
                        tr {
                            // A narrow screen breaks the name where it has a joint.
                            th scope="row" { code { (thing) ":" wbr; (action) } }
                            @for (name, has) in columns(p) {
                                td.tickcol.own[name == own].yes[has].no[!has] { span.vh { @if has { "Yes" } @else { "No" } } }
                            }
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_permission_has_its_row_once() {
        let rows: Vec<_> = groups(false).into_iter().flat_map(|(_, p)| p).collect();
        assert_eq!(rows.len(), Permission::ALL.len());
        assert!(groups(true).iter().flat_map(|(_, p)| p).all(|p| *p != Permission::WorkflowsRead));
        assert_eq!(group_name("apiKeys"), "API keys");
        assert_eq!(group_name("systemModels"), "System models");
        assert!(sentence(Scope::RunsRead).starts_with("Read runs"));
    }
}
