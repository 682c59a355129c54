//! People sign in at a certified OpenID provider, in a browser, through the real binary.
use crate::support::{
    Home, Site, Store,
    browser::{Browser, Page},
    home::PLATFORM,
    json, on_both_stores, unique,
};
use settings_testkit::openid::OpenIdProvider;
use url::Url;

const CLIENT: &str = "settings-console";
const SECRET: &str = "a secret: of the client/with &signs%";
const SEAL: &str = "0123456789abcdef0123456789abcdef";

/// A service, the provider that its people sign in at, and a workspace.
struct World {
    provider: OpenIdProvider,
    site: Site,
    base: Url,
    slug: String,
    /// The platform's owner, who is the workspace's admin, as a bearer of their session.
    owner: String,
}

impl World {
    async fn new(store: Store) -> Self {
        Self::with(store, "client_secret_basic").await
    }

    async fn with(store: Store, way: &str) -> Self {
        let provider = tokio::task::block_in_place(|| OpenIdProvider::start(env!("CARGO_TARGET_TMPDIR"))).unwrap();
        let site = Site::own(
            store,
            &[
                ("AUTH0_ISSUER_BASE_URL", Some(&provider.url)),
                ("AUTH0_CLIENT_ID", Some(CLIENT)),
                ("AUTH0_CLIENT_SECRET", Some(SECRET)),
                ("AUTH0_SECRET", Some(SEAL)),
                ("RUST_LOG", Some("debug")),
            ],
        )
        .await;
        let base: Url = format!("http://{}/", site.address()).parse().unwrap();
        let mut world = Self { provider, site, base, slug: format!("t-{}", unique()), owner: String::new() };
        world.set(json!({"clients": [{
            "client_id": CLIENT,
            "client_secret": SECRET,
            "redirect_uris": [world.at("/auth/callback").as_str()],
            "post_logout_redirect_uris": [world.base.as_str()],
            "token_endpoint_auth_method": way,
        }]}));
        let browser = Browser::new();
        world.sign_in(&browser, PLATFORM, "/").await.has(200);
        world.owner = world.session(&browser).unwrap();
        let made = json!({"name": "Acme", "slug": world.slug, "adminEmail": PLATFORM});
        world.site.bearer(&world.owner).post("/api/organizations", made).await.created();
        world
    }

    fn set(&self, wanted: crate::support::Value) -> u64 {
        tokio::task::block_in_place(|| self.provider.set(wanted)).unwrap()
    }
    fn at(&self, path: &str) -> Url {
        self.base.join(path).unwrap()
    }
    fn session(&self, browser: &Browser) -> Option<String> {
        browser.cookie(&self.base, "settings")
    }
    /// Goes to the provider and signs in there, up to the answer that leads back: the callback's address.
    async fn answer(&self, browser: &Browser, email: &str, back: &str) -> Url {
        let stop = |url: &Url| url.path() == "/auth/callback";
        let mut start = self.at("/auth/login");
        start.query_pairs_mut().append_pair("return_to", back);
        let page = browser.follow(browser.get(&start).await, stop).await;
        if (300..400).contains(&page.status) {
            return page.location();
        }
        browser.sign_in_there(page, email, stop).await.location()
    }
    /// All the way, as somebody new at the provider.
    async fn sign_in(&self, browser: &Browser, email: &str, back: &str) -> Page {
        browser.forget(&self.provider.url.parse().unwrap());
        let answer = self.answer(browser, email, back).await;
        browser.follow(browser.get(&answer).await, |_| false).await
    }
    /// The answer lets nobody in.
    async fn refuses(&self, browser: &Browser, answer: &Url, what: &str) {
        let before = self.session(browser);
        let page = browser.get(answer).await;
        assert_eq!(page.status, 400, "{what}: {}", page.text);
        assert!(page.text.contains("You are not signed in") && page.text.contains("/sign-in"), "{what}");
        assert!(!page.cookies().iter().any(|c| c.starts_with("settings=")), "{what}: {:?}", page.cookies());
        assert_eq!(self.session(browser), before, "{what}");
    }
}

on_both_stores!(
    somebody_signs_in_and_is_on_the_page_they_wanted,
    an_answer_counts_in_its_own_browser_and_once,
    an_invitation_leads_to_the_provider_and_back_into_the_workspace,
    signing_out_ends_the_session_here_and_leads_to_the_provider,
);

async fn somebody_signs_in_and_is_on_the_page_they_wanted(store: Store) {
    let world = World::new(store).await;
    let browser = Browser::new();
    let wanted = format!("/{}/settings/members?q=root", world.slug);
    // Not signed in: to the sign-in page, and from its link to the provider.
    let page = browser.follow(browser.get(&world.at(&wanted)).await, |_| false).await.has(200);
    assert_eq!(page.url.path(), "/sign-in");
    let login = page.link("/auth/login");
    let leaving = browser.get(&login).await;
    let [cookie] = leaving.cookies()[..] else { panic!("{:?}", leaving.cookies()) };
    for part in ["settings-attempt=", "; Path=/", "; HttpOnly", "; SameSite=Lax", "; Max-Age=600"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    let there = leaving.location();
    let asked: std::collections::BTreeMap<_, _> = there.query_pairs().into_owned().collect();
    for (name, value) in [("response_type", "code"), ("code_challenge_method", "S256"), ("client_id", CLIENT)] {
        assert_eq!(asked[name], value);
    }
    for name in ["state", "nonce", "code_challenge"] {
        assert_eq!(asked[name].len(), 43, "{name}");
        assert!(!cookie.contains(&asked[name]), "{name} is sealed");
    }
    let page = browser.follow(browser.get(&there).await, |_| false).await;
    let page = browser.sign_in_there(page, PLATFORM, |_| false).await.has(200);
    assert_eq!(page.url, world.at(&wanted), "back where they wanted to be");
    assert!(page.text.contains("Person root") && page.text.contains(PLATFORM), "{}", page.text);
    assert_eq!(browser.cookie(&world.base, "settings-attempt"), None, "the attempt is over");
    let first = world.session(&browser).unwrap();
    // Once more: another session, and the one before is over.
    world.sign_in(&browser, PLATFORM, &wanted).await.has(200);
    let second = world.session(&browser).unwrap();
    assert_ne!(first, second);
    world.site.bearer(&first).get("/workspace").await.problem(401, "unauthenticated");
    world.site.bearer(&second).get(format!("/w/{}/workspace", world.slug)).await.ok();
    // The cookie is not the API's, and the log knows nothing of what was exchanged.
    let cookie = world.site.anonymous().get("/workspace").header("cookie", format!("settings={second}"));
    cookie.await.problem(401, "unauthenticated");
    let log = world.site.server.log.all().join("\n");
    let secrets = [second.as_str(), SECRET, SEAL, asked["state"].as_str(), asked["nonce"].as_str(), PLATFORM, "code="];
    for secret in secrets {
        assert!(!log.contains(secret), "{secret} is in the log");
    }
}

async fn an_answer_counts_in_its_own_browser_and_once(store: Store) {
    let world = World::new(store).await;
    let (mine, theirs) = (Browser::new(), Browser::new());
    let answer = world.answer(&mine, "mine@people.example", "/").await;
    world.refuses(&theirs, &answer, "a browser that began nothing").await;
    let other = world.answer(&theirs, "theirs@people.example", "/").await;
    world.refuses(&theirs, &answer, "somebody else's answer").await;
    world.refuses(&mine, &other, "an attacker's answer in a victim's browser").await;
    let kept = mine.cookie(&world.base, "settings-attempt").unwrap();
    let mut changed = answer.clone();
    changed.set_query(Some(&answer.query().unwrap().replace("state=", "state=x")));
    world.refuses(&mine, &changed, "another state").await;
    mine.set_cookie(&world.base, "settings-attempt", &format!("{kept}A"));
    world.refuses(&mine, &answer, "a seal that was tampered with").await;
    mine.set_cookie(&world.base, "settings-attempt", &theirs.cookie(&world.base, "settings-attempt").unwrap());
    world.refuses(&mine, &answer, "another browser's seal").await;
    // None of that used it up.
    mine.set_cookie(&world.base, "settings-attempt", &kept);
    let page = mine.follow(mine.get(&answer).await, |_| false).await.has(200);
    assert!(page.text.contains("mine@people.example") || page.text.contains("Person mine"), "{}", page.text);
    let session = world.session(&mine).unwrap();
    world.refuses(&mine, &answer, "an answer that was used").await;
    // Even from a browser that kept what it should have dropped.
    mine.set_cookie(&world.base, "settings-attempt", &kept);
    world.refuses(&mine, &answer, "an answer that was used, with its seal").await;
    world.site.bearer(&session).get("/api/organizations").await.ok();
    // An answer that the person's refusal is, and one without a code.
    let answer = world.answer(&mine, "mine@people.example", "/").await;
    let state = answer.query_pairs().find(|(n, _)| n == "state").unwrap().1.into_owned();
    let issuer = &world.provider.url;
    let said = |more: &str| world.at(&format!("/auth/callback?state={state}&{more}"));
    let seal = mine.cookie(&world.base, "settings-attempt").unwrap();
    for more in [
        format!("error=access_denied&iss={issuer}"),
        format!("iss={issuer}"),
        "code=abc".to_owned(),
        "code=abc&iss=https://another.example".to_owned(),
        format!("code=abc&iss={issuer}"),
    ] {
        mine.set_cookie(&world.base, "settings-attempt", &seal);
        world.refuses(&mine, &said(&more), &more).await;
        assert_eq!(mine.cookie(&world.base, "settings-attempt"), None, "{more}: an attempt ends with its answer");
    }
}

async fn an_invitation_leads_to_the_provider_and_back_into_the_workspace(store: Store) {
    let world = World::new(store).await;
    let admin = world.site.bearer(&world.owner).within(&world.slug);
    let email = format!("ada.{}@people.example", unique());
    admin.post("/workspace/members", json!({"email": email, "role": "editor"})).await.created();
    let token = world.site.invitation_to(&email).await;
    let link = world.at(&format!("/invitations/{token}"));
    let browser = Browser::new();
    let page = browser.get(&link).await.has(200);
    assert_eq!(page.header("referrer-policy"), "no-referrer");
    assert!(page.text.contains("Join Acme") && !page.text.contains(&email), "{}", page.text);
    // Nobody is signed in: joining by the link alone is not to be had here.
    let posted = browser.post(&link, &[]).await;
    assert_eq!(posted.location().path(), "/auth/login");
    // As somebody else.
    let page = browser.follow(browser.get(&page.link("/auth/login")).await, |_| false).await;
    let page = browser.sign_in_there(page, "eve@people.example", |_| false).await.has(200);
    assert_eq!(page.url, link, "back at the invitation");
    assert!(page.text.contains("eve@people.example"));
    let page = browser.post(&link, &[]).await.has(403);
    assert!(page.text.contains("You are signed in as somebody else") && !page.text.contains(&email), "{}", page.text);
    // Somebody whom the provider does not vouch for.
    world.sign_in(&browser, &format!("unverified.{email}"), "/").await.has(200);
    let unverified = browser.post(&link, &[]).await.has(403);
    assert!(unverified.text.contains("not verified"), "{}", unverified.text);
    let pending = admin.get("/workspace/invitations").await.ok();
    assert_eq!(pending["items"][0]["status"], "pending", "none of that used it up");
    // From another site's page.
    let foreign = world.site.anonymous().act(link.path()).header("sec-fetch-site", "cross-site").await;
    assert_eq!(foreign.status, 403);
    // As the one who was invited: the provider asks again, whoever is signed in there.
    let afresh = page.link("/auth/login");
    assert!(afresh.query().unwrap().contains("prompt=login"));
    let page = browser.follow(browser.get(&afresh).await, |_| false).await;
    let page = browser.sign_in_there(page, &email, |_| false).await.has(200);
    assert!(page.text.contains(&email), "{}", page.text);
    let joined = browser.follow(browser.post(&link, &[]).await, |_| false).await.has(200);
    assert_eq!(joined.url, world.at(&format!("/{}/settings/workspace", world.slug)));
    let members = admin.get("/workspace/members?q=ada").await.ok();
    assert_eq!((&members["items"][0]["email"], &members["items"][0]["role"]), (&json!(email), &json!("editor")));
    assert!(browser.get(&link).await.has(404).text.contains("used or revoked"));
    browser.post(&link, &[]).await.has(404);
    // Removed: the session is one of a stranger, from the next call on.
    let session = world.session(&browser).unwrap();
    let id = members["items"][0]["userId"].as_str().unwrap().to_owned();
    admin.delete(format!("/workspace/members/{id}")).await.ok();
    browser.get(&joined.url).await.has(404);
    world.site.bearer(&session).get(format!("/w/{}/workspace", world.slug)).await.problem(404, "not-found");
}

async fn signing_out_ends_the_session_here_and_leads_to_the_provider(store: Store) {
    let world = World::new(store).await;
    let browser = Browser::new();
    world.sign_in(&browser, PLATFORM, "/").await.has(200);
    let session = world.session(&browser).unwrap();
    let page = browser.post(&world.at("/sign-out"), &[]).await.has(200);
    assert_eq!(world.session(&browser), None);
    world.site.bearer(&session).get("/api/organizations").await.problem(401, "unauthenticated");
    let there = page.link(&world.provider.url);
    assert_eq!(page.header("refresh"), format!("0; url={there}"));
    // The provider asks, and sends people back.
    let asks = browser.get(&there).await.has(200);
    let (_, rest) = asks.text.split_once("name=\"xsrf\" value=\"").expect(&asks.text);
    let xsrf = rest.split_once('"').unwrap().0.to_owned();
    let (_, rest) = asks.text.split_once("action=\"").unwrap();
    let action = asks.url.join(rest.split_once('"').unwrap().0).unwrap();
    let out = browser.post(&action, &[("xsrf", &xsrf), ("logout", "yes")]).await;
    assert_eq!(out.location().origin(), world.base.origin());
    let end = browser.follow(out, |_| false).await.has(200);
    assert_eq!(end.url.path(), "/sign-in");
    // And there nobody is signed in any more.
    let page = browser.follow(browser.get(&world.at("/auth/login")).await, |_| false).await;
    assert!(page.text.contains("name=\"login\""), "{}", page.text);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_id_token_with_anything_wrong_lets_nobody_in() {
    let world = World::new(Store::Sqlite).await;
    let browser = Browser::new();
    for fault in [
        "audience",
        "audiences",
        "azp",
        "issuer",
        "expired",
        "future",
        "nonce",
        "at_hash",
        "replayed",
        "none",
        "hs256",
        "forged",
        "unknown key",
        "access token",
    ] {
        world.set(json!({"fault": fault}));
        let answer = world.answer(&browser, "mallory@people.example", "/").await;
        world.refuses(&browser, &answer, fault).await;
    }
    world.set(json!({"fault": ""}));
    let answer = world.answer(&browser, "mallory@people.example", "/").await;
    browser.follow(browser.get(&answer).await, |_| false).await.has(200);
    assert!(world.session(&browser).is_some(), "with nothing wrong they are in");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_signing_key_is_believed_at_once_and_the_old_one_no_more() {
    let world = World::new(Store::Sqlite).await;
    let browser = Browser::new();
    for _ in 0..3 {
        world.set(json!({"rotate": true}));
        world.sign_in(&browser, "ada@people.example", "/").await.has(200);
    }
    world.set(json!({"fault": "unknown key"}));
    let answer = world.answer(&browser, "ada@people.example", "/").await;
    world.refuses(&browser, &answer, "a key that was never published").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_may_be_registered_for_its_secret_in_the_form_and_claims_in_the_token() {
    let world = World::with(Store::Sqlite, "client_secret_post").await;
    world.set(json!({"claimsInToken": true}));
    let browser = Browser::new();
    let page = world.sign_in(&browser, PLATFORM, "/").await.has(200);
    assert_eq!(page.url.path(), format!("/{}/settings/workspace", world.slug), "the address came with the token");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_the_provider_away_nobody_gets_in_and_whoever_is_in_stays() {
    let world = World::new(Store::Sqlite).await;
    let browser = Browser::new();
    let page = world.sign_in(&browser, PLATFORM, "/").await.has(200);
    let mut answers = Vec::new();
    for n in 0..6 {
        let other = Browser::new();
        let answer = world.answer(&other, &format!("p{n}@people.example"), "/").await;
        answers.push((other, answer));
    }
    let seen = world.site.anonymous().get("/readyz").await.has(200).json();
    assert_eq!(seen["checks"]["identityProvider"], "ok");
    let asked = world.set(json!({"away": true}));
    for (other, answer) in &answers {
        let page = other.get(answer).await.has(503);
        assert!(page.text.contains("Whoever is signed in stays so"), "{}", page.text);
        assert_eq!(world.session(other), None);
    }
    assert_eq!(world.set(json!({})) - asked, 5, "after five failures in a row it is left alone");
    browser.get(&page.url).await.has(200);
    let ready = || world.site.anonymous().get("/readyz");
    assert_eq!(ready().await.has(200).json()["checks"]["identityProvider"], "unavailable");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn doctor_asks_the_provider_whether_it_knows_this_client() {
    let world = World::new(Store::Sqlite).await;
    let run = |secret: &'static str| {
        let output = world.site.home.run(
            &["doctor"],
            &[
                ("AUTH0_ISSUER_BASE_URL", Some(&world.provider.url)),
                ("AUTH0_CLIENT_ID", Some(CLIENT)),
                ("AUTH0_CLIENT_SECRET", Some(secret)),
                ("AUTH0_SECRET", Some(SEAL)),
                ("SETTINGS_PUBLIC_URL", Some(world.base.as_str())),
            ],
        );
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    let (code, said) = run(SECRET);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("ok     sign-in: 127.0.0.1 knows this client") && said.contains("/auth/callback"), "{said}");
    let (code, said) = run("not-the-secret");
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("FAULT  sign-in:") && said.contains("AUTH0_CLIENT_SECRET"), "{said}");
    assert!(!said.contains("not-the-secret"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn half_a_client_is_refused_at_the_start() {
    let home = Home::new(Store::Sqlite).await;
    let all = [("AUTH0_CLIENT_ID", Some(CLIENT)), ("AUTH0_CLIENT_SECRET", Some(SECRET)), ("AUTH0_SECRET", Some(SEAL))];
    for missing in 0..all.len() {
        let mut some = all.to_vec();
        some.remove(missing);
        let output = home.run(&["serve"], &some);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains("AUTH0_SECRET") && !said.contains(SEAL) && !said.contains(SECRET), "{said}");
    }
    for (name, value) in
        [("AUTH0_SECRET", "too short"), ("AUTH0_BASE_URL", "http://settings.example"), ("AUTH0_ISSUER_BASE_URL", "")]
    {
        let mut env = all.to_vec();
        env.retain(|(n, _)| *n != name);
        env.push((name, Some(value)));
        let output = home.run(&["serve"], &env);
        assert_eq!(output.status.code(), Some(2), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    }
    let two = [("SETTINGS_PUBLIC_URL", Some("https://a.example")), ("AUTH0_BASE_URL", Some("https://b.example"))];
    let output = home.run(&["serve"], &two);
    assert_eq!(output.status.code(), Some(2));
}
