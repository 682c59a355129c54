//! A variable: made, renamed, given another value, deleted.
use super::SECTION;
use crate::{
    cx::Cx,
    form::Faults,
    pages::in_environment::{self, environment_badge, environment_field, list_of},
    refusal::Refusal,
    respond,
    stop::{Answer, Stop},
    ui::{
        Dialog, Icon, WriteOnly, conflict, dialog, field, foot, form_faults, icon, impact_list, uses_banner, write_only,
    },
    write_only::Entered,
};
use http::StatusCode;
use maud::{Markup, html};
use settings_app::variables::{ChangeVariable, CreateVariable};
use settings_domain::{
    environments::Environment,
    impact::Impact,
    policy::actions,
    references::Dependant,
    variables::{Variable, VariableName},
};
use std::sync::Arc;

const POINTERS: &[(&str, &str)] = &[("/name", "name"), ("/environmentId", "environment")];

fn shown(cx: &Cx, title: &str, back: &str, status: StatusCode, body: Markup) -> Answer {
    let d = Dialog { section: SECTION, title, back, back_label: "Variables", wide: false, guard_copy: false, body };
    respond::shown(status, dialog(cx, &d))
}

/// The name; script offers it in the usual spelling.
fn name_field(name: &str, faults: &Faults, focus: bool) -> Markup {
    let hint = html! { "As scripts write it, usually " code { "SCREAMING_SNAKE_CASE" } ". Begin with the service it is for: " code { "MASTODON_ACCESS_TOKEN" } "." };
    html! {
        (field("name", "Name", Some(&hint), faults, |described, invalid| html! {
            input.mono id="name" name="name" type="text" value=(name) required maxlength="256" autocomplete="off" autocapitalize="off"
                spellcheck="false" autofocus[focus] aria-invalid=[invalid] aria-describedby=[described] data-snake;
            button.btn.small.offer type="button" hidden data-offer { "Use " span.mono {} }
        }))
    }
}

fn read_name(cx: &Cx, faults: &mut Faults) -> Option<VariableName> {
    let typed = cx.field("name").trim();
    if typed.is_empty() {
        faults.field("name", "Give the variable a name.");
        return None;
    }
    faults.parse("name", "The name", typed)
}

pub(super) async fn new(cx: Arc<Cx>) -> Answer {
    cx.require::<actions::CreateVariable>()?;
    let environments = in_environment::all(&cx).await?;
    let chosen = in_environment::preselected(&cx, &environments);
    // The comparison of environments leads here with a name.
    new_form(&cx, &environments, cx.query("name"), &chosen, &Faults::default())
}

fn new_form(cx: &Cx, environments: &[Environment], name: &str, chosen: &str, faults: &Faults) -> Answer {
    let body = html! {
        form method="post" action=(cx.url("variables/new")) data-dirty novalidate[!faults.none()] {
            input type="hidden" name="once" value=(cx.once());
            div.dlg-body {
                (form_faults(faults))
                (name_field(name, faults, true))
                (write_only(cx, &WriteOnly { id: "value", label: "Value", hint: Some(html! { "Up to 64 KiB, kept exactly as entered. No page shows it again." }), required: true }, faults))
                (environment_field(environments, chosen, faults))
            }
            (foot(cx, SECTION, &html! { button.btn.primary type="submit" data-busy="Creating…" { "Create variable" } }))
        }
    };
    shown(cx, "New variable", SECTION, faults.status(), body)
}

pub(super) async fn create(cx: Arc<Cx>) -> Answer {
    let permit = cx.permit::<actions::CreateVariable>()?;
    let environments = in_environment::all(&cx).await?;
    let mut faults = Faults::default();
    let name = read_name(&cx, &mut faults);
    let value = cx.value(&mut faults, "value", "The value", Some("Enter a value."));
    let environment = in_environment::chosen(&cx, &environments, &mut faults);
    let again = |faults: &Faults| new_form(&cx, &environments, cx.field("name"), cx.field("environment"), faults);
    let (Some(name), Some(value), Some(environment)) = (name, value, environment) else { return again(&faults) };
    let new = CreateVariable { environment, name, value };
    match cx.site().app().create_variable(&permit, &cx.call_once("consoleCreateVariable"), new).await {
        Ok(made) => {
            let place = in_environment::of(&environments, environment);
            let name = made.value().name.as_str();
            cx.done(&list_of(SECTION, place), &format!("Variable {name} created. The next run can read it."))
        }
        Err(failure) => {
            faults.rule(Refusal::of(failure)?.rule()?, POINTERS);
            again(&faults)
        }
    }
}

/// A variable, where it lives, and what is said to use it.
struct Found {
    variable: Variable,
    environment: Option<Environment>,
    dependants: Vec<Dependant>,
}

impl Found {
    async fn load(cx: &Cx) -> Result<Self, Stop> {
        let id = cx.id("id").ok_or(Stop::NotFound)?;
        let mut snapshot = cx.snapshot::<actions::ListVariables>().await?;
        let variable = snapshot.variable(id).await?.ok_or(Stop::NotFound)?;
        let dependants = snapshot.dependants([id]).await?;
        let all = in_environment::all(cx).await?;
        let environment = all.into_iter().find(|e| e.id == variable.environment);
        Ok(Self { variable, environment, dependants })
    }
    fn back(&self) -> String {
        list_of(SECTION, self.environment.as_ref())
    }
    fn uses(&self, what_then: &str) -> Markup {
        uses_banner(&self.dependants.iter().collect::<Vec<_>>(), what_then)
    }
}

/// What stands between a form and its change.
#[derive(Default)]
struct Question<'a> {
    impact: Option<&'a Impact>,
    versions: Option<Markup>,
}

pub(super) async fn edit(cx: Arc<Cx>) -> Answer {
    cx.require::<actions::UpdateVariable>()?;
    let found = Found::load(&cx).await?;
    let name = found.variable.name.as_str();
    edit_form(&cx, &found, name, &Faults::default(), Question::default(), StatusCode::OK)
}

fn edit_form(cx: &Cx, found: &Found, name: &str, faults: &Faults, q: Question<'_>, status: StatusCode) -> Answer {
    let v = &found.variable;
    // A form that aged is confirmed with both versions in sight; else it keeps the one it was opened with.
    let sent = cx.field("version");
    let version = if q.versions.is_some() || sent.is_empty() { v.version.to_string() } else { sent.to_owned() };
    let body = html! {
        form method="post" action=(cx.url(&format!("variables/{}/edit", v.id))) data-dirty novalidate[!faults.none()] {
            input type="hidden" name="version" value=(version);
            div.dlg-body {
                (form_faults(faults))
                @if let Some(versions) = q.versions { (versions) }
                @if let Some(impact) = q.impact { (impact_list(impact)) }
                dl.kv { dt { "Environment" } dd { (environment_badge(found.environment.as_ref())) } }
                (name_field(name, faults, q.impact.is_none()))
                (write_only(cx, &WriteOnly { id: "value", label: "New value", hint: Some(html! { "Leave empty to keep the current value. It can’t be shown." }), required: false }, faults))
                @if q.impact.is_none() { (found.uses("They find it by its name: another name breaks them.")) }
            }
            @if q.impact.is_some() { (foot(cx, &found.back(), &html! { button.btn.danger type="submit" data-busy="Saving…" { "Save anyway" } })) }
            @else { (foot(cx, &found.back(), &html! { button.btn.primary type="submit" data-busy="Saving…" { "Save variable" } })) }
        }
    };
    let title = if q.impact.is_some() { "This change has consequences" } else { "Edit variable" };
    shown(cx, title, &found.back(), status, body)
}

pub(super) async fn update(cx: Arc<Cx>) -> Answer {
    let permit = cx.permit::<actions::UpdateVariable>()?;
    let found = Found::load(&cx).await?;
    let (typed, mut faults) = (cx.field("name"), Faults::default());
    let name = read_name(&cx, &mut faults);
    let value = cx.value(&mut faults, "value", "The value", None);
    let Some(name) = name.filter(|_| faults.none()) else {
        let status = faults.status();
        return edit_form(&cx, &found, typed, &faults, Question::default(), status);
    };
    let change = ChangeVariable { environment: None, name: Some(name), value };
    match cx.site().app().update_variable(&permit, &cx.call(), found.variable.id, change).await {
        Ok(done) => cx.done(&found.back(), &format!("Variable {} saved.", done.value().name.as_str())),
        Err(failure) => match Refusal::of(failure)? {
            Refusal::Stale => {
                let new_value = matches!(cx.entered("value"), Entered::Value(_));
                let value = if new_value { "the one you entered" } else { "as it is now" };
                let rows = [
                    ("Name", typed.to_owned(), found.variable.name.as_str().to_owned()),
                    ("Value", value.to_owned(), "as it is now".to_owned()),
                ];
                let q = Question { versions: Some(conflict(&rows)), impact: None };
                edit_form(&cx, &found, typed, &faults, q, StatusCode::PRECONDITION_FAILED)
            }
            Refusal::Unconfirmed(impact) => {
                let q = Question { impact: Some(&impact), versions: None };
                edit_form(&cx, &found, typed, &faults, q, StatusCode::PRECONDITION_REQUIRED)
            }
            other => {
                faults.rule(other.rule()?, POINTERS);
                let status = faults.status();
                edit_form(&cx, &found, typed, &faults, Question::default(), status)
            }
        },
    }
}

pub(super) async fn ask(cx: Arc<Cx>) -> Answer {
    cx.require::<actions::DeleteVariable>()?;
    let found = Found::load(&cx).await?;
    delete_form(&cx, &found, &Faults::default(), None, StatusCode::OK)
}

fn delete_form(cx: &Cx, found: &Found, faults: &Faults, impact: Option<&Impact>, status: StatusCode) -> Answer {
    let v = &found.variable;
    let body = html! {
        form method="post" action=(cx.url(&format!("variables/{}/delete", v.id))) {
            input type="hidden" name="version" value=(v.version);
            div.dlg-body {
                (form_faults(faults))
                dl.kv {
                    dt { "Variable" } dd { strong.mono { (v.name.as_str()) } }
                    dt { "Environment" } dd { (environment_badge(found.environment.as_ref())) }
                }
                @if let Some(impact) = impact { (impact_list(impact)) }
                @else {
                    p { "Workflows that read " code { (v.name.as_str()) } " fail from the next run." }
                    (found.uses("They fail without it."))
                }
            }
            div.band { (icon(Icon::Warn)) span { "Its value can’t be restored." } }
            @let verb = if impact.is_some() { "Delete anyway" } else { "Delete variable" };
            (foot(cx, &found.back(), &html! { button.btn.danger type="submit" data-busy="Deleting…" { (verb) } }))
        }
    };
    let title = if impact.is_some() { "This variable is relied on" } else { "Delete variable?" };
    shown(cx, title, &found.back(), status, body)
}

pub(super) async fn delete(cx: Arc<Cx>) -> Answer {
    let permit = cx.permit::<actions::DeleteVariable>()?;
    let found = Found::load(&cx).await?;
    let mut faults = Faults::default();
    match cx.site().app().delete_variable(&permit, &cx.call(), found.variable.id).await {
        Ok(_) => cx.done(&found.back(), &format!("Variable {} deleted.", found.variable.name.as_str())),
        Err(failure) => match Refusal::of(failure)? {
            Refusal::Unconfirmed(impact) => {
                delete_form(&cx, &found, &faults, Some(&impact), StatusCode::PRECONDITION_REQUIRED)
            }
            other => {
                faults.rule(other.or_changed("variable")?, &[]);
                let status = faults.status();
                delete_form(&cx, &found, &faults, None, status)
            }
        },
    }
}
