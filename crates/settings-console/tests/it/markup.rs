//! What the content policy and the house forbid in markup.
use crate::stage::Stage;
use std::{fs, path::Path};

#[tokio::test]
async fn no_page_has_a_style_or_an_event_attribute() {
    let (stage, admin) = Stage::new().await;
    stage.key(&admin, "CI", "runs:read").await;
    for path in [
        "/acme/settings/workspace",
        "/acme/settings/members",
        "/acme/settings/roles",
        "/acme/settings/api-keys",
        "/acme/settings/api-keys/new",
        "/acme/settings/variables",
        "/acme/settings/variables?view=compare",
        "/acme/settings/variables/new",
        "/acme/settings/variables/import",
        "/acme/settings/secrets",
        "/acme/settings/secrets/new",
        "/acme/settings/models",
        "/acme/settings/models/new",
        "/acme/settings/notifications",
        "/acme/settings/webhooks",
        "/acme/settings/webhooks/new",
        "/acme/settings/deliveries",
        "/acme/settings/connections",
        "/acme/settings/audit-digest",
        "/acme/settings/audit-log",
        "/acme/settings/nothing",
        "/",
        "/sign-in",
    ] {
        let shown = stage.get(Some(&admin), path).await;
        let tags = shown.text.split('<').filter_map(|t| t.split_once('>')).map(|(tag, _)| tag);
        for tag in tags {
            let attributes = tag.split(' ').skip(1).filter_map(|a| a.split_once('=')).map(|(name, _)| name);
            for attribute in attributes {
                assert!(attribute != "style" && !attribute.starts_with("on"), "{path}: {tag}");
            }
        }
        assert!(!shown.text.contains("<style"), "{path}");
        assert!(shown.text.matches("<script").count() <= 1, "{path}");
    }
}

#[tokio::test]
async fn a_fragment_is_the_inside_of_a_dialog_and_a_page_is_whole() {
    let (stage, admin) = Stage::new().await;
    let path = "/acme/settings/members/invite";
    let request =
        http::Request::get(path).header("cookie", format!("__Host-settings={}", admin.token)).header("x-fragment", "1");
    let fragment = stage.send(request.body(axum::body::Body::empty()).unwrap()).await;
    assert!(fragment.text.starts_with("<div class=\"dlg\"") && !fragment.text.contains("<html"), "{}", fragment.text);
    let page = stage.get(Some(&admin), path).await;
    assert!(page.text.starts_with("<!DOCTYPE html>") && page.text.contains("Invite a member</h1>"));
}

#[test]
fn markup_is_written_by_hand_for_icons_only() {
    fn walk(folder: &Path, out: &mut Vec<std::path::PathBuf>) {
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            if entry.path().is_dir() { walk(&entry.path(), out) } else { out.push(entry.path()) }
        }
    }
    let mut files = Vec::new();
    walk(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src")), &mut files);
    assert!(files.len() > 20);
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        assert_eq!(text.contains("PreEscaped"), file.ends_with("ui/icons.rs"), "{}", file.display());
    }
}
