//! Fields of forms: label, hint, control, fault.
use super::{
    icons::{Icon, icon},
    role_about, role_name,
};
use crate::{cx::Cx, form::Faults, write_only::draft_of};
use maud::{Markup, html};
use settings_domain::policy::Role;

/// Faults that belong to no field.
pub(crate) fn form_faults(faults: &Faults) -> Markup {
    html! {
        @for text in faults.of_form() {
            div.banner.danger role="alert" tabindex="-1" data-fault { (icon(Icon::Warn)) div { p { (text) } } }
        }
    }
}

/// A field around its control. The control is given what describes it and whether it is at fault.
pub(crate) fn field(
    id: &'static str,
    label: &str,
    hint: Option<&Markup>,
    faults: &Faults,
    control: impl FnOnce(Option<&str>, Option<&'static str>) -> Markup,
) -> Markup {
    let fault = faults.of(id);
    let mut described = Vec::new();
    if hint.is_some() {
        described.push(format!("{id}-hint"));
    }
    if fault.is_some() {
        described.push(format!("{id}-error"));
    }
    let described = (!described.is_empty()).then(|| described.join(" "));
    html! {
        div.field {
            label for=(id) { (label) }
            @if let Some(hint) = hint { p.hint id={ (id) "-hint" } { (hint) } }
            (control(described.as_deref(), fault.map(|_| "true")))
            @if let Some(text) = fault { p.error id={ (id) "-error" } { (icon(Icon::Warn)) span { (text) } } }
        }
    }
}

/// A field with one line of text.
pub(crate) fn text_input(
    id: &'static str,
    label: &str,
    hint: Option<&Markup>,
    faults: &Faults,
    value: &str,
    focus: bool,
) -> Markup {
    field(id, label, hint, faults, |described, invalid| {
        html! {
            input id=(id) name=(id) type="text" value=(value) required maxlength="200" autocomplete="off"
                autofocus[focus] aria-invalid=[invalid] aria-describedby=[described];
        }
    })
}

/// A field for a value that no page shows.
pub(crate) struct WriteOnly<'a> {
    pub(crate) id: &'static str,
    pub(crate) label: &'a str,
    pub(crate) hint: Option<Markup>,
    /// Whether something has to be entered; not where a draft of it is carried along.
    pub(crate) required: bool,
}

/// The field: masked until its tick box is set, and only ever filled by who types. What was sent before is carried along as
/// a draft that nobody can read.
pub(crate) fn write_only(cx: &Cx, f: &WriteOnly<'_>, faults: &Faults) -> Markup {
    let draft = cx.draft(f.id);
    let kept = html! { "What you entered is kept. Leave this empty to use it, or enter something else." };
    // Beside a fault the hint would say the opposite.
    let hint = if draft.is_some() { Some(&kept) } else { f.hint.as_ref().filter(|_| faults.of(f.id).is_none()) };
    let control = field(f.id, f.label, hint, faults, |described, invalid| {
        html! {
            textarea.mono id=(f.id) name=(f.id) rows="1" required[f.required && draft.is_none()] autocomplete="off"
                autocapitalize="off" spellcheck="false" aria-describedby=[described] aria-invalid=[invalid] {}
            @if let Some(draft) = &draft { input type="hidden" name=(draft_of(f.id)) value=(draft); }
            label.tick.peek { input type="checkbox"; span { "Show what I type" } }
        }
    });
    html! { div.write-only { (control) } }
}

/// Roles to choose from, none above `most`.
pub(crate) fn role_cards(chosen: Role, most: Option<Role>) -> Markup {
    html! {
        fieldset.choices {
            legend { "Role" }
            @for role in Role::ALL.into_iter().filter(|r| most.is_some_and(|m| *r <= m)) {
                label.choice {
                    input type="radio" name="role" value=(role.name()) checked[role == chosen] required;
                    span { strong { (role_name(role)) } span.sub { (role_about(role)) } }
                }
            }
        }
    }
}
