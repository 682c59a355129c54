//! Members (seed A, Members; seed B, Users): the grid and roles.
use super::{errors, invitations};
use crate::{
    cx::{self, Cx},
    form::Faults,
    refusal::{Refusal, Rule},
    respond,
    site::Site,
    stop::{Answer, Stop},
    ui::{
        Dialog, Icon, Page, Tone, ask_admins, avatar, banner, called, conflict, dialog, foot, form_faults, gauge, icon,
        layout, pager, person, role_badge, role_cards, role_name, when, zero,
    },
};
use axum::Router;
use http::StatusCode;
use maud::{Markup, html};
use settings_domain::{
    ids::UserId,
    invitations::InvitationView,
    members::MemberView,
    policy::{Permission, Role, actions},
    ports::store::{MemberFilter, Page as Part},
};
use std::sync::Arc;

/// Where it lies.
pub(super) const SECTION: &str = "members";
/// Rows of a page: with ten invitations under them the page stays below 60 KB, style and script included.
const ROWS: usize = 20;

pub(crate) fn routes(router: Router<Arc<Site>>, _: &Site) -> Router<Arc<Site>> {
    router
        .route("/{slug}/settings/members", cx::page(list))
        .route("/{slug}/settings/members/{id}/role", cx::page(ask_role).merge(cx::form(change_role)))
}

struct Shown {
    members: Vec<MemberView>,
    next: Option<String>,
    invitations: Vec<InvitationView>,
    more_invitations: Option<String>,
}

async fn load(cx: &Cx, filter: &MemberFilter, context: &str) -> Result<Shown, Stop> {
    // Who was active a moment ago is still in memory.
    cx.site().app().flush_activity().await?;
    let after = |param: &str, context: &str| invitations::open_cursor(cx, context, cx.query(param));
    let (members_after, invited_after) = (after("after", context), after("invited", "invitations"));
    let mut snapshot = cx.snapshot::<actions::ListMembers>().await?;
    let mut members = snapshot.members(filter, Part { after: members_after, limit: 21 }).await?;
    let next = (members.len() > ROWS)
        .then(|| members.truncate(ROWS))
        .and_then(|()| members.last())
        .and_then(|m| invitations::seal_cursor(cx, context, m.user.id.as_uuid()));
    let mut waiting = snapshot.invitations(Part { after: invited_after, limit: 11 }).await?;
    let more_invitations = (waiting.len() > invitations::ROWS)
        .then(|| waiting.truncate(invitations::ROWS))
        .and_then(|()| waiting.last())
        .and_then(|i| invitations::seal_cursor(cx, "invitations", i.invitation.id.as_uuid()));
    Ok(Shown { members, next, invitations: waiting, more_invitations })
}

async fn list(cx: Arc<Cx>) -> Answer {
    let (q, asked_role) = (cx.query("q"), cx.query("role"));
    let role = asked_role.parse::<Role>().ok();
    // What is longer than any name or address finds nobody; it is not asked.
    let text: String = q.chars().take(200).collect();
    let former = cx.query("state") == "former";
    let filter = MemberFilter { text: Some(text).filter(|t| !t.is_empty()), role, former };
    let context = format!("members|{filter:?}");
    let shown = load(&cx, &filter, &context).await?;
    let edits = cx.can(Permission::MembersEditRole) || cx.can(Permission::MembersRemove);
    let admins = if edits { Vec::new() } else { errors::admins(&cx).await };
    let (used, limit) = (cx.view.seats_used, cx.view.workspace.seat_limit);
    let filtered = filter.text.is_some() || role.is_some() || former;
    let body = html! {
        @if !edits { (banner(Tone::Info, &html! { p { "You can see members, but not change them. " (ask_admins(&cx, &admins)) } })) }
        div.seats {
            div.seats-text {
                strong { (used) " of " (limit) " seats" }
                span.muted { "An open invitation holds a seat until it expires" }
            }
            (gauge(used, limit, "Seats in use"))
        }
        section.card aria-labelledby="h-members" {
            div.card-head {
                h2 id="h-members" { @if former { "Former members " } @else { "Members " } @if !filtered && shown.next.is_none() && cx.query("after").is_empty() { span.count { (shown.members.len()) } } }
                (filters(&cx, q, role))
            }
            div id="member-list" data-one="member" data-many="members" {
                @if shown.members.is_empty() && former && filter.text.is_none() && role.is_none() {
                    p.muted.pad { "Nobody was removed from this workspace, or they were erased since." }
                } @else if shown.members.is_empty() {
                    @let with = role.map(|r| format!(" and the role {}", role_name(r))).unwrap_or_default();
                    (zero("No member matches", &format!("Nobody here has “{q}” in their name or email{with}."), &cx.url("members")))
                } @else {
                    (table(&cx, &shown.members, edits))
                }
                (pager("Pages of members", &cx.url("members"), &[("q", q), ("role", asked_role), ("state", cx.query("state"))], "after", cx.query("after"), shown.next.as_deref()))
            }
        }
        @if cx.can(Permission::MembersErase) {
            p.muted {
                @if former { a href=(cx.url(SECTION)) { "Show members" } }
                @else { a href=(cx.url("members?state=former")) { "Show former members" } ", whose personal data can still be erased." }
            }
        }
        (invitations::card(&cx, &shown.invitations, shown.more_invitations.as_deref()))
    };
    let action = cx.can(Permission::MembersInvite).then(
        || html! { a.btn.primary href=(cx.url("members/invite")) data-dialog { (icon(Icon::Plus)) "Invite member" } },
    );
    let lead = "People in this workspace, their roles, and open invitations.";
    Cx::ok(layout(&cx, Page { section: "members", title: "Members", lead, action, body, bare: false }))
}

fn filters(cx: &Cx, q: &str, role: Option<Role>) -> Markup {
    html! {
        form.filters method="get" action=(cx.url("members")) role="search" aria-label="Members" data-live="#member-list" {
            div.input-icon {
                (icon(Icon::Search))
                label.vh for="q" { "Search members" }
                input id="q" name="q" type="search" value=(q) placeholder="Name or email…" maxlength="200" autocomplete="off" spellcheck="false";
            }
            label.vh for="role" { "Role" }
            @if cx.query("state") == "former" { input type="hidden" name="state" value="former"; }
            select id="role" name="role" {
                option value="" { "All roles" }
                @for r in Role::ALL { option value=(r.name()) selected[role == Some(r)] { (role_name(r)) } }
            }
            button.btn.no-js type="submit" { "Apply" }
        }
    }
}

fn table(cx: &Cx, members: &[MemberView], edits: bool) -> Markup {
    html! {
        table.list.people-list role="table" {
            caption.vh { "Members of " (cx.view.workspace.name.as_str()) }
            thead role="rowgroup" { tr role="row" {
                th role="columnheader" scope="col" { "Member" }
                th role="columnheader" scope="col" { "Role" }
                th role="columnheader" scope="col" { "Joined" }
                @if edits { th.end role="columnheader" scope="col" { span.vh { "Actions" } } }
            } }
            tbody role="rowgroup" { @for m in members { (row(cx, m, edits)) } }
        }
    }
}

fn row(cx: &Cx, m: &MemberView, edits: bool) -> Markup {
    let (name, id) = (called(&m.user), m.user.id);
    let own = id == cx.me.id;
    let active = m.member.is_active();
    let (role, remove) = (active && cx.can(Permission::MembersEditRole), active && cx.can(Permission::MembersRemove));
    let erase = cx.can(Permission::MembersErase).then(|| cx.url(&format!("members/{id}/erase")));
    let (role_url, remove_url) = (cx.url(&format!("members/{id}/role")), cx.url(&format!("members/{id}/remove")));
    html! {
        tr role="row" {
            td.who role="cell" {
                (avatar(name, id.as_uuid()))
                div {
                    div.name { bdi { (name) } @if own { span.badge.you { "You" } } }
                    @if let Some(email) = &m.user.email { @if email.as_str() != name { div.sub { (email.as_str()) } } }
                }
            }
            td.c-role role="cell" { (role_badge(m.member.role)) }
            td.c-joined.muted role="cell" { span.cell-key { "Joined " } (when(m.member.joined_at, None)) }
            @if edits {
                td.end.c-act role="cell" {
                    @if !own {
                        div.row-act {
                            @if role { a.btn.small.only-wide href=(role_url) data-dialog { "Change role" span.vh { " of " (name) } } }
                            button.btn.ghost.icon type="button" popovertarget={ "menu-" (id) } aria-label={ "More actions for " (name) } { (icon(Icon::Dots)) }
                            div.menu id={ "menu-" (id) } popover {
                                @if role { a.only-narrow href=(role_url) data-dialog { "Change role…" } }
                                @if remove { a.danger href=(remove_url) data-dialog { "Remove from workspace…" } }
                                @if let Some(erase) = &erase { a.danger href=(erase) data-dialog { "Erase personal data…" } }
                            }
                        }
                    }
                }
            }
        }
    }
}

pub(super) async fn member(cx: &Cx) -> Result<MemberView, Stop> {
    let id: UserId = cx.id("id").ok_or(Stop::NotFound)?;
    cx.snapshot::<actions::ListMembers>().await?.member(id).await?.ok_or(Stop::NotFound)
}

async fn ask_role(cx: Arc<Cx>) -> Answer {
    cx.require::<actions::ChangeRole>()?;
    let m = member(&cx).await?;
    role_form(&cx, &m, m.member.role, &Faults::default(), None, StatusCode::OK)
}

fn role_form(
    cx: &Cx,
    m: &MemberView,
    chosen: Role,
    faults: &Faults,
    versions: Option<Markup>,
    status: StatusCode,
) -> Answer {
    let body = html! {
        form method="post" action=(cx.url(&format!("members/{}/role", m.user.id))) data-dirty {
            input type="hidden" name="version" value=(m.member.version);
            div.dlg-body {
                (person(&m.user))
                (form_faults(faults))
                @if let Some(versions) = versions { (versions) }
                (role_cards(chosen, Some(Role::Admin)))
                p.hint { "Takes effect on their next request. " a href=(cx.url("roles")) { "Compare roles" } }
            }
            (foot(cx, "members", &html! { button.btn.primary type="submit" data-busy="Saving…" { "Save role" } }))
        }
    };
    let dialog = dialog(
        cx,
        &Dialog {
            section: "members",
            title: "Change role",
            back: "members",
            back_label: "Members",
            wide: false,
            guard_copy: false,
            body,
        },
    );
    respond::shown(status, dialog)
}

async fn change_role(cx: Arc<Cx>) -> Answer {
    let permit = cx.permit::<actions::ChangeRole>()?;
    let m = member(&cx).await?;
    let mut faults = Faults::default();
    let Ok(role) = cx.field("role").parse::<Role>() else {
        let rule = Rule { status: StatusCode::UNPROCESSABLE_ENTITY, pointer: None, text: "Choose a role.".to_owned() };
        faults.rule(rule, &[]);
        return role_form(&cx, &m, m.member.role, &faults, None, faults.status());
    };
    match cx.site().app().change_role(&permit, &cx.call(), m.user.id, role).await {
        Ok(done) => {
            let article = if done.value().member.role == Role::Viewer { "a" } else { "an" };
            cx.done("members", &format!("{} is now {article} {role}.", called(&m.user)))
        }
        Err(failure) => match Refusal::of(failure)? {
            Refusal::Stale => {
                let rows = [("Role", role_name(role).to_owned(), role_name(m.member.role).to_owned())];
                role_form(&cx, &m, role, &faults, Some(conflict(&rows)), StatusCode::PRECONDITION_FAILED)
            }
            other => {
                faults.rule(other.rule()?, &[]);
                role_form(&cx, &m, role, &faults, None, faults.status())
            }
        },
    }
}
