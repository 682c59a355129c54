//! Whether a model's credential is accepted: one call of its provider, explained.
use super::{Owner, auth_name, one, permit, shown, tenant};
use crate::{
    cx::Cx,
    refusal::Refusal,
    stop::Answer,
    ui::{Tone, banner, foot},
};
use http::StatusCode;
use maud::{Markup, html};
use settings_domain::{models::ModelView, ports::probe::ProbeReport};
use std::sync::Arc;

fn summary(v: &ModelView, report: Option<&ProbeReport>) -> Markup {
    let m = &v.model;
    html! {
        dl.kv {
            dt { "Model" } dd { strong { bdi { (m.name.as_str()) } } }
            dt { "Provider" } dd { (m.provider.display_name()) }
            dt { "Called at" } dd { span.mono { (m.origin) } }
            dt { "With" } dd { "the stored " (auth_name(m.auth).to_lowercase()) }
            @if let Some(report) = report {
                dt { "Answer" } dd { @match report.status { Some(status) => { "Status " (status) }, None => { "None" } } }
                dt { "Took" } dd { (took(report.took_ms)) }
            }
        }
    }
}

pub(super) async fn ask<O: Owner>(cx: Arc<Cx>) -> Answer {
    cx.require::<O::Test>()?;
    let v = one::<O>(&cx).await?;
    let body = html! {
        form method="post" action=(cx.url(&format!("{}/{}/test", O::SECTION, v.model.id))) {
            div.dlg-body {
                (summary(&v, None))
                p { "The provider is called once to see whether it accepts the credential. Nothing is generated, and the test is written to the audit log." }
            }
            (foot(&cx, O::SECTION, &html! { button.btn.primary type="submit" data-busy="Calling…" { "Run test" } }))
        }
    };
    shown::<O>(&cx, "Test this model?", false, StatusCode::OK, body)
}

pub(super) async fn test<O: Owner>(cx: Arc<Cx>) -> Answer {
    let permit = permit::<O, O::Test>(&cx).await?;
    cx.site().limit(|l| l.probe(tenant::<O>(&cx).as_uuid()))?;
    let v = one::<O>(&cx).await?;
    match cx.site().app().test_model(&permit, &cx.call(), v.model.id).await {
        Ok(report) => result::<O>(&cx, &v, &report),
        // What forms carry is not part of a test: nothing but its model's end stands against it.
        Err(failure) => Err(Refusal::of(failure)?.rule().err().unwrap_or(crate::stop::Stop::NotFound)),
    }
}

fn result<O: Owner>(cx: &Cx, v: &ModelView, report: &ProbeReport) -> Answer {
    let (tone, verdict) = match (report.reachable, report.authenticated) {
        (true, Some(true)) => (Tone::Ok, "The credential is accepted."),
        (true, Some(false)) => (Tone::Danger, "The credential is not accepted."),
        (true, None) => (Tone::Warn, "It answers; whether it accepts the credential can’t be told."),
        (false, _) => (Tone::Danger, "It can’t be reached."),
    };
    let body = html! {
        form method="post" action=(cx.url(&format!("{}/{}/test", O::SECTION, v.model.id))) {
            div.dlg-body {
                div role="status" tabindex="-1" data-fault { (banner(tone, &html! { p { strong { (verdict) } " " (report.detail) } })) }
                (summary(v, Some(report)))
            }
            div.dlg-foot {
                button.btn type="submit" data-busy="Calling…" { "Test again" }
                a.btn.primary href=(cx.url(O::SECTION)) data-close { "Done" }
            }
        }
    };
    shown::<O>(cx, "Result of the test", false, StatusCode::OK, body)
}

/// Told in tenths of a second, as it is measured.
fn took(ms: i64) -> String {
    if ms < 100 { "less than 0.1 s".to_owned() } else { format!("{}.{} s", ms / 1000, ms % 1000 / 100) }
}

#[cfg(test)]
mod tests {
    use super::took;

    #[test]
    fn a_duration_is_told_in_tenths_of_a_second() {
        assert_eq!(
            [0, 99, 100, 1250, 10_000].map(took),
            ["less than 0.1 s", "less than 0.1 s", "0.1 s", "1.2 s", "10.0 s"]
        );
    }
}
