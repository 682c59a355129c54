//! The mirror in Auth0, against prepared answers in the shapes of Auth0's published description of its Management API v2.
mod limits;

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
