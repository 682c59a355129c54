//! The mirror in Auth0, against prepared answers in the shapes of Auth0's published description of its Management API v2.
use serde_json::{Value, json};
use settings_domain::{
    ids::WorkspaceId,
    mirror::{Invited, Mirrored, MirroredInvitation, Step},
    policy::Role,
    ports::{
        Clock,
        mirror::{MirrorError, OrganizationMirror as _, Place},
    },
    text::Email,
};
use settings_oidc::{Auth0Config, Auth0Organizations, ConfigError, http_client};
use settings_testkit::wiremock::WireMock;
use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering::SeqCst},
    },
    time::Instant,
};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

const WORKSPACE: Uuid = Uuid::from_u128(0x0192_0000_0000_7000_8000_0000_0000_0001);
const APPLICATION: &str = "AaiyAPdpYdesoKnqjj8HJqRn4T5titww";
const ORGANIZATION: &str = "org_0000000000000001";

/// Real time, moved.
struct Moved(AtomicI64);

impl Clock for Moved {
    #[expect(clippy::disallowed_methods, reason = "a test's clock")]
    fn now(&self) -> OffsetDateTime {
        OffsetDateTime::now_utc() + Duration::seconds(self.0.load(SeqCst))
    }
}

struct World {
    auth0: WireMock,
    mirror: Auth0Organizations,
    clock: Arc<Moved>,
}

fn place() -> Place {
    Place { workspace: WorkspaceId::from_uuid(WORKSPACE), slug: "acme".parse().unwrap() }
}
fn role_id(role: Role) -> String {
    format!("rol_{}", "0".repeat(15) + &(role as u8).to_string())
}
fn organization(metadata: &Value) -> Value {
    json!({"id": ORGANIZATION, "name": "acme", "display_name": "Acme", "metadata": metadata})
}
fn ours() -> Value {
    organization(&json!({"settings_workspace": WORKSPACE.to_string(), "plan": "theirs"}))
}
fn ada() -> Email {
    "ada@people.example".parse().unwrap()
}

impl World {
    /// A tenant with the organization, our roles and some of somebody else's.
    fn new() -> Self {
        let world = Self::empty();
        world.get("/api/v2/organizations/name/acme", &json!({}), &ours());
        let mut roles: Vec<_> = Role::ALL
            .iter()
            .map(|r| json!({"id": role_id(*r), "name": format!("settings-{r}"), "description": ""}))
            .collect();
        roles.push(json!({"id": "rol_other", "name": "settings-admin-of-another-product"}));
        world.get(
            "/api/v2/roles",
            &json!({"name_filter": {"equalTo": "settings-"}, "per_page": {"equalTo": "100"}}),
            &json!(roles),
        );
        world
    }

    fn empty() -> Self {
        let auth0 = WireMock::start(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let clock = Arc::new(Moved(0.into()));
        let config = Auth0Config {
            domain: auth0.url(),
            client_id: "m2m".to_owned(),
            client_secret: "m2m secret".to_owned().into(),
            application: Some(APPLICATION.to_owned()),
        };
        let mirror = Auth0Organizations::new(config, http_client().unwrap(), Arc::<Moved>::clone(&clock)).unwrap();
        let world = Self { auth0, mirror, clock };
        world.tokens("first", 86_400);
        world
    }

    /// Gives out this token to who knows the secret, for this many seconds.
    fn tokens(&self, token: &str, seconds: u32) {
        let asked = json!({
            "grant_type": "client_credentials", "client_id": "m2m", "client_secret": "m2m secret",
            "audience": format!("{}/api/v2/", self.auth0.url()),
        });
        self.stub(
            json!({"method": "POST", "urlPath": "/oauth/token", "bodyPatterns": [{"equalToJson": asked}]}),
            json!({"status": 200, "jsonBody": {"access_token": token, "expires_in": seconds, "token_type": "Bearer"}}),
            &json!({}),
        );
    }
    #[expect(clippy::needless_pass_by_value, reason = "json! makes values")]
    fn stub(&self, request: Value, response: Value, more: &Value) {
        let mut mapping = json!({"request": request, "response": response});
        for (name, value) in more.as_object().unwrap() {
            mapping[name] = value.clone();
        }
        self.auth0.stub(mapping).unwrap();
    }
    /// Answers whoever brings the token.
    fn answers(&self, method: &str, path: &str, response: Value, more: &Value) {
        let bearer = json!({"Authorization": {"equalTo": "Bearer first"}});
        self.stub(json!({"method": method, "urlPath": path, "headers": bearer}), response, more);
    }
    fn get(&self, path: &str, query: &Value, body: &Value) {
        let bearer = json!({"Authorization": {"equalTo": "Bearer first"}});
        let request = json!({"method": "GET", "urlPath": path, "headers": bearer, "queryParameters": query});
        self.stub(request, json!({"status": 200, "jsonBody": body}), &json!({}));
    }
    /// The journal without the tokens.
    fn asked(&self) -> Vec<(String, String, Value)> {
        let all = self.auth0.journal().unwrap();
        all.into_iter()
            .filter(|(_, url, _)| url != "/oauth/token")
            .map(|(method, url, body)| (method, url, serde_json::from_str(&body).unwrap_or(Value::Null)))
            .collect()
    }
    /// The calls that change something.
    fn changes(&self) -> Vec<(String, String, Value)> {
        self.asked().into_iter().filter(|(method, ..)| method != "GET").collect()
    }
    async fn apply(&self, step: Step) -> Result<(), MirrorError> {
        self.mirror.apply(&place(), &step).await
    }
    fn token_calls(&self) -> usize {
        self.auth0.journal().unwrap().iter().filter(|(_, url, _)| url == "/oauth/token").count()
    }
}

/// The first call of this path is answered by `first`, all others by `then`.
fn first_then(world: &World, method: &str, path: &str, first: Value, then: Value) {
    let scenario = |state: &str, next: &str| json!({"scenarioName": path, "requiredScenarioState": state, "newScenarioState": next});
    world.answers(method, path, first, &scenario("Started", "again"));
    world.answers(method, path, then, &scenario("again", "again"));
}

const BY_NAME: &str = "/api/v2/organizations/name/acme";

#[tokio::test(flavor = "multi_thread")]
async fn what_is_ours_is_read_page_by_page_and_nothing_else() {
    let world = World::new();
    let member = |id: &str, roles: &[&str]| {
        let roles: Vec<_> = roles.iter().map(|id| json!({"id": id, "name": "any"})).collect();
        json!({"user_id": id, "roles": roles})
    };
    let (admin, viewer) = (role_id(Role::Admin), role_id(Role::Viewer));
    let path = format!("/api/v2/organizations/{ORGANIZATION}/members");
    let page = |from: Value| json!({"take": {"equalTo": "100"}, "from": from, "fields": {"equalTo": "user_id,roles"}, "include_fields": {"equalTo": "true"}});
    let first = json!({"members": [member("auth0|1", &[&admin, "rol_other"]), member("auth0|2", &[&admin, &viewer])], "next": "c2"});
    world.get(&path, &page(json!({"absent": true})), &first);
    let second = json!({"members": [member("google-oauth2|3", &[])], "next": "c3"});
    world.get(&path, &page(json!({"equalTo": "c2"})), &second);
    world.get(&path, &page(json!({"equalTo": "c3"})), &json!({"members": [member("auth0|4", &["rol_other"])]}));
    let invitation = |id: &str, email: &str, client: &str, expires: &str| json!({"id": id, "invitee": {"email": email}, "inviter": {"name": "Acme"}, "client_id": client, "roles": [viewer, "rol_other"], "expires_at": expires});
    let (open, over) = ("2099-01-01T00:00:00.000Z", "2020-08-27T19:10:06.299Z");
    // A full page, then the rest.
    let mut full = vec![
        invitation("uinv_1", "Ada@People.Example", APPLICATION, open),
        invitation("uinv_2", "bob@people.example", "another application", open),
        invitation("uinv_3", "eve@people.example", APPLICATION, over),
    ];
    full.resize(100, invitation("uinv_9", "x@people.example", "another application", open));
    let path = format!("/api/v2/organizations/{ORGANIZATION}/invitations");
    let page = |n: &str| json!({"per_page": {"equalTo": "100"}, "page": {"equalTo": n}});
    world.get(&path, &page("0"), &json!(full));
    world.get(&path, &page("1"), &json!([invitation("uinv_4", "zoe@people.example", APPLICATION, open)]));

    let read = world.mirror.read(&place()).await.unwrap().unwrap();
    let there = |email: &str| MirroredInvitation {
        email: email.parse::<Email>().unwrap().key().clone(),
        roles: [Role::Viewer].into(),
    };
    let expected = Mirrored {
        name: "Acme".to_owned(),
        members: BTreeMap::from([
            ("auth0|1".to_owned(), [Role::Admin].into()),
            ("auth0|2".to_owned(), [Role::Admin, Role::Viewer].into()),
            ("google-oauth2|3".to_owned(), [].into()),
            ("auth0|4".to_owned(), [].into()),
        ]),
        invitations: BTreeMap::from([
            ("uinv_1".to_owned(), there("ada@people.example")),
            ("uinv_4".to_owned(), there("zoe@people.example")),
        ]),
    };
    assert_eq!(read, expected);
    assert_eq!(world.changes(), [], "reading changes nothing");
    assert_eq!(world.token_calls(), 1, "one token for all of it");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_step_is_one_call_in_the_words_of_the_description() {
    let world = World::new();
    let done = json!({"status": 204});
    for method in ["POST", "PATCH", "DELETE"] {
        let bearer = json!({"Authorization": {"equalTo": "Bearer first"}});
        let any = json!({"method": method, "urlPathPattern": "/api/v2/organizations.*", "headers": bearer});
        world.stub(any, done.clone(), &json!({}));
    }
    let organization = format!("/api/v2/organizations/{ORGANIZATION}");
    let (ada_id, editor) = ("auth0|ada/../x", role_id(Role::Editor));
    let roles = format!("{organization}/members/auth0%7Cada%2F..%2Fx/roles");
    let invited = Invited { email: ada(), role: Role::Viewer };
    let steps = [
        (
            Step::CreateOrganization("Acme".to_owned()),
            "POST",
            "/api/v2/organizations".to_owned(),
            json!({"name": "acme", "display_name": "Acme", "metadata": {"settings_workspace": WORKSPACE.to_string()}}),
        ),
        (Step::Rename("Acme 2".to_owned()), "PATCH", organization.clone(), json!({"display_name": "Acme 2"})),
        (Step::AddMember(ada_id.to_owned()), "POST", format!("{organization}/members"), json!({"members": [ada_id]})),
        (
            Step::RemoveMember(ada_id.to_owned()),
            "DELETE",
            format!("{organization}/members"),
            json!({"members": [ada_id]}),
        ),
        (Step::GiveRole(ada_id.to_owned(), Role::Editor), "POST", roles.clone(), json!({"roles": [editor]})),
        (Step::TakeRole(ada_id.to_owned(), Role::Editor), "DELETE", roles, json!({"roles": [editor]})),
        (Step::Withdraw("uinv_1".to_owned()), "DELETE", format!("{organization}/invitations/uinv_1"), Value::Null),
        (
            Step::Invite(invited),
            "POST",
            format!("{organization}/invitations"),
            json!({
                "inviter": {"name": "Acme"}, "invitee": {"email": "ada@people.example"}, "client_id": APPLICATION,
                "roles": [role_id(Role::Viewer)], "ttl_sec": 604_800, "send_invitation_email": false,
            }),
        ),
        (Step::DeleteOrganization, "DELETE", organization, Value::Null),
    ];
    for (step, ..) in &steps {
        world.apply(step.clone()).await.unwrap();
    }
    let expected: Vec<_> = steps.into_iter().map(|(_, method, url, body)| (method.to_owned(), url, body)).collect();
    assert_eq!(world.changes(), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_organization_of_somebody_else_is_never_touched() {
    let world = World::new();
    for metadata in [json!({}), json!({"settings_workspace": Uuid::from_u128(2).to_string()})] {
        world.get(BY_NAME, &json!({}), &organization(&metadata));
        world.answers(
            "POST",
            "/api/v2/organizations",
            json!({"status": 409, "jsonBody": {"errorCode": "organization_conflict"}}),
            &json!({}),
        );
        assert!(matches!(world.mirror.read(&place()).await, Err(MirrorError::NotOurs)));
        for step in [
            Step::DeleteOrganization,
            Step::RemoveMember("auth0|1".to_owned()),
            Step::CreateOrganization("Acme".to_owned()),
            Step::GiveRole("auth0|1".to_owned(), Role::Admin),
        ] {
            assert!(matches!(world.apply(step).await, Err(MirrorError::NotOurs)));
        }
    }
    assert!(world.changes().iter().all(|(_, url, _)| url == "/api/v2/organizations"), "{:?}", world.changes());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_whose_answer_was_lost_may_be_sent_again() {
    let world = World::new();
    let organization = format!("/api/v2/organizations/{ORGANIZATION}");
    let refused =
        |status: u16, code: &str| json!({"status": status, "jsonBody": {"statusCode": status, "errorCode": code}});
    world.answers("POST", "/api/v2/organizations", refused(409, "organization_conflict"), &json!({}));
    world.apply(Step::CreateOrganization("Acme".to_owned())).await.unwrap();
    world.answers("DELETE", &format!("{organization}/members"), refused(404, "inexistent_user"), &json!({}));
    world.apply(Step::RemoveMember("auth0|1".to_owned())).await.unwrap();
    world.answers(
        "DELETE",
        &format!("{organization}/invitations/uinv_1"),
        refused(404, "inexistent_invitation"),
        &json!({}),
    );
    world.apply(Step::Withdraw("uinv_1".to_owned())).await.unwrap();
    world.answers("POST", &format!("{organization}/members/auth0%7C1/roles"), refused(409, "conflict"), &json!({}));
    world.apply(Step::GiveRole("auth0|1".to_owned(), Role::Viewer)).await.unwrap();
    // Who is not known there can't be added; that is no reason to try for ever.
    world.answers("POST", &format!("{organization}/members"), refused(400, "inexistent_user"), &json!({}));
    let unknown = world.apply(Step::AddMember("auth0|1".to_owned())).await;
    assert!(matches!(unknown, Err(MirrorError::UnknownPerson)), "{unknown:?}");
    // The organization itself is gone.
    world.answers("GET", BY_NAME, refused(404, "inexistent_organization"), &json!({}));
    for step in [Step::DeleteOrganization, Step::RemoveMember("auth0|1".to_owned()), Step::Withdraw("u".to_owned())] {
        world.apply(step).await.unwrap();
    }
    assert!(world.mirror.read(&place()).await.unwrap().is_none());
    let added = world.apply(Step::AddMember("auth0|1".to_owned())).await;
    assert!(matches!(added, Err(MirrorError::Unavailable { .. })), "{added:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_is_waited_for_where_it_is_short_and_told_where_it_is_long() {
    let world = World::new();
    let limited = |header: &str, value: &str| json!({"status": 429, "headers": {header: value}, "jsonBody": {"statusCode": 429, "errorCode": "too_many_requests"}});
    first_then(&world, "GET", BY_NAME, limited("retry-after", "1"), json!({"status": 200, "jsonBody": ours()}));
    let since = Instant::now();
    world.apply(Step::Invite(Invited { email: ada(), role: Role::Viewer })).await.unwrap_err();
    assert!(since.elapsed() >= std::time::Duration::from_secs(1), "{:?}", since.elapsed());
    // An invitation that was limited was not made: it is sent again.
    let path = format!("/api/v2/organizations/{ORGANIZATION}/invitations");
    let reset = (world.clock.now() + Duration::seconds(2)).unix_timestamp().to_string();
    first_then(
        &world,
        "POST",
        &path,
        limited("x-ratelimit-reset", &reset),
        json!({"status": 200, "jsonBody": {"id": "uinv_1"}}),
    );
    world.apply(Step::Invite(Invited { email: ada(), role: Role::Viewer })).await.unwrap();
    let reset: i64 = reset.parse().unwrap();
    assert!(world.clock.now().unix_timestamp() >= reset, "it was waited for");
    // An hour is not.
    world.answers("GET", BY_NAME, limited("retry-after", "3600"), &json!({}));
    let before = world.asked().len();
    let since = Instant::now();
    match world.mirror.read(&place()).await {
        Err(MirrorError::Unavailable { retry_after: Some(wait), .. }) => assert_eq!(wait, Duration::hours(1)),
        other => panic!("{other:?}"),
    }
    assert!(since.elapsed() < std::time::Duration::from_secs(5));
    assert_eq!(world.asked().len() - before, 1);
    // One that never ends is given up.
    world.answers("GET", BY_NAME, limited("retry-after", "0"), &json!({}));
    let before = world.asked().len();
    assert!(matches!(world.mirror.read(&place()).await, Err(MirrorError::Unavailable { .. })));
    assert_eq!(world.asked().len() - before, 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn resets_and_faults_are_tried_again_where_twice_is_as_good_as_once() {
    for (fault, what) in [
        (json!({"fault": "CONNECTION_RESET_BY_PEER"}), "reset"),
        (json!({"fault": "EMPTY_RESPONSE"}), "empty"),
        (json!({"fault": "RANDOM_DATA_THEN_CLOSE"}), "garbage"),
        (json!({"status": 500}), "500"),
        (json!({"status": 503, "headers": {"retry-after": "0"}}), "503"),
    ] {
        let world = World::new();
        let organization = format!("/api/v2/organizations/{ORGANIZATION}");
        first_then(&world, "GET", BY_NAME, fault.clone(), json!({"status": 200, "jsonBody": ours()}));
        let members = format!("{organization}/members");
        first_then(&world, "POST", &members, fault.clone(), json!({"status": 204}));
        world.apply(Step::AddMember("auth0|1".to_owned())).await.unwrap_or_else(|e| panic!("{what}: {e:?}"));
        let sent = |url: &str, method: &str| world.asked().iter().filter(|(m, u, _)| u == url && m == method).count();
        assert_eq!(sent(&members, "POST"), 2, "{what}");
        // An invitation might be made twice: once, and the next plan looks what became of it.
        let invitations = format!("{organization}/invitations");
        world.answers("POST", &invitations, fault, &json!({}));
        let invited = world.apply(Step::Invite(Invited { email: ada(), role: Role::Viewer })).await;
        assert!(matches!(invited, Err(MirrorError::Unavailable { .. })), "{what}: {invited:?}");
        assert_eq!(sent(&invitations, "POST"), 1, "{what}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_again_and_again_is_left_alone_for_half_a_minute() {
    let world = World::new();
    world.answers("GET", BY_NAME, json!({"status": 500}), &json!({}));
    for _ in 0..4 {
        assert!(matches!(world.mirror.read(&place()).await, Err(MirrorError::Unavailable { .. })));
    }
    assert_eq!(world.asked().len(), 5, "after five failures in a row nothing is asked");
    world.get(BY_NAME, &json!({}), &ours());
    assert!(world.mirror.read(&place()).await.is_err());
    world.clock.0.store(31, SeqCst);
    world.apply(Step::RemoveMember("auth0|1".to_owned())).await.unwrap_err();
    assert!(world.asked().len() > 6, "one call, and with its answer all others");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_kept_until_shortly_before_its_end_and_replaced_where_it_is_refused() {
    let world = World::new();
    world.answers(
        "DELETE",
        &format!("/api/v2/organizations/{ORGANIZATION}/members"),
        json!({"status": 204}),
        &json!({}),
    );
    let remove = || world.apply(Step::RemoveMember("auth0|1".to_owned()));
    remove().await.unwrap();
    world.clock.0.store(86_400 - 61, SeqCst);
    remove().await.unwrap();
    assert_eq!(world.token_calls(), 1);
    world.clock.0.store(86_400 - 59, SeqCst);
    remove().await.unwrap();
    assert_eq!(world.token_calls(), 2, "a minute before its end it is replaced");
    // Refused before its end: another one, once.
    world.answers("GET", BY_NAME, json!({"status": 401}), &json!({}));
    let refused = remove().await;
    assert!(matches!(refused, Err(MirrorError::Refused(_))), "{refused:?}");
    assert_eq!(world.token_calls(), 3);
    world.tokens("second", 86_400);
    let bearer = json!({"Authorization": {"equalTo": "Bearer second"}});
    let by_second = |method: &str, path: &str| json!({"method": method, "urlPath": path, "headers": bearer});
    world.stub(by_second("GET", BY_NAME), json!({"status": 200, "jsonBody": ours()}), &json!({}));
    let members = format!("/api/v2/organizations/{ORGANIZATION}/members");
    world.stub(by_second("DELETE", &members), json!({"status": 204}), &json!({}));
    remove().await.unwrap();
    assert_eq!(world.token_calls(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_the_wrong_secret_or_too_few_scopes_is_told_so_and_not_asked_for_ever() {
    let world = World::new();
    world.answers("GET", BY_NAME, json!({"status": 403, "jsonBody": {"errorCode": "insufficient_scope"}}), &json!({}));
    let refused = world.mirror.read(&place()).await.unwrap_err();
    assert!(refused.to_string().contains("lacks a scope"), "{refused}");
    assert_eq!(world.asked().len(), 1);
    let world = World::empty();
    world.stub(
        json!({"method": "POST", "urlPath": "/oauth/token"}),
        json!({"status": 401, "jsonBody": {"error": "access_denied"}}),
        &json!({}),
    );
    let refused = world.mirror.read(&place()).await.unwrap_err();
    assert!(refused.to_string().contains("another secret"), "{refused}");
    assert_eq!((world.token_calls(), world.asked().len()), (1, 0));
    assert!(!format!("{:?} {refused:?}", world.mirror).contains("m2m secret"));
}

#[tokio::test(flavor = "multi_thread")]
async fn roles_that_are_not_there_are_made_once() {
    let world = World::empty();
    world.get(BY_NAME, &json!({}), &ours());
    let viewer = json!({"id": role_id(Role::Viewer), "name": "settings-viewer"});
    world.get("/api/v2/roles", &json!({}), &json!([viewer]));
    for role in [Role::Editor, Role::Admin] {
        let name = format!("settings-{role}");
        let body = json!([{"matchesJsonPath": {"expression": "$.name", "equalTo": name}}]);
        let bearer = json!({"Authorization": {"equalTo": "Bearer first"}});
        let request = json!({"method": "POST", "urlPath": "/api/v2/roles", "bodyPatterns": body, "headers": bearer});
        world.stub(request, json!({"status": 200, "jsonBody": {"id": role_id(role), "name": name}}), &json!({}));
    }
    let roles = format!("/api/v2/organizations/{ORGANIZATION}/members/auth0%7C1/roles");
    world.answers("POST", &roles, json!({"status": 204}), &json!({}));
    for _ in 0..2 {
        world.apply(Step::GiveRole("auth0|1".to_owned(), Role::Admin)).await.unwrap();
    }
    let made: Vec<_> = world.changes().into_iter().filter(|(_, url, _)| url == "/api/v2/roles").collect();
    assert_eq!(made.len(), 2, "{made:?}");
    let given: Vec<_> =
        world.changes().into_iter().filter(|(_, url, _)| *url == roles).map(|(.., body)| body).collect();
    assert_eq!(given, [json!({"roles": [role_id(Role::Admin)]}), json!({"roles": [role_id(Role::Admin)]})]);
}

#[test]
fn a_configuration_without_a_tenant_or_a_secret_is_refused() {
    let make = |domain: &str, id: &str, secret: &str| {
        let config = Auth0Config {
            domain: domain.to_owned(),
            client_id: id.to_owned(),
            client_secret: secret.to_owned().into(),
            application: None,
        };
        Auth0Organizations::new(config, http_client().unwrap(), Arc::new(Moved(0.into()))).map(drop)
    };
    assert!(make("acme.eu.auth0.com", "m2m", "secret").is_ok());
    assert!(matches!(make("acme.eu.auth0.com", "", "secret"), Err(ConfigError::ClientMissing)));
    assert!(matches!(make("acme.eu.auth0.com", "m2m", ""), Err(ConfigError::ClientMissing)));
    assert!(matches!(make("http://acme.eu.auth0.com", "m2m", "secret"), Err(ConfigError::IssuerNotHttps)));
    assert!(make("", "m2m", "secret").is_err());
}
