//! The form of a model. Which fields of it are seen follows from what is chosen in it, by the style sheet alone.
use super::{Owner, auth_name, shown};
use crate::{
    cx::Cx,
    form::Faults,
    stop::Answer,
    ui::{WriteOnly, field, foot, form_faults, text_input, write_only},
};
use http::StatusCode;
use maud::{Markup, html};
use settings_domain::models::{AuthType, Credential, Model, Provider};

/// The form as text: what was typed, or what is there.
pub(super) struct Typed {
    pub(super) provider: String,
    pub(super) name: String,
    pub(super) url: String,
    pub(super) description: String,
    pub(super) auth: String,
    pub(super) version: i64,
}

impl Typed {
    pub(super) fn fresh() -> Self {
        Self {
            provider: Provider::Anthropic.name().to_owned(),
            name: String::new(),
            url: String::new(),
            description: String::new(),
            auth: AuthType::Token.name().to_owned(),
            version: 0,
        }
    }
    pub(super) fn stored(m: &Model) -> Self {
        Self {
            provider: m.provider.name().to_owned(),
            name: m.name.as_str().to_owned(),
            url: m.url.clone(),
            description: m.description.as_ref().map(ToString::to_string).unwrap_or_default(),
            auth: m.auth.name().to_owned(),
            version: m.version,
        }
    }
    pub(super) fn sent(cx: &Cx) -> Self {
        let field = |name| cx.field(name).trim().to_owned();
        Self {
            provider: field("provider"),
            name: field("name"),
            url: field("url"),
            description: cx.field("description").trim().replace("\r\n", "\n"),
            auth: field("auth"),
            version: cx.field("version").parse().unwrap_or_default(),
        }
    }
}

pub(super) const POINTERS: &[(&str, &str)] = &[("/modelUrl", "url"), ("/name", "name")];

/// Shows it. `there` is the model that is changed; `None` for a new one.
pub(super) fn show<O: Owner>(
    cx: &Cx,
    there: Option<&Model>,
    typed: &Typed,
    faults: &Faults,
    versions: Option<Markup>,
    status: StatusCode,
) -> Answer {
    let path = there.map_or_else(|| format!("{}/new", O::SECTION), |m| format!("{}/{}/edit", O::SECTION, m.id));
    let body = html! {
        form.model-form method="post" action=(cx.url(&path)) data-dirty novalidate[!faults.none()] {
            @if there.is_some() { input type="hidden" name="version" value=(typed.version); }
            @else { input type="hidden" name="once" value=(cx.once()); }
            div.dlg-body {
                (form_faults(faults))
                @if let Some(versions) = versions { (versions) }
                (providers(&typed.provider, faults))
                (name_field(&typed.name, there.is_none(), faults))
                (url_field(&typed.url, there, faults))
                (field("description", "Description", Some(&html! { "Optional. What it is for." }), faults, |described, invalid| html! {
                    textarea id="description" name="description" rows="2" maxlength="2000" aria-describedby=[described] aria-invalid=[invalid] { "\n" (typed.description) }
                }))
                (credential_fields(cx, there, &typed.auth, faults))
            }
            (foot(cx, O::SECTION, &html! {
                @if there.is_some() { button.btn.primary type="submit" data-busy="Saving…" { "Save " (O::ONE) } }
                @else { button.btn.primary type="submit" data-busy="Creating…" { "Create " (O::ONE) } }
            }))
        }
    };
    let title = if there.is_some() { format!("Edit {}", O::ONE) } else { format!("New {}", O::ONE) };
    shown::<O>(cx, &title, true, status, body)
}

fn providers(chosen: &str, faults: &Faults) -> Markup {
    html! {
        fieldset.choices.tiles {
            legend { "Provider" }
            @for p in Provider::ALL {
                label.choice {
                    input type="radio" name="provider" value=(p.name()) checked[p.name() == chosen] required;
                    span { strong { (p.display_name()) } }
                }
            }
        }
        @if let Some(text) = faults.of("provider") { p.error tabindex="-1" data-fault { span { (text) } } }
    }
}

fn name_field(name: &str, new: bool, faults: &Faults) -> Markup {
    if !new {
        return text_input("name", "Name", Some(&html! { "What people choose it by." }), faults, name, false);
    }
    field(
        "name",
        "Name",
        Some(&html! { "What people choose it by. Left empty, it is called after its provider." }),
        faults,
        |described, invalid| {
            html! { input id="name" name="name" type="text" value=(name) maxlength="200" autocomplete="off" aria-invalid=[invalid] aria-describedby=[described]; }
        },
    )
}

/// What the address looks like, by provider.
fn address_hint(p: Provider) -> Markup {
    html! {
        span.of-provider data-of=(p.name()) {
            @match (p, p.default_url()) {
                (_, Some(url)) => { "Left empty: " code { (url) } }
                (Provider::AzureOpenAi, None) => { "Each resource has its own: " code { "https://acme.openai.azure.com/…" } }
                (Provider::AwsBedrock, None) => { "With region and model: " code { "https://bedrock-runtime.us-east-1.amazonaws.com/model/…/invoke" } }
                (_, None) => { "Where the service is called, with https." }
            }
        }
    }
}

fn url_field(url: &str, there: Option<&Model>, faults: &Faults) -> Markup {
    let hint = html! {
        @match there {
            Some(m) => { "An address outside of " code { (m.origin) } " needs the credential again." }
            None => @for p in Provider::ALL { (address_hint(p)) }
        }
    };
    field("url", "Model URL", Some(&hint), faults, |described, invalid| {
        html! {
            input.mono id="url" name="url" type="text" inputmode="url" value=(url) required[there.is_some()] maxlength="2048" autocomplete="off"
                autocapitalize="off" spellcheck="false" aria-invalid=[invalid] aria-describedby=[described];
        }
    })
}

fn credential_fields(cx: &Cx, there: Option<&Model>, auth: &str, faults: &Faults) -> Markup {
    let stored = there.map(|m| m.auth);
    let hint = |kind: AuthType| match stored {
        Some(there) if there == kind => Some(html! { "Leave empty to keep the stored one." }),
        Some(there) => Some(html! { "A " (auth_name(there).to_lowercase()) " is stored; this takes its place." }),
        None => None,
    };
    // None of them is required by the browser: it can't say so in a field that is not seen.
    let one = |id, label, kind| write_only(cx, &WriteOnly { id, label, hint: hint(kind), required: false }, faults);
    html! {
        fieldset.choices.auth {
            legend { "Authentication" }
            div.two {
                label.choice {
                    input type="radio" name="auth" value="token" checked[auth == "token"] required;
                    span { strong { "Token" } span.sub { "One key, sent with each request." } }
                }
                label.choice {
                    input type="radio" name="auth" value="client_key" checked[auth == "client_key"] required;
                    span { strong { "Client key and secret" } span.sub { "A pair that signs requests, as for AWS." } }
                }
            }
            div.of-auth data-of="token" { (one("token", "Token", AuthType::Token)) }
            div.of-auth data-of="client_key" {
                (one("clientKey", "Client key", AuthType::ClientKey))
                (one("secretKey", "Secret key", AuthType::ClientKey))
            }
        }
    }
}

/// The credential of the chosen kind. What was typed for the other kind does not count: nobody saw it any more.
/// `required` is said where there is none.
pub(super) fn credential(cx: &Cx, faults: &mut Faults, auth: AuthType, required: Option<&str>) -> Option<Credential> {
    match auth {
        AuthType::Token => cx.value(faults, "token", "The token", required).map(Credential::Token),
        AuthType::ClientKey => {
            let client_key = cx.value(faults, "clientKey", "The client key", required);
            let secret_key = cx.value(faults, "secretKey", "The secret key", required);
            match (client_key, secret_key) {
                (Some(client_key), Some(secret_key)) => Some(Credential::ClientKey { client_key, secret_key }),
                (None, None) => None,
                (Some(_), None) => {
                    faults.missing("secretKey", "Enter the secret key with its client key.");
                    None
                }
                (None, Some(_)) => {
                    faults.missing("clientKey", "Enter the client key with its secret key.");
                    None
                }
            }
        }
    }
}
