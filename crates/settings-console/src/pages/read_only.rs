//! A section for who may read it and not change it.
use super::errors;
use crate::{
    cx::Cx,
    ui::{Tone, ask_admins, banner},
};
use maud::{Markup, html};
use settings_domain::policy::Permission;

/// Says so, and whom to ask; nothing for who holds `needs`.
pub(super) async fn notice(cx: &Cx, needs: Permission, what: &str) -> Markup {
    if cx.can(needs) {
        return html! {};
    }
    let admins = errors::admins(cx).await;
    banner(Tone::Info, &html! { p { "You can see " (what) ", but not change them. " (ask_admins(cx, &admins)) } })
}
