//! Invitations: sent, resent, taken back. Shown on the members' page.
use crate::{
    cx::{self, Cx},
    form::Faults,
    refusal::{Refusal, Rule},
    respond,
    site::Site,
    stop::{Answer, Stop},
    ui::{Dialog, Icon, ago, dialog, field, foot, form_faults, icon, pager, role_badge, role_cards, when},
};
use axum::Router;
use http::StatusCode;
use maud::{Markup, html};
use settings_domain::{
    ids::InvitationId,
    invitations::{EmailStatus, Invitation, InvitationState, InvitationView},
    policy::{Permission, Role, actions},
    text::Email,
};
use std::sync::Arc;
use uuid::Uuid;

pub(crate) fn routes(router: Router<Arc<Site>>, _: &Site) -> Router<Arc<Site>> {
    router
        .route("/{slug}/settings/members/invite", cx::page(ask).merge(cx::form(invite)))
        .route("/{slug}/settings/invitations/{id}/resend", cx::form(resend))
        .route("/{slug}/settings/invitations/{id}/revoke", cx::page(ask_revoke).merge(cx::form(revoke)))
}

/// Rows of a page: the members above have theirs.
pub(super) const ROWS: usize = 10;

/// Seals a place in a list of this workspace.
pub(super) fn seal_cursor(cx: &Cx, list: &str, id: Uuid) -> Option<String> {
    let context = format!("console|{}|{list}", cx.view.workspace.id);
    cx.site().app().ports().mint.seal_cursor(context.as_bytes(), id.as_bytes()).ok()
}

/// Opens it. What does not open is the beginning: an address that was copied or aged is no fault of its reader.
pub(super) fn open_cursor(cx: &Cx, list: &str, sealed: &str) -> Option<Uuid> {
    let context = format!("console|{}|{list}", cx.view.workspace.id);
    let bytes = cx.site().app().ports().mint.open_cursor(context.as_bytes(), sealed)?;
    Uuid::from_slice(&bytes).ok()
}

/// The list of those that wait.
pub(super) fn card(cx: &Cx, waiting: &[InvitationView], next: Option<&str>) -> Markup {
    let may = cx.can(Permission::MembersInvite);
    let here = cx.query("invited");
    html! {
        section.card aria-labelledby="h-inv" {
            div.card-head { h2 id="h-inv" { "Pending invitations " @if next.is_none() && here.is_empty() { span.count { (waiting.len()) } } } }
            @if waiting.is_empty() {
                div.empty.small { p { "No open invitations. People you invite appear here until they accept." } }
            } @else {
                table.list role="table" {
                    caption.vh { "Pending invitations" }
                    thead role="rowgroup" { tr role="row" {
                        th role="columnheader" scope="col" { "Email" }
                        th role="columnheader" scope="col" { "Role" }
                        th role="columnheader" scope="col" { "Status" }
                        @if may { th.end role="columnheader" scope="col" { span.vh { "Actions" } } }
                    } }
                    tbody role="rowgroup" { @for i in waiting { (row(cx, i, may)) } }
                }
            }
            (pager("Pages of invitations", &cx.url("members"), &[], "invited", here, next))
        }
    }
}

fn row(cx: &Cx, view: &InvitationView, may: bool) -> Markup {
    let i = &view.invitation;
    let over = i.shown_state(cx.at) == InvitationState::Expired;
    let email = i.email.as_str();
    html! {
        tr role="row" {
            td.who role="cell" {
                span.avatar.pending aria-hidden="true" { (icon(Icon::Mail)) }
                div {
                    div.name { (email) }
                    div.sub { "Invited by " @if let Some(name) = &view.inviter_name { bdi { (name) } } @else { "the platform" } }
                }
            }
            td.c-role role="cell" { (role_badge(i.role)) }
            td.c-joined role="cell" {
                @if i.email_status == EmailStatus::Failed { span.badge.danger { "Mail refused" } " " }
                @if over { span.badge.warn { "Expired " (when(i.expires_at, Some(ago(i.expires_at, cx.at)))) } }
                @else { span.muted { "Expires " (when(i.expires_at, Some(ago(i.expires_at, cx.at)))) } }
            }
            @if may {
                td.end.c-act role="cell" { div.row-act {
                    form method="post" action=(cx.url(&format!("invitations/{}/resend", i.id))) { button.btn.small type="submit" data-busy="Sending…" { "Resend" span.vh { " invitation to " (email) } } }
                    a.btn.small.quiet-danger href=(cx.url(&format!("invitations/{}/revoke", i.id))) data-dialog { "Revoke" span.vh { " invitation for " (email) } }
                } }
            }
        }
    }
}

async fn ask(cx: Arc<Cx>) -> Answer {
    cx.require::<actions::InviteMember>()?;
    form(&cx, "", Role::Editor, &Faults::default())
}

fn form(cx: &Cx, email: &str, role: Role, faults: &Faults) -> Answer {
    let body = html! {
        form method="post" action=(cx.url("members/invite")) data-dirty novalidate[!faults.none()] {
            input type="hidden" name="once" value=(cx.once());
            div.dlg-body {
                (form_faults(faults))
                (field("email", "Email address", Some(&html! { "We send a link that works for 7 days." }), faults, |described, invalid| html! {
                    input id="email" name="email" type="email" value=(email) required maxlength="254" autocomplete="off" spellcheck="false" autofocus
                        aria-invalid=[invalid] aria-describedby=[described];
                }))
                (role_cards(role, cx.rank()))
            }
            (foot(cx, "members", &html! { button.btn.primary type="submit" data-busy="Sending…" { (icon(Icon::Send)) "Send invitation" } }))
        }
    };
    let dialog = dialog(
        cx,
        &Dialog {
            section: "members",
            title: "Invite a member",
            back: "members",
            back_label: "Members",
            wide: false,
            guard_copy: false,
            body,
        },
    );
    respond::shown(faults.status(), dialog)
}

fn mail_limit(cx: &Cx, email: &Email) -> Result<(), Stop> {
    let site = cx.site();
    site.limit(|l| l.invitation(cx.view.workspace.id.as_uuid()))?;
    Ok(site.limit(|l| l.recipient(email.key().as_str()))?)
}

async fn invite(cx: Arc<Cx>) -> Answer {
    let permit = cx.permit::<actions::InviteMember>()?;
    let mut faults = Faults::default();
    let typed = cx.field("email").trim();
    let email = faults.parse::<Email>("email", "This", typed);
    let role = cx.field("role").parse::<Role>();
    if role.is_err() {
        faults.rule(
            Rule { status: StatusCode::UNPROCESSABLE_ENTITY, pointer: None, text: "Choose a role.".to_owned() },
            &[],
        );
    }
    let (Some(email), Ok(role)) = (email, role) else {
        return form(&cx, typed, role.unwrap_or(Role::Viewer), &faults);
    };
    mail_limit(&cx, &email)?;
    match cx.site().app().invite(&permit, &cx.call_once("consoleInvite"), email, role).await {
        Ok(sent) => cx.done("members", &format!("Invitation sent to {}.", sent.value().email.as_str())),
        Err(failure) => {
            faults.rule(Refusal::of(failure)?.rule()?, &[("/email", "email")]);
            form(&cx, typed, role, &faults)
        }
    }
}

async fn one(cx: &Cx) -> Result<Invitation, Stop> {
    let id: InvitationId = cx.id("id").ok_or(Stop::NotFound)?;
    let found = cx.snapshot::<actions::ListMembers>().await?.invitation(id).await?;
    Ok(found.ok_or(Stop::NotFound)?.invitation)
}

async fn resend(cx: Arc<Cx>) -> Answer {
    let permit = cx.permit::<actions::ResendInvitation>()?;
    let i = one(&cx).await?;
    mail_limit(&cx, &i.email)?;
    match cx.site().app().resend_invitation(&permit, &cx.call(), i.id).await {
        Ok(_) => {
            cx.done("members", &format!("Invitation sent again to {}. The old link no longer works.", i.email.as_str()))
        }
        Err(failure) => {
            let rule = Refusal::of(failure)?.rule()?;
            explain(&cx, "The invitation was not sent", &rule)
        }
    }
}

async fn ask_revoke(cx: Arc<Cx>) -> Answer {
    cx.require::<actions::RevokeInvitation>()?;
    let i = one(&cx).await?;
    let body = html! {
        form method="post" action=(cx.url(&format!("invitations/{}/revoke", i.id))) {
            div.dlg-body { p { "The link sent to " strong { (i.email.as_str()) } " stops working. You can invite them again at any time." } }
            (foot(&cx, "members", &html! { button.btn.danger type="submit" data-busy="Revoking…" { "Revoke invitation" } }))
        }
    };
    Cx::ok(dialog(
        &cx,
        &Dialog {
            section: "members",
            title: "Revoke invitation?",
            back: "members",
            back_label: "Members",
            wide: false,
            guard_copy: false,
            body,
        },
    ))
}

async fn revoke(cx: Arc<Cx>) -> Answer {
    let permit = cx.permit::<actions::RevokeInvitation>()?;
    let i = one(&cx).await?;
    match cx.site().app().revoke_invitation(&permit, &cx.call(), i.id).await {
        Ok(_) => cx.done("members", &format!("The invitation for {} was revoked.", i.email.as_str())),
        Err(failure) => {
            let rule = Refusal::of(failure)?.rule()?;
            explain(&cx, "The invitation was not revoked", &rule)
        }
    }
}

/// Why a button that has no form of its own did nothing.
fn explain(cx: &Cx, title: &str, rule: &Rule) -> Answer {
    let body = html! {
        div.dlg-body { p { (rule.text) } }
        div.dlg-foot { a.btn.primary href=(cx.url("members")) data-close { "Go to members" } }
    };
    let dialog = dialog(
        cx,
        &Dialog {
            section: "members",
            title,
            back: "members",
            back_label: "Members",
            wide: false,
            guard_copy: false,
            body,
        },
    );
    respond::shown(rule.status, dialog)
}
