//! The fields of the form. Which day is asked for follows from the frequency, by the style sheet alone.
use super::typed::{Typed, day_name};
use crate::{
    form::Faults,
    pages::audit_log::risk_badge,
    ui::{Icon, field, icon},
};
use maud::{Markup, html};
use settings_domain::{
    audit::Risk,
    audit_digest::{DayOfMonth, DayOfWeek, Hour, MAX_RECIPIENTS},
};

pub(super) fn all(typed: &Typed, faults: &Faults) -> Markup {
    html! {
        label.tick { input type="checkbox" name="enabled" value="yes" checked[typed.enabled]; span { "Send digests" } }
        fieldset.choices.tiles {
            legend { "How often" }
            @for (name, label) in [("daily", "Every day"), ("weekly", "Every week"), ("monthly", "Every month")] {
                label.choice { input type="radio" name="frequency" value=(name) checked[typed.frequency == name] required; span { strong { (label) } } }
            }
        }
        (fault(faults, "frequency"))
        div.two.schedule {
            div.of-frequency data-of="weekly" {
                (select("dayOfWeek", "Day", faults, DayOfWeek::RANGE, &typed.day_of_week, |n| u8::try_from(n).map(day_name).unwrap_or_default().to_owned()))
            }
            div.of-frequency data-of="monthly" {
                (select("dayOfMonth", "Day of the month", faults, DayOfMonth::RANGE, &typed.day_of_month, |n| n.to_string()))
            }
            div {
                (select("hour", "Hour", faults, Hour::RANGE, &typed.hour, |n| format!("{n:02}:00 UTC")))
                p.hint data-local hidden {}
            }
        }
        (risks(typed, faults))
        (field("recipients", "Recipients", Some(&html! { "One address a line, at most " (MAX_RECIPIENTS) ". They read who did what here: choose people who may." }), faults, |described, invalid| html! {
            textarea id="recipients" name="recipients" rows="4" autocomplete="off" autocapitalize="off" spellcheck="false"
                aria-describedby=[described] aria-invalid=[invalid] { "\n" (typed.recipients) }
        }))
    }
}

fn fault(faults: &Faults, name: &'static str) -> Markup {
    html! {
        @if let Some(text) = faults.of(name) { p.error id={ (name) "-error" } tabindex="-1" data-fault { (icon(Icon::Warn)) span { (text) } } }
    }
}

fn select(
    id: &'static str,
    label: &str,
    faults: &Faults,
    range: std::ops::RangeInclusive<i64>,
    chosen: &str,
    text: impl Fn(i64) -> String,
) -> Markup {
    field(id, label, None, faults, |described, invalid| {
        html! {
            select id=(id) name=(id) aria-describedby=[described] aria-invalid=[invalid] {
                @for n in range { option value=(n) selected[n.to_string() == chosen] { (text(n)) } }
            }
        }
    })
}

/// What a level holds, for who decides about it.
const fn about(risk: Risk) -> &'static str {
    match risk {
        Risk::Critical => "What can’t be undone, such as an erasure.",
        Risk::High => "Revealed secrets, refused calls, keys that can read secrets.",
        Risk::Medium => "Changed settings and access to data.",
        Risk::Low => "Routine.",
    }
}

fn risks(typed: &Typed, faults: &Faults) -> Markup {
    html! {
        fieldset.choices.levels aria-describedby=[faults.of("risk").map(|_| "risk-error")] {
            legend { "Events of these risks" }
            @for risk in Risk::ALL.into_iter().rev() {
                label.tick {
                    input type="checkbox" name="risk" value=(risk.name()) checked[typed.risks.iter().any(|r| r == risk.name())];
                    (risk_badge(risk)) span.muted { (about(risk)) }
                }
            }
        }
        (fault(faults, "risk"))
    }
}
