//! Settings search where there is no script.
use super::{NAV, listed};
use crate::{
    cx::{self, Cx},
    site::Site,
    stop::Answer,
    ui::{Page, icon, layout, zero},
};
use axum::Router;
use maud::html;
use std::sync::Arc;

pub(crate) fn routes(router: Router<Arc<Site>>, _: &Site) -> Router<Arc<Site>> {
    router.route("/{slug}/settings/find", cx::page(find))
}

async fn find(cx: Arc<Cx>) -> Answer {
    let asked = cx.query("q");
    let words: Vec<String> = asked.to_lowercase().split_whitespace().map(str::to_owned).collect();
    let hit = |s: &&super::Section| {
        let text = format!("{} {} {}", s.label, s.words, s.about).to_lowercase();
        words.iter().all(|w| text.contains(w))
    };
    let hits: Vec<_> =
        NAV.iter().flat_map(|(_, sections)| sections.iter()).filter(|s| listed(&cx, s)).filter(hit).collect();
    let body = html! {
        section.card aria-label="Results" {
            @if hits.is_empty() {
                (zero("No setting matches", &format!("Nothing here speaks of “{asked}”."), &cx.url("find")))
            } @else {
                ul.choose.found {
                    @for s in hits {
                        li { a href=(cx.url(s.slug)) {
                            (icon(s.icon))
                            span.choose-name { strong { (s.label) } span.sub { (s.about) } }
                            @if s.needs.is_some_and(|p| !cx.can(p)) { span.badge { "No access" } }
                        } }
                    }
                }
            }
        }
    };
    let lead = if asked.is_empty() { "Every section.".to_owned() } else { format!("Results for “{asked}”.") };
    Cx::ok(layout(&cx, Page { section: "", title: "Find a setting", lead: &lead, action: None, body, bare: false }))
}
