//! A model: registered, changed.
use super::{
    Owner,
    form::{self, POINTERS, Typed},
    one, permit, tenant,
};
use crate::{cx::Cx, form::Faults, refusal::Refusal, stop::Answer, ui::conflict};
use http::StatusCode;
use settings_app::models::{ChangeModel, CreateModel};
use settings_domain::{
    models::{AuthType, Model, Provider},
    ports::outbound::OutboundUrl,
    text::{Description, DisplayName},
};
use std::sync::Arc;

const NEEDED: &str = "Enter the credential.";
const ELSEWHERE: &str = "The new URL is of another origin. Enter the credential again: a stored one is never sent to another place than it was given for.";
const OTHER_KIND: &str = "Another kind of credential is stored. Enter this one, or choose that kind again.";

/// What both forms read alike.
struct Read {
    provider: Option<Provider>,
    name: Option<DisplayName>,
    description: Option<Description>,
    auth: Option<AuthType>,
}

fn read(typed: &Typed, faults: &mut Faults) -> Read {
    let provider = typed.provider.parse().ok();
    if provider.is_none() {
        faults.field("provider", "Choose a provider.");
    }
    let auth = typed.auth.parse().ok();
    if auth.is_none() {
        faults.field("token", "Choose how it is authenticated to.");
    }
    let name = if typed.name.is_empty() { None } else { faults.parse("name", "The name", &typed.name) };
    let description = if typed.description.is_empty() {
        None
    } else {
        faults.parse("description", "The description", &typed.description)
    };
    Read { provider, name, description, auth }
}

/// Vets a URL, or notes why it can't be used.
async fn vet<O: Owner>(cx: &Cx, faults: &mut Faults, url: &str) -> Option<OutboundUrl> {
    match cx.site().app().vet_url(url, tenant::<O>(cx)).await {
        Ok(url) => Some(url),
        Err(refusal) => {
            faults.field("url", format!("This URL can’t be used: {refusal}."));
            None
        }
    }
}

pub(super) async fn new<O: Owner>(cx: Arc<Cx>) -> Answer {
    cx.require::<O::Create>()?;
    form::show::<O>(&cx, None, &Typed::fresh(), &Faults::default(), None, StatusCode::OK)
}

pub(super) async fn create<O: Owner>(cx: Arc<Cx>) -> Answer {
    let permit = permit::<O, O::Create>(&cx).await?;
    let (typed, mut faults) = (Typed::sent(&cx), Faults::default());
    let read = read(&typed, &mut faults);
    let credential = read.auth.and_then(|auth| form::credential(&cx, &mut faults, auth, Some(NEEDED)));
    let default = read.provider.and_then(Provider::default_url);
    let url = match (typed.url.as_str(), default) {
        ("", None) => {
            faults.field("url", "This provider has no address of its own. Enter the URL.");
            None
        }
        ("", Some(url)) | (url, _) => vet::<O>(&cx, &mut faults, url).await,
    };
    let again = |faults: &Faults| form::show::<O>(&cx, None, &typed, faults, None, faults.status());
    let (Some(credential), Some(url), true) = (credential, url, faults.none()) else { return again(&faults) };
    let new = CreateModel { provider: read.provider, name: read.name, description: read.description, url, credential };
    let operation = if O::PLATFORM { "consoleCreateSystemModel" } else { "consoleCreateModel" };
    match cx.site().app().create_model(&permit, &cx.call_once(operation), new).await {
        Ok(made) => {
            let name = made.value().name.as_str();
            cx.done(O::SECTION, &format!("“{name}” created. Test it to see whether its credential is accepted."))
        }
        Err(failure) => {
            faults.rule(Refusal::of(failure)?.rule()?, POINTERS);
            again(&faults)
        }
    }
}

pub(super) async fn edit<O: Owner>(cx: Arc<Cx>) -> Answer {
    cx.require::<O::Update>()?;
    let there = one::<O>(&cx).await?.model;
    form::show::<O>(&cx, Some(&there), &Typed::stored(&there), &Faults::default(), None, StatusCode::OK)
}

/// The wanted changes, or what is wrong with them.
async fn changes<O: Owner>(cx: &Cx, there: &Model, typed: &Typed, faults: &mut Faults) -> Option<ChangeModel> {
    let read = read(typed, faults);
    if typed.name.is_empty() {
        faults.field("name", "Give the model a name.");
    }
    let url = if typed.url == there.url {
        None
    } else if typed.url.is_empty() {
        faults.field("url", "Enter the URL.");
        None
    } else {
        vet::<O>(cx, faults, &typed.url).await
    };
    let moves = url.as_ref().is_some_and(|url| url.origin() != there.origin);
    let auth = read.auth?;
    let required = match (moves, auth != there.auth) {
        (true, _) => Some(ELSEWHERE),
        (_, true) => Some(OTHER_KIND),
        _ => None,
    };
    let credential = form::credential(cx, faults, auth, required);
    faults.none().then_some(ChangeModel {
        provider: read.provider,
        name: read.name,
        description: Some(read.description),
        url,
        credential,
        visible: None,
    })
}

pub(super) async fn update<O: Owner>(cx: Arc<Cx>) -> Answer {
    let permit = permit::<O, O::Update>(&cx).await?;
    let there = one::<O>(&cx).await?.model;
    let (typed, mut faults) = (Typed::sent(&cx), Faults::default());
    let Some(change) = changes::<O>(&cx, &there, &typed, &mut faults).await else {
        let status = faults.status();
        return form::show::<O>(&cx, Some(&there), &typed, &faults, None, status);
    };
    match cx.site().app().update_model(&permit, &cx.call(), there.id, change).await {
        Ok(done) => cx.done(O::SECTION, &format!("“{}” saved.", done.value().name.as_str())),
        Err(failure) => match Refusal::of(failure)? {
            Refusal::Stale => {
                let now = Typed::stored(&there);
                let rows = [
                    ("Provider", typed.provider.clone(), now.provider),
                    ("Name", typed.name.clone(), now.name),
                    ("Model URL", typed.url.clone(), now.url),
                    ("Description", typed.description.clone(), now.description),
                    ("Authentication", typed.auth.clone(), now.auth),
                ];
                let mine = Typed { version: now.version, ..typed };
                let versions = Some(conflict(&rows));
                form::show::<O>(&cx, Some(&there), &mine, &faults, versions, StatusCode::PRECONDITION_FAILED)
            }
            other => {
                faults.rule(other.rule()?, POINTERS);
                let status = faults.status();
                form::show::<O>(&cx, Some(&there), &typed, &faults, None, status)
            }
        },
    }
}
