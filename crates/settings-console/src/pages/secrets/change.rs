//! A secret: kept, given another value, sealed, deleted.
use super::{Found, SECTION, shown};
use crate::{
    cx::Cx,
    form::Faults,
    pages::in_environment::{self, environment_field, list_of},
    refusal::Refusal,
    stop::Answer,
    ui::{Icon, WriteOnly, foot, form_faults, icon, impact_list, text_input, write_only},
};
use http::StatusCode;
use maud::html;
use settings_app::secrets::CreateSecret;
use settings_domain::{environments::Environment, impact::Impact, policy::actions, text::DisplayName};
use std::sync::Arc;

pub(super) async fn new(cx: Arc<Cx>) -> Answer {
    cx.require::<actions::CreateSecret>()?;
    let environments = in_environment::all(&cx).await?;
    let chosen = in_environment::preselected(&cx, &environments);
    new_form(&cx, &environments, &chosen, &Faults::default())
}

fn new_form(cx: &Cx, environments: &[Environment], chosen: &str, faults: &Faults) -> Answer {
    let value = WriteOnly {
        id: "value",
        label: "Value",
        hint: Some(html! { "Up to 64 KiB, kept exactly as entered." }),
        required: true,
    };
    let body = html! {
        form method="post" action=(cx.url("secrets/new")) data-dirty novalidate[!faults.none()] {
            input type="hidden" name="once" value=(cx.once());
            div.dlg-body {
                (form_faults(faults))
                (text_input("name", "Name", Some(&html! { "What it opens, for example “Stripe restricted key”." }), faults, cx.field("name"), true))
                (write_only(cx, &value, faults))
                (environment_field(environments, chosen, faults))
                div.field {
                    label.tick { input type="checkbox" name="sealed" value="yes" checked[cx.field("sealed") == "yes"]; span { "Seal it at once" } }
                    p.hint { "Then workflows get it and nobody can reveal it, ever." }
                }
            }
            (foot(cx, SECTION, &html! { button.btn.primary type="submit" data-busy="Creating…" { "Create secret" } }))
        }
    };
    shown(cx, "New secret", SECTION, faults.status(), body)
}

pub(super) async fn create(cx: Arc<Cx>) -> Answer {
    let permit = cx.permit::<actions::CreateSecret>()?;
    let environments = in_environment::all(&cx).await?;
    let (typed, mut faults) = (cx.field("name").trim(), Faults::default());
    let name = if typed.is_empty() {
        faults.field("name", "Give the secret a name.");
        None
    } else {
        faults.parse::<DisplayName>("name", "The name", typed)
    };
    let value = cx.value(&mut faults, "value", "The value", Some("Enter a value."));
    let environment = in_environment::chosen(&cx, &environments, &mut faults);
    let again = |faults: &Faults| new_form(&cx, &environments, cx.field("environment"), faults);
    let (Some(name), Some(value), Some(environment)) = (name, value, environment) else { return again(&faults) };
    let new = CreateSecret { environment, name, value, sealed: cx.field("sealed") == "yes" };
    match cx.site().app().create_secret(&permit, &cx.call_once("consoleCreateSecret"), new).await {
        Ok(made) => {
            let place = in_environment::of(&environments, environment);
            cx.done(&list_of(SECTION, place), &format!("Secret “{}” created.", made.value().name.as_str()))
        }
        Err(failure) => {
            faults.rule(Refusal::of(failure)?.rule()?, &[("/name", "name"), ("/environmentId", "environment")]);
            again(&faults)
        }
    }
}

pub(super) async fn ask_rotate(cx: Arc<Cx>) -> Answer {
    cx.require::<actions::RotateSecret>()?;
    let found = Found::load(&cx).await?;
    rotate_form(&cx, &found, &Faults::default(), None, StatusCode::OK)
}

fn rotate_form(cx: &Cx, found: &Found, faults: &Faults, impact: Option<&Impact>, status: StatusCode) -> Answer {
    let hint = html! { "The present value is lost. Make sure that whoever issued it has accepted the new one." };
    let body = html! {
        form method="post" action=(cx.url(&format!("secrets/{}/rotate", found.secret.id))) data-dirty novalidate[!faults.none()] {
            input type="hidden" name="version" value=(found.secret.version);
            div.dlg-body {
                (form_faults(faults))
                @if let Some(impact) = impact { (impact_list(impact)) }
                (found.summary(cx.at))
                (write_only(cx, &WriteOnly { id: "value", label: "New value", hint: Some(hint), required: true }, faults))
                @if impact.is_none() { (found.uses("They get the new value from their next run.")) }
            }
            @if impact.is_some() { (foot(cx, &found.back(), &html! { button.btn.danger type="submit" data-busy="Rotating…" { "Rotate anyway" } })) }
            @else { (foot(cx, &found.back(), &html! { button.btn.primary type="submit" data-busy="Rotating…" { "Rotate secret" } })) }
        }
    };
    shown(cx, if impact.is_some() { "Rotate in production?" } else { "Rotate secret" }, &found.back(), status, body)
}

pub(super) async fn rotate(cx: Arc<Cx>) -> Answer {
    let permit = cx.permit::<actions::RotateSecret>()?;
    let (found, mut faults) = (Found::load(&cx).await?, Faults::default());
    let Some(value) = cx.value(&mut faults, "value", "The value", Some("Enter the new value.")) else {
        let status = faults.status();
        return rotate_form(&cx, &found, &faults, None, status);
    };
    match cx.site().app().rotate_secret(&permit, &cx.call(), found.secret.id, &value).await {
        Ok(_) => cx.done(&found.back(), &format!("Secret “{}” rotated.", found.name())),
        Err(failure) => match Refusal::of(failure)? {
            Refusal::Unconfirmed(impact) => {
                rotate_form(&cx, &found, &faults, Some(&impact), StatusCode::PRECONDITION_REQUIRED)
            }
            other => {
                faults.rule(other.or_changed("secret")?, &[]);
                let status = faults.status();
                rotate_form(&cx, &found, &faults, None, status)
            }
        },
    }
}

pub(super) async fn ask_seal(cx: Arc<Cx>) -> Answer {
    cx.require::<actions::SealSecret>()?;
    let found = Found::load(&cx).await?;
    seal_form(&cx, &found, &Faults::default(), StatusCode::OK)
}

fn seal_form(cx: &Cx, found: &Found, faults: &Faults, status: StatusCode) -> Answer {
    let body = html! {
        form method="post" action=(cx.url(&format!("secrets/{}/seal", found.secret.id))) {
            input type="hidden" name="version" value=(found.secret.version);
            div.dlg-body {
                (form_faults(faults))
                (found.summary(cx.at))
                ul.facts {
                    li { "Nobody can reveal it any more: not admins, not API keys with " code { "secrets:read" } "." }
                    li { "Workflows keep getting it." }
                    li { "It can still be rotated and deleted." }
                }
            }
            div.band { (icon(Icon::Warn)) span { "This can’t be undone. Where you need the value yourself, reveal it first." } }
            (foot(cx, &found.back(), &html! { button.btn.danger type="submit" data-busy="Sealing…" { "Seal secret" } }))
        }
    };
    shown(cx, "Seal this secret for good?", &found.back(), status, body)
}

pub(super) async fn seal(cx: Arc<Cx>) -> Answer {
    let permit = cx.permit::<actions::SealSecret>()?;
    let (found, mut faults) = (Found::load(&cx).await?, Faults::default());
    match cx.site().app().seal_secret(&permit, &cx.call(), found.secret.id).await {
        Ok(_) => cx.done(&found.back(), &format!("Secret “{}” sealed. Nobody can reveal it any more.", found.name())),
        Err(failure) => {
            faults.rule(Refusal::of(failure)?.or_changed("secret")?, &[]);
            let status = faults.status();
            seal_form(&cx, &found, &faults, status)
        }
    }
}

pub(super) async fn ask_delete(cx: Arc<Cx>) -> Answer {
    cx.require::<actions::DeleteSecret>()?;
    let found = Found::load(&cx).await?;
    delete_form(&cx, &found, &Faults::default(), None, StatusCode::OK)
}

fn delete_form(cx: &Cx, found: &Found, faults: &Faults, impact: Option<&Impact>, status: StatusCode) -> Answer {
    let body = html! {
        form method="post" action=(cx.url(&format!("secrets/{}/delete", found.secret.id))) {
            input type="hidden" name="version" value=(found.secret.version);
            div.dlg-body {
                (form_faults(faults))
                (found.summary(cx.at))
                @if let Some(impact) = impact { (impact_list(impact)) }
                @else {
                    p { "Workflows that use this secret fail from the next run." }
                    (found.uses("They fail without it."))
                }
            }
            div.band { (icon(Icon::Warn)) span { "Its value can’t be restored." } }
            @let verb = if impact.is_some() { "Delete anyway" } else { "Delete secret" };
            (foot(cx, &found.back(), &html! { button.btn.danger type="submit" data-busy="Deleting…" { (verb) } }))
        }
    };
    let title = if impact.is_some() { "This secret is relied on" } else { "Delete secret?" };
    shown(cx, title, &found.back(), status, body)
}

pub(super) async fn delete(cx: Arc<Cx>) -> Answer {
    let permit = cx.permit::<actions::DeleteSecret>()?;
    let (found, mut faults) = (Found::load(&cx).await?, Faults::default());
    match cx.site().app().delete_secret(&permit, &cx.call(), found.secret.id).await {
        Ok(_) => cx.done(&found.back(), &format!("Secret “{}” deleted.", found.name())),
        Err(failure) => match Refusal::of(failure)? {
            Refusal::Unconfirmed(impact) => {
                delete_form(&cx, &found, &faults, Some(&impact), StatusCode::PRECONDITION_REQUIRED)
            }
            other => {
                faults.rule(other.or_changed("secret")?, &[]);
                let status = faults.status();
                delete_form(&cx, &found, &faults, None, status)
            }
        },
    }
}
