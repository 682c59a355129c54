//! Environments (seed A): production is always there and protected.
use super::{errors, in_environment};
use crate::{
    cx::{self, Cx},
    form::Faults,
    refusal::Refusal,
    respond,
    site::Site,
    stop::{Answer, Stop},
    ui::{
        Dialog, Icon, Page, Tone, ask_admins, banner, conflict, dialog, foot, form_faults, icon, impact_list, layout,
        text_input, when,
    },
};
use axum::Router;
use http::StatusCode;
use maud::{Markup, html};
use settings_app::environments::WantedEnvironment;
use settings_domain::{
    environments::{Environment, Tier},
    impact::Impact,
    policy::{Permission, actions},
    text::EnvironmentName,
};
use std::sync::Arc;

pub(crate) fn routes(router: Router<Arc<Site>>, _: &Site) -> Router<Arc<Site>> {
    router
        .route("/{slug}/settings/environments", cx::page(list))
        .route("/{slug}/settings/environments/new", cx::page(new).merge(cx::form(create)))
        .route("/{slug}/settings/environments/{id}/edit", cx::page(edit).merge(cx::form(update)))
        .route("/{slug}/settings/environments/{id}/delete", cx::page(ask).merge(cx::form(delete)))
}

const fn tier_name(tier: Tier) -> &'static str {
    match tier {
        Tier::Production => "Production",
        Tier::Staging => "Staging",
        Tier::Development => "Development",
    }
}

const fn tier_about(tier: Tier) -> &'static str {
    match tier {
        Tier::Production => "The one that counts.",
        Tier::Staging => "As production, without the consequences.",
        Tier::Development => "For building and trying out.",
    }
}

async fn list(cx: Arc<Cx>) -> Answer {
    let mut snapshot = cx.snapshot::<actions::ListEnvironments>().await?;
    let (environments, counts) = (snapshot.environments().await?, snapshot.variable_counts().await?);
    drop(snapshot);
    let (update, drop) = (cx.can(Permission::EnvironmentsUpdate), cx.can(Permission::EnvironmentsDelete));
    let create = cx.can(Permission::EnvironmentsCreate);
    let admins = if update { Vec::new() } else { errors::admins(&cx).await };
    let body = html! {
        @if !update { (banner(Tone::Info, &html! { p { "You can see environments, but not change them. " (ask_admins(&cx, &admins)) } })) }
        section.card aria-labelledby="h-environments" {
            div.card-head { h2 id="h-environments" { "Environments " span.count { (environments.len()) } } }
            table.list.places role="table" {
                caption.vh { "Environments" }
                thead role="rowgroup" { tr role="row" {
                    th role="columnheader" scope="col" { "Name" }
                    th role="columnheader" scope="col" { "Kind" }
                    th role="columnheader" scope="col" { "Variables" }
                    th role="columnheader" scope="col" { "Created" }
                    @if update || drop { th.end role="columnheader" scope="col" { span.vh { "Actions" } } }
                } }
                tbody role="rowgroup" { @for e in &environments { (row(&cx, e, counts.get(&e.id).copied().unwrap_or(0), update, drop)) } }
            }
        }
        p.hint { "Build and try workflows in staging or development. Deploying straight to production is the most common cause of surprises." }
    };
    let action = create.then(|| html! { a.btn.primary href=(cx.url("environments/new")) data-dialog { (icon(Icon::Plus)) "New environment" } });
    let lead = "Where workflows run: production, and what is built and tried beside it.";
    Cx::ok(layout(&cx, Page { section: "environments", title: "Environments", lead, action, body, bare: false }))
}

fn row(cx: &Cx, e: &Environment, variables: i64, update: bool, drop: bool) -> Markup {
    let name = e.name.as_str();
    html! {
        tr role="row" {
            td.who role="cell" {
                span.avatar.tile aria-hidden="true" { @if e.is_protected() { (icon(Icon::Lock)) } @else { (icon(Icon::Layers)) } }
                div { div.name.mono { (name) } @if e.is_protected() { div.sub { "Protected. Always present." } } }
            }
            td.c-role role="cell" { span.badge.{"tier-" (e.tier.name())} { (tier_name(e.tier)) } }
            td.c-count role="cell" {
                @if cx.can(Permission::VariablesRead) { a href=(cx.url(&in_environment::list_of("variables", Some(e)))) { (variables) span.cell-key { @if variables == 1 { " variable" } @else { " variables" } } span.vh { " in " (name) } } }
                @else { (variables) }
            }
            td.c-joined.muted role="cell" { span.cell-key { "Created " } (when(e.created_at, None)) }
            @if update || drop {
                td.end.c-act role="cell" { @if !e.is_protected() { div.row-act {
                    @if update { a.btn.small href=(cx.url(&format!("environments/{}/edit", e.id))) data-dialog { "Edit" span.vh { " " (name) } } }
                    @if drop { a.btn.small.quiet-danger href=(cx.url(&format!("environments/{}/delete", e.id))) data-dialog { "Delete" span.vh { " " (name) } } }
                } } }
            }
        }
    }
}

fn tiers(chosen: &str) -> Markup {
    html! {
        fieldset.choices {
            legend { "Kind" }
            @for tier in [Tier::Staging, Tier::Development] {
                label.choice {
                    input type="radio" name="tier" value=(tier.name()) checked[tier.name() == chosen] required;
                    span { strong { (tier_name(tier)) } span.sub { (tier_about(tier)) } }
                }
            }
        }
    }
}

struct Form<'a> {
    path: &'a str,
    title: &'a str,
    submit: &'a str,
    name: &'a str,
    tier: &'a str,
    /// A version for what is there, a key for what is new.
    hidden: Markup,
    versions: Option<Markup>,
}

fn form(cx: &Cx, f: Form<'_>, faults: &Faults, status: StatusCode) -> Answer {
    let body = html! {
        form method="post" action=(cx.url(f.path)) data-dirty novalidate[!faults.none()] {
            (f.hidden)
            div.dlg-body {
                (form_faults(faults))
                @if let Some(versions) = f.versions { (versions) }
                (text_input("name", "Name", Some(&html! { "Lower-case letters, digits, hyphens and underscores." }), faults, f.name, true))
                (tiers(f.tier))
            }
            (foot(cx, "environments", &html! { button.btn.primary type="submit" data-busy="Saving…" { (f.submit) } }))
        }
    };
    let dialog = dialog(
        cx,
        &Dialog {
            section: "environments",
            title: f.title,
            back: "environments",
            back_label: "Environments",
            wide: false,
            guard_copy: false,
            body,
        },
    );
    respond::shown(status, dialog)
}

fn new_form(cx: &Cx, name: &str, tier: &str, faults: &Faults) -> Answer {
    let hidden = html! { input type="hidden" name="once" value=(cx.once()); };
    let f = Form {
        path: "environments/new",
        title: "New environment",
        submit: "Create environment",
        name,
        tier,
        hidden,
        versions: None,
    };
    form(cx, f, faults, faults.status())
}

async fn new(cx: Arc<Cx>) -> Answer {
    cx.require::<actions::CreateEnvironment>()?;
    new_form(&cx, "", Tier::Staging.name(), &Faults::default())
}

const POINTERS: &[(&str, &str)] = &[("/name", "name")];

fn read(cx: &Cx, faults: &mut Faults) -> Option<(EnvironmentName, Tier)> {
    let name = faults.parse("name", "The name", cx.field("name").trim());
    let tier = cx.field("tier").parse::<Tier>().ok();
    if tier.is_none() {
        faults.field("tier", "Choose a kind.");
    }
    name.zip(tier)
}

async fn create(cx: Arc<Cx>) -> Answer {
    let permit = cx.permit::<actions::CreateEnvironment>()?;
    let mut faults = Faults::default();
    let again = |faults: &Faults| new_form(&cx, cx.field("name"), cx.field("tier"), faults);
    let Some((name, tier)) = read(&cx, &mut faults) else { return again(&faults) };
    let wanted = WantedEnvironment { id: None, name, tier, version: None };
    match cx.site().app().create_environment(&permit, &cx.call_once("consoleCreateEnvironment"), wanted).await {
        Ok(made) => {
            cx.done("environments", &format!("Environment {} created.", made.value().environment.name.as_str()))
        }
        Err(failure) => {
            faults.rule(Refusal::of(failure)?.rule()?, POINTERS);
            again(&faults)
        }
    }
}

async fn one(cx: &Cx) -> Result<Environment, Stop> {
    let id = cx.id("id").ok_or(Stop::NotFound)?;
    let all = cx.snapshot::<actions::ListEnvironments>().await?.environments().await?;
    all.into_iter().find(|e| e.id == id).ok_or(Stop::NotFound)
}

fn edit_form(
    cx: &Cx,
    e: &Environment,
    name: &str,
    tier: &str,
    faults: &Faults,
    versions: Option<Markup>,
    status: StatusCode,
) -> Answer {
    let path = format!("environments/{}/edit", e.id);
    let version = if versions.is_some() || cx.field("version").is_empty() {
        e.version.to_string()
    } else {
        cx.field("version").to_owned()
    };
    let hidden = html! { input type="hidden" name="version" value=(version); };
    let f = Form { path: &path, title: "Edit environment", submit: "Save environment", name, tier, hidden, versions };
    form(cx, f, faults, status)
}

async fn edit(cx: Arc<Cx>) -> Answer {
    cx.require::<actions::UpdateEnvironment>()?;
    let e = one(&cx).await?;
    if e.is_protected() {
        return protected(&cx, &e);
    }
    edit_form(&cx, &e, e.name.as_str(), e.tier.name(), &Faults::default(), None, StatusCode::OK)
}

/// A page instead of a form: production stays as it is.
fn protected(cx: &Cx, e: &Environment) -> Answer {
    let body = html! {
        div.dlg-body { p { "Every workspace has exactly one production environment. " strong.mono { (e.name.as_str()) } " can’t be renamed, changed or deleted." } }
        div.dlg-foot { a.btn.primary href=(cx.url("environments")) data-close { "Go to environments" } }
    };
    let dialog = dialog(
        cx,
        &Dialog {
            section: "environments",
            title: "Production is protected",
            back: "environments",
            back_label: "Environments",
            wide: false,
            guard_copy: false,
            body,
        },
    );
    respond::shown(StatusCode::CONFLICT, dialog)
}

async fn update(cx: Arc<Cx>) -> Answer {
    let permit = cx.permit::<actions::UpdateEnvironment>()?;
    let e = one(&cx).await?;
    let mut faults = Faults::default();
    let (typed, kind) = (cx.field("name"), cx.field("tier"));
    let Some((name, tier)) = read(&cx, &mut faults) else {
        return edit_form(&cx, &e, typed, kind, &faults, None, faults.status());
    };
    match cx.site().app().update_environment(&permit, &cx.call(), e.id, Some(name), Some(tier)).await {
        Ok(done) => cx.done("environments", &format!("Environment {} saved.", done.value().environment.name.as_str())),
        Err(failure) => match Refusal::of(failure)? {
            Refusal::Stale => {
                let rows = [
                    ("Name", typed.to_owned(), e.name.as_str().to_owned()),
                    ("Kind", kind.to_owned(), e.tier.name().to_owned()),
                ];
                let versions = Some(conflict(&rows));
                edit_form(&cx, &e, typed, kind, &faults, versions, StatusCode::PRECONDITION_FAILED)
            }
            other => {
                faults.rule(other.rule()?, POINTERS);
                edit_form(&cx, &e, typed, kind, &faults, None, faults.status())
            }
        },
    }
}

async fn ask(cx: Arc<Cx>) -> Answer {
    cx.require::<actions::DeleteEnvironment>()?;
    let e = one(&cx).await?;
    if e.is_protected() {
        return protected(&cx, &e);
    }
    delete_form(&cx, &e, &Faults::default(), None, StatusCode::OK)
}

fn delete_form(cx: &Cx, e: &Environment, faults: &Faults, impact: Option<&Impact>, status: StatusCode) -> Answer {
    let name = e.name.as_str();
    let fault = faults.of("confirm");
    let body = html! {
        form method="post" action=(cx.url(&format!("environments/{}/delete", e.id))) data-confirm=(name) novalidate[!faults.none()] {
            input type="hidden" name="version" value=(e.version);
            div.dlg-body {
                (form_faults(faults))
                p { "The environment " strong.mono { (name) } " is gone at once, with everything in it. Workflows that run there stop." }
                @if let Some(impact) = impact { (impact_list(impact)) }
                div.field {
                    label for="confirm" { "Type " strong.mono { (name) } " to confirm" }
                    input id="confirm" name="confirm" type="text" value=(cx.field("confirm")) required pattern=(name) title={ "Type " (name) }
                        autocomplete="off" autocapitalize="off" spellcheck="false" aria-invalid=[fault.map(|_| "true")] aria-describedby="confirm-error";
                    p.error id="confirm-error" hidden[fault.is_none()] { (icon(Icon::Warn)) span { (fault.unwrap_or("Type the name exactly as shown.")) } }
                }
            }
            div.band { (icon(Icon::Warn)) span { "This can’t be undone." } }
            (foot(cx, "environments", &html! { button.btn.danger type="submit" data-busy="Deleting…" { "Delete environment" } }))
        }
    };
    let dialog = dialog(
        cx,
        &Dialog {
            section: "environments",
            title: "Delete environment?",
            back: "environments",
            back_label: "Environments",
            wide: false,
            guard_copy: false,
            body,
        },
    );
    respond::shown(status, dialog)
}

async fn delete(cx: Arc<Cx>) -> Answer {
    let permit = cx.permit::<actions::DeleteEnvironment>()?;
    let e = one(&cx).await?;
    let mut faults = Faults::default();
    if cx.field("confirm").trim() != e.name.as_str() {
        faults.field("confirm", format!("That doesn’t match. Type {} exactly.", e.name.as_str()));
        return delete_form(&cx, &e, &faults, None, faults.status());
    }
    match cx.site().app().delete_environment(&permit, &cx.call(), e.id).await {
        Ok(_) => cx.done("environments", &format!("Environment {} deleted.", e.name.as_str())),
        Err(failure) => match Refusal::of(failure)? {
            Refusal::Unconfirmed(impact) => {
                delete_form(&cx, &e, &faults, Some(&impact), StatusCode::PRECONDITION_REQUIRED)
            }
            Refusal::Stale => {
                faults.rule(crate::refusal::Rule::changed_meanwhile("environment"), POINTERS);
                delete_form(&cx, &e, &faults, None, StatusCode::PRECONDITION_FAILED)
            }
            other @ (Refusal::Rule(_) | Refusal::Reused) => {
                faults.rule(other.rule()?, POINTERS);
                delete_form(&cx, &e, &faults, None, faults.status())
            }
        },
    }
}
