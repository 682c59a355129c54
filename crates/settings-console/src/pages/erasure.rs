//! Erasing a person (seed A, GDPR erasure): what goes, what stays, the address typed once more, and the receipt.
use super::{
    leaving::{key_list, keys_of},
    members,
};
use crate::{
    cx::Cx,
    form::Faults,
    refusal::Refusal,
    respond,
    site::Site,
    stop::{Answer, Stop},
    ui::{Dialog, Icon, Tone, banner, called, count, dialog, foot, form_faults, icon, person},
};
use axum::Router;
use http::StatusCode;
use maud::{Markup, html};
use settings_domain::{api_keys::ApiKeyView, erasure::Erased, ids::UserId, members::MemberView, policy::actions};
use std::sync::Arc;

pub(crate) fn routes(router: Router<Arc<Site>>, _: &Site) -> Router<Arc<Site>> {
    router.route("/{slug}/settings/members/{id}/erase", crate::cx::page(ask).merge(crate::cx::form(erase)))
}

/// Somebody who is or was a member.
async fn anybody(cx: &Cx) -> Result<MemberView, Stop> {
    let id: UserId = cx.id("id").ok_or(Stop::NotFound)?;
    cx.snapshot::<actions::ListMembers>().await?.anybody(id).await?.ok_or(Stop::NotFound)
}

async fn ask(cx: Arc<Cx>) -> Answer {
    cx.require::<actions::EraseMember>()?;
    let m = anybody(&cx).await?;
    let keys = keys_of(&cx, m.user.id).await?;
    form(&cx, &m, &keys, &Faults::default(), StatusCode::OK)
}

fn form(cx: &Cx, m: &MemberView, keys: &[ApiKeyView], faults: &Faults, status: StatusCode) -> Answer {
    let (name, id) = (called(&m.user), m.user.id);
    let (what, wanted) = match &m.user.email {
        Some(email) => ("e-mail address", email.as_str().to_owned()),
        None => ("account id", id.to_string()),
    };
    let fault = faults.of("confirm");
    let body = html! {
        form method="post" action=(cx.url(&format!("members/{id}/erase"))) autocomplete="off" data-confirm=(wanted) novalidate[fault.is_some()] {
            input type="hidden" name="once" value=(cx.once());
            div.dlg-body {
                (person(&m.user))
                (form_faults(faults))
                (banner(Tone::Danger, &html! { p { strong { "This can’t be undone." } " Check that the request is valid first: nobody can bring back what is erased." } }))
                ul.facts {
                    @if m.member.is_active() { li { bdi { (name) } " loses access to " bdi { (cx.view.workspace.name.as_str()) } " immediately." } }
                    li { "Their name, address and account id go from this workspace: membership, invitations, recipients of mails, and every event of the audit log." }
                    li { "The events themselves stay, with “erased” where the person stood, and the log still verifies." }
                    li { "The account goes too, unless another workspace knows it." }
                    li { "Names that somebody typed, mails that were sent, the identity provider and backups are out of reach." }
                }
                @if !keys.is_empty() {
                    div.banner.warn {
                        (icon(Icon::Key))
                        div {
                            p { strong { "They made " (count(keys.len(), "API key that keeps working", "API keys that keep working")) } ", without a name" }
                            (key_list(keys.iter().map(|k| &k.key)))
                        }
                    }
                }
                div.field {
                    label for="confirm" { "Their " (what) }
                    p.hint id="confirm-hint" { "Type " code { (wanted) } " to confirm." }
                    input id="confirm" name="confirm" type="text" value=(cx.field("confirm")) required autocomplete="off" autocapitalize="off"
                        spellcheck="false" aria-invalid=[fault.map(|_| "true")] aria-describedby="confirm-hint confirm-error";
                    p.error id="confirm-error" hidden[fault.is_none()] { (icon(Icon::Warn)) span { (fault.unwrap_or("Type it exactly as shown.")) } }
                }
            }
            (foot(cx, "members", &html! { button.btn.danger type="submit" data-busy="Erasing…" { "Erase personal data" } }))
        }
    };
    shown(cx, "Erase personal data?", status, body)
}

fn shown(cx: &Cx, title: &str, status: StatusCode, body: Markup) -> Answer {
    let d = Dialog {
        section: "members",
        title,
        back: "members",
        back_label: "Members",
        wide: false,
        guard_copy: false,
        body,
    };
    respond::shown(status, dialog(cx, &d))
}

async fn erase(cx: Arc<Cx>) -> Answer {
    let permit = cx.permit::<actions::EraseMember>()?;
    let id: UserId = cx.id("id").ok_or(Stop::NotFound)?;
    let confirm = cx.field("confirm").trim().to_owned();
    let app = cx.site().app();
    let failure = match app.erase_member(&permit, &cx.call_once("consoleEraseMember"), id, &confirm).await {
        Ok(done) if id == cx.me.id => {
            drop(done);
            return Ok(respond::see_other(&cx.site().at("/")));
        }
        Ok(done) => {
            let workspace = permit.scope().workspace();
            // Whatever becomes of the receipt, the erasure stands.
            let run = app.erasure(workspace, done.value().seq).await.ok().flatten();
            let run = run.filter(|run| run.completed_at.is_some());
            let mut note = None;
            if let Some(run) = &run {
                let made = app.erasure_receipt(workspace, run).await;
                note = made.inspect_err(|error| tracing::error!(%error, "no receipt of an erasure")).ok();
            }
            return receipt(&cx, done.value(), run.is_some(), note.as_deref());
        }
        Err(failure) => failure,
    };
    let rule = Refusal::of(failure)?.rule()?;
    let mut faults = Faults::default();
    let status = rule.status;
    faults.rule(rule, &[("/confirm", "confirm")]);
    let Ok(m) = anybody(&cx).await else {
        let body = html! {
            div.dlg-body { p { "Nothing of this person is left here." } }
            div.dlg-foot { a.btn.primary href=(cx.url("members")) data-close { "Go to members" } }
        };
        return shown(&cx, "Already erased", status, body);
    };
    let keys = keys_of(&cx, m.user.id).await?;
    form(&cx, &m, &keys, &faults, status)
}

fn receipt(cx: &Cx, erased: &Erased, complete: bool, note: Option<&str>) -> Answer {
    let events = usize::try_from(erased.events).unwrap_or(usize::MAX);
    let body = html! {
        div.dlg-body {
            ul.facts {
                li { (count(events, "event of the audit log names nobody", "events of the audit log name nobody")) " any more." }
                li { @if erased.account { "The account is gone." } @else { "The account stays, because another workspace knows it." } }
                li { "The erasure is event " (erased.seq) " of the audit log, " code { "member.erased" } "." }
            }
            @if !erased.active_keys.is_empty() {
                div.banner.warn {
                    (icon(Icon::Key))
                    div {
                        p { strong { (count(erased.active_keys.len(), "API key they made still works", "API keys they made still work")) } }
                        (key_list(erased.active_keys.iter()))
                        p { a href=(cx.url("api-keys?creator=departed")) { "Look at these keys" } }
                    }
                }
            }
            @if !complete {
                p { "What nobody can read any more is still being emptied. That goes on by itself. The receipt is made when it is done: "
                    code { "GET /workspace/erasures/" (erased.seq) } "." }
            }
            @if let Some(note) = note {
                div.field {
                    label for="receipt" { "Receipt" }
                    p.hint { "Signed by this service. It names nobody: keep it with the request, or send it to the person." }
                    div.copy-row {
                        textarea.mono id="receipt" rows="8" readonly spellcheck="false" { "\n" (note) }
                        button.btn type="button" data-copy="#receipt" hidden data-js-show { (icon(Icon::Copy)) span { "Copy receipt" } }
                    }
                }
            }
        }
        div.dlg-foot { a.btn.primary href=(cx.url(members::SECTION)) data-close { "Done" } }
    };
    shown(cx, "Personal data erased", StatusCode::OK, body)
}
