//! A model deleted, after what fails without it was named.
use super::{Owner, one, permit, reads, shown};
use crate::{
    cx::Cx,
    form::Faults,
    refusal::Refusal,
    stop::Answer,
    ui::{Icon, foot, form_faults, icon, impact_list, uses_banner},
};
use http::StatusCode;
use maud::html;
use settings_domain::{impact::Impact, models::ModelView, references::Dependant};
use std::sync::Arc;

pub(super) async fn ask<O: Owner>(cx: Arc<Cx>) -> Answer {
    cx.require::<O::Delete>()?;
    let v = one::<O>(&cx).await?;
    let dependants = reads::<O>(&cx).await?.dependants([v.model.id]).await?;
    form::<O>(&cx, &v, &dependants, &Faults::default(), None, StatusCode::OK)
}

fn form<O: Owner>(
    cx: &Cx,
    v: &ModelView,
    dependants: &[Dependant],
    faults: &Faults,
    impact: Option<&Impact>,
    status: StatusCode,
) -> Answer {
    let m = &v.model;
    let uses: Vec<&Dependant> = dependants.iter().collect();
    let body = html! {
        form method="post" action=(cx.url(&format!("{}/{}/delete", O::SECTION, m.id))) {
            input type="hidden" name="version" value=(m.version);
            div.dlg-body {
                (form_faults(faults))
                dl.kv {
                    dt { "Model" } dd { strong { bdi { (m.name.as_str()) } } }
                    dt { "Provider" } dd { (m.provider.display_name()) }
                    dt { "Model URL" } dd { span.mono { (m.url) } }
                }
                @if let Some(impact) = impact { (impact_list(impact)) }
                @else {
                    p { "Prompts and agents that use this model fail from the next run." @if O::PLATFORM { " To keep it where it is used and from being chosen anew, hide it instead." } }
                    (uses_banner(&uses, "They fail without it."))
                }
            }
            div.band { (icon(Icon::Warn)) span { "Its credential can’t be restored." } }
            @let verb = if impact.is_some() { "Delete anyway".to_owned() } else { format!("Delete {}", O::ONE) };
            (foot(cx, O::SECTION, &html! { button.btn.danger type="submit" data-busy="Deleting…" { (verb) } }))
        }
    };
    let asked = format!("Delete {}?", O::ONE);
    let title = if impact.is_some() { "This model is relied on" } else { asked.as_str() };
    shown::<O>(cx, title, false, status, body)
}

pub(super) async fn delete<O: Owner>(cx: Arc<Cx>) -> Answer {
    let permit = permit::<O, O::Delete>(&cx).await?;
    let v = one::<O>(&cx).await?;
    match cx.site().app().delete_model(&permit, &cx.call(), v.model.id).await {
        Ok(_) => cx.done(O::SECTION, &format!("“{}” deleted.", v.model.name.as_str())),
        Err(failure) => {
            let mut faults = Faults::default();
            let dependants = reads::<O>(&cx).await?.dependants([v.model.id]).await?;
            match Refusal::of(failure)? {
                Refusal::Unconfirmed(impact) => {
                    let status = StatusCode::PRECONDITION_REQUIRED;
                    form::<O>(&cx, &v, &dependants, &faults, Some(&impact), status)
                }
                other => {
                    faults.rule(other.or_changed("model")?, &[]);
                    let status = faults.status();
                    form::<O>(&cx, &v, &dependants, &faults, None, status)
                }
            }
        }
    }
}
