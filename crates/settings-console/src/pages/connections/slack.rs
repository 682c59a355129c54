//! To Slack's page and back.
//!
//! A form can't lead to Slack: the content policy lets forms go nowhere but here, redirects included. So the form answers
//! with a page that goes on by itself, and has a link for where it does not.
use super::{SECTION, shown, start as again};
use crate::{
    cx::Cx,
    refusal::Refusal,
    stop::{Answer, Stop},
    ui::{Tone, banner},
};
use http::{HeaderName, HeaderValue, StatusCode};
use maud::html;
use settings_app::connections::ConnectFailure;
use settings_domain::{policy::actions, ports::slack::SlackError};
use std::sync::Arc;

/// Where Slack sends people back to: to the page, which knows the session, and not to the API, which does not.
fn redirect(cx: &Cx) -> String {
    format!("{}{}", cx.site().origin(), cx.url("connections/slack/callback"))
}

pub(super) async fn start(cx: Arc<Cx>) -> Answer {
    let permit = cx.permit::<actions::StartConnection>()?;
    let url = match cx.site().app().start_connection(&permit, &cx.call(), &redirect(&cx)).await {
        Ok(url) => url,
        Err(failure) => return failed(&cx, failure),
    };
    let body = html! {
        div.dlg-body { p { "Slack’s page opens by itself. Choose the workspace and the channel there; it leads back here. It has to be done within ten minutes." } }
        div.dlg-foot { a.btn href=(cx.url(SECTION)) { "Cancel" } a.btn.primary href=(url) rel="noreferrer" { "Continue to Slack" } }
    };
    let mut response = shown(&cx, "Continue at Slack", StatusCode::OK, body)?;
    if let Ok(value) = HeaderValue::from_str(&format!("0; url={url}")) {
        response.headers_mut().insert(HeaderName::from_static("refresh"), value);
    }
    Ok(response)
}

pub(super) async fn callback(cx: Arc<Cx>) -> Answer {
    let permit = cx.permit::<actions::AuthorizeConnection>()?;
    if !cx.query("error").is_empty() {
        return not_connected(&cx, StatusCode::CONFLICT, "It was not allowed on Slack’s page.");
    }
    let (code, state) = (cx.query("code"), cx.query("state"));
    if code.is_empty() || state.is_empty() {
        return not_connected(&cx, StatusCode::UNPROCESSABLE_ENTITY, "The way back from Slack is not complete.");
    }
    match cx.site().app().authorize_connection(&permit, &cx.call(), (code, state), &redirect(&cx)).await {
        Ok(done) => cx.done(SECTION, &format!("Slack is connected: {}.", done.value().team_name.as_str())),
        Err(failure) => failed(&cx, failure),
    }
}

fn failed(cx: &Cx, failure: ConnectFailure) -> Answer {
    let (status, text) = match failure {
        ConnectFailure::NotConfigured => (
            StatusCode::SERVICE_UNAVAILABLE,
            "Slack is not set up on this installation: its operator has to.".to_owned(),
        ),
        ConnectFailure::Slack(e) => {
            let status = match e {
                SlackError::Unavailable(_) | SlackError::RateLimited(_) | SlackError::Resting(_) => {
                    StatusCode::SERVICE_UNAVAILABLE
                }
                SlackError::Configuration => {
                    tracing::error!(error = %e, "Slack can't be connected");
                    StatusCode::SERVICE_UNAVAILABLE
                }
                SlackError::Code(_) => StatusCode::UNPROCESSABLE_ENTITY,
                SlackError::Auth(_) | SlackError::Channel(_) | SlackError::Refused(_) => StatusCode::CONFLICT,
            };
            (status, format!("{e}."))
        }
        ConnectFailure::Use(failure) => match Refusal::of(failure)? {
            Refusal::Rule(rule) => (rule.status, rule.text),
            // It carries neither a version nor a confirmation nor a key.
            Refusal::Stale | Refusal::Unconfirmed(_) | Refusal::Reused => return Err(Stop::Internal),
        },
    };
    not_connected(cx, status, &text)
}

fn not_connected(cx: &Cx, status: StatusCode, why: &str) -> Answer {
    let body = html! {
        div.dlg-body { div role="alert" tabindex="-1" data-fault { (banner(Tone::Danger, &html! { p { (why) } })) } p { "Nothing was changed." } }
        div.dlg-foot { a.btn href=(cx.url(SECTION)) { "Go to connections" } @if cx.site().app().slack_configured() { (again(cx, "Try again", "primary")) } }
    };
    shown(cx, "Slack was not connected", status, body)
}
