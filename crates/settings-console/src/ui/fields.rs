//! Fields of forms: label, hint, control, fault.
use super::{
    icons::{Icon, icon},
    role_about, role_name,
};
use crate::form::Faults;
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
