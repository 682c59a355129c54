//! The first start without any configuration: a workspace, one printed link, and people who come by e-mail links.
use crate::support::{Answer, Site, Store, json, shape, tenant::Person};

/// No issuer, a new SQLite file: what `cargo run` starts.
async fn demo() -> (Site, String) {
    demo_of(None).await
}

async fn demo_of(platform: Option<&str>) -> (Site, String) {
    let env = [("AUTH0_ISSUER_BASE_URL", None), ("AUTH0_AUDIENCE", None), ("SETTINGS_PLATFORM_ADMINS", platform)];
    let site = Site::own(Store::Sqlite, &env).await;
    let line = tokio::task::block_in_place(|| site.server.second_line()).expect("a second line on stdout");
    let link = line.split_whitespace().find(|w| w.starts_with("http://")).expect(&line).to_owned();
    let start = format!("http://{}/sign-in/", site.address());
    let token = link.strip_prefix(&start).unwrap_or_else(|| panic!("{link} is no link to {start}")).to_owned();
    (site, token)
}

fn redeem(site: &Site, token: &str) -> crate::support::client::Call {
    site.anonymous().act(format!("/sign-in/{token}")).header("accept", "application/json")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_printed_link_signs_in_once() {
    let (site, token) = demo().await;
    for method in ["GET", "HEAD", "GET"] {
        let page = site.anonymous().send(method, &format!("/sign-in/{token}")).await;
        assert_eq!(page.has(200).header("referrer-policy"), Some("no-referrer"));
    }
    let answer = redeem(&site, &token).await;
    let session = answer.has(200).json();
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    shape::is(&session, &[("token", "text"), ("tokenType", "Bearer"), ("expiresAt", "instant")]);
    let admin = site.bearer(session["token"].as_str().unwrap());
    let workspace = admin.get("/workspace").await.ok();
    shape::is(&workspace, shape::WORKSPACE);
    assert_eq!((&workspace["slug"], &workspace["seatsUsed"]), (&json!("acme"), &json!(1)));
    let members = admin.get("/w/acme/workspace/members").await.ok();
    assert_eq!(shape::list(&members, shape::MEMBER)[0]["role"], "admin");
    redeem(&site, &token).await.problem(404, "not-found");
    redeem(&site, "sgn_unknown").await.problem(404, "not-found");
    redeem(&site, "%ff").await.has(404);
    // Where the operator names nobody, the admin of the demo is the platform's owner too.
    let body = json!({"name": "N", "slug": "second", "adminEmail": "n@example.org"});
    admin.post("/api/organizations", body).await.created();
    // The token is one of ours: it is no key, and not a JWT either.
    site.key(session["token"].as_str().unwrap()).get("/workspace").await.problem(401, "unauthenticated");
    let lines = site.server.log.all().join("\n");
    assert!(!lines.contains(&token) && !lines.contains(session["token"].as_str().unwrap()));
    signing_out_ends_the_session(&site, &admin).await;
    // The second start has nothing to print, and the session still holds.
    site.server.stop();
    let again = site.through(site.home.serve(&[("AUTH0_ISSUER_BASE_URL", None)]));
    admin.at(&again).get("/workspace").await.ok();
    admin.at(&again).act("/sign-out").await.done();
    admin.at(&again).get("/workspace").await.problem(401, "unauthenticated");
    again.server.stop();
    assert_eq!(again.server.out.to_the_end().len(), 1, "a second start printed another way in");
}

/// It ends the one session that asks, and nobody else's.
async fn signing_out_ends_the_session(site: &Site, admin: &crate::support::Caller) {
    let form =
        site.anonymous().send("POST", "/sign-in").body("application/x-www-form-urlencoded", "email=admin@acme.example");
    form.await.has(200);
    let link = crate::support::eventually("the second link", async || {
        let mails = site.mails_to("admin@acme.example").await;
        Some(mails.first()?["link"].as_str().unwrap().rsplit('/').next().unwrap().to_owned())
    })
    .await;
    let second = redeem(site, &link).await.has(200).json();
    let second = site.bearer(second["token"].as_str().unwrap());
    second.get("/workspace").await.ok();
    site.anonymous().act("/sign-out").await.problem(401, "unauthenticated");
    second.act("/sign-out").await.done();
    second.get("/workspace").await.problem(401, "unauthenticated");
    second.act("/sign-out").await.done();
    admin.get("/workspace").await.ok();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_invitation_is_accepted_by_its_link_alone() {
    let (site, token) = demo().await;
    let session = redeem(&site, &token).await.has(200).json();
    let admin = site.bearer(session["token"].as_str().unwrap());
    let person = Person::new("linked");
    let made = admin.post("/workspace/members", json!({"email": person.email, "role": "editor"})).await.created();
    let invitation = site.invitation_to(&person.email).await;
    let join = |token: &str| site.anonymous().act(format!("/invitations/{token}")).header("accept", "application/json");
    for method in ["GET", "HEAD"] {
        site.anonymous().send(method, &format!("/invitations/{invitation}")).await.has(200);
    }
    let pending = admin.get("/workspace/invitations").await.ok();
    assert_eq!(pending["items"].as_array().unwrap().len(), 1, "looking is not joining");
    let joined = join(&invitation).await.has(200).json();
    let member = site.bearer(joined["token"].as_str().unwrap());
    member.get("/workspace/members").await.ok();
    member.put("/workspace", json!({"name": "x"})).await.problem(403, "forbidden");
    join(&invitation).await.problem(404, "not-found");
    let events = admin.get("/audit/events?action=member.joined").await.ok();
    let events = shape::list(&events, shape::EVENT);
    assert_eq!(events[0]["changes"][0]["to"], "editor");
    assert_eq!(made["role"], "editor");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_signed_in_as_somebody_else_is_told_before_an_invitation_replaces_that() {
    let (site, token) = demo().await;
    let enter = site.anonymous().act(format!("/sign-in/{token}")).header("sec-fetch-site", "same-origin");
    let entered = enter.header("accept", "text/html").await;
    let cookie = entered.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
    let admin = site.bearer(cookie.split_once('=').unwrap().1);
    let person = Person::new("another");
    admin.post("/workspace/members", json!({"email": person.email, "role": "viewer"})).await.created();
    let page = format!("/invitations/{}", site.invitation_to(&person.email).await);
    let unknown = site.anonymous().get(&page).await.has(200).text();
    assert!(unknown.contains("signs you in with the invited address.") && !unknown.contains("You are signed in as"));
    let seen = site.anonymous().get(&page).header("cookie", &cookie).await.has(200).text();
    let (told, whom) = (seen.contains("You are signed in as"), seen.contains("admin@acme.example"));
    assert!(told && whom && !seen.contains(&person.email), "{seen}");
    admin.get("/workspace").await.ok();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sign_in_link_tells_nobody_who_is_known() {
    let (site, token) = demo().await;
    let form = |email: &str| {
        let email: String = url::form_urlencoded::byte_serialize(email.as_bytes()).collect();
        site.anonymous().send("POST", "/sign-in").body("application/x-www-form-urlencoded", format!("email={email}"))
    };
    let (known, unknown): (Answer, Answer) = (form("admin@acme.example").await, form("nobody@nowhere.example").await);
    assert_eq!((known.status, known.anonymised()), (200, unknown.anonymised()));
    form("no address").await.has(422);
    let link = crate::support::eventually("the link", async || {
        let mails = site.mails_to("admin@acme.example").await;
        Some(mails.first()?["link"].as_str().unwrap().rsplit('/').next().unwrap().to_owned())
    })
    .await;
    assert_ne!(link, token);
    let session = redeem(&site, &link).await.has(200).json();
    site.bearer(session["token"].as_str().unwrap()).get("/workspace").await.ok();
    // Whoever is nobody yet may sign in, and sees nothing.
    let link = crate::support::eventually("the stranger's link", async || {
        let mails = site.mails_to("nobody@nowhere.example").await;
        Some(mails.first()?["link"].as_str().unwrap().rsplit('/').next().unwrap().to_owned())
    })
    .await;
    let session = redeem(&site, &link).await.has(200).json();
    let stranger = site.bearer(session["token"].as_str().unwrap());
    stranger.get("/w/acme/workspace").await.problem(404, "not-found");
    stranger.get("/workspace").await.problem(400, "workspace-required");
    assert_eq!(stranger.get("/api/organizations").await.ok()["items"], json!([]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operator_who_is_named_is_the_only_platform_owner() {
    let (site, token) = demo_of(Some("boss@platform.example")).await;
    let session = redeem(&site, &token).await.has(200).json();
    let admin = site.bearer(session["token"].as_str().unwrap());
    admin.get("/workspace").await.ok();
    let body = json!({"name": "N", "slug": "second", "adminEmail": "n@example.org"});
    admin.post("/api/organizations", body).await.problem(403, "forbidden");
}
