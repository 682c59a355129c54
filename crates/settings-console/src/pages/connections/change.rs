//! A connection: where it posts, switched off, deleted.
use super::{SECTION, channel as posts_to, chosen, one, shown};
use crate::{
    cx::Cx,
    form::Faults,
    refusal::{Refusal, Rule},
    stop::{Answer, Stop},
    ui::{field, foot, form_faults},
};
use maud::{Markup, html};
use settings_domain::{
    connections::{Connection, ConnectionPatch, SlackChannel},
    policy::actions,
};
use std::sync::Arc;

pub(super) async fn ask_channel(cx: Arc<Cx>) -> Answer {
    cx.require::<actions::UpdateConnection>()?;
    let there = one(&cx).await?;
    let typed = there.channel.as_ref().map(ToString::to_string).unwrap_or_default();
    channel_form(&cx, &there, &typed, &Faults::default())
}

fn channel_form(cx: &Cx, there: &Connection, typed: &str, faults: &Faults) -> Answer {
    let hint = html! { "Its id, such as " code { "C0123ABCD" } ", or its name, such as " code { "#ops-alerts" } ". The app has to be a member of a private channel." };
    let body = html! {
        form method="post" action=(cx.url(&format!("connections/{}/channel", there.id))) data-dirty novalidate[!faults.none()] {
            input type="hidden" name="version" value=(there.version);
            div.dlg-body {
                (form_faults(faults))
                @if let Some(name) = posts_to(there) { p { "It posts to " strong { bdi { (name) } } " now." } }
                (field("channel", "Channel", Some(&hint), faults, |described, invalid| html! {
                    input id="channel" name="channel" type="text" value=(typed) required maxlength="81" autocomplete="off" autocapitalize="off"
                        spellcheck="false" autofocus aria-describedby=[described] aria-invalid=[invalid];
                }))
            }
            (foot(cx, SECTION, &html! { button.btn.primary type="submit" data-busy="Saving…" { "Save channel" } }))
        }
    };
    shown(cx, "Choose a Slack channel", faults.status(), body)
}

pub(super) async fn channel(cx: Arc<Cx>) -> Answer {
    let permit = cx.permit::<actions::UpdateConnection>()?;
    let there = one(&cx).await?;
    let (typed, mut faults) = (cx.field("channel").trim(), Faults::default());
    let Some(channel) = faults.parse::<SlackChannel>("channel", "The channel", typed) else {
        return channel_form(&cx, &there, typed, &faults);
    };
    let patch = ConnectionPatch { channel: Some(channel), disconnect: false };
    match cx.site().app().update_connection(&permit, &cx.call(), there.id, patch).await {
        Ok(_) => cx.done(SECTION, "Channel saved. Send a test in Notifications to see whether messages arrive."),
        Err(failure) => {
            faults.rule(Refusal::of(failure)?.or_changed("connection")?, &[]);
            channel_form(&cx, &there, typed, &faults)
        }
    }
}

pub(super) async fn ask_disconnect(cx: Arc<Cx>) -> Answer {
    cx.require::<actions::UpdateConnection>()?;
    End::Disconnect.form(&cx, &one(&cx).await?, None).await
}

pub(super) async fn disconnect(cx: Arc<Cx>) -> Answer {
    let permit = cx.permit::<actions::UpdateConnection>()?;
    let there = one(&cx).await?;
    let patch = ConnectionPatch { channel: None, disconnect: true };
    match cx.site().app().update_connection(&permit, &cx.call(), there.id, patch).await {
        Ok(_) => cx.done(SECTION, "Slack disconnected."),
        Err(failure) => End::Disconnect.form(&cx, &there, Some(Refusal::of(failure)?.or_changed("connection")?)).await,
    }
}

pub(super) async fn ask_delete(cx: Arc<Cx>) -> Answer {
    cx.require::<actions::DeleteConnection>()?;
    End::Delete.form(&cx, &one(&cx).await?, None).await
}

pub(super) async fn delete(cx: Arc<Cx>) -> Answer {
    let permit = cx.permit::<actions::DeleteConnection>()?;
    let there = one(&cx).await?;
    match cx.site().app().delete_connection(&permit, &cx.call(), there.id).await {
        Ok(_) => cx.done(SECTION, "Connection to Slack deleted."),
        Err(failure) => End::Delete.form(&cx, &there, Some(Refusal::of(failure)?.or_changed("connection")?)).await,
    }
}

/// The two ways to end it.
#[derive(Clone, Copy)]
enum End {
    Disconnect,
    Delete,
}

impl End {
    async fn form(self, cx: &Cx, there: &Connection, rule: Option<Rule>) -> Answer {
        let mut faults = Faults::default();
        if let Some(rule) = rule {
            faults.rule(rule, &[]);
        }
        let (verb, title, button) = match self {
            Self::Disconnect => ("disconnect", "Disconnect Slack?", "Disconnect"),
            Self::Delete => ("delete", "Delete this connection?", "Delete connection"),
        };
        let consequences = self.consequences(cx).await?;
        let body = html! {
            form method="post" action=(cx.url(&format!("connections/{}/{verb}", there.id))) {
                input type="hidden" name="version" value=(there.version);
                div.dlg-body {
                    (form_faults(&faults))
                    dl.kv {
                        dt { "Workspace" } dd { bdi { (there.team_name.as_str()) } }
                        @if let Some(name) = posts_to(there) { dt { "Channel" } dd { bdi { (name) } } }
                    }
                    (consequences)
                }
                (foot(cx, SECTION, &html! { button.btn.danger type="submit" data-busy="Ending…" { (button) } }))
            }
        };
        shown(cx, title, faults.status(), body)
    }

    async fn consequences(self, cx: &Cx) -> Result<Markup, Stop> {
        let chosen = chosen(cx).await?;
        Ok(html! {
            p {
                @match self {
                    Self::Disconnect => "Its token is destroyed, and nothing is posted until somebody authorizes it again. The channel is kept.",
                    Self::Delete => "Its token is destroyed, and what still waits for it is dropped. The app stays installed at Slack until it is removed there.",
                }
            }
            @if !chosen.is_empty() { p { "Chosen for Slack at present: " strong { (chosen.join(", ")) } ". They go by e-mail instead." } }
        })
    }
}
