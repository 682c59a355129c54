//! A `.env` file, taken over in two steps: first what would happen, then exactly that.
use super::SECTION;
use crate::{
    cx::Cx,
    form::Faults,
    pages::in_environment::{self, environment_badge, environment_field, list_of},
    refusal::Refusal,
    respond,
    stop::{Answer, Stop},
    ui::{Dialog, Icon, Tone, banner, count, dialog, field, foot, form_faults, icon, impact_list},
    write_only::{Entered, draft_of},
};
use http::StatusCode;
use maud::{Markup, html};
use secrecy::{ExposeSecret as _, SecretString};
use settings_domain::{
    environments::Environment,
    impact::Impact,
    policy::actions,
    variables::{DotenvFault, Entry, Planned, PlannedChange, parse_dotenv},
};
use std::sync::Arc;

/// The largest file: as a draft it still fits into a form.
const MAX_FILE: usize = 180 * 1024;
/// Most faults that are told one by one.
const TOLD: usize = 10;

fn shown(cx: &Cx, title: &str, status: StatusCode, body: Markup) -> Answer {
    let (back, back_label) = (SECTION, "Variables");
    let d = Dialog { section: SECTION, title, back, back_label, wide: true, guard_copy: false, body };
    respond::shown(status, dialog(cx, &d))
}

pub(super) async fn new(cx: Arc<Cx>) -> Answer {
    cx.require::<actions::UpdateVariable>()?;
    let environments = in_environment::all(&cx).await?;
    let chosen = in_environment::preselected(&cx, &environments);
    file_form(&cx, &environments, &chosen, &Faults::default(), &[])
}

/// The file. What was pasted is not sent back, whatever is wrong with it: the browser keeps it where script runs.
fn file_form(cx: &Cx, environments: &[Environment], chosen: &str, faults: &Faults, wrong: &[DotenvFault]) -> Answer {
    let body = html! {
        form method="post" action=(cx.url("variables/import")) data-dirty novalidate[!faults.none()] {
            div.dlg-body {
                (form_faults(faults))
                @if !wrong.is_empty() { (told(wrong)) }
                (environment_field(environments, chosen, faults))
                (field("content", "File", Some(&html! { "Lines of " code { "NAME=value" } ". Comments, quotes and " code { "export" } " are understood; " code { "$NAME" } " stays as it stands." }), faults, |described, invalid| html! {
                    textarea.mono.file id="content" name="content" rows="10" required autocomplete="off" autocapitalize="off" spellcheck="false"
                        data-keep aria-describedby=[described] aria-invalid=[invalid] {}
                    div.btns hidden data-js-show { label.btn.small { (icon(Icon::Import)) span { "Choose a file" } input.vh type="file" data-file="#content"; } }
                }))
                p.hint { "Nothing is saved yet. The next step shows what would be added and changed; nothing is ever deleted." }
            }
            (foot(cx, SECTION, &html! { button.btn.primary type="submit" name="step" value="preview" data-busy="Comparing…" { "Preview import" } }))
        }
    };
    let status = if wrong.is_empty() { faults.status() } else { StatusCode::UNPROCESSABLE_ENTITY };
    shown(cx, "Import a .env file", status, body)
}

fn told(wrong: &[DotenvFault]) -> Markup {
    html! {
        div.banner.danger role="alert" tabindex="-1" data-fault {
            (icon(Icon::Warn))
            div {
                p { strong { (count(wrong.len(), "line can’t be taken over", "lines can’t be taken over")) "." } " Nothing was imported." }
                ul.plain { @for f in wrong.iter().take(TOLD) { li { "Line " (f.line) ": " (f.detail) "." } } }
                @if wrong.len() > TOLD { p.sub { "And " (wrong.len() - TOLD) " more." } }
                noscript { p { "Correct the file and paste it again." } }
            }
        }
    }
}

/// The file as entries and where they go; else the form with what is wrong takes the place of the page.
fn read(cx: &Cx, environments: &[Environment]) -> Result<(Vec<Entry>, Environment), Stop> {
    let mut faults = Faults::default();
    let environment = in_environment::chosen(cx, environments, &mut faults);
    let text = match cx.entered("content") {
        Entered::Value(text) if text.expose_secret().len() > MAX_FILE => {
            faults.field("content", "The file is too large: import at most 180 KiB at once.");
            None
        }
        Entered::Value(text) => Some(text),
        Entered::Lost => {
            faults.field("content", "The file was kept for 15 minutes. Paste it again.");
            None
        }
        Entered::Nothing => {
            faults.field("content", "Paste the file’s text here.");
            None
        }
    };
    let again = |faults: &Faults, wrong: &[DotenvFault]| {
        Err(file_form(cx, environments, cx.field("environment"), faults, wrong).map_or_else(|stop| stop, Stop::from))
    };
    let text: SecretString = match text {
        Some(text) if faults.none() => text,
        _ => return again(&faults, &[]),
    };
    match parse_dotenv(text.expose_secret()) {
        Ok(entries) if entries.is_empty() => {
            faults.field("content", "There is no line of the form NAME=value in it.");
            again(&faults, &[])
        }
        Ok(entries) => match environment.and_then(|id| in_environment::of(environments, id)) {
            Some(environment) => Ok((entries, environment.clone())),
            None => Err(Stop::NotFound),
        },
        Err(wrong) => again(&faults, &wrong),
    }
}

pub(super) async fn run(cx: Arc<Cx>) -> Answer {
    let permit = cx.permit::<actions::UpdateVariable>()?;
    let environments = in_environment::all(&cx).await?;
    let (entries, environment) = read(&cx, &environments)?;
    if cx.field("step") != "import" {
        return preview(&cx, &environment, &entries, &Faults::default(), None).await;
    }
    let call = cx.call_once("consoleImportVariables");
    match cx.site().app().import_variables(&permit, &call, environment.id, &entries).await {
        Ok(done) => {
            let of = |change| done.value().iter().filter(|p| p.change == change).count();
            let (added, changed) = (of(PlannedChange::Added), of(PlannedChange::Changed));
            let text = format!("Import into {} done: {added} added, {changed} changed.", environment.name.as_str());
            cx.done(&list_of(SECTION, Some(&environment)), &text)
        }
        Err(failure) => match Refusal::of(failure)? {
            Refusal::Unconfirmed(impact) => {
                preview(&cx, &environment, &entries, &Faults::default(), Some(&impact)).await
            }
            other => {
                let mut faults = Faults::default();
                faults.rule(other.rule()?, &[]);
                preview(&cx, &environment, &entries, &faults, None).await
            }
        },
    }
}

/// What would happen, name by name, with the file as a draft that only this service can read.
async fn preview(
    cx: &Cx,
    environment: &Environment,
    entries: &[Entry],
    faults: &Faults,
    impact: Option<&Impact>,
) -> Answer {
    let mut snapshot = cx.snapshot::<actions::PreviewVariables>().await?;
    let planned = cx.site().app().preview_variables(&mut snapshot, environment.id, entries).await?;
    let planned = planned.ok_or(Stop::NotFound)?;
    let of = |change| planned.iter().filter(|p| p.change == change).count();
    let (added, changed) = (of(PlannedChange::Added), of(PlannedChange::Changed));
    let body = html! {
        form method="post" action=(cx.url("variables/import")) {
            input type="hidden" name="once" value=(cx.once());
            input type="hidden" name="environment" value=(environment.id);
            @if let Some(draft) = cx.draft("content") { input type="hidden" name=(draft_of("content")) value=(draft); }
            div.dlg-body {
                (form_faults(faults))
                dl.kv { dt { "Environment" } dd { (environment_badge(Some(environment))) } }
                @if added + changed == 0 { (banner(Tone::Ok, &html! { p { strong { "Nothing to change." } " Every variable of the file has this value already." } })) }
                @if let Some(impact) = impact { (impact_list(impact)) }
                (plan(&planned))
            }
            @if added + changed == 0 { div.dlg-foot { a.btn.primary href=(cx.url(SECTION)) data-close { "Done" } } }
            @else {
                (foot(cx, SECTION, &html! {
                    @if impact.is_some() { button.btn.danger type="submit" name="step" value="import" data-busy="Importing…" { "Overwrite and import" } }
                    @else { button.btn.primary type="submit" name="step" value="import" data-busy="Importing…" { "Import " (count(added + changed, "variable", "variables")) } }
                }))
            }
        }
    };
    let (title, status) = match impact {
        Some(_) => ("This import has consequences", StatusCode::PRECONDITION_REQUIRED),
        None => ("Preview of the import", faults.status()),
    };
    shown(cx, title, status, body)
}

fn plan(planned: &[Planned]) -> Markup {
    let of = |change| planned.iter().filter(|p| p.change == change).count();
    let (added, changed, same) = (of(PlannedChange::Added), of(PlannedChange::Changed), of(PlannedChange::Same));
    html! {
        table.versions.plan {
            caption { (added) " added, " (changed) " changed, " (same) " stay as they are" }
            thead { tr { th scope="col" { "Name" } th scope="col" { "What happens" } } }
            tbody {
                @for p in planned {
                    tr {
                        td.mono { (p.name.as_str()) }
                        td.what { @match p.change {
                            PlannedChange::Added => span.badge.ok { "Added" },
                            PlannedChange::Changed => span.badge.warn { "New value" },
                            PlannedChange::Same => span.badge { "Same value" },
                        } }
                    }
                }
            }
        }
    }
}
