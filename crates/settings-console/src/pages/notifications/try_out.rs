//! Sends a message over a channel, to see whether it arrives.
use super::{Present, SECTION, TITLE, matrix::section_of};
use crate::{
    cx::Cx,
    form::Faults,
    refusal::Refusal,
    respond,
    stop::{Answer, Stop},
    ui::{Dialog, channel_icon, channel_name, dialog, foot, form_faults, icon},
};
use maud::{Markup, html};
use settings_domain::{
    notifications::{Channel, Channels},
    policy::actions,
    webhook_subscriptions::SubscriptionStatus,
};
use std::sync::Arc;

/// Where a test goes: what the decision will choose, told beforehand.
fn goes_to(cx: &Cx, channel: Channel, channels: &Channels) -> Markup {
    match channel {
        Channel::Email => {
            let own = cx.me.email.as_ref().map(settings_domain::text::Email::as_str);
            html! { "To you" @if let Some(own) = own { ", at " span.nowrap { (own) } } "." }
        }
        Channel::Slack => {
            let there = channels.connection.as_ref();
            let name = there.and_then(|c| {
                c.channel_name.as_ref().map(ToString::to_string).or_else(|| c.channel.as_ref().map(ToString::to_string))
            });
            html! { "To " bdi { (name.unwrap_or_default()) } @if let Some(c) = there { " of " bdi { (c.team_name.as_str()) } } "." }
        }
        Channel::Webhook => {
            let active = channels.subscriptions.iter().filter(|s| s.status == SubscriptionStatus::Active);
            let there = active.max_by_key(|s| (s.updated_at, s.id));
            html! { "To " span.mono { (there.map_or("", |s| s.host.as_str())) } ", the webhook that changed last." }
        }
    }
}

/// A row for each channel.
pub(super) fn card(cx: &Cx, channels: &Channels) -> Markup {
    html! {
        section.card aria-labelledby="h-test" {
            div.card-head { h2 id="h-test" { "Send a test" } p.muted { "A message that says it is one. Its outcome is in Deliveries." } }
            ul.tests {
                @for channel in Channel::ALL {
                    li {
                        (icon(channel_icon(channel)))
                        div { div.name { (channel_name(channel)) } div.sub {
                            @match channels.readiness(channel) { Ok(()) => (goes_to(cx, channel, channels)), Err(why) => (why) }
                        } }
                        @if channels.readiness(channel).is_ok() {
                            a.btn.small href={ (cx.url("notifications/test")) "?channel=" (channel.name()) } data-dialog { "Send a test" span.vh { " by " (channel_name(channel)) } }
                        } @else if let Some((section, label)) = section_of(channel) { a.btn.small href=(cx.url(section)) { (label) } }
                    }
                }
            }
        }
    }
}

pub(super) async fn ask(cx: Arc<Cx>) -> Answer {
    cx.require::<actions::TestChannel>()?;
    let channel = Channel::parse(cx.query("channel")).unwrap_or(Channel::Email);
    form(&cx, channel, &Faults::default()).await
}

async fn form(cx: &Cx, channel: Channel, faults: &Faults) -> Answer {
    let channels = Present::load(cx).await?.channels;
    let ready = channels.readiness(channel);
    let body = html! {
        form method="post" action=(cx.url("notifications/test")) {
            input type="hidden" name="channel" value=(channel.name());
            input type="hidden" name="once" value=(cx.once());
            div.dlg-body {
                (form_faults(faults))
                @match ready {
                    Ok(()) => p { (goes_to(cx, channel, &channels)) " The message says that it is a test. That you sent it is written to the audit log." },
                    Err(why) => p { (why) @if let Some((section, label)) = section_of(channel) { " " a href=(cx.url(section)) { (label) } } },
                }
            }
            @if ready.is_ok() { (foot(cx, SECTION, &html! { button.btn.primary type="submit" data-busy="Sending…" { "Send test" } })) }
            @else { div.dlg-foot { a.btn.primary href=(cx.url(SECTION)) data-close { "Close" } } }
        }
    };
    let title = format!("Send a test by {}?", channel_name(channel));
    let d = Dialog {
        section: SECTION,
        title: &title,
        back: SECTION,
        back_label: TITLE,
        wide: false,
        guard_copy: false,
        body,
    };
    respond::shown(faults.status(), dialog(cx, &d))
}

pub(super) async fn send(cx: Arc<Cx>) -> Answer {
    let permit = cx.permit::<actions::TestChannel>()?;
    let channel = Channel::parse(cx.field("channel")).ok_or(Stop::NotFound)?;
    match cx.site().app().test_channel(&permit, &cx.call_once("consoleTestChannel"), channel).await {
        Ok(done) => cx.done(&format!("deliveries/{}", done.value().id), "A test is on its way."),
        Err(failure) => {
            let mut faults = Faults::default();
            faults.rule(Refusal::of(failure)?.rule()?, &[]);
            form(&cx, channel, &faults).await
        }
    }
}
