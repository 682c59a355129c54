//! The form of a webhook: its address and its events.
use crate::{
    cx::Cx,
    form::Faults,
    ui::{Icon, event_about, event_name, field, icon},
};
use maud::{Markup, html};
use settings_domain::{policy::EventType, ports::outbound::OutboundUrl, webhook_subscriptions::WebhookSubscription};
use std::collections::BTreeSet;

pub(super) struct Typed {
    pub(super) url: String,
    pub(super) events: Vec<String>,
    pub(super) version: i64,
}

impl Typed {
    /// A new one: all events, since which are sent at all is chosen elsewhere.
    pub(super) fn fresh() -> Self {
        let events = EventType::ALL.iter().map(|e| e.name().to_owned()).collect();
        Self { url: String::new(), events, version: 0 }
    }
    pub(super) fn stored(s: &WebhookSubscription) -> Self {
        let events = s.events.iter().map(|e| e.name().to_owned()).collect();
        Self { url: s.url.clone(), events, version: s.version }
    }
    pub(super) fn sent(cx: &Cx) -> Self {
        Self {
            url: cx.field("url").trim().to_owned(),
            events: cx.fields("event").map(str::to_owned).collect(),
            version: cx.field("version").parse().unwrap_or_default(),
        }
    }
    pub(super) fn in_words(&self) -> String {
        let chosen = EventType::ALL.into_iter().filter(|e| self.events.iter().any(|n| n == e.name()));
        chosen.map(event_name).collect::<Vec<_>>().join(", ")
    }

    /// The events, or what is wrong with them.
    pub(super) fn chosen(&self, faults: &mut Faults) -> Option<BTreeSet<EventType>> {
        let events: Option<BTreeSet<EventType>> = self.events.iter().map(|e| e.parse().ok()).collect();
        let events = events.filter(|e| !e.is_empty());
        if events.is_none() {
            faults.field("event", "Choose at least one event.");
        }
        events
    }

    /// The address if it may be called, or why not.
    pub(super) async fn vetted(&self, cx: &Cx, faults: &mut Faults) -> Option<OutboundUrl> {
        if self.url.is_empty() {
            faults.field("url", "Enter the address that events are sent to.");
            return None;
        }
        match cx.site().app().vet_url(&self.url, cx.view.workspace.id).await {
            Ok(url) => Some(url),
            Err(refusal) => {
                faults.field("url", format!("This URL can’t be used: {refusal}."));
                None
            }
        }
    }
}

pub(super) fn fields(typed: &Typed, faults: &Faults) -> Markup {
    let fault = faults.of("event");
    html! {
        (field("url", "Address", Some(&html! { "An https address on a public host that answers with a status from 200 to 299." }), faults, |described, invalid| html! {
            input.mono id="url" name="url" type="url" value=(typed.url) required maxlength="2048" placeholder="https://hooks.example.com/settings" autocomplete="off"
                spellcheck="false" autofocus aria-describedby=[described] aria-invalid=[invalid];
        }))
        fieldset.choices.events aria-describedby=[fault.map(|_| "event-error")] {
            legend { "Events" }
            @for kind in EventType::ALL {
                label.tick {
                    input type="checkbox" name="event" value=(kind.name()) checked[typed.events.iter().any(|n| n == kind.name())];
                    span { (event_name(kind)) } span.muted { (event_about(kind)) }
                }
            }
        }
        @if let Some(text) = fault { p.error id="event-error" tabindex="-1" data-fault { (icon(Icon::Warn)) span { (text) } } }
    }
}
