//! Coming in, going out, and who may post.
use crate::stage::{Browser, ORIGIN, Stage};
use http::{StatusCode, header};
use secrecy::ExposeSecret as _;

async fn link(stage: &Stage, email: &str) -> String {
    let link = stage.app.sign_in_link(email.parse().unwrap(), time::Duration::hours(1)).await.unwrap();
    link.expose_secret().strip_prefix(ORIGIN).unwrap().to_owned()
}

#[tokio::test]
async fn a_link_gives_a_browser_its_cookie_once_and_a_program_its_token() {
    let (stage, _) = Stage::new().await;
    let own = [("sec-fetch-site", "same-origin")];
    let path = link(&stage, "admin@acme.example").await;
    let looked = stage.get(None, &path).await;
    assert_eq!((looked.status, looked.cookies()), (StatusCode::OK, vec![]));
    let shown = stage.post_from(None, &path, &[], &own).await;
    assert_eq!((shown.status, shown.location()), (StatusCode::SEE_OTHER, "/"));
    let cookie = shown.cookies()[0];
    for part in ["__Host-settings=", "; Path=/", "; HttpOnly", "; SameSite=Lax", "; Secure", "; Max-Age=43200"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    assert_eq!(stage.post_from(None, &path, &[], &own).await.status, StatusCode::NOT_FOUND, "it works once");
    let path = link(&stage, "admin@acme.example").await;
    let told = stage.post_from(None, &path, &[], &[("accept", "application/json")]).await;
    assert!(told.text.contains("\"token\":\"ses_") && told.cookies().is_empty(), "{}", told.text);
}

#[tokio::test]
async fn signing_in_again_gives_another_session_and_ends_the_one_before() {
    let (stage, admin) = Stage::new().await;
    let path = link(&stage, "admin@acme.example").await;
    let shown = stage.post(&admin, &path, &[]).await;
    let token = shown.cookies()[0].split(['=', ';']).nth(1).unwrap().to_owned();
    assert_ne!(token, admin.token);
    assert_eq!(stage.get(Some(&admin), "/acme/settings/workspace").await.status, StatusCode::SEE_OTHER);
    let again = Browser { token, user: admin.user };
    assert_eq!(stage.get(Some(&again), "/acme/settings/workspace").await.status, StatusCode::OK);
    // A program has no browser's session: its token is one more.
    let path = link(&stage, "admin@acme.example").await;
    let more = [("accept", "application/json"), ("sec-fetch-site", "same-origin")];
    stage.post_from(Some(&again), &path, &[], &more).await;
    assert_eq!(stage.get(Some(&again), "/acme/settings/workspace").await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_session_that_is_used_goes_on_and_one_that_is_not_ends() {
    let (stage, admin) = Stage::new().await;
    let step = settings_domain::ports::accounts::SESSION_IDLE - time::Duration::minutes(1);
    let shown = async || stage.get(Some(&admin), "/acme/settings/workspace").await.status;
    for _ in 0..3 {
        stage.store.advance(step);
        assert_eq!(shown().await, StatusCode::OK);
        stage.app.flush_activity().await.unwrap();
    }
    stage.store.advance(step + time::Duration::minutes(1));
    assert_eq!(shown().await, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn nobody_is_signed_in_by_another_site() {
    let (stage, _) = Stage::new().await;
    let path = link(&stage, "admin@acme.example").await;
    for headers in [
        vec![("sec-fetch-site", "cross-site")],
        vec![("sec-fetch-site", "same-site")],
        vec![("origin", "null")],
        vec![],
    ] {
        let shown = stage.post_from(None, &path, &[], &headers).await;
        assert_eq!((shown.status, shown.cookies()), (StatusCode::FORBIDDEN, vec![]), "{headers:?}");
    }
    let own = stage.post_from(None, &path, &[], &[("origin", ORIGIN)]).await;
    assert_eq!(own.status, StatusCode::SEE_OTHER, "the link was not used up by them");
}

#[tokio::test]
async fn forms_are_accepted_from_this_origin_only() {
    let (stage, admin) = Stage::new().await;
    let form = [("email", "x@people.example"), ("role", "viewer")];
    let path = "/acme/settings/members/invite";
    for foreign in [
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
        ("origin", "null"),
        ("origin", "https://evil.example"),
    ] {
        let shown = stage.post_from(Some(&admin), path, &form, &[foreign]).await;
        assert_eq!(shown.status, StatusCode::FORBIDDEN, "{foreign:?}");
    }
    let shown = stage.post_from(Some(&admin), path, &form, &[]).await;
    assert!(
        shown.location().starts_with("/sign-in"),
        "without a word of where it comes from the cookie does not count"
    );
    assert!(stage.get(Some(&admin), "/acme/settings/members").await.text.contains("No open invitations"));
    let shown = stage.post_from(Some(&admin), path, &form, &[("origin", ORIGIN)]).await;
    assert_eq!(shown.location(), "/acme/settings/members");
}

#[tokio::test]
async fn the_cookie_opens_pages_and_nothing_else_does() {
    let (stage, admin) = Stage::new().await;
    let (_, key) = stage.key(&admin, "CI", "workspace:read").await;
    let get = |name: &'static str, value: String| {
        let request = http::Request::get("/acme/settings/workspace").header("accept", "text/html").header(name, value);
        stage.send(request.body(axum::body::Body::empty()).unwrap())
    };
    assert_eq!(get("cookie", format!("__Host-settings={}", admin.token)).await.status, StatusCode::OK);
    for (name, value) in [
        ("cookie", format!("settings={}", admin.token)),
        ("cookie", format!("__Host-settings={key}")),
        ("authorization", format!("Bearer {}", admin.token)),
        ("x-api-key", key.clone()),
    ] {
        let shown = get(name, value).await;
        assert_eq!(shown.status, StatusCode::SEE_OTHER, "{name}");
        assert_eq!(shown.location(), "/sign-in?return_to=%2Facme%2Fsettings%2Fworkspace");
    }
    let api = http::Request::get("/workspace").header("cookie", format!("__Host-settings={}", admin.token));
    let api = stage.send(api.body(axum::body::Body::empty()).unwrap()).await;
    assert_eq!(api.status, StatusCode::UNAUTHORIZED, "the API does not know the cookie");
}

#[tokio::test]
async fn signing_out_ends_the_session_and_its_cookie() {
    let (stage, admin) = Stage::new().await;
    let shown = stage.post(&admin, "/sign-out", &[]).await;
    assert_eq!((shown.status, shown.location()), (StatusCode::SEE_OTHER, "/sign-in"));
    assert!(shown.cookies()[0].starts_with("__Host-settings=;") && shown.cookies()[0].contains("Max-Age=0"));
    assert_eq!(stage.get(Some(&admin), "/acme/settings/workspace").await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn people_end_their_own_sessions_and_nobody_elses() {
    let (stage, admin) = Stage::new().await;
    let other = stage.member(&admin, "other@people.example", settings_domain::policy::Role::Admin).await;
    let second = stage
        .app
        .redeem_sign_in(link(&stage, "admin@acme.example").await.rsplit('/').next().unwrap())
        .await
        .unwrap()
        .unwrap();
    let second = Browser { token: second.token.expose_secret().to_owned(), user: admin.user };
    let theirs = stage.app.sessions_of(other.user).await.unwrap()[0].id;
    stage.post(&admin, &format!("/acme/settings/sessions/{theirs}/end"), &[]).await;
    assert_eq!(stage.get(Some(&other), "/acme/settings/workspace").await.status, StatusCode::OK);
    let shown = stage.post(&admin, "/acme/settings/sessions/others/end", &[]).await;
    assert_eq!(shown.location(), "/acme/settings/sessions");
    assert_eq!(stage.get(Some(&second), "/acme/settings/workspace").await.status, StatusCode::SEE_OTHER);
    assert_eq!(stage.get(Some(&admin), "/acme/settings/workspace").await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_session_has_its_end() {
    let (stage, admin) = Stage::new().await;
    stage.store.advance(settings_domain::ports::accounts::SESSION_LIFETIME);
    let shown = stage.get(Some(&admin), "/acme/settings/workspace").await;
    assert_eq!(shown.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn every_answer_says_the_same_to_the_browser() {
    let (stage, admin) = Stage::new().await;
    let style = stage
        .get(None, "/sign-in")
        .await
        .text
        .split("href=\"")
        .find(|p| p.starts_with("/static"))
        .unwrap()
        .split('"')
        .next()
        .unwrap()
        .to_owned();
    for (who, path) in [
        (Some(&admin), "/acme/settings/members"),
        (Some(&admin), "/acme/settings/nothing"),
        (None, "/sign-in"),
        (None, "/invitations/x"),
        (None, style.as_str()),
        (None, "/"),
    ] {
        let shown = stage.get(who, path).await;
        let is = |name: &str, value: &str| assert_eq!(shown.headers.get(name).unwrap(), value, "{path} {name}");
        is(
            "content-security-policy",
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types fragment",
        );
        is("x-content-type-options", "nosniff");
        is("referrer-policy", if path.starts_with("/invitations/") { "no-referrer" } else { "same-origin" });
        is("cross-origin-opener-policy", "same-origin");
        is("cross-origin-resource-policy", "same-origin");
        is("permissions-policy", "camera=(), microphone=(), geolocation=(), payment=()");
        is(
            "cache-control",
            if path.starts_with("/static") { "public, max-age=31536000, immutable" } else { "no-store" },
        );
    }
}

#[tokio::test]
async fn the_way_back_is_a_path_of_ours() {
    let (stage, admin) = Stage::new().await;
    let there = stage.get(Some(&admin), "/sign-in?return_to=%2Facme%2Fsettings%2Froles").await;
    assert_eq!(there.location(), "/acme/settings/roles");
    for foreign in ["//evil.example", "/\\evil.example", "https:evil.example", "https://evil.example"] {
        let query: String = url::form_urlencoded::byte_serialize(foreign.as_bytes()).collect();
        assert_eq!(stage.get(Some(&admin), &format!("/sign-in?return_to={query}")).await.location(), "/", "{foreign}");
    }
}

#[tokio::test]
async fn short_addresses_lead_to_the_workspace_and_leave_the_api_alone() {
    let (stage, admin) = Stage::new().await;
    for path in ["/acme", "/acme/settings"] {
        assert_eq!(stage.get(Some(&admin), path).await.location(), "/acme/settings/workspace");
    }
    let plain = http::Request::get("/acme").body(axum::body::Body::empty()).unwrap();
    let shown = stage.send(plain).await;
    assert_eq!(shown.status, StatusCode::UNAUTHORIZED, "a program learns nothing of which names there are");
    assert_eq!(shown.headers.get(header::CONTENT_TYPE).unwrap(), "application/problem+json");
}

#[tokio::test]
async fn after_signing_in_one_is_where_the_form_was() {
    let (stage, _) = Stage::new().await;
    let path = "/acme/settings/invitations/019b8d2b-8c0e-7000-8000-070000000001/resend";
    let own = ("sec-fetch-site", "same-origin");
    let page = format!("{ORIGIN}/acme/settings/members?role=viewer");
    let shown = stage.post_from(None, path, &[], &[own, ("referer", &page)]).await;
    assert_eq!(shown.location(), "/sign-in?return_to=%2Facme%2Fsettings%2Fmembers%3Frole%3Dviewer");
    for elsewhere in ["https://evil.example/acme", "https://settings.example.evil/acme", "https://settings.example"] {
        let shown = stage.post_from(None, path, &[], &[own, ("referer", elsewhere)]).await;
        assert_eq!(shown.location(), "/sign-in", "{elsewhere}");
    }
}

#[tokio::test]
async fn nobody_is_asked_to_choose_where_there_is_nothing_to_choose() {
    let (stage, admin) = Stage::new().await;
    assert_eq!(stage.get(Some(&admin), "/").await.location(), "/acme/settings/workspace");
    let stranger = link(&stage, "stranger@people.example").await;
    let shown = stage.post_from(None, &stranger, &[], &[("sec-fetch-site", "same-origin")]).await;
    let token = shown.cookies()[0].split(';').next().unwrap().split_once('=').unwrap().1.to_owned();
    let stranger = Browser { token, user: admin.user };
    let shown = stage.get(Some(&stranger), "/").await;
    assert!(shown.status.is_success() && shown.text.contains("No workspace yet"));
}
