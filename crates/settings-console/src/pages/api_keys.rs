//! API keys (seed A): 16 scopes, shown once, revoked at once.
use crate::{
    cx::{self, Cx},
    form::Faults,
    refusal::{Refusal, Rule},
    respond,
    site::Site,
    stop::{Answer, Stop},
    ui::{
        Dialog, Icon, Page, Tone, ago, banner, count, day, dialog, empty, field, foot, form_faults, icon, impact_list,
        layout, pager, scope_badges, scope_grid, text_input, when, zero,
    },
};
use axum::Router;
use http::StatusCode;
use maud::{Markup, html};
use secrecy::{ExposeSecret as _, SecretString};
use settings_domain::{
    api_keys::{ApiKeyView, KeyStatus},
    ids::ApiKeyId,
    impact::Impact,
    policy::{Permission, Scope, ScopeSet, actions},
    ports::store::{ApiKeyFilter, Page as Part},
    text::DisplayName,
};
use std::sync::Arc;
use time::Duration;

/// Rows of a page.
const ROWS: usize = 25;
/// What is read at once, and how often at most: revoked keys pile up over the years.
const BATCH: i64 = 500;
const BATCHES: usize = 20;
/// A key that nobody used for so long is marked.
const STALE: Duration = Duration::days(60);
/// Lifetimes to choose from, in days.
const LIFETIMES: [(&str, &str, Option<i64>); 4] =
    [("", "No expiry", None), ("30", "30 days", Some(30)), ("90", "90 days", Some(90)), ("365", "1 year", Some(365))];

pub(crate) fn routes(router: Router<Arc<Site>>, _: &Site) -> Router<Arc<Site>> {
    router
        .route("/{slug}/settings/api-keys", cx::page(list))
        .route("/{slug}/settings/api-keys/new", cx::page(new).merge(cx::form(create)))
        .route("/{slug}/settings/api-keys/{id}/revoke", cx::page(ask).merge(cx::form(revoke)))
}

/// All keys: those that work first, then the newest.
async fn load(cx: &Cx) -> Result<Vec<ApiKeyView>, Stop> {
    // Uses of the last second are still in memory.
    cx.site().app().flush_activity().await?;
    let mut snapshot = cx.snapshot::<actions::ListApiKeys>().await?;
    let mut keys: Vec<ApiKeyView> = Vec::new();
    for _ in 0..BATCHES {
        let after = keys.last().map(|k| k.key.id.as_uuid());
        let part = snapshot.api_keys(ApiKeyFilter::default(), Part { after, limit: BATCH }).await?;
        let full = i64::try_from(part.len()).unwrap_or(i64::MAX) == BATCH;
        keys.extend(part);
        if !full {
            break;
        }
    }
    keys.sort_by_key(|k| (k.key.status(cx.at) != KeyStatus::Active, std::cmp::Reverse(k.key.created_at)));
    Ok(keys)
}

fn left(k: &ApiKeyView) -> bool {
    k.creator.as_ref().is_none_or(|c| !c.still_member)
}

async fn list(cx: Arc<Cx>) -> Answer {
    let all = load(&cx).await?;
    let active = |k: &&ApiKeyView| k.key.status(cx.at) == KeyStatus::Active;
    let orphans = all.iter().filter(active).filter(|k| left(k)).count();
    let departed = cx.query("creator") == "departed";
    let shown: Vec<_> = all.iter().filter(|k| !departed || (active(k) && left(k))).collect();
    let start = cx.query("from").parse::<usize>().unwrap_or(0).min(shown.len());
    let (page, next) = (shown.iter().skip(start).take(ROWS), start + ROWS);
    let next = (next < shown.len()).then(|| next.to_string());
    let create = cx.can(Permission::ApiKeysCreate);
    let button =
        || html! { a.btn.primary href=(cx.url("api-keys/new")) data-dialog { (icon(Icon::Plus)) "New API key" } };
    let body = html! {
        @if all.is_empty() {
            (empty(Icon::Key, "Create your first API key", "A key lets a script or another service call this workspace, limited to the scopes you choose. It is sent in the x-api-key header.", create.then(button)))
        } @else {
            @if orphans > 0 && !departed {
                (banner(Tone::Warn, &html! {
                    p { strong { (count(orphans, "key was", "keys were")) " made by someone who left." } " Keys outlive their creator until you revoke them." }
                    a.btn.small href={ (cx.url("api-keys")) "?creator=departed" } { "Show them" }
                }))
            }
            section.card aria-labelledby="h-keys" {
                div.card-head {
                    h2 id="h-keys" { @if departed { "Creator left " } @else { "Keys " } span.count { (shown.len()) } }
                    @if departed { a.btn.small href=(cx.url("api-keys")) { "Show all keys" } }
                    @else { p.muted { (all.iter().filter(active).count()) " active" } }
                }
                @if shown.is_empty() { (zero("No key is left behind", "Every active key was made by somebody who is a member.", &cx.url("api-keys"))) }
                @else {
                    table.list.keys role="table" {
                        caption.vh { "API keys" }
                        thead role="rowgroup" { tr role="row" {
                            th role="columnheader" scope="col" { "Name" }
                            th role="columnheader" scope="col" { "Scopes" }
                            th role="columnheader" scope="col" { "Created" }
                            th role="columnheader" scope="col" { "Last used" }
                            th.end role="columnheader" scope="col" { span.vh { "Actions" } }
                        } }
                        tbody role="rowgroup" { @for k in page { (row(&cx, k)) } }
                    }
                }
                (pager("Pages of keys", &cx.url("api-keys"), &[("creator", cx.query("creator"))], "from", if start == 0 { "" } else { "more" }, next.as_deref()))
            }
        }
    };
    let action = (create && !all.is_empty()).then(button);
    let lead = "Keys for scripts and services. Each can do only what its scopes allow.";
    Cx::ok(layout(&cx, Page { section: "api-keys", title: "API keys", lead, action, body, bare: false }))
}

fn last_used(cx: &Cx, k: &ApiKeyView) -> Markup {
    match k.last_used_at {
        None => html! { "Never" },
        Some(at) => html! { (when(at, Some(ago(at, cx.at)))) },
    }
}

fn row(cx: &Cx, k: &ApiKeyView) -> Markup {
    let (key, status) = (&k.key, k.key.status(cx.at));
    let works = status == KeyStatus::Active;
    let stale = works && k.last_used_at.unwrap_or(key.created_at) + STALE < cx.at;
    html! {
        tr.over[!works] role="row" {
            td role="cell" { div.name { bdi { (key.name.as_str()) } } code.sub { (key.prefix) "…" (key.last4) } }
            td.c-scopes role="cell" { (scope_badges(key.scopes, 3)) }
            td.c-created role="cell" {
                div { span.cell-key { "Created " } (when(key.created_at, None)) }
                @match &k.creator {
                    Some(c) => { div.sub.by { "by " bdi { (c.name.as_deref().unwrap_or("somebody")) } } @if works && !c.still_member { div { span.badge.warn { "Creator left" } } } }
                    None => @if works { div { span.badge.warn { "Creator left" } } }
                }
            }
            td.c-used role="cell" {
                span.cell-key { "Last used " }
                @if stale { span.badge.warn { (last_used(cx, k)) } } @else { (last_used(cx, k)) }
                @if works && let Some(end) = key.expires_at { div.sub { "Expires " (when(end, Some(ago(end, cx.at)))) } }
            }
            td.end.c-act role="cell" {
                @if works {
                    @if cx.can(Permission::ApiKeysRevoke) { a.btn.small.quiet-danger href=(cx.url(&format!("api-keys/{}/revoke", key.id))) data-dialog { "Revoke" span.vh { " " (key.name.as_str()) } } }
                } @else if let Some(at) = key.revoked_at { span.badge { "Revoked " (day(at)) } } @else { span.badge { "Expired" } }
            }
        }
    }
}

/// What a form of a new key holds.
#[derive(Default)]
struct Typed<'a> {
    name: &'a str,
    scopes: Vec<&'a str>,
    lifetime: &'a str,
}

async fn new(cx: Arc<Cx>) -> Answer {
    cx.require::<actions::CreateApiKey>()?;
    form(&cx, &Typed::default(), &Faults::default())
}

fn form(cx: &Cx, typed: &Typed<'_>, faults: &Faults) -> Answer {
    let scope_fault = faults.of("scope");
    let body = html! {
        form method="post" action=(cx.url("api-keys/new")) data-dirty data-scopes novalidate[!faults.none()] {
            input type="hidden" name="once" value=(cx.once());
            div.dlg-body {
                (form_faults(faults))
                (text_input("name", "Name", Some(&html! { "Where is this key used? For example “CI deploy pipeline”." }), faults, typed.name, true))
                fieldset.scopes-set aria-describedby=[scope_fault.map(|_| "scope-error")] {
                    legend { "Scopes" }
                    div.scopes-bar {
                        p.hint { "Only what the key needs. Fixed once the key exists." }
                        div.presets hidden data-js-show {
                            button.btn.small type="button" data-preset="workflows:read runs:read" { "Run monitoring" }
                            button.btn.small type="button" data-preset="workflows:read workflows:write runs:read runs:write" { "Deploy" }
                            button.btn.small type="button" data-preset="audit:read" { "Audit export" }
                            button.btn.small type="button" data-preset="" { "Clear" }
                        }
                    }
                    @if let Some(text) = scope_fault { p.error id="scope-error" tabindex="-1" data-fault { (icon(Icon::Warn)) span { (text) } } }
                    (scope_grid(&typed.scopes))
                }
                (field("lifetime", "Expires", None, faults, |described, invalid| html! {
                    select id="lifetime" name="lifetime" aria-describedby=[described] aria-invalid=[invalid] {
                        @for (value, label, _) in LIFETIMES { option value=(value) selected[value == typed.lifetime] { (label) } }
                    }
                }))
            }
            div aria-live="polite" {
                div.band.if-secrets { (icon(Icon::Warn)) p { strong { "secrets:read reveals raw secret values." } " Each reveal is logged as a high-risk " code { "secret.accessed" } " event." } }
            }
            div.dlg-foot {
                p.tally aria-live="polite" data-tally {}
                a.btn href=(cx.url("api-keys")) data-close { "Cancel" }
                button.btn.primary type="submit" data-busy="Creating…" { "Create key" }
            }
        }
    };
    let dialog = dialog(
        cx,
        &Dialog {
            section: "api-keys",
            title: "New API key",
            back: "api-keys",
            back_label: "API keys",
            wide: true,
            guard_copy: false,
            body,
        },
    );
    respond::shown(faults.status(), dialog)
}

async fn create(cx: Arc<Cx>) -> Answer {
    let permit = cx.permit::<actions::CreateApiKey>()?;
    let typed = Typed {
        name: cx.field("name"),
        scopes: cx.fields("scope").collect(),
        lifetime: LIFETIMES.iter().map(|l| l.0).find(|l| *l == cx.field("lifetime")).unwrap_or(""),
    };
    let mut faults = Faults::default();
    let name = if typed.name.trim().is_empty() {
        faults.field("name", "Give the key a name, so that you recognise it later.");
        None
    } else {
        faults.parse::<DisplayName>("name", "The name", typed.name.trim())
    };
    let scopes: Result<ScopeSet, _> = typed.scopes.iter().map(|s| s.parse::<Scope>()).collect();
    let scopes = scopes.ok().filter(|s| !s.is_empty());
    if scopes.is_none() {
        faults.field("scope", "Select at least one scope.");
    }
    let (Some(name), Some(scopes)) = (name, scopes) else { return form(&cx, &typed, &faults) };
    let days = LIFETIMES.iter().find(|l| l.0 == typed.lifetime).and_then(|l| l.2);
    let expires_at = days.map(|d| cx.at + Duration::days(d));
    let call = cx.call_once("consoleCreateApiKey");
    match cx.site().app().create_api_key(&permit, &call, name, scopes, expires_at).await {
        Ok(made) => {
            let key = made.key.value();
            match &made.value {
                Some(value) => {
                    let page = created(&cx, key.name.as_str(), value, key.scopes);
                    respond::shown(StatusCode::CREATED, page)
                }
                None => respond::shown(StatusCode::CONFLICT, again(&cx)),
            }
        }
        Err(failure) => match Refusal::of(failure)? {
            Refusal::Reused => respond::shown(StatusCode::CONFLICT, again(&cx)),
            other => {
                faults.rule(other.rule()?, &[("/scopes", "scope"), ("/expiresAt", "lifetime")]);
                form(&cx, &typed, &faults)
            }
        },
    }
}

/// The one page that ever shows a key's value.
fn created(cx: &Cx, name: &str, value: &SecretString, scopes: ScopeSet) -> Markup {
    let text = value.expose_secret();
    let slug = cx.view.workspace.slug.as_str();
    let curl = format!("curl {}/w/{slug}/workspace \\\n  -H \"x-api-key: $SETTINGS_KEY\"", cx.site().public_url());
    let body = html! {
        div.dlg-body {
            (banner(Tone::Warn, &html! { p { strong { "This is the only time you see this key." } " We keep a hash of it, so nobody can show it again. Store it in your secret manager now." } }))
            div.field {
                label for="secret" { "Key “" bdi { (name) } "”" }
                div.copy-row {
                    textarea.mono id="secret" rows="2" readonly data-select spellcheck="false" autocomplete="off" { (text) }
                    button.btn.primary type="button" data-copy="#secret" hidden data-js-show { (icon(Icon::Copy)) span { "Copy key" } }
                }
            }
            div.field { span.label { "Scopes" } (scope_badges(scopes, 16)) }
            details.try {
                summary { "Try it from a terminal" }
                pre tabindex="0" aria-label="Example request" { code id="curl" { (curl) } }
                p.hint { "The header is " code { "x-api-key" } ", not " code { "Authorization" } ". The value is case-sensitive." }
            }
        }
        div.dlg-foot {
            div.leave hidden role="alert" { p { strong { "You haven’t copied the key yet." } } }
            a.btn href=(cx.url("api-keys")) data-close data-done { "Done" }
        }
    };
    dialog(
        cx,
        &Dialog {
            section: "api-keys",
            title: "Copy your new key",
            back: "api-keys",
            back_label: "API keys",
            wide: true,
            guard_copy: true,
            body,
        },
    )
}

fn again(cx: &Cx) -> Markup {
    let body = html! {
        div.dlg-body { p { "The form was sent twice, so nothing new was created. The key’s value can’t be shown again: if you didn’t copy it, revoke it and create another." } }
        div.dlg-foot { a.btn.primary href=(cx.url("api-keys")) { "Go to API keys" } }
    };
    dialog(
        cx,
        &Dialog {
            section: "api-keys",
            title: "This key was already created",
            back: "api-keys",
            back_label: "API keys",
            wide: false,
            guard_copy: false,
            body,
        },
    )
}

async fn one(cx: &Cx) -> Result<ApiKeyView, Stop> {
    let id: ApiKeyId = cx.id("id").ok_or(Stop::NotFound)?;
    load(cx).await?.into_iter().find(|k| k.key.id == id).ok_or(Stop::NotFound)
}

async fn ask(cx: Arc<Cx>) -> Answer {
    cx.require::<actions::RevokeApiKey>()?;
    let k = one(&cx).await?;
    respond::shown(StatusCode::OK, revoke_form(&cx, &k, None))
}

fn revoke_form(cx: &Cx, k: &ApiKeyView, impact: Option<&Impact>) -> Markup {
    let body = html! {
        form method="post" action=(cx.url(&format!("api-keys/{}/revoke", k.key.id))) {
            div.dlg-body {
                dl.kv {
                    dt { "Key" } dd { strong { bdi { (k.key.name.as_str()) } } " " code { (k.key.prefix) "…" (k.key.last4) } }
                    dt { "Last used" } dd { (last_used(cx, k)) }
                    dt { "Scopes" } dd { (scope_badges(k.key.scopes, 16)) }
                }
                @if let Some(impact) = impact { (impact_list(impact)) }
                @else { p { "Anything that uses this key stops working immediately. A revoked key can’t be restored." } }
            }
            @let verb = if impact.is_some() { "Revoke anyway" } else { "Revoke key" };
            (foot(cx, "api-keys", &html! { button.btn.danger type="submit" data-busy="Revoking…" { (verb) } }))
        }
    };
    let title = if impact.is_some() { "This key is in use" } else { "Revoke API key?" };
    dialog(
        cx,
        &Dialog {
            section: "api-keys",
            title,
            back: "api-keys",
            back_label: "API keys",
            wide: false,
            guard_copy: false,
            body,
        },
    )
}

async fn revoke(cx: Arc<Cx>) -> Answer {
    let permit = cx.permit::<actions::RevokeApiKey>()?;
    let k = one(&cx).await?;
    match cx.site().app().revoke_api_key(&permit, &cx.call(), k.key.id).await {
        Ok(_) => cx.done("api-keys", &format!("“{}” is revoked. Requests with it now get 401.", k.key.name.as_str())),
        Err(failure) => match Refusal::of(failure)? {
            Refusal::Unconfirmed(impact) => {
                respond::shown(StatusCode::PRECONDITION_REQUIRED, revoke_form(&cx, &k, Some(&impact)))
            }
            other => {
                let Rule { status, text, .. } = other.rule()?;
                tracing::warn!(%status, text, "a key was not revoked");
                Err(Stop::Internal)
            }
        },
    }
}
