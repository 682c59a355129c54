//! Somebody leaves (seed A, Members; "Common mistakes"): what ends at once, what they leave behind, and who takes it over.
use super::members::{SECTION, member};
use crate::{
    cx::{self, Cx},
    form::Faults,
    refusal::{Refusal, Rule},
    respond,
    site::Site,
    stop::{Answer, Stop},
    ui::{
        Dialog, Tone, ago, banner, called, count, dialog, event_name, field, foot, form_faults, person, role_name,
        scope_badges, when,
    },
};
use axum::Router;
use http::StatusCode;
use maud::{Markup, html};
use settings_app::members::TheirKeys;
use settings_domain::{
    api_keys::{ApiKey, ApiKeyView},
    audit_digest::{AuditDigest, DigestSettings},
    ids::UserId,
    impact::Guard,
    invitations::{Invitation, InvitationState},
    members::{MemberView, User},
    notifications::{NotificationSettings, PreferenceChange},
    policy::{EventType, Permission, Role, actions},
    ports::store::{ApiKeyFilter, MemberFilter, Page as Part},
    text::Email,
    transaction::Call,
};
use std::{collections::BTreeMap, sync::Arc};

/// Most that are named of a kind; of the rest there is the number.
const NAMED: usize = 8;
/// Who can take mails over: as many as fit a list to choose from.
const HEIRS: i64 = 50;

pub(crate) fn routes(router: Router<Arc<Site>>, _: &Site) -> Router<Arc<Site>> {
    router.route("/{slug}/settings/members/{id}/remove", cx::page(ask).merge(cx::form(remove)))
}

/// The keys that somebody would leave behind. Nothing where this person may not read keys.
pub(super) async fn keys_of(cx: &Cx, user: UserId) -> Result<Vec<ApiKeyView>, Stop> {
    if !cx.can(Permission::ApiKeysRead) {
        return Ok(Vec::new());
    }
    let filter = ApiKeyFilter { active_of: Some(user), ..ApiKeyFilter::default() };
    let page = Part { after: None, limit: settings_domain::api_keys::MAX_KEYS };
    Ok(cx.snapshot::<actions::ListApiKeys>().await?.api_keys(filter, page).await?)
}

/// The first of some keys, and how many more there are.
pub(super) fn key_list<'a>(keys: impl ExactSizeIterator<Item = &'a ApiKey>) -> Markup {
    let all = keys.len();
    html! {
        ul.plain { @for k in keys.take(NAMED) { li { bdi { (k.name.as_str()) } " " code { (k.prefix) "…" (k.last4) } } } }
        @if all > NAMED { p.sub { "And " (all - NAMED) " more." } }
    }
}

/// What of a workspace hangs on somebody, as far as the one who looks may know.
struct Traces {
    keys: Vec<ApiKeyView>,
    /// Sent by them and not accepted.
    invitations: Vec<Invitation>,
    notifications: Option<NotificationSettings>,
    /// The events whose mails go to their address.
    events: Vec<EventType>,
    digest: Option<AuditDigest>,
    /// Who can get the mails: the admins that stay, whoever looks first.
    heirs: Vec<User>,
}

impl Traces {
    async fn of(cx: &Cx, user: &User) -> Result<Self, Stop> {
        let keys = keys_of(cx, user.id).await?;
        let mut snapshot = cx.snapshot::<actions::ListMembers>().await?;
        let open = snapshot.invitations(Part { after: None, limit: 100 }).await?.into_iter().map(|v| v.invitation);
        let sent = |i: &Invitation| i.invited_by == Some(user.id) && i.shown_state(cx.at) == InvitationState::Pending;
        let invitations = open.filter(sent).collect();
        let admins = MemberFilter { text: None, role: Some(Role::Admin), former: false };
        let admins = snapshot.members(&admins, Part { after: None, limit: HEIRS }).await?;
        let mut heirs: Vec<User> = admins.into_iter().map(|m| m.user).filter(|u| u.id != user.id).collect();
        heirs.retain(|u| u.email.is_some());
        heirs.sort_by_key(|u| u.id != cx.me.id);
        drop(snapshot);
        let notifications = if cx.can(Permission::NotificationsUpdate) {
            Some(cx.snapshot::<actions::ReadNotifications>().await?.notification_settings().await?)
        } else {
            None
        };
        let events = notifications.iter().flat_map(NotificationSettings::all);
        let named = |r: &Email| is(user, r);
        let events =
            events.filter(|(_, p)| p.recipients.iter().any(|r| named(&r.email))).map(|(kind, _)| kind).collect();
        let digest = if cx.can(Permission::AuditDigestUpdate) {
            let digest = cx.snapshot::<actions::ReadAuditDigest>().await?.audit_digest().await?;
            Some(digest).filter(|d| d.settings.recipients.iter().any(named))
        } else {
            None
        };
        Ok(Self { keys, invitations, notifications, events, digest, heirs })
    }
    fn gets_mails(&self) -> bool {
        !self.events.is_empty() || self.digest.is_some()
    }
}

fn is(user: &User, address: &Email) -> bool {
    user.email.as_ref().is_some_and(|own| own.key() == address.key())
}

async fn ask(cx: Arc<Cx>) -> Answer {
    cx.require::<actions::RemoveMember>()?;
    let m = member(&cx).await?;
    let traces = Traces::of(&cx, &m.user).await?;
    form(&cx, &m, &traces, &Faults::default())
}

fn form(cx: &Cx, m: &MemberView, traces: &Traces, faults: &Faults) -> Answer {
    let name = called(&m.user);
    let body = html! {
        form method="post" action=(cx.url(&format!("members/{}/remove", m.user.id))) {
            input type="hidden" name="version" value=(m.member.version);
            div.dlg-body {
                (person(&m.user))
                (form_faults(faults))
                section.leave-part {
                    (heading(cx, "Ends at once"))
                    ul.facts {
                        li { bdi { (name) } " loses access to " bdi { (cx.view.workspace.name.as_str()) } ", as " (role_name(m.member.role)) ", in every browser." }
                        @if m.member.role == Role::Admin { li { "Mails that go to the admins go to those who stay." } }
                        @match traces.invitations.len() {
                            0 => li { "No invitation of theirs is open." },
                            n => li {
                                (count(n, "open invitation of theirs is", "open invitations of theirs are")) " taken back: "
                                @for (i, open) in traces.invitations.iter().take(NAMED).enumerate() { @if i > 0 { ", " } bdi { (open.email.as_str()) } }
                                @if n > NAMED { " and " (n - NAMED) " more" } "."
                            },
                        }
                    }
                }
                (keys(cx, &traces.keys))
                (mails(cx, traces, faults))
                section.leave-part {
                    (heading(cx, "Stays"))
                    ul.facts {
                        li { "What they set up belongs to the workspace: environments, variables, secrets, models, webhooks." }
                        @if cx.can(Permission::AuditRead) { li { "What they did stays in the audit log. " a href=(cx.url(&format!("audit-log?actor={}", m.user.id))) { "Look at it" } } }
                        li { "Their account stays, and you can invite them again." }
                    }
                }
            }
            (foot(cx, SECTION, &html! { button.btn.danger type="submit" data-busy="Removing…" { "Remove member" } }))
        }
    };
    let d = Dialog {
        section: SECTION,
        title: "Remove from workspace?",
        back: SECTION,
        back_label: "Members",
        wide: true,
        guard_copy: false,
        body,
    };
    respond::shown(faults.status(), dialog(cx, &d))
}

/// Below the title, which is one level higher on a page than in a dialog.
fn heading(cx: &Cx, text: &str) -> Markup {
    html! { @if cx.fragment { h3 { (text) } } @else { h2 { (text) } } }
}

/// Keys outlive who made them (seed A), so they are shown with what they can do.
fn keys(cx: &Cx, keys: &[ApiKeyView]) -> Markup {
    if !cx.can(Permission::ApiKeysRead) {
        return html! {};
    }
    html! {
        section.leave-part {
            (heading(cx, "API keys they made"))
            @if keys.is_empty() { p.muted { "None that still works." } } @else {
                (banner(Tone::Warn, &html! {
                    p { strong { (count(keys.len(), "API key that keeps working", "API keys that keep working")) } " until somebody revokes " @if keys.len() > 1 { "them." } @else { "it." } }
                    ul.left-keys {
                        @for k in keys.iter().take(NAMED) {
                            li {
                                div { bdi { (k.key.name.as_str()) } " " code { (k.key.prefix) "…" (k.key.last4) } }
                                (scope_badges(k.key.scopes, 4))
                                div.sub { @match k.last_used_at { Some(at) => { "Last used " (when(at, Some(ago(at, cx.at)))) } None => "Never used" } }
                            }
                        }
                    }
                    @if keys.len() > NAMED { p.sub { "And " (keys.len() - NAMED) " more." } }
                    @if cx.can(Permission::ApiKeysRevoke) {
                        label.tick { input type="checkbox" name="keys" value="revoke" checked[cx.field("keys") == "revoke"]; span { "Also revoke " @if keys.len() > 1 { "these keys" } @else { "this key" } } }
                    }
                }))
            }
        }
    }
}

/// Mails that are sent to their address by name: an address stays on a list until somebody takes it off.
fn mails(cx: &Cx, traces: &Traces, faults: &Faults) -> Markup {
    if traces.notifications.is_none() {
        return html! {};
    }
    let chosen = cx.field("mails");
    let names = traces.events.iter().map(|e| event_name(*e)).chain(traces.digest.as_ref().map(|_| "Audit digest"));
    html! {
        section.leave-part {
            (heading(cx, "Mails to their address"))
            @if !traces.gets_mails() { p.muted { "No list names it." } } @else {
                p { "Named as recipient of: " strong { (names.collect::<Vec<_>>().join(", ")) } "." }
                (field("mails", "From now on", None, faults, |described, invalid| html! {
                    select id="mails" name="mails" aria-describedby=[described] aria-invalid=[invalid] {
                        @for heir in &traces.heirs {
                            @let id = heir.id.to_string();
                            option value=(id) selected[chosen == id] { @if heir.id == cx.me.id { "I get them" } @else { (called(heir)) " gets them" } }
                        }
                        option value="off" selected[chosen == "off"] { "Take the address off the lists" }
                        option value="keep" selected[chosen == "keep"] { "Keep sending them there" }
                    }
                }))
            }
        }
    }
}

/// Somebody in somebody's place, each once; nobody in it where there is no heir.
fn replaced<'a>(all: impl Iterator<Item = &'a Email>, user: &User, heir: Option<&Email>) -> Vec<Email> {
    let mut next: Vec<Email> = Vec::new();
    for address in all {
        let address = if is(user, address) { heir } else { Some(address) };
        if let Some(address) = address.filter(|a| next.iter().all(|n| n.key() != a.key())) {
            next.push(address.clone());
        }
    }
    next
}

/// Hands the mails over, by the same use cases as their own pages. Whatever stands against it is said beside the choice.
async fn hand_over(cx: &Cx, user: &User, traces: &Traces, faults: &mut Faults) -> Result<(), Stop> {
    let chosen = cx.field("mails");
    if !traces.gets_mails() || matches!(chosen, "" | "keep") {
        return Ok(());
    }
    let heir = traces.heirs.iter().find(|h| h.id.to_string() == chosen).and_then(|h| h.email.as_ref());
    if heir.is_none() && chosen != "off" {
        faults.field("mails", "Choose who gets the mails.");
        return Ok(());
    }
    let seen = |version| Call { guard: Guard { version: Some(version), confirm: None }, ..cx.call() };
    // The digest first: it is what may refuse to be left without anybody.
    if let Some(digest) = &traces.digest {
        let recipients = replaced(digest.settings.recipients.iter(), user, heir);
        let settings = DigestSettings { recipients, ..digest.settings.clone() };
        let permit = cx.permit::<actions::UpdateAuditDigest>()?;
        if let Err(failure) = cx.site().app().configure_audit_digest(&permit, &seen(digest.version), settings).await {
            faults.rule(at_mails(Refusal::of(failure)?.or_changed("audit digest")?), &[("/mails", "mails")]);
            return Ok(());
        }
    }
    if let Some(present) = traces.notifications.as_ref().filter(|_| !traces.events.is_empty()) {
        let wanted: BTreeMap<EventType, PreferenceChange> = traces
            .events
            .iter()
            .map(|kind| {
                let now = present.of(*kind);
                let recipients = replaced(now.recipients.iter().map(|r| &r.email), user, heir);
                (*kind, PreferenceChange { channels: now.channels, recipients: Some(recipients) })
            })
            .collect();
        let permit = cx.permit::<actions::UpdateNotifications>()?;
        if let Err(failure) = cx.site().app().update_notifications(&permit, &seen(present.version), &wanted).await {
            faults.rule(at_mails(Refusal::of(failure)?.or_changed("list of recipients")?), &[("/mails", "mails")]);
        }
    }
    Ok(())
}

fn at_mails(rule: Rule) -> Rule {
    Rule { pointer: Some("/mails"), ..rule }
}

async fn remove(cx: Arc<Cx>) -> Answer {
    let permit = cx.permit::<actions::RemoveMember>()?;
    let m = member(&cx).await?;
    let mut faults = Faults::default();
    // Before anything else is done for it: who was changed meanwhile is looked at again.
    if cx.field("version").parse().is_ok_and(|seen: i64| seen != m.member.version) {
        faults.rule(changed(&m), &[]);
    } else {
        let traces = Traces::of(&cx, &m.user).await?;
        hand_over(&cx, &m.user, &traces, &mut faults).await?;
    }
    if faults.none() {
        let theirs = if cx.field("keys") == "revoke" { TheirKeys::Revoke } else { TheirKeys::Keep };
        match cx.site().app().remove_member(&permit, &cx.call(), m.user.id, theirs).await {
            Ok(done) => return removed(&cx, &m, done.value().active_keys.len()),
            Err(failure) => match Refusal::of(failure)? {
                Refusal::Stale => faults.rule(changed(&m), &[]),
                other => faults.rule(other.rule()?, &[]),
            },
        }
    }
    let traces = Traces::of(&cx, &m.user).await?;
    form(&cx, &m, &traces, &faults)
}

fn changed(m: &MemberView) -> Rule {
    let text = format!(
        "Somebody changed this member meanwhile: they are {} now. Remove them if you still want to.",
        role_name(m.member.role)
    );
    Rule { status: StatusCode::PRECONDITION_FAILED, pointer: None, text }
}

fn removed(cx: &Cx, m: &MemberView, left: usize) -> Answer {
    let name = called(&m.user);
    // Removing oneself is the end of one's own way in.
    if m.user.id == cx.me.id {
        return Ok(respond::see_other(&cx.site().at("/")));
    }
    if left > 0 && cx.can(Permission::ApiKeysRead) {
        let keys = count(left, "API key they made still works", "API keys they made still work");
        let said = format!("{name} was removed. {keys}: revoke what is not needed.");
        return cx.done("api-keys?creator=departed", &said);
    }
    cx.done(SECTION, &format!("{name} was removed from this workspace."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    #[test]
    fn an_address_is_replaced_once_and_everywhere_in_its_place() {
        let email = |text: &str| text.parse::<Email>().unwrap();
        let user = User {
            id: UserId::from_uuid(Uuid::nil()),
            email: Some(email("leaver@x.example")),
            name: None,
            avatar_url: None,
        };
        let list = ["a@x.example", "Leaver@x.example", "heir@x.example"].map(email);
        let after = |heir: Option<&Email>| {
            replaced(list.iter(), &user, heir).iter().map(|e| e.as_str().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(after(Some(&email("Heir@x.example"))), ["a@x.example", "Heir@x.example"]);
        assert_eq!(after(None), ["a@x.example", "heir@x.example"]);
    }
}
