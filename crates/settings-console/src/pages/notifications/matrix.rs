//! The form: events against channels, and who gets the mails of each.
use super::typed::{Row, Typed, recipients_field};
use crate::{
    cx::Cx,
    form::Faults,
    ui::{channel_icon, channel_name, count, event_about, event_name, field, icon},
};
use maud::{Markup, html};
use settings_domain::{
    connections::ConnectionStatus,
    notifications::{Channel, Channels, MAX_RECIPIENTS},
    policy::EventType,
    webhook_subscriptions::SubscriptionStatus,
};

/// Where a channel is looked after.
pub(super) const fn section_of(channel: Channel) -> Option<(&'static str, &'static str)> {
    match channel {
        Channel::Email => None,
        Channel::Slack => Some(("connections", "Go to Connections")),
        Channel::Webhook => Some(("webhooks", "Go to Webhooks")),
    }
}

/// How a channel stands, in a word or two.
fn state(channel: Channel, channels: &Channels) -> Markup {
    let ready = channels.readiness(channel).is_ok();
    match channel {
        Channel::Email => html! { span.status.ok { "Ready" } },
        Channel::Slack => match &channels.connection {
            Some(c) if ready => {
                let name = c.channel_name.as_ref().map(ToString::to_string);
                let name = name.or_else(|| c.channel.as_ref().map(ToString::to_string)).unwrap_or_default();
                html! { span.status.ok { bdi { (name) } } }
            }
            Some(c) if c.status == ConnectionStatus::Error => html! { span.status.bad { "Paused" } },
            Some(c) if c.status == ConnectionStatus::Active => html! { span.status.off { "No channel" } },
            _ => html! { span.status.off { "Not connected" } },
        },
        Channel::Webhook => {
            let active = channels.subscriptions.iter().filter(|s| s.status == SubscriptionStatus::Active).count();
            html! {
                @if ready { span.status.ok { (count(active, "address", "addresses")) } }
                @else if channels.subscriptions.is_empty() { span.status.off { "Not set up" } }
                @else { span.status.off { "Disabled" } }
            }
        }
    }
}

pub(super) fn channels(cx: &Cx, channels: &Channels, typed: &Typed, may: bool) -> Markup {
    let unready = Channel::ALL.into_iter().filter_map(|c| channels.readiness(c).err().map(|why| (c, why)));
    html! {
        section.card aria-labelledby="h-events" {
            div.card-head { h2 id="h-events" { "Events" } p.muted { "Sent to the workspace’s channels, not to you personally." } }
            table.matrix role="table" {
                caption.vh { "Which event is sent on which channel" }
                thead role="rowgroup" { tr role="row" {
                    th role="columnheader" scope="col" { "Event" }
                    @for channel in Channel::ALL {
                        th.ch role="columnheader" scope="col" {
                            div.ch-name { (icon(channel_icon(channel))) (channel_name(channel)) }
                            (state(channel, channels))
                        }
                    }
                } }
                tbody role="rowgroup" {
                    @for row in &typed.rows {
                        tr role="row" {
                            th.ev role="rowheader" scope="row" { div.name { (event_name(row.kind)) } div.sub { (event_about(row.kind)) } }
                            @for channel in Channel::ALL { td role="cell" { (cell(row, channel, channels, may)) } }
                        }
                    }
                }
            }
            @for (channel, why) in unready {
                div.card-foot id={ "why-" (channel.name()) } {
                    (icon(channel_icon(channel)))
                    p { (why) @if let Some((section, label)) = section_of(channel) { " " a href=(cx.url(section)) { (label) } } }
                }
            }
        }
    }
}

/// A channel that does not work can't be chosen. One that was chosen before can still be dropped.
fn cell(row: &Row, channel: Channel, channels: &Channels, may: bool) -> Markup {
    let (on, ready) = (row.channels.contains(&channel), channels.readiness(channel).is_ok());
    html! {
        label.cell {
            input type="checkbox" name=(row.kind.name()) value=(channel.name()) checked[on] disabled[!may || !(ready || on)]
                aria-describedby=[(!ready).then(|| format!("why-{}", channel.name()))];
            span.cell-label { span.vh { (event_name(row.kind)) " by " } (channel_name(channel)) }
        }
    }
}

pub(super) fn recipients(typed: &Typed, faults: &Faults, may: bool) -> Markup {
    html! {
        section.card aria-labelledby="h-recipients" {
            div.card-head { h2 id="h-recipients" { "E-mail recipients" } p.muted { "One address a line, at most " (MAX_RECIPIENTS) " an event. Nobody named means the admins." } }
            fieldset.recipients disabled[!may] {
                legend.vh { "E-mail recipients of each event" }
                @for kind in EventType::ALL {
                    @let text = typed.of(kind).map_or("", |r| r.recipients.as_str());
                    (field(recipients_field(kind), event_name(kind), None, faults, |described, invalid| html! {
                        textarea id=(recipients_field(kind)) name=(recipients_field(kind)) rows="1" placeholder="The admins" autocomplete="off"
                            autocapitalize="off" spellcheck="false" aria-describedby=[described] aria-invalid=[invalid] { "\n" (text) }
                    }))
                }
            }
        }
    }
}
